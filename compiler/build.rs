// SPDX-License-Identifier: AGPL-3.0-only
//! Generates the parsers of `src/grammar/*.lalrpop`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    lalrpop::Configuration::new()
        .use_cargo_dir_conventions()
        .emit_rerun_directives(true)
        .process()
}
