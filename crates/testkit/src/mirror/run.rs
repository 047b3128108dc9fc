// SPDX-License-Identifier: AGPL-3.0-only
//! A scenario against its mirror: once played by SIPp, once by our tool; the mirror is always played by SIPp.
//!
//! Compared is what the tool that plays the scenario saw and did: its messages, its counters and its exit code. Where
//! they differ both runs are repeated, because machines are busy; a line that differs between two runs of SIPp itself
//! (clocks, random numbers) says nothing.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::corpus::Entry;
use super::known::Known;
use super::plan::Variant;
use crate::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use crate::sipp_cases::Role;
use crate::sipp_trace::{Conversation, Identities, conversation, first_difference};

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Calls of a run.
const CALLS: u32 = 2;

/// Ends a call that waits for what does not come.
const RECV_TIMEOUT_MS: u32 = 2600;

/// Ends a process that does not end its run. Not `-timeout`: SIPp forgets it when the last call was opened.
const LIMIT: Duration = Duration::from_secs(14);

/// How often both runs are made before a difference is believed.
const ATTEMPTS: usize = 3;

/// The counters that have to agree; what depends on how long a process stays around is not among them.
pub const COMPARED: &[&str] = &[
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

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything compared is the same, and all calls succeeded.
    Agreed,
    /// Everything compared is the same; calls failed, for the reason that SIPp counts first.
    AgreedInFailure(String),
    /// Something differs, and is meant to: the reason.
    Meant(String),
    /// Something differs.
    Differs(String),
    /// There was nothing to compare.
    NotRun(String),
}

/// What one run showed.
#[derive(Debug)]
struct View {
    messages: Conversation,
    counters: Vec<(&'static str, u64)>,
    exit: Exit,
    errors: String,
    /// It ended before a message passed, with something to say.
    refused: Option<String>,
}

/// A scenario and its mirror on disk.
#[derive(Debug)]
pub struct Duel {
    folder: TempDir,
    mirror: Role,
    flags: Vec<String>,
    /// Actions that play media and were taken out.
    pub media_actions: usize,
}

impl Duel {
    /// Prepares a scenario of the corpus. The error says why it is not run.
    ///
    /// # Errors
    /// The reason, for the report.
    pub fn prepare(corpus: &Path, entry: &Entry, variant: Variant) -> Result<Self, String> {
        let bytes = std::fs::read(corpus.join(&entry.file)).map_err(|e| e.to_string())?;
        let scenario = super::read(&entry.file, &bytes).ok_or("no SIPp loads it")?;
        if let Some(obstacle) = entry.obstacle(&scenario) {
            return Err(obstacle.to_owned());
        }
        let prepared = super::prepare::prepare(&bytes, &scenario);
        let short = super::read(&entry.file, &prepared.bytes).ok_or("the prepared file is none")?;
        let mirror = super::derive(&short, variant).ok_or("no message passes on its main path")?;
        let folder = TempDir::with_prefix("gossipper-mirror-").map_err(|e| e.to_string())?;
        let flags = entry
            .flags(corpus, &bytes, folder.path())
            .map_err(|e| e.to_string())?;
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        write("scenario.xml", &prepared.bytes)
            .and_then(|()| write("mirror.xml", mirror.xml.as_bytes()))
            .map_err(|e| e.to_string())?;
        Ok(Self {
            folder,
            mirror: mirror.role,
            flags,
            media_actions: prepared.media_actions,
        })
    }

    /// Where the files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs and compares.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub fn compare(&self, sipp: &Tool, ours: &Tool, known: &[Known]) -> io::Result<Verdict> {
        let mut expected: Vec<View> = Vec::new();
        let mut actual: Vec<View> = Vec::new();
        let mut difference = String::new();
        for _ in 0..ATTEMPTS {
            let view = self.run(sipp, sipp)?;
            if let Some(reason) = &view.refused {
                return Ok(Verdict::NotRun(format!("SIPp 3.6.1 refuses it: {reason}")));
            }
            expected.push(view);
            actual.push(self.run(ours, sipp)?);
            let volatile = volatile_lines(&expected);
            for one in &expected {
                for other in &actual {
                    match one.difference(other, &volatile) {
                        None => return Ok(one.agreed()),
                        Some(text) => difference = text,
                    }
                }
            }
            if let Some(reason) = self.meant(&expected, &actual, known, &difference)? {
                return Ok(Verdict::Meant(reason));
            }
        }
        Ok(Verdict::Differs(difference))
    }

    /// Why the difference is meant, if it is.
    fn meant(
        &self,
        expected: &[View],
        actual: &[View],
        known: &[Known],
        difference: &str,
    ) -> io::Result<Option<String>> {
        let scenario = std::fs::read(self.file("scenario.xml"))?;
        let scenario = String::from_utf8_lossy(&scenario);
        let known: Vec<&Known> = known
            .iter()
            .filter(|known| known.concerns(&scenario))
            .collect();
        let volatile = volatile_lines(expected);
        let same = |masks: &[&Known]| {
            expected.iter().any(|one| {
                actual
                    .iter()
                    .any(|other| one.same_but_for(other, &volatile, masks))
            })
        };
        // One mask if one will do, all of them otherwise.
        let single = known.iter().find(|mask| same(&[**mask]));
        let met = match single {
            Some(mask) => vec![*mask],
            None if same(&known) => known
                .iter()
                .copied()
                .filter(|mask| {
                    expected
                        .iter()
                        .any(|view| mask.mask(&mut view.messages.clone()))
                })
                .collect(),
            None => known
                .into_iter()
                .filter(|known| known.explains(difference))
                .take(1)
                .collect(),
        };
        let reasons: Vec<&str> = met.iter().map(|known| known.reason.as_str()).collect();
        Ok((!reasons.is_empty()).then(|| reasons.join("; ")))
    }

    /// One run of the scenario in `tool` against the mirror in `peer`.
    fn run(&self, tool: &Tool, peer: &Tool) -> io::Result<View> {
        let (own, other) = (free_udp_port(IP)?, free_udp_port(IP)?);
        let deadline = Instant::now() + LIMIT;
        let target = |port| SocketAddr::new(IP, port).to_string();
        let mut subject_arguments = self.arguments("scenario.xml", own, tool);
        subject_arguments.extend(["-trace_msg", "-message_file", "messages.log"].map(String::from));
        subject_arguments.extend(["-trace_err", "-error_file", "errors.log"].map(String::from));
        subject_arguments.extend(["-m".to_owned(), CALLS.to_string()]);
        subject_arguments.extend(["-recv_timeout".to_owned(), RECV_TIMEOUT_MS.to_string()]);
        subject_arguments.extend(["-d", "100", "-au", "mirror", "-ap", "mirror"].map(String::from));
        subject_arguments.extend(self.flags.iter().cloned());
        let mut mirror_arguments = self.arguments("mirror.xml", other, peer);
        mirror_arguments.push("-nd".to_owned());

        let (outcome, peer_pid) = match self.mirror {
            Role::Server => {
                let mut mirror = Running::start(peer, mirror_arguments)?;
                mirror.wait_for_port(SocketAddr::new(IP, other))?;
                subject_arguments.push(target(other));
                subject_arguments.extend(["-r", "10"].map(String::from));
                let subject = Running::start(tool, subject_arguments)?;
                let pid = mirror.pid();
                (subject.finish(deadline, own)?, pid)
            }
            Role::Client => {
                let mut subject = Running::start(tool, subject_arguments)?;
                if subject.wait_for_port(SocketAddr::new(IP, own)).is_err() {
                    (
                        subject.finish(Instant::now() + Duration::from_secs(1), own)?,
                        0,
                    )
                } else {
                    mirror_arguments.extend(["-m".to_owned(), CALLS.to_string(), target(own)]);
                    mirror_arguments.extend(["-r", "10"].map(String::from));
                    let mirror = Running::start(peer, mirror_arguments)?;
                    let outcome = subject.finish(deadline, own)?;
                    (outcome, mirror.pid())
                }
            }
        };
        let identities = match self.mirror {
            Role::Server => Identities {
                client_pid: outcome.pid,
                server_pid: peer_pid,
                client_port: own,
                server_port: other,
            },
            Role::Client => Identities {
                client_pid: peer_pid,
                server_pid: outcome.pid,
                client_port: other,
                server_port: own,
            },
        };
        Ok(View::of(&outcome, &identities))
    }

    fn arguments(&self, file: &str, port: u16, tool: &Tool) -> Vec<String> {
        let mut arguments = vec!["-sf".to_owned(), self.file(file).display().to_string()];
        arguments.extend([
            "-i".to_owned(),
            IP.to_string(),
            "-p".to_owned(),
            port.to_string(),
        ]);
        arguments.push("-nostdin".to_owned());
        if tool.name == "sipp" {
            arguments.extend(["-trace_stat", "-stf", "statistics.csv"].map(String::from));
        }
        arguments
    }
}

impl View {
    fn of(outcome: &Outcome, identities: &Identities) -> Self {
        let counters = outcome.counters.clone().unwrap_or_default();
        let messages = conversation(&outcome.messages, identities);
        let said = outcome.stderr.trim();
        let failed = COMPARED.iter().any(|name| counters.value(name) > 0);
        let refused = (messages.is_empty()
            && !failed
            && matches!(outcome.exit, Exit::Code(code) if code != 0))
        .then(|| complaint(said));
        Self {
            messages,
            counters: COMPARED
                .iter()
                .map(|name| (*name, counters.value(name)))
                .collect(),
            exit: outcome.exit,
            errors: format!("{}\n{}", said, outcome.errors),
            refused,
        }
    }

    fn agreed(&self) -> Verdict {
        if self.exit == Exit::Code(0) {
            return Verdict::Agreed;
        }
        let reason = self
            .counters
            .iter()
            .skip(2)
            .find(|(name, count)| *count > 0 && name.starts_with("Failed"))
            .map_or_else(|| self.exit.to_string(), |(name, _)| (*name).to_owned());
        Verdict::AgreedInFailure(reason)
    }

    /// Is there no difference when these texts are hidden?
    fn same_but_for(&self, other: &Self, volatile: &BTreeSet<Place>, masks: &[&Known]) -> bool {
        let (mut mine, mut theirs) = (
            masked(&self.messages, volatile),
            masked(&other.messages, volatile),
        );
        for mask in masks {
            mask.mask(&mut mine);
            mask.mask(&mut theirs);
        }
        self.differences(other, mine, theirs).is_empty()
    }

    /// What differs; `self` is SIPp's.
    fn difference(&self, other: &Self, volatile: &BTreeSet<Place>) -> Option<String> {
        let mine = masked(&self.messages, volatile);
        let theirs = masked(&other.messages, volatile);
        let mut found = self.differences(other, mine, theirs);
        if found.is_empty() {
            return None;
        }
        let last = |text: &str| {
            let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
            lines[lines.len().saturating_sub(6)..].join("\n")
        };
        found.push(format!(
            "SIPp said: {}\nwe said: {}",
            last(&self.errors),
            last(&other.errors)
        ));
        Some(found.join("\n"))
    }

    /// What differs between these messages, the counters and the exit codes.
    fn differences(
        &self,
        other: &Self,
        mut mine: Conversation,
        mut theirs: Conversation,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let endless = self.exit == Exit::TimedOut && other.exit == Exit::TimedOut;
        if endless {
            // Killed in the middle, one a little later than the other.
            cut_to_the_shorter(&mut mine, &mut theirs);
        }
        found.extend(first_difference(&mine, &theirs));
        let counters = if endless { 0 } else { self.counters.len() };
        for ((name, expected), (_, actual)) in
            self.counters.iter().zip(&other.counters).take(counters)
        {
            if expected != actual {
                found.push(format!("{name}: SIPp {expected}, ours {actual}"));
            }
        }
        if self.exit != other.exit {
            found.push(format!(
                "SIPp ends with {}, ours with {}",
                self.exit, other.exit
            ));
        }
        found
    }
}

/// A line of a message: position of the call, of the message, of the line.
type Place = (usize, usize, usize);

/// The lines that are not the same in all of these runs, where the runs have the same shape.
fn volatile_lines(views: &[View]) -> BTreeSet<Place> {
    let mut places = BTreeSet::new();
    let Some((first, others)) = views.split_first() else {
        return places;
    };
    for other in others {
        for (call, (one, two)) in first
            .messages
            .values()
            .zip(other.messages.values())
            .enumerate()
        {
            for (message, (one, two)) in one.iter().zip(two).enumerate() {
                if one.lines().count() != two.lines().count() {
                    continue;
                }
                for (line, (one, two)) in one.lines().zip(two.lines()).enumerate() {
                    if one != two {
                        places.insert((call, message, line));
                    }
                }
            }
        }
    }
    places
}

/// The conversation without its volatile lines, and with calls named by their order when Call-IDs are volatile.
fn masked(messages: &Conversation, volatile: &BTreeSet<Place>) -> Conversation {
    messages
        .values()
        .enumerate()
        .map(|(call, texts)| {
            let texts = texts.iter().enumerate().map(|(message, text)| {
                let lines = text.lines().enumerate().map(|(line, text)| {
                    if volatile.contains(&(call, message, line)) {
                        "<varies>"
                    } else {
                        text
                    }
                });
                lines.collect::<Vec<_>>().join("\n")
            });
            (format!("{call}"), texts.collect())
        })
        .collect()
}

/// What SIPp says last before it ends, without time and place.
fn complaint(said: &str) -> String {
    let line = said
        .lines()
        .rfind(|line| line.contains(": "))
        .unwrap_or_default();
    let text = line.split_once(": ").map_or(line, |(_, text)| text);
    text.trim()
        .replace(|c: char| c.is_ascii_control() || c == '|', " ")
}

fn cut_to_the_shorter(one: &mut Conversation, other: &mut Conversation) {
    for (call, texts) in one.iter_mut() {
        if let Some(others) = other.get_mut(call) {
            let length = texts.len().min(others.len());
            texts.truncate(length);
            others.truncate(length);
        }
    }
}
