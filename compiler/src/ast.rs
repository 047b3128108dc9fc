// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario as its author wrote it: typed attribute values, spans kept, nothing resolved.
//!
//! [`Scenario::items`] holds everything under `<scenario>` in document order, because order matters: a variable named
//! before its `<Global>` is call-local, and a response-time repartition holds for the timers named above it.
//! Names stay names, texts are not searched for keywords, and CDATA is as in the file (line ends made LF).
//!
//! What the parser found wrong is already reported. A value that could not be read is absent (`None`), an action that
//! could not be read is [`ActionKind::Poisoned`]; whoever meets one says nothing more about it.

mod action;

pub use action::{
    Action, ActionKind, Actions, ArithOp, Check, Compare, Exec, HeaderSearch, IntCmd, MediaWord,
    Operand, SearchIn, TextOperand,
};

pub use gossipper_bytecode::Distribution;

use crate::source::{Span, Spanned, Text};

/// A name of the author's: a variable, label, timer, counter or transaction. Not trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name as bytes of the file's encoding.
    pub bytes: Vec<u8>,
    /// Where it is mentioned.
    pub span: Span,
}

impl Name {
    /// For messages.
    pub fn display(&self) -> std::borrow::Cow<'_, str> {
        crate::source::readable(&self.bytes)
    }
}

/// A whole scenario file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The `name` attribute.
    pub name: Option<Text>,
    /// The word `scenario` of the root element.
    pub span: Span,
    /// Everything below the root, in document order.
    pub items: Vec<Item>,
}

impl Scenario {
    /// The elements that take an index, in order: the index of a step is its position here.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().filter_map(|item| match item {
            Item::Step(step) => Some(&**step),
            _ => None,
        })
    }
}

/// One child of `<scenario>`.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `send recv pause timewait nop sendCmd recvCmd`: takes an index.
    Step(Box<Step>),
    /// `<label id=…/>`: names the index of the next step.
    Label(Label),
    /// `Global`, `User`, `Reference`.
    Declaration(Declaration),
    /// `ResponseTimeRepartition`, `CallLengthRepartition`.
    Repartition(Repartition),
    /// `<DefaultMessage id=…>`.
    DefaultMessage(DefaultMessage),
    /// `<init>`.
    Init(Init),
}

/// `<label id=…/>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its `id`.
    pub id: Name,
    /// The word `label`.
    pub span: Span,
}

/// Which list a declaration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclarationKind {
    /// Shared by all calls of the process.
    Global,
    /// Kept per user id.
    User,
    /// Adds one reference to each name.
    Reference,
}

/// `Global`, `User` or `Reference`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Which of the three.
    pub kind: DeclarationKind,
    /// The names, in order.
    pub names: Vec<Name>,
    /// The element's name.
    pub span: Span,
}

/// Which histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepartitionKind {
    /// Of every response timer named above.
    ResponseTime,
    /// Of call lengths.
    CallLength,
}

/// Histogram borders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repartition {
    /// Of what.
    pub kind: RepartitionKind,
    /// Milliseconds, sorted, as SIPp sorts them.
    pub borders_ms: Vec<i64>,
    /// The element's name.
    pub span: Span,
}

/// Which automatic message is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultMessageId {
    /// `3pcc_abort`
    TwinAbort,
    /// `ack`
    Ack,
    /// `ack2`, accepted and never sent.
    Ack2,
    /// `bye`
    Bye,
    /// `cancel`
    Cancel,
    /// `200`
    Ok200,
}

/// `<DefaultMessage id=…>` with CDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultMessage {
    /// Which one; absent when the id was wrong.
    pub id: Option<Spanned<DefaultMessageId>>,
    /// Its CDATA; absent when missing.
    pub text: Option<Text>,
    /// The element's name.
    pub span: Span,
}

/// `<init>`: runs once before traffic, with a label namespace of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Init {
    /// Only [`Item::Step`] of kind [`StepKind::Nop`], and [`Item::Label`].
    pub items: Vec<Item>,
    /// The word `init`.
    pub span: Span,
}

/// An element that takes an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The element's name, for messages.
    pub span: Span,
    /// From its `<` to the end of its end tag.
    pub extent: Span,
    /// Attributes that every step may have.
    pub common: Common,
    /// What it does.
    pub kind: StepKind,
    /// Its `<action>` block, when that is the first child element.
    pub actions: Option<Actions>,
}

/// Attributes of every step (their defaults applied where absent and wrong mean the same).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// Starts a response timer. `true` has become the name `1`; `false` is absent.
    pub start_rtd: Option<Name>,
    /// Stops a response timer; `true` and `false` as above.
    pub rtd: Option<Name>,
    /// Record at every pass.
    pub repeat_rtd: bool,
    /// A user counter to raise.
    pub counter: Option<Name>,
    /// Percentage of messages dropped here; 0 overrides the run's `-lost` too.
    pub lost: Option<Spanned<f64>>,
    /// Blank line after the row on screen.
    pub crlf: bool,
    /// SDP arriving at this step does not move media.
    pub ignoresdp: bool,
    /// Own setting of row visibility.
    pub hide: Option<bool>,
    /// New default of `hide` from here on.
    pub hiderest: Option<bool>,
    /// Text shown for a `nop`.
    pub display: Option<Text>,
    /// Execute only if the variable is set.
    pub condexec: Option<Name>,
    /// Inverts `condexec`.
    pub condexec_inverse: bool,
    /// Label to go to afterwards.
    pub next: Option<Name>,
    /// Branch only if the variable is set; absent without `next`.
    pub test: Option<Name>,
    /// Probability of the branch, 0 to 1; absent without `next`.
    pub chance: Option<Spanned<f64>>,
    /// Label to go to on a timeout.
    pub ontimeout: Option<Name>,
    /// The dialog it belongs to; the main one otherwise.
    pub dialog: Option<Name>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `<send>`
    Send(Send),
    /// `<recv>`
    Recv(Recv),
    /// `<pause>`
    Pause(Pause),
    /// `<timewait>`, always last
    Timewait(Pause),
    /// `<nop>`
    Nop,
    /// `<sendCmd>`
    SendCmd(SendCmd),
    /// `<recvCmd>`
    RecvCmd(RecvCmd),
}

/// `<send>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// First UDP retransmission interval; 0 is absent.
    pub retrans_ms: Option<Spanned<i64>>,
    /// How long to wait on a congested socket; 0 is absent.
    pub timeout_ms: Option<Spanned<i64>>,
    /// Transaction that this request starts.
    pub start_txn: Option<Name>,
    /// Transaction that this ACK ends.
    pub ack_txn: Option<Name>,
    /// The dialog begins anew with it: the place of the attribute.
    pub new_dialog: Option<Span>,
    /// `response_txn`, which is an error here; its place.
    pub response_txn: Option<Name>,
    /// The CDATA as written; absent when missing.
    pub text: Option<Text>,
}

/// May a step be passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Optionality {
    /// `false`: it must match.
    #[default]
    Mandatory,
    /// `true`: it may be skipped forward.
    Optional,
    /// `global`: it may match at any later time too.
    Global,
}

/// What a `<recv>` waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A request with exactly this method.
    Request(Text),
    /// A request whose method this expression finds something in.
    RequestRegex(Text),
    /// A response with this code.
    Response(Spanned<i64>),
    /// A response in whose decimal code this expression finds something.
    ResponseRegex(Text),
    /// Neither attribute: never matches.
    Nothing,
}

/// `<recv>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Recv {
    /// What it waits for.
    pub expect: Expect,
    /// `response` beside a `request`: shown, never matched.
    pub shown_response: Option<Text>,
    /// The user that a request must be for that begins the dialog; anyone, when empty.
    pub accept: Option<Text>,
    /// Transaction whose response it is.
    pub response_txn: Option<Name>,
    /// May it be passed over.
    pub optional: Optionality,
    /// Whether a match moves the call on.
    pub advance_state: bool,
    /// Milliseconds; 0 is absent.
    pub timeout_ms: Option<Spanned<i64>>,
    /// Store route set and remote target.
    pub rrs: bool,
    /// Store the challenge of a 401 or 407.
    pub auth: bool,
}

/// `<pause>` and `<timewait>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// How long.
    pub length: PauseLength,
    /// Whether an absurd length is an error at load.
    pub sanity_check: bool,
}

/// Where a pause takes its length from.
#[derive(Clone, Debug, PartialEq)]
pub enum PauseLength {
    /// The run's `-d`.
    Default,
    /// `milliseconds`
    Milliseconds(Spanned<f64>),
    /// `variable`
    Variable(Name),
    /// `distribution`, a legacy flag, or `min`/`max`
    Distribution(Spanned<Distribution>),
    /// It was wrong.
    Poisoned,
}

/// `<sendCmd>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendCmd {
    /// Peer name of extended 3PCC.
    pub dest: Option<Text>,
    /// The CDATA as written; absent when missing.
    pub text: Option<Text>,
}

/// `<recvCmd>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecvCmd {
    /// Peer name of extended 3PCC.
    pub src: Option<Text>,
    /// May it be passed over.
    pub optional: Optionality,
    /// Milliseconds; 0 is absent.
    pub timeout_ms: Option<Spanned<i64>>,
}
