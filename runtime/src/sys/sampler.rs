// SPDX-License-Identifier: AGPL-3.0-only
//! Where the program spends its processor time: its stack every [`PERIOD`] of it.
//!
//! A timer of the process counts the processor time of all its threads and interrupts whichever runs; the handler walks
//! that thread's stack into a slot of a table that exists before the first signal. It allocates nothing, takes no lock and
//! leaves `errno` as it was. Whoever started the sampler takes slots out again ([`Sampler::drain`]); a sample that finds
//! none free is counted.
//!
//! Invariants: at most one sampler of a process exists. The handler stays installed for good, since a signal may be on its
//! way when the timer is stopped, and the default of SIGPROF is to end the process.
//!
//! Only on Linux; elsewhere [`Sampler::start`] says so.

use std::io;
use std::time::Duration;

/// Processor time from one sample to the next.
pub const PERIOD: Duration = Duration::from_millis(10);

/// Most frames of a stack that are kept, from the innermost on.
pub const MAX_FRAMES: usize = 128;

/// Takes samples while it exists.
#[derive(Debug)]
pub struct Sampler(());

impl Sampler {
    /// Begins to take samples.
    ///
    /// # Errors
    /// When samples are taken already, or the system has no way to.
    pub fn start() -> io::Result<Self> {
        imp::start().map(|()| Self(()))
    }

    /// Takes out what was sampled since the last time; stacks are from the innermost frame on. Returns how many samples
    /// found no room.
    pub fn drain(&self, take: impl FnMut(&[usize])) -> u64 {
        imp::drain(take)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        imp::stop();
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{MAX_FRAMES, PERIOD};
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

    /// Samples that wait at most: those of a tenth of a second on a hundred processors.
    const SLOTS: usize = 1024;

    const FREE: u8 = 0;
    const BUSY: u8 = 1;
    const FULL: u8 = 2;

    struct Slot {
        state: AtomicU8,
        len: AtomicUsize,
        frames: [AtomicUsize; MAX_FRAMES],
    }

    impl Slot {
        fn new() -> Self {
            Self {
                state: AtomicU8::new(FREE),
                len: AtomicUsize::new(0),
                frames: [const { AtomicUsize::new(0) }; MAX_FRAMES],
            }
        }
    }

    static TABLE: OnceLock<Box<[Slot]>> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static LOST: AtomicU64 = AtomicU64::new(0);
    static TAKEN: AtomicBool = AtomicBool::new(false);
    static ACTIVE: AtomicBool = AtomicBool::new(false);

    pub(super) fn start() -> io::Result<()> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("the processor is being profiled already"));
        }
        let table = TABLE.get_or_init(|| (0..SLOTS).map(|_| Slot::new()).collect());
        for slot in table {
            slot.state.store(FREE, Ordering::Release);
        }
        LOST.store(0, Ordering::Relaxed);
        // The first walk loads what it needs; the handler must find that done.
        walk(|_| false);
        let begun = handle().and_then(|()| set_timer(PERIOD));
        if begun.is_ok() {
            ACTIVE.store(true, Ordering::Release);
        } else {
            TAKEN.store(false, Ordering::Release);
        }
        begun
    }

    pub(super) fn stop() {
        // It was set before in the same way.
        let _ = set_timer(std::time::Duration::ZERO);
        ACTIVE.store(false, Ordering::Release);
        TAKEN.store(false, Ordering::Release);
    }

    pub(super) fn drain(mut take: impl FnMut(&[usize])) -> u64 {
        let mut stack = [0; MAX_FRAMES];
        for slot in TABLE.get().into_iter().flatten() {
            if slot.state.load(Ordering::Acquire) != FULL {
                continue;
            }
            let len = slot.len.load(Ordering::Relaxed).min(MAX_FRAMES);
            for (frame, kept) in stack.iter_mut().zip(&slot.frames[..len]) {
                *frame = kept.load(Ordering::Relaxed);
            }
            slot.state.store(FREE, Ordering::Release);
            take(&stack[..len]);
        }
        LOST.swap(0, Ordering::Relaxed)
    }

    fn handle() -> io::Result<()> {
        // SAFETY: the structure is plain data of which all zeros is a valid value; the handler has the signature that
        // SA_SIGINFO asks for, lives as long as the program, and does only what a handler may (see `on_sample`).
        let done = unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = on_sample as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut())
        };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    fn set_timer(period: std::time::Duration) -> io::Result<()> {
        let every = libc::timeval {
            tv_sec: 0,
            tv_usec: period.subsec_micros().into(),
        };
        let timer = libc::itimerval {
            it_interval: every,
            it_value: every,
        };
        // SAFETY: the kernel reads the structure during the call and keeps no pointer to it.
        let done = unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, ptr::null_mut()) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Walks the stack of this thread from here on, as long as `next` says so.
    fn walk(mut next: impl FnMut(usize) -> bool) {
        // SAFETY: without its lock only one walk at a time may use the Windows libraries for symbols; the walk on Linux has
        // no state of its own.
        unsafe {
            backtrace::trace_unsynchronized(|frame| next(frame.ip() as usize));
        }
    }

    extern "C" fn on_sample(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        if !ACTIVE.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: `errno` of this thread is always there.
        let errno = unsafe { *libc::__errno_location() };
        if let Some(table) = TABLE.get() {
            let place = NEXT.fetch_add(1, Ordering::Relaxed) % table.len();
            let slot = &table[place];
            let free =
                slot.state
                    .compare_exchange(FREE, BUSY, Ordering::Acquire, Ordering::Relaxed);
            if free.is_ok() {
                let len = fill(slot, interrupted(context));
                slot.len.store(len, Ordering::Relaxed);
                slot.state.store(FULL, Ordering::Release);
            } else {
                LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = errno };
    }

    /// Puts the stack of the interrupted code into a slot; its innermost frames are those of this handler.
    fn fill(slot: &Slot, interrupted: Option<usize>) -> usize {
        let mut len = 0;
        let mut ours = interrupted.is_some();
        walk(|ip| {
            ours = ours && Some(ip) != interrupted;
            if !ours {
                slot.frames[len].store(ip, Ordering::Relaxed);
                len += 1;
            }
            len < MAX_FRAMES
        });
        // A stack that cannot be walked past the handler has at least its end.
        if let (0, Some(ip)) = (len, interrupted) {
            slot.frames[0].store(ip, Ordering::Relaxed);
            len = 1;
        }
        len
    }

    /// Where the code was that the signal interrupted.
    fn interrupted(context: *mut libc::c_void) -> Option<usize> {
        // SAFETY: the kernel hands a handler with SA_SIGINFO the context of the interrupted thread, which outlives the
        // handler's run; it is only read.
        let context = unsafe { context.cast::<libc::ucontext_t>().as_ref()? };
        #[cfg(target_arch = "x86_64")]
        let ip = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
        #[cfg(target_arch = "aarch64")]
        let ip = context.uc_mcontext.pc as usize;
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let ip = {
            let _ = context;
            0
        };
        (ip != 0).then_some(ip)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    pub(super) fn start() -> io::Result<()> {
        Err(io::Error::other(
            "the processor can be profiled on Linux alone",
        ))
    }

    pub(super) fn stop() {}

    pub(super) fn drain(_: impl FnMut(&[usize])) -> u64 {
        0
    }
}
