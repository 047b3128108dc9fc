// SPDX-License-Identifier: AGPL-3.0-only
//! Runs that are steered from outside: the control socket, signals, the background, the watchdog.
//!
//! Nothing waits for a fixed time: a run that does not do what it is told to does not end, or runs into its -timeout.

#![cfg(unix)]

mod place;

use place::{BINARY, Place, Ran, run};
use rustix::process::{Pid, Signal, kill_process};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A port that is free now.
fn free_port() -> u16 {
    let free = UdpSocket::bind("127.0.0.1:0").expect("bound");
    free.local_addr().expect("bound").port()
}

/// A run that goes on until it is told to end.
struct Running {
    place: Place,
    child: Child,
    control: u16,
}

impl Running {
    /// Starts one with a control socket, and waits until that is open.
    fn start(line: &str) -> Self {
        for _ in 0..5 {
            let (place, control) = (Place::new(), free_port());
            let line = format!("{line} -ci 127.0.0.1 -cp {control} -timeout 60 -timeout_error");
            let child = place
                .command(BINARY, &line)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("started");
            let mut run = Self {
                place,
                child,
                control,
            };
            // Whoever has taken the port meanwhile makes it end.
            if run.is_open() {
                return run;
            }
        }
        panic!("one of five ports stays free");
    }

    /// Waits until the control socket is open; false when the run has ended.
    fn is_open(&mut self) -> bool {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("bound");
        probe
            .connect(("127.0.0.1", self.control))
            .expect("connected");
        let time = Some(Duration::from_millis(20));
        probe.set_read_timeout(time).expect("set");
        while self.child.try_wait().expect("a child").is_none() {
            // An unknown key is nothing to it.
            let answer = probe.send(b" ").and_then(|_| probe.recv(&mut [0; 4]));
            let refused = std::io::ErrorKind::ConnectionRefused;
            if answer.is_err_and(|error| error.kind() != refused) {
                return true;
            }
        }
        false
    }

    fn tell(&self, what: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let sent = socket.send_to(what.as_bytes(), ("127.0.0.1", self.control));
        assert_eq!(sent.expect("sent"), what.len());
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    /// Asks until a file has what is waited for.
    fn until_written(&self, file: &str, wanted: &str, ask: impl Fn()) -> String {
        until(|| {
            ask();
            let text = std::fs::read_to_string(self.place.path(file)).ok()?;
            text.contains(wanted).then_some(text)
        })
    }

    fn end(self) -> Ran {
        Ran::from(self.child.wait_with_output().expect("ended"))
    }
}

/// Tries every few milliseconds until there is something, at most for half a minute.
fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn commands_change_the_rate_and_end_the_run() {
    // At this rate nothing would happen for a quarter of an hour.
    let run = Running::start("sipp -sn uac -loopback -r 0.001 -m 20");
    run.tell("cset rate 500\n");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("20 created  20 succeeded"), "{}", ran.out);
}

#[test]
fn keys_arrive_as_datagrams() {
    let run = Running::start("sipp -sn uac -loopback -r 0");
    for _ in 0..5 {
        run.tell("*");
    }
    run.tell("q");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("asked 50/s"), "{}", ran.out);
}

#[test]
fn the_rate_of_requests_is_that_of_commands_too() {
    let run = Running::start("sipp -sn uac -loopback -r 0 -rate_unit requests");
    run.tell("cset rate 30");
    run.tell("q");
    let ran = run.end();
    assert!(ran.out.contains("asked 10/s"), "{}", ran.shown());
}

#[test]
fn users_and_limits_are_set() {
    let run = Running::start("sipp -sn uac -loopback -users 1 -d 1m");
    run.tell("cset users 3");
    run.tell("Q");
    let ran = run.end();
    assert!(ran.out.contains("by 3 users"), "{}", ran.shown());
    let run = Running::start("sipp -sn uac -loopback -r 0");
    run.tell("cset limit 77");
    run.tell("q");
    let ran = run.end();
    assert!(ran.out.contains("peak 0 of 77"), "{}", ran.shown());
}

#[test]
fn what_is_not_understood_is_a_warning_and_dumps_go_to_the_error_log() {
    let run =
        Running::start("sipp -compat sipp -sn regexp -loopback -r 0 -trace_err -error_file errors");
    let errors = run.until_written("errors", "`foo` cannot be set", || run.tell("cset foo 3"));
    assert!(
        errors.starts_with("The following events occurred:"),
        "{errors}"
    );
    run.until_written(
        "errors",
        "tasks: scenario regexp: Running, 0 calls open",
        || {
            run.tell("cdump tasks");
        },
    );
    run.until_written("errors", "variables: $1 (Call), $6 (Call)", || {
        run.tell("cdump variables");
    });
    run.tell("q");
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.err.contains("`foo` cannot be set"), "{}", ran.err);
}

#[test]
fn cleared_statistics_count_anew() {
    // Ten calls, and then none for ten minutes.
    for shards in ["", " -shards 2"] {
        let run = Running::start(&format!(
            "sipp -sn uac -loopback -d 1 -trace_err -error_file errors \
             -rate_profile 0:100,0.1:100,0.1:0,600:0,600:1{shards}"
        ));
        run.until_written("errors", "uac: Running, 0 calls open, 10 created", || {
            run.tell("cdump tasks");
        });
        run.tell("creset stats");
        run.until_written("errors", "uac: Running, 0 calls open, 0 created", || {
            run.tell("cdump tasks");
        });
        run.tell("q");
        let ran = run.end();
        assert_eq!(ran.code, 0, "{}", ran.shown());
        assert!(ran.out.contains("0 created  0 succeeded"), "{}", ran.out);
    }
}

#[test]
fn a_control_port_in_use_ends_the_run_as_in_sipp() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port();
    let ran = run(&format!(
        "sipp -sn uas -i 127.0.0.1 -p 0 -ci 127.0.0.1 -cp {port}"
    ));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(ran.err.contains("control socket"), "{}", ran.err);
}

#[test]
fn the_signals_of_sipp_drain_and_dump() {
    let run = Running::start("sipp -compat sipp -sn uac -loopback -r 200 -screen_file screens");
    let screens = run.until_written("screens", "Repartition Screen", || {
        run.signal(Signal::USR2);
    });
    assert!(screens.contains("0 :      INVITE ---------->"), "{screens}");
    assert!(screens.contains("  Successful call        |"), "{screens}");
    run.signal(Signal::USR1);
    let ran = run.end();
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.err.contains(" 0 open"), "{}", ran.err);
}

#[test]
fn the_last_screens_are_written_under_sipps_name() {
    let place = Place::new();
    let ran = place.run("sipp -compat sipp -sn uac -loopback -m 3 -r 100 -trace_screen");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    // Scripts read them on standard output too; what else there is to say is beside it.
    assert!(
        ran.out.starts_with("----") && ran.out.contains(" Scenario Screen "),
        "{}",
        ran.out
    );
    let line = "  Total Calls created    |                           |        3";
    assert!(ran.out.contains(line), "{}", ran.out);
    assert!(
        !ran.out.contains("calls=") && ran.err.contains("calls=3"),
        "{}",
        ran.shown()
    );
    let files: Vec<String> = std::fs::read_dir(place.folder.path())
        .expect("listed")
        .map(|file| {
            file.expect("listed")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("uac_") && name.ends_with("_screen.log"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(place.path(&files[0])).expect("written");
    assert!(text.contains("Test Terminated"), "{text}");
    assert!(
        text.contains("  Total Calls created    |                           |        3"),
        "{text}"
    );
    // What is there is kept when that is asked for.
    let line =
        "sipp -compat sipp -sn uac -loopback -m 1 -r 100 -trace_screen -screen_overwrite false";
    for _ in 0..2 {
        place.run(&format!("{line} -screen_file kept"));
    }
    let kept = std::fs::read_to_string(place.path("kept")).expect("written");
    assert_eq!(kept.matches("Statistics Screen").count(), 2, "{kept}");
}

/// The id that a background run has printed.
fn pid_of(ran: &Ran) -> i32 {
    let pid = ran.out.trim().strip_prefix("Background mode - PID=[");
    let pid = pid.and_then(|rest| rest.strip_suffix(']'));
    pid.and_then(|pid| pid.parse().ok()).expect("a pid")
}

#[test]
fn a_run_goes_on_in_the_background_under_the_id_it_prints() {
    let place = Place::new();
    let line = "-sn uac -loopback -m 5 -r 100 -timeout 60 -bg -trace_screen";
    let ran = place.run(&format!("sipp -compat sipp {line}"));
    assert_eq!((ran.code, ran.err.as_str()), (99, ""), "{}", ran.shown());
    let screen = place.path(&format!("uac_{}_screen.log", pid_of(&ran)));
    let text = until(|| {
        let text = std::fs::read_to_string(&screen).ok()?;
        text.contains("Test Terminated").then_some(text)
    });
    assert!(text.contains("|        5"), "{text}");
    assert_eq!(place.run(&format!("-compat gossipper {line}")).code, 0);
}

#[test]
fn what_keeps_a_run_from_the_background_is_reported() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port();
    let ran = run(&format!("sipp -sn uas -i 127.0.0.1 -p {port} -bg"));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(!ran.out.contains("Background"), "{}", ran.out);
    assert!(
        ran.err.contains(&format!("127.0.0.1:{port}")),
        "{}",
        ran.err
    );
    let ran = run("sipp -sf missing.xml -bg 127.0.0.1");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("missing.xml"), "{}", ran.err);
}

#[test]
fn a_background_run_is_ended_by_a_signal() {
    let place = Place::new();
    let line = "sipp -sn uas -i 127.0.0.1 -p 0 -timeout 60 -bg -trace_screen -screen_file end";
    let ran = place.run(line);
    assert_eq!(ran.code, 99, "{}", ran.shown());
    let pid = Pid::from_raw(pid_of(&ran)).expect("a pid");
    kill_process(pid, Signal::USR1).expect("it runs");
    until(|| Path::exists(&place.path("end")).then_some(()));
}

#[test]
fn a_run_waits_before_it_begins_and_can_be_called_off() {
    let since = Instant::now();
    let ran = run("sipp -sn uac -loopback -m 1 -r 1000 -sleep 300ms");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(since.elapsed() >= Duration::from_millis(300));
    // The handlers are in place before it sleeps, but when that is nobody is told: asked again until it ends.
    let place = Place::new();
    let command = place
        .command(BINARY, "sipp -sn uac -loopback -sleep 10m")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = command.expect("started");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    until(|| {
        let ended = child.try_wait().expect("a child");
        if ended.is_none() && !has_handlers(child.id()) {
            return None;
        }
        kill_process(pid.expect("a pid"), Signal::TERM).expect("it is there");
        Some(())
    });
    let ran = Ran::from(child.wait_with_output().expect("ended"));
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.shown());
}

/// Whether a process handles SIGTERM, as far as the system tells.
fn has_handlers(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return true;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    // Signal 15.
    caught.is_none_or(|bits| bits >> 14 & 1 == 1)
}

#[test]
fn a_run_that_was_stopped_trips_its_watchdog() {
    let line = "sipp -sn uac -loopback -r 0 -watchdog_interval 5 -watchdog_minor_threshold 10 \
                -watchdog_major_threshold 20 -watchdog_major_maxtriggers 0 -watchdog_minor_maxtriggers -1";
    let run = Running::start(line);
    until(|| {
        run.signal(Signal::STOP);
        // How long it is stopped is what is tested.
        std::thread::sleep(Duration::from_millis(60));
        run.signal(Signal::CONT);
        has_ended(run.child.id()).then_some(())
    });
    let ran = run.end();
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(
        ran.err.contains("watchdog has tripped too often"),
        "{}",
        ran.err
    );
}

/// Whether a child waits to be asked how it ended.
fn has_ended(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.map_or(true, |line| line.contains(") Z "))
}

#[test]
fn knobs_of_sipps_loop_are_taken_with_a_word() {
    let ran = run(
        "sipp -sn uac -loopback -m 1 -r 100 -timer_resol 5 -max_recv_loops 9 -max_sched_loops 9 \
         -sendbuffer_warn true",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert_eq!(ran.err.matches("has no effect: ").count(), 4, "{}", ran.err);
}

/// The number of calls created, as `dump tasks` tells it after this call.
fn created(run: &Running, beyond: u64) -> u64 {
    until(|| {
        run.tell("cdump tasks");
        let text = std::fs::read_to_string(run.place.path("errors")).ok()?;
        let (before, _) = text.rsplit_once(" created")?;
        let count = before.rsplit(' ').next()?.parse().ok()?;
        (count > beyond).then_some(count)
    })
}

#[test]
fn traces_are_switched_while_calls_go_on() {
    let run = Running::start(
        "sipp -compat sipp -sn uac -loopback -r 200 -trace_err -error_file errors -trace_shortmsg",
    );
    let pid = run.child.id();
    let messages = format!("uac_{pid}_messages.log");
    let shorts = format!("uac_{pid}_shortmessages.log");
    assert!(!run.place.path(&messages).exists());
    run.until_written(&messages, "BYE sip:", || run.tell("ctrace messages on"));
    run.tell("ctrace messages off");
    // Commands are obeyed in their order, and written in that of time.
    run.until_written("errors", "`foo` cannot be set", || run.tell("cset foo 1"));
    let bytes = |name: &str| {
        std::fs::metadata(run.place.path(name))
            .expect("a file")
            .len()
    };
    let (whole, short) = (bytes(&messages), bytes(&shorts));
    let calls = created(&run, 0);
    created(&run, calls + 5);
    assert_eq!(bytes(&messages), whole);
    until(|| (bytes(&shorts) > short).then_some(()));
    run.tell("ctrace messages on");
    until(|| (bytes(&messages) > whole).then_some(()));
    let text = std::fs::read_to_string(run.place.path(&messages)).expect("text");
    assert!(text.contains("CSeq: 1 INVITE"), "what was there stays");
    run.tell("ctrace error off");
    run.tell("ctrace logs on");
    let logs = format!("uac_{pid}_logs.log");
    until(|| run.place.path(&logs).exists().then_some(()));
    run.tell("q");
    let ran = run.end();
    assert!(!ran.err.contains("lost"), "{}", ran.shown());
}

#[test]
fn a_trace_that_is_switched_on_tells_which_call_its_messages_are_of() {
    let run = Running::start("sipp -sn uac -loopback -r 200");
    let pid = run.child.id();
    let file = |kind: &str| format!("gossipper_{pid}_{kind}.log");
    let (messages, shorts) = (file("messages"), file("shortmessages"));
    run.until_written(&messages, "BYE sip:", || run.tell("ctrace messages on"));
    run.until_written(&shorts, "BYE sip:", || run.tell("ctrace shortmessages on"));
    let (whole, short) = (run.place.path(&messages), run.place.path(&shorts));
    run.tell("q");
    let place = run.place.folder.path().to_owned();
    assert!(whole.starts_with(&place) && short.starts_with(&place));
    let Running { place, child, .. } = run;
    let ran = Ran::from(child.wait_with_output().expect("ended"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let text = std::fs::read_to_string(place.path(&messages)).expect("text");
    assert!(
        text.contains("sent[") && text.contains("received["),
        "{text}"
    );
    assert!(!text.contains("[0]"), "{text}");
    let text = std::fs::read_to_string(place.path(&shorts)).expect("text");
    // Each line has the number of the call that the Call-ID of a client's call begins with.
    let mut sent = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_ne!(cells[2], "0", "{line}");
        if cells[1] == "sent" && cells[4].starts_with("INVITE") {
            assert!(cells[5].starts_with(&format!("{}-", cells[2])), "{line}");
            sent += 1;
        }
    }
    assert!(sent > 0, "{text}");
}

#[test]
fn the_table_of_the_screen_gets_a_row_when_a_signal_asks_for_it_and_one_at_the_end() {
    let run = Running::start(
        "sipp -sn uac -loopback -r 200 -d 1 -screen_file s.csv -fd 600 -stat_period 20ms",
    );
    let rows = || {
        let text = std::fs::read_to_string(run.place.path("s.csv")).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows().len(), 1, "{:?}", rows());
    for count in 2..4 {
        run.signal(Signal::USR1);
        until(|| (rows().len() == count).then_some(()));
    }
    // On a busy machine a run may be asked before it has made a call.
    let asked = until(|| {
        run.signal(Signal::USR1);
        let rows = rows();
        let calls = rows.last()?.split(',').nth(1)?;
        (calls.parse::<u64>().ok()? > 0).then_some(rows.len())
    });
    run.tell("q");
    let place = run.place.path("s.csv");
    let ran = Ran::from(run.child.wait_with_output().expect("ended"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let text = std::fs::read_to_string(place).expect("text");
    let last: Vec<&str> = text.lines().last().expect("a row").split(',').collect();
    assert!(text.lines().count() > asked, "{text}");
    assert!(last[1] == last[2] && last[1] != "0", "{text}");
    assert!(ran.err.matches("calls=").count() > 1, "{}", ran.shown());
}
