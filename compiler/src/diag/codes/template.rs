// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of templates and keywords (G02xx).

use super::codes;

codes! {}
