// SPDX-License-Identifier: AGPL-3.0-only
//! Lengths of pauses, and the distributions that pauses and `<sample>` draw from.

use super::attrs::Attrs;
use crate::ast::{Distribution, Pause, PauseLength};
use crate::schema;
use crate::source::Spanned;

/// Old flags that name a distribution by their presence, in the order SIPp looks for them.
const LEGACY: [&str; 6] = [
    "normal",
    "exponential",
    "lognormal",
    "weibull",
    "pareto",
    "gamma",
];

/// Attributes that say where the length comes from, the first present decides.
const SOURCES: [&str; 10] = [
    "variable",
    "distribution",
    "normal",
    "exponential",
    "lognormal",
    "weibull",
    "pareto",
    "gamma",
    "min",
    "milliseconds",
];

/// The attributes of `<pause>` and `<timewait>`.
pub(super) fn pause(attrs: &mut Attrs<'_>) -> Pause {
    let sanity_check = attrs.boolean("sanity_check", true);
    Pause {
        length: length(attrs),
        sanity_check,
    }
}

fn length(attrs: &mut Attrs<'_>) -> PauseLength {
    let legacy = LEGACY.into_iter().find(|name| attrs.has(name));
    let used = if attrs.has("variable") {
        "variable"
    } else if attrs.has("distribution") {
        "distribution"
    } else if let Some(name) = legacy {
        name
    } else if attrs.has("min") || attrs.has("max") {
        "min"
    } else if attrs.has("milliseconds") {
        "milliseconds"
    } else {
        return PauseLength::Default;
    };
    for other in SOURCES.into_iter().filter(|other| *other != used) {
        // `min` and the like are parameters of the distribution in use.
        if other != "min" {
            attrs.no_effect(other, &format!("beside `{used}`"));
        }
    }
    let found = match used {
        "variable" => attrs.variable("variable").map(PauseLength::Variable),
        "milliseconds" => attrs.double("milliseconds").map(PauseLength::Milliseconds),
        "distribution" => {
            let name = attrs.choice("distribution");
            name.and_then(|name| distribution(name, attrs))
                .map(PauseLength::Distribution)
        }
        "min" => {
            let span = attrs
                .raw("min")
                .or_else(|| attrs.raw("max"))
                .map_or(attrs.element.name_span, |a| a.name_span);
            distribution(Spanned::new("uniform", span), attrs).map(PauseLength::Distribution)
        }
        legacy => {
            let span = attrs
                .raw(legacy)
                .map_or(attrs.element.name_span, |attribute| attribute.name_span);
            distribution(Spanned::new(legacy, span), attrs).map(PauseLength::Distribution)
        }
    };
    found.unwrap_or(PauseLength::Poisoned)
}

/// Reads the parameters of a distribution of the schema.
pub(super) fn distribution(
    name: Spanned<&'static str>,
    attrs: &mut Attrs<'_>,
) -> Option<Spanned<Distribution>> {
    let parameters = schema::DISTRIBUTIONS
        .iter()
        .find(|(known, _)| *known == name.value)?
        .1;
    let mut values = [0.0; 3];
    let mut complete = true;
    for (value, parameter) in values.iter_mut().zip(parameters) {
        if !attrs.has(parameter) {
            attrs.missing(&format!("`{parameter}`, which `{}` needs", name.value));
        }
        match attrs.double(parameter) {
            Some(found) => *value = found.value,
            None => complete = false,
        }
    }
    if !complete {
        return None;
    }
    let [a, b, c] = values;
    let found = match name.value {
        "fixed" => Distribution::Fixed { value: a },
        "uniform" => Distribution::Uniform { min: a, max: b },
        "normal" => Distribution::Normal { mean: a, stdev: b },
        "lognormal" => Distribution::LogNormal { mean: a, stdev: b },
        "exponential" => Distribution::Exponential { mean: a },
        "weibull" => Distribution::Weibull { lambda: a, k: b },
        "pareto" => Distribution::Pareto { k: a, x_m: b },
        "gpareto" => Distribution::GPareto {
            shape: a,
            scale: b,
            location: c,
        },
        "gamma" => Distribution::Gamma { k: a, theta: b },
        "negbin" => Distribution::NegBin { n: a, p: b },
        other => {
            debug_assert!(false, "{other} is in the schema and not here");
            return None;
        }
    };
    Some(Spanned::new(found, name.span))
}
