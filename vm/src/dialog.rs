// SPDX-License-Identifier: AGPL-3.0-only
//! Route set and remote target of `rrs="true"` (RFC 3261 §12.1).

use crate::call::Call;
use gossipper_sip::{HeaderName, Message, angle_or_whole, split_header_list};

/// Stores route set and remote target from a message, unless a route set is stored already. `false` when the message
/// has no Contact, so that nothing could be stored.
pub(crate) fn store_routes(call: &mut Call, msg: &Message<'_>) -> bool {
    if call
        .cold
        .as_ref()
        .is_some_and(|cold| !cold.routes.is_empty())
    {
        return true;
    }
    let Some(contact) = msg.header(HeaderName::Contact) else {
        return false;
    };
    let mut routes: Vec<&[u8]> = msg
        .values(HeaderName::RecordRoute)
        .flat_map(split_header_list)
        .collect();
    if !msg.is_request() {
        routes.reverse();
    }
    let strict = routes.iter().take_while(|route| !is_loose(route)).count();
    let mut target = angle_or_whole(contact);
    let mut contact_route = None;
    if strict > 0 {
        // The last strict router is what the request is sent to; the Contact ends the route set.
        target = angle_or_whole(routes[strict - 1]);
        contact_route = Some(contact);
    }
    let cold = call.cold_mut();
    cold.target.clear();
    cold.target.extend_from_slice(target);
    cold.routes.clear();
    let rest = routes.iter().skip(strict).copied().chain(contact_route);
    for (index, route) in rest.enumerate() {
        if index > 0 {
            cold.routes.extend_from_slice(b", ");
        }
        cold.routes.extend_from_slice(route);
    }
    true
}

/// Whether a route says that its proxy is a loose router (RFC 3261 §16.12).
fn is_loose(route: &[u8]) -> bool {
    memchr::memmem::find(route, b";lr").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;

    fn routes(text: &str) -> (String, String) {
        let mut call = call();
        let msg = Message::parse(text.as_bytes()).expect("a message");
        assert!(store_routes(&mut call, &msg));
        let cold = call.cold.expect("stored");
        (
            String::from_utf8(cold.routes).expect("ASCII"),
            String::from_utf8(cold.target).expect("ASCII"),
        )
    }

    #[test]
    fn a_response_reverses_the_route_set() {
        let (routes, target) = routes(
            "SIP/2.0 200 OK\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\nRecord-Route: <sip:c;lr>\r\n\
             Contact: <sip:bob@10.0.0.1>;expires=3\r\n\r\n",
        );
        assert_eq!(routes, "<sip:c;lr>, <sip:b;lr>, <sip:a;lr>");
        assert_eq!(target, "sip:bob@10.0.0.1");
    }

    #[test]
    fn a_request_keeps_the_order() {
        let (routes, _) = routes(
            "INVITE sip:x SIP/2.0\r\nRecord-Route: <sip:a;lr>,<sip:b;lr>\r\nContact: <sip:c>\r\n\r\n",
        );
        assert_eq!(routes, "<sip:a;lr>, <sip:b;lr>");
    }

    #[test]
    fn a_leading_strict_router_becomes_the_target() {
        let (routes, target) = routes(
            "INVITE sip:x SIP/2.0\r\nRecord-Route: <sip:a>, <sip:b;lr>\r\nContact: <sip:c>\r\n\r\n",
        );
        assert_eq!(routes, "<sip:b;lr>, <sip:c>");
        assert_eq!(target, "sip:a");
    }

    #[test]
    fn without_record_route_the_target_is_the_contact() {
        let (routes, target) = routes("SIP/2.0 200 OK\r\nContact: sip:c@d\r\n\r\n");
        assert_eq!((routes.as_str(), target.as_str()), ("", "sip:c@d"));
    }
}
