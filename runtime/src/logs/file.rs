// SPDX-License-Identifier: AGPL-3.0-only
//! A trace file: buffered, rotated, bounded, and never a reason to stop.
//!
//! Records that cannot be written are counted, the first failure is kept for whoever reports it, and the file is tried
//! again: when there is room again, it says how many records are missing. What is counted as lost may have been written
//! in part.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{LogFileConfig, Ring};
use crate::error::Error;

/// Bytes collected before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// Names tried for a rotated file when the first is taken.
const NAMES: u32 = 1000;

/// What a file may grow to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// Rotation.
    pub(crate) ring: Option<Ring>,
    /// Bytes after which it is left as it is.
    pub(crate) max_bytes: Option<u64>,
}

/// What has become of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) written: u64,
    pub(crate) lost: u64,
}

#[derive(Debug)]
pub(crate) struct LogFile {
    config: LogFileConfig,
    bounds: Bounds,
    /// Stands at the beginning, and of a table (`true`) at the beginning of every rotated part.
    head: Vec<u8>,
    is_table: bool,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Records in the buffer.
    buffered: u64,
    /// Bytes in this part, those in the buffer included.
    bytes: u64,
    /// Bytes in all.
    total: u64,
    /// When this part was begun, in seconds since the epoch.
    opened_at: u64,
    /// Parts that are kept, oldest first.
    parts: VecDeque<PathBuf>,
    /// Records lost since the file last said so.
    unsaid: u64,
    tally: Tally,
    failure: Option<String>,
    /// Switched off: what comes is left out.
    off: bool,
    /// It was there before and is opened again: what follows comes behind what is in it.
    goes_on: bool,
}

impl LogFile {
    /// A file that is made at its first record.
    pub(crate) fn lazy(config: LogFileConfig, bounds: Bounds) -> Self {
        Self {
            config,
            bounds,
            head: Vec::new(),
            is_table: false,
            file: None,
            buffer: Vec::new(),
            buffered: 0,
            bytes: 0,
            total: 0,
            opened_at: 0,
            parts: VecDeque::new(),
            unsaid: 0,
            tally: Tally::default(),
            failure: None,
            off: false,
            goes_on: false,
        }
    }

    /// The same, switched off.
    pub(crate) fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Whether it takes records.
    pub(crate) fn is_on(&self) -> bool {
        !self.off
    }

    /// Switches it on or off. Off it is closed, on it is there at once.
    pub(crate) fn switch(&mut self, on: bool, wall_us: u64) {
        if self.off != on {
            return;
        }
        self.off = !on;
        if on {
            if let Err(error) = self.open_again(wall_us) {
                self.failed("open", &error);
            }
        } else {
            self.flush();
            self.goes_on |= self.file.take().is_some();
        }
    }

    /// Opens the file in the middle of a run.
    fn open_again(&mut self, wall_us: u64) -> io::Result<()> {
        let goes_on = std::mem::take(&mut self.goes_on);
        let bytes = self.bytes;
        let overwrite = !goes_on && (self.config.overwrite || self.total > 0);
        self.open(wall_us, overwrite)?;
        if goes_on {
            self.bytes += bytes;
        }
        Ok(())
    }

    /// Begins with a line that explains the others.
    pub(crate) fn with_head(mut self, head: impl Into<Vec<u8>>, is_table: bool) -> Self {
        self.head = head.into();
        self.is_table = is_table;
        self
    }

    /// Makes the file now.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn made(mut self, wall_us: u64) -> Result<Self, Error> {
        self.open(wall_us, self.config.overwrite)
            .map_err(|source| Error::LogFile {
                path: self.config.path.clone(),
                table: self.is_table,
                source,
            })?;
        Ok(self)
    }

    fn open(&mut self, wall_us: u64, overwrite: bool) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(!overwrite)
            .truncate(overwrite);
        let file = options.open(&self.config.path)?;
        self.file = Some(file);
        self.opened_at = wall_us / 1_000_000;
        self.bytes = 0;
        let first = self.total == 0;
        if first || self.is_table {
            self.append(&[&self.head.clone()]);
        }
        Ok(())
    }

    fn append(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.buffer.extend_from_slice(part);
            self.bytes += part.len() as u64;
            self.total += part.len() as u64;
        }
    }

    /// Adds a record.
    pub(crate) fn record(&mut self, wall_us: u64, parts: &[&[u8]]) {
        if self.off || self.bounds.max_bytes.is_some_and(|max| self.total > max) {
            return;
        }
        if self.file.is_none()
            && let Err(error) = self.open_again(wall_us)
        {
            self.failed("open", &error);
            self.lose(1);
            return;
        }
        self.append(parts);
        self.buffered += 1;
        if let Some(ring) = self.bounds.ring
            && self.bytes > ring.bytes
        {
            self.flush();
            self.turn(ring);
        } else if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    /// Counts records that never came here.
    pub(crate) fn lose(&mut self, records: u64) {
        if self.off {
            return;
        }
        self.tally.lost += records;
        self.unsaid += records;
    }

    /// Writes what has been collected.
    pub(crate) fn flush(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        let mut result = Ok(());
        if self.unsaid > 0 && !self.is_table {
            let why = match &self.failure {
                None => "the disk did not keep up",
                Some(_) => "the file could not be written",
            };
            let note = format!("{} records lost: {why}\n", self.unsaid);
            result = file.write_all(note.as_bytes());
        }
        if !self.buffer.is_empty() {
            result = result.and_then(|()| file.write_all(&self.buffer));
        }
        match result {
            Ok(()) => {
                self.tally.written += self.buffered;
                self.unsaid = 0;
            }
            Err(error) => {
                self.failed("write", &error);
                self.lose(self.buffered);
            }
        }
        self.buffer.clear();
        self.buffered = 0;
    }

    /// Puts the file aside and begins another.
    fn turn(&mut self, ring: Ring) {
        self.file = None;
        let result = if ring.files == 0 {
            std::fs::remove_file(&self.config.path)
        } else {
            self.put_aside()
        };
        if let Err(error) = result {
            self.failed("rotate", &error);
        }
        while self.parts.len() > ring.files
            && let Some(oldest) = self.parts.pop_front()
        {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(oldest);
        }
    }

    fn put_aside(&mut self) -> io::Result<()> {
        let mut name = self.config.part_stem.clone().into_os_string();
        name.push(format!("_{}", self.opened_at));
        let free = (0..NAMES).map(|number| {
            let mut name = name.clone();
            if number > 0 {
                name.push(format!(".{number}"));
            }
            name.push(".log");
            PathBuf::from(name)
        });
        let Some(part) = { free }.find(|path| !path.exists()) else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        std::fs::rename(&self.config.path, &part)?;
        self.parts.push_back(part);
        Ok(())
    }

    fn failed(&mut self, what: &str, error: &io::Error) {
        self.failure.get_or_insert_with(|| {
            format!("cannot {what} `{}`: {error}", self.config.path.display())
        });
    }

    /// What has become of the records so far, and the first failure.
    pub(crate) fn state(&self) -> (Tally, Option<&str>) {
        (self.tally, self.failure.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn config(folder: &Path) -> LogFileConfig {
        LogFileConfig {
            path: folder.join("uac_7_messages.log"),
            overwrite: true,
            part_stem: folder.join("uac_7_messages"),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| {
                let entry = entry.expect("an entry");
                entry.file_name().to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_ring_keeps_the_newest_parts_under_the_time_they_were_begun() {
        let folder = tempfile::tempdir().expect("a folder");
        let ring = Some(Ring {
            bytes: 25,
            files: 2,
        });
        let bounds = Bounds {
            ring,
            max_bytes: None,
        };
        let mut file = LogFile::lazy(config(folder.path()), bounds);
        for second in 0..7 {
            file.record(second * 1_000_000, &[b"0123456", b"890\n"]);
        }
        file.flush();
        // Three records make a part: two full parts and a rest.
        assert_eq!(
            names(folder.path()),
            [
                "uac_7_messages.log",
                "uac_7_messages_0.log",
                "uac_7_messages_3.log"
            ]
        );
        for second in 7..10 {
            file.record(second * 1_000_000, &[b"0123456890\n"]);
        }
        file.flush();
        assert_eq!(
            names(folder.path()),
            [
                "uac_7_messages.log",
                "uac_7_messages_3.log",
                "uac_7_messages_6.log"
            ]
        );
        assert_eq!(
            file.state().0,
            Tally {
                written: 10,
                lost: 0
            }
        );
    }

    #[test]
    fn parts_begun_in_one_second_get_different_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let ring = Some(Ring { bytes: 1, files: 9 });
        let bounds = Bounds {
            ring,
            max_bytes: None,
        };
        let mut file = LogFile::lazy(config(folder.path()), bounds);
        for _ in 0..3 {
            file.record(5_000_000, &[b"record\n"]);
        }
        assert_eq!(
            names(folder.path()),
            [
                "uac_7_messages_5.1.log",
                "uac_7_messages_5.2.log",
                "uac_7_messages_5.log"
            ]
        );
    }

    #[test]
    fn a_ring_of_no_parts_throws_the_old_ones_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds {
            ring: Some(Ring { bytes: 9, files: 0 }),
            max_bytes: None,
        };
        let mut file = LogFile::lazy(config(folder.path()), bounds)
            .with_head("head\n", true)
            .made(0)
            .expect("it opens");
        file.record(0, &[b"first\n"]);
        file.record(0, &[b"2\n"]);
        file.flush();
        assert_eq!(names(folder.path()), ["uac_7_messages.log"]);
        let text = std::fs::read_to_string(folder.path().join("uac_7_messages.log"));
        assert_eq!(
            text.expect("text"),
            "head\n2\n",
            "a table has its head again"
        );
    }

    #[test]
    fn a_bounded_file_ends_with_the_record_that_reached_the_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let bounds = Bounds {
            ring: None,
            max_bytes: Some(10),
        };
        let mut file = LogFile::lazy(config(folder.path()), bounds);
        for _ in 0..9 {
            file.record(0, &[b"1234567\n"]);
        }
        file.flush();
        let text = std::fs::read_to_string(folder.path().join("uac_7_messages.log"));
        assert_eq!(text.expect("text"), "1234567\n1234567\n");
        // Left out as asked is not lost.
        assert_eq!(
            file.state(),
            (
                Tally {
                    written: 2,
                    lost: 0
                },
                None
            )
        );
    }

    #[test]
    fn a_file_that_is_switched_off_and_on_again_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("uac_7_messages.log");
        std::fs::write(&path, "of yesterday\n").expect("a file");
        let mut file = LogFile::lazy(config(folder.path()), Bounds::default())
            .with_head("head\n", false)
            .off();
        file.record(0, &[b"nobody wants it\n"]);
        file.lose(1);
        file.switch(true, 0);
        file.record(0, &[b"1\n"]);
        file.switch(false, 0);
        file.record(0, &[b"nor this\n"]);
        // Whoever reads it meanwhile finds all of it.
        let text = std::fs::read_to_string(&path).expect("text");
        assert_eq!(text, "head\n1\n");
        file.switch(true, 0);
        file.switch(true, 0);
        file.record(0, &[b"2\n"]);
        file.flush();
        let text = std::fs::read_to_string(&path).expect("text");
        assert_eq!(text, "head\n1\n2\n");
        let tally = Tally {
            written: 2,
            lost: 0,
        };
        assert_eq!(file.state(), (tally, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_survived_said_once_and_counted() {
        let config = LogFileConfig {
            path: "/dev/full".into(),
            overwrite: false,
            part_stem: "/dev/full".into(),
        };
        let mut file = LogFile::lazy(config, Bounds::default());
        for _ in 0..3 {
            file.record(0, &[b"record\n"]);
        }
        file.flush();
        file.record(0, &[b"record\n"]);
        file.flush();
        let (tally, failure) = file.state();
        assert_eq!(
            tally,
            Tally {
                written: 0,
                lost: 4
            }
        );
        let failure = failure.expect("it failed");
        assert!(
            failure.starts_with("cannot write `/dev/full`: "),
            "{failure}"
        );
    }
}
