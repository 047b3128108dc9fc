// SPDX-License-Identifier: AGPL-3.0-only
//! Trace files in SIPp's form, beside those that real SIPp wrote in the same test, and in gossipper's own.
//!
//! Times, process ids and ports are put aside; columns, names and everything that both must count alike are compared.
//! The parts with SIPp are skipped, loudly, where there is none.

mod place;

use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use place::Place;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LIMIT: Duration = Duration::from_secs(30);

const HEADERS: &str = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
Max-Forwards: 70
Content-Length: 0";

const ANSWER: &str = "[last_Via:]
[last_From:]
[last_To:];tag=x[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0";

/// A call with timers of both kinds, counters of both kinds, a hidden step and every element that has columns.
fn client() -> String {
    format!(
        "<?xml version=\"1.0\"?>
<scenario name=\"c\">
<send retrans=\"2000\" start_rtd=\"1\" counter=\"2\"><![CDATA[
INVITE sip:b@[remote_ip]:[remote_port] SIP/2.0
CSeq: 1 INVITE
{HEADERS}

]]></send>
<recv response=\"100\" optional=\"true\"/>
<recv response=\"180\" optional=\"true\" hide=\"true\"/>
<recv response=\"200\" rtd=\"1\" start_rtd=\"media\" counter=\"mine\">
 <action><log message=\"call [call_number]\"/></action></recv>
<send lost=\"0\"><![CDATA[
ACK sip:b@[remote_ip]:[remote_port] SIP/2.0
CSeq: 1 ACK
{HEADERS}

]]></send>
<nop display=\"here\" rtd=\"media\"/>
<pause milliseconds=\"20\"/>
<ResponseTimeRepartition value=\"4000,8000\"/>
<CallLengthRepartition value=\"5,9000\"/>
</scenario>"
    )
}

fn server(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>
<scenario name=\"s\">
<recv request=\"INVITE\"/>
<send><![CDATA[
SIP/2.0 {code}
{ANSWER}

]]></send>
<recv request=\"ACK\"/>
</scenario>"
    )
}

fn ours() -> Tool {
    Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"))
}

/// What a client left, and the port of its server.
struct Left {
    client: Outcome,
    server: u16,
}

impl Left {
    /// A file of the client by the end of its name; empty if there is none.
    fn read(&self, end: &str) -> String {
        let name = format!("c_{}{end}", self.client.pid);
        std::fs::read_to_string(self.client.folder.path().join(name)).unwrap_or_default()
    }

    /// The names of its files.
    fn names(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.client.folder.path()).expect("a folder");
        let mut names: Vec<String> = folder
            .map(|entry| {
                let name = entry.expect("an entry").file_name();
                let name = name.to_string_lossy();
                name.replace(&self.client.pid.to_string(), "PID")
            })
            .collect();
        names.sort();
        names
    }

    /// A text without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        text.replace(&format!("-{}@", self.client.pid), "-PID@")
            .replace(&format!("-{}-", self.client.pid), "-PID-")
            .replace(&self.client.port.to_string(), "CLIENT")
            .replace(&self.server.to_string(), "SERVER")
    }
}

/// Three calls, one after the other, with every trace.
fn calls(tool: &Tool, code: &str, calls: u32, more: &str) -> Left {
    let place = Place::new();
    place.write("c.xml", client());
    place.write("s.xml", server(code));
    let flags: Vec<String> = format!(
        "-l 1 -fd 1 -trace_stat -trace_counts -trace_rtt -rtt_freq 1 -trace_error_codes -trace_msg \
         -trace_shortmsg -trace_logs -trace_calldebug -trace_err {more}"
    )
    .split_whitespace()
    .map(str::to_owned)
    .collect();
    let address = SocketAddr::new(HOST, free_udp_port(HOST).expect("a port"));
    let port = free_udp_port(HOST).expect("a port");
    let path = |name: &str| place.path(name).display().to_string();
    let start = |tool: &Tool, file: &str, port: u16, more: &[String]| {
        let mut arguments: Vec<String> = ["-sf", &path(file), "-nostdin", "-i"]
            .map(str::to_owned)
            .to_vec();
        arguments.extend([HOST.to_string(), "-p".into(), port.to_string()]);
        arguments.extend(["-m".into(), calls.to_string()]);
        arguments.extend(more.iter().cloned());
        Running::start(tool, arguments).expect("it starts")
    };
    let deadline = Instant::now() + LIMIT;
    let mut answering = start(&ours(), "s.xml", address.port(), &[]);
    answering.wait_for_port(address).expect("it listens");
    let mut flags = flags;
    flags.extend([address.to_string(), "-r".into(), "20".into()]);
    let client = start(tool, "c.xml", port, &flags)
        .finish(deadline, port)
        .expect("it ends");
    // It has answered all there is to answer.
    drop(answering);
    Left {
        client,
        server: address.port(),
    }
}

/// Rows of a table by the names of their columns.
fn table(text: &str) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut lines = text.lines().map(|line| {
        let cells = line.split(';').map(str::to_owned);
        cells.collect::<Vec<String>>()
    });
    let head = lines.next().unwrap_or_default();
    let rows = lines.map(|cells| {
        assert_eq!(cells.len(), head.len(), "{cells:?}");
        head.iter().cloned().zip(cells).collect()
    });
    let rows = rows.collect();
    (head, rows)
}

/// Whether a column holds a time, a duration or a rate, whose value is the machine's.
fn is_measured(name: &str) -> bool {
    name.ends_with("Time")
        || [
            "Elapsed",
            "CallRate",
            "TargetRate",
            "ResponseTime",
            "CallLength",
        ]
        .iter()
        .any(|start| name.starts_with(start) && !name.contains("Repartition"))
}

#[test]
fn tables_count_what_sipps_count_under_the_same_names() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let (theirs, own) = (
        calls(&sipp, "200 OK", 3, ""),
        calls(&ours(), "200 OK", 3, ""),
    );
    assert_eq!(
        (theirs.client.exit, own.client.exit),
        (Exit::Code(0), Exit::Code(0))
    );
    assert_eq!(own.names(), theirs.names());

    for end in ["_.csv", "_counts.csv"] {
        let (their_head, their_rows) = table(&theirs.read(end));
        let (head, rows) = table(&own.read(end));
        assert_eq!(head, their_head, "{end}");
        let (last, their_last) = (rows.last().expect("a row"), their_rows.last().expect("one"));
        for name in head.iter().filter(|name| !is_measured(name)) {
            // SIPp's last row is empty in its periods: those of all rows are compared.
            if name.ends_with("(P)") {
                let sum = |rows: &[BTreeMap<String, String>]| -> u64 {
                    rows.iter()
                        .map(|row| row[name].parse::<u64>().expect(name))
                        .sum()
                };
                assert_eq!(sum(&rows), sum(&their_rows), "{name}");
            } else {
                assert_eq!(last[name], their_last[name], "{name}");
            }
        }
        // Durations have the same form, whatever they are.
        for name in head.iter().filter(|name| is_measured(name)) {
            let form = |row: &BTreeMap<String, String>| {
                row[name].replace(|c: char| c.is_ascii_digit(), "0")
            };
            if !name.contains("Rate") && !name.contains("StDev") {
                assert_eq!(form(last), form(their_last), "{name}");
            }
        }
        let target = |row: &BTreeMap<String, String>| {
            row.get("TargetRate")
                .map(|rate| rate.parse::<f64>().expect("a rate"))
        };
        assert_eq!(target(last), target(their_last));
    }
    let (_, rows) = table(&own.read("_.csv"));
    assert_eq!(
        rows[0]["TotalCallCreated"], "0",
        "a row before the first call"
    );
    assert_eq!(
        rows.last().map(|row| row["SuccessfulCall(C)"].as_str()),
        Some("3")
    );

    let (their_head, their_rows) = table(&theirs.read("_rtt.csv"));
    let (head, rows) = table(&own.read("_rtt.csv"));
    assert_eq!(head, their_head);
    let names = |rows: &[BTreeMap<String, String>]| -> Vec<String> {
        rows.iter().map(|row| row["rtd_no"].clone()).collect()
    };
    assert_eq!(names(&rows), names(&their_rows));
    assert_eq!(names(&rows), ["1", "media", "1", "media", "1", "media"]);
}

#[test]
fn logs_have_sipps_lines() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let (theirs, own) = (
        calls(&sipp, "200 OK", 3, ""),
        calls(&ours(), "200 OK", 3, ""),
    );
    assert_eq!(own.read("_logs.log"), "call 1\ncall 2\ncall 3\n");
    assert_eq!(own.read("_logs.log"), theirs.read("_logs.log"));
    let short = |left: &Left| -> Vec<String> {
        let text = left.plain(&left.read("_shortmessages.log"));
        // Date, time and seconds stand before the rest.
        let rest = |line: &str| line.splitn(4, '\t').nth(3).map(str::to_owned);
        text.lines()
            .map(|line| rest(line).expect("a line"))
            .collect()
    };
    assert_eq!(short(&own), short(&theirs));
    assert_eq!(short(&own).len(), 9);
    assert_eq!(own.read("_calldebug.log"), "", "no call failed");
}

#[test]
fn what_is_unexpected_is_traced_as_sipp_does() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let (theirs, own) = (
        calls(&sipp, "486 Busy", 2, ""),
        calls(&ours(), "486 Busy", 2, ""),
    );
    assert_eq!(
        (theirs.client.exit, own.client.exit),
        (Exit::Code(1), Exit::Code(1))
    );
    let codes = |left: &Left| -> Vec<String> {
        let text = left.read("_error_codes.csv");
        let last = |line: &str| line.rsplit(';').next().map(str::to_owned);
        let codes = text.lines().map(|line| last(line).expect("a cell"));
        codes.filter(|codes| !codes.is_empty()).collect()
    };
    assert_eq!(
        (codes(&own), codes(&theirs)),
        (vec!["486,486,".to_owned()], vec!["486,486,".to_owned()])
    );

    // SIPp has no line end behind a message that stands in quotes.
    let errors = |left: &Left| {
        let text = left.plain(&left.client.errors);
        let text = if text.is_empty() {
            left.plain(&left.read("_errors.log"))
        } else {
            text
        };
        assert!(
            text.starts_with("The following events occurred:\n"),
            "{text}"
        );
        let entries = text.match_indices("Aborting call on unexpected message for Call-Id '");
        let heads = entries.map(|(at, _)| text[at..].lines().next().unwrap_or("").to_owned());
        heads.collect::<Vec<String>>()
    };
    assert_eq!(errors(&own), errors(&theirs));
    assert_eq!(errors(&own).len(), 2);

    let titles = |left: &Left| -> Vec<String> {
        let text = left.plain(&left.read("_calldebug.log"));
        let titles = text.lines().filter(|line| {
            line.starts_with("-----") || line.starts_with("Call debugging information")
        });
        titles.map(str::to_owned).collect()
    };
    assert_eq!(titles(&own), titles(&theirs));
    let history = own.read("_calldebug.log");
    for line in [
        "Starting call, outgoing",
        "Unexpected message at step 1 (100)",
        "Aborting call after",
    ] {
        assert_eq!(history.matches(line).count(), 2, "{line}\n{history}");
    }
    assert!(history.contains("SIP/2.0 486 Busy\r\n"), "{history}");

    let (_, rows) = table(&own.read("_.csv"));
    let (_, their_rows) = table(&theirs.read("_.csv"));
    let last =
        |rows: &[BTreeMap<String, String>], name: &str| rows.last().expect("a row")[name].clone();
    for name in ["FailedCall(C)", "FailedUnexpectedMessage(C)", "Warnings(C)"] {
        assert_eq!(last(&rows, name), last(&their_rows, name), "{name}");
    }
}

#[test]
fn rings_leave_as_many_files_as_sipps() {
    let Some(sipp) = Tool::sipp() else {
        return;
    };
    let ring = "-ringbuffer_size 1500 -ringbuffer_files 2";
    for tool in [sipp, ours()] {
        let left = calls(&tool, "200 OK", 8, ring);
        let names = left.names();
        let parts = |kind: &str| {
            let start = format!("c_PID_{kind}_");
            names.iter().filter(|name| name.starts_with(&start)).count()
        };
        assert_eq!(parts("messages"), 2, "{}: {names:?}", tool.name);
        assert!(
            names.contains(&"c_PID_messages.log".to_owned()),
            "{names:?}"
        );
    }
}

fn own_calls(place: &Place, more: &str) -> place::Ran {
    place.write("c.xml", client());
    place.write("s.xml", server("486 Busy"));
    place.run(&format!(
        "sipp -sf c.xml -loopback -loopback_sf s.xml -m 2 -l 1 -r 20 -nostdin {more}"
    ))
}

#[test]
fn gossipper_sipp_writes_its_own_tables_and_says_which_call() {
    let place = Place::new();
    let ran = own_calls(
        &place,
        "-message_file m.txt -trace_shortmsg -trace_err -trace_error_codes -trace_logs -fd 1 \
         -rtt_freq 1 -trace_counts -trace_calldebug",
    );
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let read = |name: &str| std::fs::read_to_string(place.path(name)).expect(name);
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let stats = read("m_stats.log");
    let rows: Vec<_> = stats.lines().map(cells).collect();
    let column = |name: &str| rows[0].iter().position(|title| title == name).expect(name);
    let last = rows.last().expect("a row");
    assert_eq!(last[column("failed_calls")], "2");
    assert_eq!(last[column("failure_unexpected_sip")], "2");
    assert_eq!(last[column("success_ratio")], "0.000000");
    let invite_ms: f64 = last[column("avg_invite_ms")].parse().expect("a number");
    assert!(
        invite_ms == 0.0,
        "an unexpected answer is none: {invite_ms}"
    );
    let codes = read("m_error_codes.log");
    let codes: Vec<_> = codes.lines().skip(1).map(cells).collect();
    assert_eq!(codes.len(), 2);
    for (number, row) in (1..).zip(&codes) {
        assert_eq!(row[1], number.to_string());
        assert_eq!((row[2].as_str(), row[3].as_str()), ("486", "Busy"));
        assert!(row[4].starts_with(&format!("{number}-")), "{row:?}");
        assert_eq!(row[5], "100");
    }
    let short = read("m_shortmessages.log");
    assert!(
        short.starts_with("timestamp,direction,call,proto,summary,call_id\n"),
        "{short}"
    );
    // Both sides of the run, and each number its own call.
    for (what, count) in [
        (",sent,1,UDP,INVITE", 1),
        (",received,1,UDP,SIP/2.0 486 Busy", 1),
        (",sent,2,UDP,", 3),
    ] {
        assert_eq!(short.matches(what).count(), count, "{what}\n{short}");
    }
    // The two sides write from two threads, so either may be first.
    let messages = read("m.txt");
    assert!(messages.contains("sent[1]\nINVITE sip:b@"), "{messages}");
    assert!(read("m_errors.log").contains(" warning[1] Aborting call on unexpected"));
    assert!(read("m_counts.log").lines().next().is_some_and(|line| {
        line.starts_with("timestamp,0_INVITE_sent,0_INVITE_recv,0_INVITE_unexp,1_RESP_100_sent,")
    }));
    assert_eq!(read("m_rtt.log"), "timestamp,call,name,value_ms\n");
    assert_eq!(read("m_logs.log"), "");
    assert!(read("m_calldebug.log").contains("Aborting call after"));
}

#[test]
fn the_time_to_the_answer_of_an_invite_is_in_our_own_statistics() {
    let place = Place::new();
    place.write("c.xml", client());
    place.write("s.xml", server("200 OK"));
    let ran = place.run(
        "sipp -sf c.xml -loopback -loopback_sf s.xml -m 3 -shards 2 -nostdin -message_file m.txt \
         -trace_stat -trace_rtt",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let stats = std::fs::read_to_string(place.path("m_stats.log")).expect("a table");
    let rows: Vec<Vec<&str>> = stats
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    let cell = |name: &str| {
        let at = rows[0].iter().position(|title| *title == name).expect(name);
        rows.last().expect("a row")[at]
    };
    assert_eq!(
        (cell("total_calls"), cell("success_calls")),
        ("3", "3"),
        "of both shards"
    );
    assert!(
        cell("avg_invite_ms")
            .parse::<f64>()
            .is_ok_and(|ms| ms > 0.0)
    );
    assert!(
        cell("avg_call_ms")
            .parse::<f64>()
            .is_ok_and(|ms| ms >= 20.0)
    );
    let rtt = std::fs::read_to_string(place.path("m_rtt.log")).expect("a table");
    let mut rows: Vec<String> = rtt
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{} {}", cells[1], cells[2])
        })
        .collect();
    rows.sort();
    assert_eq!(rows, ["1 1", "1 media", "2 1", "2 media", "3 1", "3 media"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_the_trace_and_not_the_run() {
    let place = Place::new();
    let ran = place.run(
        "sipp -sn uac -loopback -m 20 -r 200 -nostdin -trace_msg -message_file /dev/full \
         -message_overwrite false",
    );
    assert_eq!(
        ran.code,
        0,
        "the calls are what the exit code is about\n{}",
        ran.shown()
    );
    assert!(ran.out.contains("20 created  20 succeeded"), "{}", ran.out);
    // A call of uac is seven messages with its 180, twice: both sides are in this process.
    let calls = ran
        .out
        .lines()
        .find(|line| line.starts_with("Logs "))
        .expect(&ran.out);
    assert!(calls.contains("records of"), "{calls}");
    let said = ran.err.matches("cannot write `/dev/full`").count();
    assert_eq!(said, 1, "once\n{}", ran.err);
}

#[test]
fn a_trace_that_cannot_be_begun_stops_the_run_before_its_first_call() {
    let place = Place::new();
    let ran = place.run(
        "sipp -sn uac -loopback -m 1 -nostdin -compat sipp -trace_stat -stf no/such/folder/x.csv",
    );
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(ran.err.contains("no/such/folder/x.csv"), "{}", ran.err);
    assert!(!Path::new("no").exists());
}

#[test]
fn under_the_name_of_sipp_files_have_its_names() {
    let place = Place::new();
    let link = place.path("sipp");
    std::os::unix::fs::symlink(place::BINARY, &link).expect("a link");
    let output = std::process::Command::new(&link)
        .args([
            "-sn",
            "uac",
            "-loopback",
            "-m",
            "2",
            "-trace_stat",
            "-nostdin",
        ])
        .current_dir(place.path("."))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    let tables = std::fs::read_dir(place.path(".")).expect("a folder");
    let names: Vec<String> = tables
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("uac_") && name.ends_with("_.csv"))
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
}
