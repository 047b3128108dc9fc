// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask docs`: the documents under `docs/` that are made from tables of the code.
//!
//! Each is a pure function from a table to text, so that a test can hold the committed file to it. `docs/flags.md`
//! is made the same way by the command line's own tests, next to its table.

mod diagnostics;
mod ops;
mod scenario;

use crate::root;
use anyhow::{Context as _, Result, bail};
use std::fs;

/// A generated document.
struct Document {
    /// Its file, from the root.
    path: &'static str,
    text: fn() -> String,
}

const DOCUMENTS: &[Document] = &[
    Document {
        path: "docs/bytecode.md",
        text: ops::text,
    },
    Document {
        path: "docs/diagnostics.md",
        text: diagnostics::text,
    },
    Document {
        path: "docs/scenario-reference.md",
        text: scenario::text,
    },
];

/// Writes every document.
pub(crate) fn write() -> Result<()> {
    for document in DOCUMENTS {
        let path = root().join(document.path);
        fs::write(&path, (document.text)()).with_context(|| document.path.to_owned())?;
        println!("wrote {}", document.path);
    }
    Ok(())
}

/// Fails when a document is not what its table says.
pub(crate) fn check() -> Result<()> {
    let mut stale = Vec::new();
    for document in DOCUMENTS {
        let committed = fs::read_to_string(root().join(document.path))
            .with_context(|| document.path.to_owned())?;
        if committed != (document.text)() {
            stale.push(document.path);
        }
    }
    if !stale.is_empty() {
        bail!("out of date: {}; run `cargo xtask docs`", stale.join(", "));
    }
    println!("up to date: {} documents", DOCUMENTS.len());
    Ok(())
}

/// Text for the cell of a table: a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The first line of every generated document, so that nobody edits it by hand.
fn header(table: &str) -> String {
    format!(
        "<!-- Made from {table} by `cargo xtask docs`; change the table, not this file. -->\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_documents_are_what_the_tables_say() {
        check().expect("run `cargo xtask docs`");
    }

    #[test]
    fn a_bar_does_not_end_a_cell() {
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
