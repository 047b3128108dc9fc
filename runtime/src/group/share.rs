// SPDX-License-Identifier: AGPL-3.0-only
//! Which part of a client's calls the leading shard begins itself: so many that it is as busy as each of the others.
//!
//! The leader has to read, pace and hand over beside its own calls. What that costs follows from what both have done
//! in the same time: an input takes the others so long on the average; what the leader was busy beyond that for its own
//! inputs was leading. From the relation of the two follows its part ([`part_of_leader`]).
//!
//! The rule looks at inputs, not at calls, and at what they cost, not at who is busier: so it comes to the same whatever
//! part is in force, and calls that cost most of their time long after they began do not make it swing. Where one
//! processor is slower than the others it finds the part that makes all equally busy, too.
//!
//! Invariant: the others always get some of the calls ([`MOST`]).

use gossipper_vm::Micros;

/// What leading costs until something was measured, as a part of what the inputs of all calls cost.
pub(super) const READING: f64 = 0.25;

/// The shortest time over which is measured.
const PERIOD: Micros = Micros(20_000);

/// Fewer inputs of the others say nothing about what one costs.
const LEAST_INPUTS: u64 = 100;

/// How far a measurement moves the part towards what follows from it.
const WEIGHT: f64 = 0.25;

/// The leader's part at most, so that something is left to measure.
const MOST: f64 = 0.95;

/// What shards have done since the run began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Time they did not wait.
    pub(crate) busy: Micros,
    /// What their machines were given.
    pub(crate) inputs: u64,
}

impl Work {
    fn since(self, before: Self) -> Self {
        Self {
            busy: self.busy.since(before.busy),
            inputs: self.inputs.saturating_sub(before.inputs),
        }
    }
}

/// The leader's part of the calls, as measured.
#[derive(Debug)]
pub(super) struct Share {
    shards: usize,
    part: f64,
    /// What the leader has coming, in calls.
    due: f64,
    /// Since when is measured, and what the leader and the others had done by then.
    since: (Micros, Work, Work),
}

impl Share {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards,
            part: part_of_leader(shards, READING).min(MOST),
            due: 0.0,
            since: (Micros(0), Work::default(), Work::default()),
        }
    }

    /// Whether the next call is the leader's.
    pub(super) fn takes(&mut self) -> bool {
        self.due += self.part;
        let takes = self.due >= 1.0;
        if takes {
            self.due -= 1.0;
        }
        takes
    }

    /// Whether it is time for [`Self::measure`].
    pub(super) fn is_due(&self, now: Micros) -> bool {
        now.since(self.since.0) >= PERIOD
    }

    /// Takes in what the leader and all others have done.
    pub(super) fn measure(&mut self, now: Micros, leader: Work, others: Work) {
        let (_, leader_before, others_before) = self.since;
        let (led, rest) = (leader.since(leader_before), others.since(others_before));
        if rest.inputs < LEAST_INPUTS {
            return;
        }
        self.since = (now, leader, others);
        let of_input = (rest.busy.0.max(1) as f64) / rest.inputs as f64;
        let reading = led.busy.0 as f64 - of_input * led.inputs as f64;
        let all = of_input * (led.inputs + rest.inputs) as f64;
        let wanted = part_of_leader(self.shards, reading / all).min(MOST);
        self.part += WEIGHT * (wanted - self.part);
    }
}

/// The part of the calls that makes the leader as busy as each other shard, if leading costs it so much beside them.
pub(super) fn part_of_leader(shards: usize, reading: f64) -> f64 {
    let shards = shards as f64;
    ((1.0 - reading * (shards - 1.0)) / shards).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Shards in virtual time: what an input of each costs, and leading per call, in µs.
    struct Model {
        shards: usize,
        leader: f64,
        other: f64,
        leading: f64,
        /// Inputs of a call when it begins, and `later` periods afterwards.
        inputs: (u64, u64),
        later: usize,
    }

    impl Model {
        /// Calls per period.
        const CALLS: u64 = 2_000;

        /// The parts of the leader and how busy it was beside each other shard, period by period.
        fn run(&self, share: &mut Share, periods: usize) -> Vec<(f64, f64)> {
            let (mut leader, mut others) = ((0.0, 0), (0.0, 0));
            // Calls begun in the last periods, of the leader and of the others.
            let mut begun = VecDeque::from(vec![(0, 0); self.later]);
            let mut now = share.since.0;
            let mut seen = Vec::new();
            for _ in 0..periods {
                let own = (0..Self::CALLS).filter(|_| share.takes()).count() as u64;
                begun.push_back((own, Self::CALLS - own));
                let ending = begun.pop_front().unwrap_or_default();
                let inputs =
                    |begun: u64, ending: u64| self.inputs.0 * begun + self.inputs.1 * ending;
                let of_leader = inputs(own, ending.0);
                let of_others = inputs(Self::CALLS - own, ending.1);
                let led = of_leader as f64 * self.leader + self.leading * Self::CALLS as f64;
                let rest = of_others as f64 * self.other;
                leader = (leader.0 + led, leader.1 + of_leader);
                others = (others.0 + rest, others.1 + of_others);
                now = now.plus(PERIOD);
                assert!(share.is_due(now));
                let work = |(busy, inputs): (f64, u64)| Work {
                    busy: Micros(busy as u64),
                    inputs,
                };
                share.measure(now, work(leader), work(others));
                let each = rest / (self.shards - 1) as f64;
                seen.push((share.part, led / each.max(1.0)));
            }
            seen
        }

        /// The last of many periods, each as busy as the others and the part at rest.
        fn settles(&self) -> f64 {
            let mut share = Share::new(self.shards);
            let seen = self.run(&mut share, 400);
            let last = &seen[seen.len() - 50..];
            let parts = last.iter().map(|seen| seen.0);
            let (least, most) = (parts.clone().fold(1.0, f64::min), parts.fold(0.0, f64::max));
            assert!(most - least < 0.01, "it swings: {least} to {most}");
            for (_, relation) in last {
                assert!((relation - 1.0).abs() < 0.03, "{relation} times as busy");
            }
            most
        }
    }

    const EVEN: Model = Model {
        shards: 2,
        leader: 1.0,
        other: 1.0,
        leading: 0.0,
        inputs: (3, 0),
        later: 0,
    };

    #[test]
    fn where_leading_costs_nothing_the_leader_takes_as_many_as_each_other() {
        for shards in [2, 3, 4, 8] {
            let part = Model { shards, ..EVEN }.settles();
            assert!(
                (part - 1.0 / shards as f64).abs() < 0.01,
                "{part} of {shards}"
            );
        }
    }

    #[test]
    fn what_leading_costs_is_made_up_for() {
        for (leading, part) in [(0.6, 0.4), (1.5, 0.25), (2.4, 0.1)] {
            let found = Model { leading, ..EVEN }.settles();
            assert!((found - part).abs() < 0.01, "{found}, not {part}");
        }
        let part = Model {
            shards: 3,
            leading: 0.6,
            ..EVEN
        }
        .settles();
        assert!((part - 0.2).abs() < 0.01, "{part}");
    }

    #[test]
    fn a_slow_processor_gets_fewer_calls_whosever_it_is() {
        let slow_leader = Model {
            leader: 3.0,
            ..EVEN
        };
        assert!((slow_leader.settles() - 0.25).abs() < 0.01);
        let slow_other = Model { other: 3.0, ..EVEN };
        assert!((slow_other.settles() - 0.75).abs() < 0.01);
    }

    #[test]
    fn calls_that_cost_most_of_their_time_long_after_they_began_do_not_make_it_swing() {
        for (leader, leading) in [(1.0, 0.0), (1.0, 2.0), (2.0, 1.0)] {
            let model = Model {
                inputs: (1, 9),
                later: 40,
                leader,
                leading,
                ..EVEN
            };
            model.settles();
        }
    }

    #[test]
    fn it_finds_another_part_when_the_load_changes() {
        let mut share = Share::new(2);
        EVEN.run(&mut share, 100);
        assert!((share.part - 0.5).abs() < 0.01);
        share.since = (share.since.0, Work::default(), Work::default());
        Model {
            leading: 1.5,
            ..EVEN
        }
        .run(&mut share, 100);
        assert!((share.part - 0.25).abs() < 0.01, "{}", share.part);
    }

    #[test]
    fn nobody_is_left_without_calls_for_long() {
        // A leader with more to do than all calls cost takes none; the others always get some.
        let mut share = Share::new(2);
        let swamped = Model {
            leading: 9.0,
            ..EVEN
        };
        assert!(swamped.run(&mut share, 200).last().expect("some").0 < 0.01);
        share.since = (share.since.0, Work::default(), Work::default());
        EVEN.run(&mut share, 200);
        assert!((share.part - 0.5).abs() < 0.01, "and takes some again");
        let mut share = Share::new(2);
        let stuck = Model { other: 1e6, ..EVEN };
        for (part, _) in stuck.run(&mut share, 200) {
            assert!(part <= MOST);
        }
        let others = (0..1_000).filter(|_| !share.takes()).count();
        assert!((40..=60).contains(&others), "{others}");
    }

    #[test]
    fn a_part_is_dealt_out_evenly_and_a_few_inputs_say_nothing() {
        let mut share = Share::new(2);
        share.part = 0.25;
        let dealt: Vec<bool> = (0..8).map(|_| share.takes()).collect();
        assert_eq!(
            dealt,
            [false, false, false, true, false, false, false, true]
        );
        let few = Work {
            busy: Micros(1_000_000),
            inputs: LEAST_INPUTS - 1,
        };
        share.measure(PERIOD, Work::default(), few);
        assert!((share.part - 0.25).abs() < f64::EPSILON);
    }
}
