// SPDX-License-Identifier: AGPL-3.0-only
//! What the text between `[` and `]` means.
//!
//! COMPAT(sipp): an offset is read only directly behind the name of a keyword without parameters. SIPp cuts the text at
//! any sign before a digit, so that `[last_X-3GPP-Foo]` becomes `[last_X]` there.

use super::authentication::{self, Parameters};
use super::crypto;
use super::dialog;
use super::field;
use super::file;
use super::params::{self, Value};
use super::segments::Piece;
use crate::ast::Name;
use crate::diag::codes::{later, template as codes};
use crate::diag::{Diagnostic, Diagnostics, quote, suggest};
use crate::needs::{Missing, Needs};
use crate::schema;
use crate::source::{Span, Text};
use core::cell::RefCell;
use core::ops::Range;
use gossipper_bytecode::Slot;

/// A keyword and its place, brackets included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keyword {
    /// What it means.
    pub(crate) kind: Kind,
    /// Its place.
    pub(crate) span: Span,
}

/// What a keyword means; names are not yet resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One without names in it.
    Plain(Slot),
    /// `[last_Request_URI]`
    LastRequestUri,
    /// `[last_message]`
    LastMessage,
    /// `[last_NAME]`: the name as typed, with its colon.
    LastHeader(Vec<u8>),
    /// `[$name]`
    Var(Name),
    /// `[file name="…"]`: the path.
    File(Vec<u8>),
    /// `[file name="…"]` whose path is a text with keywords.
    FileAt(Vec<Piece>),
    /// `[fill text="…" variable=name]`
    Fill {
        /// The text, `X` by default.
        text: Vec<u8>,
        /// The variable that says how long.
        variable: Name,
    },
    /// `[fieldN file="…" line="…"]`
    Field {
        /// The file; the first one of the run otherwise.
        file: Option<Vec<u8>>,
        /// Which field, from 0.
        index: u32,
        /// The text that says which line.
        line: Option<Vec<Piece>>,
    },
    /// `[call_id dialog=…]` and its kin
    Elsewhere {
        /// The dialog it speaks of.
        dialog: Name,
        /// What it prints of it.
        what: Box<Self>,
    },
    /// `[authentication …]`
    Authentication(Parameters),
    /// The value of a `-key` that a run has to define; only where that was a warning.
    Key(Vec<u8>),
    /// It was wrong, or belongs to a later version; already reported.
    Poisoned,
}

impl Kind {
    /// The parts of a text inside the keyword.
    pub(crate) fn nested(&self) -> &[Piece] {
        match self {
            Self::Field { line, .. } => line.as_deref().unwrap_or_default(),
            Self::FileAt(path) => path,
            Self::Authentication(parameters) => &parameters.pieces,
            Self::Plain(_)
            | Self::Elsewhere { .. }
            | Self::LastRequestUri
            | Self::LastMessage
            | Self::LastHeader(_)
            | Self::Var(_)
            | Self::File(_)
            | Self::Fill { .. }
            | Self::Key(_)
            | Self::Poisoned => &[],
        }
    }
}

/// What reading a keyword gave.
pub(super) enum Read<'a> {
    /// A keyword.
    Keyword(Kind),
    /// The value of a `-key`.
    Literal(&'a [u8]),
    /// Nothing; reported.
    Poisoned,
}

/// What the command line adds to the keywords: those that `-key` defines, and the injection files of `-inf`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'a> {
    keys: &'a [(String, Vec<u8>)],
    files: &'a [String],
    missing: Missing,
    needs: Option<&'a RefCell<Needs>>,
}

impl<'a> Keys<'a> {
    /// Takes them as the command line gave them; of two with the same name the last one counts.
    pub(crate) fn new(keys: &'a [(String, Vec<u8>)]) -> Self {
        Self {
            keys,
            files: &[],
            missing: Missing::Refuse,
            needs: None,
        }
    }

    /// The same, with what to do about what the run lacks, and where to note what it needs.
    pub(crate) fn noting(self, missing: Missing, needs: &'a RefCell<Needs>) -> Self {
        Self {
            missing,
            needs: Some(needs),
            ..self
        }
    }

    /// Notes what a run needs.
    pub(crate) fn note(&self, note: impl FnOnce(&mut Needs)) {
        if let Some(needs) = self.needs {
            note(&mut needs.borrow_mut());
        }
    }

    /// What to do about what the run lacks.
    pub(crate) fn missing(&self) -> Missing {
        self.missing
    }

    /// The same with injection files, by their base names.
    pub(crate) fn with_files(self, files: &'a [String]) -> Self {
        Self { files, ..self }
    }

    /// Base names of the injection files.
    pub(crate) fn files(&self) -> &'a [String] {
        self.files
    }

    fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        let found = self.keys.iter().rev();
        found
            .filter(|(key, _)| key.as_bytes() == name)
            .map(|(_, value)| &value[..])
            .next()
    }
}

/// Text of `[fill]` without `text=`.
const FILL_DEFAULT: &[u8] = b"X";

/// Reads the keyword whose text, without brackets, is `range` of `text`.
pub(super) fn read<'a>(
    text: &Text,
    range: Range<usize>,
    keys: &Keys<'a>,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let word = &text.bytes()[range.clone()];
    let span = text.slice_span(range.start - 1..range.end + 1);
    if word.is_empty() {
        diagnostics.push(
            Diagnostic::error(codes::EMPTY_KEYWORD, span, "keyword without a name")
                .help("write `\\x5b` for a bracket"),
        );
        return Read::Poisoned;
    }
    if let Some(found) = dialog::read(text, range.clone(), span, keys, diagnostics) {
        return found;
    }
    let (name, offset) = split_offset(word);
    if let Some(slot) = crypto::read(name, offset) {
        return Read::Keyword(Kind::Plain(slot));
    }
    if let Some(found) = simple(word, name) {
        if let Some(feature) = found.later {
            // SIPp does not know most of them, and takes a `-key` of that name.
            if let Some(value) = keys.value(word) {
                return Read::Literal(value);
            }
            return refuse(text, range, span, feature, diagnostics);
        }
        if found.own
            && let Some(value) = keys.value(word)
        {
            return Read::Literal(value);
        }
        if found.name == DIGITS {
            return Read::Keyword(Kind::Var(Name {
                bytes: DIGITS.into(),
                span,
            }));
        }
        let offset = if found.name.as_bytes() == word {
            0
        } else if found.offset {
            offset
        } else {
            let message = format!("`[{}]` takes no offset", found.name);
            diagnostics.push(
                Diagnostic::warning(codes::NO_OFFSET, span, message)
                    .note("it is ignored, as SIPp does"),
            );
            0
        };
        return Read::Keyword(plain(found.name, offset));
    }
    let Some(prefix) = schema::KEYWORDS
        .iter()
        .find(|keyword| keyword.prefix && word.starts_with(keyword.name.as_bytes()))
        .filter(|keyword| !crypto::PREFIXES.contains(&keyword.name))
    else {
        return key(word, span, keys, diagnostics);
    };
    if let Some(feature) = prefix.later {
        return refuse(text, range, span, feature, diagnostics);
    }
    let rest = range.start + prefix.name.len()..range.end;
    match prefix.name {
        "$" => variable(text, rest, span, diagnostics),
        "fill" => fill(text, rest, span, diagnostics),
        "field" => field::read(text, rest, span, keys, diagnostics),
        "authentication" => authentication::read(text, rest, span, keys, diagnostics),
        "file" => file::read(text, rest, span, keys, diagnostics),
        "last_" => header(&text.bytes()[rest], span, diagnostics),
        other => unreachable!("prefix keyword `{other}` without a meaning"),
    }
}

/// The keyword that prints the variable of its name.
const DIGITS: &str = "dtmf_digits";

/// The exact keyword of that name, or of the name before its offset.
fn simple(word: &[u8], name: &[u8]) -> Option<&'static schema::Keyword> {
    let find = |wanted: &[u8]| {
        schema::KEYWORDS
            .iter()
            .find(|keyword| !keyword.prefix && keyword.name.as_bytes() == wanted)
    };
    find(word).or_else(|| find(name))
}

/// Splits `cseq+1`. What follows the digits is dropped, as SIPp does.
pub(super) fn split_offset(word: &[u8]) -> (&[u8], i32) {
    let sign = word.iter().enumerate().position(|(at, byte)| {
        matches!(byte, b'+' | b'-') && word.get(at + 1).is_some_and(u8::is_ascii_digit)
    });
    let Some(sign) = sign else {
        return (word, 0);
    };
    let digits = word[sign + 1..].iter().take_while(|b| b.is_ascii_digit());
    let value = digits.fold(0i32, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(i32::from(digit - b'0'))
    });
    let value = if word[sign] == b'-' { -value } else { value };
    (&word[..sign], value)
}

fn plain(name: &str, offset: i32) -> Kind {
    match name {
        "last_Request_URI" => Kind::LastRequestUri,
        "last_message" => Kind::LastMessage,
        _ => Kind::Plain(
            Slot::named(name.as_bytes(), offset)
                .unwrap_or_else(|| unreachable!("keyword `{name}` without a slot")),
        ),
    }
}

fn refuse<'a>(
    text: &Text,
    range: Range<usize>,
    span: Span,
    feature: &str,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let word = &text.bytes()[range];
    let name = word
        .split(|b| b.is_ascii_whitespace())
        .next()
        .unwrap_or(word);
    let name = quote(name);
    let message = format!("`[{name}]` needs {feature}, which this version does not have yet");
    diagnostics.push(Diagnostic::error(later::KEYWORD, span, message));
    Read::Poisoned
}

/// A word that is no keyword: the name of a `-key`, or a mistake.
pub(super) fn key<'a>(
    word: &[u8],
    span: Span,
    keys: &Keys<'a>,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let name = || String::from_utf8_lossy(word).into_owned();
    if let Some(value) = keys.value(word) {
        keys.note(|needs| _ = needs.keys.insert(name()));
        return Read::Literal(value);
    }
    let near = nearest(word, keys);
    if keys.missing == Missing::Warn && near.is_none() && may_be_key(word) {
        let mut is_first = true;
        keys.note(|needs| is_first = needs.keys.insert(name()));
        if is_first {
            let shown = quote(word);
            diagnostics.push(
                Diagnostic::warning(
                    codes::UNKNOWN_KEYWORD,
                    span,
                    format!("`[{shown}]` is no keyword; a run needs `-key {shown} VALUE`"),
                )
                .label("must be the name of a `-key`"),
            );
        }
        return Read::Keyword(Kind::Key(word.to_vec()));
    }
    diagnostics.push(unknown(word, span, near));
    Read::Poisoned
}

/// Whether somebody would call a `-key` so: what holds blanks, quotes or brackets is rather a mistake.
fn may_be_key(word: &[u8]) -> bool {
    word.iter()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'[' | b']' | b'\'' | b'='))
}

/// The keyword or `-key` that was perhaps meant, with what followed the name.
fn nearest(word: &[u8], keys: &Keys<'_>) -> Option<String> {
    let typed = String::from_utf8_lossy(word);
    let (name, _) = split_offset(word);
    let name = String::from_utf8_lossy(name);
    let crypto = crypto::names();
    let candidates = schema::KEYWORDS
        .iter()
        .filter(|keyword| !keyword.prefix && keyword.later.is_none())
        .map(|keyword| keyword.name)
        .chain(keys.keys.iter().map(|(key, _)| key.as_str()))
        .chain(crypto.iter().map(String::as_str));
    let near = suggest::nearest(&name, candidates)?;
    let suffix = typed.strip_prefix(&*name).unwrap_or_default();
    Some(format!("[{near}{suffix}]"))
}

fn unknown(word: &[u8], span: Span, near: Option<String>) -> Diagnostic {
    Diagnostic::error(
        codes::UNKNOWN_KEYWORD,
        span,
        format!("unknown keyword `[{}]`", quote(word)),
    )
    .label("neither a keyword nor a `-key`")
    .did_you_mean(near.as_deref())
}

/// Whether a variable can have that name.
pub(super) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.iter().any(|b| matches!(b, b'$' | b','))
}

fn variable<'a>(
    text: &Text,
    name: Range<usize>,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let bytes = text.bytes()[name.clone()].to_vec();
    if !is_name(&bytes) {
        let shown = quote(&bytes);
        let message = format!("`{shown}` is no name of a variable");
        diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, span, message));
        return Read::Poisoned;
    }
    let span = text.slice_span(name);
    Read::Keyword(Kind::Var(Name { bytes, span }))
}

fn fill<'a>(
    text: &Text,
    rest: Range<usize>,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let Some(params) = params::read(text, rest.clone(), diagnostics) else {
        return Read::Poisoned;
    };
    let find = |name: &str| -> Option<Value<'_>> {
        let mut named = params.iter().filter(|param| param.name == name.as_bytes());
        named.next().map(|param| param.value)
    };
    let Some(variable) = find("variable") else {
        diagnostics.push(
            Diagnostic::error(codes::BAD_PARAMETER, span, "`[fill]` without `variable=`")
                .help("write `[fill text=\"X\" variable=name]`"),
        );
        return Read::Poisoned;
    };
    let place = variable.range().map_or(span, |range| {
        text.slice_span(rest.start + range.start..rest.start + range.end)
    });
    let bytes = variable.bytes();
    if !is_name(&bytes) {
        let shown = quote(&bytes);
        let message = format!("`{shown}` is no name of a variable");
        diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, place, message));
        return Read::Poisoned;
    }
    Read::Keyword(Kind::Fill {
        text: find("text").map_or_else(|| FILL_DEFAULT.to_vec(), Value::bytes),
        variable: Name { bytes, span: place },
    })
}

fn header<'a>(name: &[u8], span: Span, diagnostics: &mut Diagnostics) -> Read<'a> {
    let bare = name.strip_suffix(b":").unwrap_or(name);
    if bare.is_empty() || bare.iter().any(|b| b.is_ascii_whitespace() || *b == b':') {
        let shown = quote(name);
        let message = format!("`{shown}` is no name of a header");
        diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, span, message));
        return Read::Poisoned;
    }
    let mut typed = bare.to_vec();
    typed.push(b':');
    Read::Keyword(Kind::LastHeader(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(keyword: &str) -> (Option<Kind>, Vec<String>) {
        let mut diagnostics = Diagnostics::new(false);
        let files = ["users.csv".to_owned()];
        let keys = [("proxy".to_owned(), b"10.0.0.1".to_vec())];
        let text = Text::verbatim(format!("[{keyword}]").as_bytes(), 0);
        let kind = match read(
            &text,
            1..keyword.len() + 1,
            &Keys::new(&keys).with_files(&files),
            &mut diagnostics,
        ) {
            Read::Keyword(kind) => Some(kind),
            Read::Literal(_) | Read::Poisoned => None,
        };
        let shown = diagnostics.iter().map(|d| {
            let help = d.suggestion.as_ref().map(|s| s.text.clone());
            format!("{} {}", d.code, help.unwrap_or_default())
        });
        (kind, shown.collect())
    }

    #[test]
    fn every_keyword_of_the_table_has_a_meaning() {
        for keyword in schema::KEYWORDS {
            let text = match keyword.name {
                "$" => "$x".to_owned(),
                "fill" => "fill variable=x".to_owned(),
                "last_" => "last_Via:".to_owned(),
                "file" => "file name=x".to_owned(),
                "cryptotag" => "cryptotag1audio".to_owned(),
                "cryptosuite" => "cryptosuitenullsha1322video".to_owned(),
                "cryptokeyparams" => "cryptokeyparams1audio-1".to_owned(),
                "ue" => "ueaescm128sha1801audio".to_owned(),
                name => name.to_owned(),
            };
            let (kind, found) = one(&text);
            assert_eq!(kind.is_none(), keyword.later.is_some(), "{text}: {found:?}");
        }
    }

    #[test]
    fn digits_are_the_variable_of_that_name() {
        assert!(matches!(one(DIGITS).0, Some(Kind::Var(name)) if name.bytes == DIGITS.as_bytes()));
        let keys = [(DIGITS.to_owned(), b"42".to_vec())];
        let text = Text::verbatim(b"[dtmf_digits]", 0);
        let mut diagnostics = Diagnostics::new(false);
        let read = read(&text, 1..12, &Keys::new(&keys), &mut diagnostics);
        assert!(matches!(read, Read::Literal(b"42")));
    }

    #[test]
    fn offsets_stand_directly_behind_the_names_that_take_one() {
        assert_eq!(one("cseq+2").0, Some(Kind::Plain(Slot::Cseq(2))));
        assert_eq!(one("branch-2").0, Some(Kind::Plain(Slot::Branch(-2))));
        assert_eq!(
            one("remote_port+99999999999").0,
            Some(Kind::Plain(Slot::RemotePort(i32::MAX)))
        );
        assert_eq!(
            one("last_X-3GPP-Foo").0,
            Some(Kind::LastHeader(b"X-3GPP-Foo:".to_vec()))
        );
        assert!(matches!(one("$a-1").0, Some(Kind::Var(name)) if name.bytes == b"a-1"));
        let (kind, found) = one("call_id-1");
        assert_eq!(kind, Some(Kind::Plain(Slot::CallId)));
        assert_eq!(found, ["G0211 "]);
        assert!(one("len+").0.is_none());
    }

    #[test]
    fn suggestions_are_near_or_none() {
        let (_, found) = one("remote_prot");
        assert_eq!(found, ["G0213 did you mean `[remote_port]`?"]);
        assert_eq!(one("proxi").1, ["G0213 did you mean `[proxy]`?"]);
        assert_eq!(one("whatever").1, ["G0213 "]);
    }

    #[test]
    fn header_keywords_keep_the_name_as_typed() {
        assert_eq!(one("last_via").0, Some(Kind::LastHeader(b"via:".to_vec())));
        assert_eq!(one("last_Via:").0, Some(Kind::LastHeader(b"Via:".to_vec())));
        assert!(one("last_").0.is_none());
    }

    #[test]
    fn fields_name_a_file_and_a_line_or_take_those_of_the_call() {
        let field = |file: Option<&str>, index| {
            Some(Kind::Field {
                file: file.map(|name| name.as_bytes().to_vec()),
                index,
                line: None,
            })
        };
        assert_eq!(one("field12").0, field(None, 12));
        assert_eq!(one("field").0, field(None, 0));
        assert_eq!(one("fieldX").0, field(None, 0));
        assert_eq!(
            one("field1 file=\"users.csv\"").0,
            field(Some("users.csv"), 1)
        );
        assert_eq!(one("field1 file=users.csv").0, field(Some("users.csv"), 1));
        assert_eq!(
            one("field1 file=\"user.csv\"").1,
            ["G0214 did you mean `users.csv`?"]
        );
        assert_eq!(one("field1 line=").1, ["G0206 "]);
        let (kind, found) = one("field1 line=\"[$a]\"");
        assert!(
            matches!(kind.map(|kind| kind.nested().to_vec()).as_deref(),
                Some([Piece::Keyword(inner)]) if matches!(&inner.kind, Kind::Var(_))),
            "{found:?}"
        );
        assert_eq!(one("field1 line=\"[field0 line=\\\"1\\\"]\"").1, ["G0206 "]);
    }
}
