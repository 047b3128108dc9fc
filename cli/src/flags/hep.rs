// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about HEP say together: the collector that messages are mirrored to.

use super::host;
use super::secure::SecureLow;
use gossipper_runtime::config::{HepConfig, HepMedia, HepRtcp, HepTransport};
use std::net::SocketAddr;

/// What was said about HEP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct HepLow {
    /// `-hep_addr`.
    pub(crate) address: Option<String>,
    /// `-hep_capture_id`.
    pub(crate) capture_id: Option<u32>,
    /// `-hep_password`.
    pub(crate) password: Option<String>,
    /// `-hep_raw_rtcp`.
    pub(crate) raw_rtcp: bool,
    /// `-hep_homer_lake_rtcp`.
    pub(crate) json_rtcp: bool,
    /// `-send_media_report`.
    pub(crate) reports: bool,
}

/// What carries packets to the collector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Carrier {
    Udp,
    Tcp,
    Tls,
}

/// The collector, found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hep {
    carrier: Carrier,
    host: String,
    address: SocketAddr,
    capture_id: u32,
    password: Option<String>,
    media: HepMedia,
}

/// Checks that the flags agree, and asks for the address of the collector.
pub(super) fn resolve(
    low: HepLow,
    scale: bool,
    faults: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<Hep> {
    let of_media = [
        (low.raw_rtcp, "-hep_raw_rtcp"),
        (low.json_rtcp, "-hep_homer_lake_rtcp"),
        (low.reports, "-send_media_report"),
    ];
    for (_, flag) in of_media.iter().filter(|(given, _)| *given && scale) {
        notes.push(format!(
            "{flag} has no effect with -media_scale: nothing is told of streams that are only sent"
        ));
    }
    let Some(text) = low.address else {
        let useless = [
            (low.capture_id.is_some(), "-hep_capture_id"),
            (low.password.is_some(), "-hep_password"),
        ];
        let useless = useless.iter().chain(&of_media);
        for (_, flag) in useless.filter(|(given, _)| *given) {
            notes.push(format!("{flag} has no effect without -hep_addr"));
        }
        return None;
    };
    let (carrier, place) = split(&text);
    let address = host::address("-hep_addr", place, faults)?;
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    Some(Hep {
        carrier,
        host: host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned(),
        address,
        capture_id: low.capture_id.unwrap_or(0),
        // An empty one is none.
        password: low.password.filter(|password| !password.is_empty()),
        media: HepMedia {
            rtcp: match (low.json_rtcp, low.raw_rtcp) {
                (true, _) => Some(HepRtcp::Json),
                (false, true) => Some(HepRtcp::Raw),
                (false, false) => None,
            },
            reports: low.reports,
        },
    })
}

/// Takes what carries the packets off; UDP where it is not said.
fn split(text: &str) -> (Carrier, &str) {
    let carriers = [
        ("udp:", Carrier::Udp),
        ("tcp:", Carrier::Tcp),
        ("tls:", Carrier::Tls),
    ];
    carriers
        .into_iter()
        .find_map(|(prefix, carrier)| Some((carrier, text.strip_prefix(prefix)?)))
        .unwrap_or((Carrier::Udp, text))
}

/// Whether this value of `-hep_addr` asks for TLS.
pub(super) fn asks_for_tls(low: &HepLow) -> bool {
    low.address
        .as_deref()
        .is_some_and(|text| split(text).0 == Carrier::Tls)
}

impl Hep {
    /// What the runtime is told.
    pub(crate) fn config(&self, secure: &SecureLow) -> HepConfig {
        HepConfig {
            transport: match self.carrier {
                Carrier::Udp => HepTransport::Udp,
                Carrier::Tcp => HepTransport::Tcp,
                Carrier::Tls => HepTransport::Tls(Box::new(secure.towards_collector())),
            },
            host: self.host.clone(),
            address: self.address,
            capture_id: self.capture_id,
            password: self.password.clone(),
            media: self.media,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::high::HiArgs;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    fn args(line: &str) -> Result<HiArgs, String> {
        let line = format!("-sn uas {line}");
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Gossipper, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        HiArgs::resolve(parsed.low).map_err(|refusal| refusal.faults.join("\n"))
    }

    fn config(line: &str) -> HepConfig {
        let args = args(line).expect(line);
        args.hep.expect("a collector").config(&args.secure)
    }

    #[test]
    fn the_collector_is_named_with_what_carries_the_packets() {
        let plain = config("-hep_addr 127.0.0.1:9060");
        assert_eq!(plain.transport, HepTransport::Udp);
        assert_eq!(plain.address, "127.0.0.1:9060".parse().expect("an address"));
        assert_eq!((plain.capture_id, plain.password), (0, None));
        assert_eq!(
            config("-hep_addr udp:127.0.0.1:1").transport,
            HepTransport::Udp
        );
        assert_eq!(
            config("-hep_addr tcp:[::1]:9061").transport,
            HepTransport::Tcp
        );
        assert_eq!(config("-hep_addr tcp:[::1]:9061").host, "::1");
        let all = config(
            "-hep_addr tls:localhost:9062 -hep_capture_id 4294967295 -hep_password secret -tls_ca ca.pem",
        );
        let HepTransport::Tls(tls) = all.transport else {
            panic!("{all:?}");
        };
        assert_eq!(tls.authorities, Some("ca.pem".into()));
        assert_eq!(all.host, "localhost");
        assert_eq!(all.capture_id, u32::MAX);
        assert_eq!(all.password.as_deref(), Some("secret"));
    }

    #[test]
    fn what_is_told_of_media_is_asked_for_and_json_counts_more() {
        for (flags, rtcp, reports) in [
            ("", None, false),
            ("-hep_raw_rtcp", Some(HepRtcp::Raw), false),
            ("-hep_raw_rtcp -hep_raw_rtcp=false", None, false),
            ("-hep_homer_lake_rtcp", Some(HepRtcp::Json), false),
            (
                "-hep_raw_rtcp -hep_homer_lake_rtcp",
                Some(HepRtcp::Json),
                false,
            ),
            ("-send_media_report", None, true),
        ] {
            let media = config(&format!("-hep_addr 127.0.0.1:1 {flags}")).media;
            assert_eq!(media, HepMedia { rtcp, reports }, "{flags}");
        }
        let none = args("-hep_raw_rtcp -send_media_report").expect("valid");
        let said = |flag: &str| none.notes.iter().any(|note| note.starts_with(flag));
        assert!(said("-hep_raw_rtcp") && said("-send_media_report"));
        let scale = args("-media_scale -hep_addr 127.0.0.1:1 -hep_raw_rtcp").expect("valid");
        assert!(
            scale.notes.iter().any(|note| note.contains("-media_scale")),
            "{:?}",
            scale.notes
        );
    }

    #[test]
    fn what_has_no_effect_is_said_and_what_cannot_be_is_refused() {
        let none = args("-hep_capture_id 7 -hep_password x").expect("valid");
        assert_eq!(none.hep, None);
        let said = |flag: &str| none.notes.iter().any(|note| note.starts_with(flag));
        assert!(said("-hep_capture_id") && said("-hep_password"));
        // The collector has a use for it, whatever SIP goes over.
        let tls = args("-hep_addr tls:127.0.0.1:1 -tls_ca ca.pem").expect("valid");
        assert_eq!(tls.notes, Vec::<String>::new());
        for bad in [
            "127.0.0.1",
            "tcp:9060",
            "sctp:127.0.0.1:9060",
            "udp:",
            "h:0",
        ] {
            let fault = args(&format!("-hep_addr {bad}")).expect_err(bad);
            assert!(fault.contains("-hep_addr"), "{fault}");
        }
    }
}
