// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary inputs over a built-in scenario, or one with several dialogs or an init section with commands; the first byte chooses it.
#![no_main]

use gossipper_compiler::{Options, compile};
use gossipper_stdlib_scenarios::all;
use std::sync::{Arc, LazyLock};

static PROGRAMS: LazyLock<Vec<Arc<gossipper_bytecode::Program>>> = LazyLock::new(|| {
    let builtins = all().iter().map(|builtin| (builtin.name, builtin.xml));
    let all = builtins.chain([
        ("dialogs", include_str!("../scenarios/dialogs.xml")),
        ("init", include_str!("../scenarios/init.xml")),
    ]);
    let compiled = all.map(|(name, xml)| {
        let program = compile(name, xml.as_bytes(), &Options::default()).program;
        Arc::new(program.expect("a scenario of ours compiles"))
    });
    compiled.collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((choice, inputs)) = data.split_first() {
        let program = &PROGRAMS[usize::from(*choice) % PROGRAMS.len()];
        gossipper_vm::fuzz::vm_inputs(program, inputs);
    }
});
