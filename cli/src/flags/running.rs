// SPDX-License-Identifier: AGPL-3.0-only
//! The flags about how a run is watched and steered: control socket, background, watchdog, screens.

use super::host::ip;
use super::low::Dialect;
use gossipper_runtime::config::WatchdogConfig;
use gossipper_vm::Micros;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// The flags as they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunningLow {
    /// `-ci`.
    pub(crate) control_ip: Option<String>,
    /// `-cp`.
    pub(crate) control_port: Option<u16>,
    /// `-bg`.
    pub(crate) background: bool,
    /// `-sleep`.
    pub(crate) sleep: Option<Duration>,
    /// `-stat_period`.
    pub(crate) line_period: Option<Duration>,
    /// `-trace_screen`.
    pub(crate) trace_screen: bool,
    /// `-screen_file`.
    pub(crate) screen_file: Option<PathBuf>,
    /// `-screen_overwrite`.
    pub(crate) screen_overwrite: Option<bool>,
    /// The watchdog's flags.
    pub(crate) watchdog: WatchdogLow,
    /// Flags that are taken and have nothing to act on.
    pub(crate) without_effect: Vec<(&'static str, &'static str)>,
}

/// The watchdog's flags as they were given; of a number of trips, -1 is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchdogLow {
    /// `-watchdog_interval`.
    pub(crate) interval: Option<Duration>,
    /// `-watchdog_reset`.
    pub(crate) reset: Option<Duration>,
    /// `-watchdog_minor_threshold`.
    pub(crate) minor_threshold: Option<Duration>,
    /// `-watchdog_major_threshold`.
    pub(crate) major_threshold: Option<Duration>,
    /// `-watchdog_minor_maxtriggers`.
    pub(crate) minor_max: Option<i64>,
    /// `-watchdog_major_maxtriggers`.
    pub(crate) major_max: Option<i64>,
}

/// Where the control socket is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ControlAddress {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// `-cp`: this port or none; otherwise the first free one of SIPp's.
    pub(crate) port: Option<u16>,
}

/// How a run is watched and steered.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Running {
    /// Where commands arrive.
    pub(crate) control: Option<ControlAddress>,
    /// The run goes on without its terminal.
    pub(crate) background: bool,
    /// Time before it begins.
    pub(crate) sleep: Option<Duration>,
    /// How often the last line of a run is printed while it goes on.
    pub(crate) line_period: Option<Duration>,
    /// Screens are written to a file at the end, and when somebody asks for it; in gossipper's own form a table of figures.
    pub(crate) trace_screen: bool,
    /// That file; otherwise the one that is usual.
    pub(crate) screen_file: Option<PathBuf>,
    /// Replaces what is there.
    pub(crate) screen_overwrite: bool,
    /// Whether the run gets round to its work.
    pub(crate) watchdog: Option<WatchdogConfig>,
}

impl Running {
    /// Applies the defaults of the dialect.
    pub(crate) fn resolve(
        low: RunningLow,
        dialect: Dialect,
        own_form: bool,
        faults: &mut Vec<String>,
        notes: &mut Vec<String>,
    ) -> Self {
        let sipp = dialect == Dialect::Sipp;
        for (flag, why) in low.without_effect {
            notes.push(format!("{flag} has no effect: {why}"));
        }
        let wanted = sipp || low.control_ip.is_some() || low.control_port.is_some();
        let control_ip = match &low.control_ip {
            None => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Some(host) => ip(host, "-ci", faults),
        };
        Self {
            control: control_ip.filter(|_| wanted).map(|ip| ControlAddress {
                ip,
                port: low.control_port.filter(|port| *port != 0),
            }),
            background: low.background,
            sleep: low.sleep.filter(|time| !time.is_zero()),
            line_period: low.line_period.filter(|time| !time.is_zero()),
            // COMPAT(sipp): the name of a file alone switches nothing on.
            trace_screen: low.trace_screen || (own_form && low.screen_file.is_some()),
            screen_file: low.screen_file,
            screen_overwrite: low.screen_overwrite.unwrap_or(true),
            watchdog: low.watchdog.resolve(sipp),
        }
    }
}

impl WatchdogLow {
    /// SIPp's dialect has it always; otherwise whoever names one of its flags wants it.
    fn resolve(self, always: bool) -> Option<WatchdogConfig> {
        if !always && self == Self::default() {
            return None;
        }
        let base = WatchdogConfig::DEFAULT;
        let time = |given: Option<Duration>, base| {
            given.map_or(base, |time| {
                Micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            })
        };
        let trips = |given: Option<i64>, base| match given {
            None => base,
            // Anything below zero is any number.
            Some(trips) => u64::try_from(trips).ok(),
        };
        let interval = time(self.interval, base.interval);
        (interval.0 > 0).then(|| WatchdogConfig {
            interval,
            reset: time(self.reset, base.reset),
            minor_threshold: time(self.minor_threshold, base.minor_threshold),
            major_threshold: time(self.major_threshold, base.major_threshold),
            minor_max: trips(self.minor_max, base.minor_max),
            major_max: trips(self.major_max, base.major_max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(low: RunningLow, dialect: Dialect) -> Running {
        let (mut faults, mut notes) = (Vec::new(), Vec::new());
        let running = Running::resolve(
            low,
            dialect,
            dialect == Dialect::Gossipper,
            &mut faults,
            &mut notes,
        );
        assert_eq!((faults.len(), notes.len()), (0, 0));
        running
    }

    #[test]
    fn sipps_dialect_listens_for_commands_and_watches_itself_unless_told_otherwise() {
        let sipp = resolved(RunningLow::default(), Dialect::Sipp);
        assert_eq!(sipp.watchdog, Some(WatchdogConfig::DEFAULT));
        let any = ControlAddress {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: None,
        };
        assert_eq!(sipp.control, Some(any));
        let ours = resolved(RunningLow::default(), Dialect::Gossipper);
        assert_eq!((ours.watchdog, ours.control), (None, None));
        let low = RunningLow {
            control_port: Some(9),
            ..RunningLow::default()
        };
        let port = Some(9);
        let named = resolved(low, Dialect::Gossipper).control;
        assert_eq!(named, Some(ControlAddress { port, ..any }));
    }

    #[test]
    fn a_watchdog_without_an_interval_sleeps_and_minus_one_is_any_number_of_trips() {
        let with = |watchdog| {
            let low = RunningLow {
                watchdog,
                ..RunningLow::default()
            };
            resolved(low, Dialect::Gossipper).watchdog
        };
        let off = WatchdogLow {
            interval: Some(Duration::ZERO),
            ..WatchdogLow::default()
        };
        assert_eq!(with(off), None);
        let unlimited = WatchdogLow {
            minor_max: Some(-1),
            major_max: Some(0),
            ..WatchdogLow::default()
        };
        let config = with(unlimited).expect("it watches");
        assert_eq!((config.minor_max, config.major_max), (None, Some(0)));
        assert_eq!(config.interval, WatchdogConfig::DEFAULT.interval);
    }
}
