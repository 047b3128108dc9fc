// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper report-html` and `gossipper summary-to-pdf`: reports of runs that are over.
//!
//! Both are made from the file that `-summary_json` wrote, and from nothing else. A PDF is made here, without a browser; of a
//! page, which may be of another tool or changed by hand, it is printed by the first Chromium or Chrome in PATH.

use crate::exit::ExitCode;
use crate::stdio;
use clap::Args;
use gossipper_results::{Summary, page};
use std::io::Read as _;
use std::path::{Path, PathBuf};

mod print;

/// The largest summary that is read: a run of a week has a few megabytes.
const MOST_BYTES: u64 = 256 << 20;

/// Flags that may be written with one dash too, as those of a run are.
pub(crate) const ONE_DASH: [&str; 3] = ["-in", "-out", "-compare"];

/// The arguments of `gossipper report-html`.
#[derive(Args, Debug)]
pub(crate) struct HtmlArgs {
    /// The summary, as -summary_json wrote it; `-` is standard input.
    #[arg(value_name = "JSON", required_unless_present = "input")]
    file: Option<PathBuf>,
    /// The same as the argument.
    #[arg(long = "in", value_name = "JSON", conflicts_with = "file")]
    input: Option<PathBuf>,
    /// The page; without it the name of the summary with .html.
    #[arg(short, long = "out", value_name = "HTML")]
    out: Option<PathBuf>,
    /// The summary of a run to compare with.
    #[arg(long, value_name = "JSON")]
    compare: Option<PathBuf>,
}

/// The arguments of `gossipper summary-to-pdf`.
#[derive(Args, Debug)]
pub(crate) struct PdfArgs {
    /// The summary, as -summary_json wrote it, or a page; `-` is standard input.
    #[arg(value_name = "JSON|HTML", required_unless_present = "input")]
    file: Option<PathBuf>,
    /// The same as the argument.
    #[arg(long = "in", value_name = "JSON|HTML", conflicts_with = "file")]
    input: Option<PathBuf>,
    /// The PDF; without it the name of the input with .pdf.
    #[arg(short, long = "out", value_name = "PDF")]
    out: Option<PathBuf>,
    /// The summary of a run to compare with.
    #[arg(long, value_name = "JSON")]
    compare: Option<PathBuf>,
}

/// What is read and what is written.
struct Files<'a> {
    input: &'a Path,
    out: PathBuf,
}

impl<'a> Files<'a> {
    fn of(
        file: Option<&'a PathBuf>,
        input: Option<&'a PathBuf>,
        out: Option<&PathBuf>,
        extension: &str,
    ) -> Result<Self, String> {
        let input = file.or(input).ok_or("no file is given")?;
        let out = match out {
            Some(out) => out.clone(),
            None if input.as_os_str() == "-" => {
                return Err(
                    "standard input has no name to make one of: -o says where to".to_owned(),
                );
            }
            None => input.with_extension(extension),
        };
        if out == *input {
            return Err(format!("`{}` would be written over itself", out.display()));
        }
        Ok(Self { input, out })
    }

    fn write(&self, bytes: &[u8]) -> Result<(), String> {
        std::fs::write(&self.out, bytes)
            .map_err(|error| format!("cannot write `{}`: {error}", self.out.display()))?;
        stdio::out(&format!("{}\n", self.out.display()));
        Ok(())
    }
}

/// Runs `gossipper report-html`.
pub(crate) fn html(args: &HtmlArgs) -> ExitCode {
    done((|| {
        let files = Files::of(
            args.file.as_ref(),
            args.input.as_ref(),
            args.out.as_ref(),
            "html",
        )?;
        let run = summary(files.input, &read(files.input)?)?;
        let other = compared(args.compare.as_deref())?;
        files.write(page::html(&run, other.as_ref()).as_bytes())
    })())
}

/// Runs `gossipper summary-to-pdf`.
pub(crate) fn pdf(args: &PdfArgs) -> ExitCode {
    done((|| {
        let files = Files::of(
            args.file.as_ref(),
            args.input.as_ref(),
            args.out.as_ref(),
            "pdf",
        )?;
        let text = read(files.input)?;
        let bytes = if is_page(&text) {
            if args.compare.is_some() {
                return Err(
                    "a page cannot be compared: give the summary that it was made from".to_owned(),
                );
            }
            print::pdf(&text)?
        } else {
            let run = summary(files.input, &text)?;
            page::pdf(&run, compared(args.compare.as_deref())?.as_ref())
        };
        files.write(&bytes)
    })())
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::Good,
        Err(fault) => {
            stdio::error(&fault);
            ExitCode::Failed
        }
    }
}

/// Markup begins with a bracket, JSON does not.
fn is_page(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('<')
}

fn read(path: &Path) -> Result<String, String> {
    let fault = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let reader: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(fault)?)
    };
    let mut text = String::new();
    reader
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(fault)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("`{}` is larger than any summary", path.display()));
    }
    Ok(text)
}

fn summary(path: &Path, text: &str) -> Result<Summary, String> {
    Summary::from_json(text).map_err(|fault| format!("`{}` is no summary: {fault}", path.display()))
}

fn compared(path: Option<&Path>) -> Result<Option<Summary>, String> {
    path.map(|path| summary(path, &read(path)?)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_the_name_of_its_input_unless_told_otherwise() {
        let input = PathBuf::from("a/run.json");
        let files = Files::of(Some(&input), None, None, "pdf").expect("named");
        assert_eq!(files.out, PathBuf::from("a/run.pdf"));
        let out = PathBuf::from("x");
        let files = Files::of(None, Some(&input), Some(&out), "pdf").expect("named");
        assert_eq!((files.input, files.out), (Path::new("a/run.json"), out));
        for same in ["-", "page.html"] {
            let same = PathBuf::from(same);
            assert!(Files::of(Some(&same), None, None, "html").is_err());
        }
    }

    #[test]
    fn pages_are_told_from_summaries() {
        assert!(is_page("\u{feff}\n <!DOCTYPE html>"));
        assert!(!is_page(" {\"schema_version\": \"<\"}"));
    }
}
