// SPDX-License-Identifier: AGPL-3.0-only
//! Names of the files that are written.

use gossipper_sip::sdp::MediaKind;

/// Names of a call's files: without a number if it is the only one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    /// Its number, and how many digits numbers have.
    pub(crate) number: Option<(usize, usize)>,
}

impl Names {
    fn suffix(self) -> String {
        match self.number {
            Some((number, width)) => format!("_{number:0width$}"),
            None => String::new(),
        }
    }

    /// The scenario of a side: `uac` or `uas`.
    pub(crate) fn scenario(self, side: &str) -> String {
        format!("scenario_{side}{}.xml", self.suffix())
    }

    /// The capture of a piece of media, which is the `piece`-th of its kind on its side, from 0.
    pub(crate) fn media(self, from_caller: bool, kind: MediaKind, piece: usize) -> String {
        let side = if from_caller { "caller" } else { "callee" };
        let kind = match kind {
            MediaKind::Audio | MediaKind::Other => "rtp",
            MediaKind::Video => "video",
            MediaKind::Image => "t38",
        };
        let piece = match piece {
            0 => String::new(),
            piece => format!("_part{}", piece + 1),
        };
        format!("{side}_{kind}{}{piece}.pcap", self.suffix())
    }
}

impl Names {
    /// The injection file of a merge.
    pub(crate) fn injection(self) -> String {
        format!("users{}.csv", self.suffix())
    }
}
