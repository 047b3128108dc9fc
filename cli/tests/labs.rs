// SPDX-License-Identifier: AGPL-3.0-only
//! The labs: every one of them runs against its peer, and the packets are those that its description promises.
//!
//! They last as long as their table says, so all run at once.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_gossipper");

/// Labs that call, and their twins: packets that the caller sends, and that it hears, from a twin that does the same at
/// the same time.
const PAIRS: &[(&str, u32, u32)] = &[
    ("one_way", 250, 0),
    ("recvonly", 0, 250),
    ("no_rtp", 0, 0),
    ("cn_only", 50, 50),
    ("codec_chg", 250, 250),
    ("codec_chg_alaw", 250, 250),
    ("hairpin", 250, 250),
    ("fas_cadence", 150, 150),
    ("fake_ringing", 150, 150),
    ("fas_speech", 500, 500),
    ("fas_early", 360, 360),
    ("fas_late", 150, 150),
    ("kws", 400, 400),
    ("short_call", 0, 0),
    ("fax_t38", 0, 0),
    ("rtp_mute", 0, 0),
    ("g711_silence", 250, 250),
    ("cn_then_speech", 170, 170),
];

/// Labs that change the call, against a peer that goes along: packets sent and heard.
const CHANGES: &[(&str, &str, u32, u32)] = &[
    ("audio_gap", "lab_uas", 100, 100),
    ("media_redirect", "lab_uas", 250, 100),
    ("fax_switch", "lab_uas", 100, 100),
    ("hold_moh", "lab_uas", 250, 100),
    ("hold_resume", "lab_uas", 175, 175),
    ("port_move", "lab_uas", 250, 250),
    // The caller waits for six seconds when nothing comes any more.
    ("lab_uac", "audio_gap_uas", 100, 100),
    ("lab_uac", "media_redirect_uas", 400, 400),
    ("lab_uac", "fax_switch_uas", 100, 100),
    ("lab_uac", "hold_moh_uas", 100, 400),
    ("lab_uac", "hold_resume_uas", 375, 375),
    ("lab_uac", "port_move_uas", 400, 400),
    // Here the called side hangs up.
    ("lab_uac", "short_call_uas", 75, 0),
    ("lab_uac", "early_183", 250, 275),
    ("lab_uac", "late_180", 20, 0),
    ("lab_uac", "lab_uas", 300, 300),
];

/// The number behind a name in the last line of a run.
fn figure(out: &str, name: &str) -> u32 {
    let start = format!(" {name}=");
    let found = out.rsplit_once(start.as_str()).map(|(_, rest)| rest);
    let digits = found.and_then(|rest| rest.split_whitespace().next());
    let value = digits.and_then(|digits| digits.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {out}"))
}

/// As many as were promised, but for what a busy machine does: an INVITE that is answered a second later lengthens the
/// phase before it, and packets of a shard that could not run are skipped.
fn about(found: u32, wanted: u32) -> bool {
    match wanted {
        0 => found == 0,
        _ => (wanted * 3 / 4..=wanted + wanted / 10 + 60).contains(&found),
    }
}

/// A lab, its answerer, and the packets that the caller sends and hears.
struct Lab<'a> {
    caller: &'a str,
    answerer: String,
    packets: (u32, u32),
    first_port: u32,
}

impl<'a> Lab<'a> {
    fn of(
        (first_port, (caller, answerer, sent, heard)): (u32, (&'a str, String, u32, u32)),
    ) -> Self {
        // `short_call` hangs up at the same moment as its twin: it is for peers that wait.
        let answerer = match caller {
            "short_call" => "rtp_mute_uas".to_owned(),
            _ => answerer,
        };
        Self {
            caller,
            answerer,
            packets: (sent, heard),
            first_port,
        }
    }

    fn start(&self, folder: &Path) -> Child {
        Command::new(BINARY)
            .args([
                "-sn",
                self.caller,
                "-loopback",
                "-loopback_sn",
                &self.answerer,
            ])
            .args(["-m", "1", "-mp", &self.first_port.to_string(), "-nostdin"])
            .current_dir(folder)
            .env("XDG_CACHE_HOME", folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    }

    /// What was otherwise than promised.
    fn differs(&self, run: Child) -> Option<String> {
        let output = run.wait_with_output().expect("it ends");
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        let got = (figure(&out, "rtp_sent"), figure(&out, "rtp_recv"));
        let as_promised = output.status.code() == Some(0)
            && figure(&out, "success") == 1
            && about(got.0, self.packets.0)
            && about(got.1, self.packets.1);
        let (caller, answerer, packets) = (self.caller, &self.answerer, self.packets);
        (!as_promised)
            .then(|| format!("{caller} and {answerer}: {got:?}, not {packets:?}: {err}\n{out}"))
    }
}

#[test]
fn every_lab_sends_and_hears_what_it_says() {
    let folder = TempDir::with_prefix("gossipper-labs-").expect("a folder");
    let twins: Vec<(&str, String, u32, u32)> = PAIRS
        .iter()
        .map(|(lab, sent, heard)| (*lab, format!("{lab}_uas"), *sent, *heard))
        .chain(CHANGES.iter().map(|(caller, answerer, sent, heard)| {
            (*caller, (*answerer).to_owned(), *sent, *heard)
        }))
        .collect();
    // Each begins its search for free ports elsewhere; it passes over those that somebody has.
    let labs: Vec<Lab<'_>> = (10_000..).step_by(600).zip(twins).map(Lab::of).collect();
    let runs: Vec<Child> = labs.iter().map(|lab| lab.start(folder.path())).collect();
    let mut wrong = Vec::new();
    for (lab, run) in labs.iter().zip(runs) {
        if lab.differs(run).is_some() {
            wrong.push(lab);
        }
    }
    // All at once may be more than a busy machine can do; what is wrong is wrong alone as well.
    let wrong: Vec<String> = wrong
        .into_iter()
        .filter_map(|lab| lab.differs(lab.start(folder.path())))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_lab_is_run() {
    let output = Command::new(BINARY)
        .args(["-sn", "no_such_lab", "127.0.0.1"])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, names) = text.split_once("there are: ").expect("the names");
    let labs = names.split(", ").map(str::trim).filter(|name| {
        let other = [
            "uac", "uas", "invite", "3pcc", "branch", "regexp", "ooc_", "options",
        ];
        let other = other.iter().any(|start| name.starts_with(start));
        !other && !["management", "media_uas"].contains(name)
    });
    for lab in labs {
        let paired = PAIRS.iter().any(|(name, ..)| {
            lab == *name || (lab.strip_suffix("_uas") == Some(name) && *name != "short_call")
        });
        let changes = CHANGES
            .iter()
            .any(|(caller, answerer, ..)| [*caller, *answerer].contains(&lab));
        assert!(paired || changes, "{lab} is run by no test");
    }
}
