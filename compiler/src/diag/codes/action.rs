// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of actions (G04xx).

use super::codes;

codes! {}
