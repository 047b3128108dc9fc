// SPDX-License-Identifier: AGPL-3.0-only
//! The sockets of a run, and what its connections are made of.

use std::net::SocketAddr;

use gossipper_bytecode::Mode;
use gossipper_vm::Micros;

use crate::config::EngineConfig;
use crate::error::Error;
use crate::flows::{Ends, FlowSetup, Make, Reconnects, SocketOptions, Wrap};
use crate::transport::SIP_PORT;
use crate::transport::udp::{self, Bound};

/// Binds what a scenario needs: a socket, or a listener for connections.
pub(super) fn bind(config: &EngineConfig, remote: Option<SocketAddr>) -> Result<Bound, Error> {
    if config.transport.stream.is_none() {
        return udp::bind(&config.local, &config.socket, remote);
    }
    let shared = own_port(config).is_some();
    udp::listen(&config.local, &config.socket, remote, shared)
}

/// The port of the one connection of a client, where the command line names it: that of the listener.
fn own_port(config: &EngineConfig) -> Option<u16> {
    let one = config.program.mode() == Mode::Client && !config.transport.per_call;
    config.local.port.filter(|port| one && *port != 0)
}

/// Descriptors that are not for connections: logs, programs, reactors, the terminal.
const RESERVED_DESCRIPTORS: usize = 64;

/// How many sockets the process can have, after asking for as many as it may have.
pub(crate) fn room() -> usize {
    match crate::sys::raise_open_files() {
        Ok(Some(limit)) => usize::try_from(limit.now)
            .unwrap_or(usize::MAX)
            .saturating_sub(RESERVED_DESCRIPTORS),
        // Whoever cannot be asked says so when it is too much.
        Ok(None) | Err(_) => usize::MAX,
    }
}

/// Who connects to whom.
fn ends(config: &EngineConfig) -> Ends<'_> {
    Ends {
        serves: config.program.mode() == Mode::Server,
        host: &config.params.remote_host,
        calls: config.sending_address.or(config.remote),
        port: config
            .remote
            .or(config.sending_address)
            .map_or(SIP_PORT, |remote| remote.port()),
    }
}

/// What connections and sockets of calls are made of, if there are any.
pub(super) fn flow_setup(
    config: &EngineConfig,
    bound: &mut Bound,
) -> Result<Option<FlowSetup>, Error> {
    let transport = &config.transport;
    let make = match &transport.stream {
        Some(kind) => Make::Streams(Wrap::of(kind, &ends(config))?),
        None if config.params.per_call => Make::Datagrams,
        None => return Ok(None),
    };
    let calls = config.program.mode() == Mode::Client || config.sending_address.is_some();
    let is_stream = transport.stream.is_some();
    Ok(Some(FlowSetup {
        make,
        sockets: SocketOptions {
            from: Some(bound.address.ip()).filter(|ip| !ip.is_unspecified()),
            port: own_port(config),
            buffer_bytes: config.socket.buffer_bytes,
            device: config.socket.device.clone(),
        },
        listener: bound.listener.take(),
        main: config
            .sending_address
            .or(config.remote)
            .filter(|_| is_stream && calls && !transport.per_call),
        most: transport.max_sockets.min(room()).max(1),
        shard: 0,
        reconnects: Reconnects::new(transport.reconnects),
        reconnect_sleep: transport.reconnect_sleep,
        reconnect_close: transport.reconnect_close,
        send_timeout: transport
            .send_timeout
            .map(|limit| Micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX))),
        max_message: transport.max_message_bytes,
        locals: None,
    }))
}
