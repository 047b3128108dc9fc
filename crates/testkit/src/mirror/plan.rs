// SPDX-License-Identifier: AGPL-3.0-only
//! What a peer has to do for a scenario to come through: its main path, seen from the other side.
//!
//! The walk keeps the requests that the scenario has sent, in order to know which one an expected response answers;
//! everything else about a message is decided when it is written ([`super::write`]).

use gossipper_compiler::ast::{
    Action, ActionKind, Check, Expect, Item, Name, Optionality, PauseLength, Recv, Scenario,
    SearchIn, Send, Step, StepKind,
};

use super::example;
use crate::sipp_cases::Role;

/// How often the walk passes a step before it ends: loops of a scenario are followed a few times.
const MAX_VISITS: u32 = 3;

/// Most moves of a plan.
const MAX_MOVES: usize = 300;

/// What a step without a message takes at most.
const ROUND_MS: u64 = 20;

/// A peer's part.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The peer's side of the call.
    pub role: Role,
    /// What it does, in order.
    pub moves: Vec<Move>,
    /// Does the scenario check the answers to its challenges, so that they have to be right?
    pub verified: bool,
}

/// How a peer behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// It does what the scenario cannot do without.
    #[default]
    Main,
    /// It also sends the provisional responses and requests that the scenario would take.
    Optional,
    /// In the middle of its part it sends something that the scenario does not expect there, and nothing more.
    Refusal,
}

impl Variant {
    /// Every variant.
    pub const ALL: [Self; 3] = [Self::Main, Self::Optional, Self::Refusal];

    /// Its name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Optional => "optional",
            Self::Refusal => "refusal",
        }
    }
}

/// One thing a peer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Lets time pass, because the scenario pauses before it listens.
    Wait {
        /// How long the scenario pauses.
        milliseconds: u64,
    },
    /// Waits for a request of the scenario.
    ExpectRequest {
        /// Its method; `None` when the scenario computes it.
        method: Option<String>,
        /// Number of this request among those of the scenario.
        slot: usize,
        /// The scenario may not send it.
        optional: bool,
        /// A later message needs its headers when another message has come in between.
        kept: bool,
    },
    /// Waits for a response of the scenario.
    ExpectResponse {
        /// Its status code.
        code: u16,
        /// The scenario may not send it.
        optional: bool,
    },
    /// Answers a request of the scenario.
    Answer {
        /// The status code.
        code: u16,
        /// Which request.
        slot: usize,
        /// Its method.
        method: String,
        /// Is it the message that came last, so that `[last_*]` are its headers?
        latest: bool,
        /// Does the request carry our tag already?
        tagged: bool,
        /// What the scenario looks for in the message.
        wanted: Wanted,
    },
    /// Sends a request.
    Request {
        /// Its method.
        method: String,
        /// The request of the scenario that opened the dialog; `None` where our own requests do.
        dialog: Option<Dialog>,
        /// The code of the challenge that this request answers.
        answers_challenge: Option<u16>,
        /// What the scenario looks for in the message.
        wanted: Wanted,
    },
}

/// The dialog that a request of the scenario opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialog {
    /// The request.
    pub slot: usize,
    /// Did it carry our tag already?
    pub tagged: bool,
}

/// What the actions of a `recv` demand of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Header lines without their line end.
    pub headers: Vec<String>,
    /// Lines of the body.
    pub body: Vec<String>,
}

/// A request that the scenario sent.
#[derive(Debug, Clone)]
struct Sent {
    method: String,
    txn: Option<Vec<u8>>,
    tagged: bool,
    open: bool,
}

impl Plan {
    /// Follows a scenario. `None` when no message passes on its main path.
    #[must_use]
    pub fn of(scenario: &Scenario, variant: Variant) -> Option<Self> {
        let steps: Vec<&Step> = scenario.steps().collect();
        let role = steps.iter().find_map(|step| match &step.kind {
            StepKind::Send(_) => Some(Role::Server),
            StepKind::Recv(_) => Some(Role::Client),
            _ => None,
        })?;
        let mut walk = Walk {
            role,
            variant,
            rel: steps.iter().any(|step| is_request(step, b"PRACK")),
            moves: Vec::new(),
            pause: 0,
            sent: Vec::new(),
            latest: None,
            answered: false,
            challenged: None,
        };
        walk.follow(scenario, &steps);
        if variant == Variant::Refusal {
            walk.refuse();
        }
        walk.mark_kept();
        (!walk.moves.is_empty()).then_some(Self {
            role,
            moves: walk.moves,
            verified: steps.iter().any(|step| verifies(step)),
        })
    }
}

fn is_request(step: &Step, method: &[u8]) -> bool {
    matches!(&step.kind, StepKind::Send(send) if first_word(send).as_deref() == Some(method))
}

fn verifies(step: &Step) -> bool {
    let actions: &[Action] = step.actions.as_ref().map_or(&[], |actions| &actions.list);
    actions
        .iter()
        .any(|action| matches!(action.kind, ActionKind::VerifyAuth { .. }))
}

fn first_word(send: &Send) -> Option<Vec<u8>> {
    let text = send.text.as_ref()?.bytes().trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace)?;
    Some(text[..end].to_vec())
}

/// The steps that labels name.
fn label(scenario: &Scenario, name: &Name) -> Option<usize> {
    let mut at = 0;
    let mut found = None;
    for item in &scenario.items {
        match item {
            Item::Step(_) => at += 1,
            Item::Label(label) if label.id.bytes == name.bytes => found = Some(at),
            _ => {}
        }
    }
    found
}

/// Is this optional `recv` what a peer should send: is there no mandatory one behind it, and is it the first that is no
/// provisional response?
fn only_choice(steps: &[&Step]) -> bool {
    let receives = steps.iter().map_while(|step| match &step.kind {
        StepKind::Recv(recv) => Some(recv),
        _ => None,
    });
    let provisional =
        |recv: &Recv| matches!(&recv.expect, Expect::Response(code) if code.value < 200);
    let mut receives = receives.peekable();
    receives.peek().is_some_and(|recv| !provisional(recv))
        && receives.all(|recv| recv.optional != Optionality::Mandatory)
}

struct Walk {
    role: Role,
    variant: Variant,
    /// Does the scenario send a PRACK, so that provisional responses have to be reliable?
    rel: bool,
    moves: Vec<Move>,
    /// What the scenario has paused since it last heard of us.
    pause: u64,
    sent: Vec<Sent>,
    /// The request that is the newest message from the scenario.
    latest: Option<usize>,
    /// Has the scenario seen our tag?
    answered: bool,
    /// The code by which the scenario has challenged our last request.
    challenged: Option<u16>,
}

impl Walk {
    fn follow(&mut self, scenario: &Scenario, steps: &[&Step]) {
        let mut visits = vec![0; steps.len()];
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            visits[at] += 1;
            if visits[at] > MAX_VISITS || self.moves.len() > MAX_MOVES {
                break;
            }
            let taken = match &step.kind {
                StepKind::Send(send) => {
                    self.heard(step, send);
                    true
                }
                StepKind::Recv(recv) => {
                    // The ACK of an INVITE comes from every peer, even where the scenario could do without it.
                    let ack =
                        matches!(&recv.expect, Expect::Request(method) if method.bytes() == b"ACK");
                    let mandatory = recv.optional == Optionality::Mandatory
                        || recv.optional == Optionality::Optional
                            && (ack || only_choice(&steps[at..]));
                    if recv.advance_state && (mandatory || self.offers(step, recv)) {
                        self.says(step, recv);
                    }
                    mandatory
                }
                StepKind::Pause(pause) | StepKind::Timewait(pause) => {
                    self.pause += match &pause.length {
                        PauseLength::Milliseconds(value) if value.value > 0.0 => value.value as u64,
                        PauseLength::Milliseconds(_) => 0,
                        _ => super::prepare::SHORT_MS,
                    };
                    true
                }
                StepKind::Nop => {
                    // SIPp passes it at its next round, and takes what comes before that for unexpected.
                    self.pause += ROUND_MS;
                    true
                }
                StepKind::SendCmd(_) | StepKind::RecvCmd(_) => true,
            };
            let certain = step.common.test.is_none()
                && step.common.chance.as_ref().is_none_or(|c| c.value >= 1.0);
            at = match &step.common.next {
                Some(next) if taken && certain => label(scenario, next).unwrap_or(steps.len()),
                _ => at + 1,
            };
        }
    }

    /// The scenario sends.
    fn heard(&mut self, step: &Step, send: &Send) {
        let Some(text) = &send.text else { return };
        let text = String::from_utf8_lossy(text.bytes())
            .trim_start()
            .to_owned();
        let optional = step.common.condexec.is_some()
            || step.common.lost.as_ref().is_some_and(|l| l.value > 0.0);
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        if first.starts_with("SIP/2.0") {
            let code = words
                .next()
                .and_then(|code| code.parse().ok())
                .unwrap_or(200);
            self.moves.push(Move::ExpectResponse { code, optional });
            self.latest = None;
            if code > 100 {
                self.answered = true;
            }
            if code == 401 || code == 407 {
                self.challenged = Some(code);
            }
        } else {
            let computed = !first.bytes().all(|b| b.is_ascii_uppercase());
            let slot = self.sent.len();
            self.moves.push(Move::ExpectRequest {
                method: (!computed).then(|| first.to_owned()),
                slot,
                optional,
                kept: false,
            });
            let to = header(&text, &["to", "t"]).unwrap_or_default();
            let tagged = to.contains("tag=")
                || self.answered
                    && ["[peer_tag_param]", "[$", "[last_", "[To"]
                        .iter()
                        .any(|k| to.contains(k));
            let whole_header = text.contains("[last_To") && self.answered;
            self.sent.push(Sent {
                method: if computed {
                    "OPTIONS".to_owned()
                } else {
                    first.to_owned()
                },
                txn: send.start_txn.as_ref().map(|name| name.bytes.clone()),
                tagged: tagged || whole_header,
                open: first != "ACK",
            });
            self.latest = Some(slot);
        }
        // Whatever we send next, the scenario may still have to pause after this.
        self.pause = 0;
    }

    /// Does this variant send what the scenario could do without? Nothing that would lead it elsewhere.
    fn offers(&self, step: &Step, recv: &Recv) -> bool {
        self.variant == Variant::Optional
            && recv.optional == Optionality::Optional
            && step.common.next.is_none()
            && match &recv.expect {
                Expect::Response(code) => code.value < 200,
                Expect::Request(_) => true,
                Expect::RequestRegex(_) | Expect::ResponseRegex(_) | Expect::Nothing => false,
            }
    }

    /// Puts something unexpected in the place of the message in the middle, and ends there.
    fn refuse(&mut self) {
        let ours: Vec<usize> = (0..self.moves.len())
            .filter(|at| matches!(self.moves[*at], Move::Answer { .. } | Move::Request { .. }))
            .collect();
        // The first request of a server scenario opens its call.
        let first = usize::from(self.role == Role::Client);
        let Some(at) = ours.get((ours.len() / 2).max(first)).copied() else {
            return;
        };
        match &mut self.moves[at] {
            Move::Answer { code, wanted, .. } => {
                *code = if *code == 503 { 486 } else { 503 };
                *wanted = Wanted::default();
            }
            Move::Request { method, wanted, .. } => {
                *method = if method == "INFO" { "MESSAGE" } else { "INFO" }.to_owned();
                *wanted = Wanted::default();
            }
            _ => {}
        }
        self.moves.truncate(at + 1);
    }

    /// The scenario waits for us.
    fn says(&mut self, step: &Step, recv: &Recv) {
        match &recv.expect {
            Expect::Response(code) => {
                let code = u16::try_from(code.value).unwrap_or(200);
                self.answer(code, step, recv);
            }
            Expect::ResponseRegex(regex) => {
                let code = example::status_code(regex.bytes());
                self.answer(code, step, recv);
            }
            Expect::Request(method) => self.request(&method.display(), step),
            Expect::RequestRegex(regex) => self.request(&example::method(regex.bytes()), step),
            Expect::Nothing => {}
        }
    }

    fn wait(&mut self) {
        if self.pause > 0 {
            self.moves.push(Move::Wait {
                milliseconds: self.pause,
            });
        }
        self.pause = 0;
    }

    fn answer(&mut self, code: u16, step: &Step, recv: &Recv) {
        let txn = recv.response_txn.as_ref().map(|name| &name.bytes);
        let Some(slot) = self.answered_by(code, txn) else {
            return;
        };
        self.wait();
        let mut wanted = wanted(step);
        if self.rel && (101..200).contains(&code) {
            wanted
                .headers
                .extend(["Require: 100rel".to_owned(), "RSeq: 1".to_owned()]);
        }
        let request = &mut self.sent[slot];
        if code >= 200 {
            request.open = false;
        }
        self.moves.push(Move::Answer {
            code,
            slot,
            method: request.method.clone(),
            latest: self.latest == Some(slot),
            tagged: request.tagged,
            wanted,
        });
        if code > 100 {
            self.answered = true;
        }
    }

    /// Which request a response answers: the one of its transaction; a provisional response and one to a cancelled
    /// call the INVITE, everything else the newest request that has no final response yet.
    fn answered_by(&self, code: u16, txn: Option<&Vec<u8>>) -> Option<usize> {
        let find = |wanted: &dyn Fn(&Sent) -> bool| self.sent.iter().rposition(wanted);
        if let Some(txn) = txn {
            return find(&|sent| sent.txn.as_ref() == Some(txn));
        }
        let invite = |sent: &Sent| sent.open && sent.method == "INVITE";
        if (code < 200 || code == 487)
            && let Some(slot) = find(&invite)
        {
            return Some(slot);
        }
        find(&|sent| sent.open && sent.method != "INVITE")
            .or_else(|| find(&invite))
            .or_else(|| find(&|sent| sent.method != "ACK"))
    }

    fn request(&mut self, method: &str, step: &Step) {
        self.wait();
        let dialog = (self.role == Role::Server)
            .then(|| {
                let slot = self.sent.iter().position(|sent| sent.method != "ACK")?;
                Some(Dialog {
                    slot,
                    tagged: self.sent[slot].tagged,
                })
            })
            .flatten();
        self.moves.push(Move::Request {
            method: method.to_owned(),
            dialog,
            answers_challenge: self.challenged.filter(|_| method != "ACK"),
            wanted: wanted(step),
        });
        if method != "ACK" {
            self.challenged = None;
        }
    }

    /// Marks the requests whose headers a later message needs.
    fn mark_kept(&mut self) {
        let needed: Vec<usize> = self
            .moves
            .iter()
            .filter_map(|one| match one {
                Move::Answer {
                    slot,
                    latest: false,
                    ..
                } => Some(*slot),
                Move::Request {
                    dialog: Some(dialog),
                    ..
                } => Some(dialog.slot),
                _ => None,
            })
            .collect();
        for one in &mut self.moves {
            if let Move::ExpectRequest { slot, kept, .. } = one {
                *kept = needed.contains(slot);
            }
        }
    }
}

/// The value of a header in a message text.
fn header<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        names
            .iter()
            .any(|n| name.trim().eq_ignore_ascii_case(n))
            .then_some(value)
    })
}

/// Headers that every message of a mirror has.
const ALWAYS_THERE: &[&str] = &[
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "call-id",
    "i",
    "cseq",
    "contact",
    "m",
    "content-length",
    "l",
    "max-forwards",
    "www-authenticate",
    "proxy-authenticate",
    "authorization",
    "proxy-authorization",
];

/// What the searches of a step look for.
fn wanted(step: &Step) -> Wanted {
    let mut wanted = Wanted::default();
    let actions: &[Action] = step.actions.as_ref().map_or(&[], |actions| &actions.list);
    for action in actions {
        let ActionKind::Ereg {
            regexp,
            search_in,
            check,
            ..
        } = &action.kind
        else {
            continue;
        };
        if *check == Check::MustNot {
            continue;
        }
        match search_in {
            SearchIn::Header(search) => {
                let name = search.header.display();
                let name = name.trim().trim_end_matches(':');
                let known = ALWAYS_THERE.iter().any(|n| name.eq_ignore_ascii_case(n));
                let token = !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                let there = wanted
                    .headers
                    .iter()
                    .any(|line| line.starts_with(&format!("{name}: ")));
                if token && !known && !there {
                    let value = example::text(regexp.bytes());
                    wanted.headers.push(format!("{name}: {value}"));
                }
            }
            SearchIn::Message if *check == Check::Must => {
                wanted
                    .headers
                    .push(format!("X-Mirror: {}", example::text(regexp.bytes())));
            }
            SearchIn::Body if *check == Check::Must => {
                wanted.body.push(example::text(regexp.bytes()))
            }
            SearchIn::Body | SearchIn::Message | SearchIn::Variable(_) => {}
        }
    }
    wanted
}
