// SPDX-License-Identifier: AGPL-3.0-only
//! A sample of other people's scenarios, each against its derived peer: once played by SIPp, once by our binary.
//!
//! `cargo xtask mirror` does the same with all of them. Skipped, loudly, where there is no `sipp` on `PATH`, or where the
//! corpus is absent.
#![expect(
    clippy::print_stderr,
    reason = "a skipped comparison has to be seen in the test log"
)]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gossipper_testkit::mirror::Variant;
use gossipper_testkit::mirror::corpus::folder;
use gossipper_testkit::mirror::known::Known;
use gossipper_testkit::mirror::run::{Duel, Verdict};
use gossipper_testkit::mirror::sample::sample;
use gossipper_testkit::sipp::Tool;

/// Scenarios of the sample.
const SAMPLE: usize = 40;

/// How many of them also meet a peer that spoils the conversation.
const SPOILT: usize = 10;

/// Scenarios under way at a time: they spend most of their time waiting.
const WORKERS: usize = 4;

#[test]
fn scenarios_of_others_run_as_in_sipp() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Some(corpus) = folder(&workspace) else {
        eprintln!("SKIPPED: no corpus; GOSSIPPER_CORPUS names its folder");
        return;
    };
    let Some(sipp) = Tool::sipp() else { return };
    let ours = Tool::gossipper(env!("CARGO_BIN_EXE_gossipper"));
    let known = Known::load(&workspace).expect("the known differences");
    let entries = sample(&corpus, SAMPLE).expect("a corpus");
    // Spoilt conversations take long, since both sides wait; a few are enough here.
    let spoilt = entries
        .iter()
        .take(SPOILT)
        .map(|entry| (entry, Variant::Refusal));
    let runs: Vec<_> = spoilt
        .chain(entries.iter().map(|entry| (entry, Variant::Main)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((entry, variant)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = match Duel::prepare(&corpus, entry, *variant) {
                        Err(reason) => Verdict::NotRun(reason),
                        Ok(duel) => duel
                            .compare(&sipp, &ours, &known)
                            .unwrap_or_else(|error| panic!("{}: {error}", entry.file)),
                    };
                    done.lock()
                        .expect("no worker panicked")
                        .push((&entry.file, variant, verdict));
                }
            });
        }
    });
    let done = done.into_inner().expect("no worker panicked");
    let ran = done
        .iter()
        .filter(|(_, _, verdict)| !matches!(verdict, Verdict::NotRun(_)));
    assert!(
        ran.count() * 10 >= runs.len() * 9,
        "most of the sample runs: {done:#?}"
    );
    let differ: Vec<_> = done
        .iter()
        .filter_map(|(file, variant, verdict)| match verdict {
            Verdict::Differs(text) => Some(format!("{file} ({})\n{text}", variant.name())),
            _ => None,
        })
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}
