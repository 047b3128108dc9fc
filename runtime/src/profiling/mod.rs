// SPDX-License-Identifier: AGPL-3.0-only
//! Profiles of the program itself: where its processor time goes, and what it allocates (`-pprof`, `-cpuprofile`,
//! `-memprofile`).
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | taking a profile |
//! | `symbols` | addresses as names of functions, with file and line where the binary tells |
//! | `proto` | the form that `pprof` reads |
//!
//! Samples are taken by [`crate::sys::sampler`] and [`crate::sys::heap`]. Who asks for no profile pays for a look at a flag per
//! allocation, and for nothing else.

mod proto;
mod symbols;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sys::heap;
use crate::sys::sampler::{PERIOD, Sampler};

/// How often samples are taken out of their table.
const DRAIN: Duration = Duration::from_millis(100);

/// Stacks that are told apart; samples of others are counted as lost.
const MAX_STACKS: usize = 1 << 17;

/// What a column of a profile counts, and in what.
pub(crate) type Column = (&'static str, &'static str);

/// Samples with their stacks.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    columns: Vec<Column>,
    /// The column that is shown unless another is asked for.
    default: usize,
    /// What a sample stands for.
    period: (Column, i64),
    began_unix_ns: u64,
    lasted: Duration,
    /// Stacks from the innermost frame on, with a figure for each column.
    samples: Vec<(Box<[usize]>, Vec<i64>)>,
    lost: u64,
}

impl Profile {
    /// In the form of `pprof`: a compressed message of `profile.proto`.
    #[must_use]
    pub fn to_pprof(&self) -> Vec<u8> {
        proto::encode(self)
    }

    /// A line per stack, from the outermost frame on, with the figure of the default column: what tools for flame graphs
    /// read.
    #[must_use]
    pub fn to_collapsed(&self) -> String {
        symbols::collapsed(self)
    }

    /// The same, with the first amount in bytes or time as the column that is shown: of memory, all that was allocated.
    #[must_use]
    pub fn of_all(mut self) -> Self {
        self.default = self.columns.len().min(2) - 1;
        self
    }

    /// Stacks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether nothing was sampled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Samples that found no room.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[derive(Debug, Default)]
struct Stop {
    now: Mutex<bool>,
    wake: Condvar,
}

/// Stacks and how often they were met, and samples that found no room.
type Counted = (HashMap<Box<[usize]>, i64>, u64);

/// Profiles the processor while it exists.
#[derive(Debug)]
pub struct CpuProfiler {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<Counted>>,
    began: Instant,
    began_unix_ns: u64,
}

impl CpuProfiler {
    /// Begins.
    ///
    /// # Errors
    /// When the processor is profiled already, the system has no way to, or no thread can be had.
    pub fn start() -> io::Result<Self> {
        let sampler = Sampler::start()?;
        let stop = Arc::new(Stop::default());
        let of_thread = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("profiler".into())
            .spawn(move || collect(&sampler, &of_thread))?;
        Ok(Self {
            stop,
            thread: Some(thread),
            began: Instant::now(),
            began_unix_ns: unix_ns(),
        })
    }

    /// Ends, and tells what was met.
    #[must_use]
    pub fn finish(mut self) -> Profile {
        let (stacks, lost) = self.end();
        let period = i64::try_from(PERIOD.as_nanos()).unwrap_or(i64::MAX);
        let samples = stacks
            .into_iter()
            .map(|(stack, count)| (stack, vec![count, count.saturating_mul(period)]));
        Profile {
            columns: vec![("samples", "count"), ("cpu", "nanoseconds")],
            default: 1,
            period: (("cpu", "nanoseconds"), period),
            began_unix_ns: self.began_unix_ns,
            lasted: self.began.elapsed(),
            samples: samples.collect(),
            lost,
        }
    }

    fn end(&mut self) -> Counted {
        *self.stop.now.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.wake.notify_all();
        let thread = self.thread.take();
        // One that panicked has nothing to tell.
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for CpuProfiler {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

fn collect(sampler: &Sampler, stop: &Stop) -> Counted {
    let mut counted = Counted::default();
    let mut over = false;
    while !over {
        let now = stop.now.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = stop.wake.wait_timeout_while(now, DRAIN, |now| !*now);
        over = *waited.unwrap_or_else(PoisonError::into_inner).0;
        let (stacks, lost) = &mut counted;
        let mut refused = 0;
        *lost += sampler.drain(|stack| {
            if let Some(count) = stacks.get_mut(stack) {
                *count += 1;
            } else if stacks.len() < MAX_STACKS {
                stacks.insert(stack.into(), 1);
            } else {
                refused += 1;
            }
        });
        *lost += refused;
    }
    counted
}

/// From now on allocations are sampled, if the program's allocator is a [`heap::Sampled`].
pub fn sample_heap() {
    heap::sample();
}

/// What was allocated since [`sample_heap`] and what of it is still there. `since` is when that was.
#[must_use]
pub fn heap_profile(since: Instant) -> Profile {
    let whole = |scaled: f64| scaled.round() as i64;
    let samples = heap::sites().into_iter().map(|site| {
        let figures = vec![
            whole(site.allocated),
            whole(site.allocated_bytes),
            whole(site.live).max(0),
            whole(site.live_bytes).max(0),
        ];
        (site.stack, figures)
    });
    let lasted = since.elapsed();
    Profile {
        columns: vec![
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ],
        default: 3,
        period: (
            ("space", "bytes"),
            i64::try_from(heap::RATE).unwrap_or(i64::MAX),
        ),
        began_unix_ns: unix_ns().saturating_sub(lasted.as_nanos() as u64),
        lasted,
        samples: samples.collect(),
        lost: 0,
    }
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // Until the year 2554.
    since.map_or(0, |since| since.as_nanos() as u64)
}
