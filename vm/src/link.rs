// SPDX-License-Identifier: AGPL-3.0-only
//! Program + run parameters -> [`Image`]: what is the same for the whole run is computed here, once.
//!
//! Run-constant keywords become literal text and merge with their neighbours, regular expressions are built,
//! variables get their place in a register file.

mod closing;
mod fold;
mod patience;
mod roles;

use crate::call::last::Keeping;
use crate::call_id::{self, Piece};
use crate::inserted::Reads;
use crate::media::MediaPlan;
use crate::params::{RunParams, TwinMode};
use crate::posix::Expression;
use gossipper_bytecode::media::Media;
use gossipper_bytecode::program::Capture;
use gossipper_bytecode::{
    CaptureId, DialogId, Mode, Op, Pc, Program, RecvId, Segment, Slot, StepId, TextRef, TwinRole,
    VarId, VarScope,
};
use gossipper_sip::{HeaderName, Wanted};
use std::sync::Arc;

pub(crate) use fold::{EMPTY_LINE, Keyword, Sources, Texts, constant, ip, trunk_from};
pub(crate) use roles::Role;

/// Why a program cannot run with these parameters.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// A client scenario has nowhere to send to.
    #[error("a client scenario needs a remote address")]
    NoDestination,
    /// A call could not tell the last step from none.
    #[error("the scenario has more than 65535 steps")]
    TooManySteps,
    /// Two scenarios that share their global variables have too many.
    #[error("the scenarios have more than 65536 global variables together")]
    Globals,
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
    /// The scenario asks for media that cannot be had.
    #[error("{place}: `{what}` {why}; to run the signalling of the scenario alone, say -no_media")]
    Media {
        /// The action.
        what: &'static str,
        /// Where that is.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A scenario that runs beside the client's uses media.
    #[error(
        "scenario `{0}`, which runs beside a client's, uses media, which only the main one can; to run its signalling \
         alone, say -no_media"
    )]
    MediaBeside(String),
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
    pub(crate) texts: Texts,
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
    /// What each entry of the send table sends.
    pub(crate) roles: Vec<Role>,
    /// For each step how long calls wait there, in ms, 0 being for ever; and the step whose timeout that is.
    pub(crate) patience: Vec<(u32, StepId)>,
    /// What each receive keeps.
    pub(crate) keeping: Vec<Keeping>,
    /// The capture of the To header, whichever form the sender chose.
    pub(crate) to_header: Option<CaptureId>,
    /// The capture that `[next_url]` falls back to.
    pub(crate) to_uri: Option<CaptureId>,
    /// Ports and keys that keywords print in place of media.
    pub(crate) media: MediaPlan,
    /// Receives that begin a dialog of the peer's.
    pub(crate) accepting: Vec<RecvId>,
    /// Where a call waits for its end with nothing left to print of the message it has kept.
    pub(crate) last_wait: Option<Pc>,
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
        let longest = program.steps.len().max(program.init_steps.len());
        let longest = longest.max(program.sends.len()).max(program.recvs.len());
        if longest > usize::from(u16::MAX) {
            return Err(LinkError::TooManySteps);
        }
        check_twin(&program, &params)?;
        if params.per_call && !program.dialogs.is_empty() {
            return Err(LinkError::DialogsPerCall);
        }
        let begins = program.ops.iter().any(|op| {
            matches!(op, Op::Begin { dialog } | Op::BeginAnew { dialog } if *dialog != DialogId::MAIN)
        });
        if (begins || mode == Mode::Client) && !params.call_id.is_unique() && !params.one_call {
            return Err(LinkError::CallIdNotUnique);
        }
        if !params.skips_media {
            check_media(&program)?;
        }
        for (name, _) in &params.globals {
            if program.global(name).is_none() {
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
        let media = MediaPlan::of(&program, &params);
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
        let wanted: Vec<_> = program
            .captures
            .iter()
            .map(|capture| match capture {
                Capture::Header(name) => Wanted::new(program.bytes(*name)),
                Capture::Message | Capture::ToUri => Wanted::Text,
            })
            .collect();
        let to_header = wanted
            .iter()
            .position(|wanted| *wanted == Wanted::Known(HeaderName::To))
            .and_then(CaptureId::new);
        let inserted = Reads::of(&program, &params.injection);
        Ok(Self {
            mode,
            texts: Texts::of(&program, &params, media.ports_are_of_calls()),
            regexes,
            places,
            files,
            inserted,
            digest_uri: match &params.auth_uri {
                Some(uri) => Some([b"sip:", &uri[..]].concat()),
                None => params.remote.map(crate::auth::digest_uri),
            },
            call_regs: call_count + program.variable_count(VarScope::User),
            user_regs: program.variable_count(VarScope::User),
            global_regs: program.variable_count(VarScope::Global),
            twin_role,
            call_id: call_id::fold(&params),
            roles: roles::of(&program),
            patience: patience::of(&program, &params),
            keeping: program
                .recvs
                .iter()
                .map(|recv| Keeping::of(&program, &wanted, to_header, program.captures_of(recv)))
                .collect(),
            to_header,
            wanted,
            to_uri: program
                .captures
                .iter()
                .position(|capture| *capture == Capture::ToUri)
                .and_then(CaptureId::new),
            media,
            accepting: program
                .recvs
                .iter()
                .enumerate()
                .filter(|(_, recv)| recv.accept.is_some())
                .filter_map(|(index, _)| RecvId::new(index))
                .collect(),
            last_wait: closing::last_wait(&program, inserted),
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

    /// Whether calls have media that the driver is told of.
    #[must_use]
    pub fn plays_media(&self) -> bool {
        self.media.plays()
    }

    pub(crate) fn place(&self, var: VarId) -> Place {
        self.places[var.index()]
    }

    /// Slot of a global variable by name.
    pub(crate) fn global_slot(&self, name: &str) -> Option<usize> {
        let at = self.program.global(name)?;
        match self.places[at] {
            Place::Global(slot) => Some(usize::from(slot)),
            Place::Call(_) | Place::User { .. } => None,
        }
    }

    /// The same for calls beside those of another program: global variables of one name are one variable.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn with_globals_of(mut self, other: &Self) -> Result<Self, LinkError> {
        let mut next = other.global_regs;
        for (variable, place) in self.program.variables.iter().zip(&mut self.places) {
            if variable.scope != VarScope::Global {
                continue;
            }
            let name = String::from_utf8_lossy(self.program.bytes(variable.name));
            let slot = other.global_slot(&name).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            *place = Place::Global(u16::try_from(slot).map_err(|_| LinkError::Globals)?);
        }
        self.global_regs = next;
        Ok(self)
    }
}

/// The names of hosts that `setdest` actions of a program use, as far as they are known before a call runs: the driver
/// looks them up and puts them into [`RunParams::hosts`]. The parameters must know all addresses already.
#[must_use]
pub fn host_names(program: &Program, params: &RunParams) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for op in &program.ops {
        let Op::SetDest { host, .. } = op else {
            continue;
        };
        if let Some(name) = fold::constant_text(program, params, *host)
            && crate::exec::setdest::numeric(&name).is_none()
            && !names.contains(&name)
        {
            names.push(name);
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

/// Checks that whoever runs the program can do what its media actions ask for.
fn check_media(program: &Program) -> Result<(), LinkError> {
    let of_call = program
        .media
        .iter()
        .filter(|entry| !matches!(entry.media, Media::EchoSwitch(_)));
    for entry in of_call {
        let refuse = |place, why| {
            let what = entry.media.name();
            Err(LinkError::Media { what, place, why })
        };
        if entry.step.is_none() {
            return refuse("`<init>`".to_owned(), "is of a call, and there is none yet");
        }
    }
    Ok(())
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
