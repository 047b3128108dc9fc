// SPDX-License-Identifier: AGPL-3.0-only
//! Profiles of the program from the command line: files that tools read, and the paths at which they ask.

mod place;

use place::{BINARY, Place};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

/// A program that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `profile.proto`, as far as it is looked at here.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(message, repeated, tag = "1")]
    columns: Vec<Column>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    texts: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Column {
    #[prost(int64, tag = "1")]
    kind: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
}

fn decoded(packed: &[u8]) -> Message {
    let mut bytes = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(packed);
    reader.read_to_end(&mut bytes).expect("compressed");
    prost::Message::decode(&bytes[..]).expect("a profile")
}

/// Columns and names of functions; every sample refers to what is there.
fn checked(packed: &[u8]) -> (Vec<String>, Vec<String>) {
    let message = decoded(packed);
    let text = |place: i64| message.texts[place as usize].clone();
    let columns: Vec<_> = (message.columns.iter())
        .map(|column| text(column.kind))
        .collect();
    let known: Vec<u64> = (message.locations.iter())
        .map(|location| location.id)
        .collect();
    assert!(!message.samples.is_empty());
    for sample in &message.samples {
        assert_eq!(sample.values.len(), columns.len());
        assert!(sample.locations.iter().all(|id| known.contains(id)));
    }
    let names = message.functions.iter();
    (columns, names.map(|function| text(function.name)).collect())
}

fn has_ours(names: &[String]) -> bool {
    names
        .iter()
        .any(|name| name.contains("gossipper_runtime::"))
}

#[test]
fn a_run_leaves_profiles_with_frames_of_its_own() {
    let place = Place::new();
    let line = "-sn uac -loopback -m 1500 -r 3000 -d 0 -timeout_global 120 -cpuprofile cpu.pb.gz -memprofile mem.pb.gz";
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let read = |name: &str| std::fs::read(place.path(name)).expect("written");
    let (columns, names) = checked(&read("cpu.pb.gz"));
    assert_eq!(columns, ["samples", "cpu"]);
    assert!(has_ours(&names), "{names:?}");
    let (columns, names) = checked(&read("mem.pb.gz"));
    assert_eq!(
        columns,
        [
            "alloc_objects",
            "alloc_space",
            "inuse_objects",
            "inuse_space"
        ]
    );
    assert!(
        names.iter().any(|name| name.contains("gossipper")),
        "{names:?}"
    );
}

#[test]
fn stacks_as_text_are_for_flame_graphs_and_what_cannot_be_written_is_said() {
    let place = Place::new();
    let ran = place.run(
        "-sn uac -loopback -m 1000 -r 3000 -d 0 -timeout_global 120 -cpuprofile cpu.folded -memprofile missing/mem.pb.gz",
    );
    // The other is written all the same.
    assert_eq!(ran.code, 255, "{}", ran.shown());
    let said = ran
        .err
        .matches("cannot write the profile `missing/mem.pb.gz`")
        .count();
    assert_eq!(said, 2, "when it begins and when it ends: {}", ran.shown());
    let text = std::fs::read_to_string(place.path("cpu.folded")).expect("written");
    let mut ours = 0;
    for line in text.lines() {
        let (stack, figure) = line.rsplit_once(' ').expect(line);
        assert!(figure.parse::<u64>().expect(line) > 0);
        ours += usize::from(
            stack
                .split(';')
                .any(|frame| frame.contains("gossipper_runtime::")),
        );
    }
    assert!(ours > 0, "{text}");
}

fn get(address: &str, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).expect("text");
    let status = head.lines().next().expect("a line");
    (status.trim_start_matches("HTTP/1.1 ").to_owned(), body)
}

#[test]
fn tools_find_profiles_where_they_look_for_them_while_it_runs() {
    let place = Place::new();
    let mut command = place.command(
        BINARY,
        "-sn uac -loopback -r 500 -m 1000000 -timeout_global 300 -pprof 127.0.0.1:0",
    );
    let started = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut run = Running(started.expect("the binary runs"));
    let mut lines = BufReader::new(run.0.stderr.take().expect("piped")).lines();
    let address = lines
        .find_map(|line| {
            let line = line.expect("text");
            let (_, url) = line.split_once("profiles are at http://")?;
            Some(url.trim_end_matches("/debug/pprof/").to_owned())
        })
        .expect("it says where");
    std::thread::spawn(move || lines.for_each(drop));
    // A second on a busy machine may hold little: until there is something of ours.
    let until_ours = |path: &str, is_ours: &dyn Fn(&[u8]) -> bool| {
        let found = (0..60).any(|_| {
            let (status, body) = get(&address, path);
            assert_eq!(status, "200 OK");
            is_ours(&body)
        });
        assert!(found, "{path}");
    };
    until_ours("/debug/pprof/profile?seconds=1&format=folded", &|body| {
        String::from_utf8_lossy(body).contains("gossipper_runtime::")
    });
    until_ours("/debug/pprof/profile?seconds=1", &|body| {
        !decoded(body).samples.is_empty() && has_ours(&checked(body).1)
    });
    let (status, heap) = get(&address, "/debug/pprof/heap");
    assert_eq!(status, "200 OK");
    let heap = decoded(&heap);
    assert_eq!(heap.columns.len(), 4);
    let (_, allocs) = get(&address, "/debug/pprof/allocs?format=folded");
    assert!(String::from_utf8_lossy(&allocs).lines().count() > 0);
    let (_, words) = get(&address, "/debug/pprof/cmdline");
    assert!(String::from_utf8_lossy(&words).contains("\0-pprof\0"));
    for (path, status) in [
        ("/debug/pprof/", "200 OK"),
        ("/", "404 Not Found"),
        ("/debug/pprof/profile?seconds=0", "400 Bad Request"),
        ("/debug/pprof/profile?seconds=x", "400 Bad Request"),
    ] {
        assert_eq!(get(&address, path).0, status, "{path}");
    }
}

#[test]
fn an_address_that_is_taken_is_said_before_the_run() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = taken.local_addr().expect("an address");
    let ran = place::run(&format!("-sn uac -loopback -m 1 -pprof {address}"));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(ran.err.contains("-pprof"), "{}", ran.shown());
}
