// SPDX-License-Identifier: AGPL-3.0-only
//! Log records as protocol buffers: the message `ExportLogsServiceRequest` of OTLP 1.
//!
//! A request is one resource with one scope and any number of records. Records are appended as they come; what stands before
//! them, with its lengths, is put in front when the request is taken. Numbers of fields are those of
//! `opentelemetry/proto/logs/v1/logs.proto`.

use std::borrow::Cow;

/// How grave a record is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// For who looks for something.
    Debug,
    /// What is to be expected.
    Info,
    /// What is not.
    Warn,
    /// What must not be.
    Error,
}

impl Severity {
    const fn number(self) -> u64 {
        match self {
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// The value of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Text; what is no UTF-8 is replaced.
    Text(&'a [u8]),
    /// A number.
    Int(i64),
}

/// Fields of varints, of eight bytes and of bytes with their length.
const VARINT: u64 = 0;
const FIXED: u64 = 1;
const BYTES: u64 = 2;

const fn varint_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn tag(out: &mut Vec<u8>, field: u64, kind: u64) {
    varint(out, field << 3 | kind);
}

fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    tag(out, field, BYTES);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Bytes of a field below 16 with so much content.
const fn field_len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}

/// A text as protocol buffers want it.
fn utf8(text: &[u8]) -> Cow<'_, [u8]> {
    match str::from_utf8(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(String::from_utf8_lossy(text).into_owned().into_bytes()),
    }
}

/// `KeyValue` as a field.
fn key_value(out: &mut Vec<u8>, field: u64, key: &str, value: Value<'_>) {
    let text = match value {
        Value::Text(text) => Some(utf8(text)),
        Value::Int(_) => None,
    };
    let any = match (&text, value) {
        (Some(text), _) => field_len(text.len()),
        (None, Value::Int(number)) => 1 + varint_len(number as u64),
        (None, Value::Text(_)) => 0,
    };
    tag(out, field, BYTES);
    varint(out, (field_len(key.len()) + field_len(any)) as u64);
    bytes(out, 1, key.as_bytes());
    tag(out, 2, BYTES);
    varint(out, any as u64);
    match (&text, value) {
        (Some(text), _) => bytes(out, 1, text),
        (None, Value::Int(number)) => {
            tag(out, 3, VARINT);
            // Negative numbers as their two's complement, in ten bytes.
            varint(out, number as u64);
        }
        (None, Value::Text(_)) => {}
    }
}

/// The attributes of a record.
#[derive(Debug)]
pub struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Adds one.
    pub fn put(&mut self, key: &str, value: Value<'_>) {
        key_value(self.0, 6, key, value);
    }
}

/// Records on their way to a collector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The message.
    pub bytes: Vec<u8>,
    /// Records in it.
    pub records: u64,
}

/// Collects records.
#[derive(Debug)]
pub struct Encoder {
    /// `ResourceLogs.resource`.
    resource: Vec<u8>,
    /// `ScopeLogs.scope`.
    scope: Vec<u8>,
    records: Vec<u8>,
    count: u64,
    /// A record in the making.
    record: Vec<u8>,
}

impl Encoder {
    /// For records of a resource with these attributes, written by this program.
    #[must_use]
    pub fn new(resource: &[(String, String)], name: &str, version: &str) -> Self {
        let mut attributes = Vec::new();
        for (key, value) in resource {
            key_value(&mut attributes, 1, key, Value::Text(value.as_bytes()));
        }
        let mut named = Vec::new();
        bytes(&mut named, 1, name.as_bytes());
        bytes(&mut named, 2, version.as_bytes());
        let (mut resource, mut scope) = (Vec::new(), Vec::new());
        bytes(&mut resource, 1, &attributes);
        bytes(&mut scope, 1, &named);
        Self {
            resource,
            scope,
            records: Vec::new(),
            count: 0,
            record: Vec::new(),
        }
    }

    /// Adds a record of something that happened at this time, in nanoseconds since the epoch.
    pub fn record(
        &mut self,
        time_ns: u64,
        severity: Severity,
        event: &str,
        body: &[u8],
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        let record = &mut self.record;
        record.clear();
        tag(record, 1, FIXED);
        record.extend_from_slice(&time_ns.to_le_bytes());
        tag(record, 2, VARINT);
        varint(record, severity.number());
        bytes(record, 3, severity.text().as_bytes());
        let body = utf8(body);
        tag(record, 5, BYTES);
        varint(record, field_len(body.len()) as u64);
        bytes(record, 1, &body);
        attributes(&mut Attributes(record));
        // Seen when it happened.
        tag(record, 11, FIXED);
        record.extend_from_slice(&time_ns.to_le_bytes());
        bytes(record, 12, event.as_bytes());
        bytes(&mut self.records, 2, record);
        self.count += 1;
    }

    /// Bytes of records collected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The request with what was collected; collecting begins anew.
    pub fn take(&mut self) -> Request {
        let scope_logs = self.scope.len() + self.records.len();
        let resource_logs = self.resource.len() + 1 + varint_len(scope_logs as u64) + scope_logs;
        let mut out = Vec::with_capacity(resource_logs + 16);
        tag(&mut out, 1, BYTES);
        varint(&mut out, resource_logs as u64);
        out.extend_from_slice(&self.resource);
        tag(&mut out, 2, BYTES);
        varint(&mut out, scope_logs as u64);
        out.extend_from_slice(&self.scope);
        out.extend_from_slice(&self.records);
        self.records.clear();
        Request {
            bytes: out,
            records: std::mem::take(&mut self.count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
    use proptest::prelude::*;
    use prost::Message as _;

    fn decoded(request: &Request) -> ExportLogsServiceRequest {
        ExportLogsServiceRequest::decode(&request.bytes[..])
            .expect("what the protocol's own crate reads")
    }

    fn pairs(attributes: &[KeyValue]) -> Vec<(String, String)> {
        let value = |pair: &KeyValue| match pair.value.as_ref().and_then(|any| any.value.as_ref()) {
            Some(any_value::Value::StringValue(text)) => text.clone(),
            Some(any_value::Value::IntValue(number)) => format!("#{number}"),
            other => panic!("{other:?}"),
        };
        let pair = |pair: &KeyValue| (pair.key.clone(), value(pair));
        attributes.iter().map(pair).collect()
    }

    #[test]
    fn the_protocols_own_crate_reads_what_is_written() {
        let resource = [("service.name".to_owned(), "gossipper".to_owned())];
        let mut encoder = Encoder::new(&resource, "scope", "1.2");
        encoder.record(5, Severity::Warn, "sip.recv", b"broken \xff text", |out| {
            out.put("a", Value::Text(b""));
            out.put("b", Value::Int(-1));
            out.put("c", Value::Int(300));
        });
        encoder.record(6, Severity::Info, "", b"", |_| {});
        let request = encoder.take();
        assert_eq!(request.records, 2);
        let logs = &decoded(&request).resource_logs;
        assert_eq!(logs.len(), 1);
        let told = logs[0].resource.as_ref().expect("a resource");
        assert_eq!(pairs(&told.attributes), resource);
        let scope = &logs[0].scope_logs[0];
        let name = scope.scope.as_ref().expect("a scope");
        assert_eq!((&*name.name, &*name.version), ("scope", "1.2"));
        let record = &scope.log_records[0];
        assert_eq!(
            (record.time_unix_nano, record.observed_time_unix_nano),
            (5, 5)
        );
        assert_eq!(
            (record.severity_number, &*record.severity_text),
            (13, "WARN")
        );
        assert_eq!(record.event_name, "sip.recv");
        let body = record.body.as_ref().and_then(|any| any.value.clone());
        assert_eq!(
            body,
            Some(any_value::Value::StringValue("broken \u{fffd} text".into()))
        );
        let seen = pairs(&record.attributes);
        let seen: Vec<_> = seen.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(seen, [("a", ""), ("b", "#-1"), ("c", "#300")]);
        assert_eq!(scope.log_records[1].severity_text, "INFO");
        assert!(
            encoder.is_empty()
                && decoded(&encoder.take()).resource_logs[0].scope_logs[0]
                    .log_records
                    .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_lengths_and_numbers_come_out_as_they_went_in(
            records in proptest::collection::vec(
                (any::<u64>(), "\\PC{0,300}", "\\PC{0,40}", any::<i64>(), 0_usize..40_000), 0..8)
        ) {
            let mut encoder = Encoder::new(&[], "x", "");
            for (time, body, event, number, long) in &records {
                encoder.record(*time, Severity::Debug, event, body.as_bytes(), |out| {
                    out.put("number", Value::Int(*number));
                    out.put("long", Value::Text("y".repeat(*long).as_bytes()));
                });
            }
            let request = decoded(&encoder.take());
            let seen = &request.resource_logs[0].scope_logs[0].log_records;
            prop_assert_eq!(seen.len(), records.len());
            for (seen, (time, body, event, number, long)) in seen.iter().zip(&records) {
                prop_assert_eq!(seen.time_unix_nano, *time);
                prop_assert_eq!(&seen.event_name, event);
                let said = seen.body.as_ref().and_then(|any| any.value.clone());
                prop_assert_eq!(said, Some(any_value::Value::StringValue(body.clone())));
                let pairs = pairs(&seen.attributes);
                prop_assert_eq!(&pairs[0].1, &format!("#{number}"));
                prop_assert_eq!(pairs[1].1.len(), *long);
            }
        }
    }
}
