// SPDX-License-Identifier: AGPL-3.0-only
//! `WWW-Authenticate`, `Proxy-Authenticate` and `Authorization`: their parameters, and which challenge is answered.
//!
//! Read leniently, as SIPp does: parameters may be separated by blanks alone and be in any case. Unlike SIPp, which
//! takes the first parameter of each name wherever it stands, the parameters of one challenge are never mixed with those
//! of another, and an escaped quote does not end a value.
//!
//! Of several challenges the first one that can be answered is taken, as RFC 8760 §2.4 asks: the server lists them in
//! its order of preference.

use crate::digest::{Algorithm, Qop};
use smallvec::SmallVec;

/// Parameters of one challenge or of one set of credentials, as they stand in the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    list: SmallVec<[(&'a [u8], &'a [u8]); 12]>,
}

impl<'a> Fields<'a> {
    /// The parameters behind `Digest` in an `Authorization` header; `None` when it holds none.
    #[must_use]
    pub fn credentials(header: &'a [u8]) -> Option<Self> {
        Schemes { rest: header }
            .find(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Digest"))
            .map(|(_, fields)| fields)
    }

    /// The first value of that name, without quotes; escapes are kept, since hashes cover them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let mut named = self
            .list
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        named.next().map(|(_, value)| *value)
    }
}

/// Splits a header into schemes with their parameters.
struct Schemes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Schemes<'a> {
    type Item = (&'a [u8], Fields<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let scheme = self.token()?;
        let mut fields = Fields::default();
        loop {
            let before = self.rest;
            let Some(name) = self.token() else {
                return Some((scheme, fields));
            };
            self.blanks();
            if let Some(rest) = self.rest.strip_prefix(b"=") {
                self.rest = rest;
                self.blanks();
                fields.list.push((name, self.value()));
                continue;
            }
            // `qop=auth,auth-int` without its quotes.
            let option = [&b"auth"[..], b"auth-int"]
                .iter()
                .any(|option| name.eq_ignore_ascii_case(option));
            if option && fields.get("qop").is_some() {
                continue;
            }
            self.rest = before;
            return Some((scheme, fields));
        }
    }
}

impl<'a> Schemes<'a> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// What stands before the next `=`, comma or blank; commas and blanks in front are skipped.
    fn token(&mut self) -> Option<&'a [u8]> {
        loop {
            let start = self
                .rest
                .iter()
                .position(|b| *b != b',' && !b.is_ascii_whitespace())?;
            let text = &self.rest[start..];
            let end = text
                .iter()
                .position(|b| matches!(b, b'=' | b',') || b.is_ascii_whitespace())
                .unwrap_or(text.len());
            if end == 0 {
                // A `=` without a name; what follows is read as if it were not there.
                self.rest = &text[1..];
                continue;
            }
            self.rest = &text[end..];
            return Some(&text[..end]);
        }
    }

    fn value(&mut self) -> &'a [u8] {
        let rest = self.rest;
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let mut escaped = false;
            for (at, byte) in quoted.iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => {
                        self.rest = &quoted[at + 1..];
                        return &quoted[..at];
                    }
                    _ => {}
                }
            }
            self.rest = b"";
            return quoted;
        }
        let end = rest
            .iter()
            .position(|b| matches!(b, b',' | b'"') || b.is_ascii_whitespace())
            .unwrap_or(rest.len());
        // A quote inside a bare value ends it: the answer puts it between quotes.
        let skipped = usize::from(rest.get(end) == Some(&b'"'));
        self.rest = &rest[end + skipped..];
        &rest[..end]
    }
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeError {
    /// There is none of the scheme `Digest`.
    NotDigest,
    /// No `realm`.
    NoRealm,
    /// No `nonce`.
    NoNonce,
    /// None of the algorithms is known.
    UnknownAlgorithm,
    /// A parameter is longer than [`MAX_VALUE`].
    TooLong,
}

impl std::fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotDigest => "the challenge is not of the scheme Digest",
            Self::NoRealm => "the challenge has no realm",
            Self::NoNonce => "the challenge has no nonce",
            Self::UnknownAlgorithm => "the algorithm of the challenge is not supported",
            Self::TooLong => "a parameter of the challenge is too long",
        })
    }
}

impl std::error::Error for ChallengeError {}

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `realm`, without quotes.
    pub realm: Box<[u8]>,
    /// `nonce`, without quotes.
    pub nonce: Box<[u8]>,
    /// `opaque`, without quotes; empty when there was none.
    pub opaque: Box<[u8]>,
    /// `algorithm`.
    pub algorithm: Algorithm,
    /// `algorithm` as the challenge wrote it, `MD5` when it named none.
    pub algorithm_name: Box<[u8]>,
    /// The quality of protection to answer with.
    pub qop: Qop,
}

/// Longest parameter of a challenge that can be answered; a call holds what a peer sent as long as it lives.
pub const MAX_VALUE: usize = 4096;

impl Challenge {
    /// Chooses among the values of all `WWW-Authenticate` (or `Proxy-Authenticate`) headers of a message.
    ///
    /// # Errors
    /// What is wrong with the first one that came nearest to being answered.
    pub fn choose<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Result<Self, ChallengeError> {
        let mut error = ChallengeError::NotDigest;
        for header in headers {
            for (scheme, fields) in (Schemes { rest: header }) {
                if !scheme.eq_ignore_ascii_case(b"Digest") {
                    continue;
                }
                match Self::new(&fields) {
                    Ok(challenge) => return Ok(challenge),
                    Err(found) if error == ChallengeError::NotDigest => error = found,
                    Err(_) => {}
                }
            }
        }
        Err(error)
    }

    fn new(fields: &Fields<'_>) -> Result<Self, ChallengeError> {
        let realm = fields.get("realm").ok_or(ChallengeError::NoRealm)?;
        let nonce = fields.get("nonce").ok_or(ChallengeError::NoNonce)?;
        let name = fields.get("algorithm").unwrap_or(b"MD5");
        let algorithm = Algorithm::from_name(name).ok_or(ChallengeError::UnknownAlgorithm)?;
        let opaque = fields.get("opaque").unwrap_or_default();
        if [realm, nonce, opaque, name]
            .iter()
            .any(|value| value.len() > MAX_VALUE)
        {
            return Err(ChallengeError::TooLong);
        }
        Ok(Self {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: opaque.into(),
            algorithm,
            algorithm_name: name.into(),
            qop: fields.get("qop").map_or(Qop::Absent, Qop::choose),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hash;

    fn choose(headers: &[&str]) -> Result<Challenge, ChallengeError> {
        Challenge::choose(headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn a_challenge_is_read_whatever_stands_between_its_parameters() {
        for header in [
            r#"Digest realm="a b",nonce="n=1",opaque="o",qop="auth",algorithm=MD5,stale=TRUE"#,
            r#"digest  REALM = "a b" nonce=n=1 , Opaque="o" algorithm="MD5" QOP=auth stale="true""#,
            r#"Digest stale=true, ,,algorithm=MD5, qop=auth, opaque="o",nonce="n=1",realm="a b""#,
        ] {
            let found = choose(&[header]).expect(header);
            assert_eq!(&*found.realm, b"a b", "{header}");
            assert_eq!(&*found.nonce, b"n=1", "{header}");
            assert_eq!(&*found.opaque, b"o", "{header}");
            assert_eq!(&*found.algorithm_name, b"MD5", "{header}");
            assert_eq!(found.qop, Qop::Auth, "{header}");
        }
    }

    #[test]
    fn an_escaped_quote_does_not_end_a_value() {
        let found = choose(&[r#"Digest realm="the \"best\" one", nonce="n""#]).expect("whole");
        assert_eq!(&*found.realm, br#"the \"best\" one"#);
        assert_eq!(&*found.nonce, b"n");
    }

    #[test]
    fn a_parameter_is_not_found_inside_another_one() {
        let found = choose(&[r#"Digest xrealm="no", note="realm=no", realm="r", nonce="n""#]);
        assert_eq!(&*found.expect("whole").realm, b"r");
    }

    #[test]
    fn the_first_challenge_that_can_be_answered_is_taken_whole() {
        let two = [
            r#"Digest realm="one",nonce="1",algorithm=SHA-3,opaque="x""#,
            r#"Basic realm="zero", Digest realm="two",nonce="2",algorithm=SHA-256, Digest realm="three",nonce="3""#,
        ];
        let found = choose(&two).expect("the second can be answered");
        assert_eq!(
            (&*found.realm, &*found.nonce, &*found.opaque),
            (&b"two"[..], &b"2"[..], &b""[..])
        );
        assert_eq!(found.algorithm.hash, Hash::Sha256);
        let found = choose(&two[1..]).expect("several in one header");
        assert_eq!(&*found.realm, b"two");
    }

    #[test]
    fn auth_int_is_preferred_with_and_without_quotes() {
        for (qop, taken) in [
            (r#"qop="auth,auth-int""#, Qop::AuthInt),
            (r#"qop="auth-int""#, Qop::AuthInt),
            (r#"qop=auth,nonce2=x"#, Qop::Auth),
            (r#"qop="other""#, Qop::Absent),
            (r#"x=y"#, Qop::Absent),
        ] {
            let header = format!(r#"Digest realm="r",{qop},nonce="n""#);
            assert_eq!(choose(&[&header]).expect("whole").qop, taken, "{qop}");
        }
        let found = choose(&[r#"Digest realm="r",qop=auth,auth-int,nonce="n""#]).expect("whole");
        assert_eq!(&*found.nonce, b"n");
    }

    #[test]
    fn what_cannot_be_answered_says_why() {
        for (header, error) in [
            ("", ChallengeError::NotDigest),
            ("Basic realm=\"r\"", ChallengeError::NotDigest),
            ("Digest nonce=\"n\"", ChallengeError::NoRealm),
            ("Digest realm=\"r\"", ChallengeError::NoNonce),
            (
                "Digest realm=\"r\",nonce=\"n\",algorithm=SHA-1",
                ChallengeError::UnknownAlgorithm,
            ),
            ("Digest realm=\"r", ChallengeError::NoNonce),
            (
                &format!("Digest realm=r,nonce={}", "n".repeat(MAX_VALUE + 1)),
                ChallengeError::TooLong,
            ),
        ] {
            assert_eq!(choose(&[header]), Err(error), "{header}");
        }
    }
}
