// SPDX-License-Identifier: AGPL-3.0-only
//! Recordings on their way to the disk: one thread for all, and a queue with a bound.
//!
//! A recording that something is missing from, because the disk did not keep up, is counted. One that holds no sound is
//! removed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Parts that may wait for the disk: each is some kilobytes at most.
const MAX_WAITING: usize = 8192;

/// Bytes of the header of a file without sound.
const HEADER_BYTES: u64 = 44;

/// Longest name of a recording that is named after a Call-ID, without its ending.
const MAX_NAME: usize = 120;

/// A recording, unlike any other of the run.
pub(super) type RecordingId = u64;

#[derive(Debug)]
enum Part {
    Begin(RecordingId, PathBuf),
    Write(RecordingId, Option<u64>, Vec<u8>),
    End(RecordingId),
}

/// The thread; ends once nobody records any more.
#[derive(Debug)]
pub(crate) struct RecorderThread {
    handle: Option<JoinHandle<()>>,
    recorder: Recorder,
}

/// Hands parts to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    parts: SyncSender<Part>,
    next: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl RecorderThread {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let handle = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write(&receiver, &counted))?;
        Ok(Self {
            handle: Some(handle),
            recorder: Recorder {
                parts: sender,
                next: Arc::default(),
                lost,
            },
        })
    }

    pub(crate) fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Waits until everything is written. The shards have ended.
    pub(crate) fn finish(self) -> u64 {
        let Self { handle, recorder } = self;
        let lost = recorder.lost;
        drop(recorder.parts);
        if let Some(handle) = handle {
            // What it could not do it has counted.
            let _ = handle.join();
        }
        lost.load(Ordering::Relaxed)
    }
}

impl Recorder {
    /// Begins a recording.
    pub(super) fn begin(&self, path: PathBuf) -> RecordingId {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.hand_over(Part::Begin(id, path));
        id
    }

    /// Writes behind what was written, or over what stands at a place.
    pub(super) fn write(&self, id: RecordingId, at: Option<u64>, bytes: &[u8]) {
        self.hand_over(Part::Write(id, at, bytes.to_vec()));
    }

    pub(super) fn end(&self, id: RecordingId) {
        self.hand_over(Part::End(id));
    }

    /// Recordings that lack something so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn hand_over(&self, part: Part) {
        let ends = matches!(part, Part::End(_));
        if self.parts.try_send(part).is_err() {
            self.lost.fetch_add(u64::from(!ends), Ordering::Relaxed);
        }
    }
}

struct Open {
    file: File,
    path: PathBuf,
    end: u64,
}

fn write(parts: &Receiver<Part>, lost: &AtomicU64) {
    let mut open: HashMap<RecordingId, Open> = HashMap::new();
    let fail = || {
        lost.fetch_add(1, Ordering::Relaxed);
    };
    while let Ok(part) = parts.recv() {
        match part {
            Part::Begin(id, path) => match create(&path) {
                Ok(file) => {
                    let end = 0;
                    open.insert(id, Open { file, path, end });
                }
                Err(_) => fail(),
            },
            Part::Write(id, at, bytes) => {
                if let Some(recording) = open.get_mut(&id)
                    && recording.write(at, &bytes).is_err()
                {
                    fail();
                    open.remove(&id);
                }
            }
            Part::End(id) => {
                if let Some(recording) = open.remove(&id) {
                    recording.close();
                }
            }
        }
    }
    open.into_values().for_each(Open::close);
}

fn create(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(path)
}

impl Open {
    fn write(&mut self, at: Option<u64>, bytes: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(at.unwrap_or(self.end)))?;
        self.file.write_all(bytes)?;
        if at.is_none() {
            self.end += bytes.len() as u64;
        }
        Ok(())
    }

    fn close(self) {
        drop(self.file);
        if self.end <= HEADER_BYTES {
            // Nothing was heard. Whoever removed it before had the same in mind.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

/// The file that the call with this Call-ID is recorded in.
pub(super) fn file_of(folder: &Path, call_id: &[u8]) -> PathBuf {
    let safe = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(byte),
        _ => '_',
    };
    let name: String = call_id.iter().take(MAX_NAME).copied().map(safe).collect();
    folder.join(format!("{}.wav", name.trim_start_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_written_mended_and_kept_if_it_holds_something() {
        let folder = tempfile::tempdir().expect("a folder");
        let thread = RecorderThread::start().expect("a thread");
        let recorder = thread.recorder();
        let (full, empty) = (
            folder.path().join("a/full.wav"),
            folder.path().join("b.wav"),
        );
        let id = recorder.begin(full.clone());
        recorder.write(id, None, &[b'h'; 44]);
        recorder.write(id, None, b"sound");
        recorder.write(id, Some(4), b"12");
        recorder.write(id, None, b"!");
        recorder.end(id);
        let id = recorder.begin(empty.clone());
        recorder.write(id, None, &[b'h'; 44]);
        recorder.end(id);
        // A folder is no file.
        let lost = recorder.begin(folder.path().to_path_buf());
        recorder.end(lost);
        drop(recorder);
        assert_eq!(thread.finish(), 1);
        let written = std::fs::read(full).expect("it was written");
        assert_eq!(
            (&written[..6], &written[44..]),
            (&b"hhhh12"[..], &b"sound!"[..])
        );
        assert!(!empty.exists());
    }

    #[test]
    fn the_name_of_a_recording_leaves_its_folder_to_nobody() {
        let folder = Path::new("r");
        assert_eq!(file_of(folder, b"1-2@h"), folder.join("1-2_h.wav"));
        assert_eq!(file_of(folder, b"../../x/y"), folder.join("_.._x_y.wav"));
        let long = file_of(folder, &[b'a'; 500]);
        assert_eq!(long.file_name().map(|name| name.len()), Some(124));
    }
}
