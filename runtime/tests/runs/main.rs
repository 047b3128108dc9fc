// SPDX-License-Identifier: AGPL-3.0-only
//! Whole runs over real sockets, by what they are about. One binary, so that they share what they begin with.

mod echo;
mod loopback;
mod media;
mod media_kinds;
mod moving;
mod secure;
mod shapes;
mod shards;
mod streams;
mod support;
