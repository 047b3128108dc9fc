// SPDX-License-Identifier: AGPL-3.0-only
//! Profiles read back by a decoder of another crate.

use super::*;
use std::hint::black_box;
use std::io::Read as _;

/// `profile.proto`, as far as it is written.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    memory_limit: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

fn decoded(profile: &Profile) -> Message {
    let mut message = Vec::new();
    let packed = profile.to_pprof();
    let mut reader = flate2::read::GzDecoder::new(&packed[..]);
    reader.read_to_end(&mut message).expect("compressed");
    prost::Message::decode(&message[..]).expect("a profile")
}

/// The names of a sample, from the innermost on.
fn names<'a>(message: &'a Message, sample: &Sample) -> Vec<&'a str> {
    let mut names = Vec::new();
    for id in &sample.location_id {
        let mut locations = message.location.iter();
        let location = locations.find(|location| location.id == *id);
        for line in &location.expect("each is described").line {
            let mut functions = message.function.iter();
            let function = functions.find(|function| function.id == line.function_id);
            names.push(&*message.string_table[function.expect("it is known").name as usize]);
        }
    }
    names
}

/// Work that no compiler leaves out, under a name to look for.
#[inline(never)]
fn a_busy_function(until: Instant) -> u64 {
    let mut sum = 0_u64;
    while Instant::now() < until {
        for step in 0..10_000_u64 {
            sum = black_box(sum.rotate_left(7) ^ step);
        }
    }
    sum
}

#[test]
#[cfg(target_os = "linux")]
fn a_profile_of_the_processor_names_the_function_that_is_busy() {
    let profiler = CpuProfiler::start().expect("nobody else takes one");
    let second = CpuProfiler::start().expect_err("one at a time");
    assert!(second.to_string().contains("already"), "{second}");
    // Other threads may take the processor, and their time is sampled too: until it was this one's for long enough.
    let began = Instant::now();
    let profile = loop {
        black_box(a_busy_function(Instant::now() + Duration::from_millis(300)));
        if began.elapsed() > Duration::from_millis(600) {
            break profiler.finish();
        }
    };
    assert!(!profile.is_empty());
    let message = decoded(&profile);
    let text = |place: i64| &*message.string_table[place as usize];
    let columns: Vec<_> = (message.sample_type.iter())
        .map(|column| (text(column.kind), text(column.unit)))
        .collect();
    assert_eq!(columns, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert_eq!(message.string_table[0], "");
    assert_eq!(
        (message.period, text(message.default_sample_type)),
        (10_000_000, "cpu")
    );
    assert!(message.duration_nanos >= 600_000_000 && message.time_nanos > 0);
    assert!(message.mapping[0].has_functions);
    let busy: Vec<_> = (message.sample.iter())
        .map(|sample| (names(&message, sample), &sample.value))
        .filter(|(names, _)| names.iter().any(|name| name.contains("a_busy_function")))
        .collect();
    let samples: i64 = busy.iter().map(|(_, value)| value[0]).sum();
    assert!(samples >= 3, "{samples} of {}", message.sample.len());
    for (names, value) in &busy {
        assert_eq!(value[1], value[0] * 10_000_000);
        // The handler itself is not in it, and the test is what it was called from.
        assert!(
            !names.iter().any(|name| name.contains("on_sample")),
            "{names:?}"
        );
        let test = names
            .iter()
            .position(|name| name.contains("names_the_function_that_is_busy"));
        let own = names
            .iter()
            .position(|name| name.contains("a_busy_function"));
        assert!(test > own, "{names:?}");
    }
    // The same as text: from the outermost frame on.
    let folded = profile.to_collapsed();
    let line = folded.lines().find(|line| line.contains("a_busy_function"));
    let (stack, figure) = line.and_then(|line| line.rsplit_once(' ')).expect("a line");
    assert!(figure.parse::<i64>().expect("a number") % 10_000_000 == 0);
    assert!(
        stack.find("names_the_function") < stack.find("a_busy_function"),
        "{stack}"
    );
    // And again, as the timer is free.
    drop(CpuProfiler::start().expect("the one before is over"));
}
