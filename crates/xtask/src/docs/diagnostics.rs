// SPDX-License-Identifier: AGPL-3.0-only
//! `docs/diagnostics.md`, from the registry of codes.

use super::{cell, header};
use gossipper_compiler::diag::codes;
use std::fmt::Write as _;

const INTRODUCTION: &str = r#"# Diagnostics

Whatever is wrong with a scenario, `gossipper compile FILE` says all of it at once, each finding with its place, the
reason and what to do. Every finding has a code; `gossipper explain G0213` prints what this page says about it,
`gossipper explain` lists the codes.

| Severity | Means | Shown |
| --- | --- | --- |
| error | the scenario does not compile | always |
| warning | it runs, but not as its author thinks | always; with `--strict` it is an error |
| advice | it runs, and much of what is in use does the same | with `--lint` (or `--pedantic`); never an error |

Lints (G06xx) speak of certainties: what a variable or an injected field may set right is not reported, what holds on some
paths only is not either, and a message without any header is taken for deliberate.

## For tools

`gossipper compile --format json FILE` prints one JSON object per finding and line on standard output, in the order of the
file. Keys are only ever added.

| Key | Value |
| --- | --- |
| `file` | the file as it was named |
| `line`, `col` | where it begins, both from 1, columns in characters |
| `offset` | the same in bytes of the file, from 0 |
| `end` | the place just past the last character: `line`, `col`, `offset` |
| `severity` | `error`, `warning` or `advice` |
| `code` | such as `G0213` |
| `message` | one line, lower case, without a full stop |
| `label` | what to print at the place, or null |
| `labels` | other places that take part: `line`, `col`, `offset`, `end`, `text` |
| `notes` | further facts, a list of texts |
| `help` | what to do, or null |
| `replacement` | a plain edit that repairs it, or null: `line`, `col`, `offset`, `end`, `text` |

At most 50 findings are printed, errors before warnings before advice; when some were left out, a last line says how many:
`{"file":"uac.xml","remaining":31}`. The exit code is 0 when every file compiled, else 1.

`gossipper explain --format json [CODE]` prints the pages below: `code`, `severity`, `title`, `explanation`, `remedy`,
`sipp`, and the scenarios `bad` and `good`, null where one would be larger than a page.

## All codes

"#;

/// The phases by the first digits of their codes.
const PHASES: &[(u16, &str)] = &[
    (0, "Reading the file"),
    (1, "Elements and attributes"),
    (2, "Messages and keywords"),
    (3, "Names"),
    (4, "Actions"),
    (5, "Flow"),
    (6, "Lints"),
    (7, "Twins"),
    (8, "Later versions"),
];

pub(super) fn text() -> String {
    let mut text = header("`compiler/src/diag/codes`");
    text.push_str(INTRODUCTION);
    text.push_str("| Code | Severity | What |\n| --- | --- | --- |\n");
    for entry in codes::all() {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            entry.code,
            entry.severity().word(),
            cell(entry.title)
        );
    }
    for (phase, title) in PHASES {
        let _ = write!(text, "\n## {title}\n");
        let own = codes::all().filter(|entry| entry.code.number() / 100 == *phase);
        for entry in own {
            let _ = write!(text, "\n{}", entry.markdown());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        let text = text();
        for entry in codes::all() {
            assert!(
                text.contains(&format!("\n### {}: ", entry.code)),
                "{}",
                entry.code
            );
        }
    }
}
