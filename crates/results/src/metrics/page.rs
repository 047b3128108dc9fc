// SPDX-License-Identifier: AGPL-3.0-only
//! A page of metrics while it is written: families and samples, in each of the forms.

use super::proto::{Families, Type};
use gossipper_control::measures::{BORDERS_MS, Distribution, Times};
use std::fmt::{Display, Write as _};

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' own.
    Text,
    /// OpenMetrics.
    OpenMetrics,
    /// Protocol buffers, which Prometheus asks for when it takes native histograms.
    Protobuf,
}

impl Form {
    /// What a client with this `Accept` header is given.
    #[must_use]
    pub fn of_accept(accept: &str) -> Self {
        let kinds = accept.split(',').map(|kind| kind.trim_start());
        // What is asked for first is wanted most, in all that scrapes.
        let known = kinds.filter_map(|kind| {
            let family = "proto=io.prometheus.client.MetricFamily";
            let delimited = kind.contains(family) && kind.contains("encoding=delimited");
            if kind.starts_with("application/openmetrics-text") {
                Some(Self::OpenMetrics)
            } else if kind.starts_with("application/vnd.google.protobuf") && delimited {
                Some(Self::Protobuf)
            } else {
                None
            }
        });
        known.into_iter().next().unwrap_or(Self::Text)
    }

    /// The `Content-Type` of it.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

pub(super) type Labels<'a> = [(&'a str, &'a str)];

pub(super) struct Page {
    pub(super) out: String,
    pub(super) form: Form,
    /// What is written in place of text.
    pub(super) families: Families,
}

impl Page {
    /// Begins a family. Of a counter the name is without `_total`.
    pub(super) fn head(&mut self, name: &str, kind: Kind, unit: &str, help: &str) {
        let open = self.form == Form::OpenMetrics;
        if self.form == Form::Protobuf {
            let (suffix, kind) = match kind {
                Kind::Counter => ("_total", Type::Counter),
                Kind::Gauge => ("", Type::Gauge),
                Kind::Histogram => ("", Type::Histogram),
                Kind::Info => ("_info", Type::Gauge),
            };
            let name = format!("{name}{suffix}");
            self.families.begin(&name, help, kind);
            return;
        }
        let (suffix, kind) = match (kind, open) {
            (Kind::Counter, true) => ("", "counter"),
            (Kind::Counter, false) => ("_total", "counter"),
            (Kind::Gauge, _) => ("", "gauge"),
            (Kind::Histogram, _) => ("", "histogram"),
            (Kind::Info, true) => ("", "info"),
            (Kind::Info, false) => ("_info", "gauge"),
        };
        // Writing to memory cannot fail, here and below.
        let _ = writeln!(self.out, "# HELP {name}{suffix} {help}");
        let _ = writeln!(self.out, "# TYPE {name}{suffix} {kind}");
        if open && !unit.is_empty() {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
    }

    pub(super) fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        if self.form == Form::Protobuf {
            // Whole and decimal numbers are all that is shown.
            let value = value.to_string().parse().unwrap_or(f64::NAN);
            self.families.sample(labels, value);
            return;
        }
        self.out.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{label}=\"", if place == 0 { '{' } else { ',' });
            for c in text.chars() {
                match c {
                    '\\' => self.out.push_str("\\\\"),
                    '"' => self.out.push_str("\\\""),
                    '\n' => self.out.push_str("\\n"),
                    c => self.out.push(c),
                }
            }
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        unit: &str,
        help: &str,
        samples: &[(&Labels<'_>, &dyn Display)],
    ) {
        self.head(name, Kind::Counter, unit, help);
        let total = format!("{name}_total");
        for (labels, value) in samples {
            self.sample(&total, labels, value);
        }
    }

    pub(super) fn count(&mut self, name: &str, help: &str, value: u64) {
        self.counter(name, "", help, &[(&[], &value)]);
    }

    pub(super) fn gauge(&mut self, name: &str, unit: &str, help: &str, value: impl Display) {
        self.head(name, Kind::Gauge, unit, help);
        self.sample(name, &[], value);
    }

    pub(super) fn histogram(&mut self, name: &str, labels: &Labels<'_>, times: &Distribution) {
        if self.form == Form::Protobuf {
            self.families.histogram(labels, times);
            return;
        }
        let (bucket, count) = (format!("{name}_bucket"), format!("{name}_count"));
        let mut up_to = 0;
        for (place, samples) in times.borders.iter().enumerate() {
            up_to += samples;
            let border = BORDERS_MS.get(place).map_or_else(
                || "+Inf".to_owned(),
                |ms| {
                    let seconds = *ms as f64 / 1e3;
                    match self.form {
                        // There it has to be a float.
                        Form::OpenMetrics => format!("{seconds:?}"),
                        Form::Text | Form::Protobuf => seconds.to_string(),
                    }
                },
            );
            let with_border = [labels, &[("le", &*border)][..]].concat();
            self.sample(&bucket, &with_border, up_to);
        }
        let sum = times.mean_us / 1e6 * times.count as f64;
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&count, labels, times.count);
    }

    /// A family of times with both beginnings.
    pub(super) fn both(&mut self, name: &str, help: &str, all: &[(&Labels<'_>, &Times)]) {
        self.head(name, Kind::Histogram, "seconds", help);
        for (labels, times) in all {
            for (from, times) in [("sent", &times.actual), ("due", &times.due)] {
                let labels = [labels, &[("from", from)][..]].concat();
                self.histogram(name, &labels, times);
            }
        }
    }
}
