// SPDX-License-Identifier: AGPL-3.0-only
//! Log records for collectors of OpenTelemetry (OTLP): their form, and the way there.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`encode`] | records as protocol buffers, written straight into the request |
//! | [`export`] | a bounded queue of requests, and the thread that delivers them |
//! | `client` | one request over a connection: gRPC over HTTP/2, or HTTP/1.1 |
//! | `answer` | what a collector says to it |
//!
//! Knows nothing of SIP or of runs. A record costs no allocation, and who writes records never waits for a collector: what
//! it does not take in time is dropped, oldest first, and counted.

#![forbid(unsafe_code)]

mod answer;
mod client;
pub mod encode;
pub mod export;

pub use encode::{Attributes, Encoder, Request, Severity, Value};
pub use export::{Collector, Counts, Exporter, Protocol, Sender, Stream, Wrap};
