// SPDX-License-Identifier: AGPL-3.0-only
//! The pipeline, phase by phase.

use crate::ast::Step;
use crate::check::{self, Subject};
use crate::diag::codes::{flow, reader};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Graph;
use crate::needs::{Missing, Needs};
use crate::recv_set::Receives;
use crate::source::{SourceFile, Span};
use crate::template::{self, Keys};
use crate::{lower, parse, resolve};
use core::cell::RefCell;
use gossipper_bytecode::Program;

/// What a compilation depends on besides the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Every warning is an error.
    pub strict: bool,
    /// Advice is given too; it never refuses anything.
    pub advise: bool,
    /// `-key NAME VALUE`: keywords whose values are inserted as text.
    pub keys: Vec<(String, Vec<u8>)>,
    /// Base names of the injection files of `-inf`, the default one first.
    pub injection: Vec<String>,
    /// What to do about injection files and keywords of `-key` that are not given.
    pub missing: Missing,
    /// Name of the program: the file name without folder and `.xml`, or the built-in's name.
    pub name: String,
}

/// What a compilation gives.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program; `None` when there was an error.
    pub program: Option<Program>,
    /// Everything that was found.
    pub diagnostics: Diagnostics,
    /// What a run of it needs besides the file.
    pub needs: Needs,
    /// The file, for rendering the diagnostics.
    pub source: SourceFile,
}

/// Compiles a scenario file. `file_name` is only printed.
#[must_use]
pub fn compile(file_name: &str, bytes: &[u8], options: &Options) -> Compiled {
    let mut diagnostics = Diagnostics::new(options.strict).with_advice(options.advise);
    let needs = RefCell::new(Needs::default());
    let (source, program) = match SourceFile::new(file_name, bytes) {
        Ok(source) => {
            let program = phases(&source, options, &needs, &mut diagnostics);
            (source, program)
        }
        Err(error) => {
            let start = Span::new(0, 0);
            diagnostics.push(Diagnostic::error(
                reader::LIMIT_EXCEEDED,
                start,
                error.to_string(),
            ));
            (SourceFile::empty(file_name), None)
        }
    };
    Compiled {
        program,
        diagnostics,
        needs: needs.into_inner(),
        source,
    }
}

fn phases(
    source: &SourceFile,
    options: &Options,
    needs: &RefCell<Needs>,
    diagnostics: &mut Diagnostics,
) -> Option<Program> {
    // XML and attribute values.
    let scenario = parse::parse(source, diagnostics)?;
    let steps: Vec<&Step> = scenario.steps().collect();
    // Texts into literals and keywords.
    let keys = Keys::new(&options.keys)
        .with_files(&options.injection)
        .noting(options.missing, needs);
    let texts = template::read_all(&scenario, &keys, diagnostics);
    // Names into ids.
    let names = resolve::resolve(&scenario, &texts, diagnostics);
    // Rules that need the whole scenario, and hints.
    let receives = Receives::find(&steps);
    let graph = Graph::build(&steps, &names.labels);
    let subject = Subject {
        names: &names,
        scenario: &scenario,
        steps: &steps,
        texts: &texts,
        receives: &receives,
        graph: &graph,
        keys: &keys,
    };
    let regexes = check::check(&subject, diagnostics);
    needs.borrow_mut().of_steps(&steps);
    if diagnostics.has_errors() {
        return None;
    }
    // Ops and side tables.
    let input = lower::Input {
        source,
        name: &options.name,
        scenario: &scenario,
        steps: &steps,
        texts: &texts,
        names: &names,
        regexes: &regexes,
        receives: &receives,
        graph: &graph,
    };
    let draft = lower::lower(&input, diagnostics)?;
    // What the machine relies on.
    match draft.verify() {
        Ok(program) => Some(program),
        Err(error) => {
            let message = format!("the compiler made a program that cannot run: {error}");
            diagnostics.push(
                Diagnostic::error(flow::REFUSED_PROGRAM, scenario.span, message)
                    .help("please report this with the scenario file"),
            );
            None
        }
    }
}
