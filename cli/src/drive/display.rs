// SPDX-License-Identifier: AGPL-3.0-only
//! Where a run shows what it does, and when: screens on a terminal, a line elsewhere.

use super::progress_line::ProgressLine;
use crate::screens::terminal::Screens;
use crate::stdio;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What the run shows of itself while it lasts.
pub(super) struct Display {
    pub(super) shown: Shown,
    ticks: Option<Interval>,
}

/// Something that is due once per period, if there is one.
pub(crate) fn ticks(period: Option<Duration>) -> Option<Interval> {
    let period = period.filter(|period| !period.is_zero())?;
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval is at once, when there is nothing to see.
    ticks.reset();
    Some(ticks)
}

/// Waits until it is due.
pub(crate) async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// How it does.
pub(super) enum Shown {
    /// On a terminal.
    Screens(Box<Screens>),
    /// Elsewhere.
    Line(ProgressLine),
}

impl Display {
    /// Lines of events that go to the terminal (`told`) take the place of the screens.
    pub(super) fn new(refresh: Option<Duration>, told: bool) -> Self {
        let screens = refresh
            .filter(|_| !told)
            .and_then(|_| Screens::open(stdio::stdout_takes_colour()));
        let (shown, period) = match screens {
            Some(screens) => (Shown::Screens(Box::new(screens)), refresh),
            None => {
                let line = ProgressLine::new();
                let period = refresh.map(|refresh| line.period(refresh));
                (Shown::Line(line), period)
            }
        };
        Self {
            shown,
            ticks: ticks(period),
        }
    }

    /// Waits until it is to be drawn.
    pub(super) async fn due(&mut self) {
        tick(&mut self.ticks).await;
    }

    /// Leaves a clean line for what follows.
    pub(super) fn clear(&mut self) {
        if let Shown::Line(line) = &mut self.shown {
            line.clear();
        }
    }
}
