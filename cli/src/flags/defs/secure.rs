// SPDX-License-Identifier: AGPL-3.0-only
//! TLS and WebSocket.

use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["tls_cert"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.secure.certificate = Some(path),
        },
        default: Default::Differs("cacert.pem", "none"),
        short: "Own certificate (PEM), with those that lead to its authority.",
        long: "A server needs one; a client shows it to a server that asks. SIPp sends the first certificate of the \
               file only and ends when the default file is missing; here all are sent, and a client goes without.",
    },
    Flag {
        names: &["tls_key"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.secure.key = Some(path),
        },
        default: Default::Differs("cakey.pem", "looked for in the file of -tls_cert"),
        short: "The key of the certificate (PEM), without a pass phrase.",
        long: "RSA of 2048 bits or more, or EC P-256, P-384 or P-521, in PKCS #8, PKCS #1 or SEC 1 form.",
    },
    Flag {
        names: &["tls_ca"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.secure.authorities = Some(path),
        },
        default: Default::None,
        short: "Check the certificates of peers against these authorities (PEM).",
        long: "A server then insists that clients have one. Names are not compared, as in SIPp; \
               see -tls_skip_verify.",
    },
    Flag {
        names: &["tls_crl"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.secure.revoked = Some(path),
        },
        default: Default::None,
        short: "Refuse the certificates that these revocation lists (PEM) name.",
        long: "Needs -tls_ca, and a list of every authority between a peer and those.",
    },
    Flag {
        names: &["tls_version"],
        arg: Arg::Text {
            metavar: "VERSION",
            set: |low, text| {
                low.secure.version = Some(text.parse()?);
                Ok(())
            },
        },
        default: Default::Same("1.2 and 1.3"),
        short: "Speak only this version of TLS: 1.2 or 1.3.",
        long: "SIPp's 1.0 and 1.1 are refused: RFC 8996 withdrew them.",
    },
    Flag {
        names: &["tls_skip_verify"],
        arg: Arg::Switch(|low, on| low.secure.skip_verify = Some(on)),
        default: Default::Same("true, unless -tls_ca is given"),
        short: "Take any certificate of a peer.",
        long: "-tls_skip_verify=false checks those of servers against -tls_ca, or the authorities of the system, and \
               that they name the remote host.",
    },
    Flag {
        names: &["tls_resume"],
        arg: Arg::Switch(|low, on| low.secure.resume = Some(on)),
        default: Default::Same("false"),
        short: "Resume the TLS session of an earlier connection where the peer agrees.",
        long: "Off, every connection is a whole handshake, as that of a phone that connects for the first time. On, \
               a server gives tickets and a client uses each once.",
    },
    Flag {
        names: &["ws_path"],
        arg: Arg::Text {
            metavar: "PATH",
            set: |low, text| {
                low.secure.ws_path = Some(text);
                Ok(())
            },
        },
        default: Default::Same("/"),
        short: "The path that a WebSocket client asks for.",
        long: "Begins with a slash; may have a query. A server takes any.",
    },
    Flag {
        names: &["ws_host"],
        arg: Arg::Text {
            metavar: "HOST[:PORT]",
            set: |low, text| {
                low.secure.ws_host = Some(text);
                Ok(())
            },
        },
        default: Default::Same("the remote host"),
        short: "The Host header of a WebSocket client.",
        long: "For servers behind a proxy that tells them apart by it.",
    },
    Flag {
        names: &["ws_origin"],
        arg: Arg::Text {
            metavar: "ORIGIN",
            set: |low, text| {
                low.secure.ws_origin = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "The Origin header of a WebSocket client, such as https://phone.example.",
        long: "Browsers send one, and some servers want a known one.",
    },
    Flag {
        names: &["ws_protocol"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.secure.ws_protocol = Some(text);
                Ok(())
            },
        },
        default: Default::Same("sip"),
        short: "The WebSocket sub-protocol that both sides insist on.",
        long: "RFC 7118 has `sip` and no other.",
    },
];
