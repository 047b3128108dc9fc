// SPDX-License-Identifier: AGPL-3.0-only
//! Shards, sockets, timing wheel, pacing and statistics.
#![deny(unsafe_code)]

pub mod clock;
pub mod config;
pub mod error;
pub mod exec;
pub mod logs;
pub mod pacing;
pub mod stats;
pub mod sys;
pub mod transport;
pub mod wheel;
