// SPDX-License-Identifier: AGPL-3.0-only
//! Response times beside what a capture of the same run shows: dumpcap watches, tshark reads, and each call's timer is set
//! against the times of its own INVITE and 200.
//!
//! Messages that leave together may be one frame in a capture (segmentation offload), with the time of the whole; such
//! frames are taken apart here. Bounds are wide, because a machine that does other things lets any thread wait between
//! reading the clock and sending. How near both are on a quiet machine is in docs/performance.md, and told by
//! `GOSSIPPER_CAPTURED_CALLS=20000 GOSSIPPER_CAPTURED_RATE=1000 cargo test --release -p gossipper-cli --test captured -- --nocapture`.

mod place;

use place::Place;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any machine needs for what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What tells dumpcap's file that it has everything.
const LAST: &[u8] = b"nothing comes after this";

fn from_env(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().expect(name))
}

/// A UDP port that nobody has.
fn port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address").port()
}

/// Watches a port until it is told to stop.
struct Watch {
    dumpcap: Child,
    marks: UdpSocket,
}

impl Watch {
    /// Why there is none, where it may not watch.
    fn start(file: &Path, port: u16) -> Result<Self, String> {
        let marks = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = marks.local_addr().expect("its address");
        marks.connect(to).expect("itself");
        marks
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a time");
        let filter = format!("udp port {port} or udp port {}", to.port());
        let dumpcap = Command::new("dumpcap")
            .args(["-q", "-i", "lo", "-B", "64", "-f", &filter, "-w"])
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let dumpcap = match dumpcap {
            Ok(dumpcap) => dumpcap,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err("there is no dumpcap".to_owned());
            }
            Err(error) => panic!("{error}"),
        };
        let mut watch = Self { dumpcap, marks };
        if watch.sees(file, b"it watches") {
            Ok(watch)
        } else {
            Err("dumpcap may not watch the loopback interface".to_owned())
        }
    }

    /// Sends a mark until it is in the file; not, if dumpcap ends before that.
    fn sees(&mut self, file: &Path, mark: &[u8]) -> bool {
        let begun = Instant::now();
        loop {
            self.marks.send(mark).expect("sent");
            // The wait for its own packets gives dumpcap time.
            for _ in 0..5 {
                let _ = self.marks.recv(&mut [0; 64]);
            }
            let seen = std::fs::read(file).unwrap_or_default();
            if seen.windows(mark.len()).rev().any(|window| window == mark) {
                return true;
            }
            if self.dumpcap.try_wait().expect("a child of ours").is_some() {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "dumpcap sees nothing");
        }
    }

    /// What was written is whole afterwards.
    fn stop(mut self, file: &Path) {
        assert!(self.sees(file, LAST), "dumpcap ended by itself");
        let told = Command::new("kill")
            .args(["-INT", &self.dumpcap.id().to_string()])
            .status();
        assert!(told.expect("kill runs").success());
        assert!(self.dumpcap.wait().expect("it ends").success());
    }
}

/// The messages of a datagram, or of several that were captured as one: each as long as its Content-Length says.
fn messages(mut payload: &str) -> Vec<&str> {
    let mut messages = Vec::new();
    while let Some(head) = payload.find("\r\n\r\n") {
        let lines = payload[..head].lines();
        let length = lines
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| *name == "Content-Length");
        let length: usize = length.map_or(0, |(_, value)| value.trim().parse().expect("a length"));
        let (message, rest) = payload.split_at(head + 4 + length);
        messages.push(message);
        payload = rest;
    }
    messages
}

/// The value of a header.
fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let mut lines = message.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(known, _)| *known == name);
    found.map_or("", |(_, value)| value.trim())
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("hexadecimal")
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// From the first INVITE to the first 200 for it, in µs by Call-ID; and how many messages were in one frame with others.
fn captured(file: &Path) -> (HashMap<String, f64>, usize) {
    let output = Command::new("tshark")
        .arg("-n")
        .arg("-r")
        .arg(file)
        .args([
            "-T",
            "fields",
            "-e",
            "frame.time_epoch",
            "-e",
            "udp.payload",
        ])
        .output()
        .expect("it is there");
    assert!(output.status.success(), "{output:?}");
    let mut began: HashMap<String, f64> = HashMap::new();
    let mut took = HashMap::new();
    let mut together = 0;
    let mut zero = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (time, payload) = line.split_once('\t').expect("two fields");
        // Of seconds since the epoch a float keeps no microseconds.
        let (seconds, nanos) = time.split_once('.').expect("a fraction");
        let seconds: i64 = seconds.parse().expect("seconds");
        let zero = *zero.get_or_insert(seconds);
        let nanos: f64 = format!("0.{nanos}").parse().expect("nanoseconds");
        let at = ((seconds - zero) as f64 + nanos) * 1e6;
        let payload = String::from_utf8(bytes(payload)).expect("SIP is text here");
        let messages = messages(&payload);
        together += if messages.len() > 1 {
            messages.len()
        } else {
            0
        };
        for message in messages {
            let id = header(message, "Call-ID").to_owned();
            if message.starts_with("INVITE ") {
                began.entry(id).or_insert(at);
            } else if message.starts_with("SIP/2.0 200 ")
                && header(message, "CSeq").ends_with("INVITE")
            {
                let since = began[&id];
                took.entry(id).or_insert(at - since);
            }
        }
    }
    (took, together)
}

/// What our timer says, in µs by Call-ID.
fn measured(place: &Place) -> HashMap<String, f64> {
    let records = std::fs::read_to_string(place.path("c.jsonl")).expect("records");
    let ids: HashMap<u64, String> = records
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect(line);
            let id = record["call_id"].as_str().expect("a Call-ID");
            (
                record["call_number"].as_u64().expect("a number"),
                id.to_owned(),
            )
        })
        .collect();
    let rows = std::fs::read_to_string(place.path("t_rtt.log")).expect("response times");
    let rows = rows.lines().skip(1).map(|row| {
        let fields: Vec<_> = row.split(',').collect();
        let call: u64 = fields[1].parse().expect("a call");
        let ms: f64 = fields[3].parse().expect("milliseconds");
        (ids[&call].clone(), ms * 1000.0)
    });
    rows.collect()
}

/// A quantile of values in order.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "figures are shown, and a test that is skipped says so"
)]
fn response_times_are_those_of_a_capture_of_the_same_run() {
    let calls = from_env("GOSSIPPER_CAPTURED_CALLS", 200);
    let rate = from_env("GOSSIPPER_CAPTURED_RATE", 200);
    let place = Place::new();
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no tshark");
        return;
    }
    let (port, file) = (port(), place.path("run.pcapng"));
    let watch = match Watch::start(&file, port) {
        Ok(watch) => watch,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return;
        }
    };
    let ran = place.run(&format!(
        "sipp -sn uac -loopback -p {port} -m {calls} -r {rate} -d 10 -trace_rtt -message_file t.log \
         -call_records_jsonl c.jsonl"
    ));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    watch.stop(&file);
    let (captured, together) = captured(&file);
    let measured = measured(&place);
    assert_eq!(measured.len() as u64, calls, "each call has a time");
    assert_eq!(captured.len() as u64, calls, "and was captured");
    let differences = sorted(measured.iter().map(|(id, ours)| ours - captured[id]));
    let (ours, theirs) = (
        sorted(measured.values().copied()),
        sorted(captured.values().copied()),
    );
    let of = |values: &[f64]| {
        let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(|part| quantile(values, part));
        format!("p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  max {most:.0}")
    };
    eprintln!(
        "{calls} calls at {rate}/s, {together} messages in frames with others, times in us\n\
         timer:      {}\ncapture:    {}\ndifference: {}",
        of(&ours),
        of(&theirs),
        of(&differences)
    );
    // The timer begins before the INVITE is sent and ends when the kernel has the answer; the clocks are not the same.
    let least = differences.first().copied().unwrap_or_default();
    assert!(
        least > -1000.0,
        "a timer {least} us shorter than the capture"
    );
    let median = quantile(&differences, 0.5);
    assert!(
        median < 100_000.0,
        "timers longer than the capture by {median} us"
    );
}
