// SPDX-License-Identifier: AGPL-3.0-only
//! Views of SIP URIs, name-addr values, parameters and comma-separated header values.
//!
//! Everything borrows; escapes (`%40`) and quoted pairs are left as they are. Not here: resolving a host, comparing URIs
//! by the rules of RFC 3261 §19.1.4, or building a route set.
//!
//! Invariants: all functions are linear in the length of their input and total: a malformed value gives the best view
//! of it or `None`. A quote or angle bracket that is never closed counts as ordinary text, so that one broken display
//! name does not hide the rest of the header.
//!
//! Rules: RFC 3261 §19.1.1 (URI), §20.10 (name-addr against addr-spec), §7.3.1 (comma-separated values).

use memchr::memchr;

use crate::find::{any_of, contains, find, find_in, find_near, may_contain};
use crate::scan::trim;

/// The parts of a URI. For `sip` and `sips` all parts are filled; for any other scheme `host` is the opaque text up to
/// the first `;` or `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// `sip`, `sips`, `tel`…, in the case it was written.
    pub scheme: &'a [u8],
    /// The user, without password.
    pub user: Option<&'a [u8]>,
    /// The password, which RFC 3261 discourages and people use.
    pub password: Option<&'a [u8]>,
    /// The host; an IPv6 address without its brackets.
    pub host: &'a [u8],
    /// Whether the host stood in brackets.
    pub host_is_ipv6: bool,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// The parameters, without the first `;`.
    pub params: &'a [u8],
    /// The headers, without the `?`.
    pub headers: &'a [u8],
}

impl<'a> SipUri<'a> {
    /// Reads a URI without angle brackets around it. `None` when there is no scheme, no host, or no valid port.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = trim(text);
        let (scheme, rest) = split_once(text, b':')?;
        if !scheme.first()?.is_ascii_alphabetic()
            || !scheme
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        {
            return None;
        }
        let is_sip = scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips");
        // The user part may itself hold `;` and `?` (RFC 3261 §25.1 user-unreserved), so `@` is looked for first.
        let (userinfo, rest) = match split_once(rest, b'@') {
            Some((userinfo, rest)) if is_sip => (Some(userinfo), rest),
            _ => (None, rest),
        };
        let (user, password) = match userinfo.map(|userinfo| (userinfo, split_once(userinfo, b':')))
        {
            None => (None, None),
            Some((_, Some((user, password)))) => (Some(user), Some(password)),
            Some((user, None)) => (Some(user), None),
        };
        let (rest, headers) = split_once(rest, b'?').unwrap_or((rest, &[]));
        let (hostport, params) = split_once(rest, b';').unwrap_or((rest, &[]));
        let (host, host_is_ipv6, port) = if is_sip {
            split_hostport(hostport)?
        } else {
            (hostport, false, None)
        };
        if host.is_empty() {
            return None;
        }
        Some(Self {
            scheme,
            user,
            password,
            host,
            host_is_ipv6,
            port,
            params,
            headers,
        })
    }

    /// The value of a URI parameter; empty for one without `=`.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        param(self.params, name)
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; brackets are removed and reported. `None` when a port is written
/// that is none, or a bracket is not closed.
pub fn split_hostport(text: &[u8]) -> Option<(&[u8], bool, Option<u16>)> {
    let text = trim(text);
    let (host, is_ipv6, rest) = match text.strip_prefix(b"[") {
        Some(inner) => {
            let (host, rest) = split_once(inner, b']')?;
            (host, true, rest)
        }
        None => {
            let colon = memchr(b':', text).unwrap_or(text.len());
            let (host, rest) = text.split_at(colon);
            (host, false, rest)
        }
    };
    let port = match rest.split_first() {
        None => None,
        Some((b':', digits)) => Some(parse_port(digits)?),
        Some(_) => return None,
    };
    Some((host, is_ipv6, port))
}

/// The value of a From, To, Contact, Route or Record-Route header, taken apart by RFC 3261 §20.10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, with its quotes; often empty.
    pub display: &'a [u8],
    /// The URI, without angle brackets.
    pub uri: &'a [u8],
    /// The header parameters, without the first `;`.
    pub params: &'a [u8],
}

impl<'a> NameAddr<'a> {
    /// Reads one value (see [`split_header_list`] for several).
    ///
    /// Without angle brackets every parameter belongs to the header, not to the URI.
    pub fn parse(value: &'a [u8]) -> Self {
        let value = trim(value);
        if let Some((open, close)) = angles(value) {
            let after = &value[(close + 1).min(value.len())..];
            return Self {
                display: trim(&value[..open]),
                uri: trim(&value[open + 1..close]),
                params: split_once(after, b';').map_or(&[], |(_, params)| params),
            };
        }
        let (uri, params) = split_once(value, b';').unwrap_or((value, &[]));
        Self {
            display: &[],
            uri: trim(uri),
            params,
        }
    }

    /// The value of a header parameter; empty for one without `=`.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        param(self.params, name)
    }
}

/// The text between `<` and `>`, or the whole value where there are no angle brackets; what a request is sent to.
// COMPAT(sipp): without angle brackets the header parameters stay, as in SIPp's `[next_url]`.
pub fn angle_or_whole(value: &[u8]) -> &[u8] {
    let value = trim(value);
    match angles(value) {
        Some((open, close)) => trim(&value[open + 1..close]),
        None => value,
    }
}

/// [`angle_or_whole`] of a value that has an opening angle bracket somewhere; `None` of any other.
pub fn angle_if_any(value: &[u8]) -> Option<&[u8]> {
    let open = find(value, b'<')?;
    let (front, rest) = value.split_at(open);
    if contains(front, b'"') {
        return Some(angle_or_whole(value));
    }
    let end = find(rest, b'>').unwrap_or(rest.len());
    Some(trim(&rest[1..end]))
}

/// Splits a header value at its commas, leaving alone those inside quotes or angle brackets; empty items are dropped.
// COMPAT(sipp): SIPp also splits inside quotes and angle brackets, which breaks URIs with a comma in the user part.
pub fn split_header_list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut commas = Outside::new(value).filter(|(_, byte)| *byte == b',');
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = from?;
        let end = commas.next().map(|(at, _)| at);
        from = end.map(|at| at + 1);
        value.get(start..end.unwrap_or(value.len()))
    })
    .map(trim)
    .filter(|item| !item.is_empty())
}

/// The value of a parameter in a `;`-separated list; empty for a parameter without `=`. Names compare without case.
pub fn param<'a>(params: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut semicolons = Outside::new(params).filter(|(_, byte)| *byte == b';');
    let mut start = 0;
    loop {
        let end = semicolons.next().map_or(params.len(), |(at, _)| at);
        let piece = params.get(start..end)?;
        let (key, value) = split_once(piece, b'=').unwrap_or((piece, &[]));
        if trim(key).eq_ignore_ascii_case(name) {
            return Some(trim(value));
        }
        if end == params.len() {
            return None;
        }
        start = end + 1;
    }
}

/// A parameter of the first value in a header: behind the angle brackets if there are any, before the first comma.
#[inline]
pub(crate) fn header_param<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match first_param(value, name) {
        Some(param) => param,
        None => any_param(value, name),
    }
}

/// The parameter if it stands directly behind a bracketed URI, as tags do, or behind a value without brackets, as branches
/// do, or if nothing stands behind the bracket; whatever needs a closer look is none.
#[inline(always)]
fn first_param<'a>(value: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
    let front = value.first_chunk()?;
    if any_of(front, [b'"', b',', b';']) {
        return None;
    }
    let behind = match find_in(front, b'<') {
        // What is in the brackets does not matter.
        Some(open) => {
            let rest = value.get(open..)?;
            rest.get(find(rest, b'>')? + 1..)?
        }
        None if may_contain(value, [b'"', b',', b'<']) => return None,
        None => value.get(find(value, b';')?..)?,
    };
    let param = match behind {
        [] => return Some(None),
        [b';', param @ ..] => param,
        _ => return None,
    };
    let (key, param) = param.split_at_checked(name.len())?;
    let [b'=', param @ ..] = param else {
        return None;
    };
    // As a word first, which is how it is spelt mostly.
    if key != name && !key.eq_ignore_ascii_case(name) {
        return None;
    }
    let ends = [b';', b',', b'"', b'<'];
    // A short one shares its block with what stands in front of it, which may be seen for an end of it.
    let may_end = match param.len() {
        ..16 => any_of(value.last_chunk()?, ends),
        _ => may_contain(param, ends),
    };
    let param = match may_end {
        true => until_end(param, ends)?,
        false => param,
    };
    // An empty one is left to others, too.
    (*param.first()? > b' ' && *param.last()? > b' ').then_some(Some(param))
}

/// A parameter up to where the next one or the next value begins; none if something else comes before that.
fn until_end(param: &[u8], ends: [u8; 4]) -> Option<&[u8]> {
    match param.iter().position(|byte| ends.contains(byte)) {
        None => Some(param),
        Some(end) => matches!(param[end], b';' | b',').then_some(&param[..end]),
    }
}

#[inline(never)]
pub(crate) fn any_param<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // Nearly every value is a URI in brackets, or one token, with plain parameters behind it.
    match behind_brackets(value) {
        Some(behind) => {
            let end = find(behind, b',').unwrap_or(behind.len());
            plain_param(&behind[..end], name)
        }
        None => quoted_header_param(value, name),
    }
}

/// What follows the bracketed URI of a value, or the whole value; `None` if quotes, further brackets or separators in
/// front of the bracket ask for a closer look.
fn behind_brackets(value: &[u8]) -> Option<&[u8]> {
    if contains(value, b'"') {
        return None;
    }
    let Some(open) = find(value, b'<') else {
        return Some(value);
    };
    let (front, rest) = value.split_at(open);
    if front.iter().any(|byte| matches!(byte, b';' | b',')) {
        return None;
    }
    let behind = &rest[find(rest, b'>')? + 1..];
    (!contains(behind, b'<')).then_some(behind)
}

/// A parameter of what stands behind a URI; without quotes, brackets and commas.
fn plain_param<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    // What stands in front of the first semicolon is the value itself.
    let mut rest = &text[find(text, b';')? + 1..];
    // Mostly it is the first.
    if let Some((key, [b'=', value @ ..])) = rest.split_at_checked(name.len())
        && key.eq_ignore_ascii_case(name)
    {
        return Some(trim(&value[..find(value, b';').unwrap_or(value.len())]));
    }
    loop {
        let end = find(rest, b';');
        let piece = &rest[..end.unwrap_or(rest.len())];
        let (key, value) = match find_near(piece, b'=') {
            Some(equals) => (&piece[..equals], &piece[equals + 1..]),
            None => (piece, &[][..]),
        };
        if trim(key).eq_ignore_ascii_case(name) {
            return Some(trim(value));
        }
        rest = &rest[end? + 1..];
    }
}

fn quoted_header_param<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut from = None;
    let mut to = value.len();
    for (at, byte) in Outside::new(value) {
        match byte {
            b';' if from.is_none() => from = Some(at + 1),
            b',' => {
                to = at;
                break;
            }
            _ => {}
        }
    }
    param(value.get(from?..to)?, name)
}

/// Where the first `<` outside quotes and its `>` stand; a bracket that is not closed ends with the text.
fn angles(value: &[u8]) -> Option<(usize, usize)> {
    let (open, _) = Outside::quotes_only(value).find(|(_, byte)| *byte == b'<')?;
    let close = memchr(b'>', &value[open..]).map_or(value.len(), |length| open + length);
    Some((open, close))
}

fn split_once(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u16, |port, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        port.checked_mul(10)?.checked_add(digit)
    })
}

/// The bytes that stand outside quoted strings and angle brackets, with their positions.
struct Outside<'a> {
    text: &'a [u8],
    at: usize,
    /// Turned off at the first quote that has no end: no later one can have an end either.
    quotes: bool,
    angles: bool,
}

impl<'a> Outside<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            quotes: true,
            angles: true,
        }
    }

    fn quotes_only(text: &'a [u8]) -> Self {
        Self {
            angles: false,
            ..Self::new(text)
        }
    }
}

impl Iterator for Outside<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let at = self.at;
            let byte = *self.text.get(at)?;
            self.at += 1;
            match byte {
                b'"' if self.quotes => match closing_quote(self.text, self.at) {
                    Some(end) => self.at = end + 1,
                    None => self.quotes = false,
                },
                b'<' if self.angles => match memchr(b'>', &self.text[self.at..]) {
                    Some(length) => self.at += length + 1,
                    None => self.angles = false,
                },
                _ => return Some((at, byte)),
            }
        }
    }
}

/// RFC 3261 §25.1 `quoted-string`: a backslash takes the next byte along.
fn closing_quote(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn a_full_uri_comes_apart() {
        let uri = SipUri::parse(
            b"sips:alice;day=tuesday:secret@atlanta.example:5061;lr;transport=TCP?subject=x",
        )
        .expect("valid");
        assert_eq!(text(uri.scheme), "sips");
        assert_eq!(uri.user.map(text), Some("alice;day=tuesday".to_owned()));
        assert_eq!(uri.password.map(text), Some("secret".to_owned()));
        assert_eq!(text(uri.host), "atlanta.example");
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.param(b"LR"), Some(&b""[..]));
        assert_eq!(uri.param(b"transport").map(text), Some("TCP".to_owned()));
        assert_eq!(uri.param(b"maddr"), None);
        assert_eq!(text(uri.headers), "subject=x");
    }

    #[test]
    fn ipv6_hosts_lose_their_brackets() {
        let uri = SipUri::parse(b"sip:[2001:db8::10]:5070;x").expect("valid");
        assert_eq!(
            (text(uri.host), uri.host_is_ipv6, uri.port),
            ("2001:db8::10".to_owned(), true, Some(5070))
        );
        let uri = SipUri::parse(b"sip:u@[::1]").expect("valid");
        assert_eq!((text(uri.host), uri.port), ("::1".to_owned(), None));
        assert_eq!(SipUri::parse(b"sip:[::1"), None);
        assert_eq!(SipUri::parse(b"sip:[::1]x"), None);
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for bad in [
            "",
            "sip",
            "sip:",
            ":x",
            "1sip:x",
            "sip:host:",
            "sip:host:65536",
            "sip:host:5o60",
            "sip:user@",
        ] {
            assert_eq!(SipUri::parse(bad.as_bytes()), None, "{bad}");
        }
        let tel = SipUri::parse(b"tel:+1-212;phone-context=x").expect("opaque");
        assert_eq!(text(tel.host), "+1-212");
    }

    #[test]
    fn without_brackets_parameters_belong_to_the_header() {
        let bare = NameAddr::parse(b"sip:a@b;tag=1;x");
        assert_eq!(
            (text(bare.uri), text(bare.params)),
            ("sip:a@b".to_owned(), "tag=1;x".to_owned())
        );
        let full = NameAddr::parse(b"\"<Bell>, \\\"A\" <sip:a@b;lr> ; tag = 9");
        assert_eq!(text(full.display), "\"<Bell>, \\\"A\"");
        assert_eq!(text(full.uri), "sip:a@b;lr");
        assert_eq!(full.param(b"tag").map(text), Some("9".to_owned()));
        assert_eq!(full.param(b"lr"), None);
        let open = NameAddr::parse(b"<sip:a@b;tag=1");
        assert_eq!(
            (text(open.uri), text(open.params)),
            ("sip:a@b;tag=1".to_owned(), String::new())
        );
    }

    #[test]
    fn target_is_the_bracketed_text_or_everything() {
        assert_eq!(text(angle_or_whole(b" \"a<b\" <sip:x@y> ;q=1")), "sip:x@y");
        assert_eq!(text(angle_or_whole(b"sip:x@y;q=1 ")), "sip:x@y;q=1");
        assert_eq!(text(angle_or_whole(b"")), "");
        for value in [
            " \"a<b\" <sip:x@y> ;q=1",
            "A < sip:x >",
            "<sip:x",
            "\"a<\"",
            "a>",
            "x",
        ] {
            let whole = angle_or_whole(value.as_bytes());
            let expected = value.contains('<').then_some(whole);
            assert_eq!(angle_if_any(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn lists_split_at_top_level_commas_only() {
        let value = b"<sip:a,b@h;lr>, \"x, y\" <sip:c@h>,, sip:d@h ,";
        let items: Vec<_> = split_header_list(value).map(text).collect();
        assert_eq!(items, ["<sip:a,b@h;lr>", "\"x, y\" <sip:c@h>", "sip:d@h"]);
        assert_eq!(split_header_list(b"").count(), 0);
    }

    #[test]
    fn the_short_way_to_a_parameter_finds_what_the_long_way_finds() {
        let pieces = [
            "", "\"", "<", ">", ";", ",", "=", " ", "tag", "TAG", "a", "sip:b", ";tag=c", "\\",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    for fourth in pieces {
                        let pieces = format!("{first}{second}{third}{fourth}");
                        // Short ones, and ones of blocks that are looked at as a whole.
                        for value in [
                            format!("{pieces};tag=z"),
                            format!("b <sip:b@h{pieces}>;tag=z"),
                            format!("b <sip:b@192.0.2.1>{pieces}"),
                            format!("b <sip:b@192.0.2.1>;tag=z{pieces}"),
                            format!("b <sip:b@192.0.2.1>;tag=0123456789abcdef{pieces}"),
                            format!("{pieces}<sip:b@192.0.2.1>;tag=z"),
                            format!("SIP/2.0/UDP 192.0.2.1{pieces};tag=z"),
                            format!("SIP/2.0/UDP 192.0.2.1;tag=z{pieces}"),
                        ] {
                            let value = value.as_bytes();
                            let expected = quoted_header_param(value, b"tag");
                            let shown = String::from_utf8_lossy(value);
                            assert_eq!(header_param(value, b"tag"), expected, "{shown}");
                            assert_eq!(any_param(value, b"tag"), expected, "{shown}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_unclosed_quote_does_not_hide_the_tag() {
        assert_eq!(
            header_param(b"\"Mr J. User <sip:j@example.com>;tag=93334", b"tag").map(text),
            Some("93334".to_owned())
        );
        assert_eq!(
            header_param(b"<sip:a@b;tag=no", b"tag").map(text),
            Some("no".to_owned())
        );
        assert_eq!(header_param(b"<sip:a@b;tag=no>", b"tag"), None);
        assert_eq!(
            header_param(b"SIP/2.0/UDP a, SIP/2.0/UDP b;branch=2", b"branch"),
            None
        );
    }

    #[test]
    fn many_unclosed_quotes_take_linear_time() {
        let mut value = b"\"".to_vec();
        value.extend(b"\\\"".repeat(200_000));
        // Quadratic work would be 10^10 steps here and be noticed.
        assert_eq!(header_param(&value, b"tag"), None);
        assert_eq!(split_header_list(&value).count(), 1);
        assert_eq!(split_header_list(&b"<".repeat(400_000)).count(), 1);
    }
}
