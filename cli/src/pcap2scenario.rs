// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper pcap2scenario`: from a capture file to scenarios on disk.
//!
//! Files that are in the way are written over, since a conversion is made again and again with other flags; nothing else in
//! the folder is touched. What could not be had of the capture goes to standard error, what was made to standard output.
//! The exit code is 0 when a call was converted or listed, otherwise 1.

use crate::exit::ExitCode;
use crate::stdio;
use clap::{Args, ValueEnum};
use gossipper_capture::link::LinkType;
use gossipper_capture::{ReadOptions, read};
use gossipper_pcap2scenario::{Conversion, Options, Timing, convert, summarise, table};
use std::path::{Path, PathBuf};

/// Largest file that is read: everything of it is in memory at once.
const MOST_BYTES: u64 = 4 << 30;

/// Calls that are shown one by one.
const MOST_SHOWN: usize = 20;

/// What becomes of pressed keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Dtmf {
    /// They stay in the captured media.
    Media,
    /// They are taken out of it, and the scenario sends them with `send_dtmf`.
    Events,
}

/// The arguments of `gossipper pcap2scenario`.
#[derive(Args, Debug)]
pub(crate) struct PcapArgs {
    /// The capture: pcap or pcapng, compressed or not.
    #[arg(required = true, value_name = "FILE")]
    file: PathBuf,
    /// The folder for what is written; it is made if it does not exist.
    #[arg(long, value_name = "DIR", default_value = ".", alias = "out_dir")]
    out: PathBuf,
    /// The port that SIP is on; 0 recognises SIP by what it looks like, on any port.
    #[arg(
        long = "sip-port",
        value_name = "N",
        default_value_t = 0,
        alias = "sip_port",
        hide_default_value = true
    )]
    sip_port: u16,
    /// What the frames of the capture are, if the file says it wrongly: auto, ethernet, linux_sll, linux_sll2, raw, ipv4,
    /// ipv6, null, loop, or the number of a link type.
    #[arg(
        long = "pcap-link",
        value_name = "LINK",
        default_value = "auto",
        alias = "pcap_link",
        hide_default_value = true
    )]
    link: String,
    /// Convert only the call of this Call-ID.
    #[arg(long = "call-id", value_name = "ID", alias = "call_id")]
    call_id: Option<String>,
    /// Only list the calls: who, when, how long, result, media.
    #[arg(long)]
    list: bool,
    /// Merge calls that go alike into one scenario and an injection file with what differs.
    #[arg(long, conflicts_with = "list")]
    merge: bool,
    /// Pauses between messages: `real` as captured, `none`, or `scaled=2` for twice as long.
    #[arg(long, value_name = "real|none|scaled=X", default_value = "real", value_parser = timing, hide_default_value = true)]
    timing: Timing,
    /// What becomes of pressed keys (telephone events) in the media.
    #[arg(long, value_enum, default_value_t = Dtmf::Media, hide_default_value = true)]
    dtmf: Dtmf,
}

/// Flags that may be written with one dash too, as those of a run are.
pub(crate) const ONE_DASH: [&str; 8] = [
    "-out",
    "-sip-port",
    "-pcap-link",
    "-call-id",
    "-list",
    "-merge",
    "-timing",
    "-dtmf",
];

fn timing(text: &str) -> Result<Timing, String> {
    match text {
        "real" => return Ok(Timing::Real),
        "none" => return Ok(Timing::None),
        _ => {}
    }
    let factor = text
        .strip_prefix("scaled=")
        .and_then(|factor| factor.parse::<f64>().ok())
        .filter(|factor| factor.is_finite() && (0.0..=1_000_000.0).contains(factor));
    factor
        .map(Timing::Scaled)
        .ok_or_else(|| "it is `real`, `none`, or `scaled=` and a number such as 0.5".to_owned())
}

fn link(text: &str) -> Result<Option<LinkType>, String> {
    let name = text.to_ascii_lowercase();
    if name.is_empty() || name == "auto" {
        return Ok(None);
    }
    let known = LinkType::of_name(&name);
    known.map(Some).ok_or_else(|| {
        format!(
            "--pcap-link: `{text}` is none of auto, ethernet, linux_sll, linux_sll2, raw, ipv4, ipv6, null, loop, nor the \
             number of a link type that can be read"
        )
    })
}

/// Runs `gossipper pcap2scenario`.
pub(crate) fn run(args: &PcapArgs) -> ExitCode {
    match convert_file(args) {
        Ok(code) => code,
        Err(fault) => {
            stdio::error(&fault);
            ExitCode::Failed
        }
    }
}

fn convert_file(args: &PcapArgs) -> Result<ExitCode, String> {
    let options = ReadOptions {
        sip_port: Some(args.sip_port).filter(|port| *port != 0),
        link: link(&args.link)?,
        ..ReadOptions::default()
    };
    let shown = args.file.display();
    let length = std::fs::metadata(&args.file)
        .map_err(|error| format!("cannot read `{shown}`: {error}"))?
        .len();
    if length > MOST_BYTES {
        return Err(format!(
            "`{shown}` has {length} bytes, which is more than {MOST_BYTES}; cut it with editcap"
        ));
    }
    let bytes =
        std::fs::read(&args.file).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    let capture = read(&bytes, &options).map_err(|error| format!("`{shown}`: {error}"))?;
    drop(bytes);
    for loss in &capture.losses {
        stdio::note(&loss.what);
    }
    let options = Options {
        call_id: args.call_id.as_ref().map(|id| id.clone().into_bytes()),
        timing: args.timing,
        dtmf_events: args.dtmf == Dtmf::Events,
        merge: args.merge,
        source: args
            .file
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
    };
    let conversion = if args.list {
        summarise(&capture, &options)
    } else {
        convert(&capture, &options)
    };
    for note in &conversion.notes {
        stdio::note(note);
    }
    if conversion.calls.is_empty() {
        return Err(nothing(args, capture.frames, capture.messages.len()));
    }
    if args.list {
        stdio::out(&table(&conversion.calls));
        return Ok(ExitCode::Good);
    }
    write(&args.out, &conversion)?;
    report(&conversion);
    Ok(ExitCode::Good)
}

/// Why there is no call.
fn nothing(args: &PcapArgs, frames: u64, messages: usize) -> String {
    let file = args.file.display();
    if messages == 0 {
        let hint = if !args.link.eq_ignore_ascii_case("auto") {
            "--pcap-link says what the frames are; without it the file does"
        } else if args.sip_port == 0 {
            "if there is some, say on which port: --sip-port N"
        } else {
            "without --sip-port SIP is recognised on any port"
        };
        return format!("no SIP in the {frames} frames of `{file}`; {hint}");
    }
    match &args.call_id {
        Some(id) => format!("no call with the Call-ID `{id}` in `{file}`; --list shows them"),
        None => format!("none of the {messages} SIP messages of `{file}` can be read"),
    }
}

fn write(folder: &Path, conversion: &Conversion) -> Result<(), String> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make the folder `{}`: {error}", folder.display()))?;
    for file in &conversion.files {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.bytes)
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    Ok(())
}

fn report(conversion: &Conversion) {
    let mut shown: Vec<&[String]> = Vec::new();
    let mut out = String::new();
    for call in &conversion.calls {
        // Merged calls have the same files.
        if shown.contains(&&call.files[..]) {
            continue;
        }
        if shown.len() == MOST_SHOWN {
            break;
        }
        shown.push(&call.files);
        let merged = conversion
            .calls
            .iter()
            .filter(|other| other.files == call.files)
            .count();
        let more = match merged {
            1 => String::new(),
            all => format!(" and {} like it", all - 1),
        };
        out.push_str(&format!(
            "call {}{more}: {} {} -> {}, {}: {}\n",
            call.number,
            call.method,
            call.from,
            call.to,
            call.result,
            call.files.join(", ")
        ));
        for note in &call.notes {
            out.push_str(&format!("  note: {note}\n"));
        }
    }
    out.push_str(&format!(
        "{}, {}\n",
        counted(conversion.calls.len(), "call"),
        counted(conversion.files.len(), "file")
    ));
    stdio::out(&out);
}

/// "1 call", "2 calls".
fn counted(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {of}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_and_links_are_what_they_say() {
        assert_eq!(timing("real"), Ok(Timing::Real));
        assert_eq!(timing("none"), Ok(Timing::None));
        assert_eq!(timing("scaled=0.5"), Ok(Timing::Scaled(0.5)));
        for wrong in ["scaled=", "scaled=-1", "scaled=inf", "twice", ""] {
            assert!(timing(wrong).is_err(), "{wrong}");
        }
        assert_eq!(link("auto"), Ok(None));
        assert_eq!(link("Linux_SLL"), Ok(Some(LinkType::LinuxSll)));
        assert_eq!(link("1"), Ok(Some(LinkType::Ethernet)));
        assert!(link("token_ring").is_err());
    }
}
