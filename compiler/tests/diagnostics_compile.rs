// SPDX-License-Identifier: AGPL-3.0-only
//! Mistakes that only the phases behind the parser find: one per file in `testdata/diagnostics/compile/`, named after
//! it, compiled whole; text and JSON are snapshots beside it.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

use gossipper_compiler::diag::render::{Style, json, text};
use gossipper_compiler::{Options, compile};
use std::path::{Path, PathBuf};

#[test]
fn each_mistake_reads_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/diagnostics/compile");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("testdata/diagnostics/compile")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    assert!(files.len() >= 6, "found {files:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in files {
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let bytes = std::fs::read(&path).expect("readable");
        let options = Options {
            name: stem.clone().into_owned(),
            ..Options::default()
        };
        let compiled = compile(&format!("{stem}.xml"), &bytes, &options);
        assert!(
            compiled.diagnostics.iter().count() > 0,
            "{stem}: nothing found"
        );
        settings.bind(|| {
            let shown = text(&compiled.source, &compiled.diagnostics, Style::Plain);
            insta::assert_snapshot!(format!("{stem}.stderr"), shown);
            let shown = json(&compiled.source, &compiled.diagnostics);
            insta::assert_snapshot!(format!("{stem}.json"), shown);
        });
    }
}

#[test]
fn strict_refuses_what_is_otherwise_a_warning() {
    let xml = br#"<scenario><recv request="OPTIONS"/><recv response="200"/></scenario>"#;
    let lenient = compile("t.xml", xml, &Options::default());
    assert!(lenient.program.is_some());
    assert_eq!(lenient.diagnostics.warning_count(), 1);
    let options = Options {
        strict: true,
        ..Options::default()
    };
    let strict = compile("t.xml", xml, &options);
    assert!(strict.program.is_none());
    assert_eq!(strict.diagnostics.error_count(), 1);
}

#[test]
fn an_injection_file_that_is_not_there_is_told_once() {
    let line = "X: [field0 file=\"a.csv\" line=[$n]] [field1 file=\"a.csv\"] [field0]\n";
    let xml = format!(
        "<scenario><nop><action><assign assign_to=\"n\" value=\"1\"/></action></nop>\
         <send><![CDATA[\nOPTIONS sip:a SIP/2.0\n{}\n]]></send></scenario>",
        line.repeat(30)
    );
    let compiled = compile("t.xml", xml.as_bytes(), &Options::default());
    let codes: Vec<_> = compiled
        .diagnostics
        .iter()
        .map(|d| d.code.to_string())
        .collect();
    assert_eq!(codes, ["G0214", "G0214"], "one for the name, one for none");
    assert!(compiled.program.is_none());
}
