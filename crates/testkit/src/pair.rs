// SPDX-License-Identifier: AGPL-3.0-only
//! Two scenarios that talk to each other: compile, link, join.

use crate::net::Net;
use crate::world::{NodeId, World};
use gossipper_compiler::{Options, compile};
use gossipper_vm::{Image, RunParams};
use std::net::SocketAddr;
use std::sync::Arc;

/// Address of the calling side.
pub const CLIENT: &str = "192.0.2.1:5060";

/// Address of the answering side.
pub const SERVER: &str = "192.0.2.2:5060";

/// A caller and an answerer in one world.
pub struct Pair {
    /// Where they live.
    pub world: World,
    /// The calling side.
    pub client: NodeId,
    /// The answering side.
    pub server: NodeId,
}

/// Compiles a scenario.
///
/// # Panics
/// When it does not compile, with the diagnostics.
#[must_use]
pub fn program(name: &str, xml: &str) -> Arc<gossipper_bytecode::Program> {
    program_with_keys(name, xml, &[])
}

/// Compiles a scenario with values of `-key`.
///
/// # Panics
/// When it does not compile, with the diagnostics.
#[must_use]
pub fn program_with_keys(
    name: &str,
    xml: &str,
    keys: &[(&str, &str)],
) -> Arc<gossipper_bytecode::Program> {
    let options = Options {
        name: name.to_owned(),
        keys: keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        ..Options::default()
    };
    program_with(xml, &options)
}

/// Compiles a scenario that may name these injection files.
///
/// # Panics
/// When it does not compile, with the diagnostics.
#[must_use]
pub fn program_with_files(
    name: &str,
    xml: &str,
    files: &[&str],
) -> Arc<gossipper_bytecode::Program> {
    let options = Options {
        name: name.to_owned(),
        injection: files.iter().map(|file| (*file).to_owned()).collect(),
        ..Options::default()
    };
    program_with(xml, &options)
}

fn program_with(xml: &str, options: &Options) -> Arc<gossipper_bytecode::Program> {
    let name = &options.name;
    let compiled = compile(&format!("{name}.xml"), xml.as_bytes(), options);
    let diagnostics = compiled.diagnostics;
    Arc::new(
        compiled
            .program
            .unwrap_or_else(|| panic!("{name} does not compile: {diagnostics:#?}")),
    )
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address literal")
}

/// Parameters of the calling side.
#[must_use]
pub fn client_params() -> RunParams {
    let (local, remote) = (address(CLIENT), address(SERVER));
    RunParams {
        destination: Some(remote),
        remote: Some(remote),
        remote_host: remote.ip().to_string().into_bytes(),
        ..local_params(local)
    }
}

/// Parameters of the answering side.
#[must_use]
pub fn server_params() -> RunParams {
    local_params(address(SERVER))
}

fn local_params(local: SocketAddr) -> RunParams {
    RunParams {
        local_ip: local.ip(),
        local_port: local.port(),
        server_ip: local.ip(),
        media_ip: local.ip(),
        ..RunParams::default()
    }
}

impl Pair {
    /// Joins a client and a server scenario. Both get the seed; `adjust` may change the parameters of both sides.
    ///
    /// # Panics
    /// When a scenario does not compile or link.
    #[must_use]
    pub fn new(
        seed: u64,
        net: Net,
        client: (&str, &str),
        server: (&str, &str),
        adjust: impl Fn(&mut RunParams),
    ) -> Self {
        Self::of(
            seed,
            net,
            &program(client.0, client.1),
            &program(server.0, server.1),
            adjust,
        )
    }

    /// The same with compiled scenarios, for many runs of one pair.
    ///
    /// # Panics
    /// When a program does not link.
    #[must_use]
    pub fn of(
        seed: u64,
        net: Net,
        client: &Arc<gossipper_bytecode::Program>,
        server: &Arc<gossipper_bytecode::Program>,
        adjust: impl Fn(&mut RunParams),
    ) -> Self {
        let mut world = World::new(seed, net);
        let link = |program: &Arc<_>, mut params: RunParams| {
            params.seed = seed;
            adjust(&mut params);
            Arc::new(Image::link(Arc::clone(program), params).expect("the program links"))
        };
        let caller = link(client, client_params());
        let answerer = link(server, server_params());
        let client = world.add("uac", address(CLIENT), caller);
        let server = world.add("uas", address(SERVER), answerer);
        Self {
            world,
            client,
            server,
        }
    }
}
