// SPDX-License-Identifier: AGPL-3.0-only
//! Calls through a Kamailio on each transport: an address is registered with digest authentication, and called.
//!
//! Skipped, loudly, where there is no Kamailio with its modules for TLS and WebSocket. Its configuration is
//! `testdata/kamailio`.

use gossipper_testkit::certs::{Authority, Flaw};
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_tcp_port, free_udp_port};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest that any of these runs may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where distributions keep Kamailio's modules.
const MODULES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/kamailio/modules",
    "/usr/lib/aarch64-linux-gnu/kamailio/modules",
    "/usr/lib64/kamailio/modules",
    "/usr/lib/kamailio/modules",
];

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn modules() -> Option<&'static str> {
    let runs = Command::new("kamailio").arg("-v").output();
    let runs = runs.is_ok_and(|output| output.status.success());
    let has = |folder: &&str| {
        ["tls.so", "websocket.so", "auth.so"]
            .iter()
            .all(|module| Path::new(folder).join(module).exists())
    };
    let found = MODULES.into_iter().find(has).filter(|_| runs);
    if found.is_none() {
        eprintln!("SKIPPED: there is no kamailio with its modules for TLS and WebSocket");
    }
    found
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata/kamailio")
        .join(name)
}

/// A Kamailio that ends with the test.
struct Kamailio {
    main: Child,
    port: u16,
    tls_port: u16,
    folder: TempDir,
}

impl Kamailio {
    fn start(modules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identity =
            Authority::new(folder.path(), "ca").identity("proxy", &["localhost"], Flaw::None);
        let (port, tls_port) = (
            free_tcp_port(HOST).expect("a free port"),
            free_tcp_port(HOST).expect("a free port"),
        );
        let text = std::fs::read_to_string(testdata("kamailio.cfg")).expect("our own file");
        let text = text
            .replace("@PORT@", &port.to_string())
            .replace("@TLS_PORT@", &tls_port.to_string())
            .replace("@MODULES@", modules)
            .replace("@KEY@", &identity.key.display().to_string())
            .replace("@CERTIFICATE@", &identity.certificate.display().to_string());
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, text).expect("written");
        let log = std::fs::File::create(folder.path().join("log")).expect("created");
        let main = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "64", "-M", "8", "-w"])
            .arg(folder.path())
            .arg("-Y")
            .arg(folder.path())
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut started = Self {
            main,
            port,
            tls_port,
            folder,
        };
        started.wait();
        started
    }

    /// Waits until it takes connections: it listens there last.
    fn wait(&mut self) {
        let give_up = Instant::now() + LIMIT;
        let address = SocketAddr::new(HOST, self.tls_port);
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            let ended = self.main.try_wait().expect("a child of ours");
            assert!(
                ended.is_none() && Instant::now() < give_up,
                "{ended:?}: {}",
                self.log()
            );
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        let file = std::fs::File::open(self.folder.path().join("log")).expect("created");
        let lines = BufReader::new(file).lines().map_while(Result::ok);
        let lines: Vec<String> = lines
            .filter(|line| line.contains("ERROR") || line.contains("CRITICAL"))
            .take(20)
            .collect();
        lines.join("\n")
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // It ends its own children when it is asked to.
        let _ = Command::new("kill")
            .args(["-TERM", &self.main.id().to_string()])
            .status();
        let _ = self.main.wait();
    }
}

fn ours(line: &str) -> Running {
    let mut arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    arguments.extend(["-i", "127.0.0.1", "-nostdin"].map(str::to_owned));
    let tool = Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"));
    Running::start(&tool, arguments).expect("it starts")
}

fn finish(running: Running) -> Outcome {
    running.finish(Instant::now() + LIMIT, 0).expect("it ends")
}

#[test]
fn a_registered_address_is_called_on_every_transport() {
    let Some(modules) = modules() else {
        return;
    };
    let proxy = Kamailio::start(modules);
    let (register, call) = (testdata("register.xml"), testdata("call.xml"));
    for (mode, port) in [
        ("u1", proxy.port),
        ("t1", proxy.port),
        ("tn", proxy.port),
        ("l1", proxy.tls_port),
        ("ln", proxy.tls_port),
        ("w1", proxy.port),
        ("wn", proxy.port),
        ("ws1", proxy.tls_port),
        ("wsn", proxy.tls_port),
    ] {
        // The one who is called is on UDP or TCP: a proxy cannot open a WebSocket.
        let over_tcp = mode.starts_with('t');
        let own = if over_tcp {
            free_tcp_port(HOST)
        } else {
            free_udp_port(HOST)
        }
        .expect("a free port");
        let (callee_mode, parameter) = if over_tcp {
            ("t1", ";transport=tcp")
        } else {
            ("u1", "")
        };
        let mut callee = ours(&format!("-sn uas -t {callee_mode} -p {own}"));
        if over_tcp {
            callee.wait_for_listener(own).expect("it listens");
        } else {
            callee
                .wait_for_port(SocketAddr::new(HOST, own))
                .expect("it is bound");
        }
        let registered = finish(ours(&format!(
            "-sf {} -s {mode} -set uas 127.0.0.1:{own}{parameter} -t {mode} -m 1 -timeout 20s 127.0.0.1:{port}",
            register.display()
        )));
        assert_eq!(
            registered.exit,
            Exit::Code(0),
            "{mode}: {}{}\n{}",
            registered.stdout,
            registered.stderr,
            proxy.log()
        );
        let called = finish(ours(&format!(
            "-sf {} -s {mode} -t {mode} -m 10 -r 50 -timeout 20s 127.0.0.1:{port}",
            call.display()
        )));
        assert_eq!(
            called.exit,
            Exit::Code(0),
            "{mode}: {}{}\n{}",
            called.stdout,
            called.stderr,
            proxy.log()
        );
        // Its calls are in their last pause, where nothing more happens.
        drop(callee);
    }
}
