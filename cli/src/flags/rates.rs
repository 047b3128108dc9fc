// SPDX-License-Identifier: AGPL-3.0-only
//! The flags about rates that change: their notation, and what they come to.

use super::Unit;
use super::low::Dialect;
use super::value::{self, BareTime};
use gossipper_bytecode::{Program, StepKind};
use gossipper_runtime::pacing::{Ramp, Rate};
use gossipper_runtime::profile::{Point, RateProfile};
use gossipper_vm::Micros;
use std::sync::Arc;
use std::time::Duration;

/// Time between two steps of a ramp of SIPp, where `-fd` says nothing.
const SIPP_INTERVAL: Duration = Duration::from_secs(60);
/// The same of gossipper.
const INTERVAL: Duration = Duration::from_secs(1);

/// What rates count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum RateUnit {
    /// Calls.
    #[default]
    Calls,
    /// Requests that calls send.
    Requests,
}

impl RateUnit {
    /// Reads the value of `-rate_unit`.
    ///
    /// # Errors
    /// Says what it may be.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "calls" => Ok(Self::Calls),
            "requests" => Ok(Self::Requests),
            _ => Err(format!("`{text}` is neither calls nor requests")),
        }
    }

    /// How many units a call is.
    ///
    /// # Errors
    /// When the scenario has none of them.
    pub(crate) fn per_call(self, program: &Program) -> Result<f64, String> {
        let Self::Requests = self else {
            return Ok(1.0);
        };
        let is_request = |name: &str| !name.starts_with(|c: char| c.is_ascii_digit());
        let requests = program
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Send && is_request(&program.display(step.name)));
        match requests.count() {
            0 => Err(format!(
                "-rate_unit requests: scenario `{}` sends no request",
                program.name
            )),
            count => Ok(count as f64),
        }
    }
}

/// The flags as they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct RatesLow {
    /// `-rate_increase`.
    pub(crate) increase: Option<f64>,
    /// `-rate_interval`.
    pub(crate) interval: Option<BareTime>,
    /// `-rate_max`.
    pub(crate) max: Option<f64>,
    /// `-no_rate_quit`.
    pub(crate) no_quit: bool,
    /// `-rate_profile`: times in µs, calls per period.
    pub(crate) profile: Option<Vec<(u64, f64)>>,
    /// `-rate_unit`.
    pub(crate) unit: RateUnit,
}

/// What changes the rate.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Rates {
    /// `-rate_increase`, in units per period.
    pub(crate) ramp: Option<Ramp>,
    /// `-rate_profile`: times in µs, units per period.
    pub(crate) profile: Option<Vec<(u64, f64)>>,
    /// What a unit is.
    pub(crate) unit: RateUnit,
}

/// Reads the points of `-rate_profile`.
///
/// # Errors
/// Says which is none.
pub(crate) fn parse_profile(text: &str) -> Result<Vec<(u64, f64)>, String> {
    let point = |point: &str| {
        let (at, calls) = point
            .split_once(':')
            .ok_or_else(|| format!("`{point}` is no point; write TIME:CALLS, such as `60:500`"))?;
        let at = value::time(at.trim(), Unit::Seconds)?;
        Ok((at.as_micros() as u64, value::double(calls.trim())?))
    };
    let points: Vec<(u64, f64)> = text
        .split(',')
        .map(|text| point(text.trim()))
        .collect::<Result<_, String>>()?;
    // Whether it is a curve shows now; the rates have their final height only when the period is known.
    curve(&points, 1.0).map_err(|error| error.to_string())?;
    Ok(points)
}

fn curve(
    points: &[(u64, f64)],
    per_unit: f64,
) -> Result<RateProfile, gossipper_runtime::profile::BadProfile> {
    let points: Vec<Point> = points
        .iter()
        .map(|&(at_us, units)| Point {
            at_us,
            per_second: units * per_unit,
        })
        .collect();
    RateProfile::new(&points)
}

impl RatesLow {
    /// The curve of `-rate_profile` in units per second, where a unit is nothing to be divided.
    ///
    /// # Errors
    /// When it goes beyond what there may be.
    pub(crate) fn curve_of(&self, period: Duration) -> Result<Option<Arc<RateProfile>>, String> {
        let rates = Rates {
            profile: self.profile.clone(),
            ..Rates::default()
        };
        let ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        rates.curve(1.0, ms)
    }
}

impl Rates {
    /// Applies the defaults of the dialect; SIPp's time between two steps is that between two rows of a table (`-fd`).
    pub(crate) fn resolve(
        low: RatesLow,
        dialect: Dialect,
        period: Duration,
        has_users: bool,
        table_period: Option<Duration>,
        faults: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Self {
        let sipp = dialect == Dialect::Sipp;
        let increase = low.increase.filter(|step| *step != 0.0);
        if has_users {
            for (given, flag) in [
                (increase.is_some(), "-rate_increase"),
                (low.profile.is_some(), "-rate_profile"),
            ] {
                if given {
                    notes.push(format!(
                        "{flag} has no effect: with -users there is no rate"
                    ));
                }
            }
        }
        if increase.is_some() && low.profile.is_some() {
            faults.push("-rate_increase and -rate_profile exclude each other".to_owned());
        }
        for (given, flag) in [
            (low.interval.is_some(), "-rate_interval"),
            (low.max.is_some(), "-rate_max"),
            (low.no_quit, "-no_rate_quit"),
        ] {
            if given && increase.is_none() {
                notes.push(format!("{flag} has no effect without -rate_increase"));
            }
        }
        let every = match low.interval {
            Some(time) if sipp => time.seconds,
            Some(time) => time.millis,
            None if sipp => table_period.unwrap_or(SIPP_INTERVAL),
            None => INTERVAL,
        };
        if every.is_zero() && low.interval.is_some() {
            faults.push("-rate_interval must be greater than zero".to_owned());
        } else if every.is_zero() && increase.is_some() {
            faults.push("-rate_increase needs a -rate_interval: that of -fd 0 is zero".to_owned());
        }
        // gossipper's steps are calls a second, SIPp's calls a period.
        let scale = if sipp { 1.0 } else { period.as_secs_f64() };
        let ramp = increase.map(|step| Ramp {
            step: step * scale,
            every: Micros(u64::try_from(every.as_micros()).unwrap_or(u64::MAX)),
            max: low.max.filter(|max| *max > 0.0).map(|max| max * scale),
            ends: sipp && !low.no_quit,
        });
        Self {
            ramp,
            profile: low.profile,
            unit: low.unit,
        }
    }

    /// The ramp in calls, when each is so many units.
    pub(crate) fn ramp(&self, per_call: f64) -> Option<Ramp> {
        self.ramp.map(|ramp| Ramp {
            step: ramp.step / per_call,
            max: ramp.max.map(|max| max / per_call),
            ..ramp
        })
    }

    /// The curve in calls per second.
    ///
    /// # Errors
    /// When it goes beyond what a run can do.
    pub(crate) fn curve(
        &self,
        per_call: f64,
        period_ms: u64,
    ) -> Result<Option<Arc<RateProfile>>, String> {
        let per_unit = Rate::new(1.0 / per_call, period_ms).per_second();
        let curve = self.profile.as_ref().map(|points| curve(points, per_unit));
        let curve = curve.transpose();
        curve
            .map(|curve| curve.map(Arc::new))
            .map_err(|error| format!("-rate_profile: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_a_time_and_a_number_of_calls() {
        assert_eq!(
            parse_profile("0:10, 1m:500,90s:0.5"),
            Ok(vec![(0, 10.0), (60_000_000, 500.0), (90_000_000, 0.5)])
        );
        for (bad, why) in [
            ("", "no point"),
            ("0:1,5", "no point"),
            ("0:x", "not a number"),
            ("0:-1", "negative"),
            ("1:1", "not at 0"),
            ("0:1,9:1,8:1", "go back"),
            ("0:1,91000000:1", "90 days"),
            ("0:2000000", "between 0 and"),
        ] {
            let error = parse_profile(bad).expect_err(bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn sipps_steps_are_as_far_apart_as_rows_of_its_tables() {
        let every = |dialect, interval: Option<&str>, table| {
            let low = RatesLow {
                increase: Some(1.0),
                interval: interval.map(|text| BareTime::parse(text).expect("a time")),
                ..RatesLow::default()
            };
            let (mut faults, mut notes) = (Vec::new(), Vec::new());
            let period = Duration::from_secs(1);
            let rates = Rates::resolve(low, dialect, period, false, table, &mut faults, &mut notes);
            faults
                .pop()
                .map_or_else(|| Ok(rates.ramp.expect("a ramp").every), Err)
        };
        let second = |count: u64| Ok(Micros(count * 1_000_000));
        let table = Some(Duration::from_secs(7));
        assert_eq!(every(Dialect::Sipp, None, None), second(60));
        assert_eq!(every(Dialect::Sipp, None, table), second(7));
        assert_eq!(every(Dialect::Sipp, Some("2"), table), second(2));
        assert_eq!(every(Dialect::Gossipper, None, table), second(1));
        assert_eq!(
            every(Dialect::Gossipper, None, Some(Duration::ZERO)),
            second(1)
        );
        let fault = every(Dialect::Sipp, None, Some(Duration::ZERO)).expect_err("no time");
        assert!(fault.contains("-fd 0"), "{fault}");
        let none = RatesLow::default();
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let second = Duration::from_secs(1);
        let zero = Some(Duration::ZERO);
        let sipp = Dialect::Sipp;
        Rates::resolve(none, sipp, second, false, zero, &mut faults, &mut notes);
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn requests_are_what_the_scenario_sends_but_no_responses() {
        let of = |name: &str| {
            let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in");
            let options = gossipper_compiler::Options::default();
            let compiled = gossipper_compiler::compile(name, builtin.xml.as_bytes(), &options);
            RateUnit::Requests.per_call(&compiled.program.expect("it compiles"))
        };
        // INVITE, ACK, BYE.
        assert_eq!(of("uac"), Ok(3.0));
        assert!(of("uas").is_err_and(|error| error.contains("sends no request")));
    }

    #[test]
    fn a_ramp_and_a_curve_are_divided_among_requests_and_periods() {
        let rates = Rates {
            ramp: Some(Ramp {
                step: 30.0,
                every: Micros(5),
                max: Some(90.0),
                ends: true,
            }),
            profile: Some(vec![(0, 60.0)]),
            unit: RateUnit::Requests,
        };
        let ramp = rates.ramp(3.0).expect("a ramp");
        assert_eq!((ramp.step, ramp.max, ramp.ends), (10.0, Some(30.0), true));
        let curve = rates.curve(3.0, 2_000).expect("a curve").expect("one");
        assert_eq!(curve.rate_at(0), 10.0);
    }
}
