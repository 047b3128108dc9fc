// SPDX-License-Identifier: AGPL-3.0-only
//! Both sides of a call: scenarios that SIPp and gossipper understand, processes, and what can be read off them.

use gossipper_media::tone::power_at;
use gossipper_media::wav;
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Longest that any of these runs may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The tone that is sent, in Hz: not that of `synthetic`, which would be heard if a file were not played.
pub(crate) const TONE: f64 = 1000.0;

/// Packets of the file with the tone.
pub(crate) const TONE_PACKETS: u64 = 25;

/// What both sides say of their audio, with the port of the call's stream.
pub(crate) const STREAM: &str =
    "m=audio [rtpstream_audio_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=sendrecv";

/// One side's part of a call.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// The lines of the description from `m=` on.
    pub(crate) sdp: &'a str,
    /// Actions once the other's description is there.
    pub(crate) first: &'a str,
    /// Steps of the caller until it hangs up.
    pub(crate) then: &'a str,
}

/// Without it SIPp does not take a file for XML.
const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn body(lines: &str) -> String {
    format!("v=0\no=- 1 1 IN IP4 [media_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n{lines}\n")
}

fn actions(list: &str) -> String {
    if list.is_empty() {
        String::new()
    } else {
        format!("<action>{list}</action>")
    }
}

pub(crate) fn exec(action: &str, value: &str) -> String {
    format!(r#"<exec {action}="{value}"/>"#)
}

pub(crate) fn pause(ms: u32) -> String {
    format!(r#"<pause milliseconds="{ms}"/>"#)
}

/// A call that is opened.
pub(crate) fn caller(part: Part<'_>) -> String {
    let request = |method: &str, cseq: u32, rest: &str| {
        format!(
            "<send retrans=\"500\"><![CDATA[\n\n{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             From: <sip:a@[local_ip]:[local_port]>;tag=[call_number]\n\
             To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\n\
             Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:a@[local_ip]:[local_port]>\n\
             Max-Forwards: 70\n{rest}\n]]></send>\n"
        )
    };
    let with_body = format!(
        "Content-Type: application/sdp\nContent-Length: [len]\n\n{}",
        body(part.sdp)
    );
    let empty = "Content-Length: 0\n";
    format!(
        "{PROLOGUE}<scenario name=\"caller\">\n{}<recv response=\"100\" optional=\"true\"/>\n<recv response=\"180\" optional=\"true\"/>\n\
         <recv response=\"200\">{}</recv>\n{}{}\n{}<recv response=\"200\"/>\n</scenario>",
        request("INVITE", 1, &with_body),
        actions(part.first),
        request("ACK", 1, empty).replace(" retrans=\"500\"", ""),
        part.then,
        request("BYE", 2, empty),
    )
}

/// A call that is taken.
pub(crate) fn answerer(part: Part<'_>) -> String {
    let response = |rest: &str| {
        format!(
            "<send><![CDATA[\n\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:];tag=u[call_number]\n[last_Call-ID:]\n\
             [last_CSeq:]\nContact: <sip:u@[local_ip]:[local_port]>\n{rest}\n]]></send>\n"
        )
    };
    let with_body = format!(
        "Content-Type: application/sdp\nContent-Length: [len]\n\n{}",
        body(part.sdp)
    );
    format!(
        "{PROLOGUE}<scenario name=\"answerer\">\n<recv request=\"INVITE\"/>\n{}<recv request=\"ACK\">{}</recv>\n{}\
         <recv request=\"BYE\"/>\n{}</scenario>",
        response(&with_body),
        actions(part.first),
        part.then,
        response("Content-Length: 0\n"),
    )
}

/// A folder with the scenarios and the sound of a test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("gossipper-peers-").expect("a folder");
        let tone = gossipper_media::tone::Tone::new(TONE, 0.3).samples(8000);
        let bytes: Vec<u8> = tone
            .take(TONE_PACKETS as usize * 160)
            .map(gossipper_media::codec::g711::encode_a)
            .collect();
        std::fs::write(folder.path().join("tone.al"), bytes).expect("written");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    /// The action that plays the tone, so many times.
    pub(crate) fn tone(&self, times: i32) -> String {
        let file = self.path("tone.al");
        exec(
            "rtp_stream",
            &format!("{},{times},8,PCMA/8000", file.display()),
        )
    }

    /// The share of the tone in the power of the only recording in a folder.
    pub(crate) fn tone_in(&self, folder: &str) -> f64 {
        let found: Vec<PathBuf> = std::fs::read_dir(self.path(folder))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        tone_in(&found[0])
    }
}

/// The share of the tone in the power of a WAV file, its silence at both ends cut off.
pub(crate) fn tone_in(path: &Path) -> f64 {
    let bytes = std::fs::read(path).expect("a recording");
    let audio = wav::read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let loud = |sample: &i16| sample.unsigned_abs() > 500;
    let first = audio.samples.iter().position(loud).unwrap_or(0);
    let last = audio.samples.iter().rposition(loud).unwrap_or(0);
    let heard = &audio.samples[first..last];
    assert!(
        heard.len() as f64 > 0.2 * f64::from(audio.rate),
        "{} samples of sound in {}",
        heard.len(),
        path.display()
    );
    share_of(heard, TONE, audio.rate)
}

/// In blocks of 100 ms, so that a packet that a peer's buffer left out breaks only one.
fn share_of(samples: &[i16], hz: f64, rate: u32) -> f64 {
    let blocks = samples.chunks_exact(rate as usize / 10);
    let powers = blocks.map(|block| power_at(block, hz, rate));
    let (whole, at) = powers.fold((0.0, 0.0), |sum, (whole, at)| (sum.0 + whole, sum.1 + at));
    at / whole
}

/// Who runs a side.
#[derive(Clone)]
pub(crate) struct Runner {
    tool: Tool,
    /// What stands before the flags.
    dialect: &'static [&'static str],
}

impl Runner {
    /// gossipper by SIPp's rules, with its own summary.
    pub(crate) fn ours() -> Self {
        Self {
            tool: Tool::program("gossipper", env!("CARGO_BIN_EXE_gossipper")),
            dialect: &["sipp"],
        }
    }

    /// gossipper by its own rules.
    pub(crate) fn own() -> Self {
        Self {
            dialect: &[],
            ..Self::ours()
        }
    }

    /// Real SIPp, if it is there.
    pub(crate) fn sipp() -> Option<Self> {
        Some(Self {
            tool: Tool::sipp()?,
            dialect: &[],
        })
    }

    /// Starts it at its port; `flags` may be several in a text.
    pub(crate) fn start(&self, port: u16, scenario: &str, flags: &str) -> Running {
        let port = port.to_string();
        let fixed = [
            "-sf",
            scenario,
            "-i",
            "127.0.0.1",
            "-mi",
            "127.0.0.1",
            "-p",
            &port,
            "-m",
            "1",
            "-nostdin",
            "-timeout",
            "40",
        ];
        let words = self.dialect.iter().copied().chain(fixed);
        let words = words.chain(flags.split_whitespace());
        Running::start(&self.tool, words.map(str::to_owned).collect()).expect("it starts")
    }
}

pub(crate) fn port() -> u16 {
    free_udp_port(HOST).expect("a free port")
}

/// Flags for an even port from which media go on.
pub(crate) fn media_ports() -> String {
    format!("-mp {}", port() & !1)
}

/// One call between two programs, and how both ended.
pub(crate) fn call(caller: (&Runner, &str, &str), answerer: (&Runner, &str, &str)) -> [Outcome; 2] {
    let (here, there) = (port(), port());
    let mut taking = answerer.0.start(there, answerer.1, answerer.2);
    taking
        .wait_for_port(SocketAddr::new(HOST, there))
        .expect("it listens");
    let calling = caller
        .0
        .start(here, caller.1, &format!("127.0.0.1:{there} {}", caller.2));
    let calling = finish(calling);
    // Without a call it would wait for one. 253: the call was fine, its pattern was not.
    let taking = if matches!(calling.exit, Exit::Code(0 | 253)) {
        finish(taking)
    } else {
        taking.stop(0, Duration::from_secs(1)).expect("it ends")
    };
    [calling, taking]
}

pub(crate) fn finish(running: Running) -> Outcome {
    running.finish(Instant::now() + LIMIT, 0).expect("it ends")
}

/// What went wrong, if anything did.
pub(crate) fn assert_exits(outcomes: &[Outcome; 2], codes: [i32; 2]) {
    let exits = [&outcomes[0].exit, &outcomes[1].exit];
    let wanted = codes.map(Exit::Code);
    assert!(
        *exits[0] == wanted[0] && *exits[1] == wanted[1],
        "{exits:?}\n{}",
        outcomes
            .iter()
            .map(|outcome| format!(
                "{}\n{}\n{}\n",
                outcome.stdout, outcome.stderr, outcome.errors
            ))
            .collect::<String>()
    );
}

/// Packets, of the summary.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Packets {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    /// A shard that wakes too late leaves packets out.
    pub(crate) not_sent: u64,
    /// Not RTP, or not with the key.
    pub(crate) useless: u64,
}

impl Packets {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let line = summary_line(outcome, "RTP  ");
        let number = |what: &str| {
            let part = line
                .split("  ")
                .find_map(|part| part.trim().strip_suffix(what));
            part.map_or(0, |part| {
                part.trim().parse().unwrap_or_else(|_| panic!("{line}"))
            })
        };
        Self {
            sent: number(" sent"),
            received: number(" received"),
            lost: number(" lost"),
            not_sent: number(" not sent"),
            useless: number(" useless"),
        }
    }
}

/// A line of the summary.
pub(crate) fn summary_line<'a>(outcome: &'a Outcome, begin: &str) -> &'a str {
    let line = outcome.stdout.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("no `{begin}` in {}{}", outcome.stdout, outcome.stderr))
}

/// Whether a program can be started; says so if it cannot.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn is_there(program: &str, argument: &str) -> bool {
    let there = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !there {
        eprintln!("SKIPPED: there is no {program}");
    }
    there
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Some key of so many bytes.
pub(crate) fn base64(bytes: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // The last digit of an incomplete group has unused bits, which are 0 in `A`.
    let digits = (bytes * 8).div_ceil(6);
    let mut out: String = (0..digits - 1)
        .map(|index| char::from(DIGITS[(index * 7 + 3) % 64]))
        .collect();
    out.push('A');
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
