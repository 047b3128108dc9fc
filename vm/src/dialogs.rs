// SPDX-License-Identifier: AGPL-3.0-only
//! Which call and dialog a message belongs to, for scenarios with several dialogs: the index of Call-IDs beyond those of
//! the main dialogs, and the index of calls that listen for a dialog of the peer's.
//!
//! Both are found by hash, whatever the number of calls. Not here: the state of dialogs ([`crate::call::dialogs`]).

use crate::input::CallKey;
use gossipper_bytecode::{DialogId, RecvId};
use hashbrown::HashTable;
use slotmap::SlotMap;
use std::hash::BuildHasher;

slotmap::new_key_type! {
    /// A call that listens.
    pub(crate) struct ListenerKey;
}

/// A Call-ID that is not that of a call.
#[derive(Debug)]
struct Entry {
    hash: u64,
    call: CallKey,
    dialog: DialogId,
}

/// A call that listens for a dialog of the peer's.
#[derive(Debug)]
struct Listener {
    call: CallKey,
    dialog: DialogId,
    recv: RecvId,
    /// Whom it listens for; `None` for anyone.
    user: Option<Box<[u8]>>,
    /// Its dialog is under way.
    busy: bool,
    /// Who waits longer has the smaller number.
    order: u64,
    before: Option<ListenerKey>,
    after: Option<ListenerKey>,
}

/// Those that listen for the same user at the same receive, longest first; the busy ones among them have their own.
#[derive(Debug)]
struct Queue {
    hash: u64,
    first: ListenerKey,
    last: ListenerKey,
}

/// The indices of a shard.
#[derive(Debug)]
pub(crate) struct DialogIndex<S> {
    call_ids: HashTable<Entry>,
    listeners: SlotMap<ListenerKey, Listener>,
    queues: HashTable<Queue>,
    order: u64,
    hasher: S,
}

impl<S: BuildHasher> DialogIndex<S> {
    /// Nothing is known.
    pub(crate) fn new(hasher: S) -> Self {
        Self {
            call_ids: HashTable::new(),
            listeners: SlotMap::with_key(),
            queues: HashTable::new(),
            order: 0,
            hasher,
        }
    }

    /// A dialog has this Call-ID from now on.
    pub(crate) fn insert(&mut self, call_id: &[u8], call: CallKey, dialog: DialogId) {
        let hash = self.hasher.hash_one(call_id);
        let entry = Entry { hash, call, dialog };
        self.call_ids.insert_unique(hash, entry, |entry| entry.hash);
    }

    /// A dialog no longer has this Call-ID.
    pub(crate) fn remove(&mut self, call_id: &[u8], call: CallKey, dialog: DialogId) {
        let hash = self.hasher.hash_one(call_id);
        let found = self
            .call_ids
            .find_entry(hash, |entry| entry.call == call && entry.dialog == dialog);
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    /// The dialog with this Call-ID; `has` says whether one has it.
    pub(crate) fn find(
        &self,
        call_id: &[u8],
        has: impl Fn(CallKey, DialogId) -> bool,
    ) -> Option<(CallKey, DialogId)> {
        let hash = self.hasher.hash_one(call_id);
        self.call_ids
            .find(hash, |entry| {
                entry.hash == hash && has(entry.call, entry.dialog)
            })
            .map(|entry| (entry.call, entry.dialog))
    }

    fn queue_hash(&self, recv: RecvId, user: Option<&[u8]>, busy: bool) -> u64 {
        self.hasher.hash_one((recv, user, busy))
    }

    /// A call listens for a user from now on, behind those that do already.
    pub(crate) fn listen(
        &mut self,
        call: CallKey,
        dialog: DialogId,
        recv: RecvId,
        user: Option<&[u8]>,
    ) -> ListenerKey {
        self.list(call, dialog, recv, user.map(Into::into), false)
    }

    /// The dialog of a listener is under way: it does not listen for another one.
    pub(crate) fn occupy(&mut self, key: ListenerKey) -> ListenerKey {
        match self.deafen(key) {
            Some(Listener {
                call,
                dialog,
                recv,
                user,
                ..
            }) => self.list(call, dialog, recv, user, true),
            None => key,
        }
    }

    fn list(
        &mut self,
        call: CallKey,
        dialog: DialogId,
        recv: RecvId,
        user: Option<Box<[u8]>>,
        busy: bool,
    ) -> ListenerKey {
        let hash = self.queue_hash(recv, user.as_deref(), busy);
        self.order += 1;
        let key = self.listeners.insert(Listener {
            call,
            dialog,
            recv,
            user,
            busy,
            order: self.order,
            before: None,
            after: None,
        });
        let listeners = &self.listeners;
        let own = &listeners[key];
        let same = |queue: &Queue| {
            let first = &listeners[queue.first];
            (first.recv, &first.user, first.busy) == (own.recv, &own.user, own.busy)
        };
        match self.queues.find_mut(hash, same) {
            Some(queue) => {
                let last = core::mem::replace(&mut queue.last, key);
                self.listeners[last].after = Some(key);
                self.listeners[key].before = Some(last);
            }
            None => {
                let queue = Queue {
                    hash,
                    first: key,
                    last: key,
                };
                self.queues.insert_unique(hash, queue, |queue| queue.hash);
            }
        }
        key
    }

    /// Whether a listener listens for this user.
    pub(crate) fn listens_for(&self, key: ListenerKey, user: Option<&[u8]>) -> bool {
        self.listeners
            .get(key)
            .is_some_and(|listener| !listener.busy && listener.user.as_deref() == user)
    }

    /// A call listens no more.
    fn deafen(&mut self, key: ListenerKey) -> Option<Listener> {
        let listener = self.listeners.get(key)?;
        let (before, after) = (listener.before, listener.after);
        let hash = self.queue_hash(listener.recv, listener.user.as_deref(), listener.busy);
        if before.is_none() || after.is_none() {
            let found = self
                .queues
                .find_entry(hash, |queue| queue.first == key || queue.last == key);
            if let Ok(mut entry) = found {
                match (before, after) {
                    (None, None) => {
                        entry.remove();
                    }
                    (None, Some(after)) => entry.get_mut().first = after,
                    (Some(before), None) => entry.get_mut().last = before,
                    (Some(_), Some(_)) => {}
                }
            }
        }
        if let Some(before) = before {
            self.listeners[before].after = after;
        }
        if let Some(after) = after {
            self.listeners[after].before = before;
        }
        self.listeners.remove(key)
    }

    /// A call listens no more.
    pub(crate) fn forget(&mut self, key: ListenerKey) {
        self.deafen(key);
    }

    fn head(&self, recv: RecvId, user: Option<&[u8]>, busy: bool) -> Option<&Listener> {
        let hash = self.queue_hash(recv, user, busy);
        let queue = self.queues.find(hash, |queue| {
            let first = &self.listeners[queue.first];
            (first.recv, first.user.as_deref(), first.busy) == (recv, user, busy)
        })?;
        self.listeners.get(queue.first)
    }

    /// Who listens longest for a user at a receive: since when, call and dialog.
    pub(crate) fn first(
        &self,
        recv: RecvId,
        user: Option<&[u8]>,
    ) -> Option<(u64, CallKey, DialogId)> {
        let first = self.head(recv, user, false)?;
        Some((first.order, first.call, first.dialog))
    }

    /// Whether somebody would listen for a user at a receive, were it not for a dialog that is under way.
    pub(crate) fn is_busy(&self, recv: RecvId, user: Option<&[u8]>) -> bool {
        self.head(recv, user, true).is_some()
    }

    #[cfg(test)]
    fn len(&self) -> (usize, usize, usize) {
        (self.call_ids.len(), self.listeners.len(), self.queues.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> DialogIndex<foldhash::fast::FixedState> {
        DialogIndex::new(foldhash::fast::FixedState::with_seed(1))
    }

    fn calls(count: usize) -> Vec<CallKey> {
        let mut calls: SlotMap<CallKey, ()> = SlotMap::with_key();
        (0..count).map(|_| calls.insert(())).collect()
    }

    #[test]
    fn a_call_id_is_found_until_it_is_removed() {
        let (mut index, calls) = (index(), calls(2));
        index.insert(b"a", calls[0], DialogId(1));
        index.insert(b"a", calls[1], DialogId(2));
        let found = index.find(b"a", |call, _| call == calls[1]);
        assert_eq!(found, Some((calls[1], DialogId(2))));
        index.remove(b"a", calls[1], DialogId(2));
        assert_eq!(index.find(b"a", |call, _| call == calls[1]), None);
        assert_eq!(index.find(b"b", |_, _| true), None);
        index.remove(b"a", calls[0], DialogId(1));
        assert_eq!(index.len(), (0, 0, 0));
    }

    #[test]
    fn the_oldest_of_equals_is_first_whoever_leaves() {
        let (mut index, calls) = (index(), calls(4));
        let recv = RecvId(3);
        let mut listen = |call| index.listen(call, DialogId(1), recv, Some(b"bob"));
        let keys: Vec<_> = calls.iter().map(|call| listen(*call)).collect();
        let first = |index: &DialogIndex<_>| index.first(recv, Some(b"bob")).map(|found| found.1);
        assert_eq!(first(&index), Some(calls[0]));
        index.forget(keys[1]);
        index.forget(keys[0]);
        assert_eq!(first(&index), Some(calls[2]));
        index.forget(keys[3]);
        assert_eq!(first(&index), Some(calls[2]));
        let again = index.listen(calls[0], DialogId(1), recv, Some(b"bob"));
        assert_eq!(first(&index), Some(calls[2]));
        index.forget(keys[2]);
        assert_eq!(first(&index), Some(calls[0]));
        index.forget(again);
        index.forget(again);
        assert_eq!((first(&index), index.len()), (None, (0, 0, 0)));
    }

    #[test]
    fn users_receives_and_anyone_are_told_apart() {
        let (mut index, calls) = (index(), calls(3));
        let bob = index.listen(calls[0], DialogId(1), RecvId(0), Some(b"bob"));
        index.listen(calls[1], DialogId(1), RecvId(0), None);
        index.listen(calls[2], DialogId(1), RecvId(1), Some(b""));
        let call = |recv, user| index.first(RecvId(recv), user).map(|found| found.1);
        assert_eq!(call(0, Some(b"bob")), Some(calls[0]));
        assert_eq!(call(0, None), Some(calls[1]));
        assert_eq!(call(1, Some(b"")), Some(calls[2]));
        assert_eq!(call(0, Some(b"")), None);
        assert_eq!(call(1, None), None);
        assert!(index.listens_for(bob, Some(b"bob")));
        assert!(!index.listens_for(bob, None));
    }

    #[test]
    fn who_is_busy_listens_no_more_and_is_known() {
        let (mut index, calls) = (index(), calls(2));
        let (recv, bob) = (RecvId(0), Some(&b"bob"[..]));
        let first = index.listen(calls[0], DialogId(1), recv, bob);
        index.listen(calls[1], DialogId(1), recv, bob);
        assert!(!index.is_busy(recv, bob));
        let first = index.occupy(first);
        assert!(index.is_busy(recv, bob) && !index.listens_for(first, bob));
        assert_eq!(index.first(recv, bob).map(|found| found.1), Some(calls[1]));
        index.forget(first);
        assert!(!index.is_busy(recv, bob));
        assert_eq!(index.len(), (0, 1, 1));
    }
}
