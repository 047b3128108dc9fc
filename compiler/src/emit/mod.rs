// SPDX-License-Identifier: AGPL-3.0-only
//! Writing the parts of a draft: ops with labels, pools without duplicates, small clean-ups.
//!
//! Knows the contract (`gossipper-bytecode`) and nothing of scenarios; what the ops mean together is decided in
//! [`crate::lower`].

mod builder;
mod peephole;
mod pools;

pub(crate) use builder::{Builder, Label};
pub(crate) use pools::Pools;
