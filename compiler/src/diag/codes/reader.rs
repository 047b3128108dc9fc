// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of reading bytes and XML (G00xx).

use super::codes;

codes! {
    UNREADABLE_XML = 1 {
        title: "the XML cannot be read",
        explanation: "The reader repairs what it can, with a warning each. This place could not be given any \
            meaning, so the scenario is refused.",
    }
}
