// SPDX-License-Identifier: AGPL-3.0-only
//! Methods and status codes, each kept once with the first reason phrase that came with it.

use crate::logs::headers;

/// Names that are kept; what comes then is called [`OTHER`].
const MOST_NAMES: usize = 96;

/// Characters of a name.
const MOST_TEXT: usize = 32;

/// What is called nothing else.
pub(super) const OTHER: Name = Name(0);

/// A command of a twin.
pub(super) const COMMAND: Name = Name(1);

/// What a message is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name(u8);

/// A name, and the status code that it is of.
#[derive(Debug)]
struct Known {
    code: u16,
    text: Box<str>,
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Vec<Known>,
}

impl Names {
    /// What to call a message.
    pub(super) fn of(&mut self, message: &[u8]) -> Name {
        let line = headers::start_line(message);
        let Some(status) = line.strip_prefix(b"SIP/2.0 ") else {
            let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            if method.is_empty() || !line.ends_with(b"SIP/2.0") {
                return OTHER;
            }
            let method = &method[..method.len().min(MOST_TEXT)];
            return self.known_or(|known| known.text.as_bytes() == method, 0, method);
        };
        let code = status.get(..3).and_then(|code| str::from_utf8(code).ok());
        match code.and_then(|code| code.parse::<u16>().ok()) {
            Some(code) => self.known_or(|known| known.code == code, code, status),
            None => OTHER,
        }
    }

    /// The name of this kind; it is given if there is none.
    fn known_or(&mut self, is: impl Fn(&Known) -> bool, code: u16, text: &[u8]) -> Name {
        let known = self.known.iter().position(is);
        let place = known.or_else(|| {
            (self.known.len() < MOST_NAMES).then(|| {
                let text = plain(text, MOST_TEXT).into();
                self.known.push(Known { code, text });
                self.known.len() - 1
            })
        });
        place
            .and_then(|place| u8::try_from(place + 2).ok())
            .map_or(OTHER, Name)
    }

    /// A name in words.
    pub(super) fn text(&self, name: Name) -> &str {
        match name {
            OTHER => "other",
            COMMAND => "command",
            Name(place) => self
                .known
                .get(usize::from(place) - 2)
                .map_or("other", |known| &known.text),
        }
    }
}

/// What a peer has written, in signs that nothing acts on.
pub(super) fn plain(text: &[u8], most: usize) -> String {
    let signs = text.iter().take(most);
    signs
        .map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '?',
        })
        .collect()
}
