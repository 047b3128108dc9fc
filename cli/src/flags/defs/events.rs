// SPDX-License-Identifier: AGPL-3.0-only
//! Events for people and collectors.

use crate::flags::events::{level, pair, pairs, protocol};
use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["log_stdout"],
        arg: Arg::Switch(|low, on| low.events.text = on),
        default: Default::None,
        short: "Tell what happens in lines of text, on standard error.",
        long: "A line per event: time, level, kind, a few words, attributes in the order of their names. The name is an old one: \
               standard output stays with the results. On a terminal it takes the place of the screens.",
    },
    Flag {
        names: &["log_file_jsonl"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.events.file = Some(path),
        },
        default: Default::None,
        short: "Tell what happens in lines of JSON, in this file.",
        long: "An object per event with `time`, `level`, `kind`, `message` and `attributes`; docs/events.md has all kinds. Written \
               beside the run: when the disk is full the run goes on, and what is missing is counted and said.",
    },
    Flag {
        names: &["log_otel_endpoint"],
        arg: Arg::Text {
            metavar: "HOST:PORT|URL",
            set: |low, text| {
                low.events.endpoint = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "Tell what happens to this collector of OpenTelemetry, as OTLP logs.",
        long: "Over TLS, unless it is an http: URL or -log_otel_insecure is given; the collector's certificate is then checked \
               against -tls_ca or the system's authorities, but for -tls_skip_verify. Ports are 4317 (grpc) and 4318 (http) where none is named, the path over \
               HTTP is /v1/logs. Of the environment, OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _PROTOCOL, _INSECURE, _CERTIFICATE, \
               _CLIENT_CERTIFICATE and _CLIENT_KEY count, and the same with _LOGS. A collector that is away or slow is tried again \
               and never waited for; what it misses is counted and said.",
    },
    Flag {
        names: &["log_otel_proto"],
        arg: Arg::Text {
            metavar: "grpc|http",
            set: |low, text| {
                low.events.protocol = Some(protocol(&text)?);
                Ok(())
            },
        },
        default: Default::Same("grpc"),
        short: "What is spoken with the collector.",
        long: "",
    },
    Flag {
        names: &["log_otel_insecure"],
        arg: Arg::Switch(|low, on| low.events.insecure = Some(on)),
        default: Default::None,
        short: "Speak with the collector without TLS.",
        long: "",
    },
    Flag {
        names: &["log_otel_header"],
        arg: Arg::Text {
            metavar: "NAME=VALUE",
            set: |low, text| {
                low.events.headers.extend(pairs(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "A header for the collector, say with a token; may be repeated.",
        long: "Several may stand in one, with commas between them.",
    },
    Flag {
        names: &["log_attr"],
        arg: Arg::Text {
            metavar: "NAME=VALUE",
            set: |low, text| {
                low.events.attributes.push(pair(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "An attribute of this program in what it tells; may be repeated.",
        long: "For collectors an attribute of the resource, beside service.name, service.version and gossipper.role; in lines of \
               JSON a member of `resource`, in lines of text at the end.",
    },
    Flag {
        names: &["log_buffer_size"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 16_777_216),
            set: |low, size| low.events.buffer = usize::try_from(size).ok(),
        },
        default: Default::Same("16384"),
        short: "Events that wait at most; more take the place of the oldest.",
        long: "Calls never wait. What is overwritten is counted, and is `dropped_logs` of the last event. A call of the built-in \
               scenarios is about ten events: ten times the rate, times the seconds that a disk may stall. 0 is the default.",
    },
    Flag {
        names: &["log_level"],
        arg: Arg::Text {
            metavar: "debug|info|warn|error",
            set: |low, text| {
                low.events.level = Some(level(&text)?);
                Ok(())
            },
        },
        default: Default::Same("info"),
        short: "The least level of events that are told.",
        long: "warn leaves messages and calls that succeed out, and costs little; debug adds the whole of each message, up to 4 KiB, \
               as sip.message.",
    },
];
