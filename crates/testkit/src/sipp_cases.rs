// SPDX-License-Identifier: AGPL-3.0-only
//! The differential cases and the differences that are meant: `testdata/differential/{cases,known}.toml`.
//!
//! A case is a client and a server scenario of `testdata/scenarios` with their flags and expected exit codes. A known
//! difference is a text that SIPp writes and the text that we write in its place, with the reason and the place in
//! `docs/compat.md` that explains it. It is applied to what SIPp wrote before the comparison, so that everything
//! around it is still compared.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sipp_trace::Conversation;

/// One pair of scenarios.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The scenarios are `NAME_client.xml` and `NAME_server.xml`, unless the next two fields name others.
    pub name: String,
    /// The client's scenario: the file's name without `.xml`.
    #[serde(default)]
    pub client: Option<String>,
    /// The server's scenario, likewise.
    #[serde(default)]
    pub server: Option<String>,
    /// What it is there for.
    pub covers: String,
    /// `-m` of both sides.
    #[serde(default = "one")]
    pub calls: u32,
    /// `-r` of the client.
    #[serde(default = "twenty")]
    pub rate: u32,
    /// Further flags of the client; [`FOLDER`] in them is the folder of the scenarios.
    #[serde(default)]
    pub client_flags: Vec<String>,
    /// Further flags of the server, likewise.
    #[serde(default)]
    pub server_flags: Vec<String>,
    /// The client's exit code.
    #[serde(default)]
    pub client_exit: i32,
    /// The server's exit code.
    #[serde(default)]
    pub server_exit: i32,
    /// Sides whose messages are not compared, the other side's are: SIPp's trace leaves out what it sends before its
    /// connection is made.
    #[serde(default)]
    pub untraced: Vec<Role>,
    /// Counters to compare that are left out elsewhere, because they depend on how long a process stays around.
    #[serde(default)]
    pub also: Vec<String>,
}

/// Stands for the folder of the scenarios in flags.
pub const FOLDER: &str = "{scenarios}";

fn one() -> u32 {
    1
}

fn twenty() -> u32 {
    20
}

/// Which side of a call a text belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The calling side.
    Client,
    /// The answering side.
    Server,
}

/// A difference that is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The case it appears in.
    pub case: String,
    /// The side whose tool makes the difference.
    pub side: Role,
    /// It concerns only messages whose start line begins like this.
    #[serde(default)]
    pub start: String,
    /// What SIPp has, in the normalised message.
    pub sipp: String,
    /// What we have in that place.
    pub ours: String,
    /// Why.
    pub reason: String,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: String,
}

impl Difference {
    /// Turns SIPp's text into ours wherever this difference applies; returns how many messages it changed.
    pub fn apply(&self, conversation: &mut Conversation) -> usize {
        let mut changed = 0;
        for text in conversation.values_mut().flatten() {
            // The first line says `sent` or `received`.
            let start_line = text.lines().nth(1).unwrap_or_default();
            if start_line.starts_with(&self.start) && text.contains(&self.sipp) {
                *text = text.replace(&self.sipp, &self.ours);
                changed += 1;
            }
        }
        changed
    }
}

/// A counter that is meant to differ.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CounterDifference {
    /// The case it appears in.
    pub case: String,
    /// The side whose tool makes the difference, and whose counter it is.
    pub side: Role,
    /// SIPp's column, without `(C)`.
    pub name: String,
    /// What SIPp counts.
    pub sipp: u64,
    /// What we count.
    pub ours: u64,
    /// Why.
    pub reason: String,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    #[serde(default)]
    difference: Vec<Difference>,
    #[serde(default)]
    counter: Vec<CounterDifference>,
}

/// The cases and differences of a workspace.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Every case, in file order.
    pub cases: Vec<Case>,
    /// Every difference that is meant, in file order.
    pub known: Vec<Difference>,
    /// Every counter that is meant to differ, in file order.
    pub known_counters: Vec<CounterDifference>,
    scenarios: PathBuf,
}

impl Suite {
    /// Reads both files below a workspace root.
    ///
    /// # Errors
    /// What is missing or malformed, with the file's name.
    pub fn load(workspace: &Path) -> Result<Self, String> {
        let testdata = workspace.join("testdata");
        let cases: CaseFile = read_toml(&testdata.join("differential/cases.toml"))?;
        let known: KnownFile = read_toml(&testdata.join("differential/known.toml"))?;
        let scenarios = testdata.join("scenarios");
        let mut cases = cases.case;
        for case in &mut cases {
            for flag in case.client_flags.iter_mut().chain(&mut case.server_flags) {
                *flag = flag.replace(FOLDER, &scenarios.to_string_lossy());
            }
        }
        Ok(Self {
            cases,
            known: known.difference,
            known_counters: known.counter,
            scenarios,
        })
    }

    /// The scenario of one side of a case.
    #[must_use]
    pub fn scenario(&self, case: &Case, role: Role) -> PathBuf {
        let (named, role) = match role {
            Role::Client => (&case.client, "client"),
            Role::Server => (&case.server, "server"),
        };
        let own = || format!("{}_{role}", case.name);
        let name = named.clone().unwrap_or_else(own);
        self.scenarios.join(format!("{name}.xml"))
    }

    /// The case of this name.
    #[must_use]
    pub fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
/// The anchors of `docs/compat.md`, which must differ from each other.
pub(crate) fn anchors() -> Vec<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compat.md");
    let document = std::fs::read_to_string(document).expect("docs/compat.md");
    let anchors: Vec<_> = document
        .lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()))
        .map(anchor_of)
        .collect();
    for (index, anchor) in anchors.iter().enumerate() {
        assert!(
            !anchors[..index].contains(anchor),
            "{anchor} is there twice"
        );
    }
    anchors
}

#[cfg(test)]
/// As the common Markdown renderers make them.
fn anchor_of(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> Suite {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Suite::load(&root).expect("the suite of this workspace")
    }

    #[test]
    fn every_case_has_its_scenarios_and_every_scenario_its_case() {
        let suite = suite();
        let mut used = Vec::new();
        for (index, case) in suite.cases.iter().enumerate() {
            let first = suite.cases.iter().position(|other| other.name == case.name);
            assert_eq!(first, Some(index), "{} is there twice", case.name);
            for role in [Role::Client, Role::Server] {
                let path = suite.scenario(case, role);
                assert!(path.is_file(), "{} is missing", path.display());
                used.push(path);
            }
        }
        for entry in std::fs::read_dir(&suite.scenarios).expect("the scenarios") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ext| ext == "xml") {
                assert!(used.contains(&path), "{} is in no case", path.display());
            }
        }
    }

    #[test]
    fn every_known_difference_names_a_case_a_reason_and_an_anchor_of_the_document() {
        let (suite, anchors) = (suite(), anchors());
        let texts = suite.known.iter().map(|k| (&k.case, &k.reason, &k.anchor));
        let counters = (suite.known_counters.iter()).map(|k| (&k.case, &k.reason, &k.anchor));
        for (case, reason, anchor) in texts.chain(counters) {
            assert!(suite.case(case).is_some(), "no case {case}");
            assert!(reason.len() > 20, "{case}: {reason}");
            assert!(anchors.contains(anchor), "no {anchor} in {anchors:?}");
        }
    }

    #[test]
    fn every_anchor_that_the_sources_point_to_exists() {
        const POINTER: &str = concat!("docs/compat", ".md#");
        let anchors = anchors();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut folders: Vec<_> = [
            "vm",
            "compiler",
            "runtime",
            "cli",
            "crates",
            "stdlib-scenarios",
        ]
        .map(|name| root.join(name))
        .into();
        let mut pointers = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ext| ext == "rs") {
                    let text = std::fs::read_to_string(&path).expect("readable source");
                    for tail in text.split(POINTER).skip(1) {
                        let anchor: String = tail
                            .chars()
                            .take_while(|c| c.is_alphanumeric() || *c == '-')
                            .collect();
                        assert!(anchors.contains(&anchor), "{}: {anchor}", path.display());
                        pointers += 1;
                    }
                }
            }
        }
        assert!(pointers > 0, "the sources point to the document");
    }

    #[test]
    fn a_difference_touches_only_messages_of_its_start_line() {
        let difference = Difference {
            case: "x".into(),
            side: Role::Server,
            start: "SIP/2.0 200".into(),
            sipp: "\nf: ".into(),
            ours: "\nFrom: ".into(),
            reason: String::new(),
            anchor: String::new(),
        };
        let mut conversation = Conversation::from([(
            "1".to_owned(),
            vec![
                "sent\nOPTIONS a\nf: b\n".to_owned(),
                "received\nSIP/2.0 200 OK\nf: b\n".to_owned(),
            ],
        )]);
        assert_eq!(difference.apply(&mut conversation), 1);
        assert_eq!(conversation["1"][0], "sent\nOPTIONS a\nf: b\n");
        assert_eq!(conversation["1"][1], "received\nSIP/2.0 200 OK\nFrom: b\n");
    }
}
