// SPDX-License-Identifier: AGPL-3.0-only
//! Injection files on disk: read before a run, written back after it.
//!
//! A file is read whole: mapped, it could be cut short by somebody else in the middle of a run, which no program
//! survives. What a file means is known to [`gossipper_vm::inject`].

use crate::flags::high::HiArgs;
use crate::flags::low::Dialect;
use crate::stdio;
use gossipper_vm::inject::{EditedFile, Form, InjectionFile, NotWritable, Order, base_name};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest file that is read; lines are found by 32-bit offsets.
const FILE_MAX: u64 = u32::MAX as u64;

/// What scenarios call a file.
pub(crate) fn name(path: &Path) -> String {
    base_name(&path.to_string_lossy()).to_owned()
}

/// How files are read.
pub(crate) const fn form(dialect: Dialect) -> Form {
    match dialect {
        Dialect::Sipp => Form::Sipp,
        Dialect::Gossipper => Form::Gossipper,
    }
}

/// Reads the files of `-inf` and says what may surprise in them.
///
/// # Errors
/// What is wrong with each file, in SIPp's words and in ours.
pub(crate) fn load(args: &HiArgs) -> Result<Vec<Arc<InjectionFile>>, Vec<(String, String)>> {
    let form = form(args.dialect);
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for (at, path) in args.injection.iter().enumerate() {
        let indexes = args.injection_indexes.iter().rev();
        let index = indexes
            .filter(|(file, _)| *file == at)
            .map(|(_, field)| *field)
            .next();
        match read(path, form, index) {
            Ok(file) => {
                note(path, &file, args.users);
                files.push(Arc::new(file));
            }
            Err(fault) => {
                let shown = path.display();
                let fault = format!("injection file `{shown}`: {fault}");
                let sipps = if !path.is_file() {
                    format!("Unable to open file {shown}")
                } else if fault.contains("SEQUENTIAL, RANDOM or USER") {
                    let name = name(path);
                    format!(
                        "Unknown file type (valid values are RANDOM, SEQUENTIAL, and USER) for {name}"
                    )
                } else {
                    fault.clone()
                };
                faults.push((sipps, fault));
            }
        }
    }
    if faults.is_empty() {
        Ok(files)
    } else {
        Err(faults)
    }
}

/// Reads one file.
pub(crate) fn read(path: &Path, form: Form, index: Option<u32>) -> Result<InjectionFile, String> {
    let words = |error: std::io::Error| format!("cannot read it: {error}");
    let opened = File::open(path).map_err(words)?;
    // One byte more, so that the end is seen without growing.
    let size = opened.metadata().map_err(words)?.len().min(FILE_MAX) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    opened
        .take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(words)?;
    let file =
        InjectionFile::parse_as(form, name(path), bytes).map_err(|error| error.to_string())?;
    match index {
        Some(field) => file.indexed(field).map_err(|error| error.to_string()),
        None => Ok(file),
    }
}

fn note(path: &Path, file: &InjectionFile, users: Option<u32>) {
    let path = path.display();
    for hint in file.hints() {
        stdio::note(&format!("injection file `{path}`: {hint}"));
    }
    if file.order() == Order::User && users.is_none() {
        stdio::note(&format!(
            "injection file `{path}`: USER without -users: its fields are empty"
        ));
    }
}

/// Writes changed files back; false when one could not be, which was then said.
pub(crate) fn write_back(args: &HiArgs, edited: &[Result<EditedFile, NotWritable>]) -> bool {
    let mut all = true;
    for file in edited {
        let written = match file {
            Ok(file) => write(args, file),
            Err(error) => Err(error.to_string()),
        };
        if let Err(fault) = written {
            stdio::error(&format!("injection file not written back: {fault}"));
            all = false;
        }
    }
    all
}

fn write(args: &HiArgs, file: &EditedFile) -> Result<(), String> {
    let mut paths = args.injection.iter();
    let path = paths
        .find(|path| name(path) == file.name)
        .ok_or_else(|| format!("`{}` was not given", file.name))?;
    replace(path, &file.bytes).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Writes a file that may be there already or not, as [`replace`] does.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if path.try_exists()? {
        return replace(path, bytes);
    }
    put(path, None, bytes)
}

/// Writes beside and renames, so that nobody ever sees half a file. A link stays a link.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    put(&path, Some(permissions), bytes)
}

fn put(path: &Path, permissions: Option<fs::Permissions>, bytes: &[u8]) -> std::io::Result<()> {
    let beside = beside(path);
    let written = (|| {
        let mut file = File::create_new(&beside)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // What is left of it is of no use; the error is about the file itself.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users.csv");
        fs::write(&path, "SEQUENTIAL\na\n").expect("write");
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        replace(&link, b"SEQUENTIAL\nb\n").expect("replace");
        assert_eq!(fs::read(&path).expect("read"), b"SEQUENTIAL\nb\n");
        assert!(
            fs::symlink_metadata(&link)
                .expect("there")
                .file_type()
                .is_symlink()
        );
        let left = fs::read_dir(folder.path()).expect("read").count();
        assert_eq!(left, 2, "nothing else is left behind");
    }

    #[test]
    fn a_file_that_vanished_is_not_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(replace(&folder.path().join("gone.csv"), b"x").is_err());
    }
}
