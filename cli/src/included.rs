// SPDX-License-Identifier: AGPL-3.0-only
//! Files that messages include: those whose paths are known are read before the run, the others when a message first
//! asks for them.

use gossipper_bytecode::{Program, TextRef};
use gossipper_vm::ReadFile;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Largest file that a message can include: a message has at most this size.
const MAX_BYTES: usize = 1 << 20;

/// Reads the files of a program whose paths are known.
///
/// # Errors
/// Says which one cannot be read, and why.
pub(crate) fn read_known(program: &Program) -> Result<Vec<Vec<u8>>, String> {
    let read = |path: &TextRef| {
        let path = program.display(*path);
        match std::fs::read(&path) {
            Ok(content) if content.len() <= MAX_BYTES => Ok(content),
            Ok(_) => Err(format!(
                "`{path}`, which the scenario includes, is larger than {MAX_BYTES} bytes"
            )),
            Err(error) => Err(format!("`{path}`, which the scenario includes: {error}")),
        }
    };
    program.includes.iter().map(read).collect()
}

/// Reads files when they are asked for, and keeps the latest: a call waits for the disk once per file, not per message.
#[derive(Debug)]
pub(crate) struct Files {
    kept: Mutex<Kept>,
    max_files: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<Arc<[u8]>, Arc<[u8]>>,
    /// Their paths, the first that was read in front.
    order: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self::bounded(1024, 64 << 20)
    }
}

impl Files {
    fn bounded(max_files: usize, max_bytes: usize) -> Self {
        Self {
            kept: Mutex::default(),
            max_files,
            max_bytes,
        }
    }

    /// Keeps a file, and drops those that were read first as far as there is no room.
    fn keep(&self, path: &[u8], content: &Arc<[u8]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let path: Arc<[u8]> = path.into();
        if kept.files.contains_key(&path) {
            // Somebody else was faster.
            return;
        }
        kept.bytes += content.len();
        kept.files.insert(Arc::clone(&path), Arc::clone(content));
        kept.order.push_back(path);
        while kept.files.len() > self.max_files || kept.bytes > self.max_bytes {
            let Some(first) = kept.order.pop_front() else {
                break;
            };
            if let Some(dropped) = kept.files.remove(&first) {
                kept.bytes -= dropped.len();
            }
        }
    }
}

impl ReadFile for Files {
    fn read(&self, path: &[u8]) -> Result<Arc<[u8]>, String> {
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(content) = kept.files.get(path) {
                return Ok(Arc::clone(content));
            }
        }
        // Not under the lock: who has his file at hand need not wait for the disk.
        let content: Arc<[u8]> = from_disk(&native(path))?.into();
        self.keep(path, &content);
        Ok(content)
    }
}

fn from_disk(path: &Path) -> Result<Vec<u8>, String> {
    let say = |error: std::io::Error| error.to_string();
    // A pipe or a device would make every call wait, perhaps for good.
    if !std::fs::metadata(path).map_err(say)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(say)?;
    let most = MAX_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut content).map_err(say)?;
    if content.len() > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    Ok(content)
}

#[cfg(unix)]
fn native(path: &[u8]) -> Cow<'_, Path> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(Path::new(std::ffi::OsStr::from_bytes(path)))
}

#[cfg(not(unix))]
fn native(path: &[u8]) -> Cow<'_, Path> {
    Cow::Owned(String::from_utf8_lossy(path).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self, name: &str) -> String {
            let path = self.0.path().join(name);
            path.to_str().expect("UTF-8").to_owned()
        }

        fn write(&self, name: &str, content: &[u8]) -> String {
            std::fs::write(self.path(name), content).expect("written");
            self.path(name)
        }
    }

    fn text(files: &Files, path: &str) -> Result<String, String> {
        let content = files.read(path.as_bytes())?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    #[test]
    fn a_file_is_read_once() {
        let place = Place::new();
        let files = Files::default();
        let path = place.write("a", b"first");
        assert_eq!(text(&files, &path).as_deref(), Ok("first"));
        place.write("a", b"second");
        assert_eq!(text(&files, &path).as_deref(), Ok("first"));
    }

    #[test]
    fn what_was_read_first_makes_room_for_files_and_bytes() {
        for files in [Files::bounded(2, 100), Files::bounded(100, 11)] {
            let place = Place::new();
            let paths = ["a", "b", "c"].map(|name| place.write(name, b"first"));
            for path in &paths {
                assert_eq!(text(&files, path).as_deref(), Ok("first"));
                std::fs::write(path, b"other").expect("written");
            }
            let again = [2, 1, 0].map(|at: usize| text(&files, &paths[at]).expect("there"));
            assert_eq!(again, ["first", "first", "other"]);
            let kept = files.kept.lock().expect("no panic");
            assert_eq!((kept.files.len(), kept.order.len(), kept.bytes), (2, 2, 10));
        }
    }

    #[test]
    fn a_file_larger_than_the_room_is_handed_out_and_not_kept() {
        let place = Place::new();
        let files = Files::bounded(2, 3);
        let path = place.write("a", b"long");
        assert_eq!(text(&files, &path).as_deref(), Ok("long"));
        let kept = files.kept.lock().expect("no panic");
        assert_eq!((kept.files.len(), kept.order.len(), kept.bytes), (0, 0, 0));
    }

    #[test]
    fn missing_files_folders_and_large_files_are_refused() {
        let place = Place::new();
        let files = Files::default();
        assert!(text(&files, &place.path("gone")).is_err());
        let folder = text(&files, &place.path(".")).expect_err("a folder");
        assert_eq!(folder, "it is no regular file");
        let most = place.write("most", &vec![b'x'; MAX_BYTES]);
        assert!(text(&files, &most).is_ok());
        let large = place.write("large", &vec![b'x'; MAX_BYTES + 1]);
        let refused = text(&files, &large).expect_err("large");
        assert!(refused.contains("larger than"), "{refused}");
        // Made smaller, it is fine: a failure is not kept.
        place.write("large", b"x");
        assert_eq!(text(&files, &large).as_deref(), Ok("x"));
    }
}
