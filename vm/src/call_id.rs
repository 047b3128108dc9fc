// SPDX-License-Identifier: AGPL-3.0-only
//! Call-IDs of generated calls (`-cid_str`).
//!
//! What is the same for the whole run is folded into literals when the image is linked, so that opening a call neither
//! formats an address nor allocates.

use crate::call::Call;
use crate::params::{CallIdPart, RunParams};
use crate::{render, rng};

/// A piece of a Call-ID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    Literal(Vec<u8>),
    CallNumber,
    Random,
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
    print(pieces, call.number, &mut call.rng, scratch);
    call.call_id.clear();
    call.call_id.extend_from_slice(scratch);
}

/// Prints the Call-ID of the call of that number, whose stream is where it is when a call gets its Call-ID.
pub(crate) fn print(pieces: &[Piece], number: u64, stream: &mut u64, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.extend_from_slice(text),
            Piece::CallNumber => render::number(number as i64, out),
            Piece::Random => {
                let random = rng::draw(stream, |rng| rng.u32(..));
                render::number(i64::from(random), out);
            }
        }
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

    #[test]
    fn a_call_id_is_written_by_its_format() {
        let mut call = crate::testing::call();
        let mut scratch = b"old".to_vec();
        call.number = 12;
        write(&fold(&params("%u-%p@%s")), &mut call, &mut scratch);
        assert_eq!(call.call_id.as_slice(), b"12-77@192.0.2.1");
        let first = call.rng;
        write(&fold(&params("%u.%r")), &mut call, &mut scratch);
        assert!(call.call_id.starts_with(b"12.") && call.call_id.len() > 3);
        assert_ne!(call.rng, first, "a random part moves the call's stream");
    }
}
