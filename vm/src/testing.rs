// SPDX-License-Identifier: AGPL-3.0-only
//! Stand-ins for unit tests.

use crate::call::Call;

/// A call record without content.
pub(crate) fn call() -> Call {
    let mut call = Call::blank();
    call.set_peer("192.0.2.1:5060".parse().expect("an address"));
    call
}
