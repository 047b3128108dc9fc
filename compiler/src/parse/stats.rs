// SPDX-License-Identifier: AGPL-3.0-only
//! Statistics in a scenario: histogram borders, response timers, counters.

use super::attrs::{Attrs, warn_cdata, warn_children};
use crate::ast::{Name, Repartition, RepartitionKind};
use crate::diag::codes::structure as code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::schema;
use crate::xml::Element;

/// `ResponseTimeRepartition` or `CallLengthRepartition`.
pub(super) fn repartition(
    kind: RepartitionKind,
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> Option<Repartition> {
    warn_cdata(element, diags);
    warn_children(element, diags);
    let mut attrs = Attrs::new(element, spec, diags);
    let mut borders_ms = attrs.required_integers("value")?;
    borders_ms.sort_unstable();
    Some(Repartition {
        kind,
        borders_ms,
        span: element.name_span,
    })
}

/// The statistics attributes of a step.
pub(super) struct StepStats {
    pub(super) start_rtd: Option<Name>,
    pub(super) rtd: Option<Name>,
    pub(super) repeat_rtd: bool,
    pub(super) counter: Option<Name>,
}

/// Reads them.
pub(super) fn step_stats(attrs: &mut Attrs<'_>) -> StepStats {
    let start_rtd = timer(attrs, "start_rtd");
    let rtd = timer(attrs, "rtd");
    let repeat_rtd = attrs.boolean("repeat_rtd", false);
    if let Some(repeat) = attrs.raw("repeat_rtd").filter(|_| !attrs.has("rtd")) {
        let error = Diagnostic::error(
            code::REPEAT_WITHOUT_RTD,
            repeat.name_span,
            "`repeat_rtd` without `rtd`",
        );
        attrs.error(error.help("name the timer to stop: `rtd=\"…\"`"));
    }
    StepStats {
        start_rtd,
        rtd,
        repeat_rtd,
        counter: attrs.name("counter"),
    }
}

/// COMPAT(sipp): a timer called `true` is timer `1`, one called `false` is none.
fn timer(attrs: &mut Attrs<'_>, attribute: &str) -> Option<Name> {
    let mut name = attrs.name(attribute)?;
    match name.bytes.as_slice() {
        b"true" => name.bytes = b"1".to_vec(),
        b"false" => return None,
        _ => {}
    }
    Some(name)
}
