// SPDX-License-Identifier: AGPL-3.0-only
//! Program + run parameters -> [`Image`]: what is the same for the whole run is computed here, once.
//!
//! Run-constant keywords become literal text and merge with their neighbours, regular expressions are built,
//! variables get their place in a register file.

use crate::call_id::{self, Piece};
use crate::inserted::Reads;
use crate::media::MediaPlan;
use crate::params::{RunParams, TwinMode};
use crate::posix::Expression;
use crate::render::skip_line_end;
use core::net::IpAddr;
use gossipper_bytecode::program::Capture;
use gossipper_bytecode::template::Binding;
use gossipper_bytecode::{
    CaptureId, DialogId, Mode, Op, Program, RecvId, Segment, Slot, Template, TextRef, TwinRole,
    VarId, VarScope,
};
use gossipper_sip::Wanted;
use std::sync::Arc;

/// Why a program cannot run with these parameters.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// A client scenario has nowhere to send to.
    #[error("a client scenario needs a remote address")]
    NoDestination,
    /// `-set` names a variable that the scenario does not declare as global.
    #[error("-set: the scenario declares no global variable `{0}`")]
    NotGlobal(String),
    /// The engine refuses a regular expression.
    #[error("regular expression `{pattern}`: {reason}")]
    Regex {
        /// As the author wrote it.
        pattern: String,
        /// What the engine says.
        reason: String,
    },
    /// The scenario reads fields of injection files, and there is none.
    #[error("the scenario reads fields of an injection file: name one with -inf")]
    NoInjection,
    /// The scenario names an injection file that is not there.
    #[error("the scenario reads fields of the injection file `{0}`: name it with -inf")]
    NoInjectionFile(String),
    /// The scenario includes a file whose content was not handed in.
    #[error("the scenario includes the file `{0}`, which was not read")]
    NoInclude(String),
    /// The scenario includes files whose paths depend on the call, and nobody reads them.
    #[error(
        "the scenario includes files whose paths depend on the call, and the run has no source of files"
    )]
    NoFileSource,
    /// The scenario prints circuits, and there are none.
    #[error("the scenario prints [tdmmap]: say with -tdmmap which circuits there are")]
    NoCircuits,
    /// The scenario has commands and the run no twin.
    #[error(
        "the scenario has `sendCmd` or `recvCmd`, and the run has no twin: give -3pcc, or -master or -slave with -slave_cfg"
    )]
    NoTwin,
    /// There are several peers, and a command does not say which one it is about.
    #[error(
        "{place}: `{element}` needs `{attribute}`, the name of a peer, since there is more than one twin"
    )]
    PeerUnnamed {
        /// Where it is in the scenario, in words.
        place: String,
        /// Its element.
        element: &'static str,
        /// The attribute that is missing.
        attribute: &'static str,
    },
    /// The scenario uses media.
    #[error(
        "this version does not play media, and the scenario uses `{what}`{place}; \
         to run its signalling alone, say -no_media"
    )]
    Media {
        /// What needs media first.
        what: String,
        /// Where that is, as the message says it.
        place: String,
    },
    /// A call has one path of its own, and this scenario's calls have several dialogs.
    #[error(
        "calls of this scenario have several dialogs, which a connection per call does not serve; use the mode with one \
         for all calls"
    )]
    DialogsPerCall,
    /// The call number is not part of the Call-ID format.
    #[error("-cid_str: without `%u` all calls would have the same Call-ID")]
    CallIdNotUnique,
}

/// Where a variable lives at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the call's register file.
    Call(u16),
    /// In the register file of the call's user, or in the call's own for calls without a user.
    User {
        /// The slot there.
        user: u16,
        /// The slot here.
        call: u16,
    },
    /// In the shard's global register file.
    Global(u16),
}

/// A program ready for one run: shared by all shards.
#[derive(Debug)]
pub struct Image {
    pub(crate) program: Arc<Program>,
    pub(crate) params: RunParams,
    pub(crate) mode: Mode,
    pub(crate) templates: Vec<Template>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) text: Vec<u8>,
    pub(crate) regexes: Vec<Expression>,
    pub(crate) places: Vec<Place>,
    /// Which of the run's injection files each of the program's is.
    pub(crate) files: Vec<usize>,
    /// What keywords in fields of those files print.
    pub(crate) inserted: Reads,
    /// URI of answers to challenges; `None` takes the address of the call's peer.
    pub(crate) digest_uri: Option<Vec<u8>>,
    /// Size of a call's register file: call and user variables.
    pub(crate) call_regs: usize,
    /// Size of a user's register file.
    pub(crate) user_regs: usize,
    pub(crate) global_regs: usize,
    /// Which side of a pair of twins it plays.
    pub(crate) twin_role: Option<TwinRole>,
    /// The format of generated Call-IDs.
    pub(crate) call_id: Vec<Piece>,
    /// How the header of each capture is found in a message; of no meaning for other captures.
    pub(crate) wanted: Vec<Wanted>,
    /// The capture that `[next_url]` falls back to.
    pub(crate) to_uri: Option<CaptureId>,
    /// Ports and keys that keywords print in place of media.
    pub(crate) media: MediaPlan,
    /// Receives that begin a dialog of the peer's.
    pub(crate) accepting: Vec<RecvId>,
}

impl Image {
    /// Links a program for a run.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn link(program: Arc<Program>, params: RunParams) -> Result<Self, LinkError> {
        let mode = program.mode();
        let twin_role = program.twin_role();
        // A scenario that commands alone sends nothing of its own accord; one that is commanded may.
        let calls = program.needs_destination() || (mode == Mode::Client && twin_role.is_none());
        if calls && params.destination.is_none() {
            return Err(LinkError::NoDestination);
        }
        check_twin(&program, &params)?;
        if params.per_call && !program.dialogs.is_empty() {
            return Err(LinkError::DialogsPerCall);
        }
        let begins = program.ops.iter().any(|op| {
            matches!(op, Op::Begin { dialog } | Op::BeginAnew { dialog } if *dialog != DialogId::MAIN)
        });
        if (begins || mode == Mode::Client) && !params.call_id.is_unique() {
            return Err(LinkError::CallIdNotUnique);
        }
        if let Some(used) = program.media_use().filter(|_| !params.skips_media) {
            let place = match (used.step, used.line) {
                (Some(step), Some(line)) => format!(" in step {step}, line {line}"),
                _ => String::new(),
            };
            let what = used.what;
            return Err(LinkError::Media { what, place });
        }
        for (name, _) in &params.globals {
            if find_global(&program, name).is_none() {
                return Err(LinkError::NotGlobal(name.clone()));
            }
        }
        let files = find_files(&program, &params)?;
        if let Some(missing) = program.includes.get(params.includes.len()) {
            return Err(LinkError::NoInclude(program.display(*missing)));
        }
        let mut segments = program.segments.iter();
        if params.circuits.is_none() && segments.any(|s| *s == Segment::Slot(Slot::TdmMap)) {
            return Err(LinkError::NoCircuits);
        }
        let mut segments = program.segments.iter();
        let reads = |segment: &Segment| matches!(segment, Segment::Slot(Slot::FileAt(_)));
        if params.files.is_none() && segments.any(reads) {
            return Err(LinkError::NoFileSource);
        }
        let regexes = build_regexes(&program)?;
        let call_count = program.variable_count(VarScope::Call);
        let places = program
            .variables
            .iter()
            .map(|variable| match variable.scope {
                VarScope::Call => Place::Call(variable.slot),
                // Without users each call has its own copy: behind the call's own variables.
                // Verified: scopes are dense and at most 65 536 variables together.
                VarScope::User => {
                    let call =
                        u16::try_from(call_count + usize::from(variable.slot)).unwrap_or(u16::MAX);
                    match params.users {
                        Some(_) => Place::User {
                            user: variable.slot,
                            call,
                        },
                        None => Place::Call(call),
                    }
                }
                VarScope::Global => Place::Global(variable.slot),
            })
            .collect();
        let mut folder = Folder {
            program: &program,
            params: &params,
            text: Vec::new(),
            segments: Vec::new(),
        };
        let templates = program.templates.iter().map(|t| folder.fold(t)).collect();
        let Folder { text, segments, .. } = folder;
        Ok(Self {
            mode,
            templates,
            segments,
            text,
            regexes,
            places,
            files,
            inserted: Reads::of(&program, &params.injection),
            digest_uri: match &params.auth_uri {
                Some(uri) => Some([b"sip:", &uri[..]].concat()),
                None => params.remote.map(crate::auth::digest_uri),
            },
            call_regs: call_count + program.variable_count(VarScope::User),
            user_regs: program.variable_count(VarScope::User),
            global_regs: program.variable_count(VarScope::Global),
            twin_role,
            call_id: call_id::fold(&params),
            wanted: program
                .captures
                .iter()
                .map(|capture| match capture {
                    Capture::Header(name) => Wanted::new(program.bytes(*name)),
                    Capture::Message | Capture::ToUri => Wanted::Text,
                })
                .collect(),
            to_uri: program
                .captures
                .iter()
                .position(|capture| *capture == Capture::ToUri)
                .and_then(CaptureId::new),
            media: MediaPlan::of(&program, &params),
            accepting: program
                .recvs
                .iter()
                .enumerate()
                .filter(|(_, recv)| recv.accept.is_some())
                .filter_map(|(index, _)| RecvId::new(index))
                .collect(),
            params,
            program,
        })
    }

    /// The linked program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The parameters it was linked with.
    #[must_use]
    pub fn params(&self) -> &RunParams {
        &self.params
    }

    pub(crate) fn place(&self, var: VarId) -> Place {
        self.places[var.index()]
    }

    /// Slot of a global variable by name.
    pub(crate) fn global_slot(&self, name: &str) -> Option<usize> {
        find_global(&self.program, name)
    }
}

/// The names of hosts that `setdest` actions of a program use, as far as they are known before a call runs: the driver
/// looks them up and puts them into [`RunParams::hosts`]. The parameters must know all addresses already.
#[must_use]
pub fn host_names(program: &Program, params: &RunParams) -> Vec<Vec<u8>> {
    let mut folder = Folder {
        program,
        params,
        text: Vec::new(),
        segments: Vec::new(),
    };
    let mut names = Vec::new();
    for op in &program.ops {
        let Op::SetDest { host, .. } = op else {
            continue;
        };
        let folded = folder.fold(&program.templates[host.index()]);
        if let [Segment::Literal(text)] = folder.segments[folded.range()] {
            let name = &folder.text[text.range()];
            if crate::exec::setdest::numeric(name).is_none() && !names.iter().any(|n| n == name) {
                names.push(name.to_vec());
            }
        }
    }
    names
}

/// Checks that the run has the twins that the scenario's commands are for.
fn check_twin(program: &Program, params: &RunParams) -> Result<(), LinkError> {
    if program.link_role().is_none() {
        return Ok(());
    }
    match params.twin {
        None => Err(LinkError::NoTwin),
        Some(TwinMode::One) => Ok(()),
        Some(TwinMode::Named) => {
            let sends = program.twin_sends.iter();
            let sends = sends.map(|send| (send.step, send.peer, "sendCmd", "dest"));
            let recvs = program.twin_recvs.iter();
            let recvs = recvs.map(|recv| (recv.step, recv.peer, "recvCmd", "src"));
            match sends.chain(recvs).find(|(_, peer, ..)| peer.is_none()) {
                None => Ok(()),
                Some((step, _, element, attribute)) => Err(LinkError::PeerUnnamed {
                    place: step.map_or_else(
                        || "`<init>`".to_owned(),
                        |step| format!("line {}", program.steps[step.index()].line),
                    ),
                    element,
                    attribute,
                }),
            }
        }
    }
}

fn find_global(program: &Program, name: &str) -> Option<usize> {
    program
        .variables
        .iter()
        .find(|v| v.scope == VarScope::Global && program.bytes(v.name) == name.as_bytes())
        .map(|v| usize::from(v.slot))
}

fn find_files(program: &Program, params: &RunParams) -> Result<Vec<usize>, LinkError> {
    if params.injection.is_empty() && program.fields.iter().any(|field| field.file.is_none()) {
        return Err(LinkError::NoInjection);
    }
    let find = |name: &TextRef| {
        let wanted = program.bytes(*name);
        let mut files = params.injection.iter();
        files
            .position(|file| file.name().as_bytes() == wanted)
            .ok_or_else(|| LinkError::NoInjectionFile(program.display(*name)))
    };
    program.files.iter().map(find).collect()
}

fn build_regexes(program: &Program) -> Result<Vec<Expression>, LinkError> {
    program
        .regexes
        .iter()
        .map(|regex| {
            let automaton = regex.automaton.map(|id| &program.automata[id.index()]);
            Expression::new(&program.display(regex.pattern), automaton).map_err(|error| {
                LinkError::Regex {
                    pattern: program.display(regex.source),
                    reason: error.to_string(),
                }
            })
        })
        .collect()
}

/// Rewrites templates with run-constant slots as literals.
struct Folder<'a> {
    program: &'a Program,
    params: &'a RunParams,
    text: Vec<u8>,
    segments: Vec<Segment>,
}

impl Folder<'_> {
    fn fold(&mut self, template: &Template) -> Template {
        let first = self.segments.len();
        // Start of the literal that is being gathered, if one is.
        let mut open: Option<usize> = None;
        // Whether a keyword that brings its own line end, or none, stands at the end of what is gathered.
        let mut suppress = false;
        for segment in &self.program.segments[template.range()] {
            match segment {
                Segment::Literal(text) => {
                    open.get_or_insert(self.text.len());
                    let mut bytes = self.program.bytes(*text);
                    if core::mem::take(&mut suppress) {
                        bytes = skip_line_end(bytes);
                    }
                    self.text.extend_from_slice(bytes);
                }
                Segment::Slot(slot)
                    if slot.binding() == Binding::Run && !varies(*slot, self.params) =>
                {
                    let start = *open.get_or_insert(self.text.len());
                    constant(*slot, self.params, &mut self.text);
                    suppress = slot.suppresses_line() && self.text[start..].last() == Some(&b'\n');
                }
                Segment::Slot(slot) => {
                    suppress = false;
                    self.close(open.take());
                    self.segments.push(Segment::Slot(*slot));
                }
            }
        }
        self.close(open);
        Template {
            kind: template.kind,
            first: first as u32,
            count: (self.segments.len() - first) as u32,
        }
    }

    fn close(&mut self, open: Option<usize>) {
        if let Some(start) = open
            && start < self.text.len()
        {
            self.segments.push(Segment::Literal(TextRef {
                off: start as u32,
                len: (self.text.len() - start) as u32,
            }));
        }
    }
}

/// Whether what is constant for other runs is not for this one.
fn varies(slot: Slot, params: &RunParams) -> bool {
    match slot {
        Slot::ServerIp => params.paths.is_some(),
        Slot::LocalPort(_) | Slot::TrunkFrom => params.per_call,
        _ => false,
    }
}

/// Prints a run-constant keyword.
pub(crate) fn constant(slot: Slot, params: &RunParams, out: &mut Vec<u8>) {
    let port = |port: u16, offset: i32| i64::from(port) + i64::from(offset);
    match slot {
        Slot::Service => out.extend_from_slice(&params.service),
        Slot::RemoteIp => {
            if let Some(remote) = params.remote {
                ip(remote.ip(), true, out);
            }
        }
        Slot::RemoteHost => out.extend_from_slice(&params.remote_host),
        Slot::RemotePort(offset) => {
            let remote = params.remote.map_or(DEFAULT_PORT, |addr| addr.port());
            number(port(remote, offset), out);
        }
        Slot::LocalIp => ip(params.local_ip, true, out),
        Slot::LocalIpType => out.push(family(params.local_ip)),
        Slot::LocalPort(offset) => number(port(params.local_port, offset), out),
        Slot::ServerIp => ip(params.server_ip, false, out),
        Slot::TrunkFrom => trunk_from(params, params.local_port, out),
        Slot::TrunkPai => line(b"P-Asserted-Identity: ", params.trunk.pai.as_deref(), out),
        Slot::TrunkProvider => line(b"X-provider: ", params.trunk.provider.as_deref(), out),
        Slot::TrunkExtra => {
            for header in &params.trunk.extra {
                line(b"", Some(header), out);
            }
        }
        Slot::Transport | Slot::SipTransport => out.extend_from_slice(params.transport.as_bytes()),
        Slot::MediaIp => ip(params.media_ip, false, out),
        Slot::MediaIpType => out.push(family(params.media_ip)),
        Slot::MediaPort(offset) => number(port(params.media_port, offset), out),
        Slot::Pid => number(i64::from(params.pid), out),
        // Checked when linking: each has its content.
        Slot::File(id) => out.extend_from_slice(&params.includes[id.index()]),
        Slot::SippVersion => out.extend_from_slice(&params.version),
        Slot::CryptoTag(line) => out.push(if line.secondary { b'2' } else { b'1' }),
        Slot::CryptoSuite(_, suite) => out.extend_from_slice(suite.name().as_bytes()),
        Slot::CryptoUnencrypted(..) => out.extend_from_slice(b"UNENCRYPTED_SRTP"),
        Slot::AutoMediaPort(_)
        | Slot::RtpStreamAudioPort(_)
        | Slot::RtpStreamVideoPort(_)
        | Slot::CryptoKey(..)
        | Slot::CallNumber
        | Slot::CallId
        | Slot::Cseq(_)
        | Slot::Branch(_)
        | Slot::MsgIndex
        | Slot::Len(_)
        | Slot::PeerTagParam
        | Slot::NextUrl
        | Slot::Routes
        | Slot::LastRequestUri(_)
        | Slot::LastCseqNumber(_)
        | Slot::LastMessage(_)
        | Slot::LastHeader(..)
        | Slot::Users
        | Slot::UserId
        | Slot::TdmMap
        | Slot::Timestamp
        | Slot::Date
        | Slot::ClockTick
        | Slot::DynamicId
        | Slot::Var(_)
        | Slot::Field(_)
        | Slot::FileAt(_)
        | Slot::Authentication(_)
        | Slot::Elsewhere(_)
        | Slot::Fill(..) => {
            debug_assert_ne!(
                slot.binding(),
                Binding::Run,
                "a run-constant slot is printed"
            );
        }
    }
}

/// Prints `[trunk_from]` of a call with this local port.
pub(crate) fn trunk_from(params: &RunParams, port: u16, out: &mut Vec<u8>) {
    match &params.trunk.from {
        Some(from) => out.extend_from_slice(from),
        None => {
            out.extend_from_slice(b"gossip <sip:gossip@");
            ip(params.local_ip, true, out);
            out.push(b':');
            number(i64::from(port), out);
            out.push(b'>');
        }
    }
}

/// Prints a header as a whole line, if there is a value.
fn line(name: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// SIP's default port (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;

pub(crate) fn ip(ip: IpAddr, brackets: bool, out: &mut Vec<u8>) {
    let text = match ip {
        IpAddr::V6(v6) if brackets => format!("[{v6}]"),
        other => other.to_string(),
    };
    out.extend_from_slice(text.as_bytes());
}

const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => b'4',
        IpAddr::V6(_) => b'6',
    }
}

pub(crate) fn number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}
