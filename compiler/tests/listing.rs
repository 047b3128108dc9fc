// SPDX-License-Identifier: AGPL-3.0-only
//! Listings of the built-in scenarios and of the small files in `testdata/scenarios`.

use gossipper_compiler::{Options, compile};
use gossipper_stdlib_scenarios as stdlib;

/// What the compiler rightly says about files that are as they should be.
const SAID: &[(&str, &[&str])] = &[
    // SIPp's flow of that name has a step that nothing leads to.
    ("branchc", &["G0521 nothing leads to this step"]),
];

fn listing(name: &str, xml: &str) -> String {
    let options = Options {
        name: name.to_owned(),
        ..Options::default()
    };
    let compiled = compile(&format!("{name}.xml"), xml.as_bytes(), &options);
    let found: Vec<_> = compiled
        .diagnostics
        .iter()
        .map(|d| format!("{} {}", d.code, d.message))
        .collect();
    let expected = SAID
        .iter()
        .find(|(file, _)| *file == name)
        .map_or(&[][..], |(_, said)| *said);
    assert_eq!(found, expected, "{name}");
    compiled
        .program
        .expect("no errors, so a program")
        .listing()
}

#[test]
fn built_ins_compile() {
    for builtin in stdlib::all() {
        insta::assert_snapshot!(builtin.name, listing(builtin.name, builtin.xml));
    }
}
