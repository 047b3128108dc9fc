// SPDX-License-Identifier: AGPL-3.0-only
//! Zero-copy SIP reading, header names and stream framing.
#![forbid(unsafe_code)]
