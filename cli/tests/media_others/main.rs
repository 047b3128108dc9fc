// SPDX-License-Identifier: AGPL-3.0-only
//! Media with programs of others: SIPp, baresip, rtpengine, and tshark that watches.
//!
//! Each test skips, and says so, where its program is missing. What was heard is decided by the sound itself: a tone is sent,
//! and its share of the power of what arrived is measured.

mod baresip;
mod captures;
mod ffmpeg;
mod relay;
mod rtpengine;
mod sipp;
mod stage;
mod tshark;
