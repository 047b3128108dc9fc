// SPDX-License-Identifier: AGPL-3.0-only
//! From a scenario's source to a verified program.
//!
//! A file is either XML, which is compiled (or found in the cache), or a `.gsc` program; its first bytes decide, not
//! its name. Built-ins are XML like any other and go the same way.

use crate::cache::{Cache, Question};
use crate::flags::high::Source;
use crate::words;
use gossipper_bytecode::Program;
use gossipper_compiler::diag::Severity;
use gossipper_compiler::diag::render::{self, Style};
use gossipper_compiler::source::MAX_SOURCE_BYTES;
use gossipper_compiler::{Compiled, Missing, Options};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file that is read: a `.gsc` program may be larger than any XML.
const FILE_MAX: u64 = {
    let program = gossipper_bytecode::wire::MAX_PAYLOAD as u64 + 4096;
    let source = MAX_SOURCE_BYTES as u64;
    if program > source { program } else { source }
};

/// A scenario before anything was done to it.
#[derive(Debug)]
pub(crate) struct Input {
    /// The name that errors show.
    pub(crate) file: String,
    /// The name of the program: log files are called after it.
    pub(crate) name: String,
    /// The content.
    pub(crate) bytes: Cow<'static, [u8]>,
}

/// How a scenario is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    /// `-key` pairs.
    pub(crate) keys: &'a [(String, String)],
    /// Base names of the injection files.
    pub(crate) injection: &'a [String],
    /// Warnings are errors.
    pub(crate) strict: bool,
    /// What to do about keys and injection files that are not given.
    pub(crate) missing: Missing,
    /// Advice is given too.
    pub(crate) advise: bool,
    /// How findings are rendered.
    pub(crate) style: Style,
}

/// A program and what is to be said about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The program.
    pub(crate) program: Program,
    /// Rendered warnings; empty when there are none.
    pub(crate) warnings: String,
}

/// Why a scenario cannot be used.
#[derive(Debug)]
pub(crate) struct NotLoaded {
    /// Everything that is wrong, rendered and ending with a line end.
    pub(crate) text: String,
    /// What SIPp says of the first fault.
    pub(crate) sipps_words: Option<String>,
    /// It neither sends nor receives, and nothing else is wrong.
    pub(crate) without_calls: bool,
}

impl Input {
    /// Reads a source.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn read(source: &Source) -> Result<Self, String> {
        match source {
            Source::Builtin(builtin) => Ok(Self {
                file: format!("{}.xml", builtin.name),
                name: builtin.name.to_owned(),
                bytes: Cow::Borrowed(builtin.xml.as_bytes()),
            }),
            Source::File(path) => Self::read_file(path),
        }
    }

    /// Reads a file, whole but bounded.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn read_file(path: &Path) -> Result<Self, String> {
        let file = path.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|opened| opened.take(FILE_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("cannot read scenario `{file}`: {error}"))?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(format!("scenario `{file}` is larger than {FILE_MAX} bytes"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name
            .strip_suffix(".xml")
            .or_else(|| name.strip_suffix(".gsc"))
            .unwrap_or(&name);
        Ok(Self {
            name: name.to_owned(),
            file,
            bytes: Cow::Owned(bytes),
        })
    }

    /// Whether it is a compiled program.
    pub(crate) fn is_gsc(&self) -> bool {
        Program::looks_like_gsc(&self.bytes)
    }

    /// Compiles it.
    pub(crate) fn compile(&self, how: How<'_>) -> Compiled {
        let options = Options {
            strict: how.strict,
            missing: how.missing,
            advise: how.advise,
            name: self.name.clone(),
            injection: how.injection.to_vec(),
            keys: how
                .keys
                .iter()
                .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
                .collect(),
        };
        gossipper_compiler::compile(&self.file, &self.bytes, &options)
    }

    /// Reads it as a compiled program.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn program(&self, how: How<'_>) -> Result<Program, String> {
        if !how.keys.is_empty() {
            return Err(format!(
                "`{}` is already compiled: give -key when compiling it, not when running it",
                self.file
            ));
        }
        Program::from_gsc_bytes(&self.bytes)
            .map_err(|error| format!("cannot use `{}`: {error}", self.file))
    }

    /// The program, from the cache when it is there.
    ///
    /// # Errors
    /// Everything that is wrong, rendered and ending with a line end.
    pub(crate) fn load(&self, how: How<'_>, cache: Option<&Cache>) -> Result<Loaded, NotLoaded> {
        if self.is_gsc() {
            return self
                .program(how)
                .map(|program| Loaded {
                    program,
                    warnings: String::new(),
                })
                .map_err(|error| NotLoaded {
                    text: format!("error: {error}\n"),
                    sipps_words: None,
                    without_calls: false,
                });
        }
        let cached = cache.map(|cache| {
            let question = Question {
                name: &self.file,
                bytes: &self.bytes,
                keys: how.keys,
                injection: how.injection,
                strict: how.strict,
            };
            (cache, Cache::key(&question))
        });
        if let Some((cache, key)) = &cached
            && let Some(entry) = cache.load(key)
        {
            return Ok(Loaded {
                program: entry.program,
                warnings: entry.warnings,
            });
        }
        let compiled = self.compile(how);
        let rendered = |style| render::text(&compiled.source, &compiled.diagnostics, style);
        let Some(program) = compiled.program else {
            let mut errors =
                (compiled.diagnostics.iter()).filter(|found| found.severity == Severity::Error);
            let first = errors.next();
            return Err(NotLoaded {
                text: rendered(how.style),
                sipps_words: first.map(|first| {
                    words::of_scenario(first, &self.file).unwrap_or_else(|| first.message.clone())
                }),
                without_calls: first.is_some_and(|first| first.code.to_string() == "G0520")
                    && errors.next().is_none(),
            });
        };
        if let Some((cache, key)) = &cached {
            // Kept without colour: the next run may write to a file.
            // Whether that worked shows in the next run only.
            let _: bool = cache.store(key, &program, &rendered(Style::Plain));
        }
        let warnings = rendered(how.style);
        Ok(Loaded { program, warnings })
    }
}
