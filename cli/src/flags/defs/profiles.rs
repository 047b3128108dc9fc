// SPDX-License-Identifier: AGPL-3.0-only
//! Profiles of the program itself.

use crate::flags::{Arg, Default, Flag};
use std::net::{Ipv4Addr, SocketAddr};

/// An address that profiles are served at; without a host this machine alone reaches it, as a profile tells more than
/// figures.
fn address(text: &str) -> Result<SocketAddr, String> {
    let own = |port: &str| {
        let port = port.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    let bare = text.strip_prefix(':').filter(|rest| !rest.contains(':'));
    bare.map_or_else(|| text.parse().ok(), own)
        .ok_or_else(|| format!("`{text}` is no address with a port, as 127.0.0.1:6060 or :6060"))
}

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["pprof"],
        arg: Arg::Text {
            metavar: "IP:PORT",
            set: |low, text| {
                low.profiles.server = Some(address(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "Serve profiles of this program at http://IP:PORT/debug/pprof/ while it runs.",
        long: "For `go tool pprof http://IP:PORT/debug/pprof/profile?seconds=30`, or `heap` in place of `profile?…`; with `format=folded` in the query, stacks as text for flame graphs. `:6060` is reached from this machine alone, port 0 is one that the system chooses and a note names.",
    },
    Flag {
        names: &["cpuprofile"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.profiles.cpu = Some(path),
        },
        default: Default::None,
        short: "Write at the end where the program spent its processor time.",
        long: "A hundred samples per second of processor time, in the form of pprof; as stacks in text for flame graphs where the name ends with .folded. On Linux.",
    },
    Flag {
        names: &["memprofile"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.profiles.memory = Some(path),
        },
        default: Default::None,
        short: "Write at the end what the program has allocated, and where.",
        long: "A sample for every 512 KiB on average, in the same forms: allocated since the beginning, and in use at the end.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_host_is_reached_from_here_alone() {
        assert_eq!(
            address(":6060"),
            Ok(SocketAddr::from(([127, 0, 0, 1], 6060)))
        );
        assert_eq!(
            address("0.0.0.0:1"),
            Ok(SocketAddr::from(([0, 0, 0, 0], 1)))
        );
        assert!(address("6060").is_err() && address(":x").is_err());
    }
}
