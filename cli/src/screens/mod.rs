// SPDX-License-Identifier: AGPL-3.0-only
//! The screens of a run, as lines of text.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`layout`] | what the screens know of the scenario |
//! | `scenario`, `statistics`, `tables` | one screen each, or a few alike |
//! | [`terminal`] | the screens drawn on a terminal |
//! | [`dump`] | the screens written to a file |
//!
//! What is drawn and what is written are the same lines. They are pure functions of two snapshots, the last one and the one
//! before it. Places, widths and words that tools look for are SIPp's: lines of steps, rows of statistics, the states at the
//! bottom.

pub(crate) mod dump;
pub(crate) mod layout;
pub(crate) mod rows;
mod scenario;
mod statistics;
mod tables;
pub(crate) mod terminal;

use crate::operator::commands::Display;
use gossipper_control::{EngineSnapshot, Limit, Mode, Phase, Snapshot};
use gossipper_vm::BesideKind;
use layout::Layout;

/// Columns of a screen.
pub(crate) const WIDTH: usize = 80;

/// Characters of the last warning that are shown.
const ERROR_WIDTH: usize = 60;

/// A screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Screen {
    /// Steps and what happened in them.
    #[default]
    Scenario,
    /// Calls and times.
    Statistics,
    /// Response times of a timer, from 1, in cells; with the first also the lengths of calls.
    Repartition(usize),
    /// What steps do.
    Variables,
    /// Circuits.
    Circuits,
}

impl Screen {
    /// The screen of a key.
    pub(crate) fn of_key(key: u8) -> Option<Self> {
        Some(match key {
            b'1' => Self::Scenario,
            b'2' => Self::Statistics,
            b'3' => Self::Repartition(1),
            b'4' => Self::Variables,
            b'5' => Self::Circuits,
            b'6'..=b'9' => Self::Repartition(usize::from(key - b'6') + 2),
            _ => return None,
        })
    }

    fn title(self) -> String {
        match self {
            Self::Scenario => "Scenario Screen".to_owned(),
            Self::Statistics => "Statistics Screen".to_owned(),
            Self::Repartition(1) => "Repartition Screen".to_owned(),
            Self::Repartition(nth) => format!("Repartition {nth} Screen"),
            Self::Variables => "Variables Screen".to_owned(),
            Self::Circuits => "TDM map Screen".to_owned(),
        }
    }
}

/// What the operator wants to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View {
    /// Which screen.
    pub(crate) screen: Screen,
    /// Of which scenario.
    pub(crate) display: Display,
    /// Without the steps that the scenario hides.
    pub(crate) hide: bool,
    /// Lines passed over at the top.
    pub(crate) scroll: usize,
}

impl Default for View {
    fn default() -> Self {
        Self {
            screen: Screen::default(),
            display: Display::default(),
            hide: true,
            scroll: 0,
        }
    }
}

/// Everything that a screen shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The figures.
    pub(crate) now: &'a Snapshot,
    /// The figures of the period before.
    pub(crate) before: &'a Snapshot,
    /// The scenarios, in the order of the engines; the one beside the main one is the last.
    pub(crate) layouts: &'a [Layout],
    /// What is to be seen.
    pub(crate) view: View,
}

/// A frame's figures of the scenario that is shown.
#[derive(Clone, Copy, Debug)]
struct Shown<'a> {
    engine: &'a EngineSnapshot,
    before: Option<&'a EngineSnapshot>,
    layout: &'a Layout,
}

impl<'a> Frame<'a> {
    /// The scenario that is shown; the main one where there is no other.
    fn shown(&self) -> Option<Shown<'a>> {
        if let Some(kind) = self.view.display.beside()
            && let Some(engine) = beside(self.now, kind)
        {
            return Some(Shown {
                engine,
                before: beside(self.before, kind),
                layout: self.layouts.last()?,
            });
        }
        let at = match self.view.display {
            Display::Answerer if self.now.engines.len() > 1 => 1,
            _ => 0,
        };
        Some(Shown {
            engine: self.now.engines.get(at)?,
            before: self.before.engines.get(at),
            layout: self.layouts.get(at)?,
        })
    }

    /// Time since the figures before.
    fn period_us(&self) -> u64 {
        self.now.elapsed_us.saturating_sub(self.before.elapsed_us)
    }
}

/// The figures of a scenario beside the main one.
fn beside(snapshot: &Snapshot, kind: BesideKind) -> Option<&EngineSnapshot> {
    match kind {
        BesideKind::OutOfCall => snapshot.out_of_call.as_deref(),
        BesideKind::Receiver => snapshot.receiver.as_deref(),
    }
}

/// The lines of a screen, without those at its top and bottom.
pub(crate) fn body(frame: &Frame<'_>) -> Vec<String> {
    let Some(shown) = frame.shown() else {
        return vec!["  No figures yet".to_owned()];
    };
    match frame.view.screen {
        Screen::Scenario => {
            let mut lines = scenario::head(frame, &shown);
            lines.extend(scenario::steps(frame, &shown));
            lines
        }
        Screen::Statistics => statistics::lines(frame, &shown),
        Screen::Repartition(nth) => tables::repartition(&shown, nth),
        Screen::Variables => tables::actions(&shown),
        Screen::Circuits => tables::circuits(&shown),
    }
}

/// The line at the top.
pub(crate) fn top(screen: Screen) -> String {
    const RIGHT: &str = " [1-9]: Change Screen --";
    let title = format!(" {} ", screen.title());
    let left = (WIDTH - title.len()) / 2;
    let middle = format!("{:-<left$}{title}", "");
    format!("{middle:-<width$}{RIGHT}", width = WIDTH - 1 - RIGHT.len())
}

/// The line at the bottom: the state, or the keys.
pub(crate) fn bottom(frame: &Frame<'_>) -> String {
    let Some(engine) = frame.now.main() else {
        return ruled("");
    };
    let congested = |counts: &EngineSnapshot| counts.transport.congested;
    let before = frame.before.main().map_or(0, congested);
    ruled(match engine.phase {
        Phase::Ended => " Test Terminated ",
        Phase::Aborting => " Forcing quit: open calls are being ended ",
        Phase::Draining => " Waiting for active calls to end. [q] again: end them now ",
        Phase::Running if engine.rate.paused => " Traffic Paused - [p]: go on ",
        Phase::Running if engine.limits.now == Some(Limit::Cpu) => " CPU CONGESTED ",
        Phase::Running if congested(engine) > before => " OUTBOUND CONGESTION ",
        Phase::Running if engine.mode == Some(Mode::Server) => {
            " Server mode ---- [q]: Soft exit ---- [Q]: Exit now "
        }
        Phase::Running if engine.rate.users.is_some() => {
            " [+|-|*|/]: Adjust users ---- [q]: Soft exit ---- [p]: Pause traffic "
        }
        Phase::Running => " [+|-|*|/]: Adjust rate ---- [q]: Soft exit ---- [p]: Pause traffic ",
    })
}

fn ruled(text: &str) -> String {
    format!("{text:-^width$}", width = WIDTH - 1)
}

/// The line with the last warning, if there is one.
pub(crate) fn last_error(frame: &Frame<'_>) -> Option<String> {
    let warning = frame.now.main()?.last_warning.as_deref()?;
    let shown: String = warning
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(ERROR_WIDTH)
        .collect();
    Some(format!("Last Error: {shown}"))
}

/// A whole screen as text.
pub(crate) fn text(frame: &Frame<'_>) -> String {
    let mut lines = vec![top(frame.view.screen)];
    lines.extend(body(frame));
    lines.extend(last_error(frame));
    lines.push(bottom(frame));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
