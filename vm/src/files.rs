// SPDX-License-Identifier: AGPL-3.0-only
//! Files whose paths depend on the call (`[file name="[$dir]/x.txt"]`).
//!
//! The machine reads none: the driver hands in who does, and answers for what that costs.

use crate::render::{Scene, Trouble};
use core::fmt;
use gossipper_bytecode::TemplateId;
use std::sync::Arc;

/// Longest path. No system opens a longer one.
pub const MAX_PATH: usize = 4096;

/// Hands out the contents of files.
///
/// It is asked for every message, by several threads at once: what was read before should be at hand.
pub trait ReadFile: Send + Sync {
    /// The content of a file. The path is not empty, holds no NUL, and is at most [`MAX_PATH`] bytes long.
    ///
    /// # Errors
    /// Why there is none, for people, without the path.
    fn read(&self, path: &[u8]) -> Result<Arc<[u8]>, String>;
}

/// Who hands out the contents of files. Equal to its clones only.
#[derive(Clone)]
pub struct FileSource(Arc<dyn ReadFile>);

impl FileSource {
    /// Takes files from `reader`.
    #[must_use]
    pub fn new(reader: impl ReadFile + 'static) -> Self {
        Self(Arc::new(reader))
    }

    /// The content of the file that a rendered text names, or what is wrong with it.
    pub(crate) fn read(&self, path: &[u8]) -> Result<Arc<[u8]>, String> {
        let refuse = |why: &str| Err(format!("[file]: {why}"));
        if path.is_empty() {
            return refuse("the path is empty");
        }
        if path.len() > MAX_PATH {
            return refuse(&format!("the path is longer than {MAX_PATH} bytes"));
        }
        let shown = String::from_utf8_lossy(path);
        if path.contains(&0) {
            return refuse(&format!(
                "the path `{}` holds a NUL",
                shown.replace('\0', "\\0")
            ));
        }
        self.0
            .read(path)
            .or_else(|why| refuse(&format!("`{shown}`: {why}")))
    }
}

impl PartialEq for FileSource {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileSource")
    }
}

impl Scene<'_> {
    /// Prints the file whose path a text says.
    pub(crate) fn included_file(&mut self, path: TemplateId, out: &mut Vec<u8>) {
        let before = self.troubles.len();
        // Verified: the path nests no other such file. What is too large is cut, and too long for a path.
        let path = self.nested(path);
        let is_fatal = |trouble: &Trouble| matches!(trouble, Trouble::Fatal(_));
        // Linking checked that there is a source.
        let Some(files) = &self.image.params.files else {
            return;
        };
        // What has gone wrong in the path is what the author must hear.
        if self.troubles[before..].iter().any(is_fatal) {
            return;
        }
        match files.read(&path) {
            Ok(content) => out.extend_from_slice(&content),
            Err(why) => self.troubles.push(Trouble::Fatal(why)),
        }
    }
}
