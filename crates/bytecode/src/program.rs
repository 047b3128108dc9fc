// SPDX-License-Identifier: AGPL-3.0-only
//! The draft, its side tables, and the verified program.
//!
//! A [`Draft`] is plain data that anybody may build or decode. A [`Program`] is a draft that passed
//! [`Draft::verify`]: its ids are in range, its jumps land on ops, its receive blocks are straight, and every path
//! suspends or ends. It is immutable and shared by all shards.

use crate::automaton::Automaton;
use crate::dist::Distribution;
use crate::ids::{
    CaptureId, DialogId, FileId, NumId, Pc, PeerId, SendId, StepId, TemplateId, TextRef,
    TwinRecvId, TxnId, VarId, VarScope,
};
use crate::media::MediaAction;
use crate::op::Op;
use crate::recv_set::{Recv, RecvSet};
use crate::template::{AutoMessage, Segment, Slot, Template};
use crate::verify::VerifyError;
use serde::{Deserialize, Serialize};

mod actions;

pub use actions::{
    Check, Compare, EditPlace, Ereg, FieldEdit, Regex, Sample, SearchIn, StrCmp, StrOperand, Test,
};

/// Who opens calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Mode {
    /// The scenario's first message step sends: calls are generated.
    Client,
    /// The first message step receives: calls are born of messages.
    Server,
}

/// The element a step was written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StepKind {
    /// `<send>`
    Send,
    /// `<recv>`
    Recv,
    /// `<pause>`
    Pause,
    /// `<timewait>`
    Timewait,
    /// `<nop>`
    Nop,
    /// `<sendCmd>`
    SendCmd,
    /// `<recvCmd>`
    RecvCmd,
}

/// Which side of a pair of twins a scenario plays: decided by its first command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TwinRole {
    /// It opens the calls and commands first: controller A, master.
    Caller,
    /// It is called and commands first: passive A, passive master.
    Called,
    /// It is commanded first: controller B, slave.
    Commanded,
}

/// Where a step's `ontimeout` leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum OnTimeout {
    /// No `ontimeout`: the call fails. So it does when the label stands behind the last element.
    Fail,
    /// Go on at this op.
    Goto(Pc),
}

/// The author's step: what screens, counters and traces print, and where control enters it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The element.
    pub kind: StepKind,
    /// Method, code or display text.
    pub name: TextRef,
    /// Line in the scenario file, from 1.
    pub line: u32,
    /// First op of the step.
    pub entry: Pc,
    /// `ontimeout`.
    pub on_timeout: OnTimeout,
    /// The receives that matter while a call is here.
    pub set: RecvSet,
    /// `send`: its entry of the send table.
    pub send: Option<SendId>,
    /// The `recvCmd` that takes a command which arrives while a call is here.
    pub command: Option<TwinRecvId>,
    /// `hide`: not shown on screens.
    pub hidden: bool,
    /// `crlf`: followed by a blank line on screens.
    pub blank_after: bool,
    /// Response-time timers that start here, for the screen.
    pub starts_rtd: bool,
    /// Response-time timers that stop here, for the screen.
    pub stops_rtd: bool,
    /// The SDP of a message that arrives while a call is here tells where media goes: the program sends some, and the
    /// step has no `ignoresdp`.
    pub reads_sdp: bool,
}

/// A `send` step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Send {
    /// Its step.
    pub step: StepId,
    /// Its text.
    pub template: TemplateId,
    /// `retrans`: T1 in ms, 0 when it is never repeated by timer.
    pub retrans_ms: u32,
    /// `timeout`: how long it may wait for a connection whose peer does not read, in ms; 0 as the run says.
    pub timeout_ms: u32,
    /// Loss in percent; `None` takes `-lost`.
    pub lost: Option<NumId>,
    /// `start_txn`.
    pub starts: Option<TxnId>,
    /// `ack_txn`.
    pub acks: Option<TxnId>,
    /// What of the sent message its own actions read as text: it is then kept until they have run.
    pub actions_read: bool,
}

/// A `sendCmd` step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TwinSend {
    /// Its step; `None` in the init section.
    pub step: Option<StepId>,
    /// Its text.
    pub template: TemplateId,
    /// `dest`.
    pub peer: Option<PeerId>,
}

/// Whether a call goes on without a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TwinNeed {
    /// It does not.
    Must,
    /// It does when something comes that a later step waits for.
    MayBePassed,
    /// It does when the command has not come in time, since no later step waits with it.
    MayLack,
}

/// A `recvCmd` step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TwinRecv {
    /// Its step; `None` in the init section.
    pub step: Option<StepId>,
    /// Whether the call goes on without it.
    pub need: TwinNeed,
    /// `src`.
    pub peer: Option<PeerId>,
    /// `timeout` in ms; `None` takes `-recv_timeout`.
    pub timeout_ms: Option<u32>,
    /// First op of the block that runs when it has taken a command; the block ends with `twin-accept`.
    pub entry: Pc,
}

/// A variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: TextRef,
    /// Where it lives.
    pub scope: VarScope,
    /// Its place among the variables of that scope.
    pub slot: u16,
}

/// A response-time timer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rtd {
    /// Its name.
    pub name: TextRef,
    /// Borders of its repartition in ms, ascending; empty when it has none.
    pub borders_ms: Vec<u32>,
}

/// A transaction named by `start_txn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Txn {
    /// Its name.
    pub name: TextRef,
    /// The ACK that is repeated when its final response is.
    pub ack: Option<SendId>,
}

/// Most dialogs of a scenario: a call may hold the state of each.
pub const MAX_DIALOGS: usize = 64;

/// A dialog of a scenario that has several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dialog {
    /// Its name; empty for the main one.
    pub name: TextRef,
}

/// A keyword with `dialog=`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The dialog it speaks of.
    pub dialog: DialogId,
    /// What it prints of it.
    pub slot: Slot,
}

/// Something of a received message that later steps can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Capture {
    /// The joined values of a header (`[last_NAME]`); the name is looked up without regard to case.
    Header(TextRef),
    /// The whole message (`[last_message]`).
    Message,
    /// The text between `<` and `>` of To (`[last_Request_URI]`).
    ToUri,
}

/// How long a pause is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum PauseLength {
    /// The `-d` duration.
    Default,
    /// The value of a variable, in ms.
    Var(VarId),
    /// Drawn, in ms.
    Drawn(Distribution),
}

/// A `pause` or `timewait` step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pause {
    /// Its step.
    pub step: StepId,
    /// How long.
    pub length: PauseLength,
}

/// A field of an injection file (`[fieldN file=… line=…]`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Field {
    /// The file; `None` is the first that the run has.
    pub file: Option<FileId>,
    /// Which field, from 0.
    pub index: u32,
    /// The text that says which line, instead of the call's own.
    pub line: Option<TemplateId>,
}

/// The parameters of an `[authentication]`, each a text with keywords; absent ones have a default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Authentication {
    /// `username`: by default that of the run.
    pub username: Option<TemplateId>,
    /// `password`: by default that of the run.
    pub password: Option<TemplateId>,
    /// `aka_K`: by default the beginning of the password.
    pub aka_k: Option<TemplateId>,
    /// `aka_OP`: by default zeros.
    pub aka_op: Option<TemplateId>,
    /// `aka_AMF`: by default that of the challenge.
    pub aka_amf: Option<TemplateId>,
    /// `all=true`: challenges of the other kind that came before are answered too.
    pub all: bool,
}

impl Authentication {
    /// The texts that are given.
    pub fn texts(&self) -> impl Iterator<Item = TemplateId> {
        [
            self.username,
            self.password,
            self.aka_k,
            self.aka_op,
            self.aka_amf,
        ]
        .into_iter()
        .flatten()
    }
}

/// Where unexpected messages lead (label `_unexp.main`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handler {
    /// First op of the handler.
    pub entry: Pc,
    /// `_unexp.retaddr`: gets the index of the interrupted step; unless it is 0, the handler is not entered.
    pub return_to: Option<VarId>,
    /// `_unexp.pausedaddr`: gets the end of the interrupted pause.
    pub paused_until: Option<VarId>,
}

/// A scenario as ops and side tables, not yet verified.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Draft {
    /// Name for listings and log files: the file name without folder and `.xml`, or the built-in's name.
    pub name: String,
    /// File name that listings print with line numbers.
    pub file: String,
    /// Who opens calls.
    pub mode: Option<Mode>,
    /// The instructions.
    pub ops: Vec<Op>,
    /// First op of the `init` section; it ends with `end`.
    pub init: Option<Pc>,
    /// First op of each element of `init`, if one of them jumps to where a variable says.
    pub init_steps: Vec<Pc>,
    /// The steps; the entry of step 0 is where calls begin.
    pub steps: Vec<Step>,
    /// The byte pool.
    pub text: Vec<u8>,
    /// The texts with keywords.
    pub templates: Vec<Template>,
    /// Their parts.
    pub segments: Vec<Segment>,
    /// Templates of the automatic messages, in the order of [`AutoMessage::ALL`].
    pub auto: Vec<TemplateId>,
    /// `send` steps in document order.
    pub sends: Vec<Send>,
    /// `recv` steps in document order.
    pub recvs: Vec<Recv>,
    /// `sendCmd` steps in document order.
    pub twin_sends: Vec<TwinSend>,
    /// `recvCmd` steps in document order.
    pub twin_recvs: Vec<TwinRecv>,
    /// Names of the peers that commands go to and come from.
    pub peers: Vec<TextRef>,
    /// The command that ends a call on the other side; there if the scenario has commands.
    pub twin_abort: Option<TemplateId>,
    /// `pause` and `timewait` steps.
    pub pauses: Vec<Pause>,
    /// Captures.
    pub captures: Vec<Capture>,
    /// Lists of captures that receives refer to.
    pub capture_lists: Vec<CaptureId>,
    /// Regular expressions.
    pub regexes: Vec<Regex>,
    /// Automata of some of them.
    pub automata: Vec<Automaton>,
    /// `ereg` actions.
    pub eregs: Vec<Ereg>,
    /// `test` actions.
    pub tests: Vec<Test>,
    /// `strcmp` actions.
    pub strcmps: Vec<StrCmp>,
    /// Paths of the files that `[file]` includes, as written.
    pub includes: Vec<TextRef>,
    /// `sample` actions.
    pub samples: Vec<Sample>,
    /// Actions that change one field of an injection file.
    pub edits: Vec<FieldEdit>,
    /// Media actions in document order, those of `init` behind them.
    pub media: Vec<MediaAction>,
    /// Where unexpected messages lead.
    pub handler: Option<Handler>,
    /// Numeric constants.
    pub numbers: Vec<f64>,
    /// Variables.
    pub variables: Vec<Variable>,
    /// Response-time timers in order of first mention.
    pub rtds: Vec<Rtd>,
    /// Names of user counters in order of first mention.
    pub counters: Vec<TextRef>,
    /// Transactions.
    pub txns: Vec<Txn>,
    /// Dialogs, the main one first; empty when there is no other.
    pub dialogs: Vec<Dialog>,
    /// Keywords that speak of another dialog than their step's.
    pub elsewhere: Vec<Elsewhere>,
    /// BYE of an aborted dialog that the peer began; there if one may be.
    pub bye_from_called: Option<TemplateId>,
    /// Base names of the injection files that the scenario names.
    pub files: Vec<TextRef>,
    /// Fields of injection files.
    pub fields: Vec<Field>,
    /// `[authentication]` keywords.
    pub authentications: Vec<Authentication>,
    /// Borders of the call-length repartition in ms, ascending.
    pub call_length_borders_ms: Vec<u32>,
    /// Sum of the 99th percentiles of all pauses with a length of their own, in ms: for the default of `-l`.
    pub duration_ms: u64,
    /// Number of pauses that take their length from `-d`; each adds it to the duration.
    pub default_pauses: u32,
    /// Whether any text prints `[peer_tag_param]`.
    pub reads_peer_tag: bool,
    /// Whether any text prints `[next_url]` or `[routes]`.
    pub reads_routes: bool,
}

impl Draft {
    /// Bytes of the pool.
    ///
    /// # Panics
    /// When `text` does not belong to this draft.
    #[must_use]
    pub fn bytes(&self, text: TextRef) -> &[u8] {
        &self.text[text.range()]
    }

    /// Bytes of the pool as text, for people.
    #[must_use]
    pub fn display(&self, text: TextRef) -> String {
        String::from_utf8_lossy(self.text.get(text.range()).unwrap_or_default()).into_owned()
    }

    /// Number of variables of a scope.
    #[must_use]
    pub fn variable_count(&self, scope: VarScope) -> usize {
        self.variables.iter().filter(|v| v.scope == scope).count()
    }

    /// Which variable is the global one of this name.
    #[must_use]
    pub fn global(&self, name: &str) -> Option<usize> {
        self.variables
            .iter()
            .position(|v| v.scope == VarScope::Global && self.bytes(v.name) == name.as_bytes())
    }

    /// Checks everything the machine relies on and seals the draft.
    ///
    /// # Errors
    /// The first rule that does not hold, with the place.
    pub fn verify(self) -> Result<Program, VerifyError> {
        crate::verify::check(&self)?;
        Ok(Program(self))
    }
}

/// A draft that passed [`Draft::verify`].
#[derive(Clone, PartialEq, Debug)]
pub struct Program(Draft);

impl Program {
    /// Who opens calls.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.mode.expect("verified: a program has a mode")
    }

    /// Which side of a pair of twins it plays; `None` without commands.
    #[must_use]
    pub fn twin_role(&self) -> Option<TwinRole> {
        let first = self
            .0
            .steps
            .iter()
            .find(|step| matches!(step.kind, StepKind::SendCmd | StepKind::RecvCmd))?;
        Some(match (first.kind, self.mode()) {
            (StepKind::SendCmd, Mode::Client) => TwinRole::Caller,
            (StepKind::SendCmd, Mode::Server) => TwinRole::Called,
            _ => TwinRole::Commanded,
        })
    }

    /// Which side of a pair of twins makes the connections: as its calls say, or else its init section.
    #[must_use]
    pub fn link_role(&self) -> Option<TwinRole> {
        let starts = || {
            self.0.ops.iter().find_map(|op| match *op {
                Op::TwinSend { command } => {
                    let send = self.0.twin_sends[command.index()];
                    send.step.is_none().then_some(TwinRole::Caller)
                }
                Op::TwinAwait { .. } => Some(TwinRole::Commanded),
                _ => None,
            })
        };
        self.twin_role().or_else(starts)
    }

    /// Whether its init section exchanges commands, so that it may take a while.
    #[must_use]
    pub fn init_commands(&self) -> bool {
        let sends = self.0.twin_sends.iter().map(|send| send.step);
        let recvs = self.0.twin_recvs.iter().map(|recv| recv.step);
        sends.chain(recvs).any(|step| step.is_none())
    }

    /// Whether its calls have to be sent somewhere before anybody has sent them anything.
    #[must_use]
    pub fn needs_destination(&self) -> bool {
        self.0
            .steps
            .iter()
            .find(|step| matches!(step.kind, StepKind::Send | StepKind::Recv))
            .is_some_and(|step| step.kind == StepKind::Send)
    }

    /// The template of an automatic message.
    #[must_use]
    pub fn auto_template(&self, message: AutoMessage) -> TemplateId {
        self.0.auto[message as usize]
    }

    /// Captures that a receive keeps.
    #[must_use]
    pub fn captures_of(&self, recv: &Recv) -> &[CaptureId] {
        let first = recv.captures_first as usize;
        &self.0.capture_lists[first..first + recv.captures_count as usize]
    }

    /// Gives the tables back, for changing them; they must be verified again.
    #[must_use]
    pub fn into_draft(self) -> Draft {
        self.0
    }
}

impl core::ops::Deref for Program {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.0
    }
}
