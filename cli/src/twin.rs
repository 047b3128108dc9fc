// SPDX-License-Identifier: AGPL-3.0-only
//! From the flags about twins and the commands of a scenario to the connections of a run.

use crate::flags::high::HiArgs;
use crate::flags::high::Refusal;
use crate::flags::host;
use crate::flags::twin::{Side, Twin};
use crate::stdio;
use gossipper_bytecode::{PeerId, Program, TwinRole};
use gossipper_runtime::config::LogForm;
use gossipper_runtime::twin::{TwinConfig, TwinPeer};
use gossipper_vm::TwinMode;
use std::net::SocketAddr;
use std::path::Path;

/// Largest file of peers that is read.
const PEERS_MAX: u64 = 1 << 20;

/// Finds the twins of a scenario with commands.
///
/// # Errors
/// Says what the scenario or the flags lack, and what to do about it.
pub(crate) fn config(
    args: &HiArgs,
    program: &Program,
) -> Result<Option<(TwinMode, TwinConfig)>, Refusal> {
    let name = &program.name;
    let Some(role) = program.link_role() else {
        if let (Some(Twin::One(_)), LogForm::Sipp) = (&args.twin, args.traces.form()) {
            return Err(Refusal::of_run(format!(
                "-3pcc: scenario `{name}` has neither sendCmd nor recvCmd"
            ))
            .in_sipps_words("TwinSipp Mode enabled but thirdPartyMode is different from 3PCC_CONTROLLER_B and 3PCC_CONTROLLER_A"));
        }
        if args.twin.is_some() {
            stdio::note(&format!(
                "the flags about twins have no effect: scenario `{name}` has neither sendCmd nor recvCmd"
            ));
        }
        return Ok(None);
    };
    if args.answerer.is_some() {
        return Err(format!(
            "-loopback has no twin, and scenario `{name}` has sendCmd or recvCmd: run each scenario in a process of \
             its own (docs/3pcc.md)"
        )
        .into());
    }
    match &args.twin {
        None => Err(Refusal::of_run(format!(
            "scenario `{name}` has sendCmd or recvCmd and needs a twin: give -3pcc HOST:PORT, or -master or -slave \
             with -slave_cfg"
        ))
        .in_sipps_words(
            "sendCmd message found in scenario but no twin sipp address has been passed! Use -3pcc option or 3pcc extended mode",
        )),
        Some(Twin::One(address)) => Ok(Some((
            TwinMode::One,
            match role {
                TwinRole::Caller | TwinRole::Called => TwinConfig::Connect(*address),
                TwinRole::Commanded => TwinConfig::Listen(*address),
            },
        ))),
        Some(Twin::Named {
            side,
            name: own,
            peers,
        }) => {
            check_side(name, role, *side)?;
            let file = Peers::read(peers)?;
            let listen = file.address(own).ok_or_else(|| {
                format!(
                    "command peer map does not contain local instance \"{own}\": add its line to `{}`",
                    peers.display()
                )
            })?;
            Ok(Some((
                TwinMode::Named,
                TwinConfig::Named {
                    listen,
                    peers: destinations(program, &file, peers)?,
                    connects_first: role != TwinRole::Commanded,
                },
            )))
        }
    }
}

/// Whether the scenario is what `-master` or `-slave` says.
fn check_side(name: &str, role: TwinRole, side: Option<Side>) -> Result<(), String> {
    match (role, side) {
        (TwinRole::Commanded, Some(Side::Master)) => Err(format!(
            "-master: scenario `{name}` receives a command before it sends one, which makes it a slave: use -slave"
        )),
        (TwinRole::Caller | TwinRole::Called, Some(Side::Slave)) => Err(format!(
            "-slave: scenario `{name}` sends a command before it receives one, which makes it a master: use -master"
        )),
        _ => Ok(()),
    }
}

/// The peers that the scenario's commands go to, with their addresses.
fn destinations(program: &Program, file: &Peers, path: &Path) -> Result<Vec<TwinPeer>, String> {
    let known = |id: PeerId| {
        let name = program.display(program.peers[id.index()]);
        let address = file.address(&name).ok_or_else(|| {
            format!(
                "scenario `{}` names the peer `{name}`, which has no line in `{}`",
                program.name,
                path.display()
            )
        });
        address.map(|address| TwinPeer { id, name, address })
    };
    let mut found: Vec<TwinPeer> = Vec::new();
    for id in program.twin_sends.iter().filter_map(|send| send.peer) {
        if found.iter().all(|peer| peer.id != id) {
            found.push(known(id)?);
        }
    }
    for id in program.twin_recvs.iter().filter_map(|recv| recv.peer) {
        known(id)?;
    }
    Ok(found)
}

/// Everybody's address.
#[derive(Debug, PartialEq, Eq)]
struct Peers(Vec<(String, SocketAddr)>);

impl Peers {
    fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let failed = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
        if std::fs::metadata(path).map_err(failed)?.len() > PEERS_MAX {
            return Err(format!("`{shown}` is larger than {PEERS_MAX} bytes"));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).map_err(|fault| format!("`{shown}`{fault}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut found: Vec<(String, SocketAddr)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |what: &str| format!(", line {}: {what}", index + 1);
            let (name, address) = line
                .split_once(';')
                .ok_or_else(|| fault("expected `name;host:port`"))?;
            // SIPp's lines may end with a semicolon.
            let (name, address) = (name.trim(), address.trim().trim_end_matches(';').trim_end());
            if name.is_empty() {
                return Err(fault("the name is empty"));
            }
            if found.iter().any(|(known, _)| known == name) {
                return Err(fault(&format!("`{name}` is there twice")));
            }
            let mut faults = Vec::new();
            match host::address(name, address, &mut faults) {
                Some(address) => found.push((name.to_owned(), address)),
                None => return Err(fault(&faults.join("; "))),
            }
        }
        if found.is_empty() {
            return Err(": cmd peer map is empty".to_owned());
        }
        Ok(Self(found))
    }

    fn address(&self, name: &str) -> Option<SocketAddr> {
        let mut peers = self.0.iter();
        peers.find(|(known, _)| known == name).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_peers_has_a_line_for_each() {
        let file = Peers::parse("# all\n\nm;127.0.0.1:6000\r\n s1 ; [::1]:6001;\n").expect("right");
        assert_eq!(file.address("m"), "127.0.0.1:6000".parse().ok());
        assert_eq!(file.address("s1"), "[::1]:6001".parse().ok());
        assert_eq!(file.address("s2"), None);
    }

    #[test]
    fn faults_in_a_file_of_peers_have_a_line() {
        for (text, fault) in [
            ("", ": cmd peer map is empty"),
            ("# nobody\n", ": cmd peer map is empty"),
            ("m 127.0.0.1:6000", ", line 1: expected `name;host:port`"),
            ("\n;127.0.0.1:6000", ", line 2: the name is empty"),
            (
                "m;127.0.0.1:1\nm;127.0.0.1:2",
                ", line 2: `m` is there twice",
            ),
            ("m;127.0.0.1", ", line 1: m: `127.0.0.1` is not HOST:PORT"),
        ] {
            assert_eq!(Peers::parse(text), Err(fault.to_owned()), "{text}");
        }
    }
}
