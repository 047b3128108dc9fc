// SPDX-License-Identifier: AGPL-3.0-only
//! One mistake per file in `testdata/diagnostics/`, named after it; its text and JSON are snapshots beside it.
//!
//! A file whose mistake only later phases find is compiled whole by the tests of those phases; here each file is
//! read as far as the AST.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

use gossipper_compiler::diag::Diagnostics;
use gossipper_compiler::diag::render::{Style, json, text};
use gossipper_compiler::parse::parse;
use gossipper_compiler::source::SourceFile;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/diagnostics")
}

#[test]
fn each_mistake_reads_as_recorded() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("testdata/diagnostics")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "found {files:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let source =
            SourceFile::new(&name, std::fs::read(&path).expect("readable")).expect("small");
        let mut diags = Diagnostics::new(false);
        parse(&source, &mut diags);
        assert!(diags.iter().count() > 0, "{name}: nothing found");
        let stem = name.trim_end_matches(".xml");
        settings.bind(|| {
            insta::assert_snapshot!(
                format!("{stem}.stderr"),
                text(&source, &diags, Style::Plain)
            );
            insta::assert_snapshot!(format!("{stem}.json"), json(&source, &diags));
        });
    }
}

#[test]
fn strict_turns_each_repair_into_an_error() {
    let source = SourceFile::new(
        "t.xml",
        &b"<scenario><recv request=\"A\", rrs=\"true\"/></scenario>"[..],
    )
    .expect("small");
    let mut lenient = Diagnostics::new(false);
    let mut strict = Diagnostics::new(true);
    assert_eq!(parse(&source, &mut lenient), parse(&source, &mut strict));
    assert_eq!((lenient.error_count(), lenient.warning_count()), (0, 1));
    assert_eq!((strict.error_count(), strict.warning_count()), (1, 0));
}
