// SPDX-License-Identifier: AGPL-3.0-only
//! XML text in; a verified program and all diagnostics out.
#![forbid(unsafe_code)]
