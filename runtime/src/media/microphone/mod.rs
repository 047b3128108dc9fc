// SPDX-License-Identifier: AGPL-3.0-only
//! Microphones: what is recorded of them, one recorder for each input of a run, however many streams play it.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | who listens, and what was heard last |
//! | `arecord` | the program that records, from its start to its end |
//!
//! A microphone lasts as long as somebody listens: the recorder is started for the first stream that plays it, and ended
//! behind the last one. Each has a thread, which reads what is recorded and puts it into a ring of a second. Shards look
//! there when a packet is due; nobody waits for anybody.

#[cfg(target_os = "linux")]
mod arecord;
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod arecord;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

use gossipper_media::feed::RATE;

use super::plan::locked;
pub(super) use arecord::find as find_recorder;

/// Samples that wait to be looked at.
const KEPT: usize = RATE as usize;

/// What a microphone is asked for as; the default device has none.
pub(super) type Name = Option<Box<str>>;

/// The microphones of a run.
#[derive(Debug, Default)]
pub(super) struct Microphones {
    known: Mutex<HashMap<Name, Known>>,
    /// The run is over.
    over: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Known {
    microphone: Weak<Microphone>,
    thread: JoinHandle<()>,
}

/// A microphone that somebody listens to.
#[derive(Debug, Default)]
pub(super) struct Microphone {
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The latest samples.
    samples: VecDeque<i16>,
    /// How many there have been.
    end: u64,
    /// Nothing more comes, and why.
    over: Option<String>,
}

impl Microphones {
    /// The microphone of a name; it is recorded from now on, unless it is already.
    pub(super) fn open(&self, name: &Name) -> Result<Arc<Microphone>, String> {
        let mut known = locked(&self.known);
        let before = known.remove(name);
        if let Some(there) = &before
            && let Some(microphone) = there.microphone.upgrade()
            && !microphone.is_over()
        {
            known.extend(before.map(|there| (name.clone(), there)));
            return Ok(microphone);
        }
        let microphone = Arc::new(Microphone::default());
        let listened = Arc::downgrade(&microphone);
        let (input, over) = (name.clone(), Arc::clone(&self.over));
        let thread = std::thread::Builder::new()
            .name("microphone".to_owned())
            .spawn(move || {
                // Devices are for one at a time: the one before is to have left it.
                if let Some(before) = before {
                    // It does nothing that panics.
                    let _ = before.thread.join();
                }
                record(input.as_deref(), &listened, &over);
            })
            .map_err(|error| format!("no thread can be started for the microphone: {error}"))?;
        let there = Known {
            microphone: Arc::downgrade(&microphone),
            thread,
        };
        known.insert(name.clone(), there);
        Ok(microphone)
    }
}

impl Drop for Microphones {
    /// Ends what still records, and waits until it has.
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for (_, known) in locked(&self.known).drain() {
            // It does nothing that panics.
            let _ = known.thread.join();
        }
    }
}

/// Records as long as somebody listens.
fn record(input: Option<&str>, microphone: &Weak<Microphone>, over: &AtomicBool) {
    let wanted = || !over.load(Ordering::Relaxed) && microphone.strong_count() > 0;
    let failed = arecord::run(input, wanted, |samples| {
        if let Some(microphone) = microphone.upgrade() {
            microphone.push(samples);
        }
    });
    if let (Err(why), Some(microphone)) = (failed, microphone.upgrade()) {
        locked(&microphone.heard).over = Some(why);
    }
}

impl Microphone {
    fn push(&self, samples: &[i16]) {
        let mut heard = locked(&self.heard);
        heard.samples.extend(samples);
        heard.end += samples.len() as u64;
        let surplus = heard.samples.len().saturating_sub(KEPT);
        heard.samples.drain(..surplus);
    }

    /// The place behind what was heard so far.
    pub(super) fn end(&self) -> u64 {
        locked(&self.heard).end
    }

    /// Puts what was heard from a place on in place of what is in `samples`, and moves the place behind it.
    pub(super) fn take(&self, from: &mut u64, samples: &mut Vec<i16>) {
        samples.clear();
        let heard = locked(&self.heard);
        let start = heard.end - heard.samples.len() as u64;
        // Within the ring.
        let first = from.saturating_sub(start).min(heard.end - start) as usize;
        samples.extend(heard.samples.range(first..));
        *from = heard.end;
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        locked(&self.heard).over.is_some()
    }

    /// Why nothing more comes.
    pub(super) fn failure(&self) -> Option<String> {
        locked(&self.heard).over.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_looks_at_is_forgotten_from_its_beginning() {
        let microphone = Microphone::default();
        let mut samples = vec![7; 3];
        let mut place = microphone.end();
        microphone.take(&mut place, &mut samples);
        assert_eq!((place, samples.len()), (0, 0));
        microphone.push(&[1, 2, 3]);
        microphone.take(&mut place, &mut samples);
        assert_eq!((place, &samples[..]), (3, &[1, 2, 3][..]));
        microphone.push(&[4]);
        microphone.take(&mut place, &mut samples);
        assert_eq!((place, &samples[..]), (4, &[4][..]));
        for value in 0..100 {
            microphone.push(&[value; 1000]);
        }
        microphone.take(&mut place, &mut samples);
        assert_eq!((place, samples.len()), (100_004, KEPT));
        assert_eq!((samples[0], samples[KEPT - 1]), (92, 99));
    }
}
