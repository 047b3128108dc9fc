// SPDX-License-Identifier: AGPL-3.0-only
//! Wishes for the end of a run, and how far they have gone.

use gossipper_control::{ControlCommand, Phase};

/// What somebody wants of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// SIGINT or SIGTERM.
    Interrupt,
    /// Key `q` or SIGUSR1.
    Quit,
    /// Key `Q`.
    Stop,
}

/// How far the wishes have gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Requests {
    /// Nobody has asked for an end.
    #[default]
    None,
    /// The run was asked to drain.
    Drain,
    /// The run was asked to abort its calls.
    Stop,
}

impl Requests {
    /// What the run is to be told; `None` is to leave it at once.
    ///
    /// COMPAT(sipp): who stands in for SIPp (`as_sipp`) leaves at the first interrupt, with calls open, and scripts that
    /// end it with a signal need not wait for them.
    pub(super) fn step(
        &mut self,
        wish: Wish,
        phase: Phase,
        as_sipp: bool,
    ) -> Option<ControlCommand> {
        if as_sipp && wish == Wish::Interrupt {
            let again = std::mem::replace(self, Self::Stop) == Self::Stop;
            return (!again).then_some(ControlCommand::Leave);
        }
        // A run that drains by itself, because of -m for instance, is where the first wish would have led.
        let draining = *self == Self::Drain || phase != Phase::Running;
        match (wish, *self) {
            (Wish::Interrupt, Self::Stop) => None,
            (Wish::Interrupt | Wish::Quit, Self::None | Self::Drain) if !draining => {
                *self = Self::Drain;
                Some(ControlCommand::Drain)
            }
            (Wish::Interrupt | Wish::Quit | Wish::Stop, _) => {
                *self = Self::Stop;
                Some(ControlCommand::Stop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_interrupt_drains_the_second_aborts_the_third_leaves() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running, false),
            Some(ControlCommand::Drain)
        );
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Draining, false),
            Some(ControlCommand::Stop)
        );
        assert_eq!(requests.step(Wish::Interrupt, Phase::Aborting, false), None);
    }

    #[test]
    fn a_second_interrupt_aborts_even_before_the_snapshot_shows_the_first() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running, false),
            Some(ControlCommand::Drain)
        );
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running, false),
            Some(ControlCommand::Stop)
        );
    }

    #[test]
    fn a_run_that_drains_by_itself_is_aborted_by_one_wish() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Quit, Phase::Draining, false),
            Some(ControlCommand::Stop)
        );
    }

    #[test]
    fn in_place_of_sipp_the_first_interrupt_leaves() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Quit, Phase::Running, true),
            Some(ControlCommand::Drain)
        );
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Draining, true),
            Some(ControlCommand::Leave)
        );
        assert_eq!(requests.step(Wish::Interrupt, Phase::Draining, true), None);
    }

    #[test]
    fn keys_never_leave_calls_behind() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Stop, Phase::Running, false),
            Some(ControlCommand::Stop)
        );
        for _ in 0..3 {
            assert_eq!(
                requests.step(Wish::Quit, Phase::Aborting, false),
                Some(ControlCommand::Stop)
            );
        }
    }
}
