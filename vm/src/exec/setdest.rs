// SPDX-License-Identifier: AGPL-3.0-only
//! `setdest`: another address for what the call sends from now on.
//!
//! Nothing is looked up here, because a resolver blocks: a host is an address in digits, or a name whose address the
//! driver has found before the run ([`crate::link::host_names`]). What SIPp ends its run for ends ours.
//!
//! A connection of the call's own is closed, and the next send makes one to the new address. One that calls share
//! cannot be moved.

use super::{Cx, Next};
use crate::call::Call;
use crate::call::regs::Value;
use core::net::{IpAddr, SocketAddr};
use gossipper_bytecode::{FailReason, TemplateId};

/// Both spellings of each transport that SIPp knows, and of WebSocket; the second is that of `[transport]`.
const PROTOCOLS: [[&str; 2]; 6] = [
    ["udp", "UDP"],
    ["tcp", "TCP"],
    ["tls", "TLS"],
    ["sctp", "SCTP"],
    ["ws", "WS"],
    ["wss", "WSS"],
];

pub(super) fn set_dest(
    cx: &mut Cx<'_>,
    call: &mut Call,
    host: TemplateId,
    port: TemplateId,
    protocol: TemplateId,
) -> Next {
    let mut text = |template| cx.action_text(call, template);
    let texts = text(host).and_then(|host| Ok((host, text(port)?, text(protocol)?)));
    let (host, port, protocol) = match texts {
        Ok(texts) => texts,
        Err(reason) => return Next::Drop(reason),
    };
    let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let known = PROTOCOLS
        .iter()
        .find(|names| names.iter().any(|name| name.as_bytes() == protocol));
    let fault = match known {
        None => Some(format!("unknown protocol `{}`", shown(&protocol))),
        Some([_, name]) if *name != cx.image.params.transport => Some(format!(
            "the protocol cannot change from {} to {name}",
            cx.image.params.transport
        )),
        Some([_, name]) if !cx.image.params.unreliable && !crate::flows::is_own(cx, call) => Some(
            format!("the connection over {name} is not the call's own; run with one per call"),
        ),
        Some(_) => None,
    };
    if let Some(fault) = fault {
        return Next::Drop(cx.fatal(&format!("setdest: {fault}")));
    }
    // A variable that holds a number prints decimals.
    let port = match Value::Text(&port).to_number().map(f64::trunc) {
        Some(number) if (1.0..=65_535.0).contains(&number) => number as u16,
        Some(_) | None => {
            return Next::Drop(cx.fatal(&format!("setdest: `{}` is no port", shown(&port))));
        }
    };
    let mut hosts = cx.image.params.hosts.iter();
    let address = numeric(&host).or_else(|| Some(hosts.find(|(name, _)| *name == host)?.1));
    match address {
        Some(ip) => {
            if !cx.image.params.unreliable {
                crate::flows::close_own(cx, call);
            }
            call.set_peer(SocketAddr::new(ip, port));
            Next::Fall
        }
        None => {
            let text = format!(
                "Call-Id: {}, setdest at step {}: `{}` is neither an address nor a name that was known before the run",
                String::from_utf8_lossy(&call.call_id),
                call.step,
                shown(&host)
            );
            cx.warn(text.as_bytes());
            Next::Drop(FailReason::ScenarioFault)
        }
    }
}

/// An address in digits, with or without brackets.
pub(crate) fn numeric(host: &[u8]) -> Option<IpAddr> {
    let host = core::str::from_utf8(host).ok()?.trim();
    match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(v6) => v6.parse().ok().filter(IpAddr::is_ipv6),
        None => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_digits_need_no_lookup() {
        assert_eq!(numeric(b" 192.0.2.7 "), "192.0.2.7".parse().ok());
        assert_eq!(numeric(b"[2001:db8::1]"), "2001:db8::1".parse().ok());
        assert_eq!(numeric(b"2001:db8::1"), "2001:db8::1".parse().ok());
        assert_eq!(numeric(b"[192.0.2.7]"), None);
        assert_eq!(numeric(b"host.example"), None);
        assert_eq!(numeric(b"\xff"), None);
    }
}
