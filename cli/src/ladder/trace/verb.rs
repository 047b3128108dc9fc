// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper ladder`: pictures of the calls in a trace.

use super::super::{Charset, svg, text, timeline};
use super::calls::{Call, Calls};
use super::read::read;
use crate::exit::ExitCode;
use crate::stdio;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Ways that calls went, each drawn with one call.
const SHAPES: usize = 5;

/// What `gossipper ladder` takes.
#[derive(clap::Args, Debug)]
pub(crate) struct LadderArgs {
    /// A trace of messages: what -trace_msg or -trace_shortmsg of gossipper or SIPp wrote.
    trace: PathBuf,
    /// Draw this call: its Call-ID, a part of it that no other has, or its number in gossipper's traces.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Write the picture there: SVG if it ends in .svg, else text.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// TRACE is a capture (pcap or pcapng): draw the media of a call over time.
    #[arg(long)]
    media: bool,
    /// Draw with ASCII alone.
    #[arg(long)]
    ascii: bool,
}

/// Draws what was asked for.
pub(crate) fn run(args: &LadderArgs) -> ExitCode {
    match draw(args) {
        Ok(()) => ExitCode::Good,
        Err(error) => {
            stdio::error(&error);
            ExitCode::Failed
        }
    }
}

/// The media of a call of a capture.
fn draw_media(args: &LadderArgs) -> Result<(), String> {
    let name = args.trace.display();
    let bytes =
        std::fs::read(&args.trace).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let capture = gossipper_capture::read(&bytes, &gossipper_capture::ReadOptions::default())
        .map_err(|error| format!("`{name}`: {error}"))?;
    let (drawn, note) = timeline::timeline(&capture, args.call.as_deref())
        .map_err(|error| format!("`{name}`: {error}"))?;
    if let Some(note) = note {
        stdio::note(&note);
    }
    let ascii = args.ascii || (args.output.is_none() && !stdio::locale_is_utf8());
    let charset = if ascii {
        Charset::Ascii
    } else {
        Charset::Boxes
    };
    match &args.output {
        None => stdio::out(&timeline::text(&drawn, charset)),
        Some(output) => {
            let picture = match is_svg(output) {
                true => timeline::svg(&drawn),
                false => timeline::text(&drawn, charset),
            };
            std::fs::write(output, picture)
                .map_err(|error| format!("cannot write `{}`: {error}", output.display()))?;
        }
    }
    Ok(())
}

fn is_svg(output: &Path) -> bool {
    output
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("svg"))
}

fn draw(args: &LadderArgs) -> Result<(), String> {
    if args.media {
        return draw_media(args);
    }
    let name = args.trace.display();
    let file = File::open(&args.trace).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let mut calls = Calls::default();
    let count = read(&mut BufReader::with_capacity(256 << 10, file), |message| {
        calls.take(message)
    })
    .map_err(|error| format!("`{name}`: {error}"))?;
    if calls.cut {
        stdio::note(&format!(
            "only the first {} messages are looked at",
            count.messages
        ));
    }
    if count.skipped > 0 {
        stdio::note(&format!(
            "{} records of the trace are no messages, and left out",
            count.skipped
        ));
    }
    let chosen: Vec<(String, &Call)> = match &args.call {
        Some(wanted) => {
            let call = calls.find(wanted)?;
            vec![(format!("call {}", call.call_id), call)]
        }
        None => alike(&calls),
    };
    let Some(output) = &args.output else {
        let charset = if args.ascii || !stdio::locale_is_utf8() {
            Charset::Ascii
        } else {
            Charset::Boxes
        };
        stdio::out(&texts(&chosen, charset));
        return Ok(());
    };
    let drawn = if is_svg(output) {
        let Some((title, call)) = chosen.first() else {
            return Err(format!("`{name}`: there is no call in it"));
        };
        if chosen.len() > 1 {
            stdio::note(
                "calls went in several ways; the picture shows the most frequent one, --call chooses another",
            );
        }
        svg(&call.ladder(title.clone()))
    } else {
        let charset = if args.ascii {
            Charset::Ascii
        } else {
            Charset::Boxes
        };
        texts(&chosen, charset)
    };
    std::fs::write(output, drawn)
        .map_err(|error| format!("cannot write `{}`: {error}", output.display()))
}

/// The most frequent ways that calls went, with the first call of each.
fn alike(calls: &Calls) -> Vec<(String, &Call)> {
    let shapes = calls.shapes();
    let total = calls.calls.len();
    if let [(1, call)] = shapes[..] {
        return vec![(format!("call {}", call.call_id), call)];
    }
    if shapes.len() > SHAPES {
        stdio::note(&format!(
            "{total} calls went in {} ways; the {SHAPES} most frequent are shown",
            shapes.len()
        ));
    }
    let title = |count: usize, call: &Call| {
        let calls = if count == 1 { "call goes" } else { "calls go" };
        format!("{count} of {total} {calls} like call {}", call.call_id)
    };
    shapes
        .into_iter()
        .take(SHAPES)
        .map(|(count, call)| (title(count, call), call))
        .collect()
}

fn texts(chosen: &[(String, &Call)], charset: Charset) -> String {
    let drawn: Vec<String> = chosen
        .iter()
        .map(|(title, call)| text(&call.ladder(title.clone()), charset))
        .collect();
    drawn.join("\n")
}
