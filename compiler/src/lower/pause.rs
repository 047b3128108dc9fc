// SPDX-License-Identifier: AGPL-3.0-only
//! `<pause>` and `<timewait>`.

use super::Lowerer;
use crate::ast::{self, Pause, Step};
use gossipper_bytecode::program::{Pause as PauseEntry, PauseLength};
use gossipper_bytecode::{Distribution, Op, PauseId, StepId, TextRef};

/// Longest pause in ms: longer ones are cut.
const MAX_PAUSE_MS: f64 = 2_147_483_647.0;

impl Lowerer<'_> {
    /// Starts the pause, runs the actions, waits. Gives the name of the step.
    pub(super) fn pause(&mut self, id: StepId, step: &Step, pause: &Pause) -> TextRef {
        let entry = PauseId::new(self.draft.pauses.len()).unwrap_or_else(|| {
            self.pools.full("pauses");
            PauseId(0)
        });
        self.code.op(Op::Pause { pause: entry });
        self.bookkeeping(&step.common);
        self.actions(step, false);
        self.code.op(Op::PauseWait {});
        let (length, name) = match &pause.length {
            ast::PauseLength::Default | ast::PauseLength::Poisoned => {
                self.draft.default_pauses = self.draft.default_pauses.saturating_add(1);
                (PauseLength::Default, String::new())
            }
            ast::PauseLength::Variable(name) => (
                PauseLength::Var(self.var(name)),
                format!("${}", name.display()),
            ),
            ast::PauseLength::Milliseconds(value) => {
                self.drawn(Distribution::Fixed { value: value.value })
            }
            ast::PauseLength::Distribution(found) => self.drawn(found.value),
        };
        self.draft.pauses.push(PauseEntry { step: id, length });
        self.name(name.as_bytes())
    }

    fn drawn(&mut self, dist: Distribution) -> (PauseLength, String) {
        let longest = dist.percentile_99().clamp(0.0, MAX_PAUSE_MS);
        // Clamped, so this keeps the value; NaN becomes 0.
        self.draft.duration_ms = self.draft.duration_ms.saturating_add(longest as u64);
        (PauseLength::Drawn(dist), label(&dist))
    }
}

/// How SIPp's screen shows a distribution.
fn label(dist: &Distribution) -> String {
    match *dist {
        Distribution::Fixed { value } => time(value),
        Distribution::Uniform { min, max } => format!("{}/{}", time(min), time(max)),
        Distribution::Normal { mean, stdev } => format!("N({},{})", time(mean), time(stdev)),
        Distribution::LogNormal { mean, stdev } => format!("LN({mean},{stdev})"),
        Distribution::Exponential { mean } => format!("Exp({})", time(mean)),
        Distribution::Weibull { lambda, k } => format!("Wb({lambda},{k})"),
        Distribution::Pareto { k, x_m } => format!("P({k},{x_m})"),
        Distribution::GPareto {
            shape,
            scale,
            location,
        } => {
            format!("P({shape},{scale},{location})")
        }
        Distribution::Gamma { k, theta } => format!("G({k},{theta})"),
        Distribution::NegBin { n, p } => format!("NB({p},{n})"),
        Distribution::Steps { min, max, step } => format!("{}/{}/{step}", time(min), time(max)),
    }
}

/// A time as the screen prints it: `123ms`, `12.3s`, `m:ss`, `h:mm:ss`.
fn time(ms: f64) -> String {
    let whole = ms.clamp(0.0, MAX_PAUSE_MS) as u64;
    let seconds = whole / 1000;
    if whole < 10_000 {
        format!("{whole}ms")
    } else if seconds < 60 {
        format!("{:.1}s", whole as f64 / 1000.0)
    } else if seconds < 3600 {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    } else {
        format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}
