// SPDX-License-Identifier: AGPL-3.0-only
//! Captured bytes as the text of a `<send>`: what must not be read as something else is written `\xHH`.
//!
//! In the text of a message `[` begins a keyword, blanks at both ends of a line are dropped, a line end is CRLF, and the
//! file is ASCII here. Everything else stands for itself, so that a scenario can be read and changed by hand.

use core::fmt::Write as _;
use core::net::IpAddr;

/// In front of each line of a message.
pub(crate) const INDENT: &str = "      ";

/// Texts that are replaced by keywords, the longer ones first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules(Vec<(Vec<u8>, String)>);

impl Rules {
    /// Replaces an address and port by keywords, and the address alone.
    pub(crate) fn endpoint(&mut self, ip: IpAddr, port: u16, with_port: &str, alone: &str) {
        for host in forms(ip) {
            self.add(format!("{host}:{port}").into_bytes(), with_port);
            self.add(host.into_bytes(), alone);
        }
    }

    /// Replaces an address by a keyword that has no brackets.
    pub(crate) fn address(&mut self, ip: IpAddr, keyword: &str) {
        self.add(ip.to_string().into_bytes(), keyword);
    }

    fn add(&mut self, from: Vec<u8>, to: &str) {
        if self.0.iter().any(|(known, _)| *known == from) {
            return;
        }
        self.0.push((from, to.to_owned()));
        self.0
            .sort_by_key(|(text, _)| core::cmp::Reverse(text.len()));
    }

    /// What a text begins with at a place, if it stands there as a whole.
    fn find(&self, text: &[u8], at: usize) -> Option<(usize, &str)> {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        self.0.iter().find_map(|(from, to)| {
            let rest = text.get(at..)?.strip_prefix(&from[..])?;
            // Part of a longer number or address is another address.
            let bounded = |byte: Option<&u8>, next: Option<&u8>| match byte {
                None => true,
                Some(b'.') => next.is_none_or(|next| !next.is_ascii_alphanumeric()),
                Some(b':') => from.contains(&b'.') || from.starts_with(b"["),
                Some(byte) => !byte.is_ascii_alphanumeric() && *byte != b'-',
            };
            let second = at.checked_sub(2).and_then(|at| text.get(at));
            let inside = bounded(before, second) && bounded(rest.first(), rest.get(1));
            inside.then_some((from.len(), to.as_str()))
        })
    }
}

/// How an address may be written in a URI.
fn forms(ip: IpAddr) -> Vec<String> {
    match ip {
        IpAddr::V4(ip) => vec![ip.to_string()],
        IpAddr::V6(ip) => {
            let groups: Vec<String> = ip
                .segments()
                .iter()
                .map(|part| format!("{part:x}"))
                .collect();
            let mut forms = vec![format!("[{ip}]"), format!("[{}]", groups.join(":"))];
            forms.dedup();
            forms
        }
    }
}

/// Appends captured bytes as text, with addresses replaced.
pub(crate) fn append(out: &mut String, bytes: &[u8], rules: &Rules) {
    let mut at = 0;
    while at < bytes.len() {
        if let Some((length, keyword)) = rules.find(bytes, at) {
            out.push_str(keyword);
            at += length;
            continue;
        }
        append_byte(out, bytes[at]);
        at += 1;
    }
}

/// Appends captured bytes as they are.
pub(crate) fn append_plain(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        append_byte(out, *byte);
    }
}

fn append_byte(out: &mut String, byte: u8) {
    let escaped = match byte {
        b'[' => true,
        // What follows may be an `x`, and then it would be an escape.
        b'\\' => true,
        b'>' => out.ends_with("]]"),
        b' ' => false,
        _ => !byte.is_ascii_graphic(),
    };
    if escaped {
        let _ = write!(out, "\\x{byte:02x}");
    } else {
        out.push(char::from(byte));
    }
}

/// A line of a message: the text, with blanks at its ends kept.
pub(crate) fn line(text: &str) -> String {
    let inner = text.trim_matches(' ');
    if inner.len() == text.len() {
        return text.to_owned();
    }
    let front = text.len() - text.trim_start_matches(' ').len();
    if inner.is_empty() {
        return "\\x20".repeat(front);
    }
    let back = text.len() - text.trim_end_matches(' ').len();
    format!("{}{inner}{}", "\\x20".repeat(front), "\\x20".repeat(back))
}

/// A text for an XML comment: printable ASCII without two dashes in a row.
pub(crate) fn comment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        let char = if char == ' ' || char.is_ascii_graphic() {
            char
        } else {
            '?'
        };
        if char == '-' && out.ends_with('-') {
            out.push(' ');
        }
        out.push(char);
    }
    if out.ends_with('-') {
        out.push(' ');
    }
    out
}

/// A text for an attribute.
pub(crate) fn attribute(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let mut rules = Rules::default();
        let ip = "10.0.0.1".parse().expect("an address");
        rules.endpoint(ip, 5060, "[local_ip]:[local_port]", "[local_ip]");
        let ip = "2001:db8::1".parse().expect("an address");
        rules.endpoint(ip, 5060, "[remote_ip]:[remote_port]", "[remote_ip]");
        rules
    }

    fn text(bytes: &[u8]) -> String {
        let mut out = String::new();
        append(&mut out, bytes, &rules());
        out
    }

    #[test]
    fn addresses_become_keywords_where_they_stand_whole() {
        assert_eq!(
            text(b"<sip:a@10.0.0.1:5060;x>, <sip:10.0.0.1>"),
            "<sip:a@[local_ip]:[local_port];x>, <sip:[local_ip]>"
        );
        assert_eq!(text(b"sip:10.0.0.1:50600"), "sip:[local_ip]:50600");
        assert_eq!(
            text(b"110.0.0.1 10.0.0.12 10.0.0.1.5"),
            "110.0.0.1 10.0.0.12 10.0.0.1.5"
        );
        assert_eq!(text(b"call 10.0.0.1."), "call [local_ip].");
        assert_eq!(
            text(b"sip:[2001:db8::1]:5060 sip:[2001:db8:0:0:0:0:0:1]"),
            "sip:[remote_ip]:[remote_port] sip:[remote_ip]"
        );
    }

    #[test]
    fn what_the_language_would_read_is_escaped() {
        assert_eq!(
            text(b"a[b]]>c\\x41\x00\xff"),
            "a\\x5bb]]\\x3ec\\x5cx41\\x00\\xff"
        );
        assert_eq!(line(" a b "), "\\x20a b\\x20");
        assert_eq!(line("  "), "\\x20\\x20");
        assert_eq!(comment("a--b\u{e9}-"), "a- -b?- ");
    }
}
