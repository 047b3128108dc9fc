// SPDX-License-Identifier: AGPL-3.0-only
//! Generates the parsers of `src/grammar/*.lalrpop`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The parser generator names the files that are there; a new one changes the folder.
    for folder in ["src/grammar", "src/template"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    lalrpop::Configuration::new()
        .use_cargo_dir_conventions()
        .emit_rerun_directives(true)
        .process()
}
