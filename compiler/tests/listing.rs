// SPDX-License-Identifier: AGPL-3.0-only
//! Listings of the built-in scenarios and of small files of the compiler's own in `testdata/listings`; and that the
//! scenarios which runs are compared with compile.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

use gossipper_compiler::{Missing, Options, compile};
use gossipper_stdlib_scenarios as stdlib;
use std::path::{Path, PathBuf};

/// What the compiler rightly says about files that are as they should be.
const SAID: &[(&str, &[&str])] = &[
    // SIPp's flow of that name has a step that nothing leads to.
    ("branchc", &["G0521 nothing leads to this step"]),
];

/// Injection files that the scenarios may name.
fn injection() -> Vec<String> {
    let names = [
        "injection_users.csv",
        "injection_numbers.csv",
        "lines_a.csv",
        "lines_b.csv",
        "lines_c.csv",
    ];
    names.map(str::to_owned).to_vec()
}

fn listing(name: &str, xml: &str) -> String {
    let options = Options {
        name: name.to_owned(),
        injection: injection(),
        ..Options::default()
    };
    let compiled = compile(&format!("{name}.xml"), xml.as_bytes(), &options);
    let found: Vec<_> = compiled
        .diagnostics
        .iter()
        // Parts of messages are enough for a listing; `lints.rs` looks at whole scenarios.
        .filter(|d| !(600..700).contains(&d.code.number()))
        .map(|d| format!("{} {}", d.code, d.message))
        .collect();
    let expected = SAID
        .iter()
        .find(|(file, _)| *file == name)
        .map_or(&[][..], |(_, said)| *said);
    assert_eq!(found, expected, "{name}");
    compiled.program.expect("no errors, so a program").listing()
}

#[test]
fn built_ins_compile() {
    for builtin in stdlib::all() {
        insta::assert_snapshot!(builtin.name, listing(builtin.name, builtin.xml));
    }
}

fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    let read = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        let xml = std::fs::read_to_string(path).expect("readable");
        (name.into_owned(), xml)
    };
    files.iter().map(read).collect()
}

#[test]
fn small_files_compile_to_what_is_recorded() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../testdata/listings");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, xml) in files("listings") {
        settings.bind(|| insta::assert_snapshot!(name.as_str(), listing(&name, &xml)));
    }
}

#[test]
fn scenarios_for_comparing_runs_compile() {
    for (name, xml) in files("scenarios") {
        let options = Options {
            name: name.clone(),
            missing: Missing::Warn,
            injection: injection(),
            ..Options::default()
        };
        let compiled = compile(&format!("{name}.xml"), xml.as_bytes(), &options);
        let errors: Vec<_> = compiled
            .diagnostics
            .iter()
            .filter(|d| d.severity == gossipper_compiler::diag::Severity::Error)
            .map(|d| (d.code.number(), d.message.as_str()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}
