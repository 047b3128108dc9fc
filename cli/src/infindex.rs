// SPDX-License-Identifier: AGPL-3.0-only
//! `-infindex FILE FIELD` on its own: writes the index of an injection file beside it, for scripts.
//!
//! Not for runs: they build their index when they read the file, in less time than this one would take to read.

use crate::exit::ExitCode;
use crate::flags::low::LowArgs;
use crate::inject;
use crate::stdio;
use gossipper_vm::inject::Form;
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a reader of the file can rely on.
const SCHEMA: &str = "gossipper_infindex_v1";

/// Whether nothing but an index is asked for: no injection file that it could be for, and nobody to call.
pub(crate) fn is_meant(low: &LowArgs) -> bool {
    !low.injection_indexes.is_empty()
        && low.injection.is_empty()
        && low.remote.is_none()
        && low.scenario_file.is_none()
        && low.scenario_name.is_none()
        && !low.loopback
}

/// Writes the index and says where.
pub(crate) fn write(low: &LowArgs, form: Form) -> ExitCode {
    let done = match low.injection_indexes.as_slice() {
        [(file, field)] => index(Path::new(file), field, form),
        _ => Err("-infindex: one index at a time is written; give the flag once".to_owned()),
    };
    match done {
        Ok((path, entries)) => {
            stdio::out(&format!(
                "infindex generated: {} (entries={entries})\n",
                path.display()
            ));
            ExitCode::Good
        }
        Err(fault) => {
            stdio::error(&fault);
            ExitCode::Failed
        }
    }
}

/// Writes the index of a file; gives its path and how many texts it holds.
fn index(file: &Path, field: &str, form: Form) -> Result<(PathBuf, usize), String> {
    let number: u32 = field
        .parse()
        .map_err(|_| format!("-infindex: `{field}` is no number of a field"))?;
    let fault = |error: String| format!("injection file `{}`: {error}", file.display());
    let read = inject::read(file, form, None).map_err(fault)?;
    let mut lines = Map::new();
    read.each_key(number, |line, key| {
        // Of lines with the same text the last is found, as `lookup` does.
        lines.insert(readable(key), Value::from(line));
    })
    .map_err(|error| fault(error.to_string()))?;
    let entries = lines.len();
    let content = json!({
        "schema": SCHEMA,
        "file": inject::name(file),
        "field": number,
        "lines": read.count(),
        "entries": lines,
    });
    let mut name = OsString::from(file.file_name().unwrap_or_default());
    name.push(format!(".gossipper.idx.{number}.json"));
    let path = file.with_file_name(name);
    let mut bytes = serde_json::to_vec(&content).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    inject::write_new(&path, &bytes)
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    Ok((path, entries))
}

/// A text of any bytes, as UTF-8 where it is that, or else each byte as the letter of its number.
fn readable(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_names_the_last_line_of_each_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.csv");
        std::fs::write(&file, b"SEQUENTIAL\na;x\n# no line\nb;y\n\xe9;x\n").expect("written");
        let (path, entries) = index(&file, "1", Form::Sipp).expect("an index");
        assert_eq!(path, folder.path().join("users.csv.gossipper.idx.1.json"));
        assert_eq!(entries, 2);
        let content = std::fs::read_to_string(&path).expect("readable");
        let content: Value = serde_json::from_str(&content).expect("JSON");
        assert_eq!(
            content,
            json!({
                "schema": SCHEMA,
                "file": "users.csv",
                "field": 1,
                "lines": 3,
                "entries": { "x": 2, "y": 1 },
            })
        );
        // Again, in the place of the first; a field that no line has is empty in all.
        let (_, entries) = index(&file, "1", Form::Sipp).expect("an index");
        assert_eq!(entries, 2);
        let (path, entries) = index(&file, "0", Form::Sipp).expect("an index");
        assert_eq!(entries, 3);
        let content = std::fs::read_to_string(&path).expect("readable");
        assert!(content.contains("\"é\":2"), "{content}");
    }

    #[test]
    fn what_cannot_be_indexed_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("no.csv");
        let fault = index(&missing, "0", Form::Sipp).expect_err("not there");
        assert!(fault.contains("no.csv`: cannot read it"), "{fault}");
        let fault = index(&missing, "-1", Form::Sipp).expect_err("no number");
        assert_eq!(fault, "-infindex: `-1` is no number of a field");
    }
}
