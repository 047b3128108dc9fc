// SPDX-License-Identifier: AGPL-3.0-only
//! Which parts of the last message later steps can read, hence what a receive must keep.
//!
//! A backward data flow over the step graph. A receive that advances replaces the last message as a whole, so what
//! lives behind it is what it keeps. Its own actions read the message *before* it, and so does a
//! receive that does not advance. Repetitions of messages are rendered from the message in hand and make nothing
//! live. In client mode an abort may send ACK, BYE or CANCEL wherever the call waits behind its first step.

use crate::ast::{Step, StepKind};
use crate::graph::{Graph, is_global};
use crate::recv_set::Receives;

/// A set of captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live(Vec<u64>);

impl Live {
    /// An empty set for as many captures.
    pub(crate) fn none(captures: usize) -> Self {
        Self(vec![0; captures.div_ceil(64)])
    }

    /// Adds a capture.
    pub(crate) fn insert(&mut self, capture: usize) {
        self.0[capture / 64] |= 1 << (capture % 64);
    }

    /// The captures in it, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 != 0)
                .map(move |bit| index * 64 + bit)
        })
    }

    /// Adds all of another set; whether that changed anything.
    fn join(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            changed |= more & !*word != 0;
            *word |= more;
        }
        changed
    }
}

/// What the steps read.
#[derive(Debug)]
pub(crate) struct Reads<'a> {
    /// Number of captures.
    pub(crate) captures: usize,
    /// Per step: what its message and its actions read.
    pub(crate) steps: &'a [Live],
    /// What the automatic messages read that an abort may send; empty in server mode.
    pub(crate) aborts: &'a Live,
}

/// Largest table that is worked out, in bits: far beyond any scenario that people write.
const MAX_BITS: usize = 1 << 26;

/// Whether the table for as many steps and captures may be worked out.
pub(crate) fn fits(steps: usize, captures: usize) -> bool {
    steps.saturating_mul(captures) <= MAX_BITS
}

/// What each receive keeps, in document order.
pub(crate) fn keeps(
    steps: &[&Step],
    graph: &Graph,
    receives: &Receives,
    reads: &Reads<'_>,
) -> Vec<Live> {
    let none = Live::none(reads.captures);
    if reads.captures == 0 {
        return vec![none; receives.steps().len()];
    }
    let flow = Flow {
        steps,
        graph,
        receives,
        reads,
    };
    flow.kept(&flow.solve())
}

struct Flow<'a> {
    steps: &'a [&'a Step],
    graph: &'a Graph,
    receives: &'a Receives,
    reads: &'a Reads<'a>,
}

impl Flow<'_> {
    /// What lives where control comes to each step.
    fn solve(&self) -> Vec<Live> {
        let count = self.steps.len();
        // Two nodes that are no steps keep the number of edges linear: where exhausted repetitions lead, and
        // where a jump to a variable may lead.
        let (given_up, anywhere) = (count, count + 1);
        let mut live = self.own();
        live.resize(count + 2, Live::none(self.reads.captures));
        let mut flows_to: Vec<Vec<usize>> = vec![Vec::new(); count + 2];
        for step in 0..count {
            let mut flow = |from: usize, to: usize| {
                if from < count + 2 {
                    flows_to[from].push(to);
                }
            };
            flow(step, anywhere);
            if let Some(command) = self.receives.command(step).filter(|at| *at != step) {
                flow(command, step);
            }
            if self.receives.is_passing(step) && step + 1 < count {
                // A message passes over it as if the call were one step further.
                flow(step + 1, step);
            }
            let is_receive = self.receives.index(step).is_some();
            let passed_over =
                self.steps[step].common.condexec.is_some() || self.graph.restores_pauses();
            if !is_receive || passed_over {
                for target in self
                    .graph
                    .after(step)
                    .iter()
                    .filter(|target| **target < count)
                {
                    flow(*target, step);
                }
                if self.graph.jumps_anywhere() {
                    flow(anywhere, step);
                }
            }
            let timeouts = self.graph.timeouts(step, self.steps, self.receives);
            for target in timeouts.filter(|target| *target < count) {
                flow(target, step);
                // A repetition runs out while the call waits anywhere behind its send.
                if matches!(self.steps[step].kind, StepKind::Send(_)) {
                    flow(target, given_up);
                }
            }
            if self.waits(step) {
                flow(given_up, step);
                if let Some(handler) = self.graph.handler().filter(|target| *target < count) {
                    flow(handler, step);
                }
            }
        }
        let mut queued = vec![true; count + 2];
        let mut todo: Vec<usize> = (0..count + 2).collect();
        while let Some(step) = todo.pop() {
            queued[step] = false;
            let now = live[step].clone();
            for &before in &flows_to[step] {
                if live[before].join(&now) && !core::mem::replace(&mut queued[before], true) {
                    todo.push(before);
                }
            }
        }
        live.truncate(count);
        live
    }

    /// Per step: what it reads itself, or may make read while the call waits there.
    fn own(&self) -> Vec<Live> {
        let none = Live::none(self.reads.captures);
        let mut globals = none.clone();
        let mut run = (0..0, none.clone());
        let mut all = Vec::with_capacity(self.steps.len() + 2);
        for (step, reads) in self.reads.steps.iter().enumerate() {
            let mut own = none.clone();
            match self.receives.index(step) {
                Some(receive) => {
                    // Any receive of the run may match here.
                    let range = self.receives.run(receive);
                    if run.0 != range {
                        run = (range.clone(), self.union(range, self.reads.steps));
                    }
                    own.join(&run.1);
                }
                None => {
                    own.join(reads);
                }
            }
            if self.waits(step) {
                if step > 0 {
                    own.join(self.reads.aborts);
                }
                own.join(&globals);
            }
            if is_global(self.steps[step]) {
                globals.join(reads);
            }
            all.push(own);
        }
        all
    }

    /// Everything in the sets of the steps of a run.
    fn union(&self, run: core::ops::Range<usize>, sets: &[Live]) -> Live {
        let mut union = Live::none(self.reads.captures);
        for step in &self.receives.steps()[run] {
            union.join(&sets[*step]);
        }
        union
    }

    fn waits(&self, step: usize) -> bool {
        match self.steps[step].kind {
            StepKind::Send(_)
            | StepKind::Recv(_)
            | StepKind::Pause(_)
            | StepKind::Timewait(_)
            | StepKind::SendCmd(_)
            | StepKind::RecvCmd(_) => true,
            StepKind::Nop => false,
        }
    }

    /// Per receive: what lives behind it, and where the call stays if it may.
    fn kept(&self, live: &[Live]) -> Vec<Live> {
        let mut everywhere = None;
        let mut run = (0..0, Live::none(self.reads.captures));
        let mut all = Vec::with_capacity(self.receives.steps().len());
        for (receive, step) in self.receives.steps().iter().copied().enumerate() {
            let mut kept = Live::none(self.reads.captures);
            let advances =
                matches!(&self.steps[step].kind, StepKind::Recv(recv) if recv.advance_state);
            if advances {
                for target in self.graph.after(step) {
                    if let Some(there) = live.get(*target) {
                        kept.join(there);
                    }
                }
            }
            if advances && self.steps[step].common.test.is_some() {
                if is_global(self.steps[step]) || !self.receives.command_steps().is_empty() {
                    kept.join(everywhere.get_or_insert_with(|| {
                        let mut union = Live::none(self.reads.captures);
                        live.iter().for_each(|there| {
                            union.join(there);
                        });
                        union
                    }));
                }
                let range = self.receives.run(receive);
                if run.0 != range {
                    run = (range.clone(), self.union(range, live));
                }
                kept.join(&run.1);
            }
            all.push(kept);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Labels;
    use crate::testing::scenario;

    /// Each send and action text reads the captures whose digits it holds; what each receive keeps.
    fn kept(xml: &str, aborts: &[usize]) -> Vec<Vec<usize>> {
        let scenario = scenario(xml);
        let steps: Vec<_> = scenario.steps().collect();
        let labels = Labels::collect(&scenario.items, &mut crate::diag::Diagnostics::new(false));
        let graph = Graph::build(&steps, &labels);
        let receives = Receives::find(&steps);
        let set = |text: &[u8]| {
            let mut live = Live::none(10);
            for digit in text.iter().filter(|b| b.is_ascii_digit()) {
                live.insert(usize::from(digit - b'0'));
            }
            live
        };
        let reads: Vec<Live> = steps
            .iter()
            .map(|step| {
                let mut text = Vec::new();
                if let StepKind::Send(send) = &step.kind {
                    text.extend_from_slice(send.text.as_ref().expect("text").bytes());
                }
                for action in step.actions.iter().flat_map(|a| &a.list) {
                    for message in crate::template::action_texts(&action.kind) {
                        text.extend_from_slice(message.bytes());
                    }
                }
                set(&text)
            })
            .collect();
        let mut abort_set = Live::none(10);
        aborts.iter().for_each(|capture| abort_set.insert(*capture));
        let reads = Reads {
            captures: 10,
            steps: &reads,
            aborts: &abort_set,
        };
        keeps(&steps, &graph, &receives, &reads)
            .iter()
            .map(|live| live.iter().collect())
            .collect()
    }

    #[test]
    fn a_receive_keeps_what_is_read_before_the_next_one() {
        let found = kept(
            r#"<scenario>
            <recv request="INVITE"/>
            <send><![CDATA[A 12]]></send>
            <recv request="ACK"/>
            <pause/>
            <recv request="BYE"/>
            <send><![CDATA[A 3]]></send>
            </scenario>"#,
            &[],
        );
        assert_eq!(found, [vec![1, 2], vec![], vec![3]]);
    }

    #[test]
    fn actions_of_a_receive_read_the_message_before_it() {
        let found = kept(
            r#"<scenario>
            <recv request="INVITE"/>
            <recv request="INFO" optional="true"><action><log message="4"/></action></recv>
            <recv request="ACK"><action><log message="1"/></action></recv>
            <send><![CDATA[A 2]]></send>
            </scenario>"#,
            &[],
        );
        // The optional one may come, and then the last reads that one.
        assert_eq!(found, [vec![1, 4], vec![1, 4], vec![2]]);
    }

    #[test]
    fn a_receive_that_does_not_advance_keeps_nothing_and_ends_nothing() {
        let found = kept(
            r#"<scenario>
            <recv request="INVITE"/>
            <recv request="INFO" optional="true" advance_state="false"/>
            <recv request="ACK"/>
            <send><![CDATA[A 2]]></send>
            </scenario>"#,
            &[],
        );
        assert_eq!(found, [vec![], vec![], vec![2]]);
    }

    #[test]
    fn loops_and_timeouts_carry_what_they_lead_to() {
        let found = kept(
            r#"<scenario>
            <label id="top"/>
            <recv request="INVITE"/>
            <recv request="ACK" timeout="5" ontimeout="late"/>
            <nop next="top"/>
            <label id="late"/>
            <send><![CDATA[A 7]]></send>
            </scenario>"#,
            &[],
        );
        assert_eq!(found, [vec![7], vec![]]);
    }

    #[test]
    fn the_time_limit_behind_an_optional_receive_carries_what_it_leads_to() {
        let found = kept(
            r#"<scenario>
            <recv request="INVITE"/>
            <recv request="INFO" optional="true"/>
            <recv request="ACK" timeout="5" ontimeout="late"/>
            <nop next="end"/>
            <label id="late"/>
            <send><![CDATA[A 7]]></send>
            <label id="end"/>
            </scenario>"#,
            &[],
        );
        assert_eq!(found, [vec![7], vec![7], vec![]]);
    }

    #[test]
    fn an_unexpected_message_may_lead_to_the_handler_wherever_the_call_waits() {
        let handler = |label: &str| {
            kept(
                &format!(
                    r#"<scenario>
            <recv request="INVITE"/>
            <pause next="end"/>
            <label id="{label}"/>
            <send><![CDATA[A 7]]></send>
            <label id="end"/>
            <nop/>
            </scenario>"#
                ),
                &[],
            )
        };
        assert_eq!(handler("_unexp.main"), [vec![7]]);
        assert_eq!(handler("elsewhere"), [Vec::<usize>::new()]);
    }

    #[test]
    fn an_abort_may_come_wherever_the_call_waits() {
        let found = kept(
            r#"<scenario>
            <send><![CDATA[A x]]></send>
            <recv response="180" optional="true"/>
            <recv response="200"/>
            <pause/>
            <recv request="BYE"/>
            </scenario>"#,
            &[5],
        );
        assert_eq!(found, [vec![5], vec![5], vec![]]);
    }

    #[test]
    fn a_global_receive_reads_at_any_later_step() {
        let found = kept(
            r#"<scenario>
            <recv request="INFO" optional="global" advance_state="false"><action><log message="6"/></action></recv>
            <recv request="INVITE"/>
            <pause/>
            </scenario>"#,
            &[],
        );
        assert_eq!(found, [vec![], vec![6]]);
    }
}
