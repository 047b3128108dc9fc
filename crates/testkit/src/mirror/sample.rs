// SPDX-License-Identifier: AGPL-3.0-only
//! A few scenarios that stand for many: chosen so that every trait of the corpus is among them as early as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gossipper_compiler::ast::{ActionKind, Expect, Optionality, Scenario, SearchIn, StepKind};

use super::corpus::Entry;

/// Most elements of a scenario of the sample: longer ones take longer and show nothing else.
const MAX_STEPS: usize = 40;

/// Chooses at most `count` scenarios that can be run: again and again the one that shows most that the others have not
/// shown yet, then the first ones. The same corpus gives the same sample.
///
/// # Errors
/// When the corpus cannot be read.
pub fn sample(corpus: &Path, count: usize) -> Result<Vec<Entry>, String> {
    let mut candidates: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let entries = super::corpus::scenarios(corpus)?;
    for (index, entry) in entries.iter().enumerate() {
        let path = corpus.join(&entry.file);
        let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let Some(scenario) = super::read(&entry.file, &bytes) else {
            continue;
        };
        let short = scenario.steps().count() <= MAX_STEPS;
        if short && entry.obstacle(&scenario).is_none() {
            candidates.insert(index, traits(entry, &scenario));
        }
    }
    let mut shown = BTreeSet::new();
    let mut chosen = Vec::new();
    while chosen.len() < count && !candidates.is_empty() {
        let fresh = |traits: &BTreeSet<String>| traits.difference(&shown).count();
        let Some(best) = candidates
            .iter()
            .max_by_key(|(index, traits)| (fresh(traits), usize::MAX - **index))
            .map(|(index, _)| *index)
        else {
            break;
        };
        shown.extend(candidates.remove(&best).unwrap_or_default());
        chosen.push(entries[best].clone());
    }
    Ok(chosen)
}

/// What a scenario makes use of.
fn traits(entry: &Entry, scenario: &Scenario) -> BTreeSet<String> {
    let mut traits = BTreeSet::new();
    let mut add = |text: &str| {
        traits.insert(text.to_owned());
    };
    if entry.needs_a_file() {
        add("injection");
    }
    for step in scenario.steps() {
        match &step.kind {
            StepKind::Send(send) => {
                let text = send
                    .text
                    .as_ref()
                    .map(|text| text.display())
                    .unwrap_or_default();
                add(&format!(
                    "send {}",
                    text.split_whitespace().next().unwrap_or_default()
                ));
                for keyword in text.split('[').skip(1) {
                    let name: String = keyword
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || "_$-".contains(*c))
                        .collect();
                    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
                    add(&format!("[{name}]"));
                }
                if send.retrans_ms.is_some() {
                    add("retrans");
                }
            }
            StepKind::Recv(recv) => {
                match &recv.expect {
                    Expect::Request(method) => add(&format!("recv {}", method.display())),
                    Expect::Response(code) => add(&format!("recv {}", code.value)),
                    Expect::RequestRegex(_) | Expect::ResponseRegex(_) | Expect::Nothing => {
                        add("recv by expression")
                    }
                }
                if recv.optional == Optionality::Global {
                    add("optional global");
                }
                if recv.rrs {
                    add("rrs");
                }
                if recv.auth {
                    add("auth");
                }
                if recv.timeout_ms.is_some() {
                    add("recv timeout");
                }
            }
            StepKind::Pause(_) => add("pause"),
            StepKind::Timewait(_) => add("timewait"),
            StepKind::Nop => add("nop"),
            StepKind::SendCmd(_) | StepKind::RecvCmd(_) => add("command"),
        }
        let common = &step.common;
        for (there, name) in [
            (common.next.is_some(), "next"),
            (common.test.is_some(), "test"),
            (common.chance.is_some(), "chance"),
            (common.ontimeout.is_some(), "ontimeout"),
            (common.condexec.is_some(), "condexec"),
            (common.lost.is_some(), "lost"),
            (common.counter.is_some(), "counter"),
            (common.start_rtd.is_some(), "start_rtd"),
        ] {
            if there {
                add(name);
            }
        }
        for action in step.actions.iter().flat_map(|actions| &actions.list) {
            match &action.kind {
                ActionKind::Ereg { search_in, .. } => add(match search_in {
                    SearchIn::Message => "ereg msg",
                    SearchIn::Header(_) => "ereg hdr",
                    SearchIn::Body => "ereg body",
                    SearchIn::Variable(_) => "ereg var",
                }),
                other => add(format!("{other:?}")
                    .split(['(', ' ', '{'])
                    .next()
                    .unwrap_or_default()),
            }
        }
    }
    traits
}
