// SPDX-License-Identifier: AGPL-3.0-only
//! What the program allocates, and where: samples of an allocator.
//!
//! [`Sampled`] stands in front of the program's allocator. Until [`sample`] is called it costs one look at a flag per
//! allocation. From then on each thread counts down bytes, and the allocation at which it reaches zero is kept with its
//! stack: so every byte has the same chance, one in [`RATE`] on average, and sums are scaled up accordingly. What is freed
//! is looked up in a table of counters first, so that only what may have been sampled takes the lock.
//!
//! Invariants: what happens inside this module is never sampled, nor does it wait for itself: a thread that is inside
//! passes straight through. Sampling is never switched off again.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes from one sample to the next, on average.
pub const RATE: usize = 512 << 10;

/// Most frames of a stack that are kept, from the innermost on.
const MAX_FRAMES: usize = 64;

/// Most places that are told apart; what is allocated at others is added up at none.
const MAX_SITES: usize = 1 << 16;

/// What was allocated at one place, scaled up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Site {
    /// The stack, from the innermost frame on.
    pub stack: Box<[usize]>,
    /// Allocations.
    pub allocated: f64,
    /// Their bytes.
    pub allocated_bytes: f64,
    /// Those that have not been freed.
    pub live: f64,
    /// Their bytes.
    pub live_bytes: f64,
}

/// A sample that has not been freed.
#[derive(Debug, Clone, Copy)]
struct Live {
    site: usize,
    count: f64,
    bytes: f64,
}

/// Addresses are their own hash, spread out.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = (self.0.rotate_left(5) ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

#[derive(Debug)]
struct Table {
    places: Map<Box<[usize]>, usize>,
    sites: Vec<Site>,
    live: Map<usize, Live>,
}

static ON: AtomicBool = AtomicBool::new(false);
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// How many samples that have not been freed are at addresses of each kind.
static MAYBE: [AtomicU32; 1 << 14] = [const { AtomicU32::new(0) }; 1 << 14];

thread_local! {
    /// Bytes until the next sample; `None` before the first allocation that is looked at.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// This thread is inside this module.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static RANDOM: Cell<u64> = const { Cell::new(0) };
}

fn kind(address: usize) -> &'static AtomicU32 {
    let spread = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &MAYBE[(spread >> 50) as usize]
}

fn table() -> MutexGuard<'static, Option<Table>> {
    // Between two statements it is whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something that is not to be sampled; `None` if this thread is inside already, or ends.
fn inside<R>(act: impl FnOnce() -> R) -> Option<R> {
    let entered = INSIDE.try_with(|inside| !inside.replace(true));
    if !entered.unwrap_or(false) {
        return None;
    }
    let result = act();
    let _ = INSIDE.try_with(|inside| inside.set(false));
    Some(result)
}

/// Begins to take samples, for as long as the program lasts.
pub fn sample() {
    inside(|| {
        table().get_or_insert_with(|| Table {
            places: Map::default(),
            sites: Vec::new(),
            live: Map::default(),
        });
        // The first walk loads what it needs.
        walk(|_| false);
    });
    ON.store(true, Ordering::Release);
}

/// What was sampled so far, place by place.
#[must_use]
pub fn sites() -> Vec<Site> {
    let copied = inside(|| table().as_ref().map(|table| table.sites.clone()));
    copied.flatten().unwrap_or_default()
}

/// Bytes until the next sample: so that each byte has the same chance, whatever came before.
fn draw() -> usize {
    let mut random = RANDOM.try_with(Cell::get).unwrap_or(1);
    if random == 0 {
        // Any number that differs between threads.
        random = INSIDE
            .try_with(|cell| std::ptr::from_ref(cell) as u64)
            .unwrap_or(1)
            | 1;
    }
    // Marsaglia's xorshift.
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    let _ = RANDOM.try_with(|kept| kept.set(random));
    // Of 53 bits, above zero.
    let part = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    (-part.ln() * RATE as f64) as usize + 1
}

/// Something was allocated.
#[inline(never)]
fn allocated(address: usize, size: usize) {
    let Ok(Some(left)) = LEFT.try_with(|left| {
        left.get().or_else(|| {
            left.set(Some(draw()));
            left.get()
        })
    }) else {
        return;
    };
    if size < left {
        let _ = LEFT.try_with(|kept| kept.set(Some(left - size)));
        return;
    }
    inside(|| {
        let _ = LEFT.try_with(|kept| kept.set(Some(draw())));
        let mut stack = [0; MAX_FRAMES];
        let mut len = 0;
        walk(|ip| {
            stack[len] = ip;
            len += 1;
            len < MAX_FRAMES
        });
        // Sampled is 1 - e^(-size / rate) of what is so large.
        let scale = 1.0 / (1.0 - (-(size as f64) / RATE as f64).exp());
        let mut table = table();
        let Some(table) = table.as_mut() else {
            return;
        };
        let site = match table.places.get(&stack[..len]) {
            Some(site) => *site,
            None if table.sites.len() < MAX_SITES => {
                let stack: Box<[usize]> = stack[..len].into();
                table.sites.push(Site {
                    stack: stack.clone(),
                    ..Site::default()
                });
                table.places.insert(stack, table.sites.len() - 1);
                table.sites.len() - 1
            }
            None => return,
        };
        let (count, bytes) = (scale, scale * size as f64);
        let of_site = &mut table.sites[site];
        of_site.allocated += count;
        of_site.allocated_bytes += bytes;
        of_site.live += count;
        of_site.live_bytes += bytes;
        table.live.insert(address, Live { site, count, bytes });
        kind(address).fetch_add(1, Ordering::Relaxed);
    });
}

/// Something is freed.
#[inline]
fn freed(address: usize) {
    // Whoever frees it has it from whoever allocated it, and so sees what was counted then.
    if kind(address).load(Ordering::Relaxed) != 0 {
        forget(address);
    }
}

#[inline(never)]
fn forget(address: usize) {
    inside(|| {
        let mut table = table();
        let Some(table) = table.as_mut() else {
            return;
        };
        if let Some(live) = table.live.remove(&address) {
            let site = &mut table.sites[live.site];
            site.live -= live.count;
            site.live_bytes -= live.bytes;
            kind(address).fetch_sub(1, Ordering::Relaxed);
        }
    });
}

/// Walks the stack of this thread from here on, as long as `next` says so.
fn walk(mut next: impl FnMut(usize) -> bool) {
    // SAFETY: without its lock only one walk at a time may use the Windows libraries for symbols; other walks have no
    // state of their own.
    unsafe {
        backtrace::trace_unsynchronized(|frame| next(frame.ip() as usize));
    }
}

/// An allocator whose allocations can be sampled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sampled<A>(pub A);

// SAFETY: every call goes to the allocator behind with the same arguments, and its answer is handed on unchanged; what is
// done beside only remembers the address as a number.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Sampled<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let block = unsafe { self.0.alloc(layout) };
        if ON.load(Ordering::Relaxed) && !block.is_null() {
            allocated(block as usize, layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if ON.load(Ordering::Relaxed) && !block.is_null() {
            allocated(block as usize, layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if ON.load(Ordering::Relaxed) {
            freed(block as usize);
        }
        // SAFETY: the caller's promise is handed on.
        unsafe { self.0.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let on = ON.load(Ordering::Relaxed);
        if on {
            freed(block as usize);
        }
        // SAFETY: the caller's promise is handed on.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if on && !moved.is_null() {
            allocated(moved as usize, size);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;
    use std::hint::black_box;

    const COUNT: usize = 800;

    #[inline(never)]
    fn take(allocator: &Sampled<System>, layout: Layout) -> usize {
        // SAFETY: the layout has a size.
        black_box(unsafe { allocator.alloc(layout) } as usize)
    }

    #[inline(never)]
    fn grow(allocator: &Sampled<System>, block: usize, layout: Layout) -> usize {
        // SAFETY: it was allocated with this layout.
        black_box(
            unsafe { allocator.realloc(block as *mut u8, layout, layout.size() * 2) } as usize,
        )
    }

    fn give_back(allocator: &Sampled<System>, block: usize, layout: Layout) {
        // SAFETY: it was allocated with this layout.
        unsafe { allocator.dealloc(block as *mut u8, layout) };
    }

    /// Sums of all places: bytes allocated, and live. The program of this test has another allocator in front of nothing.
    fn bytes() -> [f64; 2] {
        let sites = sites();
        [
            sites.iter().map(|site| site.allocated_bytes).sum(),
            sites.iter().map(|site| site.live_bytes).sum(),
        ]
    }

    #[test]
    fn sums_are_scaled_up_and_what_is_freed_is_forgotten() {
        let allocator = Sampled(System);
        let layout = Layout::from_size_align(RATE / 4, 16).expect("a layout");
        let grown = Layout::from_size_align(RATE / 2, 16).expect("a layout");
        assert_eq!(bytes(), [0.0; 2]);
        give_back(&allocator, take(&allocator, layout), layout);
        assert_eq!(bytes(), [0.0; 2], "nothing before it is asked for");
        sample();
        let blocks: Vec<_> = (0..COUNT).map(|_| take(&allocator, layout)).collect();
        // Of a quarter of the rate about one in five is sampled: the sum is right to some percent.
        let wanted = (COUNT * layout.size()) as f64;
        let near = |found: f64, wanted: f64| (found - wanted).abs() < wanted * 0.35;
        let [allocated, live] = bytes();
        assert!(
            near(allocated, wanted) && near(live, wanted),
            "{allocated} {live} {wanted}"
        );
        let blocks: Vec<_> = (blocks.into_iter())
            .map(|block| grow(&allocator, block, layout))
            .collect();
        let [allocated, live] = bytes();
        assert!(
            near(allocated, wanted * 3.0) && near(live, wanted * 2.0),
            "{allocated} {live}"
        );
        for block in blocks {
            give_back(&allocator, block, grown);
        }
        let [after, live] = bytes();
        assert_eq!(after, allocated);
        // Rounding is all that is left.
        assert!(live.abs() < 1.0, "{live}");
        assert!(sites().iter().all(|site| !site.stack.is_empty()));
        let live = table().as_ref().map(|table| table.live.len());
        assert_eq!(live, Some(0));
    }
}
