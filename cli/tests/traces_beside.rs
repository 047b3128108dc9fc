// SPDX-License-Identifier: AGPL-3.0-only
//! What traces say of calls that stand beside those of a client (`-oocsf`, `-rxsf`), and of the time to the answer of an
//! INVITE.

mod place;

use gossipper_testkit::sipp::{Exit, Running, Tool, free_udp_port};
use place::{BINARY, Place, builtin};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const OWN: &str = "From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>[peer_tag_param]
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Content-Length: 0";

const ANSWER: &str = "[last_Via:]
[last_From:]
[last_To:];tag=x[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0";

fn send(line: &str, call_id: &str, method: &str) -> String {
    format!(
        "<send><![CDATA[\n{line}\nCall-ID: {call_id}\nCSeq: [cseq] {method}\n{OWN}\n\n]]></send>\n"
    )
}

fn ask(method: &str, call_id: &str) -> String {
    send(
        &format!("{method} sip:b@[remote_ip]:[remote_port] SIP/2.0"),
        call_id,
        method,
    )
}

fn ok() -> String {
    format!("<send><![CDATA[\nSIP/2.0 200 OK\n{ANSWER}\n\n]]></send>\n")
}

fn scenario(name: &str, steps: &[String]) -> String {
    let steps = steps.concat();
    format!("<?xml version=\"1.0\"?>\n<scenario name=\"{name}\">\n{steps}</scenario>\n")
}

fn recv(attributes: &str) -> String {
    format!("<recv {attributes}/>\n")
}

/// A client whose peer asks it something outside of its call before it lets it go on, or also something (`more`) that the
/// scenario for that does not expect.
fn write(place: &Place, more: &str, then: &[String]) {
    let client = [
        ask("OPTIONS", "[call_id]"),
        recv("response=\"200\""),
        recv("request=\"MESSAGE\""),
        ok(),
    ];
    let server = [
        recv("request=\"OPTIONS\""),
        ok(),
        ask("INFO", "other///[call_id]"),
        recv("response=\"200\""),
        more.to_owned(),
        ask("MESSAGE", "[call_id]"),
        recv("response=\"200\""),
    ];
    let beside = [&[recv("request=\"INFO\""), ok()], then].concat();
    place.write("c.xml", scenario("c", &client));
    place.write("s.xml", scenario("s", &server));
    place.write("beside.xml", scenario("beside", &beside));
}

const RUN: &str = "-sf c.xml -callid_slash_ign -l 1 -m 2 -r 50 -nostdin";

#[test]
fn calls_beside_are_told_apart_in_messages_and_have_histories() {
    // Calls of an out-of-call scenario are numbered by themselves, those of a receiving one with the client's.
    for (flag, numbers) in [
        ("-oocsf", ["4294967297", "4294967298"]),
        ("-rxsf", ["2", "4"]),
    ] {
        let place = Place::new();
        let notify = ask("NOTIFY", "other///[call_id]");
        write(&place, &notify, &[recv("request=\"BYE\""), ok()]);
        let ran = place.run(&format!(
            "sipp {RUN} -loopback -loopback_sf s.xml {flag} beside.xml -message_file m.txt -trace_shortmsg -trace_err \
             -trace_calldebug"
        ));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let read = |name: &str| std::fs::read_to_string(place.path(name)).expect(name);
        let (short, whole, errors) = (
            read("m_shortmessages.log"),
            read("m.txt"),
            read("m_errors.log"),
        );
        for number in numbers {
            for line in [
                ",received,{},UDP,INFO ",
                ",sent,{},UDP,SIP/2.0 200 OK,other",
            ] {
                let line = line.replace("{}", number);
                assert_eq!(short.matches(&line).count(), 1, "{flag} {line}\n{short}");
            }
            let head = format!("received[{number}]\nNOTIFY ");
            assert_eq!(whole.matches(&head).count(), 1, "{flag}\n{whole}");
            let warned = format!(" warning[{number}] Aborting call on unexpected message");
            assert_eq!(errors.matches(&warned).count(), 1, "{flag}\n{errors}");
        }
        let histories = read("m_calldebug.log");
        for line in [
            "Call debugging information for call other///",
            "Starting call, incoming",
            "Accepted at step 0 (INFO)",
            // The steps of that scenario, not those of the client's.
            "Unexpected message at step 2 (BYE)",
            "Aborting call after",
        ] {
            assert_eq!(
                histories.matches(line).count(),
                2,
                "{flag} {line}\n{histories}"
            );
        }
    }
}

/// SIPp writes their messages and errors into the same files as those of its own calls, and so do we.
#[test]
fn messages_and_errors_of_an_out_of_call_scenario_are_in_the_files_of_sipp() {
    let Some(sipp) = Tool::sipp() else { return };
    for tool in [sipp.clone(), Tool::gossipper(BINARY)] {
        let place = Place::new();
        write(&place, "", &[]);
        let path = |name: &str| place.path(name).display().to_string();
        let start = |tool: &Tool, file: &str, port: u16, more: &str| {
            let line = format!(
                "-sf {} -i 127.0.0.1 -p {port} -m 2 -nostdin {more}",
                path(file)
            );
            let words = line.split_whitespace().map(str::to_owned);
            Running::start(tool, words.collect()).expect("it starts")
        };
        let until = Instant::now() + Duration::from_secs(30);
        let address = SocketAddr::new(HOST, free_udp_port(HOST).expect("a port"));
        let mut server = start(&sipp, "s.xml", address.port(), "");
        server.wait_for_port(address).expect("it listens");
        let port = free_udp_port(HOST).expect("a port");
        let more = format!(
            "-l 1 -r 50 -callid_slash_ign -oocsf {} -trace_msg -message_file {} -trace_err -error_file {} -trace_stat -stf {} {address}",
            path("beside.xml"),
            path("m.txt"),
            path("e.txt"),
            path("s.csv"),
        );
        let ended = start(&tool, "c.xml", port, &more).finish(until, port);
        let ended = ended.expect("it ends");
        assert_eq!(ended.exit, Exit::Code(0), "{}: {ended:?}", tool.name);
        server.finish(until, address.port()).expect("it ends");
        let read = |name: &str| std::fs::read_to_string(place.path(name)).expect(name);
        let messages = read("m.txt");
        for (line, count) in [
            ("\nINFO sip:", 2),
            ("\nMESSAGE sip:", 2),
            // Those of the client, of the scenario beside, and of the server.
            ("\nSIP/2.0 200 OK", 6),
        ] {
            assert_eq!(
                messages.matches(line).count(),
                count,
                "{} {line}\n{messages}",
                tool.name
            );
        }
        let errors = read("e.txt");
        let words = "out-of-call scenario";
        assert_eq!(errors.matches(words).count(), 2, "{}\n{errors}", tool.name);
        // The table is about the client's calls.
        let table = read("s.csv");
        let mut lines = table.lines();
        let names: Vec<&str> = lines.next().expect("names").split(';').collect();
        let last: Vec<&str> = lines.next_back().expect("a row").split(';').collect();
        let at = |name: &str| names.iter().position(|column| *column == name).expect(name);
        assert_eq!(last[at("TotalCallCreated")], "2", "{}", tool.name);
        assert_eq!(last[at("FailedCall(C)")], "0", "{}", tool.name);
    }
}

#[test]
fn the_time_to_the_answer_of_an_invite_is_no_other_time_of_the_scenario() {
    let place = Place::new();
    // The first timer of the scenario is about something that takes no time; the answer takes 120 ms or more.
    let client = builtin("uac").replacen(
        "<send",
        "<nop start_rtd=\"first\"/>\n<nop rtd=\"first\"/>\n<send",
        1,
    );
    place.write("c.xml", client);
    let server = builtin("uas").replacen("<send>", "<pause milliseconds=\"120\"/>\n<send>", 1);
    place.write("s.xml", server);
    let ran = place.run(
        "sipp -sf c.xml -loopback -loopback_sf s.xml -m 2 -r 50 -nostdin -screen_file screen.csv",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let text = std::fs::read_to_string(place.path("screen.csv")).expect("a table");
    let names: Vec<&str> = text.lines().next().expect("names").split(',').collect();
    let last: Vec<&str> = text.lines().last().expect("a row").split(',').collect();
    let at = names.iter().position(|name| *name == "avg_invite_ms");
    let ms: f64 = last[at.expect("the column")].parse().expect("a number");
    assert!(ms >= 120.0, "{text}");
    let line = ran.out.lines().last().expect("a line");
    assert!(
        line.contains(&format!(" avg_invite={ms:.3}ms ")),
        "{line}\n{text}"
    );
}
