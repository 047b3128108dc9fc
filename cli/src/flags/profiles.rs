// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about profiles of the program say together.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Profiles that are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ProfileFlags {
    /// `-pprof`.
    pub(crate) server: Option<SocketAddr>,
    /// `-cpuprofile`.
    pub(crate) cpu: Option<PathBuf>,
    /// `-memprofile`.
    pub(crate) memory: Option<PathBuf>,
}

impl ProfileFlags {
    /// Checks that files differ.
    pub(crate) fn resolve(self, faults: &mut Vec<String>) -> Self {
        if self.cpu.is_some() && self.cpu == self.memory {
            faults.push("-cpuprofile and -memprofile name the same file".to_owned());
        }
        self
    }
}
