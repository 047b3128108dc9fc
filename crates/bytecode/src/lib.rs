// SPDX-License-Identifier: AGPL-3.0-only
//! The contract between compiler and VM: ops, side tables, verifier, disassembler.
#![forbid(unsafe_code)]
