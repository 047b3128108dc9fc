// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of the flow of steps (G05xx).

use super::codes;

codes! {}
