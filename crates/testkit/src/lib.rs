// SPDX-License-Identifier: AGPL-3.0-only
//! Virtual clock, seeded network, trace format and SIPp runner for tests.
#![forbid(unsafe_code)]
