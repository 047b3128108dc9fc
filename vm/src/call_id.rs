// SPDX-License-Identifier: AGPL-3.0-only
//! Call-IDs of generated calls (`-cid_str`, `-cid_type`).
//!
//! What is the same for the whole run is folded into literals when the image is linked, so that opening a call neither
//! formats an address nor allocates.

use crate::call::Call;
use crate::input::Micros;
use crate::params::{CallIdPart, RunParams};
use crate::{render, rng};

/// A piece of a Call-ID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    CallNumber,
    Random,
    Uuid {
        dashes: bool,
    },
    Hex,
    /// When the call began, in run time from then on.
    Time {
        epoch_us: u64,
    },
}

impl Piece {
    /// Whether it draws from the call's stream.
    pub(crate) const fn draws(&self) -> bool {
        matches!(self, Self::Random | Self::Uuid { .. } | Self::Hex)
    }
}

/// The format of a run, with everything filled in that does not depend on the call.
pub(crate) fn fold(params: &RunParams) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    for part in &params.call_id.parts {
        let piece = match part {
            CallIdPart::Literal(text) => {
                literal.extend_from_slice(text);
                continue;
            }
            CallIdPart::Pid => {
                render::number(i64::from(params.pid), &mut literal);
                continue;
            }
            CallIdPart::LocalIp => {
                literal.extend_from_slice(params.local_ip.to_string().as_bytes());
                continue;
            }
            CallIdPart::Number => Piece::CallNumber,
            CallIdPart::Random => Piece::Random,
            CallIdPart::Uuid { dashes } => Piece::Uuid { dashes: *dashes },
            CallIdPart::Hex => Piece::Hex,
            CallIdPart::Time => Piece::Time {
                epoch_us: params.epoch_us,
            },
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(core::mem::take(&mut literal)));
        }
        pieces.push(piece);
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// Gives a call its Call-ID.
pub(crate) fn write(pieces: &[Piece], call: &mut Call, scratch: &mut Vec<u8>) {
    scratch.clear();
    append(pieces, call, scratch);
}

/// Gives the dialog in front a Call-ID of its own: its name, the how manieth of the call it is, and what the call's
/// would be.
pub(crate) fn write_dialog(
    pieces: &[Piece],
    name: &[u8],
    number: u32,
    call: &mut Call,
    scratch: &mut Vec<u8>,
) {
    scratch.clear();
    // A name may hold what no Call-ID may (RFC 3261 §25.1 word).
    scratch.extend(name.iter().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' => *byte,
        _ => b'_',
    }));
    scratch.push(b'-');
    render::number(i64::from(number), scratch);
    scratch.push(b'-');
    append(pieces, call, scratch);
}

fn append(pieces: &[Piece], call: &mut Call, scratch: &mut Vec<u8>) {
    print(
        pieces,
        call.number,
        call.created.get(),
        &mut call.rng,
        scratch,
    );
    call.call_id.set(scratch);
}

/// Prints the Call-ID of the call of that number, whose stream is where it is when a call gets its Call-ID.
pub(crate) fn print(
    pieces: &[Piece],
    number: u64,
    begun: Micros,
    stream: &mut u64,
    out: &mut Vec<u8>,
) {
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text),
            Piece::CallNumber => render::number(number as i64, out),
            Piece::Random => {
                let random = rng::draw(stream, |rng| rng.u32(..));
                render::number(i64::from(random), out);
            }
            Piece::Uuid { dashes } => {
                // Version 4, variant 10 (RFC 9562 §5.4).
                let bits = random_bits(stream);
                let bits = (bits & !(0xf << 76)) | (0x4 << 76);
                let bits = (bits & !(0x3 << 62)) | (0x2 << 62);
                hex(bits, *dashes, out);
            }
            Piece::Hex => hex(random_bits(stream), false, out),
            Piece::Time { epoch_us } => {
                // No clock gets as far as the sign.
                render::number(epoch_us.wrapping_add(begun.0) as i64, out);
            }
        }
    }
}

fn random_bits(stream: &mut u64) -> u128 {
    rng::draw(stream, |rng| rng.u128(..))
}

/// Appends 32 hexadecimal digits, in groups of 8, 4, 4, 4 and 12 if asked for.
fn hex(bits: u128, dashes: bool, out: &mut Vec<u8>) {
    for at in 0..32_u32 {
        if dashes && matches!(at, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        let digit = (bits >> (124 - 4 * at)) as usize & 0xf;
        out.push(b"0123456789abcdef"[digit]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::CallIdFormat;

    fn params(format: &str) -> RunParams {
        RunParams {
            call_id: CallIdFormat::parse(format),
            pid: 77,
            local_ip: "192.0.2.1".parse().expect("an address"),
            ..RunParams::default()
        }
    }

    #[test]
    fn what_does_not_depend_on_the_call_is_one_literal() {
        let literal = |text: &[u8]| Piece::Literal(text.to_vec());
        assert_eq!(
            fold(&params("x%u-%p@%s")),
            [literal(b"x"), Piece::CallNumber, literal(b"-77@192.0.2.1")]
        );
    }

    fn of_type(name: &str) -> Vec<Piece> {
        fold(&RunParams {
            call_id: CallIdFormat::of_type(name).expect("a type"),
            pid: 77,
            local_ip: "192.0.2.1".parse().expect("an address"),
            epoch_us: 1_000_000,
            ..RunParams::default()
        })
    }

    fn printed(name: &str) -> String {
        let mut out = Vec::new();
        print(&of_type(name), 12, Micros(34), &mut 9, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_uuid_has_its_version_and_its_variant() {
        for seed in 0..64 {
            let mut out = Vec::new();
            print(&of_type("uuid"), 1, Micros(0), &mut { seed }, &mut out);
            let text = String::from_utf8(out).expect("text");
            let uuid = text.strip_suffix("@192.0.2.1").expect("the address");
            let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
    }

    #[test]
    fn types_have_their_forms_and_other_names() {
        let (uuid, compact) = (printed("uuid"), printed("uuid-compact"));
        assert_eq!(uuid.replace('-', ""), compact, "the same draw");
        for other in ["uuidcompact", "uuid32"] {
            assert_eq!(printed(other), compact);
        }
        let random = printed("random");
        let digits = random
            .strip_prefix("12-")
            .and_then(|rest| rest.strip_suffix("@192.0.2.1"))
            .expect("number and address");
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(printed("random-hex"), random);
        assert_eq!(printed("timestamp"), "1000034-12-77@192.0.2.1");
        assert_eq!(printed("time"), printed("timestamp"));
        assert_eq!(CallIdFormat::of_type("guid"), None);
    }

    #[test]
    fn a_call_id_is_written_by_its_format() {
        let mut call = crate::testing::call();
        let mut scratch = b"old".to_vec();
        call.number = 12;
        write(&fold(&params("%u-%p@%s")), &mut call, &mut scratch);
        assert_eq!(call.call_id[..], b"12-77@192.0.2.1"[..]);
        let first = call.rng;
        write(&fold(&params("%u.%r")), &mut call, &mut scratch);
        assert!(call.call_id.starts_with(b"12.") && call.call_id.len() > 3);
        assert_ne!(call.rng, first, "a random part moves the call's stream");
    }
}
