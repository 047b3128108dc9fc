// SPDX-License-Identifier: AGPL-3.0-only
//! Stand-ins for unit tests.

use crate::call::Call;

/// A call record without content.
pub(crate) fn call() -> Call {
    Call::blank("192.0.2.1:5060".parse().expect("an address"))
}
