// SPDX-License-Identifier: AGPL-3.0-only
//! Texts with keywords, split but not yet resolved: from CDATA and action strings to [`Parsed`].
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`cdata`] | indentation, blank lines, the empty line behind the headers |
//! | [`segments`] | literal bytes and `[keywords]` |
//! | [`keywords`] | what a keyword means |
//! | [`authentication`] | the answer to a challenge, and where it may stand |
//! | [`crypto`] | keywords of SRTP |
//! | [`dialog`] | keywords that speak of another dialog |
//! | [`field`] | `[fieldN]` and the injection files it may name |
//! | [`file`] | `[file]` |
//! | [`outline`] | the headers of a message as its author typed them |
//! | [`params`] | `name="value"` inside keywords |
//! | [`message`] | what kind of message a text is, and whether its length is right |
//!
//! Variables stay names here; [`crate::resolve`] gives them their ids.

mod authentication;
mod cdata;
mod crypto;
mod dialog;
mod field;
mod file;
mod keywords;
mod message;
mod outline;
mod params;
mod segments;

pub(crate) use authentication::Parameters;
pub(crate) use field::missing as missing_file;
pub(crate) use keywords::{Keys, Keyword, Kind};
pub(crate) use message::Head;
pub(crate) use outline::{Header, Outline};
pub(crate) use segments::{Piece, known_text};

use crate::ast::{
    ActionKind, DefaultMessageId, Exec, Item, MediaWord, Name, Scenario, Step, StepKind,
};
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::needs::MediaFile;
use crate::source::{Span, Text};
use std::collections::HashMap;

/// A text after splitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Its parts.
    pub(crate) pieces: Vec<Piece>,
    /// What it is.
    pub(crate) head: Head,
    /// Its headers, for what looks at the sense of a message.
    pub(crate) outline: Outline,
}

impl Parsed {
    /// The keywords in order, those inside other keywords behind them.
    pub(crate) fn keywords(&self) -> impl Iterator<Item = &Keyword> {
        fn gather<'a>(pieces: &'a [Piece], found: &mut Vec<&'a Keyword>) {
            for piece in pieces {
                if let Piece::Keyword(keyword) = piece {
                    found.push(keyword);
                    // An answer to a challenge may hold a file, that a field with a line, and that nothing such.
                    gather(keyword.kind.nested(), found);
                }
            }
        }
        let mut found = Vec::new();
        gather(&self.pieces, &mut found);
        found.into_iter()
    }

    /// The dialogs it names, in order.
    pub(crate) fn dialogs(&self) -> impl Iterator<Item = &Name> {
        self.keywords().filter_map(|keyword| match &keyword.kind {
            Kind::Elsewhere { dialog, .. } => Some(dialog),
            _ => None,
        })
    }

    /// The variables it names, in order.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Name> {
        self.keywords().filter_map(|keyword| match &keyword.kind {
            Kind::Var(name) | Kind::Fill { variable: name, .. } => Some(name),
            Kind::Plain(_)
            | Kind::Elsewhere { .. }
            | Kind::LastRequestUri
            | Kind::LastMessage
            | Kind::LastHeader(_)
            | Kind::File(_)
            | Kind::FileAt(_)
            | Kind::Field { .. }
            | Kind::Authentication(_)
            | Kind::Key(_)
            | Kind::Poisoned => None,
        })
    }
}

/// All texts of a scenario, found again by their place in the file.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    parsed: HashMap<Span, Parsed>,
}

impl Texts {
    /// The parsed form of a text; `None` when it could not be read at all.
    pub(crate) fn get(&self, text: &Text) -> Option<&Parsed> {
        self.parsed.get(&text.span())
    }
}

/// What a CDATA section is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// A `send`.
    Send,
    /// A SIP message that replaces an automatic one.
    Default,
    /// A `sendCmd`, or the text that aborts a twin: no SIP message.
    Command,
}

/// Splits every text of a scenario.
pub(crate) fn read_all(
    scenario: &Scenario,
    keys: &Keys<'_>,
    diagnostics: &mut Diagnostics,
) -> Texts {
    let mut reader = Reader {
        keys,
        diagnostics,
        texts: Texts::default(),
    };
    for item in &scenario.items {
        match item {
            Item::Step(step) => reader.step(step),
            Item::DefaultMessage(message) => {
                if let Some(text) = &message.text {
                    let purpose = match message.id.map(|id| id.value) {
                        Some(DefaultMessageId::TwinAbort) | None => Purpose::Command,
                        Some(
                            DefaultMessageId::Ack
                            | DefaultMessageId::Ack2
                            | DefaultMessageId::Bye
                            | DefaultMessageId::Cancel
                            | DefaultMessageId::Ok200,
                        ) => Purpose::Default,
                    };
                    reader.cdata(text, purpose, message.span);
                }
            }
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        reader.step(step);
                    }
                }
            }
            Item::Label(_) | Item::Declaration(_) | Item::Repartition(_) => {}
        }
    }
    reader.texts
}

/// Splits one of our own messages, which has no faults (a test holds that).
pub(crate) fn read_own(message: &str) -> Parsed {
    let mut diagnostics = Diagnostics::new(false);
    let text = Text::verbatim(message.as_bytes(), 0);
    let pieces = segments::split(&text, &Keys::new(&[]), &mut diagnostics);
    let head = message::head(&text, &pieces, &mut diagnostics);
    debug_assert!(!diagnostics.has_errors(), "{message}");
    Parsed {
        pieces,
        head,
        outline: Outline::default(),
    }
}

/// Splits one of our own commands.
pub(crate) fn read_own_command(command: &str) -> Parsed {
    let mut diagnostics = Diagnostics::new(false);
    let text = Text::verbatim(command.as_bytes(), 0);
    let pieces = segments::split(&text, &Keys::new(&[]), &mut diagnostics);
    debug_assert!(!diagnostics.has_errors(), "{command}");
    Parsed {
        pieces,
        head: Head::Text,
        outline: Outline::default(),
    }
}

struct Reader<'a, 'k> {
    keys: &'a Keys<'k>,
    diagnostics: &'a mut Diagnostics,
    texts: Texts,
}

impl Reader<'_, '_> {
    fn step(&mut self, step: &Step) {
        match &step.kind {
            StepKind::Send(send) => {
                if let Some(text) = &send.text {
                    self.cdata(text, Purpose::Send, step.span);
                }
            }
            StepKind::SendCmd(send) => {
                if let Some(text) = &send.text {
                    self.cdata(text, Purpose::Command, step.span);
                }
            }
            StepKind::Recv(recv) => {
                // An empty one means anyone and is no text.
                if let Some(text) = recv.accept.as_ref().filter(|text| !text.bytes().is_empty()) {
                    self.plain(text);
                }
            }
            StepKind::Pause(_) | StepKind::Timewait(_) | StepKind::Nop | StepKind::RecvCmd(_) => {}
        }
        for action in step.actions.iter().flat_map(|actions| &actions.list) {
            for text in action_texts(&action.kind) {
                self.plain(text);
            }
            if let ActionKind::Exec(Exec::Media(MediaWord::PlayPcap(_), text)) = &action.kind {
                self.capture_file(text);
            }
        }
    }

    fn plain(&mut self, text: &Text) {
        let pieces = segments::split(text, self.keys, self.diagnostics);
        let head = Head::Text;
        authentication::check(&head, &pieces, self.diagnostics);
        let outline = Outline::default();
        self.texts.parsed.insert(
            text.span(),
            Parsed {
                pieces,
                head,
                outline,
            },
        );
    }

    /// The name of a capture file: as it is written, or all of it the value of a `-key`.
    fn capture_file(&mut self, text: &Text) {
        let bytes = text.bytes();
        let key = bytes
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
            .filter(|name| !name.is_empty() && !name.contains(&b']'));
        let piece = match key {
            None => Piece::Literal(bytes.to_vec()),
            Some(name) => match keywords::key(name, text.span(), self.keys, self.diagnostics) {
                keywords::Read::Literal(value) => Piece::Literal(value.to_vec()),
                keywords::Read::Keyword(kind) => Piece::Keyword(Keyword {
                    kind,
                    span: text.span(),
                }),
                keywords::Read::Poisoned => return,
            },
        };
        if let Piece::Literal(file) = &piece {
            self.keys.note(|needs| {
                needs.media_files.push(MediaFile {
                    name: String::from_utf8_lossy(file).into_owned(),
                    span: text.span(),
                });
            });
        }
        let parsed = Parsed {
            pieces: vec![piece],
            head: Head::Text,
            outline: Outline::default(),
        };
        self.texts.parsed.insert(text.span(), parsed);
    }

    fn cdata(&mut self, text: &Text, purpose: Purpose, element: Span) {
        let Ok(normal) = cdata::normalise(text, purpose == Purpose::Send) else {
            let place = if text.span().is_empty() {
                element
            } else {
                text.span()
            };
            self.diagnostics.push(Diagnostic::error(
                codes::EMPTY_TEXT,
                place,
                "the message is empty",
            ));
            return;
        };
        let pieces = segments::split(&normal, self.keys, self.diagnostics);
        let head = match purpose {
            Purpose::Command => Head::Text,
            Purpose::Send | Purpose::Default => {
                let head = message::head(&normal, &pieces, self.diagnostics);
                message::check_length(&normal, &pieces, self.diagnostics);
                head
            }
        };
        authentication::check(&head, &pieces, self.diagnostics);
        let outline = match purpose {
            Purpose::Send => Outline::of(&normal),
            Purpose::Default | Purpose::Command => Outline::default(),
        };
        self.texts.parsed.insert(
            text.span(),
            Parsed {
                pieces,
                head,
                outline,
            },
        );
    }
}

/// The texts of an action in which keywords are expanded.
pub(crate) fn action_texts(action: &ActionKind) -> Vec<&Text> {
    match action {
        ActionKind::Log(text)
        | ActionKind::Warning(text)
        | ActionKind::Error(text)
        | ActionKind::AssignStr { value: text, .. } => vec![text],
        ActionKind::Exec(exec) => match exec {
            Exec::Command(text) => vec![text],
            Exec::Media(word, text) if word.expands() => vec![text],
            Exec::IntCmd(_) | Exec::Media(..) => Vec::new(),
        },
        ActionKind::VerifyAuth {
            username, password, ..
        } => vec![username, password],
        ActionKind::Lookup { file, key, .. } => vec![file, key],
        ActionKind::Insert { file, value } => vec![file, value],
        ActionKind::Replace { file, line, value } => vec![file, line, value],
        ActionKind::Edit {
            file, line, text, ..
        } => vec![file, line, text],
        ActionKind::SetDest {
            host,
            port,
            protocol,
        } => vec![host, port, protocol],
        ActionKind::Ereg { .. }
        | ActionKind::Assign { .. }
        | ActionKind::GetTimeOfDay { .. }
        | ActionKind::Index { .. }
        | ActionKind::Jump(_)
        | ActionKind::PauseRestore(_)
        | ActionKind::Arith { .. }
        | ActionKind::Sample { .. }
        | ActionKind::ToDouble { .. }
        | ActionKind::Test { .. }
        | ActionKind::StrCmp { .. }
        | ActionKind::Trim { .. }
        | ActionKind::UrlEncode { .. }
        | ActionKind::UrlDecode { .. }
        | ActionKind::CloseCon
        | ActionKind::RtpEcho(_)
        | ActionKind::Poisoned { .. } => Vec::new(),
    }
}
