// SPDX-License-Identifier: AGPL-3.0-only
//! Automation tasks, run as `cargo xtask NAME`.
fn main() {}
