// SPDX-License-Identifier: AGPL-3.0-only
//! HTTP and WebSocket over the control types; serves the embedded UI.
#![forbid(unsafe_code)]
