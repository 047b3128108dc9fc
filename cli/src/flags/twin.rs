// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about twins say together: one twin, or a name among several peers.

use super::host;
use super::low::TwinLow;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which twins there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Twin {
    /// `-3pcc`.
    One(SocketAddr),
    /// A name among several peers.
    Named {
        /// What the scenario must be, if `-master` or `-slave` says so.
        side: Option<Side>,
        /// Own name.
        name: String,
        /// The file with everybody's address.
        peers: PathBuf,
    },
}

/// What `-master` and `-slave` demand of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// It sends a command first.
    Master,
    /// It receives one first.
    Slave,
}

/// Checks that the flags agree.
pub(super) fn resolve(low: TwinLow, faults: &mut Vec<String>) -> Option<Twin> {
    let TwinLow {
        one,
        master,
        slave,
        slave_cfg,
        cmd_name,
        cmd_peers,
    } = low;
    let before = faults.len();
    if master.is_some() && slave.is_some() {
        faults.push("-master and -slave exclude each other".to_owned());
    }
    if cmd_name.is_some() && (master.is_some() || slave.is_some()) {
        faults.push("-cmd_name is not compatible with -master or -slave".to_owned());
    }
    if let (Some(first), Some(second)) = (&slave_cfg, &cmd_peers)
        && first != second
    {
        faults.push("-slave_cfg and -cmd_peers name different files".to_owned());
    }
    let side = match (&master, &slave) {
        (Some(_), _) => Some(Side::Master),
        (None, Some(_)) => Some(Side::Slave),
        (None, None) => None,
    };
    let name = master.or(slave).or(cmd_name);
    let peers = slave_cfg.or(cmd_peers);
    if one.is_some() && (name.is_some() || peers.is_some()) {
        faults.push(
            "-3pcc is for one twin, and excludes the flags for several: -master, -slave, -slave_cfg, -cmd_name and \
             -cmd_peers"
                .to_owned(),
        );
    }
    if faults.len() > before {
        return None;
    }
    if let Some(text) = one {
        return host::address("-3pcc", &text, faults).map(Twin::One);
    }
    match (name, peers) {
        (None, None) => None,
        (Some(name), Some(peers)) if !name.is_empty() => Some(Twin::Named { side, name, peers }),
        _ => {
            faults.push(
                "several peers need both the own name and the file with their addresses: give -slave_cfg with -master \
                 or -slave, or -cmd_peers with -cmd_name"
                    .to_owned(),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::flags::argv;
    use crate::flags::high::HiArgs;
    use crate::flags::low::Dialect;
    use crate::flags::twin::{Side, Twin};
    use std::ffi::OsString;

    fn twin(line: &str) -> Result<Option<Twin>, String> {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Sipp, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        HiArgs::resolve(parsed.low)
            .map(|args| args.twin)
            .map_err(|refusal| refusal.faults.join("\n"))
    }

    #[test]
    fn one_twin_needs_an_address_with_a_port() {
        assert_eq!(twin("-sn uac 127.0.0.1"), Ok(None));
        let address = "127.0.0.1:6060".parse().expect("an address");
        assert_eq!(twin("-3pcc 127.0.0.1:6060"), Ok(Some(Twin::One(address))));
        for bad in ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:x"] {
            assert!(twin(&format!("-3pcc {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_peers_need_a_name_and_a_file() {
        let named = |side, name: &str| {
            Ok(Some(Twin::Named {
                side,
                name: name.to_owned(),
                peers: "p.cfg".into(),
            }))
        };
        assert_eq!(
            twin("-master m -slave_cfg p.cfg"),
            named(Some(Side::Master), "m")
        );
        assert_eq!(
            twin("-slave s -slave_cfg p.cfg"),
            named(Some(Side::Slave), "s")
        );
        assert_eq!(twin("-cmd_name n -cmd_peers p.cfg"), named(None, "n"));
        assert_eq!(
            twin("-slave s -slave_cfg p.cfg -cmd_peers p.cfg"),
            named(Some(Side::Slave), "s")
        );
        for half in [
            "-master m",
            "-slave s",
            "-cmd_name n",
            "-slave_cfg p.cfg",
            "-cmd_peers p.cfg",
        ] {
            let fault = twin(half).expect_err(half);
            assert!(fault.contains("both the own name and the file"), "{fault}");
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        for (line, what) in [
            ("-master m -slave s -slave_cfg p", "exclude each other"),
            (
                "-cmd_name n -slave s -slave_cfg p",
                "not compatible with -master or -slave",
            ),
            ("-slave s -slave_cfg p -cmd_peers q", "different files"),
            ("-3pcc 127.0.0.1:1 -slave s -slave_cfg p", "for one twin"),
            ("-3pcc 127.0.0.1:1 -cmd_peers p", "for one twin"),
        ] {
            let fault = twin(line).expect_err(line);
            assert!(fault.contains(what), "{line}: {fault}");
        }
    }
}
