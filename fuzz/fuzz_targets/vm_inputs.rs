// SPDX-License-Identifier: AGPL-3.0-only
//! Arbitrary inputs over a built-in scenario; the first byte chooses it.
#![no_main]

use gossipper_compiler::{Options, compile};
use gossipper_stdlib_scenarios::all;
use std::sync::{Arc, LazyLock};

static PROGRAMS: LazyLock<Vec<Arc<gossipper_bytecode::Program>>> = LazyLock::new(|| {
    let compiled = all().iter().map(|builtin| {
        let options = Options::default();
        let program = compile(builtin.name, builtin.xml.as_bytes(), &options).program;
        Arc::new(program.expect("a built-in scenario compiles"))
    });
    compiled.collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((choice, inputs)) = data.split_first() {
        let program = &PROGRAMS[usize::from(*choice) % PROGRAMS.len()];
        gossipper_vm::fuzz::vm_inputs(program, inputs);
    }
});
