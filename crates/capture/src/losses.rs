// SPDX-License-Identifier: AGPL-3.0-only
//! What could not be had: each loss by name, up to a bound for each kind, and then their number.

use crate::Loss;
use std::collections::BTreeMap;

/// So many losses of a kind are told one by one.
const EACH: u64 = 5;

/// Kinds of loss, each with the words for those that are only counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    File,
    Link,
    Cut,
    Broken,
    Fragments,
    Gap,
    Garbage,
    Incomplete,
    TooLong,
    Encrypted,
    Compressed,
    Encapsulated,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::File => "places of the file are damaged",
            Self::Link => "kinds of frames are unknown",
            Self::Cut => "frames were cut",
            Self::Broken => "packets are shorter than their headers say",
            Self::Fragments => "fragmented packets lack fragments",
            Self::Gap => "gaps are in streams",
            Self::Garbage => "places of streams are not SIP",
            Self::Incomplete => "messages are incomplete",
            Self::TooLong => "messages are too long",
            Self::Encrypted => "connections are encrypted",
            Self::Compressed => "compressed payloads cannot be read",
            Self::Encapsulated => "packets of capture agents cannot be read",
        }
    }
}

#[derive(Default, Debug)]
pub(crate) struct Losses {
    told: Vec<Loss>,
    counts: BTreeMap<Kind, u64>,
}

impl Losses {
    /// Notes a loss; `what` is asked only if it is told.
    pub(crate) fn note(&mut self, kind: Kind, frame: u64, what: impl FnOnce() -> String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= EACH {
            self.told.push(Loss {
                frame: (frame > 0).then_some(frame),
                what: what(),
            });
        }
    }

    /// All of them in the order of the file, the sums behind.
    pub(crate) fn finish(mut self) -> Vec<Loss> {
        self.told.sort_by_key(|loss| loss.frame.unwrap_or(u64::MAX));
        let sums = self.counts.into_iter().filter(|(_, count)| *count > EACH);
        self.told.extend(sums.map(|(kind, count)| Loss {
            frame: None,
            what: format!("{} more {}", count - EACH, kind.words()),
        }));
        self.told
    }
}
