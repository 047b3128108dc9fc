// SPDX-License-Identifier: AGPL-3.0-only
//! The signals that a run heeds.

use tokio::signal::unix::{Signal, SignalKind, signal};

fn oversized() -> std::io::Result<Signal> {
    signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))
}

/// From now on a write beyond the limit on file sizes fails, where it would otherwise end the program. Whatever the
/// program writes before the run begins is to fail in that way too.
pub(crate) fn survive_file_limit() -> std::io::Result<()> {
    // A handler once installed stays when the reactor is gone.
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _within = reactor.enter();
    oversized().map(drop)
}

/// The signals that mean something.
pub(crate) struct Signals {
    /// Ctrl-C.
    pub(crate) int: Signal,
    pub(crate) term: Signal,
    pub(crate) usr1: Signal,
    pub(crate) usr2: Signal,
    /// A file has reached the limit on file sizes.
    pub(crate) oversized: Signal,
    /// Ctrl-Z.
    pub(crate) stop: Signal,
}

impl Signals {
    /// From now on none of them ends the program by itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn install() -> std::io::Result<Self> {
        let stop = rustix::process::Signal::TSTP.as_raw();
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
            oversized: oversized()?,
            stop: signal(SignalKind::from_raw(stop))?,
        })
    }

    /// Waits until one of them asks for the end.
    pub(crate) async fn end(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
            _ = self.usr1.recv() => {}
        }
    }
}
