// SPDX-License-Identifier: AGPL-3.0-only
//! The ladder of a scenario: its steps in document order, as their author wrote them.
//!
//! Nothing is resolved and no branch is taken: what a step may do besides stands in its notes.

use super::{Event, Ladder, Row};
use gossipper_compiler::ast::{
    Actions, Common, Expect, Item, Name, Optionality, Pause, PauseLength, Recv, Scenario, Step,
    StepKind,
};
use gossipper_compiler::source::{SourceFile, Text, readable};

/// The lifelines, from left to right, when there is a twin.
const TWIN: &str = "twin";
const OURS: &str = "gossipper";
const PEER: &str = "peer";

/// Draws up the ladder of a scenario.
pub(crate) fn ladder(scenario: &Scenario, source: &SourceFile) -> Ladder {
    let twin = scenario
        .steps()
        .any(|step| matches!(step.kind, StepKind::SendCmd(_) | StepKind::RecvCmd(_)));
    let name = match &scenario.name {
        Some(name) => format!("{} ({})", name.display(), source.name()),
        None => source.name().to_owned(),
    };
    let mut painter = Painter {
        source,
        us: usize::from(twin),
        rows: Vec::new(),
        hidden: false,
    };
    // `init` runs before everything, wherever it stands.
    for item in &scenario.items {
        if let Item::Init(init) = item {
            painter.mark("init, once before the first call".to_owned());
            painter.items(&init.items);
            painter.mark("each call".to_owned());
        }
    }
    painter.items(&scenario.items);
    let mut lifelines = vec![OURS.to_owned(), PEER.to_owned()];
    if twin {
        lifelines.insert(0, TWIN.to_owned());
    }
    Ladder {
        title: name,
        lifelines,
        rows: painter.rows,
    }
}

struct Painter<'a> {
    source: &'a SourceFile,
    /// Our lifeline; the peer's is the next, the twin's the one before.
    us: usize,
    rows: Vec<Row>,
    /// `hiderest` of an earlier step.
    hidden: bool,
}

impl Painter<'_> {
    fn mark(&mut self, name: String) {
        self.rows.push(Row {
            margin: String::new(),
            event: Event::Mark(name),
            notes: Vec::new(),
        });
    }

    fn items(&mut self, items: &[Item]) {
        let mut index = 0;
        for item in items {
            match item {
                Item::Step(step) => {
                    self.step(index, step);
                    index += 1;
                }
                Item::Label(label) => self.mark(label.id.display().into_owned()),
                Item::Declaration(_)
                | Item::Repartition(_)
                | Item::DefaultMessage(_)
                | Item::Init(_) => {}
            }
        }
    }

    fn step(&mut self, index: usize, step: &Step) {
        let us = self.us;
        let mut notes = Vec::new();
        let event = match &step.kind {
            StepKind::Send(send) => {
                let common = [
                    named("dialog", step.common.dialog.as_ref()),
                    send.new_dialog.map(|_| "begins the dialog anew".to_owned()),
                    named("starts transaction", send.start_txn.as_ref()),
                    named("ACK of transaction", send.ack_txn.as_ref()),
                    milliseconds("again after", send.retrans_ms.as_ref().map(|ms| ms.value)),
                    milliseconds("timeout", send.timeout_ms.as_ref().map(|ms| ms.value)),
                ];
                notes.extend(common.into_iter().flatten());
                Event::Message {
                    from: us,
                    to: us + 1,
                    label: sent(send.text.as_ref()),
                    optional: false,
                }
            }
            StepKind::Recv(recv) => {
                notes.extend(named("dialog", step.common.dialog.as_ref()));
                notes.extend(received_notes(recv));
                Event::Message {
                    from: us + 1,
                    to: us,
                    label: expected(recv),
                    optional: recv.optional != Optionality::Mandatory,
                }
            }
            StepKind::SendCmd(command) => {
                notes.extend(
                    command
                        .dest
                        .as_ref()
                        .map(|to| format!("to {}", to.display())),
                );
                Event::Message {
                    from: us,
                    to: us.saturating_sub(1),
                    label: "command".to_owned(),
                    optional: false,
                }
            }
            StepKind::RecvCmd(command) => {
                notes.extend(
                    command
                        .src
                        .as_ref()
                        .map(|from| format!("from {}", from.display())),
                );
                notes.extend(may_be_left_out(command.optional));
                notes.extend(milliseconds(
                    "timeout",
                    command.timeout_ms.as_ref().map(|ms| ms.value),
                ));
                Event::Message {
                    from: us.saturating_sub(1),
                    to: us,
                    label: "command".to_owned(),
                    optional: command.optional != Optionality::Mandatory,
                }
            }
            StepKind::Pause(pause) => self.local(format!("pause {}", length(pause))),
            StepKind::Timewait(pause) => self.local(format!("timewait {}", length(pause))),
            StepKind::Nop => self.local(match &step.common.display {
                Some(display) => display.display().into_owned(),
                None => "nop".to_owned(),
            }),
        };
        self.common_notes(&step.common, step.actions.as_ref(), &mut notes);
        self.rows.push(Row {
            margin: index.to_string(),
            event,
            notes,
        });
        if step.common.crlf {
            self.rows.push(Row {
                margin: String::new(),
                event: Event::Gap,
                notes: Vec::new(),
            });
        }
    }

    fn local(&self, label: String) -> Event {
        Event::Local { at: self.us, label }
    }

    /// What every step may have.
    fn common_notes(
        &mut self,
        common: &Common,
        actions: Option<&Actions>,
        notes: &mut Vec<String>,
    ) {
        if let Some(condition) = &common.condexec {
            let word = if common.condexec_inverse {
                "unless"
            } else {
                "if"
            };
            notes.insert(0, format!("{word} ${} is set", condition.display()));
        }
        let again = if common.repeat_rtd { ", each time" } else { "" };
        notes.extend(named("starts timer", common.start_rtd.as_ref()));
        notes.extend(named("stops timer", common.rtd.as_ref()).map(|note| note + again));
        notes.extend(named("counter", common.counter.as_ref()));
        notes.extend(
            common
                .lost
                .as_ref()
                .map(|lost| format!("lost in {} %", lost.value)),
        );
        if let Some(actions) = actions {
            notes.extend(self.actions(actions));
        }
        if let Some(to) = &common.next {
            let mut note = format!("next: {}", to.display());
            if let Some(test) = &common.test {
                note.push_str(&format!(" if ${} is set", test.display()));
            }
            if let Some(chance) = &common.chance {
                note.push_str(&format!(", chance {} %", chance.value * 100.0));
            }
            notes.push(note);
        }
        notes.extend(named("on timeout:", common.ontimeout.as_ref()));
        self.hidden = common.hiderest.unwrap_or(self.hidden);
        if common.hide.unwrap_or(self.hidden) {
            notes.push("not shown on screen".to_owned());
        }
    }

    /// The names of the actions, each with how often it comes in a row.
    fn actions(&self, actions: &Actions) -> Option<String> {
        let mut names: Vec<(String, usize)> = Vec::new();
        for action in &actions.list {
            let name = readable(self.source.slice(action.span)).into_owned();
            match names.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => names.push((name, 1)),
            }
        }
        let names: Vec<String> = names
            .into_iter()
            .map(|(name, count)| match count {
                1 => name,
                count => format!("{count} {name}"),
            })
            .collect();
        (!names.is_empty()).then(|| format!("does: {}", names.join(", ")))
    }
}

fn named(what: &str, name: Option<&Name>) -> Option<String> {
    name.map(|name| format!("{what} {}", name.display()))
}

fn milliseconds(what: &str, ms: Option<i64>) -> Option<String> {
    ms.map(|ms| format!("{what} {ms} ms"))
}

/// The method of a request, or status and reason of a response.
fn sent(text: Option<&Text>) -> String {
    let text = text.map(Text::display).unwrap_or_default();
    let Some(line) = text.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return "?".to_owned();
    };
    match line.split_once([' ', '\t']) {
        Some((version, rest)) if version.starts_with("SIP/") => rest.trim().to_owned(),
        Some((method, _)) => method.to_owned(),
        None => line.to_owned(),
    }
}

fn expected(recv: &Recv) -> String {
    match &recv.expect {
        Expect::Request(method) => method.display().into_owned(),
        Expect::RequestRegex(expression) => format!("method ~ {}", expression.display()),
        Expect::Response(code) => code.value.to_string(),
        Expect::ResponseRegex(expression) => format!("status ~ {}", expression.display()),
        Expect::Nothing => "nothing".to_owned(),
    }
}

fn may_be_left_out(optional: Optionality) -> Option<String> {
    match optional {
        Optionality::Mandatory => None,
        Optionality::Optional => Some("optional".to_owned()),
        Optionality::Global => Some("optional, at any later time".to_owned()),
    }
}

fn received_notes(recv: &Recv) -> Vec<String> {
    let flag = |set: bool, note: &str| set.then(|| note.to_owned());
    [
        may_be_left_out(recv.optional),
        recv.accept.as_ref().map(|user| match user.bytes() {
            b"" => "begins the dialog".to_owned(),
            _ => format!("begins the dialog, for {}", user.display()),
        }),
        named("of transaction", recv.response_txn.as_ref()),
        flag(!recv.advance_state, "the call stays where it is"),
        milliseconds("timeout", recv.timeout_ms.as_ref().map(|ms| ms.value)),
        flag(recv.rrs, "keeps the route set"),
        flag(recv.auth, "keeps the challenge"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn length(pause: &Pause) -> String {
    match &pause.length {
        PauseLength::Default => "as long as -d says".to_owned(),
        PauseLength::Milliseconds(ms) => format!("{} ms", ms.value),
        PauseLength::Variable(name) => format!("${} ms", name.display()),
        PauseLength::Distribution(distribution) => {
            // `Normal { mean: 1.0, stdev: 2.0 }` reads well enough without its braces.
            format!("{:?}", distribution.value)
                .replace(" { ", " ")
                .replace(" }", "")
                .replace(": ", " ")
                .to_lowercase()
        }
        PauseLength::Poisoned => "?".to_owned(),
    }
}
