// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of structure, elements and attributes (G01xx).

use super::codes;

codes! {}
