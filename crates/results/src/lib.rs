// SPDX-License-Identifier: AGPL-3.0-only
//! What a run came to.
//!
//! One model, [`Summary`], from which every report is made: it is what `-summary_json` writes, and whatever reads that
//! file again knows as much as the run did. Everything here is a pure function of plain data; who writes and serves what
//! comes of it is the command line. Why so: docs/adr/0016-results.md; the fields, one by one: docs/results.md.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`summary`] | the model |
//! | [`latency`] | a distribution of times in it |
//! | [`series`] | what happened, second by second |
//! | [`shapes`] | how calls failed, and which waited longest, with their messages |
//! | `make` | the model of a run, from what the runtime publishes |
//! | [`gates`] | health gates and thresholds together, and what they found |
//! | [`threshold`] | `rtd.invite.p99 < 250ms` |
//! | [`junit`] | the form for CI |
//! | [`metrics`] | the form for Prometheus |
//! | [`page`] | the form for people: HTML and PDF |
#![forbid(unsafe_code)]

pub mod gates;
mod json;
pub mod junit;
pub mod latency;
mod make;
pub mod metrics;
pub mod page;
pub mod series;
pub mod shapes;
pub mod summary;
pub mod threshold;

pub use gates::Gates;
pub use make::Facts;
pub use summary::Summary;
pub use threshold::Threshold;
