// SPDX-License-Identifier: AGPL-3.0-only
//! Each page of `gossipper explain` keeps its word: the bad example has the fault at the place it marks and no other
//! than those listed, the good one has none.

use gossipper_compiler::diag::codes::{self, Entry};
use gossipper_compiler::diag::{Diagnostics, Severity};
use gossipper_compiler::{Options, compile};

fn found(entry: &Entry, xml: &str) -> Diagnostics {
    let options = Options {
        name: "example".to_owned(),
        advise: entry.severity() == Severity::Advice,
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
fn every_bad_example_has_its_fault_where_it_says_and_no_good_one_has() {
    let mut examples = 0;
    let mut wrong = Vec::new();
    for entry in codes::all() {
        let Some(example) = entry.example else {
            continue;
        };
        examples += 1;
        let bad = example.bad();
        let diagnostics = found(entry, &bad.text);
        let own = diagnostics.iter().find(|d| d.code == entry.code);
        let place = own.map(|d| d.primary.start as usize..d.primary.end as usize);
        if place.is_none() || place != bad.place {
            let shown = place.map(|place| (place.clone(), bad.text.get(place).map(str::to_owned)));
            wrong.push(format!(
                "{}: found at {shown:?}, marked {:?}",
                entry.code, bad.place
            ));
        }
        let others: Vec<_> = diagnostics
            .iter()
            .filter(|d| d.code != entry.code && !example.also().contains(&d.code))
            .map(|d| format!("{} {}", d.code, d.message))
            .collect();
        if !others.is_empty() {
            wrong.push(format!(
                "{}: the bad example has more: {others:?}",
                entry.code
            ));
        }
        for also in example.also() {
            if !diagnostics.iter().any(|d| d.code == *also) {
                wrong.push(format!("{}: the bad example has no {also}", entry.code));
            }
        }
        let good = found(entry, &example.good());
        let left: Vec<_> = good
            .iter()
            .filter(|d| d.code == entry.code || d.severity == Severity::Error)
            .map(|d| format!("{} {}", d.code, d.message))
            .collect();
        if !left.is_empty() {
            wrong.push(format!("{}: the good example has {left:?}", entry.code));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(examples > 130, "only {examples} examples");
}

#[test]
fn a_page_says_all_there_is_to_say() {
    let page = codes::find("G0603").expect("exists").page();
    assert!(
        page.starts_with("G0603 (warning): CSeq names another method"),
        "{page}"
    );
    assert!(page.contains("\nWhat to do: Write the method"), "{page}");
    assert!(page.contains("\nSIPp sends the message"), "{page}");
    assert!(
        page.contains("    CSeq: 2 INVITE\n            ^^^^^^\n"),
        "{page}"
    );
    assert!(page.contains("`...` stands for"), "{page}");
}
