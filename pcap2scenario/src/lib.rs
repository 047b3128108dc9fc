// SPDX-License-Identifier: AGPL-3.0-only
//! A capture in; scenarios that the compiler accepts out.
//!
//! [`convert`] takes what `gossipper-capture` has read of a file and gives, for each call in it, two scenarios that replay
//! it, one for each side, and the media of each side as a capture of its own. What was bound to the captured run
//! (addresses, tags, branches, Call-IDs, credentials) becomes keywords; everything else stays as it was.
//!
//! Not here: reading capture files, writing files, the command line. The functions are pure.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `message` | one message, owned and unfolded |
//! | `calls` | which messages are one call; repetitions |
//! | `missing`, `answer` | what the capture lacks and a run cannot do without |
//! | `torn` | messages that the capture cut within their headers |
//! | `media` | which datagrams are its media; pressed keys |
//! | `side` | one side of a call as steps in order of time |
//! | `headers`, `credentials`, `body`, `text` | messages as texts with keywords |
//! | `merge` | many equal calls as one scenario and an injection file |
//! | `scenario`, `names` | XML, and the files it goes to |
//! | `list` | a table of the calls |
//!
//! ```
//! use gossipper_capture::{Capture, Carrier, SipMessage};
//! use gossipper_pcap2scenario::{Options, convert};
//!
//! let message = SipMessage {
//!     frame: 1,
//!     time: core::time::Duration::ZERO,
//!     source: "192.0.2.1:5060".parse()?,
//!     destination: "192.0.2.2:5060".parse()?,
//!     carrier: Carrier::Udp,
//!     bytes: b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n".to_vec(),
//!     truncated: false,
//! };
//! let capture = Capture { messages: vec![message], ..Capture::default() };
//! let conversion = convert(&capture, &Options::default());
//! let names: Vec<&str> = conversion.files.iter().map(|file| &file.name[..]).collect();
//! assert_eq!(names, ["scenario_uac.xml", "scenario_uas.xml"]);
//! # Ok::<(), core::net::AddrParseError>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod answer;
mod body;
mod calls;
mod credentials;
#[cfg(any(test, feature = "internal-fuzz"))]
pub mod fuzz;
mod headers;
mod list;
mod media;
mod merge;
mod message;
mod missing;
mod names;
mod preface;
mod scenario;
mod side;
mod text;
mod torn;

use calls::Call;
use core::net::SocketAddr;
use core::time::Duration;
use gossipper_capture::{Capture, write::Writer};
use gossipper_sip::sdp::MediaKind;
use media::Media;
use names::Names;
use scenario::Scenario;
use side::Role;

pub use list::{rung_on_wire, table};

/// What becomes of the time between messages.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Timing {
    /// Pauses as long as captured.
    #[default]
    Real,
    /// No pauses.
    None,
    /// Pauses so many times as long.
    Scaled(f64),
}

impl Timing {
    /// Whether a run is faster than the capture, so that media would still play where it had ended there. Otherwise it ends
    /// by itself in time, since its file ends.
    fn is_hurried(self) -> bool {
        match self {
            Self::Real => false,
            Self::None => true,
            Self::Scaled(factor) => factor < 1.0,
        }
    }
}

/// How calls are turned into scenarios.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Options {
    /// Only calls with this Call-ID.
    pub call_id: Option<Vec<u8>>,
    /// Pauses.
    pub timing: Timing,
    /// Pressed keys are taken out of the media and become actions.
    pub dtmf_events: bool,
    /// Equal calls become one scenario with an injection file.
    pub merge: bool,
    /// Name of the capture, for comments.
    pub source: String,
}

/// A file to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputFile {
    /// Its name, without a folder.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What a call was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSummary {
    /// Its number in the capture, from 1.
    pub number: usize,
    /// Its Call-ID.
    pub call_id: String,
    /// Method of its first request.
    pub method: String,
    /// Who called: the user of From, or its host.
    pub from: String,
    /// Whom: the user of To, or its host.
    pub to: String,
    /// Address of who called.
    pub caller: SocketAddr,
    /// Address of who was called.
    pub callee: SocketAddr,
    /// When it began, since the epoch.
    pub start: Duration,
    /// From its first message to its last.
    pub length: Duration,
    /// How its first request ended: a code and its reason, or what came instead.
    pub result: String,
    /// Which media flowed, such as `audio 500/498`: packets of caller and callee.
    pub media: String,
    /// Messages without repetitions.
    pub messages: usize,
    /// Repetitions.
    pub repetitions: usize,
    /// What it looked like on the wire, for comparisons: `>INVITE <180/INVITE …`; `>` is from the caller.
    pub ladder: Vec<String>,
    /// What a user should know about it.
    pub notes: Vec<String>,
    /// Names of its files, the scenarios first.
    pub files: Vec<String>,
}

/// What came of a capture.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conversion {
    /// Its calls, in the order in which they began; of a merge, all of them.
    pub calls: Vec<CallSummary>,
    /// The files to be written.
    pub files: Vec<OutputFile>,
    /// What holds for the whole capture.
    pub notes: Vec<String>,
}

/// Turns the calls of a capture into scenarios.
#[must_use]
pub fn convert(capture: &Capture, options: &Options) -> Conversion {
    let (mut conversion, calls) = analyse(capture, options);
    let media = media::find(&calls, &capture.datagrams, options.dtmf_events);
    for (summary, media) in conversion.calls.iter_mut().zip(&media) {
        list::describe_media(summary, media);
    }
    let groups = if options.merge {
        merge::groups(&calls)
    } else {
        (0..calls.len()).map(|at| vec![at]).collect()
    };
    let width = groups.len().to_string().len().max(3);
    for (index, group) in groups.iter().enumerate() {
        let names = Names {
            number: (groups.len() > 1).then_some((index + 1, width)),
        };
        write_group(
            capture,
            &calls,
            &media,
            group,
            names,
            options,
            &mut conversion,
        );
    }
    conversion
}

/// Finds the calls of a capture without writing scenarios.
#[must_use]
pub fn summarise(capture: &Capture, options: &Options) -> Conversion {
    let (mut conversion, calls) = analyse(capture, options);
    let media = media::find(&calls, &capture.datagrams, options.dtmf_events);
    for (summary, media) in conversion.calls.iter_mut().zip(&media) {
        list::describe_media(summary, media);
    }
    conversion
}

fn analyse(capture: &Capture, options: &Options) -> (Conversion, Vec<Call>) {
    let (found, unreadable) = calls::find(&capture.messages);
    let mut conversion = Conversion::default();
    if unreadable > 0 {
        conversion.notes.push(format!(
            "{unreadable} of {} SIP messages cannot be read: their first line is none, or nothing tells what a response answers",
            capture.messages.len()
        ));
    }
    let mut calls = Vec::new();
    for (at, call) in found.into_iter().enumerate() {
        if options
            .call_id
            .as_ref()
            .is_some_and(|id| *id != call.call_id)
        {
            continue;
        }
        conversion.calls.push(list::summary(at + 1, &call));
        calls.push(call);
    }
    (conversion, calls)
}

fn write_group(
    capture: &Capture,
    calls: &[Call],
    media: &[Media],
    group: &[usize],
    names: Names,
    options: &Options,
    conversion: &mut Conversion,
) {
    let Some(at) = group.first().copied() else {
        return;
    };
    let (call, media) = (&calls[at], &media[at]);
    let (files, mut written) = write_media(capture, media, names, conversion, at);
    let mut sides = Vec::new();
    for (role, side) in [(Role::Uac, "uac"), (Role::Uas, "uas")] {
        let steps = side::build(call, role, media, &files, options);
        let name = names.scenario(side);
        sides.push((
            role,
            Scenario {
                preface: Vec::new(),
                name: name.trim_end_matches(".xml").to_owned(),
                steps,
            },
        ));
    }
    let injected = if group.len() > 1 {
        let others: Vec<Vec<scenario::Step>> = group[1..]
            .iter()
            .map(|at| side::build(&calls[*at], Role::Uac, &Media::default(), &[], options))
            .collect();
        let people = merge::people(group.iter().map(|at| &calls[*at]));
        merge::parameterise(&mut sides[0].1, &others, people, names)
    } else {
        None
    };
    let mut all: Vec<OutputFile> = Vec::new();
    for (role, mut scenario) in sides {
        let name = format!("{}.xml", scenario.name);
        let injection = injected.as_ref().map(|file| file.name.as_str());
        scenario.preface = preface::write(
            &conversion.calls[at],
            call,
            role,
            &name,
            injection.filter(|_| role == Role::Uac),
            group.len(),
            media,
            options,
        );
        all.push(OutputFile {
            bytes: scenario.xml().into_bytes(),
            name,
        });
    }
    all.append(&mut written);
    all.extend(injected);
    for member in group {
        conversion.calls[*member].files = all.iter().map(|file| file.name.clone()).collect();
    }
    conversion.files.append(&mut all);
}

/// The captures of a call's media: the file of each piece, empty where there is none, and the files.
fn write_media(
    capture: &Capture,
    media: &Media,
    names: Names,
    conversion: &mut Conversion,
    at: usize,
) -> (Vec<String>, Vec<OutputFile>) {
    let mut counts: Vec<(bool, MediaKind, usize)> = Vec::new();
    let (mut files, mut written) = (Vec::new(), Vec::new());
    for piece in &media.pieces {
        let key = (piece.from_caller, piece.kind);
        let known = counts
            .iter_mut()
            .find(|(from_caller, kind, _)| (*from_caller, *kind) == key);
        let number = match known {
            Some((.., count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((key.0, key.1, 0));
                0
            }
        };
        let mut writer = Writer::new();
        let mut left_out = 0;
        for packet in &piece.packets {
            left_out += usize::from(writer.datagram(&capture.datagrams[*packet]).is_err());
        }
        if left_out == piece.packets.len() {
            files.push(String::new());
            continue;
        }
        let name = names.media(piece.from_caller, piece.kind, number);
        if left_out > 0 {
            conversion.calls[at]
                .notes
                .push(format!("{left_out} packets do not fit into {name}"));
        }
        files.push(name.clone());
        written.push(OutputFile {
            name,
            bytes: writer.into_bytes(),
        });
    }
    written.sort_by_key(|file: &OutputFile| !file.name.starts_with("caller"));
    (files, written)
}
