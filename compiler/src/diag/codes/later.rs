// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of what belongs to a later version (G08xx).

use super::codes;

codes! {}
