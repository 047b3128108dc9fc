// SPDX-License-Identifier: AGPL-3.0-only
//! Our binary against real SIPp, on loopback.
//!
//! Every case of `testdata/differential` runs SIPp against SIPp, ours against SIPp and SIPp against ours; messages
//! (ids normalised), counters and exit codes have to be the same, apart from the differences that `known.toml` lists
//! with a reason. Then come load in both directions and the torture messages of RFC 4475 and RFC 5118.
//!
//! Skipped, loudly, where there is no `sipp` on `PATH`; the torture test where its corpus is absent.
#![expect(
    clippy::print_stderr,
    reason = "a skipped comparison has to be seen in the test log"
)]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use gossipper_testkit::sipp::{
    Exit, Outcome, Pair, PairOutcome, Running, Scenario, Side, Tool, free_udp_port,
};
use gossipper_testkit::sipp_cases::{Case, Role, Suite};
use gossipper_testkit::sipp_stat::Counters;
use gossipper_testkit::sipp_trace::{Conversation, conversation, first_difference};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Load runs alone: the machines that run this are small, and a late answer is a retransmission. The other runs spend
/// their time in pauses and go side by side.
static MACHINE: RwLock<()> = RwLock::new(());

fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

fn among_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

fn ours() -> Tool {
    Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"))
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("cli lies in the workspace")
        .to_owned()
}

/// The counters that both tools have to agree on. Not among them: what depends on how long a process stays around
/// after its last call (dead-call and out-of-call messages), and warnings, whose number is no behaviour.
const COMPARED: &[&str] = &[
    "SuccessfulCall",
    "FailedCall",
    "FailedCannotSendMessage",
    "FailedMaxUDPRetrans",
    "FailedUnexpectedMessage",
    "FailedCallRejected",
    "FailedRegexpDoesntMatch",
    "FailedRegexpShouldntMatch",
    "FailedRegexpHdrNotFound",
    "FailedTimeoutOnRecv",
    "FailedTestDoesntMatch",
    "FailedTestShouldntMatch",
    "FailedStrcmpDoesntMatch",
    "FailedStrcmpShouldntMatch",
    "Retransmissions",
    "AutoAnswered",
];

fn counters(outcome: &Outcome) -> Counters {
    outcome.counters.clone().unwrap_or_else(|| {
        panic!(
            "no counters in folder {:?}\n{}\n{}",
            outcome.folder.path(),
            outcome.stdout,
            outcome.stderr
        )
    })
}

/// One run of a case; an error where a side cannot start or leaves no counters.
fn run_case(
    suite: &Suite,
    case: &Case,
    client: &Tool,
    server: &Tool,
) -> Result<PairOutcome, String> {
    let client_file = suite.scenario(case, Role::Client);
    let server_file = suite.scenario(case, Role::Server);
    let outcome = Pair {
        server: Side {
            tool: server,
            scenario: Scenario::File(&server_file),
            flags: &case.server_flags,
        },
        client: Side {
            tool: client,
            scenario: Scenario::File(&client_file),
            flags: &case.client_flags,
        },
        ip: V4,
        calls: case.calls,
        rate: case.rate,
        trace: true,
        limit: Duration::from_secs(20),
    }
    .run()
    .map_err(|error| error.to_string())?;
    for (name, side) in [("client", &outcome.client), ("server", &outcome.server)] {
        if side.counters.is_none() {
            return Err(format!(
                "no counters of the {name}, which ended with {}\n{}{}{}",
                side.exit, side.stdout, side.stderr, side.errors
            ));
        }
    }
    Ok(outcome)
}

fn exit_differences(case: &Case, outcome: &PairOutcome) -> Vec<String> {
    [
        ("client", case.client_exit, &outcome.client),
        ("server", case.server_exit, &outcome.server),
    ]
    .into_iter()
    .filter(|(_, expected, side)| side.exit != Exit::Code(*expected))
    .map(|(name, expected, side)| {
        format!(
            "{name}: expected exit code {expected}, got {}\n{}{}{}",
            side.exit, side.stdout, side.stderr, side.errors
        )
    })
    .collect()
}

/// Both sides' view of one run.
fn views(outcome: &PairOutcome) -> [Conversation; 2] {
    let ids = outcome.identities();
    [
        conversation(&outcome.client.messages, &ids),
        conversation(&outcome.server.messages, &ids),
    ]
}

/// What came of one case.
#[derive(Default)]
struct Findings {
    failures: Vec<String>,
    /// Positions of the known differences that were met.
    texts: HashSet<usize>,
    counters: HashSet<usize>,
}

/// Runs a case three times and compares.
fn compare(suite: &Suite, case: &Case, sipp: &Tool, ours: &Tool, found: &mut Findings) {
    let title = format!("{} (SIPp against SIPp)", case.name);
    let reference = match run_case(suite, case, sipp, sipp) {
        Ok(outcome) => outcome,
        Err(error) => return found.failures.push(format!("{title}: {error}")),
    };
    for problem in exit_differences(case, &reference) {
        found.failures.push(format!("{title}: {problem}"));
    }
    for our_side in [Role::Client, Role::Server] {
        let (client, server, title) = match our_side {
            Role::Client => (ours, sipp, "ours against SIPp"),
            Role::Server => (sipp, ours, "SIPp against ours"),
        };
        let outcome = match run_case(suite, case, client, server) {
            Ok(outcome) => outcome,
            Err(error) => {
                (found.failures).push(format!("{} ({title}): {error}", case.name));
                continue;
            }
        };
        let mut problems = exit_differences(case, &outcome);

        let mut expected = views(&reference);
        for (index, known) in suite.known.iter().enumerate() {
            if known.case == case.name && known.side == our_side {
                let changed: usize = expected.iter_mut().map(|view| known.apply(view)).sum();
                if changed > 0 {
                    found.texts.insert(index);
                }
            }
        }
        let sides = [Role::Client, Role::Server];
        for ((view, expected), side) in views(&outcome).iter().zip(&expected).zip(sides) {
            if case.untraced.contains(&side) {
                continue;
            }
            if let Some(difference) = first_difference(expected, view) {
                problems.push(format!("messages of the {side:?}: {difference}"));
            }
        }
        for (expected, actual, side) in [
            (&reference.client, &outcome.client, Role::Client),
            (&reference.server, &outcome.server, Role::Server),
        ] {
            let (expected, actual) = (counters(expected), counters(actual));
            for name in (COMPARED.iter().copied()).chain(case.also.iter().map(String::as_str)) {
                let mut expected = expected.value(name);
                let known = suite.known_counters.iter().position(|known| {
                    known.case == case.name
                        && known.side == side
                        && side == our_side
                        && known.name == name
                        && known.sipp == expected
                });
                if let Some(index) = known {
                    expected = suite.known_counters[index].ours;
                    found.counters.insert(index);
                }
                let actual = actual.value(name);
                if actual != expected {
                    problems.push(format!(
                        "{name} of the {side:?}: expected {expected}, got {actual}"
                    ));
                }
            }
        }
        let named = problems
            .into_iter()
            .map(|problem| format!("{} ({title}): {problem}", case.name));
        found.failures.extend(named);
    }
}

/// Runs under way at a time: most of their time is pauses.
const WORKERS: usize = 6;

/// How often a case that differed among other runs is run again by itself.
const AGAIN: usize = 2;

/// With names in it, separated by commas, only these cases run: for work on one of them.
const ONLY: &str = "GOSSIPPER_CASES";

/// The cases to run; `false` when that is not all of them.
fn chosen(suite: &Suite) -> (Vec<&Case>, bool) {
    let Ok(names) = std::env::var(ONLY) else {
        return (suite.cases.iter().collect(), true);
    };
    eprintln!(
        "note: {ONLY} is set, only {names} of {} cases run",
        suite.cases.len()
    );
    let named = |name| suite.case(name).unwrap_or_else(|| panic!("no case {name}"));
    (names.split(',').map(named).collect(), false)
}

#[test]
fn every_case_runs_as_between_two_sipps() {
    let _among_others = among_others();
    let Some(sipp) = Tool::sipp() else { return };
    let (ours, suite) = (ours(), Suite::load(&workspace()).expect("the suite"));
    let (cases, all_of_them) = chosen(&suite);
    let (next, findings) = (AtomicUsize::new(0), Mutex::new(Findings::default()));
    let unlike = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut found = Findings::default();
                    compare(&suite, case, &sipp, &ours, &mut found);
                    let mut all = findings.lock().unwrap_or_else(PoisonError::into_inner);
                    all.texts.extend(found.texts);
                    all.counters.extend(found.counters);
                    if !found.failures.is_empty() {
                        let mut unlike = unlike.lock().unwrap_or_else(PoisonError::into_inner);
                        unlike.push(*case);
                    }
                }
            });
        }
    });
    let mut all = findings.into_inner().expect("no worker panicked");
    // Much of what is compared is a race of timers, and a machine that is busy with other things loses some. So a case
    // that differs runs again by itself, and counts when it differs each time.
    for case in unlike.into_inner().expect("no worker panicked") {
        for left in (0..AGAIN).rev() {
            let mut found = Findings::default();
            compare(&suite, case, &sipp, &ours, &mut found);
            all.texts.extend(found.texts);
            all.counters.extend(found.counters);
            if found.failures.is_empty() {
                eprintln!(
                    "note: {} differed among other runs and not by itself",
                    case.name
                );
                break;
            }
            if left == 0 {
                all.failures.extend(found.failures);
            }
        }
    }
    for (index, known) in suite.known.iter().enumerate() {
        if all_of_them && !all.texts.contains(&index) {
            all.failures.push(format!(
                "the known difference {:?} of {} ({}) is met no more",
                known.sipp, known.case, known.reason
            ));
        }
    }
    for (index, known) in suite.known_counters.iter().enumerate() {
        if all_of_them && !all.counters.contains(&index) {
            all.failures.push(format!(
                "the known difference in {} of {} ({}) is met no more",
                known.name, known.case, known.reason
            ));
        }
    }
    assert!(all.failures.is_empty(), "{}", all.failures.join("\n\n"));
}

/// A built-in scenario as a file that any tool can read.
fn builtin_file(folder: &Path, name: &str) -> PathBuf {
    let builtin = gossipper_stdlib_scenarios::find(name).expect("a built-in scenario");
    let path = folder.join(format!("{name}.xml"));
    std::fs::write(&path, builtin.xml).expect("a writable folder");
    path
}

#[test]
fn built_in_scenarios_send_what_sipps_own_send() {
    let _among_others = among_others();
    let Some(sipp) = Tool::sipp() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let compare = |client: &str, server: &str| {
        let run = |client: Scenario<'_>, server: Scenario<'_>| {
            let side = |scenario| Side {
                tool: &sipp,
                scenario,
                flags: &[],
            };
            let outcome = Pair {
                server: side(server),
                client: side(client),
                ip: V4,
                calls: 2,
                rate: 20,
                trace: true,
                limit: Duration::from_secs(30),
            }
            .run()
            .expect("a run");
            assert_eq!(outcome.client.exit, Exit::Code(0), "{:?}", outcome.client);
            assert_eq!(outcome.server.exit, Exit::Code(0), "{:?}", outcome.server);
            views(&outcome)
        };
        let (client_file, server_file) = (
            builtin_file(folder.path(), client),
            builtin_file(folder.path(), server),
        );
        let theirs = run(Scenario::Builtin(client), Scenario::Builtin(server));
        let ours = run(Scenario::File(&client_file), Scenario::File(&server_file));
        for (theirs, ours) in theirs.iter().zip(&ours) {
            assert_eq!(
                first_difference(theirs, ours),
                None,
                "{client} against {server}"
            );
        }
    };
    // Each run lasts as long as the pauses of its scenarios, hence side by side.
    std::thread::scope(|scope| {
        for (client, server) in [("uac", "uas"), ("regexp", "uas"), ("branchc", "branchs")] {
            scope.spawn(move || compare(client, server));
        }
    });
}

#[test]
fn built_in_scenarios_without_a_namesake_run_between_two_sipps_and_with_ours() {
    let _among_others = among_others();
    let Some(sipp) = Tool::sipp() else { return };
    let ours = ours();
    let folder = tempfile::tempdir().expect("a folder");
    let client_file = builtin_file(folder.path(), "options");
    let run = |client: Side<'_>, server: Side<'_>| {
        let outcome = Pair {
            server,
            client,
            ip: V4,
            calls: 2,
            rate: 20,
            trace: true,
            limit: Duration::from_secs(20),
        }
        .run()
        .expect("a run");
        assert_eq!(outcome.client.exit, Exit::Code(0), "{:?}", outcome.client);
        assert_eq!(outcome.server.exit, Exit::Code(0), "{:?}", outcome.server);
    };
    let run = &run;
    std::thread::scope(|scope| {
        for server in ["options_uas", "ooc_default"] {
            let server_file = builtin_file(folder.path(), server);
            let (sipp, ours, client_file) = (&sipp, &ours, &client_file);
            scope.spawn(move || {
                let side = |tool, scenario| Side {
                    tool,
                    scenario,
                    flags: &[],
                };
                let file = Scenario::File(&server_file);
                run(side(sipp, Scenario::File(client_file)), side(sipp, file));
                run(side(ours, Scenario::Builtin("options")), side(sipp, file));
                run(
                    side(sipp, Scenario::File(client_file)),
                    side(ours, Scenario::Builtin(server)),
                );
            });
        }
    });
}

#[test]
fn exit_codes_of_short_runs_are_sipps() {
    let _among_others = among_others();
    let Some(sipp) = Tool::sipp() else { return };
    let ours = ours();
    let port = free_udp_port(V4).expect("a port").to_string();
    let holder = UdpSocket::bind(SocketAddr::new(V4, 0)).expect("a socket");
    let held = holder.local_addr().expect("an address").port().to_string();
    let server = [
        "-sn",
        "uas",
        "-nostdin",
        "-timeout",
        "1",
        "-i",
        "127.0.0.1",
        "-p",
    ];
    let port_held = [server.as_slice(), &[&held]].concat();
    let port_free = [server.as_slice(), &[&port]].concat();
    let fatal_timeout = [port_free.as_slice(), &["-timeout_error"]].concat();
    let commands: [(Vec<&str>, i32); 12] = [
        (vec![], 99),
        (vec!["-v"], 99),
        (vec!["-h"], 99),
        (vec!["-sd", "uac"], 99),
        (vec!["-sd", "nonsense"], 1),
        (vec!["-sn", "nonsense", "127.0.0.1"], 1),
        (vec!["-sf", "missing.xml", "127.0.0.1"], 1),
        (vec!["-nonsense", "127.0.0.1"], 1),
        (vec!["-p"], 1),
        (port_free, 97),
        (fatal_timeout, 255),
        (port_held, 254),
    ];
    for (arguments, expected) in commands {
        for tool in [&sipp, &ours] {
            let outcome = Running::start(tool, arguments.iter().map(|s| s.to_string()).collect())
                .and_then(|run| run.finish(Instant::now() + Duration::from_secs(10), 0))
                .expect("a run");
            assert_eq!(
                outcome.exit,
                Exit::Code(expected),
                "{} {arguments:?}\n{}{}",
                tool.name,
                outcome.stdout,
                outcome.stderr
            );
        }
    }
}

/// 1,000 calls at 500 calls a second without a failure or an unexpected message on either side, and without a
/// retransmission. A machine that stands still for a moment lets SIPp's small socket buffer overflow, so a run with
/// retransmissions is repeated twice.
fn load(client: Side<'_>, server: Side<'_>, ip: IpAddr) {
    let mut repeated = 0;
    for _ in 0..3 {
        let outcome = Pair {
            server,
            client,
            ip,
            calls: 1000,
            rate: 500,
            trace: false,
            limit: Duration::from_secs(60),
        }
        .run()
        .expect("a run");
        repeated = 0;
        for (name, side) in [("client", &outcome.client), ("server", &outcome.server)] {
            assert_eq!(side.exit, Exit::Code(0), "{name}: {side:?}");
            let counters = counters(side);
            assert_eq!(counters.value("SuccessfulCall"), 1000, "{name}: {side:?}");
            for zero in ["FailedCall", "FailedUnexpectedMessage"] {
                assert_eq!(counters.value(zero), 0, "{zero} of the {name}: {side:?}");
            }
            repeated += counters.value("Retransmissions");
        }
        if repeated == 0 {
            return;
        }
    }
    panic!("{repeated} retransmissions in the third run as well");
}

fn load_both_ways(ip: IpAddr, client: Scenario<'_>, server: Scenario<'_>) {
    load_both_ways_with(ip, client, server, &[]);
}

/// The same with flags for ours.
fn load_both_ways_with(ip: IpAddr, client: Scenario<'_>, server: Scenario<'_>, flags: &[String]) {
    let _alone = alone();
    let Some(sipp) = Tool::sipp() else { return };
    let ours = ours();
    let side = |tool, scenario, flags| Side {
        tool,
        scenario,
        flags,
    };
    load(side(&ours, client, flags), side(&sipp, server, &[]), ip);
    load(side(&sipp, client, &[]), side(&ours, server, flags), ip);
}

#[test]
fn a_thousand_calls_at_500_a_second_pass_both_ways_on_two_shards() {
    let (client, server) = (Scenario::Builtin("uac"), Scenario::Builtin("uas"));
    load_both_ways_with(V4, client, server, &["-shards", "2"].map(str::to_owned));
}

#[test]
fn a_thousand_calls_at_500_a_second_pass_both_ways() {
    load_both_ways(V4, Scenario::Builtin("uac"), Scenario::Builtin("uas"));
}

#[test]
fn a_thousand_calls_at_500_a_second_pass_both_ways_over_ipv6() {
    if UdpSocket::bind(SocketAddr::new(V6, 0)).is_err() {
        eprintln!("SKIPPED: this machine has no IPv6 loopback");
        return;
    }
    load_both_ways(V6, Scenario::Builtin("uac"), Scenario::Builtin("uas"));
}

#[test]
fn a_thousand_calls_at_500_a_second_pass_both_ways_with_files() {
    let scenarios = workspace().join("testdata/scenarios");
    load_both_ways(
        V4,
        Scenario::File(&scenarios.join("reinvite_client.xml")),
        Scenario::File(&scenarios.join("reinvite_server.xml")),
    );
}

/// The messages of RFC 4475 and RFC 5118 as they go on the wire; empty, said aloud, where there is no corpus.
fn torture_messages() -> Vec<(String, Vec<u8>)> {
    let corpus = std::env::var_os("GOSSIPPER_CORPUS")
        .map_or_else(|| workspace().join("../shared/corpus"), PathBuf::from);
    let mut messages = Vec::new();
    for (rfc, bare_line_feeds) in [("rfc4475", false), ("rfc5118", true)] {
        let folder = corpus.join("torture").join(rfc);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            eprintln!("SKIPPED: no torture messages in {}", folder.display());
            continue;
        };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let mut bytes = std::fs::read(&file).expect("a readable message");
            if bare_line_feeds {
                bytes = with_crlf(&bytes);
            }
            messages.push((file.display().to_string(), bytes));
        }
    }
    messages
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for &byte in bytes {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// The last step of our `uas` lasts four seconds; with them the call that went well is over.
const TIMEWAIT: Duration = Duration::from_secs(6);

#[test]
fn torture_messages_neither_stop_nor_confuse_the_server() {
    let _among_others = among_others();
    let messages = torture_messages();
    if messages.is_empty() {
        return;
    }
    let ours = ours();
    let port = free_udp_port(V4).expect("a port");
    let address = SocketAddr::new(V4, port);
    let arguments = [
        "-sn",
        "uas",
        "-i",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-nostdin",
    ];
    let mut server =
        Running::start(&ours, arguments.map(String::from).into()).expect("a running server");
    server.wait_for_port(address).expect("an open port");

    let peer = UdpSocket::bind(SocketAddr::new(V4, 0)).expect("a socket");
    let mut sent = 0_u64;
    for (name, whole) in &messages {
        let half = &whole[..whole.len() / 2];
        let double = [whole.as_slice(), whole.as_slice()].concat();
        for bytes in [whole.as_slice(), half, &double] {
            peer.send_to(bytes, address)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            sent += 1;
        }
        // The server answers the probe with silence, which takes as long as the kernel needs to deliver what is
        // queued: this also paces the messages.
        server
            .wait_for_port(address)
            .unwrap_or_else(|error| panic!("after {name}: {error}"));
        assert!(!server.has_ended().expect("a state"), "ended after {name}");
    }

    let mut arguments: Vec<String> = ["-sn", "uac", "-i", "127.0.0.1", "-m", "1", "-nostdin"]
        .map(String::from)
        .into();
    let client_port = free_udp_port(V4).expect("a port");
    arguments.extend([
        "-p".to_owned(),
        client_port.to_string(),
        address.to_string(),
    ]);
    let call = Running::start(&ours, arguments)
        .and_then(|call| call.finish(Instant::now() + Duration::from_secs(10), client_port))
        .expect("a call");
    assert_eq!(call.exit, Exit::Code(0), "the next call: {call:?}");

    let outcome = server.stop(port, TIMEWAIT).expect("a stopped server");
    // Torture calls that were opened have failed, hence 1.
    assert_eq!(outcome.exit, Exit::Code(1), "{outcome:?}");
    let counters = counters(&outcome);
    let counted = [
        "TotalCallCreated",
        "Discarded",
        "OutOfCallMsgs",
        "DeadCallMsgs",
    ]
    .map(|name| counters.value(name));
    assert!(counted.iter().all(|&count| count <= sent), "{counted:?}");
    assert_eq!(counters.value("SuccessfulCall"), 1, "{outcome:?}");
    assert!(counters.value("Discarded") > 0, "{outcome:?}");
    // Under SIPp's name calls that are open at the interrupt are left as they are: here one that waits for its ACK.
    let ended = counters.value("SuccessfulCall") + counters.value("FailedCall");
    let left = counters.value("TotalCallCreated") - ended;
    assert!(left <= 1, "{left} open: {outcome:?}");
}
