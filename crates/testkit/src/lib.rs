// SPDX-License-Identifier: AGPL-3.0-only
//! Virtual clock, seeded network, trace format and SIPp runner for tests.
#![forbid(unsafe_code)]

pub mod sipp;
pub mod sipp_cases;
pub mod sipp_stat;
pub mod sipp_trace;
