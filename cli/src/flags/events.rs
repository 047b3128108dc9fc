// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about events say together: who is told of them, and of which.

use super::secure::SecureLow;
use crate::version;
use gossipper_runtime::config::{EventConfig, EventLevel, OtlpConfig, OtlpProtocol};
use gossipper_runtime::transport::tls::PeerCheck;
use std::path::PathBuf;
use std::time::Duration;

/// How long a collector may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was said about events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct EventsLow {
    /// `-log_stdout`.
    pub(crate) text: bool,
    /// `-log_file_jsonl`.
    pub(crate) file: Option<PathBuf>,
    /// `-log_otel_endpoint`.
    pub(crate) endpoint: Option<String>,
    /// `-log_otel_proto`.
    pub(crate) protocol: Option<OtlpProtocol>,
    /// `-log_otel_insecure`.
    pub(crate) insecure: Option<bool>,
    /// `-log_otel_header`.
    pub(crate) headers: Vec<(String, String)>,
    /// `-log_attr`.
    pub(crate) attributes: Vec<(String, String)>,
    /// `-log_buffer_size`.
    pub(crate) buffer: Option<usize>,
    /// `-log_level`.
    pub(crate) level: Option<EventLevel>,
}

/// A level.
pub(super) fn level(text: &str) -> Result<EventLevel, String> {
    Ok(match text {
        "debug" => EventLevel::Debug,
        "info" => EventLevel::Info,
        "warn" => EventLevel::Warn,
        "error" => EventLevel::Error,
        _ => return Err("log_level must be debug|info|warn|error".to_owned()),
    })
}

/// What is spoken with collectors.
pub(super) fn protocol(text: &str) -> Result<OtlpProtocol, String> {
    match text {
        "grpc" => Ok(OtlpProtocol::Grpc),
        "http" => Ok(OtlpProtocol::Http),
        _ => Err("log_otel_proto must be grpc or http".to_owned()),
    }
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// Headers, with commas between them.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let headers: Vec<_> = parts.map(pair).collect::<Result<_, _>>()?;
    for (name, value) in &headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if !name.chars().all(token) {
            return Err(format!("`{name}` is no name of a header"));
        }
        if !value.chars().all(|c| (' '..='~').contains(&c)) {
            return Err(format!("the value of `{name}` cannot stand in a header"));
        }
    }
    Ok(headers)
}

/// A collector's place.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
    path: String,
    /// Whether a scheme says that it speaks TLS.
    secure: Option<bool>,
}

fn place(text: &str) -> Option<Place> {
    let (secure, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Some(false), rest),
        Some(("https", rest)) => (Some(true), rest),
        Some(_) => return None,
        None => (None, text),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = match authority.strip_prefix('[') {
        Some(six) => {
            let (host, port) = six.split_once(']')?;
            let port = (!port.is_empty()).then(|| port.strip_prefix(':'));
            (host, port.map(Option::unwrap_or_default))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port @ 1..)) => Some(port),
        Some(_) => return None,
    };
    let graphic = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
    let whole = !host.is_empty() && graphic(host) && !host.contains('@') && graphic(path);
    whole.then(|| Place {
        host: host.to_owned(),
        port,
        path: path.to_owned(),
        secure,
    })
}

/// Checks that the flags agree. `env` is the environment.
pub(super) fn resolve(
    low: EventsLow,
    secure: &SecureLow,
    env: &dyn Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<EventConfig> {
    let of_collector = [
        (low.protocol.is_some(), "-log_otel_proto"),
        (low.insecure.is_some(), "-log_otel_insecure"),
        (!low.headers.is_empty(), "-log_otel_header"),
    ];
    let of_any = [
        (!low.attributes.is_empty(), "-log_attr"),
        (low.buffer.is_some(), "-log_buffer_size"),
        (low.level.is_some(), "-log_level"),
    ];
    let none = !low.text && low.file.is_none() && low.endpoint.is_none();
    if low.endpoint.is_none() {
        for (_, flag) in of_collector.iter().filter(|(given, _)| *given) {
            notes.push(format!("{flag} has no effect without -log_otel_endpoint"));
        }
    }
    if none {
        for (_, flag) in of_any.iter().filter(|(given, _)| *given) {
            notes.push(format!(
                "{flag} has no effect without -log_stdout, -log_file_jsonl or -log_otel_endpoint"
            ));
        }
        return None;
    }
    let endpoint = low.endpoint.clone();
    let otlp = endpoint.and_then(|text| collector(&text, &low, secure, env, faults, notes));
    Some(EventConfig {
        text: low.text,
        file: low.file,
        otlp,
        attributes: low.attributes,
        version: version::VERSION.to_owned(),
        buffer: low.buffer.unwrap_or(0),
        level: low.level.unwrap_or(EventLevel::Info),
    })
}

/// Whether the collector is spoken with over TLS, as far as the flags say.
pub(super) fn asks_for_tls(low: &EventsLow) -> bool {
    let place = low.endpoint.as_deref().and_then(place);
    place.is_some_and(|place| place.secure.unwrap_or_else(|| low.insecure != Some(true)))
}

fn collector(
    text: &str,
    low: &EventsLow,
    secure: &SecureLow,
    env: &dyn Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<OtlpConfig> {
    let Some(place) = place(text) else {
        faults.push(format!(
            "-log_otel_endpoint: `{text}` is neither HOST:PORT nor a URL with http: or https:"
        ));
        return None;
    };
    // What is said of logs alone comes first; empty is not said.
    let said = |name: &str| {
        let of = |infix: &str| {
            let name = format!("OTEL_EXPORTER_OTLP_{infix}{name}");
            let value = env(&name).filter(|value| !value.is_empty())?;
            Some((name, value))
        };
        of("LOGS_").or_else(|| of(""))
    };
    if low.insecure == Some(true) && place.secure == Some(true) {
        faults.push(format!(
            "-log_otel_insecure contradicts the https: of `{text}`"
        ));
    }
    let protocol = low.protocol.or_else(|| {
        let (name, value) = said("PROTOCOL")?;
        match value.as_str() {
            "grpc" => Some(OtlpProtocol::Grpc),
            "http/protobuf" => Some(OtlpProtocol::Http),
            _ => {
                faults.push(format!(
                    "{name}: `{value}` is not supported; grpc and http/protobuf are"
                ));
                None
            }
        }
    });
    let protocol = protocol.unwrap_or(OtlpProtocol::Grpc);
    let mut headers = Vec::new();
    if let Some((name, value)) = said("HEADERS") {
        match pairs(&value) {
            Ok(pairs) => headers = pairs.into_iter().map(|(k, v)| (k, decoded(&v))).collect(),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    // The command line counts more.
    let given = |name: &str| {
        let same = |(own, _): &(String, String)| own.eq_ignore_ascii_case(name);
        low.headers.iter().any(same)
    };
    headers.retain(|(name, _)| !given(name));
    headers.extend(low.headers.iter().cloned());
    let timeout = said("TIMEOUT").and_then(|(name, value)| match value.parse::<u64>() {
        Ok(ms @ 1..=3_600_000) => Some(Duration::from_millis(ms)),
        Ok(_) | Err(_) => {
            faults.push(format!("{name}: `{value}` is no time in ms"));
            None
        }
    });
    if let Some((name, value)) = said("COMPRESSION").filter(|(_, value)| value != "none") {
        notes.push(format!(
            "{name}: `{value}` is not supported, events go to the collector as they are"
        ));
    }
    let insecure = low
        .insecure
        .or_else(|| Some(said("INSECURE")?.1.eq_ignore_ascii_case("true")));
    let speaks_tls = place.secure.unwrap_or_else(|| insecure != Some(true));
    let tls = speaks_tls.then(|| {
        let mut tls = secure.towards_collector();
        // There are secrets among the headers.
        if secure.skip_verify != Some(true) {
            tls.check = PeerCheck::ChainAndName;
        }
        let file = |name| said(name).map(|(_, path)| PathBuf::from(path));
        tls.authorities = file("CERTIFICATE").or(tls.authorities);
        tls.certificate = file("CLIENT_CERTIFICATE").or(tls.certificate);
        tls.key = file("CLIENT_KEY").or(tls.key);
        Box::new(tls)
    });
    if protocol == OtlpProtocol::Grpc && !matches!(&*place.path, "" | "/") {
        notes.push(format!(
            "-log_otel_endpoint: gRPC has a path of its own, `{}` has no effect",
            place.path
        ));
    }
    Some(OtlpConfig {
        port: place.port.unwrap_or(match protocol {
            OtlpProtocol::Grpc => 4317,
            OtlpProtocol::Http => 4318,
        }),
        path: match &*place.path {
            "" | "/" => "/v1/logs".to_owned(),
            path => path.to_owned(),
        },
        protocol,
        host: place.host,
        headers,
        timeout: timeout.unwrap_or(TIMEOUT),
        tls,
    })
}

/// A value of a header as the environment has it, with its escapes resolved where they make sense.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        match byte.filter(|byte| (b' '..=b'~').contains(byte)) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    struct Told {
        config: Option<EventConfig>,
        faults: Vec<String>,
        notes: Vec<String>,
    }

    fn told(line: &str, env: &[(&str, &str)]) -> Told {
        let line = format!("-sn uas {line}");
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Gossipper, &args);
        let mut faults: Vec<String> = parsed.faults.iter().map(ToString::to_string).collect();
        let mut notes = Vec::new();
        let env = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let low = parsed.low;
        let config = resolve(low.events, &low.secure, &env, &mut faults, &mut notes);
        Told {
            config,
            faults,
            notes,
        }
    }

    fn otlp(line: &str, env: &[(&str, &str)]) -> OtlpConfig {
        let told = told(line, env);
        assert_eq!(told.faults, Vec::<String>::new(), "{line}");
        told.config.and_then(|config| config.otlp).expect(line)
    }

    #[test]
    fn a_collector_is_named_by_place_or_by_url() {
        let plain = otlp("-log_otel_endpoint collector:9999 -log_otel_insecure", &[]);
        assert_eq!((&*plain.host, plain.port), ("collector", 9999));
        assert_eq!((plain.protocol, plain.tls), (OtlpProtocol::Grpc, None));
        assert_eq!(plain.timeout, TIMEOUT);
        let http = otlp("-log_otel_endpoint http://c -log_otel_proto http", &[]);
        assert_eq!((http.port, &*http.path, http.tls), (4318, "/v1/logs", None));
        let six = otlp(
            "-log_otel_endpoint https://[::1]:1/own -log_otel_proto http",
            &[],
        );
        assert_eq!((&*six.host, six.port, &*six.path), ("::1", 1, "/own"));
        let tls = six.tls.expect("https");
        assert_eq!(tls.check, PeerCheck::ChainAndName);
        let safe = otlp("-log_otel_endpoint c -tls_ca ca.pem", &[]);
        assert_eq!(safe.port, 4317);
        let tls = safe.tls.expect("TLS unless told otherwise");
        assert_eq!(tls.authorities, Some("ca.pem".into()));
        let lab = otlp("-log_otel_endpoint c -tls_skip_verify", &[]);
        assert_eq!(lab.tls.expect("TLS").check, PeerCheck::Nothing);
        for bad in [
            "", ":1", "ftp://x", "h:0", "h:port", "http://", "[::1", "u@h:1", "[::1]1",
        ] {
            let told = told(&format!("-log_otel_endpoint={bad}"), &[]);
            let said = told
                .faults
                .iter()
                .any(|fault| fault.contains("-log_otel_endpoint"));
            assert!(said, "{bad}: {:?}", told.faults);
        }
    }

    #[test]
    fn the_environment_counts_where_the_command_line_is_silent() {
        let env = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=general"),
            (
                "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
                "authorization=Bearer%20x,b=2",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
        ];
        let line = "-log_otel_endpoint c -log_otel_header B=3,c=4 -log_otel_header d=e=f";
        let config = otlp(line, &env);
        let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
        let headers = [
            ("authorization", "Bearer x"),
            ("B", "3"),
            ("c", "4"),
            ("d", "e=f"),
        ];
        assert_eq!(config.headers, headers.map(pair));
        assert_eq!(config.timeout, Duration::from_millis(1500));
        assert_eq!((config.protocol, config.port), (OtlpProtocol::Http, 4318));
        assert_eq!(config.tls, None);
        assert!(
            told(line, &env)
                .notes
                .iter()
                .any(|note| note.contains("COMPRESSION"))
        );
        assert_eq!(
            otlp("-log_otel_endpoint c -log_otel_proto grpc", &env).port,
            4317
        );
        for bad in [
            ("PROTOCOL", "http/json"),
            ("TIMEOUT", "soon"),
            ("HEADERS", "x"),
        ] {
            let name = format!("OTEL_EXPORTER_OTLP_{}", bad.0);
            let told = told("-log_otel_endpoint c", &[(&name, bad.1)]);
            assert!(
                told.faults.iter().any(|fault| fault.contains(&name)),
                "{name}"
            );
        }
        // Without the flag nobody is told anything.
        assert_eq!(
            told("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")]).config,
            None
        );
    }

    #[test]
    fn what_cannot_be_is_refused_and_what_has_no_effect_is_said() {
        for (line, fault) in [
            ("-log_level loud", "log_level must be debug|info|warn|error"),
            ("-log_otel_proto udp", "log_otel_proto must be grpc or http"),
            ("-log_attr x", "`x` is not NAME=VALUE"),
            ("-log_otel_header a\u{1}b=c", "no name of a header"),
            ("-log_otel_header a=\u{e9}", "cannot stand in a header"),
            (
                "-log_otel_endpoint https://c -log_otel_insecure",
                "contradicts",
            ),
            ("-log_buffer_size -1", "log_buffer_size"),
        ] {
            let told = told(line, &[]);
            assert!(
                told.faults.iter().any(|said| said.contains(fault)),
                "{line}: {:?}",
                told.faults
            );
        }
        let useless = told(
            "-log_attr a=b -log_level warn -log_buffer_size 5 -log_otel_insecure",
            &[],
        );
        assert_eq!(useless.config, None);
        for flag in [
            "-log_attr",
            "-log_level",
            "-log_buffer_size",
            "-log_otel_insecure",
        ] {
            assert!(
                useless.notes.iter().any(|note| note.starts_with(flag)),
                "{flag}"
            );
        }
        let text = told(
            "-log_stdout -log_attr a=b -log_level warn -log_buffer_size 5",
            &[],
        );
        assert_eq!(text.notes, Vec::<String>::new());
        let config = text.config.expect("lines");
        assert_eq!(
            (config.buffer, config.level, config.text),
            (5, EventLevel::Warn, true)
        );
    }
}
