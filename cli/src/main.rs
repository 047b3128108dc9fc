// SPDX-License-Identifier: AGPL-3.0-only
//! The gossipper binary: which face of it is meant, its flags, and the exit code.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`root`] | which verb is meant |
//! | [`flags`] | the scenario flags: one table, parser, help, settings |
//! | [`load`], [`cache`] | from a scenario file to a program |
//! | [`compile`] | `gossipper compile`, `gossipper explain` |
//! | [`complete`], [`man`] | `gossipper completions`, `gossipper man` |
//! | [`reports`] | `gossipper report-html`, `gossipper summary-to-pdf` |
//! | [`pcap2scenario`] | `gossipper pcap2scenario` |
//! | [`sipp`] | a run: from settings to an exit code |
//! | [`rtp_sender`] | RTP without SIP |
//! | [`infindex`] | the index of an injection file, as a file |
//! | [`settings`], [`drive`] | what the runtime is told; signals, and the verdict |
//! | [`operator`], [`background`] | keys, commands and datagrams; runs without a terminal |
//! | [`screens`] | what a terminal shows while a run lasts |
//! | [`profiles`], [`http`] | profiles of the program itself; what serves them and metrics |
//! | [`report`] | the progress line and the summary |
//! | [`exit`] | every exit code
//! | [`voice`], [`words`] | faults as SIPp says them, in its place |
#![forbid(unsafe_code)]

mod background;
mod cache;
mod compile;
mod complete;
mod drive;
mod exit;
mod flags;
mod http;
mod included;
mod infindex;
mod inject;
mod ladder;
mod load;
mod man;
mod operator;
mod pcap2scenario;
mod profiles;
mod report;
mod reports;
mod results;
mod root;
mod rtp_sender;
mod screens;
mod settings;
mod sipp;
mod stdio;
mod trouble;
mod twin;
mod version;
mod voice;
mod words;

use gossipper_runtime::sys::heap::Sampled;

#[global_allocator]
static ALLOCATOR: Sampled<mimalloc::MiMalloc> = Sampled(mimalloc::MiMalloc);

/// How long free memory is kept: longer than runs take to need it again, and short enough for those that go on for days after a
/// peak.
const KEEP_FREED: std::time::Duration = std::time::Duration::from_secs(10);

fn main() -> std::process::ExitCode {
    gossipper_runtime::sys::freed::keep_for(KEEP_FREED);
    let argv: Vec<std::ffi::OsString> = std::env::args_os().collect();
    root::run(&argv).into()
}
