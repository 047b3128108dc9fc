// SPDX-License-Identifier: AGPL-3.0-only
//! Runs calls as a pure state machine; never meets a socket, clock or file.
#![forbid(unsafe_code)]
