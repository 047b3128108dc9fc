// SPDX-License-Identifier: AGPL-3.0-only
//! The form of protocol buffers (`io.prometheus.client.MetricFamily`, each behind its length): the one in which Prometheus
//! takes native histograms.
//!
//! Few fields, by hand; tests read them with a decoder of another crate, and with Prometheus itself.

use super::Labels;
use gossipper_control::measures::{BORDERS_MS, Distribution, NATIVE_PER_OCTAVE};

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Counter = 0,
    Gauge = 1,
    Histogram = 4,
}

/// Kinds of fields on the wire.
const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const BYTES: u64 = 2;

/// Buckets per power of two, as the exponent of two: schema 3 has eight.
const SCHEMA: i32 = NATIVE_PER_OCTAVE.ilog2().cast_signed();

/// What is smaller counts as nothing, in seconds: half a microsecond, which is the least that is measured.
const ZERO: f64 = 0.5e-6;

/// Families, one after the other.
#[derive(Debug, Default)]
pub(super) struct Families {
    out: Vec<u8>,
    /// The one in the making, and what it is.
    family: Vec<u8>,
    kind: Option<Type>,
}

impl Families {
    pub(super) fn begin(&mut self, name: &str, help: &str, kind: Type) {
        self.end();
        bytes(&mut self.family, 1, name.as_bytes());
        bytes(&mut self.family, 2, help.as_bytes());
        number(&mut self.family, 3, kind as u64);
        self.kind = Some(kind);
    }

    /// Adds a sample to the family.
    pub(super) fn sample(&mut self, labels: &Labels<'_>, value: f64) {
        let mut holder = Vec::new();
        double(&mut holder, 1, value);
        let field = match self.kind {
            Some(Type::Gauge) => 2,
            Some(Type::Counter) => 3,
            Some(Type::Histogram) | None => return,
        };
        self.metric(labels, field, &holder);
    }

    /// Adds a histogram with both its kinds of buckets.
    pub(super) fn histogram(&mut self, labels: &Labels<'_>, times: &Distribution) {
        let mut out = Vec::new();
        number(&mut out, 1, times.count);
        double(&mut out, 2, times.mean_us / 1e6 * times.count as f64);
        let mut up_to = 0;
        for (samples, ms) in times.borders.iter().zip(BORDERS_MS) {
            up_to += samples;
            let mut bucket = Vec::new();
            number(&mut bucket, 1, up_to);
            double(&mut bucket, 2, ms as f64 / 1e3);
            bytes(&mut out, 3, &bucket);
        }
        number(&mut out, 5, zigzag(SCHEMA.into()));
        double(&mut out, 6, ZERO);
        number(&mut out, 7, times.native_zero);
        // Buckets in a row are a span; between spans is a gap.
        let (mut deltas, mut before, mut next) = (Vec::new(), 0_i64, None);
        let mut spans: Vec<(i64, u64)> = Vec::new();
        for (bucket, count) in &times.native {
            let bucket = i64::from(*bucket);
            match (next, spans.last_mut()) {
                (Some(next), Some((_, length))) if next == bucket => *length += 1,
                (next, _) => spans.push((bucket - next.unwrap_or(0), 1)),
            }
            next = Some(bucket + 1);
            let count = count.cast_signed();
            varint(&mut deltas, zigzag(count - before));
            before = count;
        }
        for (offset, length) in spans {
            let mut span = Vec::new();
            number(&mut span, 1, zigzag(offset));
            number(&mut span, 2, length);
            bytes(&mut out, 12, &span);
        }
        if !deltas.is_empty() {
            bytes(&mut out, 13, &deltas);
        }
        self.metric(labels, 7, &out);
    }

    /// Everything.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end();
        self.out
    }

    fn metric(&mut self, labels: &Labels<'_>, field: u64, value: &[u8]) {
        let mut metric = Vec::new();
        for (name, text) in labels {
            let mut label = Vec::new();
            bytes(&mut label, 1, name.as_bytes());
            bytes(&mut label, 2, text.as_bytes());
            bytes(&mut metric, 1, &label);
        }
        bytes(&mut metric, field, value);
        bytes(&mut self.family, 4, &metric);
    }

    fn end(&mut self) {
        if self.kind.take().is_some() {
            varint(&mut self.out, self.family.len() as u64);
            self.out.append(&mut self.family);
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | DOUBLE);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Family {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        help: String,
        #[prost(int32, tag = "3")]
        kind: i32,
        #[prost(message, repeated, tag = "4")]
        metric: Vec<Metric>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Metric {
        #[prost(message, repeated, tag = "1")]
        label: Vec<Label>,
        #[prost(message, optional, tag = "2")]
        gauge: Option<Value>,
        #[prost(message, optional, tag = "3")]
        counter: Option<Value>,
        #[prost(message, optional, tag = "7")]
        histogram: Option<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Label {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Value {
        #[prost(double, tag = "1")]
        value: f64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Histogram {
        #[prost(uint64, tag = "1")]
        count: u64,
        #[prost(double, tag = "2")]
        sum: f64,
        #[prost(message, repeated, tag = "3")]
        bucket: Vec<Bucket>,
        #[prost(sint32, tag = "5")]
        schema: i32,
        #[prost(double, tag = "6")]
        zero_threshold: f64,
        #[prost(uint64, tag = "7")]
        zero_count: u64,
        #[prost(message, repeated, tag = "12")]
        span: Vec<Span>,
        #[prost(sint64, repeated, tag = "13")]
        delta: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Bucket {
        #[prost(uint64, tag = "1")]
        count: u64,
        #[prost(double, tag = "2")]
        upper: f64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Span {
        #[prost(sint32, tag = "1")]
        offset: i32,
        #[prost(uint32, tag = "2")]
        length: u32,
    }

    #[test]
    fn families_and_histograms_are_read_as_they_were_meant() {
        let mut families = Families::default();
        families.begin("a_total", "An a.", Type::Counter);
        families.sample(&[("x", "1"), ("y", "\"\n")], 3.0);
        families.sample(&[], 4.5);
        families.begin("b_seconds", "A b.", Type::Histogram);
        let times = Distribution {
            count: 12,
            mean_us: 500_000.0,
            native: vec![(-9, 2), (-8, 5), (-3, 4)],
            native_zero: 1,
            ..Distribution::default()
        };
        families.histogram(&[("from", "due")], &times);
        families.begin("c", "A c.", Type::Gauge);
        families.sample(&[], -1.0);
        let bytes = families.finish();
        let mut rest = &bytes[..];
        let mut next = || Family::decode_length_delimited(&mut rest).expect("a family");
        let (a, b, c) = (next(), next(), next());
        assert!(rest.is_empty());
        assert_eq!(
            (&*a.name, &*a.help, a.kind, a.metric.len()),
            ("a_total", "An a.", 0, 2)
        );
        assert_eq!(a.metric[0].label[1].value, "\"\n");
        assert_eq!(
            a.metric[0].counter.as_ref().map(|value| value.value),
            Some(3.0)
        );
        assert_eq!(
            (c.kind, c.metric[0].gauge.as_ref().map(|value| value.value)),
            (1, Some(-1.0))
        );
        assert_eq!((b.kind, &*b.metric[0].label[0].name), (4, "from"));
        let histogram = b.metric[0].histogram.as_ref().expect("one");
        assert_eq!(
            (histogram.count, histogram.sum, histogram.schema),
            (12, 6.0, 3)
        );
        assert_eq!(
            (histogram.zero_count, histogram.bucket.len()),
            (1, BORDERS_MS.len())
        );
        let spans: Vec<_> = (histogram.span.iter())
            .map(|span| (span.offset, span.length))
            .collect();
        // The second begins four after the end of the first.
        assert_eq!(spans, [(-9, 2), (4, 1)]);
        assert_eq!(histogram.delta, [2, 3, -1]);
    }
}
