// SPDX-License-Identifier: AGPL-3.0-only
//! Every built-in scenario compiles, and opens calls as its table says.

use gossipper_bytecode::Mode;
use gossipper_compiler::{Options, compile};
use gossipper_stdlib_scenarios::{Role, all};

/// branchc has a step that nothing leads to and a refusal without an ACK, since the flow it reproduces has them, and
/// element numbers are on the wire.
const MEANT: &[(&str, &str)] = &[("branchc", "G0521"), ("branchc", "G0610")];

#[test]
fn every_built_in_compiles_with_no_finding_but_those_meant() {
    for builtin in all() {
        let options = Options {
            name: builtin.name.to_owned(),
            ..Options::default()
        };
        let file_name = format!("{}.xml", builtin.name);
        let compiled = compile(&file_name, builtin.xml.as_bytes(), &options);
        let found: Vec<_> = compiled
            .diagnostics
            .iter()
            .map(|finding| (builtin.name, finding.code.to_string()))
            .collect();
        let meant: Vec<_> = MEANT
            .iter()
            .filter(|(name, _)| *name == builtin.name)
            .map(|(name, code)| (*name, (*code).to_owned()))
            .collect();
        assert_eq!(found, meant);
        let program = compiled.program.expect("a program");
        let mode = match builtin.role {
            Role::Client => Mode::Client,
            Role::Server => Mode::Server,
        };
        assert_eq!(program.mode, Some(mode), "{}", builtin.name);
    }
}
