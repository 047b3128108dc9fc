// SPDX-License-Identifier: AGPL-3.0-only
//! Replays the seeds and the past failures of the fuzz targets that need compiler and machine together.
//!
//! The seeds of `draft_verify` are the built-in scenarios, compiled. When the file format changes they have to be
//! written again: `GOSSIPPER_BLESS=1 cargo test -p gossipper-testkit --test fuzz_replay`.

use gossipper_bytecode::Program;
use gossipper_bytecode::fuzz::seal;
use gossipper_stdlib_scenarios::{Builtin, Role, all};
use gossipper_testkit::pair::program;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of inputs in front of the program (see `gossipper_vm::fuzz::draft_verify`).
const INPUTS: usize = 64;

/// Inputs that bring a client's call through answers, timers, an unexpected request and an end.
const CLIENT: &[u8] = &[
    0, 1, 0, 0, 1, 0, 1, 1, 0, 3, 4, 40, 5, 200, 1, 1, 3, 4, 255, 1, 2, 3, 7, 2, 3, 0, 2, 7, 0,
];

/// Inputs that bring a server's call through an INVITE, an ACK, a repeated BYE, timers and an end.
const SERVER: &[u8] = &[
    3, 1, 0, 4, 20, 3, 1, 1, 3, 1, 2, 5, 100, 3, 1, 2, 3, 2, 0, 3, 2, 3, 4, 255, 7, 0,
];

/// A scenario with several dialogs.
const DIALOGS: &str = include_str!("../../../fuzz/scenarios/dialogs.xml");

/// Inputs that bring its call through answers of two dialogs, one that the peer begins, kept messages and timers.
const SEVERAL: &[u8] = &[
    0, 3, 2, 0, 1, 1, 1, 1, 0, 3, 3, 3, 0, 3, 2, 1, 4, 40, 1, 1, 3, 3, 66, 2, 3, 1, 4, 5, 200, 4,
    255, 7, 2, 7, 0,
];

/// A scenario whose init section exchanges commands.
const INIT: &str = include_str!("../../../fuzz/scenarios/init.xml");

/// Inputs that hand its command back twice, open a call, let an optional command lack and answer what follows.
const EXCHANGING: &[u8] = &[
    3, 0, 0, 7, 2, 2, 3, 7, 2, 0, 0, 7, 2, 0, 0, 0, 7, 2, 1, 0, 4, 6, 1, 0, 3, 0, 4, 6, 1, 1, 3, 0,
    4, 6,
];

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Hands every seed and every past failure of a target to its body; returns how many there were.
fn replay(target: &str, body: impl Fn(&[u8])) -> usize {
    let mut count = 0;
    for kind in ["corpus", "regressions"] {
        // A folder without files is not in the repository.
        let Ok(entries) = std::fs::read_dir(fuzz_folder().join(kind).join(target)) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            body(&std::fs::read(path).expect("a readable file"));
            count += 1;
        }
    }
    count
}

/// The scenarios of the targets: name, text and inputs that get somewhere.
fn scenarios() -> impl Iterator<Item = (&'static str, &'static str, &'static [u8])> {
    let builtins = all();
    let builtins = builtins
        .iter()
        .map(|builtin| (builtin.name, builtin.xml, inputs_of(builtin)));
    builtins.chain([("dialogs", DIALOGS, SEVERAL), ("init", INIT, EXCHANGING)])
}

/// Inputs that open a call by a command, answer what it sends, end one by a command, and hand on nothing at last.
const COMMANDED: &[u8] = &[
    7, 2, 9, 3, 1, 0, 1, 1, 0, 3, 7, 2, 9, 3, 4, 40, 1, 2, 3, 7, 2, 9, 3, 7, 2, 2, 3, 1, 3, 3, 7,
    2, 2, 2, 7, 4, 0, 7, 3, 3, 105, 58, 120,
];

/// Inputs that answer an INVITE and send the command that follows back.
const COMMANDING: &[u8] = &[
    0, 1, 0, 1, 1, 0, 3, 7, 2, 0, 0, 4, 40, 1, 2, 3, 0, 1, 3, 3, 7, 4, 0, 3, 1, 2, 7, 0,
];

fn inputs_of(builtin: &Builtin) -> &'static [u8] {
    match (builtin.name, builtin.role) {
        ("3pcc-C-A", _) => COMMANDING,
        ("3pcc-C-B", _) => COMMANDED,
        (_, Role::Client) => CLIENT,
        (_, Role::Server) => SERVER,
    }
}

#[test]
fn scenario_files_that_once_broke_the_compiler_do_not_any_more() {
    let count = replay("compile_xml", gossipper_compiler::fuzz::fuzz_compile);
    assert!(count > 0, "no seeds");
}

#[test]
fn compiled_files_that_once_broke_the_machine_do_not_any_more() {
    let count = replay("draft_verify", gossipper_vm::fuzz::draft_verify);
    assert!(count >= all().len(), "a seed for each built-in: {count}");
}

#[test]
fn inputs_that_once_broke_the_machine_do_not_any_more() {
    let programs: Vec<_> = scenarios()
        .map(|(name, xml, _)| program(name, xml))
        .collect();
    let count = replay("vm_inputs", |bytes| {
        if let Some((choice, inputs)) = bytes.split_first() {
            let program: &Arc<Program> = &programs[usize::from(*choice) % programs.len()];
            gossipper_vm::fuzz::vm_inputs(program, inputs);
        }
    });
    assert!(count >= all().len(), "a seed for each built-in: {count}");
}

#[test]
fn several_dialogs_and_commands_before_the_first_call_stand_whatever_comes() {
    for (name, xml) in [("dialogs", DIALOGS), ("init", INIT)] {
        let program = program(name, xml);
        for seed in 0..1000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let inputs: Vec<u8> = (0..400).map(|_| rng.u8(..)).collect();
            gossipper_vm::fuzz::vm_inputs(&program, &inputs);
        }
    }
}

#[test]
fn the_seeds_are_built_ins_that_get_past_the_decoder() {
    let bless = std::env::var_os("GOSSIPPER_BLESS").is_some();
    let header = seal(b"").len();
    for (index, (name, xml, inputs)) in scenarios().enumerate() {
        let compiled = fuzz_folder().join("corpus/draft_verify").join(name);
        let driven = fuzz_folder().join("corpus/vm_inputs").join(name);
        if bless {
            let file = program(name, xml).to_gsc_bytes().expect("a built-in fits");
            let mut seed = inputs.to_vec();
            seed.resize(INPUTS, 4);
            seed.extend_from_slice(&file[header..]);
            for path in [&compiled, &driven] {
                let folder = path.parent().expect("a folder");
                std::fs::create_dir_all(folder).expect("a folder to write to");
            }
            std::fs::write(&compiled, seed).expect("the seed can be written");
            let choice = u8::try_from(index).expect("few built-ins");
            let seed = [&[choice], inputs, inputs].concat();
            std::fs::write(&driven, seed).expect("the seed can be written");
        }
        let seed = std::fs::read(&compiled)
            .unwrap_or_else(|error| panic!("{}: {error}", compiled.display()));
        let decoded = Program::from_gsc_bytes(&seal(&seed[INPUTS..]));
        assert!(
            decoded.is_ok(),
            "{name}: {decoded:?}; write the seeds again with GOSSIPPER_BLESS=1",
        );
        assert!(driven.is_file(), "{} is missing", driven.display());
    }
}
