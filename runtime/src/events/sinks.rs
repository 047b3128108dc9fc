// SPDX-License-Identifier: AGPL-3.0-only
//! What is made of events: lines of text, lines of JSON, records of OTLP. One thread makes all of them.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use gossipper_control::{EventCounts, SinkCounts};
use gossipper_otlp::export::Wrapping;
use gossipper_otlp::{Collector, Encoder, Exporter, Sender, Severity, Stream, Value, Wrap};
use jiff::tz::TimeZone;
use tokio::net::TcpStream;

use super::attributes::{Addresses, Event, Put, Scene};
use super::record::Batch;
use super::ring::Shared;
use super::{EventConfig, GRACE, OtlpConfig, OtlpProtocol};
use crate::config::LogFileConfig;
use crate::error::Error;
use crate::logs::file::{Bounds, LogFile};
use crate::logs::stamp::{Stamps, TimeForm};
use crate::transport::tls::{TlsClient, explain};

/// Bytes of records after which a request is made of them: collectors take four times as much by default.
const REQUEST_BYTES: usize = 1 << 20;

/// How long records gather before a request is made of them.
const REQUEST_AFTER: Duration = Duration::from_millis(200);

/// The way to a collector.
#[derive(Debug)]
struct Otlp {
    encoder: Encoder,
    sender: Sender,
    exporter: Exporter,
    /// When what was collected is due.
    due: Option<Instant>,
}

/// TLS towards a collector.
struct Secured(TlsClient);

impl Wrap for Secured {
    fn wrap(&self, stream: TcpStream) -> Wrapping<'_> {
        Box::pin(async move {
            let stream = self.0.connect(stream).await;
            let stream = stream.map_err(|error| std::io::Error::other(explain(&error)))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

impl Otlp {
    fn new(
        config: &OtlpConfig,
        resource: &[(String, String)],
        version: &str,
    ) -> Result<Self, Error> {
        let protocols: &[&[u8]] = match config.protocol {
            OtlpProtocol::Grpc => &[b"h2"],
            OtlpProtocol::Http => &[],
        };
        // The name decides; an address is only needed where it is one.
        let address = config
            .host
            .parse()
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let secured = config
            .tls
            .as_ref()
            .map(|tls| TlsClient::speaking(tls, &config.host, address, protocols).map(Secured));
        let wrap = secured
            .transpose()?
            .map(|wrap| Box::new(wrap) as Box<dyn Wrap>);
        let exporter = Exporter::start(Collector {
            protocol: config.protocol,
            host: config.host.clone(),
            port: config.port,
            path: config.path.clone(),
            headers: config.headers.clone(),
            timeout: config.timeout,
            wrap,
        });
        let exporter = exporter.map_err(|source| Error::Thread {
            what: "OTLP exporter",
            source,
        })?;
        Ok(Self {
            encoder: Encoder::new(resource, "gossipper", version),
            sender: exporter.sender(),
            exporter,
            due: None,
        })
    }

    fn send(&mut self) {
        self.due = None;
        if !self.encoder.is_empty() {
            self.sender.send(self.encoder.take());
        }
    }
}

/// Lines on standard error.
#[derive(Debug, Default)]
struct Text {
    out: Vec<u8>,
    lines: u64,
    counts: SinkCounts,
    error: Option<String>,
}

impl Text {
    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        match std::io::stderr().lock().write_all(&self.out) {
            Ok(()) => self.counts.written += lines,
            Err(error) => {
                self.counts.lost += lines;
                self.error
                    .get_or_insert_with(|| format!("standard error: {error}"));
            }
        }
        self.out.clear();
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sinks {
    scene: Scene,
    addresses: Addresses,
    stamps: Stamps,
    text: Option<Text>,
    /// What `-log_attr` says, as text.
    tail: Vec<u8>,
    file: Option<LogFile>,
    /// The same as JSON.
    resource: Vec<u8>,
    line: Vec<u8>,
    stamp: Vec<u8>,
    otlp: Option<Otlp>,
}

impl Sinks {
    pub(super) fn new(config: &EventConfig, scene: Scene) -> Result<Self, Error> {
        let mut resource = vec![
            ("service.name".to_owned(), "gossipper".to_owned()),
            ("service.version".to_owned(), config.version.clone()),
            ("gossipper.role".to_owned(), scene.role.to_owned()),
        ];
        for (key, value) in &config.attributes {
            // What is said last counts, also about the three.
            resource.retain(|(known, _)| known != key);
            resource.push((key.clone(), value.clone()));
        }
        let otlp = config.otlp.as_ref();
        let otlp = otlp.map(|otlp| Otlp::new(otlp, &resource, &config.version));
        let (mut tail, mut object) = (Vec::new(), Vec::new());
        let own = resource
            .iter()
            .filter(|(key, _)| config.attributes.iter().any(|(own, _)| own == key));
        for (index, (key, value)) in own.enumerate() {
            object.extend_from_slice(if index == 0 { b",\"resource\":{" } else { b"," });
            quoted(&mut object, key.as_bytes());
            object.push(b':');
            quoted(&mut object, value.as_bytes());
            tail.push(b' ');
            tail.extend_from_slice(key.as_bytes());
            tail.push(b'=');
            word(&mut tail, value.as_bytes());
        }
        if !object.is_empty() {
            object.push(b'}');
        }
        Ok(Self {
            scene,
            addresses: Addresses::default(),
            stamps: Stamps::new(TimeZone::system()),
            text: config.text.then(Text::default),
            tail,
            // A run does not fail for want of it: what cannot be written is counted and said.
            file: config.file.as_ref().map(|path| {
                let file = LogFileConfig::new(path.clone());
                LogFile::lazy(file, Bounds::default()).with_head("", true)
            }),
            resource: object,
            line: Vec::new(),
            stamp: Vec::new(),
            otlp: otlp.transpose()?,
        })
    }

    fn write(&mut self, event: &Event<'_>) {
        let record = event.record;
        let (kind, level) = (event.kind(), record.what.level());
        let (scene, addresses) = (&self.scene, &mut self.addresses);
        if self.text.is_some() || self.file.is_some() {
            self.stamp.clear();
            self.stamps
                .push(&mut self.stamp, record.wall_us, TimeForm::Nanos);
        }
        if let Some(text) = &mut self.text {
            let out = &mut text.out;
            out.extend_from_slice(&self.stamp);
            for part in [level_name(level, true), kind] {
                out.push(b' ');
                out.extend_from_slice(part.as_bytes());
            }
            out.push(b' ');
            plain(out, event.message());
            event.attributes(scene, addresses, &mut Words(out));
            out.extend_from_slice(&self.tail);
            out.push(b'\n');
            text.lines += 1;
        }
        if let Some(file) = &mut self.file {
            let out = &mut self.line;
            out.clear();
            out.extend_from_slice(b"{\"time\":\"");
            out.extend_from_slice(&self.stamp);
            out.extend_from_slice(b"\",\"level\":\"");
            out.extend_from_slice(level_name(level, false).as_bytes());
            out.extend_from_slice(b"\",\"kind\":\"");
            out.extend_from_slice(kind.as_bytes());
            out.extend_from_slice(b"\",\"message\":");
            quoted(out, event.message());
            out.extend_from_slice(b",\"attributes\":{");
            let mut members = Members { out, first: true };
            event.attributes(scene, addresses, &mut members);
            out.push(b'}');
            out.extend_from_slice(&self.resource);
            out.extend_from_slice(b"}\n");
            file.record(record.wall_us, &[out]);
        }
        if let Some(otlp) = &mut self.otlp {
            let time_ns = record.wall_us.saturating_mul(1000);
            otlp.encoder
                .record(time_ns, level, kind, event.message(), |out| {
                    out.put("event.name", Value::Text(kind.as_bytes()));
                    event.attributes(scene, addresses, out);
                });
            if otlp.encoder.len() >= REQUEST_BYTES {
                otlp.send();
            } else if otlp.due.is_none() {
                otlp.due = Some(Instant::now() + REQUEST_AFTER);
            }
        }
    }

    /// Hands on what has been collected.
    fn flush(&mut self, end: bool) {
        if let Some(text) = &mut self.text {
            text.flush();
        }
        if let Some(file) = &mut self.file {
            file.flush();
        }
        if let Some(otlp) = &mut self.otlp
            && (end || otlp.due.is_some_and(|due| due <= Instant::now()))
        {
            otlp.send();
        }
    }

    fn due(&self) -> Option<Instant> {
        self.otlp.as_ref()?.due
    }

    fn counts(&self) -> EventCounts {
        let mut counts = EventCounts::default();
        if let Some(text) = &self.text {
            counts.text = text.counts;
            counts.error.clone_from(&text.error);
        }
        if let Some(file) = &self.file {
            let (tally, failure) = file.state();
            counts.file = SinkCounts {
                written: tally.written,
                lost: tally.lost,
            };
            counts.error = counts.error.or_else(|| failure.map(str::to_owned));
        }
        if let Some(otlp) = &self.otlp {
            add(&mut counts, otlp.sender.counts());
        }
        counts
    }

    /// Gives the collector its last chance.
    fn close(mut self) -> EventCounts {
        self.flush(true);
        let otlp = self.otlp.take();
        let mut counts = self.counts();
        if let Some(otlp) = otlp {
            add(&mut counts, otlp.exporter.close(GRACE));
        }
        counts
    }
}

fn add(counts: &mut EventCounts, otlp: gossipper_otlp::Counts) {
    counts.otlp = SinkCounts {
        written: otlp.delivered,
        lost: otlp.lost,
    };
    counts.retries = otlp.retries;
    counts.error = counts.error.take().or(otlp.error);
}

/// The thread.
pub(super) fn run(shared: &Shared, mut sinks: Sinks) {
    let mut taken: VecDeque<Batch> = VecDeque::new();
    let mut order: Vec<(u64, usize, usize)> = Vec::new();
    loop {
        let closing = shared.take(&mut taken, sinks.due());
        order.clear();
        for (place, batch) in taken.iter().enumerate() {
            order.extend((0..batch.len()).map(|index| (batch.get(index).0.wall_us, place, index)));
        }
        // Of several shards; what one has told stays in its order.
        if !order.is_sorted() {
            order.sort_by_key(|(wall_us, _, _)| *wall_us);
        }
        for (_, place, index) in &order {
            let (record, call_id, text) = taken[*place].get(*index);
            sinks.write(&Event {
                record,
                call_id,
                text,
            });
        }
        sinks.flush(false);
        shared.publish(sinks.counts());
        if closing && shared.is_empty() {
            break;
        }
    }
    shared.publish(sinks.close());
}

const fn level_name(level: Severity, large: bool) -> &'static str {
    match (level, large) {
        (Severity::Debug, true) => "DEBUG",
        (Severity::Info, true) => "INFO",
        (Severity::Warn, true) => "WARN",
        (Severity::Error, true) => "ERROR",
        (Severity::Debug, false) => "debug",
        (Severity::Info, false) => "info",
        (Severity::Warn, false) => "warn",
        (Severity::Error, false) => "error",
    }
}

/// Attributes in a line of text.
struct Words<'a>(&'a mut Vec<u8>);

impl Put for Words<'_> {
    fn put(&mut self, key: &'static str, value: Value<'_>) {
        self.0.push(b' ');
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b'=');
        match value {
            Value::Text(text) => word(self.0, text),
            Value::Int(number) => decimal(self.0, number),
        }
    }
}

/// Attributes as members of an object.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Put for Members<'_> {
    fn put(&mut self, key: &'static str, value: Value<'_>) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        // Names have nothing that would need an escape.
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        match value {
            Value::Text(text) => quoted(self.out, text),
            Value::Int(number) => decimal(self.out, number),
        }
    }
}

fn decimal(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// A value in a line of text: in quotes if it needs them.
fn word(out: &mut Vec<u8>, text: &[u8]) {
    let bare = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
    if !text.is_empty() && text.iter().all(bare) {
        out.extend_from_slice(text);
    } else {
        quoted(out, text);
    }
}

/// A text in a line, whatever a peer has put into it.
fn plain(out: &mut Vec<u8>, text: &[u8]) {
    if text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        out.extend_from_slice(text);
        return;
    }
    for c in String::from_utf8_lossy(text).chars() {
        let c = if c.is_control() { ' ' } else { c };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// A string of JSON.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    let needs = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f..);
    if text.iter().any(needs) {
        // Memory takes what it is given.
        let written = serde_json::to_writer(&mut *out, &String::from_utf8_lossy(text));
        debug_assert!(written.is_ok());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_peers_cannot_break_a_line() {
        let print = |how: fn(&mut Vec<u8>, &[u8]), text: &[u8]| {
            let mut out = Vec::new();
            how(&mut out, text);
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(print(plain, b"a\x1b[2J\nb\xff"), "a [2J b\u{fffd}");
        assert_eq!(print(word, b"10.0.0.1"), "10.0.0.1");
        assert_eq!(print(word, b""), "\"\"");
        assert_eq!(print(word, b"Busy Here"), "\"Busy Here\"");
        assert_eq!(print(word, b"a=\"\n"), "\"a=\\\"\\n\"");
        assert_eq!(print(quoted, b"\\\xff\x00"), "\"\\\\\u{fffd}\\u0000\"");
        for number in [0, -1, 42, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
