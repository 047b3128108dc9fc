// SPDX-License-Identifier: AGPL-3.0-only
//! Compiled scenarios, kept between runs.
//!
//! An entry is named by a hash over everything that decides what the compiler says: the bytes and the name of the
//! file, the keywords and options, the compiler's version and the very program file that runs. So an entry is never
//! out of date, only unused; old ones are removed when there are many. The content is a `.gsc` program behind the
//! warnings of its compilation, so that a second run says what the first one said.
//!
//! Not to be relied on: every failure to read or write is silent and means compiling again. Nor trusted: an entry has
//! a checksum, and the program goes through the verifier like any other file.

use crate::version::VERSION;
use gossipper_bytecode::{Program, wire};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// First bytes of an entry.
const MAGIC: &[u8; 8] = b"gscache1";
/// Bytes of a SHA-256.
const SUM: usize = 32;
/// Largest entry that is read or written.
const ENTRY_MAX: usize = wire::MAX_PAYLOAD + (1 << 20);
/// Entries after which the oldest are removed.
const ENTRIES_MAX: usize = 512;
/// Entries that are left then.
const ENTRIES_KEPT: usize = 384;
/// After this time a half-written entry belongs to no running program.
const ABANDONED_AFTER: Duration = Duration::from_secs(3_600);

/// A folder of compiled scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// The name of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key(String);

/// What the compiler is asked, as far as it changes the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The file's name, as errors show it.
    pub(crate) name: &'a str,
    /// Its content.
    pub(crate) bytes: &'a [u8],
    /// `-key` pairs.
    pub(crate) keys: &'a [(String, String)],
    /// Base names of the injection files.
    pub(crate) injection: &'a [String],
    /// `-strict`.
    pub(crate) strict: bool,
}

/// What an earlier run left.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The program, verified.
    pub(crate) program: Program,
    /// The warnings of its compilation, as they were printed.
    pub(crate) warnings: String,
}

impl Cache {
    /// The user's cache, unless `GOSSIPPER_NO_CACHE` is set or there is no place for one.
    pub(crate) fn of_user() -> Option<Self> {
        Self::from_env(|name| std::env::var_os(name))
    }

    fn from_env(env: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        if set("GOSSIPPER_NO_CACHE").is_some_and(|value| value != "0") {
            return None;
        }
        // A relative XDG_CACHE_HOME is to be ignored (XDG Base Directory Specification).
        let base = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))?;
        Some(Self::in_folder(base.join("gossipper")))
    }

    /// A cache in this folder; it is made when the first entry is.
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The name of the entry that answers the question.
    pub(crate) fn key(question: &Question<'_>) -> Key {
        let mut hash = Sha256::new();
        // Each part is preceded by its length, so that no two questions run into one another.
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(VERSION.as_bytes());
        part(gossipper_compiler::COMPILER_VERSION.as_bytes());
        part(&wire::VERSION.to_le_bytes());
        part(&program_stamp());
        part(question.name.as_bytes());
        part(&[u8::from(question.strict)]);
        part(question.bytes);
        part(&(question.injection.len() as u64).to_le_bytes());
        for name in question.injection {
            part(name.as_bytes());
        }
        for (name, value) in question.keys {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        Key(hex(&hash.finalize()))
    }

    /// The entry of this name, if there is a sound one.
    pub(crate) fn load(&self, key: &Key) -> Option<Entry> {
        let file = fs::File::open(self.path(key)).ok()?;
        let mut bytes = Vec::new();
        file.take(ENTRY_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        decode(&bytes)
    }

    /// Keeps a program, and says whether that worked.
    pub(crate) fn store(&self, key: &Key, program: &Program, warnings: &str) -> bool {
        let kept = encode(program, warnings).is_some_and(|bytes| self.write(key, &bytes).is_ok());
        if kept {
            self.prune(SystemTime::now());
        }
        kept
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.gscache", key.0))
    }

    /// Writes beside and renames, so that a reader sees a whole entry or none.
    fn write(&self, key: &Key, bytes: &[u8]) -> std::io::Result<()> {
        make_private(&self.folder)?;
        let beside = self
            .folder
            .join(format!("{}.{}.tmp", key.0, std::process::id()));
        // Left over by a program that had the same id and died.
        drop(fs::remove_file(&beside));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&beside, self.path(key)));
        if written.is_err() {
            drop(fs::remove_file(&beside));
        }
        written
    }

    /// Removes the oldest entries when there are too many, and what was never finished. Files that are not ours stay.
    fn prune(&self, now: SystemTime) {
        let Ok(listing) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for file in listing.flatten() {
            let path = file.path();
            let Ok(changed) = file.metadata().and_then(|meta| meta.modified()) else {
                continue;
            };
            let ours = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| {
                    name.len() > 2 * SUM
                        && name.as_bytes()[..2 * SUM].iter().all(u8::is_ascii_hexdigit)
                });
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("gscache") if ours => entries.push((changed, path)),
                Some("tmp")
                    if ours
                        && now
                            .duration_since(changed)
                            .is_ok_and(|age| age > ABANDONED_AFTER) =>
                {
                    drop(fs::remove_file(path));
                }
                _ => {}
            }
        }
        if entries.len() > ENTRIES_MAX {
            entries.sort();
            for (_, path) in &entries[..entries.len() - ENTRIES_KEPT] {
                drop(fs::remove_file(path));
            }
        }
    }
}

/// Size and time of the program file: another build is another compiler, whatever its version says.
fn program_stamp() -> Vec<u8> {
    let stamp = || {
        let meta = fs::metadata(std::env::current_exe().ok()?).ok()?;
        let age = meta
            .modified()
            .ok()?
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()?;
        Some(
            [
                meta.len().to_le_bytes(),
                (age.as_nanos() as u64).to_le_bytes(),
            ]
            .concat(),
        )
    };
    stamp().unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the folder, for its owner only.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn encode(program: &Program, warnings: &str) -> Option<Vec<u8>> {
    let program = program.to_gsc_bytes().ok()?;
    let length = u32::try_from(warnings.len()).ok()?;
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + warnings.len() + program.len() + SUM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(warnings.as_bytes());
    bytes.extend_from_slice(&program);
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    (bytes.len() <= ENTRY_MAX).then_some(bytes)
}

fn decode(bytes: &[u8]) -> Option<Entry> {
    let (content, sum) = bytes.split_last_chunk::<SUM>()?;
    if Sha256::digest(content)[..] != sum[..] {
        return None;
    }
    let (length, rest) = content.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (warnings, program) = rest.split_at_checked(length)?;
    Some(Entry {
        program: Program::from_gsc_bytes(program).ok()?,
        warnings: String::from_utf8(warnings.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        let uac = gossipper_stdlib_scenarios::find("uac").expect("built in");
        gossipper_compiler::compile(
            "uac.xml",
            uac.xml.as_bytes(),
            &gossipper_compiler::Options::default(),
        )
        .program
        .expect("uac compiles")
    }

    fn question<'a>(bytes: &'a [u8], keys: &'a [(String, String)]) -> Question<'a> {
        Question {
            name: "a.xml",
            bytes,
            keys,
            injection: &[],
            strict: false,
        }
    }

    #[test]
    fn what_is_stored_is_loaded_with_its_warnings() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::in_folder(folder.path().join("deep/er"));
        let key = Cache::key(&question(b"<scenario/>", &[]));
        assert!(cache.load(&key).is_none());
        assert!(cache.store(&key, &program(), "warning: x\n"));
        let entry = cache.load(&key).expect("stored");
        assert_eq!(entry.program, program());
        assert_eq!(entry.warnings, "warning: x\n");
    }

    #[test]
    fn every_part_of_the_question_changes_the_key() {
        let one = [("k".to_owned(), "v".to_owned())];
        let other = [("kv".to_owned(), String::new())];
        let files = ["a.csv".to_owned()];
        let plain = question(b"x", &[]);
        let keys = [
            Cache::key(&plain),
            Cache::key(&question(b"y", &[])),
            Cache::key(&question(b"x", &one)),
            Cache::key(&question(b"x", &other)),
            Cache::key(&Question {
                name: "b.xml",
                ..plain
            }),
            Cache::key(&Question {
                injection: &files,
                ..plain
            }),
            Cache::key(&Question {
                strict: true,
                ..plain
            }),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{i}");
        }
        assert_eq!(keys[0], Cache::key(&plain));
    }

    #[test]
    fn any_damage_means_there_is_no_entry() {
        let whole = encode(&program(), "w").expect("small");
        assert!(decode(&whole).is_some());
        for at in (0..whole.len()).step_by(7) {
            let mut broken = whole.clone();
            broken[at] ^= 0x40;
            assert!(decode(&broken).is_none(), "byte {at}");
            assert!(decode(&whole[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn the_folder_comes_from_the_environment() {
        let folder = |pairs: &[(&str, &str)]| {
            Cache::from_env(|name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            })
            .map(|cache| cache.folder)
        };
        assert_eq!(
            folder(&[("HOME", "/h")]),
            Some("/h/.cache/gossipper".into())
        );
        assert_eq!(
            folder(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]),
            Some("/c/gossipper".into())
        );
        assert_eq!(
            folder(&[("HOME", "/h"), ("XDG_CACHE_HOME", "c")]),
            Some("/h/.cache/gossipper".into())
        );
        assert_eq!(folder(&[("HOME", "/h"), ("GOSSIPPER_NO_CACHE", "1")]), None);
        assert_eq!(
            folder(&[("HOME", "/h"), ("GOSSIPPER_NO_CACHE", "0")]),
            Some("/h/.cache/gossipper".into())
        );
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn old_entries_make_room_and_foreign_files_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::in_folder(folder.path().to_owned());
        for n in 0..=ENTRIES_MAX {
            fs::write(folder.path().join(format!("{n:064x}.gscache")), b"").expect("written");
        }
        fs::write(folder.path().join("mine.gscache"), b"").expect("written");
        cache.prune(SystemTime::now());
        let left = fs::read_dir(folder.path()).expect("listed").count();
        assert_eq!(left, ENTRIES_KEPT + 1);
        assert!(folder.path().join("mine.gscache").exists());
    }
}
