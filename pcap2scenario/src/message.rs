// SPDX-License-Identifier: AGPL-3.0-only
//! One SIP message of the capture, taken apart and owned.
//!
//! Header values are unfolded, because a scenario has one line per header. The body ends where Content-Length says, if
//! that lies inside what was captured.

use core::net::SocketAddr;
use core::time::Duration;
use gossipper_capture::{Carrier, SipMessage};
use gossipper_sip::{HeaderName, Message, StartLine};

/// What the first line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    /// A request.
    Request {
        /// Its method.
        method: String,
        /// Its URI.
        uri: Vec<u8>,
    },
    /// A response.
    Status {
        /// Its code.
        code: u16,
        /// What stands behind the code.
        reason: Vec<u8>,
    },
}

/// A header line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// Which header it is.
    pub(crate) name: HeaderName,
    /// Its name as sent.
    pub(crate) raw: Vec<u8>,
    /// Its value on one line.
    pub(crate) value: Vec<u8>,
}

/// A SIP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Msg {
    /// Number of its first frame; 0 if it was not captured but made up.
    pub(crate) frame: u64,
    /// When it was captured.
    pub(crate) time: Duration,
    /// Who sent it.
    pub(crate) source: SocketAddr,
    /// To whom.
    pub(crate) destination: SocketAddr,
    /// What carried it.
    pub(crate) carrier: Carrier,
    /// Whether its end is missing.
    pub(crate) truncated: bool,
    /// Its first line.
    pub(crate) start: Start,
    /// Its headers, in order.
    pub(crate) headers: Vec<Header>,
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// Its Call-ID.
    pub(crate) call_id: Vec<u8>,
    /// Number of its CSeq.
    pub(crate) cseq: u32,
    /// Method of its CSeq; of a request, its own. Empty in a response that was cut, until it is mended.
    pub(crate) method: String,
    /// Branch of its topmost Via.
    pub(crate) branch: Vec<u8>,
    /// Tag of From.
    pub(crate) from_tag: Vec<u8>,
    /// Tag of To; empty without one.
    pub(crate) to_tag: Vec<u8>,
}

impl Msg {
    /// Reads a message; `None` if it is none, or a response to nobody knows what.
    pub(crate) fn read(captured: &SipMessage) -> Option<Self> {
        let message = Message::parse(&captured.bytes).ok()?;
        // Messages without one are those of one call between two parties, as well as anybody can tell.
        let call_id = message.call_id().unwrap_or_default().to_vec();
        let start = match message.start() {
            StartLine::Request { method, uri } => Start::Request {
                method: String::from_utf8(method.to_vec())
                    .ok()
                    .filter(|method| is_token(method))?,
                uri: uri.to_vec(),
            },
            StartLine::Status { code, reason } => Start::Status {
                code: Some(code.0).filter(|code| (100..700).contains(code))?,
                reason: reason.to_vec(),
            },
        };
        let cseq = message.cseq();
        let named = || {
            let method = cseq.map(|cseq| cseq.method.to_vec()).unwrap_or_default();
            String::from_utf8(method)
                .ok()
                .filter(|method| is_token(method))
        };
        let method = match &start {
            Start::Request { method, .. } => method.clone(),
            // What a cut response answers may be known from elsewhere.
            Start::Status { .. } if captured.truncated => named().unwrap_or_default(),
            Start::Status { .. } => named()?,
        };
        let headers = message.fields().map(|field| Header {
            name: field.name,
            raw: field.raw_name.to_vec(),
            value: unfolded(field.value),
        });
        let owned = |text: Option<&[u8]>| text.unwrap_or_default().to_vec();
        Some(Self {
            frame: captured.frame,
            time: captured.time,
            source: captured.source,
            destination: captured.destination,
            carrier: captured.carrier,
            truncated: captured.truncated,
            headers: headers.collect(),
            body: body(&message),
            cseq: cseq.map_or(0, |cseq| cseq.number),
            branch: owned(message.top_via_branch()),
            from_tag: owned(message.from_tag()),
            to_tag: owned(message.to_tag()),
            call_id,
            start,
            method,
        })
    }

    /// Whether it is a request.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// Its code, if it is a response.
    pub(crate) fn code(&self) -> Option<u16> {
        match self.start {
            Start::Status { code, .. } => Some(code),
            Start::Request { .. } => None,
        }
    }

    /// Whether it is a request of this method.
    pub(crate) fn asks(&self, wanted: &str) -> bool {
        self.is_request() && self.method == wanted
    }

    /// Whether it is a response to this request.
    pub(crate) fn answers(&self, request: &Self) -> bool {
        !self.is_request()
            && request.is_request()
            && self.cseq == request.cseq
            && self.method == request.method
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        headers.find_map(|header| (header.name == name).then_some(&header.value[..]))
    }

    /// The values of all lines of a header.
    pub(crate) fn header_lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let headers = self.headers.iter();
        headers.filter_map(move |header| (header.name == name).then_some(&header.value[..]))
    }

    /// Whether it has such a header.
    pub(crate) fn has(&self, name: HeaderName) -> bool {
        self.header(name).is_some()
    }

    /// Its first line for people: `INVITE` or `200 OK`.
    pub(crate) fn title(&self) -> String {
        match &self.start {
            Start::Request { method, .. } => method.clone(),
            Start::Status { code, reason } => {
                let reason = String::from_utf8_lossy(reason);
                format!("{code} {reason}").trim_end().to_owned()
            }
        }
    }

    /// Whether its body describes a session, or may.
    pub(crate) fn has_sdp(&self) -> bool {
        self.body.starts_with(b"v=0")
            || self.body.len() > 8
                && self
                    .header(HeaderName::ContentType)
                    .is_some_and(|kind| contains_ignoring_case(kind, b"application/sdp"))
    }
}

/// Whether a text may be a method: what RFC 3261 calls a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}

/// Whether a text holds another, case aside.
pub(crate) fn contains_ignoring_case(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len())
        .any(|part| part.eq_ignore_ascii_case(wanted))
}

/// The body as long as the message says, if so much of it is there.
fn body(message: &Message<'_>) -> Vec<u8> {
    let body = message.body().unwrap_or_default();
    let said = message
        .header(HeaderName::ContentLength)
        .and_then(|value| core::str::from_utf8(value).ok())
        .and_then(|value| value.trim().parse::<usize>().ok());
    let length = said.map_or(body.len(), |said| said.min(body.len()));
    body[..length].to_vec()
}

/// A value on one line: each fold becomes a blank.
fn unfolded(value: &[u8]) -> Vec<u8> {
    if !value.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return value.to_vec();
    }
    let pieces = value.split(|byte| matches!(byte, b'\r' | b'\n'));
    let pieces: Vec<&[u8]> = pieces
        .map(<[u8]>::trim_ascii)
        .filter(|piece| !piece.is_empty())
        .collect();
    pieces.join(&b' ')
}
