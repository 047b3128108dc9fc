// SPDX-License-Identifier: AGPL-3.0-only
//! Operator commands and statistics snapshots as plain data.
#![forbid(unsafe_code)]
