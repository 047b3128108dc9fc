// SPDX-License-Identifier: AGPL-3.0-only
//! Shards, sockets, timing wheel, pacing and statistics.
#![deny(unsafe_code)]

pub mod clock;
pub mod pacing;
pub mod stats;
pub mod sys;
pub mod wheel;
