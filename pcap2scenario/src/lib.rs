// SPDX-License-Identifier: AGPL-3.0-only
//! A capture in; scenario XML that the compiler accepts out.
#![forbid(unsafe_code)]
