// SPDX-License-Identifier: AGPL-3.0-only
//! Every scenario of the corpus against its mirror, in SIPp and in our tool; a table of what came of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use gossipper_testkit::mirror::Variant;
use gossipper_testkit::mirror::corpus::{Entry, folder, scenarios};
use gossipper_testkit::mirror::known::Known;
use gossipper_testkit::mirror::run::{Duel, Verdict};
use gossipper_testkit::sipp::Tool;

/// Scenarios under way at a time: they spend most of their time waiting.
const WORKERS: usize = 4;

/// What the command line says.
struct Options {
    filter: String,
    report: Option<PathBuf>,
    show: bool,
    variant: Variant,
}

/// Runs the task.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let options = options(arguments)?;
    let corpus = folder(&crate::root()).context("no corpus: set GOSSIPPER_CORPUS")?;
    let mut entries = scenarios(&corpus).map_err(|error| anyhow!(error))?;
    entries.retain(|entry| entry.file.contains(&options.filter));
    if options.show {
        return show(&corpus, &entries, options.variant);
    }
    let setup = Setup {
        corpus,
        sipp: Tool::sipp().context("no SIPp")?,
        ours: Tool::gossipper(binary()?),
        known: Known::load(&crate::root()).map_err(|error| anyhow!(error))?,
        variant: options.variant,
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = setup.verdict(entry);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((entry.file.clone(), verdict));
                    let (file, (verdict, _)) = &done[done.len() - 1];
                    println!("{}/{} {file}: {verdict:.1500?}", done.len(), entries.len());
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort();
    println!("{}", summary(&done));
    if let Some(path) = options.report {
        std::fs::write(&path, report(&done)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn options(arguments: &[&str]) -> Result<Options> {
    let mut options = Options {
        filter: String::new(),
        report: None,
        show: false,
        variant: Variant::Main,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--filter" => options.filter = rest.next().context("--filter TEXT")?.to_string(),
            "--report" => options.report = Some(rest.next().context("--report FILE")?.into()),
            "--show" => options.show = true,
            "--variant" => {
                let name = rest.next().context("--variant NAME")?;
                let known = Variant::ALL
                    .into_iter()
                    .find(|variant| variant.name() == *name);
                options.variant = known.context("variants: main, optional, refusal")?;
            }
            other => bail!("what is {other}?"),
        }
    }
    Ok(options)
}

/// Prints the mirrors.
fn show(corpus: &std::path::Path, entries: &[Entry], variant: Variant) -> Result<()> {
    for entry in entries {
        println!("{}", entry.file);
        match Duel::prepare(corpus, entry, variant) {
            Ok(duel) => println!(
                "{}",
                std::fs::read_to_string(duel.folder().join("mirror.xml"))?
            ),
            Err(reason) => println!("{reason}"),
        }
    }
    Ok(())
}

/// Our binary, built from the sources as they are.
fn binary() -> Result<PathBuf> {
    let root = crate::root();
    let status = Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "gossipper-cli"])
        .current_dir(&root)
        .status()?;
    if !status.success() {
        bail!("our binary does not build");
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("debug/gossipper").canonicalize()?)
}

type Done = (String, (Verdict, usize));

/// What every scenario is run with.
struct Setup {
    corpus: PathBuf,
    sipp: Tool,
    ours: Tool,
    known: Vec<Known>,
    variant: Variant,
}

impl Setup {
    fn verdict(&self, entry: &Entry) -> (Verdict, usize) {
        match Duel::prepare(&self.corpus, entry, self.variant) {
            Err(reason) => (Verdict::NotRun(reason), 0),
            Ok(duel) => {
                let verdict = duel.compare(&self.sipp, &self.ours, &self.known);
                let verdict = verdict.unwrap_or_else(|error| Verdict::NotRun(error.to_string()));
                (verdict, duel.media_actions)
            }
        }
    }
}

fn summary(done: &[Done]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, (verdict, _)) in done {
        let class = match verdict {
            Verdict::Agreed => "agreed".to_owned(),
            Verdict::AgreedInFailure(reason) => format!("agreed in failure: {reason}"),
            Verdict::Meant(reason) => format!("differs on purpose: {reason}"),
            Verdict::Differs(_) => "differs".to_owned(),
            Verdict::NotRun(reason) => format!("not run: {reason}"),
        };
        *counts.entry(class).or_default() += 1;
    }
    counts
        .iter()
        .fold(String::new(), |mut out, (class, count)| {
            let _ = writeln!(out, "{count:5}  {class}");
            out
        })
}

fn report(done: &[Done]) -> String {
    let mut out = String::from("| Scenario | Outcome |\n| --- | --- |\n");
    for (file, (verdict, media)) in done {
        let outcome = match verdict {
            Verdict::Agreed => "agreed".to_owned(),
            Verdict::AgreedInFailure(reason) => format!("agreed in failure: {reason}"),
            Verdict::Meant(reason) => format!("differs on purpose: {reason}"),
            Verdict::Differs(text) => {
                format!("differs: {}", text.lines().next().unwrap_or_default())
            }
            Verdict::NotRun(reason) => format!("not run: {reason}"),
        };
        let media = if *media > 0 {
            " (media actions taken out)"
        } else {
            ""
        };
        let _ = writeln!(out, "| {file} | {outcome}{media} |");
    }
    out
}
