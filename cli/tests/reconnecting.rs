// SPDX-License-Identifier: AGPL-3.0-only
//! What becomes of calls whose connection ends or is reset, by `-max_reconnect`, `-reconnect_sleep` and `-reconnect_close`: SIPp
//! and ours against the same peer, which hangs up when it is told to.
//!
//! The peer counts connections and requests; the tools count calls. Skipped, loudly, where there is no `sipp` on `PATH`.

mod place;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use Expected::{Different, Same};
use gossipper_testkit::sipp::{Exit, Running, Tool, free_tcp_port};
use place::{BINARY, Place};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Two requests of a call, some time apart, so that a connection can end in between.
const SCENARIO: &str = "<?xml version=\"1.0\" encoding=\"us-ascii\"?>
<scenario name=\"twice\"><send><![CDATA[
OPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send><recv response=\"200\"/><pause milliseconds=\"150\"/><send><![CDATA[
OPTIONS sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 OPTIONS
Content-Length: 0

]]></send><recv response=\"200\"/></scenario>";

/// What a run came to, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    code: i32,
    connections: usize,
    /// Requests that were answered.
    answered: usize,
    /// Calls that have succeeded and failed, where the tool lived to say so.
    calls: Option<(u64, u64)>,
}

/// Reads one request without a body; `None` at the end of the connection.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => text.push(byte[0]),
            Ok(_) | Err(_) => return None,
        }
    }
    Some(String::from_utf8(text).expect("text"))
}

fn answer(request: &str) -> String {
    let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let lines = request.lines();
    let copied = lines.filter(|line| names.iter().any(|name| line.starts_with(name)));
    let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n")
}

/// How the peer hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HangsUp {
    /// It closes its connection once it has answered.
    Closes,
    /// It resets it when the next request comes.
    Resets,
}

/// Resets a connection in place of closing it.
fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("an option");
}

/// Answers on each connection as many requests as `patience` says of its number, then hangs up. Counts both.
fn serve(
    listener: &TcpListener,
    stop: &AtomicBool,
    patience: fn(usize) -> usize,
    how: HangsUp,
) -> (usize, usize) {
    let mut threads = Vec::new();
    for (number, stream) in listener.incoming().enumerate() {
        let mut stream = stream.expect("a connection");
        if stop.load(Ordering::Acquire) {
            break;
        }
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("an option");
        threads.push(std::thread::spawn(move || {
            let mut answered = 0;
            while answered < patience(number) {
                let Some(request) = read_request(&mut stream) else {
                    break;
                };
                if stream.write_all(answer(&request).as_bytes()).is_err() {
                    break;
                }
                answered += 1;
            }
            if how == HangsUp::Resets && read_request(&mut stream).is_some() {
                reset(stream);
            }
            answered
        }));
    }
    let connections = threads.len();
    let answered = threads.into_iter();
    let answered = answered.map(|thread| thread.join().expect("the peer did its part"));
    (connections, answered.sum())
}

/// The last row of the statistics of a run, if it wrote one.
fn counted(place: &Place) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(place.path("stat.csv")).ok()?;
    let mut lines = text.lines();
    let names: Vec<_> = lines.next()?.split(';').collect();
    let last: Vec<_> = lines.last()?.split(';').collect();
    let value = |name: &str| {
        let at = names.iter().position(|column| *column == name)?;
        last.get(at)?.parse().ok()
    };
    Some((value("SuccessfulCall(C)")?, value("FailedCall(C)")?))
}

fn seen(program: &str, flags: &str, patience: fn(usize) -> usize, how: HangsUp) -> Seen {
    let place = Place::new();
    place.write("twice.xml", SCENARIO);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address: SocketAddr = listener.local_addr().expect("it listens");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let peer = std::thread::spawn(move || serve(&listener, &stopped, patience, how));
    let line = format!(
        "-sf twice.xml -i 127.0.0.1 -max_socket 500 -nostdin -trace_stat -stf stat.csv -fd 1 -timeout 20s -recv_timeout 3000 \
         {flags} {address}"
    );
    let output = place.command(program, &line).output().expect("it runs");
    stop.store(true, Ordering::Release);
    drop(TcpStream::connect(address));
    let (connections, answered) = peer.join().expect("the peer ends");
    let code = output.status.code().unwrap_or(-1);
    Seen {
        code,
        connections,
        answered,
        calls: counted(&place).filter(|_| code != 255),
    }
}

/// How both tools end.
#[derive(Clone, Copy)]
enum Expected {
    /// In the same way.
    Same(Seen),
    /// Each in its own: SIPp's first. Why is in docs/compat.md, under "Connections".
    Different(Seen, Seen),
}

const fn ends(code: i32, connections: usize, answered: usize, calls: Option<(u64, u64)>) -> Seen {
    Seen {
        code,
        connections,
        answered,
        calls,
    }
}

/// Hangs up after the first answer on the first connection only.
fn first_is_short(number: usize) -> usize {
    if number == 0 { 1 } else { usize::MAX }
}

/// Hangs up before it answers on the first connection only.
fn first_says_nothing(number: usize) -> usize {
    if number == 0 { 0 } else { usize::MAX }
}

/// Hangs up after a call on the first connection only.
fn first_takes_a_call(number: usize) -> usize {
    if number == 0 { 2 } else { usize::MAX }
}

/// Hangs up after the first answer on each connection.
fn all_are_short(_: usize) -> usize {
    1
}

type Patience = fn(usize) -> usize;

const AGAIN: &str = "-max_reconnect 5 -reconnect_sleep 20 -reconnect_close";

/// Runs both tools through the cases.
fn compare(how: HangsUp, cases: &[(String, Patience, Expected)]) {
    let Some(_) = Tool::sipp() else { return };
    let folder = Place::new();
    let ours = folder.path("sipp");
    std::os::unix::fs::symlink(BINARY, &ours).expect("a link");
    let ours = ours.to_str().expect("a path of text");
    for (flags, patience, expected) in cases {
        let (sipps, our) = match *expected {
            Same(seen) => (seen, seen),
            Different(sipps, our) => (sipps, our),
        };
        let of = |program| seen(program, flags, *patience, how);
        assert_eq!(of("sipp"), sipps, "SIPp with {flags}, {how:?}");
        assert_eq!(of(ours), our, "ours with {flags}, {how:?}");
    }
}

/// What happens on the one connection, and on those of calls.
#[test]
fn calls_end_or_go_on_as_in_sipp_but_where_it_gives_up() {
    let again = AGAIN;
    let cases: [(String, Patience, Expected); 8] = [
        (
            "-t t1 -m 1".to_owned(),
            all_are_short,
            Same(ends(1, 1, 1, Some((0, 1)))),
        ),
        (
            format!("-t t1 -m 1 {again} true"),
            first_is_short,
            Same(ends(1, 1, 1, Some((0, 1)))),
        ),
        (
            format!("-t t1 -m 1 {again} false"),
            first_is_short,
            Different(ends(1, 1, 1, Some((0, 1))), ends(0, 2, 2, Some((1, 0)))),
        ),
        (
            format!("-t t1 -m 3 -r 2 {again} true"),
            first_is_short,
            Different(ends(1, 1, 1, Some((0, 3))), ends(1, 2, 5, Some((2, 1)))),
        ),
        (
            "-t tn -m 1".to_owned(),
            all_are_short,
            Same(ends(1, 1, 1, Some((0, 1)))),
        ),
        (
            format!("-t tn -m 2 -r 2 {again} true"),
            first_is_short,
            Same(ends(1, 2, 3, Some((1, 1)))),
        ),
        (
            format!("-t tn -m 2 -r 2 {again} false"),
            first_is_short,
            Different(ends(255, 1, 1, None), ends(0, 3, 4, Some((2, 0)))),
        ),
        (
            "-t tn -m 2 -r 2 -reconnect_close false".to_owned(),
            first_is_short,
            Different(ends(255, 1, 1, None), ends(1, 2, 3, Some((1, 1)))),
        ),
    ];
    compare(HangsUp::Closes, &cases);
}

/// A reset is the end of the run in SIPp; that of 3.6.1 also dies where it may connect anew. Here it is that only where the
/// one connection is gone for good.
#[test]
fn a_reset_ends_the_run_only_where_nothing_can_go_on() {
    let dies = |answered| ends(255, 1, answered, None);
    let (one, each) = ("-t t1 -m 3 -r 2", "-t tn -m 3 -r 2");
    let again = |flags: &str| format!("{flags} {AGAIN} true");
    let cases: [(String, Patience, Expected); 9] = [
        ("-t t1 -m 1".to_owned(), first_says_nothing, Same(dies(0))),
        (one.to_owned(), first_is_short, Same(dies(1))),
        (one.to_owned(), first_takes_a_call, Same(dies(2))),
        (
            again(one),
            first_says_nothing,
            Different(dies(0), ends(1, 2, 4, Some((2, 1)))),
        ),
        (
            again(one),
            first_takes_a_call,
            Different(dies(2), ends(1, 2, 4, Some((2, 1)))),
        ),
        (
            each.to_owned(),
            first_says_nothing,
            Different(dies(0), ends(1, 3, 4, Some((2, 1)))),
        ),
        (
            each.to_owned(),
            first_is_short,
            Different(dies(1), ends(1, 3, 5, Some((2, 1)))),
        ),
        (
            each.to_owned(),
            first_takes_a_call,
            Same(ends(0, 3, 6, Some((3, 0)))),
        ),
        (
            again(each),
            first_is_short,
            Different(dies(1), ends(1, 3, 5, Some((2, 1)))),
        ),
    ];
    compare(HangsUp::Resets, &cases);
}

/// SIPp as a server ends with the first peer that resets its connection; here others have their calls.
#[test]
fn a_server_outlives_peers_that_reset_their_connections() {
    let Some(sipp) = Tool::sipp() else { return };
    for (tool, code, second) in [(sipp, 255, 0), (Tool::gossipper(BINARY), 1, 2)] {
        let place = Place::new();
        let port = free_tcp_port(HOST).expect("a port");
        let scenario = place.write("answers.xml", answers_twice());
        let line = format!(
            "-sf {} -i 127.0.0.1 -p {port} -t t1 -m 2 -max_socket 500 -nostdin -trace_err -error_file {}",
            scenario.display(),
            place.path("errors").display()
        );
        let words = line.split_whitespace().map(str::to_owned).collect();
        let mut server = Running::start(&tool, words).expect("it starts");
        server.wait_for_listener(port).expect("it listens");
        let mut first = TcpStream::connect((HOST, port)).expect("a connection");
        assert_eq!(asked(&mut first, "first", 1), 1, "{}", tool.name);
        reset(first);
        // Whether the port is still open is the question.
        let answered = match TcpStream::connect((HOST, port)) {
            Ok(mut stream) => asked(&mut stream, "second", 2),
            Err(_) => 0,
        };
        assert_eq!(answered, second, "{}", tool.name);
        let until = Instant::now() + Duration::from_secs(30);
        let ended = server.finish(until, port).expect("it ends");
        assert_eq!(ended.exit, Exit::Code(code), "{}: {ended:?}", tool.name);
        let errors = std::fs::read_to_string(place.path("errors")).expect("errors");
        let words = "remote peer probably closed the socket: Connection reset by peer";
        assert!(errors.contains(words), "{}: {errors}", tool.name);
    }
}

/// A server that answers two requests of a call.
fn answers_twice() -> String {
    let step = "<recv request=\"OPTIONS\"/><send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>";
    format!("<?xml version=\"1.0\"?>\n<scenario name=\"answers\">{step}{step}</scenario>")
}

/// Sends so many requests of a call, one after the other; how many were answered.
fn asked(stream: &mut TcpStream, call: &str, times: u32) -> u32 {
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).expect("an option");
    for number in 1..=times {
        let request = format!(
            "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{call}{number}\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: {call}@127.0.0.1\r\n\
             CSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let written = stream.write_all(request.as_bytes());
        if written.is_err() || read_request(stream).is_none() {
            return number - 1;
        }
    }
    times
}
