// SPDX-License-Identifier: AGPL-3.0-only
//! How calls failed: the three commonest shapes, each with the ladder of a call, 80 columns wide.

use super::cut;
use crate::ladder::Charset;
use gossipper_control::shapes::Way;
use gossipper_control::{FailureShape, FailureShapes, WatchedCall, WatchedMessage};
use std::fmt::Write as _;

/// Columns.
const WIDTH: usize = 80;
/// Shapes that are drawn.
const MOST: usize = 3;
/// Columns between the two lifelines.
const APART: usize = 34;

/// What the pictures are made of.
struct Signs {
    lifeline: char,
    line: char,
    right: char,
    left: char,
    local: char,
}

/// The shapes; nothing if no call has failed, or none that was watched.
pub(crate) fn text(shapes: Option<&FailureShapes>, charset: Charset) -> String {
    let Some(shapes) = shapes.filter(|shapes| !shapes.shapes.is_empty()) else {
        return String::new();
    };
    let signs = match charset {
        Charset::Boxes => Signs {
            lifeline: '│',
            line: '─',
            right: '▶',
            left: '◀',
            local: '●',
        },
        Charset::Ascii => Signs {
            lifeline: '|',
            line: '-',
            right: '>',
            left: '<',
            local: '*',
        },
    };
    let mut out = String::new();
    let of_how_many = if shapes.watched == shapes.failed {
        format!("{} failed calls", shapes.failed)
    } else {
        format!(
            "{} failed calls that were watched, out of {}",
            shapes.watched, shapes.failed
        )
    };
    let _ = writeln!(out, "Shapes     of {of_how_many}");
    for shape in shapes.shapes.iter().take(MOST) {
        draw(&mut out, shape, shapes.watched, &signs);
    }
    let others = shapes.shapes.iter().skip(MOST).map(|shape| shape.count);
    let others = others.sum::<u64>() + shapes.rarer;
    if others > 0 {
        let _ = writeln!(out, "  {others:>8}  in other ways");
    }
    let lines = out.lines().map(|line| cut(line.trim_end(), WIDTH) + "\n");
    let text: String = lines.collect();
    match charset {
        Charset::Boxes => text,
        // Where something was cut there is a sign that is none.
        Charset::Ascii => text.replace(|c: char| !c.is_ascii(), "."),
    }
}

fn draw(out: &mut String, shape: &FailureShape, of: u64, signs: &Signs) {
    let WatchedCall {
        call,
        call_id,
        peer,
        messages,
        left_out,
        left_out_after,
        ..
    } = &shape.example;
    let share = shape.count as f64 * 100.0 / of.max(1) as f64;
    let reason = shape.reason.text();
    let count = shape.count;
    let _ = writeln!(out, "  {count:>8}  {share:.1} %: {reason}");
    let id = match call_id.as_str() {
        "" => String::new(),
        id => format!(": {id}"),
    };
    let with = peer
        .as_ref()
        .map_or_else(String::new, |peer| format!(" with {peer}"));
    let _ = writeln!(out, "            call {call}{with}{id}");
    for (place, message) in messages.iter().enumerate() {
        if *left_out > 0 && place == *left_out_after {
            gap(out, &format!("{left_out} more messages"), signs);
        }
        arrow(out, message, signs);
    }
    let at = seconds(shape.example.length_us);
    let _ = writeln!(out, "{at:>11} {} {reason}", signs.local);
}

fn arrow(out: &mut String, message: &WatchedMessage, signs: &Signs) {
    let at = seconds(message.at_us);
    let lifeline = signs.lifeline;
    let note = match message.repeated {
        0 => String::new(),
        1 => format!(" again at {}", seconds(message.last_us)),
        more => format!(" again {more} times, last at {}", seconds(message.last_us)),
    };
    let label = format!(" {} ", message.label);
    let (before, after) = match message.way {
        Way::Sent => (signs.line, signs.right),
        Way::Received => (signs.left, signs.line),
        Way::CommandSent | Way::CommandReceived => {
            let what = match message.way {
                Way::CommandSent => "sends a command to its twin",
                _ => "gets a command from its twin",
            };
            let _ = writeln!(out, "{at:>11} {} {what}{note}", signs.local);
            return;
        }
    };
    let line = signs.line.to_string();
    let width = label.chars().count().min(APART - 4);
    let low = (APART - 2 - width) / 2;
    let high = APART - 2 - width - low;
    let _ = writeln!(
        out,
        "{at:>11} {lifeline}{before}{}{}{}{after}{lifeline}{note}",
        line.repeat(low),
        cut(&label, width),
        line.repeat(high),
    );
}

fn gap(out: &mut String, text: &str, signs: &Signs) {
    let lifeline = signs.lifeline;
    let _ = writeln!(out, "{:>11} {lifeline}{text:^APART$}{lifeline}", "");
}

/// A time since the call began.
fn seconds(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_control::FailReason;

    fn message(at_us: u64, way: Way, label: &str, repeated: u64) -> WatchedMessage {
        WatchedMessage {
            at_us,
            way,
            label: label.to_owned(),
            repeated,
            last_us: at_us + repeated * 500_000,
        }
    }

    fn sample() -> FailureShapes {
        let shape = |count, reason, messages: Vec<WatchedMessage>| FailureShape {
            count,
            reason,
            example: WatchedCall {
                call: count,
                call_id: format!("{count}-4711@192.0.2.1"),
                peer: Some("192.0.2.7:5060".to_owned()),
                length_us: messages.last().map_or(0, |message| message.last_us) + 10_000,
                messages,
                ..WatchedCall::default()
            },
        };
        let (sent, received) = (Way::Sent, Way::Received);
        let mut long = shape(
            7,
            FailReason::MaxUdpRetrans,
            vec![
                message(0, sent, "INVITE", 1),
                message(1, Way::CommandSent, "command", 0),
                message(32_000_000, received, "503 Service Unavailable at all", 4),
            ],
        );
        (long.example.left_out, long.example.left_out_after) = (12, 2);
        long.example.call_id = "a Call-ID that goes on and on ".repeat(4);
        let busy = vec![
            message(0, sent, "INVITE", 0),
            message(1_200, received, "486 Busy Here", 0),
            message(1_300, sent, "ACK", 0),
        ];
        FailureShapes {
            failed: 400,
            watched: 40,
            shapes: vec![
                shape(30, FailReason::UnexpectedMessage, busy),
                long,
                shape(1, FailReason::OutboundCongestion, Vec::new()),
                shape(1, FailReason::CallRejected, Vec::new()),
            ],
            rarer: 1,
        }
    }

    #[test]
    fn shapes_are_drawn_like_this() {
        insta::assert_snapshot!(text(Some(&sample()), Charset::Boxes));
    }

    #[test]
    fn nothing_is_wider_than_a_screen_and_ascii_is_ascii() {
        for charset in [Charset::Boxes, Charset::Ascii] {
            let shown = text(Some(&sample()), charset);
            for line in shown.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            assert_eq!(shown.is_ascii(), charset == Charset::Ascii);
        }
    }

    #[test]
    fn a_run_without_failures_has_none() {
        assert_eq!(text(None, Charset::Boxes), "");
        assert_eq!(text(Some(&FailureShapes::default()), Charset::Boxes), "");
    }
}
