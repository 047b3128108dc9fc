// SPDX-License-Identifier: AGPL-3.0-only
//! Where the scenarios are that others wrote.

use std::path::{Path, PathBuf};

/// The folder of the corpus, which is not part of the repository: `GOSSIPPER_CORPUS` names it, else it is looked for
/// beside the workspace. `None`, and a line that says so, where it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("GOSSIPPER_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
    };
    let found = folder.join("manifest.jsonl").is_file();
    if !found {
        #[expect(clippy::print_stderr, reason = "a skipped test is said aloud")]
        {
            eprintln!(
                "SKIPPED: no corpus in {}; set GOSSIPPER_CORPUS",
                folder.display()
            );
        }
    }
    found.then_some(folder)
}
