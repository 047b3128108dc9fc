// SPDX-License-Identifier: AGPL-3.0-only
//! Reads the argument of `rtpcheck`.

use super::{ArgumentError, Field, fields};
use crate::media::{Direction, RtpCheck};

pub(super) const CHECK_WORDS: &[&str] = &[
    "min_packets",
    "timeout_ms",
    "direction",
    "bidirectional",
    "max_loss_percent",
    "max_jitter_ms",
    "min_mos",
    "max_silence_ms",
];
const DIRECTION_WORDS: &[&str] = &["any", "send", "recv", "both"];

const HELP: &str = "write min_packets=N,timeout_ms=N,direction=any|send|recv|both, and \
                    max_loss_percent=, max_jitter_ms=, min_mos= or max_silence_ms=";

/// The argument of `rtpcheck`: `key=value` with commas between, or a bare number of packets.
///
/// # Errors
/// What is wrong, and where.
pub fn rtpcheck(text: &[u8]) -> Result<RtpCheck, ArgumentError> {
    let most = i64::from(u32::MAX);
    let mut check = RtpCheck::default();
    for field in fields(text) {
        let skipped = field.text.iter().take_while(|byte| **byte == b' ').count();
        let field = Field {
            text: &field.text[skipped..],
            at: field.at.start + skipped..field.at.end,
        };
        if field.text.is_empty() {
            continue;
        }
        let Some(equals) = field.text.iter().position(|byte| *byte == b'=') else {
            check.min_packets = field.number("number of packets", HELP, 0..=most)?;
            continue;
        };
        let value = Field {
            text: &field.text[equals + 1..],
            at: field.at.start + equals + 1..field.at.end,
        };
        match &field.text[..equals] {
            b"min_packets" | b"min" | b"packets" => {
                check.min_packets = value.number("number of packets", HELP, 0..=most)?;
            }
            b"timeout_ms" => check.timeout_ms = value.number("time in ms", HELP, 0..=most)?,
            b"direction" => check.direction = direction(&value)?,
            b"bidirectional" => {
                if matches!(value.text, b"true" | b"1" | b"yes") {
                    check.direction = Direction::Both;
                }
            }
            b"max_loss_percent" => {
                let found = decimal(&value, "percentage from 0 to 100", 2, 0..=10_000)?;
                check.max_loss = Some(found);
            }
            b"max_jitter_ms" => {
                let found = decimal(&value, "time in ms", 3, 0..=u32::MAX)?;
                check.max_jitter_us = Some(found);
            }
            b"min_mos" => {
                let found = decimal(&value, "score from 1 to 4.5", 2, 100..=450)?;
                check.min_mos = Some(found);
            }
            b"max_silence_ms" => {
                let found = value.number("time in ms", HELP, 1..=most)?;
                check.max_silence_ms = Some(found);
            }
            _ => {
                let name = Field {
                    text: &field.text[..equals],
                    at: field.at.start..field.at.start + equals,
                };
                let message = format!("`rtpcheck` does not know `{}`", name.shown());
                let mut error = name.error(message, HELP);
                error.words = CHECK_WORDS;
                return Err(error);
            }
        }
    }
    Ok(check)
}

fn direction(value: &Field<'_>) -> Result<Direction, ArgumentError> {
    Ok(match value.text {
        b"any" => Direction::Any,
        b"send" | b"tx" => Direction::Sent,
        b"recv" | b"rx" | b"receive" => Direction::Received,
        b"both" | b"bidirectional" => Direction::Both,
        _ => {
            let message = format!("`{}` is no direction", value.shown());
            let mut error = value.error(message, HELP);
            error.words = DIRECTION_WORDS;
            return Err(error);
        }
    })
}

/// A number with up to so many places behind the point, counted in its last place: `1.5` with two is 150.
fn decimal(
    value: &Field<'_>,
    what: &str,
    places: u32,
    range: core::ops::RangeInclusive<u32>,
) -> Result<u32, ArgumentError> {
    let read = || {
        let text = core::str::from_utf8(value.text).ok()?;
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(rest) || rest.len() > places as usize {
            return None;
        }
        let scale = 10_u32.pow(places);
        let rest = rest.parse::<u32>().ok()? * 10_u32.pow(places - rest.len() as u32);
        let whole = whole.parse::<u32>().ok()?;
        let found = whole.checked_mul(scale)?.checked_add(rest)?;
        range.contains(&found).then_some(found)
    };
    read().ok_or_else(|| value.error(format!("`{}` is no {what}", value.shown()), HELP))
}
