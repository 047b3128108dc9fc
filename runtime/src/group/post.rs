// SPDX-License-Identifier: AGPL-3.0-only
//! What shards of a run with connections have to tell each other: every shard has connections, and a call belongs to the
//! shard that its Call-ID leads to, wherever its messages come in.
//!
//! Each shard has a letter box. What a turn has for another shard is collected and put there at once, under a lock that is
//! held for the length of a copy; whoever is written to is woken once. The leader's rings carry what they carry without
//! connections as well: calls that are due, and the end.
//!
//! Invariants: letters of one shard to another stay in order; what a peer or a call can make wait is bounded
//! ([`CLOGGED_BYTES`], [`FULL_BYTES`]); what a call has to know to end always has room.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gossipper_vm::{CallKey, FlowEvent, FlowId, Micros, Unsent};
use tokio::sync::Notify;

use super::Router;
use crate::flows::Caller;

/// When so many bytes wait for another shard, no more is read from connections: the peers wait.
const CLOGGED_BYTES: usize = 4 << 20;

/// When so many do, calls can send nothing there.
const FULL_BYTES: usize = 16 << 20;

/// What a letter takes beside its bytes.
const LETTER_BYTES: usize = size_of::<Letter>();

/// Capacity that an empty box keeps.
const IDLE_CAPACITY: usize = 256 << 10;

/// Something to be told. Bytes are those of the [`Mail`] it is in.
#[derive(Debug, Clone)]
pub(crate) enum Letter {
    /// A message that came on a flow of the sender's, for a call of the receiver's.
    Message {
        at: Micros,
        flow: FlowId,
        src: SocketAddr,
        bytes: Range<usize>,
    },
    /// A message to be sent on a flow of the receiver's.
    Send {
        flow: FlowId,
        to: SocketAddr,
        caller: Option<Caller>,
        /// How long it may wait, if not as long as the run says.
        within: Option<Micros>,
        bytes: Range<usize>,
    },
    /// A call wants this flow of the receiver's closed.
    Close { flow: FlowId },
    /// What became of a flow of the sender's.
    Flow { flow: FlowId, event: FlowEvent },
    /// What became of a message of this call of the receiver's.
    Unsent { call: CallKey, why: Unsent },
}

/// Letters with their bytes.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) letters: Vec<Letter>,
    pub(crate) bytes: Vec<u8>,
}

impl Mail {
    fn size(&self) -> usize {
        self.bytes.len() + self.letters.len() * LETTER_BYTES
    }

    fn clear(&mut self) {
        self.letters.clear();
        self.bytes.clear();
        self.letters.shrink_to(IDLE_CAPACITY / LETTER_BYTES);
        self.bytes.shrink_to(IDLE_CAPACITY);
    }

    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Moves everything to the end of another one.
    fn append_to(&mut self, into: &mut Self) {
        if into.letters.is_empty() {
            std::mem::swap(self, into);
            return;
        }
        let shift = into.bytes.len();
        into.bytes.extend_from_slice(&self.bytes);
        into.letters
            .extend(self.letters.drain(..).map(|mut letter| {
                if let Letter::Message { bytes, .. } | Letter::Send { bytes, .. } = &mut letter {
                    *bytes = bytes.start + shift..bytes.end + shift;
                }
                letter
            }));
    }
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct LetterBox {
    mail: Mutex<Mail>,
    /// The size of what is in it.
    waiting: AtomicUsize,
    wake: Notify,
}

impl LetterBox {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shard's way to the others, and theirs to it.
#[derive(Debug)]
pub(crate) struct Post {
    router: Router,
    boxes: Arc<[LetterBox]>,
    me: usize,
    /// What is to be delivered, by shard.
    out: Vec<Mail>,
    /// What was collected, and how many of its letters are read.
    read: (Mail, usize),
}

/// One for each shard.
pub(crate) fn posts(router: &Router, shards: usize) -> Vec<Post> {
    let boxes: Arc<[LetterBox]> = (0..shards).map(|_| LetterBox::default()).collect();
    let post = |me| Post {
        router: router.clone(),
        boxes: Arc::clone(&boxes),
        me,
        out: (0..shards).map(|_| Mail::default()).collect(),
        read: (Mail::default(), 0),
    };
    (0..shards).map(post).collect()
}

impl Post {
    /// Which shard this is.
    pub(crate) fn me(&self) -> usize {
        self.me
    }

    /// How many there are.
    pub(crate) fn shards(&self) -> usize {
        self.boxes.len()
    }

    /// Whose call a message is for.
    pub(crate) fn owner(&self, message: &[u8]) -> usize {
        self.router.owner(message)
    }

    fn waiting(&self, shard: usize) -> usize {
        self.boxes[shard].waiting.load(Ordering::Relaxed) + self.out[shard].size()
    }

    /// Whether one of the others has so much to read that nothing more should be read for them.
    pub(crate) fn clogged(&self) -> bool {
        (0..self.boxes.len()).any(|shard| self.waiting(shard) > CLOGGED_BYTES)
    }

    /// Hands a message to the shard of its call.
    pub(crate) fn message(
        &mut self,
        shard: usize,
        at: Micros,
        flow: FlowId,
        src: SocketAddr,
        bytes: &[u8],
    ) {
        let out = &mut self.out[shard];
        let bytes = out.store(bytes);
        out.letters.push(Letter::Message {
            at,
            flow,
            src,
            bytes,
        });
    }

    /// Has a message sent by the shard of a flow; false when too much waits for it already.
    #[must_use]
    pub(crate) fn send(
        &mut self,
        shard: usize,
        (flow, to): (FlowId, SocketAddr),
        call: Option<CallKey>,
        bytes: &[u8],
        within: Option<Micros>,
    ) -> bool {
        if shard >= self.out.len() || self.waiting(shard) + bytes.len() > FULL_BYTES {
            return false;
        }
        let caller = call.map(|key| Caller {
            shard: self.me,
            key,
        });
        let out = &mut self.out[shard];
        let bytes = out.store(bytes);
        out.letters.push(Letter::Send {
            flow,
            to,
            caller,
            within,
            bytes,
        });
        true
    }

    /// Tells another shard something without bytes.
    pub(crate) fn tell(&mut self, shard: usize, letter: Letter) {
        if let Some(out) = self.out.get_mut(shard) {
            out.letters.push(letter);
        }
    }

    /// Puts what was written since the last time into the boxes, and wakes whose they are.
    pub(crate) fn deliver(&mut self) {
        for (shard, out) in self.out.iter_mut().enumerate() {
            if out.letters.is_empty() {
                continue;
            }
            let of_other = &self.boxes[shard];
            let mut mail = of_other.mail();
            out.append_to(&mut mail);
            of_other.waiting.store(mail.size(), Ordering::Release);
            drop(mail);
            of_other.wake.notify_one();
            out.clear();
        }
    }

    /// Gives the letters that have come and where to go on in them; to be given back to [`Self::done`].
    pub(crate) fn collect(&mut self) -> (Mail, usize) {
        let (mut mail, read) = std::mem::take(&mut self.read);
        if read < mail.letters.len() {
            return (mail, read);
        }
        mail.clear();
        let own = &self.boxes[self.me];
        if own.waiting.load(Ordering::Acquire) > 0 {
            std::mem::swap(&mut *own.mail(), &mut mail);
            own.waiting.store(0, Ordering::Release);
        }
        (mail, 0)
    }

    /// So many of the letters are read.
    pub(crate) fn done(&mut self, mail: Mail, read: usize) {
        self.read = (mail, read);
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_empty(&self) -> bool {
        self.read.1 >= self.read.0.letters.len()
            && self.boxes[self.me].waiting.load(Ordering::Acquire) == 0
    }

    /// Waits until something has come since the last time.
    pub(crate) async fn arrived(&self) {
        self.boxes[self.me].wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Post, Post) {
        let mut posts = posts(&Router::new(2, false), 2).into_iter();
        let mut next = || posts.next().expect("two");
        (next(), next())
    }

    fn texts(post: &mut Post) -> Vec<String> {
        let (mail, read) = post.collect();
        let letters = mail.letters[read..].iter();
        let text = |letter: &Letter| match letter {
            Letter::Message { bytes, .. } | Letter::Send { bytes, .. } => {
                String::from_utf8_lossy(&mail.bytes[bytes.clone()]).into_owned()
            }
            Letter::Close { .. } | Letter::Flow { .. } | Letter::Unsent { .. } => String::new(),
        };
        let texts = letters.map(text).collect();
        let all = mail.letters.len();
        post.done(mail, all);
        texts
    }

    fn anybody() -> SocketAddr {
        "192.0.2.1:5060".parse().expect("an address")
    }

    #[test]
    fn letters_come_once_in_order_and_whole_however_they_are_delivered() {
        let (mut one, mut other) = two();
        one.message(1, Micros(1), FlowId(7), anybody(), b"first");
        assert_eq!(texts(&mut other), [""; 0], "not delivered");
        one.deliver();
        assert!(!other.is_empty());
        one.message(1, Micros(2), FlowId(7), anybody(), b"second");
        assert!(one.send(1, (FlowId(8), anybody()), None, b"third", None));
        one.tell(1, Letter::Close { flow: FlowId(8) });
        one.deliver();
        assert_eq!(texts(&mut other), ["first", "second", "third", ""]);
        assert!(other.is_empty() && texts(&mut other).is_empty());
    }

    #[test]
    fn what_was_not_read_in_one_turn_is_read_in_the_next() {
        let (mut one, mut other) = two();
        for text in [b"a", b"b", b"c"] {
            one.message(1, Micros(0), FlowId(1), anybody(), text);
        }
        one.deliver();
        let (mail, _) = other.collect();
        other.done(mail, 1);
        one.message(1, Micros(0), FlowId(1), anybody(), b"d");
        one.deliver();
        assert!(!other.is_empty());
        assert_eq!(texts(&mut other), ["b", "c"]);
        assert_eq!(texts(&mut other), ["d"]);
    }

    #[test]
    fn readers_stop_before_senders_are_refused_and_ends_are_told_all_the_same() {
        let (mut one, mut other) = two();
        let big = vec![b'x'; CLOGGED_BYTES + 1];
        assert!(!one.clogged());
        assert!(one.send(1, (FlowId(1 << 26 | 1), anybody()), None, &big, None));
        assert!(one.clogged());
        one.deliver();
        assert!(one.clogged(), "nobody has read it");
        while one.send(1, (FlowId(1 << 26 | 1), anybody()), None, &big, None) {}
        one.tell(
            1,
            Letter::Flow {
                flow: FlowId(1),
                event: FlowEvent::Closed,
            },
        );
        one.deliver();
        assert!(texts(&mut other).len() > 2);
        assert!(!one.clogged());
    }
}
