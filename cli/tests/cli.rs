// SPDX-License-Identifier: AGPL-3.0-only
//! The binary as a user meets it: help, errors, exit codes, and short runs against itself.
//!
//! Every test runs the binary in a folder of its own with a cache of its own; nothing reaches beyond the loopback
//! interface, and no port is fixed.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_gossipper");

/// A folder with a cache, in which the binary is run.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("gossipper-cli-").expect("a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    fn command(&self, program: impl AsRef<OsStr>, line: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.cache())
            .env("NO_COLOR", "1")
            .env_remove("GOSSIPPER_NO_CACHE")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Ran {
        Ran::from(
            self.command(BINARY, line)
                .output()
                .expect("the binary runs"),
        )
    }

    /// Files in the cache.
    fn cached(&self) -> Vec<PathBuf> {
        let Ok(listing) = std::fs::read_dir(self.cache().join("gossipper")) else {
            return Vec::new();
        };
        listing.map(|file| file.expect("listed").path()).collect()
    }
}

/// What a run came to.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Code and both streams, for snapshots.
    fn shown(&self) -> String {
        let mut shown = format!("exit code {}\n", self.code);
        for (title, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !text.is_empty() {
                shown.push_str(&format!("--- {title}\n{text}"));
            }
        }
        shown
    }
}

fn run(line: &str) -> Ran {
    Place::new().run(line)
}

// Help and version.

#[test]
fn help_of_the_root_lists_commands_and_no_scenario_flags() {
    let ran = run("-h");
    insta::assert_snapshot!(ran.shown());
    assert_eq!(run("--help").out, ran.out);
    assert_eq!(run("help").out, ran.out);
    assert_eq!(run("").out, ran.out);
}

#[test]
fn help_of_sipp_shows_every_flag_with_sipps_defaults() {
    insta::assert_snapshot!(run("sipp -h").shown());
}

#[test]
fn help_of_scenario_flags_shows_the_other_defaults() {
    let ran = run("-h -m 1");
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out);
}

#[test]
fn help_of_compile() {
    insta::assert_snapshot!(run("compile -h").shown());
}

#[test]
fn sipp_without_flags_says_how_to_go_on_and_ends_as_sipp_does() {
    insta::assert_snapshot!(run("sipp").shown());
    assert_eq!(run("SIPP sipp").shown(), run("sipp").shown());
}

#[test]
fn version_wins_over_everything() {
    for line in [
        "-version",
        "sipp -version",
        "sipp -sn nothing --version",
        "compile --version",
    ] {
        let ran = run(line);
        assert_eq!(ran.code, 0, "{line}");
        let first = format!("Gossipper {}\n", env!("CARGO_PKG_VERSION"));
        assert!(ran.out.starts_with(&first), "{line}: {}", ran.out);
    }
}

#[test]
fn v_names_the_sipp_it_stands_in_for() {
    let ran = run("sipp -v");
    assert_eq!(ran.code, 99);
    assert!(ran.out.contains("SIPp v3."), "{}", ran.out);
    assert_eq!(run("-v").code, 0);
}

#[test]
fn sd_prints_a_scenario_that_compiles() {
    let place = Place::new();
    let ran = place.run("sipp -sd uas");
    assert_eq!((ran.code, ran.err.as_str()), (99, ""));
    assert_eq!(place.run("-sd uas").code, 0);
    place.write("uas.xml", &ran.out);
    assert_eq!(
        place.run("compile --check uas.xml").shown(),
        "exit code 0\n"
    );
}

#[cfg(unix)]
#[test]
fn under_the_name_sipp_it_is_sipp() {
    let place = Place::new();
    let link = place.path("sipp");
    std::os::unix::fs::symlink(BINARY, &link).expect("linked");
    let ran = |line: &str| Ran::from(place.command(&link, line).output().expect("the link runs"));
    assert_eq!(ran("-h").shown(), place.run("sipp -h").shown());
    assert_eq!(ran("").code, 99);
    // A host of that name, not a verb; it cannot be resolved, since the name is reserved (RFC 6761).
    let host = ran("-m 1 tui.invalid");
    assert_eq!(host.code, 1);
    assert!(
        host.err.contains("cannot resolve `tui.invalid`"),
        "{}",
        host.err
    );
}

// Errors.

#[test]
fn errors_come_all_at_once_and_name_the_near_flag() {
    insta::assert_snapshot!(
        run("sipp -sff a.xml -trace-msg -mb 5 -t tn -r fast -p 70000 --listing h1 h2 -key one")
            .shown()
    );
}

#[test]
fn verbs_of_the_root_are_refused_after_sipp() {
    insta::assert_snapshot!(run("sipp tui").shown());
    insta::assert_snapshot!(run("sipp -sn uac -interactive").shown());
}

#[test]
fn verbs_of_later_versions_say_so() {
    insta::assert_snapshot!(run("server -config x.json").shown());
}

#[test]
fn a_client_needs_a_peer_and_an_unknown_built_in_lists_the_names() {
    insta::assert_snapshot!(run("sipp -sn uac").shown());
    insta::assert_snapshot!(run("sipp -sn usa").shown());
    insta::assert_snapshot!(run("sipp -sn uas -loopback").shown());
    insta::assert_snapshot!(run("sipp -sf missing.xml -loopback").shown());
}

#[test]
fn a_flag_of_a_run_is_explained_to_who_gives_it_to_compile() {
    let ran = run("compile -sn uac a.xml");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("-sn is a flag of a run"), "{}", ran.err);
}

// Compiling.

const BAD: &str = "<scenario name=\"bad\">\n  <send>\n    <![CDATA[\nOPTIONS sip:[service]@[remote_ip]:[remote_prot] \
                   SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nCall-ID: \
                   [call_id]\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n    ]]>\n  </send>\n  <recv response=\"200\" \
                   next=\"nowhere\"/>\n</scenario>\n";

fn builtin(name: &str) -> String {
    run(&format!("-sd {name}")).out
}

#[test]
fn check_reports_everything_and_writes_nothing() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let ran = place.run("compile --check bad.xml");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("remote_prot"), "{}", ran.err);
    assert!(
        ran.err.contains("did you mean `[remote_port]`?"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("nowhere"), "{}", ran.err);
    assert!(place.cached().is_empty());
}

#[test]
fn findings_can_be_read_by_programs() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let ran = place.run("compile --check --format json bad.xml");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].to_string().contains("remote_prot"),
        "{:#}",
        found[0]
    );
}

#[test]
fn the_ladder_shows_the_call_flow() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let ran = place.run("compile --ladder --ascii --no_cache uac.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("- INVITE -") && ran.out.is_ascii(),
        "{}",
        ran.out
    );
    let ran = place.run("compile -ladder -no_cache -o flow.svg uac.xml");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let drawn = std::fs::read_to_string(place.path("flow.svg")).expect("a picture");
    assert!(
        drawn.starts_with("<svg ") && drawn.contains("INVITE"),
        "{drawn}"
    );
    // A picture needs no more than a ladder on the screen: not what a run would need.
    place.write(
        "fields.xml",
        builtin("uac").replace("[service]", "[field0]"),
    );
    let ran = place.run("compile --ladder --no_cache -o fields.svg fields.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(place.path("fields.svg").exists());
    let ran = place.run("compile -o uac.gsc --no_cache uac.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.run("compile --ladder uac.gsc");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("not from its .gsc file"), "{ran:?}");
}

#[test]
fn the_listing_shows_the_program() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let ran = place.run("compile --check --listing uac.xml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("program \"uac\""), "{}", ran.out);
    assert!(ran.out.contains("INVITE"), "{}", ran.out);
}

#[test]
fn compiling_keeps_the_program_unless_told_not_to() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    assert_eq!(place.run("compile -no_cache uac.xml").code, 0);
    assert_eq!(place.cached().len(), 0);
    assert_eq!(place.run("compile uac.xml").code, 0);
    assert_eq!(place.cached().len(), 1);
    assert_eq!(place.run("compile -key a b uac.xml").code, 0);
    assert_eq!(place.cached().len(), 2);
    // The run finds what compiling left.
    assert_eq!(place.run("sipp -sf uac.xml -loopback -m 1 -r 100").code, 0);
    let own_answerer = 1;
    assert_eq!(place.cached().len(), 2 + own_answerer);
}

#[test]
fn a_damaged_cache_is_not_noticed() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let line = "sipp -sf uac.xml -loopback -m 1 -r 100";
    assert_eq!(place.run(line).code, 0);
    let entries = place.cached();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        std::fs::write(entry, b"\x89GSC nonsense").expect("written");
    }
    let ran = place.run(line);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for entry in &entries {
        assert!(
            std::fs::metadata(entry).expect("there").len() > 100,
            "compiled and kept again"
        );
    }
}

#[test]
fn a_compiled_file_runs_and_a_damaged_one_is_refused() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let compiled = place.run("compile -o uac.gsc uac.xml");
    assert_eq!(compiled.code, 0, "{}", compiled.err);
    assert_eq!(place.run("sipp -sf uac.gsc -loopback -m 2 -r 100").code, 0);

    let whole = std::fs::read(place.path("uac.gsc")).expect("read");
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut foreign = whole.clone();
    foreign[8] ^= 0x55;
    let cases: [(&str, &[u8], &str); 4] = [
        ("cut", &whole[..whole.len() / 2], "incomplete or damaged"),
        ("header", &whole[..11], "incomplete or damaged"),
        ("flipped", &flipped, "checksum"),
        ("foreign", &foreign, "another version"),
    ];
    for (name, bytes, why) in cases {
        place.write("broken.gsc", bytes);
        for line in [
            "sipp -sf broken.gsc -loopback -m 1",
            "compile --check broken.gsc",
        ] {
            let ran = place.run(line);
            assert_eq!(ran.code, 1, "{name}");
            assert!(ran.err.contains("broken.gsc"), "{name}: {}", ran.err);
            assert!(ran.err.contains(why), "{name}: {}", ran.err);
        }
    }
    let ran = place.run("sipp -sf uac.gsc -loopback -m 1 -key a b");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("already compiled"), "{}", ran.err);
}

#[test]
fn explain_knows_the_codes_that_errors_carry() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let err = place.run("compile --check bad.xml").err;
    let code = err
        .split(['[', ']'])
        .find(|word| word.starts_with('G'))
        .expect("a code");
    let page = place.run(&format!("explain {code}"));
    assert_eq!(page.code, 0);
    assert!(page.out.starts_with(code), "{}", page.out);
    assert!(place.run("explain").out.contains(code));
    assert_eq!(place.run("explain G9999").code, 1);
}

// Runs.

#[test]
fn a_loopback_run_has_a_remote_host() {
    let place = Place::new();
    let scenario = place.run("sipp -sd options").out;
    assert!(scenario.contains("sip:[service]@"), "{scenario}");
    let scenario = scenario.replace("sip:[service]@", "sip:[remote_host]@");
    place.write("asks.xml", scenario);
    let ran = place.run(
        "sipp -sf asks.xml -loopback -loopback_sn options_uas -m 1 -trace_msg -message_file sent",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent")).expect("the trace");
    assert!(sent.contains("OPTIONS sip:127.0.0.1@127.0.0.1"), "{sent}");
}

#[test]
fn a_loopback_run_ends_well_and_says_so() {
    let ran = run("sipp -sn uac -loopback -m 50 -r 500");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.out.contains("50 created  50 succeeded  0 failed"),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().count() <= 22, "{}", ran.out);
    assert!(
        ran.out
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("calls=50 success=50 failed=0 "))
    );
    assert_eq!(ran.err, "");
}

#[test]
fn a_run_on_several_shards_says_what_one_says() {
    for shards in ["2", "auto"] {
        let line = "sipp -sn uac -loopback -m 200 -r 1000 -seed 3 -shards";
        let ran = run(&format!("{line} {shards}"));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        assert!(
            ran.out.contains("200 created  200 succeeded  0 failed"),
            "{}",
            ran.out
        );
        assert_eq!(ran.err, "");
    }
    for wrong in ["0", "65", "two"] {
        let ran = run(&format!("sipp -sn uac -loopback -m 1 -shards {wrong}"));
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains("from 1 to 64, or `auto`"), "{}", ran.err);
    }
}

#[test]
fn a_scenario_that_needs_one_shard_says_why() {
    let line = "sipp -sn uac -loopback -m 2 -users 1 -shards";
    let ran = run(&format!("{line} 2"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.err
            .contains("-shards 2: scenario `uac` runs on one shard, since -users opens"),
        "{}",
        ran.err
    );
    // Whoever leaves the number to us is not told what it became.
    assert_eq!(run(&format!("{line} auto")).err, "");
}

#[test]
fn one_call_is_the_default_outside_sipps_dialect() {
    let ran = run("-sn uac -loopback -d 1ms");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("1 created  1 succeeded"), "{}", ran.out);
}

#[test]
fn every_built_in_client_runs_against_its_answerer() {
    for name in ["uac", "regexp", "options"] {
        let ran = run(&format!("sipp -sn {name} -loopback -m 2 -r 100"));
        assert_eq!(ran.code, 0, "{name}: {}", ran.shown());
    }
}

#[test]
fn a_failed_call_is_exit_code_one_and_has_a_reason() {
    // The answerer waits for OPTIONS and ignores the INVITE.
    let ran =
        run("sipp -sn uac -loopback -loopback_sn ooc_dummy -m 1 -r 100 -max_invite_retrans 0");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.out.contains("Failures"), "{}", ran.out);
}

#[test]
fn a_port_in_use_has_its_own_exit_code() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let port = taken.local_addr().expect("bound").port();
    let ran = run(&format!("sipp -sn uas -i 127.0.0.1 -p {port}"));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(
        ran.err.contains(&format!("127.0.0.1:{port}")),
        "{}",
        ran.err
    );
}

#[test]
fn a_timeout_without_a_call_is_97_and_as_an_error_255() {
    assert_eq!(run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout 50ms").code, 97);
    assert_eq!(
        run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout 50ms -timeout_error").code,
        255
    );
    assert_eq!(
        run("sipp -sn uas -i 127.0.0.1 -p 0 -timeout_global 50ms").code,
        0
    );
}

#[test]
fn traces_are_written_where_they_are_asked_for() {
    let place = Place::new();
    let ran = place.run("sipp -sn uac -loopback -m 1 -r 100 -trace_msg -message_file m.log");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let log = std::fs::read_to_string(place.path("m.log")).expect("written");
    assert!(log.contains("UDP message sent ["), "{log}");
    assert!(log.contains("INVITE sip:service@127.0.0.1:"), "{log}");
}

#[test]
fn a_keyword_reaches_the_wire_and_a_global_must_exist() {
    let place = Place::new();
    let with = builtin("options").replace(
        "Content-Length: 0",
        "X-Tag: [tag_of_run]\n      Content-Length: 0",
    );
    assert!(with.contains("[tag_of_run]"), "{with}");
    place.write("o.xml", with);
    let line = "sipp -sf o.xml -loopback -loopback_sn options_uas -m 1 -r 100 -trace_msg -message_file m.log";
    assert_eq!(place.run(line).code, 1, "the keyword is unknown");
    let ran = place.run(&format!("{line} -key tag_of_run night-7"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let log = std::fs::read_to_string(place.path("m.log")).expect("written");
    assert!(log.contains("X-Tag: night-7\r\n"), "{log}");
    let ran = place.run(&format!("{line} -key tag_of_run x -set nobody 1"));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("`nobody`"), "{}", ran.err);
}

/// Waits until somebody listens on the port, or the child has ended: a closed port refuses a keep-alive at once, an
/// open one says nothing.
fn wait_until_open(port: u16, child: &mut Child) {
    let probe = UdpSocket::bind("127.0.0.1:0").expect("bound");
    probe.connect(("127.0.0.1", port)).expect("connected");
    probe
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("set");
    while child.try_wait().expect("a child").is_none() {
        let sent = probe.send(b"\r\n\r\n");
        let answer = sent.and_then(|_| probe.recv(&mut [0; 16]));
        if answer.is_err_and(|error| error.kind() != ErrorKind::ConnectionRefused) {
            return;
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_server_with_a_summary() {
    let place = Place::new();
    // A port that is free now; should somebody take it meanwhile, another one is tried.
    let ran = (0..5)
        .map(|_| {
            let free = UdpSocket::bind("127.0.0.1:0").expect("bound");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            let line = format!("sipp -sn uas -i 127.0.0.1 -p {port} -timeout 60");
            let mut child = place
                .command(BINARY, &line)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("started");
            // Handlers are in place before the port is taken.
            wait_until_open(port, &mut child);
            let pid = i32::try_from(child.id()).expect("a pid");
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            // It may have ended by itself, if the port was taken.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            Ran::from(child.wait_with_output().expect("ended"))
        })
        .find(|ran| ran.code != 254)
        .expect("one of five ports stays free");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("0 created"), "{}", ran.out);
}

#[test]
fn nothing_is_written_beside_what_was_asked_for() {
    let place = Place::new();
    assert_eq!(
        place
            .run("sipp -sn uac -loopback -m 1 -r 100 -no_cache")
            .code,
        0
    );
    let left: Vec<_> = std::fs::read_dir(place.folder.path() as &Path)
        .expect("listed")
        .map(|file| file.expect("listed").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn explain_knows_the_flags() {
    insta::assert_snapshot!(run("explain -rsa").shown());
    let ran = run("explain -h");
    assert!(
        ran.code == 0 && ran.out.contains("Usage"),
        "{}",
        ran.shown()
    );
    assert!(run("explain -mb").err.contains("media"));
}

#[test]
fn an_injection_file_feeds_calls_and_takes_what_they_change() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X-User: [field0] [field1 file=\"more.csv\"]
Content-Length: 0

]]></send><recv response=\"200\"><action>
<lookup assign_to=\"at\" file=\"users.csv\" key=\"[field0]\"/>
<replace file=\"users.csv\" line=\"[$at]\" value=\"[field0];done\"/>
<insert file=\"users.csv\" value=\"new;[call_number]\"/>
</action></recv></scenario>",
    );
    let users = place.write("users.csv", "SEQUENTIAL\n# all\nann;-\nbob;-\n");
    let more = place.write("more.csv", "SEQUENTIAL\nx;y\n");
    let flags = "-sf call.xml -inf users.csv -inf more.csv -infindex users.csv 0 -m 2 -loopback \
                 -loopback_sn options_uas -trace_msg -message_file sent.log -nostdin";
    let ran = place.run(&format!("sipp {flags}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    assert!(sent.contains("X-User: ann y"), "{sent}");
    assert!(sent.contains("X-User: bob y"), "{sent}");
    let read = |path: &Path| std::fs::read_to_string(path).expect("the file");
    assert_eq!(read(&users), "SEQUENTIAL\n# all\nann;-\nbob;-\n");
    let ran = place.run(&format!("sipp {flags} -inf_write_back"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert_eq!(
        read(&users),
        "SEQUENTIAL\n# all\nann;done\nbob;done\nnew;1\nnew;2\n"
    );
    assert_eq!(read(&more), "SEQUENTIAL\nx;y\n");
}

#[test]
fn injection_files_are_checked_before_anything_is_sent() {
    let place = Place::new();
    place.write("bad.csv", "ann;-\n");
    place.write("user.csv", "USER\nann\n\nbob\n");
    let ran = place.run("sipp -sn uac -loopback -m 1 -inf bad.csv -inf gone.csv -inf user.csv");
    assert_eq!(ran.code, 1);
    for text in [
        "injection file `bad.csv`: the first line must hold SEQUENTIAL, RANDOM or USER",
        "injection file `gone.csv`: cannot read it",
        "injection file `user.csv`: the empty line 3 ends the file",
        "injection file `user.csv`: USER without -users",
    ] {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
}

#[test]
fn a_scenario_with_fields_is_compiled_with_the_name_of_its_file() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0 file=\"users.csv\"]@[remote_ip] SIP/2.0

]]></send></scenario>",
    );
    let ran = place.run("compile -check -strict call.xml");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("G0214"), "{}", ran.err);
    let ran = place.run("compile -check call.xml -inf dir/users.csv");
    assert_eq!(ran.code, 0, "{}", ran.shown());
}

#[test]
fn users_of_a_scenario_that_waits_for_calls_are_pointed_out() {
    let place = Place::new();
    let note = "-users has no effect: scenario `uas` waits for calls, and begins none";
    // What is wrong besides keeps the run from beginning.
    let ran = place.run("sipp -sn uas -users 3 -loopback");
    assert!(ran.err.contains(note), "{}", ran.shown());
    let ran = place.run("sipp -sn uas -loopback");
    assert!(!ran.err.contains("-users"), "{}", ran.shown());
    let ran = place.run("sipp -sn uac -users 1 -m 1 -loopback -nostdin");
    assert!(!ran.err.contains("-users"), "{}", ran.shown());
}

#[test]
fn files_of_spreadsheets_are_injection_files_of_the_gossipper_dialect_only() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
OPTIONS sip:[field0]@[remote_ip] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]>;tag=1
To: <sip:[field0]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X-User: [field0] [field1]
Content-Length: 0

]]></send><recv response=\"200\"/></scenario>",
    );
    place.write("users.csv", "\u{feff}ann,1\r\n\r\nbob,2\r\n");
    let flags = "-sf call.xml -inf users.csv -m 2 -loopback -loopback_sn options_uas -trace_msg \
                 -message_file sent.log -nostdin";
    let ran = place.run(flags);
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    assert!(sent.contains("X-User: ann 1\r\n"), "{sent}");
    assert!(sent.contains("X-User: bob 2\r\n"), "{sent}");
    for sipp in [format!("sipp {flags}"), format!("{flags} -compat sipp")] {
        let ran = place.run(&sipp);
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains("must hold SEQUENTIAL"), "{}", ran.err);
    }
}

#[test]
fn each_call_includes_the_file_that_its_line_names() {
    let place = Place::new();
    place.write(
        "call.xml",
        "<scenario><send><![CDATA[
MESSAGE sip:b@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:b@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 MESSAGE
Content-Type: text/plain
Content-Length: [len]

[file name=\"texts/[field0].txt\"]]]></send><recv response=\"200\"/></scenario>",
    );
    place.write(
        "answer.xml",
        "<scenario><recv request=\"MESSAGE\"/><send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=1
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send></scenario>",
    );
    std::fs::create_dir(place.path("texts")).expect("a folder");
    place.write("texts/ann.txt", "Hello, Ann.\r\n");
    place.write("texts/bob.txt", "Good evening, [field0].\r\n");
    place.write("users.csv", "SEQUENTIAL\nann\nbob\n");
    let flags = "sipp -sf call.xml -m 4 -loopback -loopback_sf answer.xml -trace_msg \
                 -message_file sent.log -nostdin";
    let ran = place.run(&format!("{flags} -inf users.csv"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let sent = std::fs::read_to_string(place.path("sent.log")).expect("a trace");
    for text in [
        "Content-Length:    13\r\n\r\nHello, Ann.\r\n",
        "Content-Length:    25\r\n\r\nGood evening, [field0].\r\n",
    ] {
        // Sent twice by the caller, and received twice by the answerer.
        assert!(sent.matches(text).count() >= 2, "{text}: {sent}");
    }
    // As in SIPp a file that is not there ends the run.
    place.write("users.csv", "SEQUENTIAL\nann\ncy\n");
    let ran = place.run(&format!("{flags} -inf users.csv"));
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(ran.err.contains("[file]: `texts/cy.txt`: "), "{}", ran.err);
}
