// SPDX-License-Identifier: AGPL-3.0-only
//! The machine's rules in virtual time: one engine, and a test that plays its peer.
//!
//! One file per topic, named after the behaviour; each test is a sentence about it and sits at the lowest level that
//! shows it. Scenarios are inline and ours.

mod about;
mod accept;
mod actions;
mod authentication;
mod authentication_text;
mod calls;
mod closing;
mod dialogs;
mod duplicates;
mod expressions;
mod files;
mod flows;
mod handler;
mod init;
mod injection;
mod kept;
mod matching;
mod media;
mod out_of_call;
mod receiver;
mod rendering;
mod repeated;

mod destination;
mod rtd;
mod siblings;
mod stage;
mod timers;
mod twin;
mod unexpected;
mod users;
