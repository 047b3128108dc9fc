// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of resolving names (G03xx).

use super::codes;

codes! {}
