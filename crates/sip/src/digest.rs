// SPDX-License-Identifier: AGPL-3.0-only
//! Digest authentication: the answer to a challenge, and whether an answer is right.
//!
//! Reading challenges is [`crate::challenge`], keys of a SIM are [`crate::aka`]. Nothing here remembers anything: the
//! nonce count and the client's nonce come from the caller.
//!
//! Rules: RFC 2617 and RFC 7616 §3.4 (hashes, `qop`, `-sess`), RFC 8760 (SHA-2 in SIP), RFC 3310 and RFC 4169 (AKA).
//! The order of the fields and the blanks between them are SIPp's.

use crate::aka::{self, AkaError, Sim};
use crate::challenge::{Challenge, Fields};
use md5::Md5;
use sha2::{Sha256, Sha512_256};
use smallvec::SmallVec;

/// Lower-case hexadecimal digits of a hash.
pub type Hex = SmallVec<[u8; 64]>;

/// A hash function of digest authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// MD5 (RFC 2617).
    Md5,
    /// SHA-256 (RFC 7616).
    Sha256,
    /// SHA-512/256 (RFC 7616).
    Sha512_256,
}

impl Hash {
    /// The hash of the parts, joined with colons, in hexadecimal digits.
    #[must_use]
    pub fn hex(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Md5 => hex(&joined::<Md5>(parts)),
            Self::Sha256 => hex(&joined::<Sha256>(parts)),
            Self::Sha512_256 => hex(&joined::<Sha512_256>(parts)),
        }
    }
}

fn joined<D: sha2::digest::Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut hash = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    hash.finalize()
}

fn hex(bytes: &[u8]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| DIGITS[usize::from(digit)])
        .collect()
}

/// Which version of AKA turns the keys of a SIM into the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AkaVersion {
    /// RFC 3310: the password is RES.
    V1,
    /// RFC 4169: the password is made of RES, IK and CK.
    V2,
}

/// What the `algorithm` parameter of a challenge asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// `-sess`: the first hash covers both nonces too.
    pub session: bool,
    /// The password comes from a SIM.
    pub aka: Option<AkaVersion>,
}

impl Algorithm {
    /// What a challenge without `algorithm` asks for.
    pub const DEFAULT: Self = Self::plain(Hash::Md5);

    const fn plain(hash: Hash) -> Self {
        Self {
            hash,
            session: false,
            aka: None,
        }
    }

    const fn session(hash: Hash) -> Self {
        Self {
            hash,
            session: true,
            aka: None,
        }
    }

    const fn sim(hash: Hash, version: AkaVersion) -> Self {
        Self {
            hash,
            session: false,
            aka: Some(version),
        }
    }

    /// Recognises a name without regard to case; `None` for one that is not supported.
    // COMPAT(sipp): SIPp looks at the beginning of the name only; names that merely begin like one it knows mean that
    // one here too.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        const EXACT: &[(&str, Algorithm)] = &[
            ("MD5-sess", Algorithm::session(Hash::Md5)),
            ("SHA-256-sess", Algorithm::session(Hash::Sha256)),
            ("SHA-512-256", Algorithm::plain(Hash::Sha512_256)),
            ("SHA-512-256-sess", Algorithm::session(Hash::Sha512_256)),
            ("AKAv2-MD5", Algorithm::sim(Hash::Md5, AkaVersion::V2)),
            (
                "AKAv2-SHA-256",
                Algorithm::sim(Hash::Sha256, AkaVersion::V2),
            ),
        ];
        const BEGINNING: &[(&str, Algorithm)] = &[
            ("MD5", Algorithm::plain(Hash::Md5)),
            ("SHA-256", Algorithm::plain(Hash::Sha256)),
            ("AKAv1-MD5", Algorithm::sim(Hash::Md5, AkaVersion::V1)),
        ];
        let exact = EXACT
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        let found = exact.or_else(|| {
            let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
            BEGINNING.iter().filter(|_| plain).find(|(known, _)| {
                name.get(..known.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
            })
        });
        found.map(|(_, algorithm)| *algorithm)
    }
}

/// Quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// None was offered (RFC 2069).
    Absent,
    /// `auth`
    Auth,
    /// `auth-int`: the hash covers the body.
    AuthInt,
}

impl Qop {
    /// What is taken of an offered list.
    // COMPAT(sipp): `auth-int` is taken where it is offered at all, and a list without either is none.
    #[must_use]
    pub fn choose(offered: &[u8]) -> Self {
        if memchr::memmem::find(offered, b"auth-int").is_some() {
            Self::AuthInt
        } else if memchr::memmem::find(offered, b"auth").is_some() {
            Self::Auth
        } else {
            Self::Absent
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// What an answer is made of besides the challenge.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The user.
    pub username: &'a [u8],
    /// The password; not looked at for AKA.
    pub password: &'a [u8],
    /// The SIM, for AKA.
    pub sim: &'a Sim,
    /// Method of the request.
    pub method: &'a [u8],
    /// The URI that goes into header and hash.
    pub uri: &'a [u8],
    /// Body of the request.
    pub body: &'a [u8],
    /// The client's nonce.
    pub cnonce: &'a [u8],
    /// How often the nonce has been used, this time included.
    pub count: u32,
}

impl Answer<'_> {
    /// Appends the value of the header: `Digest username="…",…`.
    ///
    /// # Errors
    /// The challenge is for a SIM and cannot come from the owner of its keys; see [`AkaError`].
    pub fn append(&self, challenge: &Challenge, out: &mut Vec<u8>) -> Result<(), AkaError> {
        let algorithm = challenge.algorithm;
        let password = match algorithm.aka {
            None => None,
            Some(version) => Some(aka::password(
                version,
                algorithm.hash,
                &challenge.nonce,
                self.sim,
            )?),
        };
        let count = format!("{:08x}", self.count);
        let response = response(&Formula {
            algorithm,
            username: self.username,
            realm: &challenge.realm,
            password: password.as_deref().unwrap_or(self.password),
            method: self.method,
            uri: self.uri,
            nonce: &challenge.nonce,
            cnonce: self.cnonce,
            protection: match challenge.qop {
                Qop::Absent => None,
                Qop::Auth | Qop::AuthInt => {
                    Some((count.as_bytes(), challenge.qop.as_str().as_bytes()))
                }
            },
            body: (challenge.qop == Qop::AuthInt).then_some(self.body),
        });
        let mut field = |parts: &[&[u8]]| {
            for part in parts {
                out.extend_from_slice(part);
            }
        };
        field(&[b"Digest username=\"", self.username]);
        field(&[b"\",realm=\"", &challenge.realm, b"\""]);
        if challenge.qop != Qop::Absent {
            field(&[b",cnonce=\"", self.cnonce, b"\",nc=", count.as_bytes()]);
            field(&[b",qop=", challenge.qop.as_str().as_bytes()]);
        } else if algorithm.session {
            // The hash covers it, so the server has to know it.
            field(&[b",cnonce=\"", self.cnonce, b"\""]);
        }
        field(&[b",uri=\"", self.uri, b"\",nonce=\"", &challenge.nonce]);
        field(&[b"\",response=\"", &response, b"\""]);
        field(&[b",algorithm=", &challenge.algorithm_name]);
        if !challenge.opaque.is_empty() {
            field(&[b",opaque=\"", &challenge.opaque, b"\""]);
        }
        Ok(())
    }
}

/// What the response is computed from.
struct Formula<'a> {
    algorithm: Algorithm,
    username: &'a [u8],
    realm: &'a [u8],
    password: &'a [u8],
    method: &'a [u8],
    uri: &'a [u8],
    nonce: &'a [u8],
    cnonce: &'a [u8],
    /// Nonce count and qop; `None` for the form of RFC 2069.
    protection: Option<(&'a [u8], &'a [u8])>,
    /// The body, if it is covered.
    body: Option<&'a [u8]>,
}

fn response(f: &Formula<'_>) -> Hex {
    let hash = f.algorithm.hash;
    let mut first = hash.hex(&[f.username, f.realm, f.password]);
    if f.algorithm.session {
        first = hash.hex(&[&first, f.nonce, f.cnonce]);
    }
    let second = match f.body {
        None => hash.hex(&[f.method, f.uri]),
        Some(body) => hash.hex(&[f.method, f.uri, &hash.hex(&[body])]),
    };
    match f.protection {
        None => hash.hex(&[&first, f.nonce, &second]),
        Some((count, qop)) => hash.hex(&[&first, f.nonce, count, f.cnonce, qop, &second]),
    }
}

/// What an `Authorization` header is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The response is that of the user and the password.
    Right,
    /// It is another one.
    Wrong,
    /// The header holds no digest.
    NotDigest,
    /// The algorithm is not supported here: unknown, or one that needs the keys of a SIM.
    Unsupported,
}

/// Computes the response anew from what the header itself says.
///
/// The header's `username` is not compared: the hash covers the given one. Neither is its nonce; whether that is fresh
/// is the scenario's business.
#[must_use]
pub fn verify(
    header: &[u8],
    method: &[u8],
    body: &[u8],
    username: &[u8],
    password: &[u8],
) -> Verdict {
    let Some(fields) = Fields::credentials(header) else {
        return Verdict::NotDigest;
    };
    let named = fields.get("algorithm");
    let algorithm = match named {
        None => Some(Algorithm::DEFAULT),
        Some(name) => Algorithm::from_name(name),
    };
    let Some(algorithm) = algorithm.filter(|algorithm| algorithm.aka.is_none()) else {
        return Verdict::Unsupported;
    };
    let get = |name| fields.get(name).unwrap_or_default();
    let qop = fields.get("qop");
    // COMPAT(sipp): a client's nonce means the newer formula even without `qop`. `-sess` is the exception: its client
    // nonce may be there for the first hash alone.
    let newer = qop.is_some() || (fields.get("cnonce").is_some() && !algorithm.session);
    let covers_body = qop.is_some_and(|qop| qop.eq_ignore_ascii_case(b"auth-int"));
    let computed = response(&Formula {
        algorithm,
        username,
        realm: get("realm"),
        password,
        method,
        uri: get("uri"),
        nonce: get("nonce"),
        cnonce: get("cnonce"),
        protection: newer.then(|| (get("nc"), qop.unwrap_or_default())),
        body: covers_body.then_some(body),
    });
    if computed[..] == *get("response") {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

#[cfg(test)]
mod tests;
