// SPDX-License-Identifier: AGPL-3.0-only
//! Who of many is ready: a waker per entry, and one list that they write themselves into.
//!
//! Looking at all entries whenever one is ready would make a turn as long as the table.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use tokio::sync::Notify;

/// The list.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    entries: Mutex<Vec<usize>>,
    notify: Notify,
}

impl Ready {
    fn push(&self, entry: usize) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry);
        drop(entries);
        self.notify.notify_one();
    }

    /// Moves the list to the end of `into`.
    pub(crate) fn take(&self, into: &mut VecDeque<usize>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        into.extend(entries.drain(..));
    }

    pub(crate) fn is_empty(&self) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.is_empty()
    }

    /// Waits until something may be in the list.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }
}

/// Writes an entry into the list, once until it is taken out.
#[derive(Debug)]
pub(crate) struct Bell {
    entry: usize,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Bell {
    /// The bell of an entry.
    pub(crate) fn new(entry: usize, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self {
            entry,
            rung: AtomicBool::new(false),
            ready: Arc::clone(ready),
        })
    }

    /// Its waker.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }

    /// The entry is being looked at: it may ring again.
    pub(crate) fn answered(&self) {
        self.rung.store(false, Ordering::Release);
    }

    /// Puts the entry into the list.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.push(self.entry);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_in_the_list_once_until_it_is_looked_at() {
        let ready = Arc::new(Ready::default());
        let bells = [Bell::new(3, &ready), Bell::new(5, &ready)];
        bells[0].waker().wake();
        bells[0].waker().wake_by_ref();
        bells[1].ring();
        let mut list = VecDeque::new();
        ready.take(&mut list);
        assert_eq!(list, [3, 5]);
        bells[0].ring();
        assert!(ready.is_empty(), "nobody has looked at it");
        bells[0].answered();
        bells[0].ring();
        assert!(!ready.is_empty());
    }
}
