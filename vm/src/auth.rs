// SPDX-License-Identifier: AGPL-3.0-only
//! Authentication of a call: the challenges it keeps, the answer that goes into a message, the check of a received one.
//!
//! The answer needs the finished message (`auth-int` covers the body), so rendering leaves [`PLACEHOLDER`] where the
//! header belongs, and [`Pending::put_in`] replaces it afterwards; lengths are right by then, because the header stands
//! in front of the body. Hashes and the reading of headers are [`gossipper_sip::digest`] and
//! [`gossipper_sip::challenge`].
//!
//! Where SIPp ends the process (no challenge, an unknown algorithm, wrong AKA keys), the call fails with a warning.

use crate::call::Call;
use crate::link::Image;
use crate::rng;
use core::fmt;
use core::net::SocketAddr;
use gossipper_sip::aka::{AkaError, Sim};
use gossipper_sip::challenge::{Challenge, ChallengeError};
use gossipper_sip::digest::Answer;
use gossipper_sip::{HeaderName, Message};
use memchr::memmem;

/// What stands in a message in place of the answer until that is known. It is no white space, so that an empty line is
/// found where it will be.
pub(crate) const PLACEHOLDER: &[u8] = b"A";

/// Which header an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Header {
    /// `Authorization`
    Own,
    /// `Proxy-Authorization`
    Proxy,
}

/// A challenge that was received.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    header: Header,
    challenge: Result<Challenge, ChallengeError>,
    /// How often its nonce has been used.
    count: u32,
    /// Whether it came with the last message that brought one.
    current: bool,
}

/// A 401 or 407 without a challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoChallenge;

/// Keeps the challenges of a 401 or 407 in place of those before; any other message changes nothing.
///
/// `stale` needs no more than that (RFC 7616 §3.3): a new nonce with a count of its own, and the same user and password.
///
/// A message with both headers gets an answer for each. One with a single header gets the answer that belongs to its
/// status code, whichever header it is, as in SIPp.
pub(crate) fn store(call: &mut Call, msg: &Message<'_>) -> Result<(), NoChallenge> {
    let by_code = match msg.status().map(|code| code.0) {
        Some(401) => Header::Own,
        Some(407) => Header::Proxy,
        _ => return Ok(()),
    };
    let own = msg.has(HeaderName::WwwAuthenticate);
    let proxy = msg.has(HeaderName::ProxyAuthenticate);
    let found: &[(HeaderName, Header)] = match (proxy, own) {
        (false, false) => return Err(NoChallenge),
        (true, false) => &[(HeaderName::ProxyAuthenticate, by_code)],
        (false, true) => &[(HeaderName::WwwAuthenticate, by_code)],
        (true, true) => &[
            (HeaderName::ProxyAuthenticate, Header::Proxy),
            (HeaderName::WwwAuthenticate, Header::Own),
        ],
    };
    let stored = &mut call.cold_mut().challenges;
    for before in stored.iter_mut() {
        before.current = false;
    }
    for (name, header) in found {
        stored.retain(|before| before.header != *header);
        stored.push(Stored {
            header: *header,
            challenge: Challenge::choose(msg.values(*name)),
            count: 0,
            current: true,
        });
    }
    Ok(())
}

/// The parameters of an `[authentication]`, rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) username: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) aka_k: Option<Vec<u8>>,
    pub(crate) aka_op: Option<Vec<u8>>,
    pub(crate) aka_amf: Option<Vec<u8>>,
    pub(crate) all: bool,
}

impl Given {
    /// Reads the parameters of a keyword that stands in a field of an injection file: `name="…"` with a backslash
    /// escaping the next character, `name=0x41…` for raw bytes, or a bare word. `expand` prints the keywords in a value.
    pub(crate) fn parse(text: &[u8], mut expand: impl FnMut(&[u8]) -> Vec<u8>) -> Self {
        let mut given = Self::default();
        let mut rest = text;
        while let Some(equals) = memchr::memchr(b'=', rest) {
            let name = &rest[..equals];
            let start = name
                .iter()
                .rposition(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))
                .map_or(0, |at| at + 1);
            let (value, after) = value(&rest[equals + 1..]);
            rest = after;
            let place = match &name[start..] {
                b"username" => &mut given.username,
                b"password" => &mut given.password,
                b"aka_K" => &mut given.aka_k,
                b"aka_OP" => &mut given.aka_op,
                b"aka_AMF" => &mut given.aka_amf,
                b"all" => {
                    given.all = value.bytes() == b"true";
                    continue;
                }
                _ => continue,
            };
            if place.is_none() {
                *place = Some(match value {
                    Worth::Text(text) => expand(&text),
                    Worth::Bytes(bytes) => bytes,
                });
            }
        }
        given
    }

    fn sim(&self, password: &[u8]) -> Sim {
        // COMPAT(sipp): without a key the password is one; what is too short is filled up with zeros.
        Sim {
            k: padded(self.aka_k.as_deref().unwrap_or(password)),
            op: padded(self.aka_op.as_deref().unwrap_or_default()),
            amf: self.aka_amf.as_deref().map(padded),
        }
    }
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// The value of a parameter.
enum Worth {
    /// As it was written.
    Text(Vec<u8>),
    /// Spelled in hexadecimal digits.
    Bytes(Vec<u8>),
}

impl Worth {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(bytes) | Self::Bytes(bytes) => bytes,
        }
    }
}

/// The parameter of that name, keywords in it not printed.
pub(crate) fn parameter(text: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let found = rest[..equals].trim_ascii() == name;
        let (value, after) = value(&rest[equals + 1..]);
        if found {
            return Some(value.bytes());
        }
        rest = after;
    }
    None
}

/// The value at the beginning of a text, and what follows it.
fn value(text: &[u8]) -> (Worth, &[u8]) {
    let mut out = Vec::new();
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let mut bytes = quoted.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => return (Worth::Text(out), &quoted[at + 1..]),
                b'\\' => out.extend(bytes.next().map(|(_, escaped)| *escaped)),
                other => out.push(*other),
            }
        }
        return (Worth::Text(out), b"");
    }
    let mut depth = 0_u32;
    let end = text
        .iter()
        .position(|byte| match byte {
            b'[' => {
                depth += 1;
                false
            }
            b']' if depth > 0 => {
                depth -= 1;
                false
            }
            byte => depth == 0 && (!(0x21..=0x7e).contains(byte) || *byte == b']'),
        })
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word.strip_prefix(b"0x") {
        Some(digits) if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) => {
            let digit = |byte: &u8| (*byte as char).to_digit(16).unwrap_or(0) as u8;
            let bytes = digits
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |value, byte| value << 4 | digit(byte)));
            (Worth::Bytes(bytes.collect()), rest)
        }
        _ => (Worth::Text(word.to_vec()), rest),
    }
}

/// Why a message cannot be authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    /// No challenge was kept.
    NoChallenge,
    /// The one that was kept cannot be answered.
    Challenge(ChallengeError),
    /// It cannot be answered with these keys.
    Aka(AkaError),
    /// The keyword stands in the body.
    InBody,
    /// There are two of it.
    Twice,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChallenge => {
                f.write_str("no `recv` with auth=\"true\" has received a 401 or 407 before")
            }
            Self::Challenge(error) => error.fmt(f),
            Self::Aka(error) => error.fmt(f),
            Self::InBody => f.write_str("the keyword stands behind the headers"),
            Self::Twice => f.write_str("the message has more than one of it"),
        }
    }
}

/// An answer that a message is waiting for.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Where its placeholder stands, from the beginning of the message.
    pub(crate) at: usize,
    /// Its parameters.
    pub(crate) given: Given,
    /// There was another one before.
    pub(crate) twice: bool,
}

impl Pending {
    /// Puts the answer into the message that begins at `start`.
    pub(crate) fn put_in(
        self,
        image: &Image,
        call: &mut Call,
        method: &[u8],
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        if self.twice {
            return Err(Problem::Twice);
        }
        let message = &out[start..];
        let body = match memmem::find(message, b"\r\n\r\n") {
            Some(end) if end < self.at => return Err(Problem::InBody),
            Some(end) => &message[end + 4..],
            None => b"",
        };
        let headers = self.headers(image, call, method, body)?;
        let at = start + self.at;
        out.splice(at..at + PLACEHOLDER.len(), headers);
        Ok(())
    }

    fn headers(
        &self,
        image: &Image,
        call: &mut Call,
        method: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, Problem> {
        let params = &image.params;
        let username = match &self.given.username {
            Some(username) => username,
            None => params.auth_username.as_ref().unwrap_or(&params.service),
        };
        let password = self.given.password.as_ref();
        let password = password.unwrap_or(&params.auth_password);
        let sim = self.given.sim(password);
        let by_peer;
        let uri = match &image.digest_uri {
            Some(uri) => uri,
            None => {
                by_peer = digest_uri(call.peer());
                &by_peer
            }
        };
        let Some(cold) = call.cold.as_deref_mut() else {
            return Err(Problem::NoChallenge);
        };
        let mut out = Vec::new();
        for stored in &mut cold.challenges {
            if !stored.current && !self.given.all {
                continue;
            }
            if !out.is_empty() {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(match stored.header {
                Header::Own => b"Authorization: ",
                Header::Proxy => b"Proxy-Authorization: ",
            });
            let challenge = stored.challenge.as_ref();
            let challenge = challenge.map_err(|error| Problem::Challenge(*error))?;
            stored.count = stored.count.saturating_add(1);
            let cnonce = format!("{:x}", rng::draw(&mut call.rng, |rng| rng.u32(..)));
            let answer = Answer {
                username,
                password,
                sim: &sim,
                method,
                uri,
                body,
                cnonce: cnonce.as_bytes(),
                count: stored.count,
            };
            answer.append(challenge, &mut out).map_err(Problem::Aka)?;
        }
        if out.is_empty() {
            return Err(Problem::NoChallenge);
        }
        Ok(out)
    }
}

/// The URI of an answer: by default the peer's address, whatever the request's URI is.
// COMPAT(sipp): it is not the request's URI, and an IPv6 address has no brackets; `-auth_uri` replaces it.
pub(crate) fn digest_uri(peer: SocketAddr) -> Vec<u8> {
    format!("sip:{}:{}", peer.ip(), peer.port()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_field_have_the_three_forms() {
        let given = Given::parse(
            br#" username="jo\"e ]" password=p=x aka_OP=0xCDc202 aka_AMF=0xb9b9 aka_K=0xzz all=true"#,
            <[u8]>::to_vec,
        );
        assert_eq!(
            given,
            Given {
                username: Some(b"jo\"e ]".to_vec()),
                password: Some(b"p=x".to_vec()),
                aka_k: Some(b"0xzz".to_vec()),
                aka_op: Some(vec![0xcd, 0xc2, 0x02]),
                aka_amf: Some(vec![0xb9, 0xb9]),
                all: true,
            }
        );
        assert_eq!(Given::parse(b"", <[u8]>::to_vec), Given::default());
        assert_eq!(
            Given::parse(b" other=x = \"", <[u8]>::to_vec).username,
            None
        );
    }

    #[test]
    fn keys_are_cut_and_filled_up() {
        let sim = Given::default().sim(b"a password that is longer than a key");
        assert_eq!(&sim.k, b"a password that ");
        assert_eq!((sim.op, sim.amf), ([0; 16], None));
        let given = Given::parse(b" aka_K=k aka_AMF=0xb9", <[u8]>::to_vec);
        assert_eq!(given.sim(b"").k[..2], [b'k', 0]);
        assert_eq!(given.sim(b"").amf, Some([0xb9, 0]));
    }

    #[test]
    fn the_uri_of_an_ipv6_peer_has_no_brackets() {
        let peer = "[2001:db8::1]:5070".parse().expect("an address");
        assert_eq!(digest_uri(peer), b"sip:2001:db8::1:5070");
    }
}
