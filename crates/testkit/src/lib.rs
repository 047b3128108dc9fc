// SPDX-License-Identifier: AGPL-3.0-only
//! Virtual clock, seeded network, trace format, certificates and SIPp runner for tests. Only ever a dev-dependency.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`world`], [`net`] | engines in virtual time, joined by a network that a seed makes lose and reorder |
//! | [`pair`] | a caller and an answerer, compiled and joined |
//! | [`tally`], [`trace`] | what a simulated run counted, and what it did |
//! | [`certs`] | an authority and the certificates it makes, for tests of TLS |
//! | [`habits`] | command lines as users of SIPp write them |
//! | [`mirror`] | the natural peer of any scenario, and the comparison of the corpus with SIPp |
//! | [`sipp`], [`sipp_cases`], [`sipp_refusals`], [`sipp_stat`], [`sipp_trace`] | runs of a real SIPp and of our binary, made comparable |
#![forbid(unsafe_code)]

pub mod certs;
pub mod habits;
pub mod mirror;
pub mod net;
pub mod pair;
pub mod sipp;
pub mod sipp_cases;
#[cfg(test)]
mod sipp_coverage;
pub mod sipp_refusals;
pub mod sipp_stat;
pub mod sipp_trace;
pub mod tally;
pub mod trace;
pub mod world;
