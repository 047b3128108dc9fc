// SPDX-License-Identifier: AGPL-3.0-only
//! The built-in scenarios, embedded and listed by -sn name.
#![forbid(unsafe_code)]
