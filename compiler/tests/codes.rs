// SPDX-License-Identifier: AGPL-3.0-only
//! Each page of `gossipper explain` keeps its word: the bad example has the fault, the good one has none.

use gossipper_compiler::diag::{Diagnostics, codes};
use gossipper_compiler::{Options, compile};

fn found(xml: &str) -> Diagnostics {
    let options = Options {
        name: "example".to_owned(),
        ..Options::default()
    };
    let compiled = compile("example.xml", xml.as_bytes(), &options);
    assert_eq!(
        compiled.program.is_some(),
        !compiled.diagnostics.has_errors(),
        "{xml}"
    );
    compiled.diagnostics
}

#[test]
fn every_bad_example_has_its_fault_and_no_good_one_has() {
    let mut examples = 0;
    let mut wrong = Vec::new();
    for entry in codes::all() {
        let Some(example) = entry.example else {
            continue;
        };
        examples += 1;
        let bad = found(example.bad);
        if !bad.iter().any(|d| d.code == entry.code) {
            let codes: Vec<_> = bad.iter().map(|d| d.code.to_string()).collect();
            wrong.push(format!("{}: the bad example gives {codes:?}", entry.code));
        }
        let good = found(example.good);
        let clean = !good.iter().any(|d| d.code == entry.code) && !good.has_errors();
        if !clean {
            let codes: Vec<_> = good
                .iter()
                .map(|d| format!("{} {}", d.code, d.message))
                .collect();
            wrong.push(format!("{}: the good example gives {codes:?}", entry.code));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(examples > 80, "only {examples} examples");
}
