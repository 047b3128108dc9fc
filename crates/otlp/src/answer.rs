// SPDX-License-Identifier: AGPL-3.0-only
//! What a collector says to a request, and what follows from it.
//!
//! OTLP names the answers after which a request is to be repeated; after all others that would be in vain. A collector that
//! takes a part says how many records it has refused (`partial_success`). It may be anything that answers: nothing that
//! comes back can do more than spoil a line of text.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};

/// Bytes of a collector's own words that are kept.
const WORDS: usize = 200;

/// The longest pause that a collector can ask for.
const LONGEST_PAUSE: u64 = 60;

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It has been taken, but for so many records, for this reason.
    Taken(u64, String),
    /// Not now; perhaps after a pause that the collector has asked for.
    Later(Option<Duration>, String),
    /// It will never be.
    Refused(String),
}

/// A text of a peer, fit for a line.
fn words(text: &str) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let end = line.floor_char_boundary(WORDS);
    line[..end].trim().to_owned()
}

/// To a request over HTTP.
pub(crate) fn of_http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    if status.is_success() {
        return taken(body);
    }
    // The text of a `google.rpc.Status`, if it is one.
    let said = match field(body, 2) {
        Some(text) => format!(": {}", words(&String::from_utf8_lossy(text))),
        None => String::new(),
    };
    let why = format!("HTTP {status}{said}");
    match status.as_u16() {
        429 | 502 | 503 | 504 => {
            let seconds = headers.get(RETRY_AFTER).and_then(|value| {
                let seconds: u64 = value.to_str().ok()?.parse().ok()?;
                Some(seconds.min(LONGEST_PAUSE))
            });
            Outcome::Later(seconds.map(Duration::from_secs), why)
        }
        _ => Outcome::Refused(why),
    }
}

/// To a call of gRPC: the headers that came first, those that came last, and what was between.
pub(crate) fn of_grpc(
    http: StatusCode,
    headers: &HeaderMap,
    trailers: Option<&HeaderMap>,
    body: &[u8],
) -> Outcome {
    let get = |name: &str| {
        let found = trailers.and_then(|trailers| trailers.get(name));
        found.or_else(|| headers.get(name))?.to_str().ok()
    };
    let Some(status) = get("grpc-status") else {
        let why = format!("no answer of gRPC (HTTP {http})");
        return match http.as_u16() {
            429 | 502 | 503 | 504 => Outcome::Later(None, why),
            200 => Outcome::Later(None, "the answer of gRPC breaks off".to_owned()),
            _ => Outcome::Refused(why),
        };
    };
    if status == "0" {
        // One byte says whether it is compressed, which was not asked for; four how long it is.
        return taken(body.get(5..).unwrap_or_default());
    }
    let said = get("grpc-message").map_or_else(String::new, |said| format!(": {}", words(said)));
    let why = format!("gRPC status {}{said}", words(status));
    match status {
        // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        "1" | "4" | "8" | "10" | "11" | "14" | "15" => Outcome::Later(None, why),
        _ => Outcome::Refused(why),
    }
}

/// An `ExportLogsServiceResponse`.
fn taken(body: &[u8]) -> Outcome {
    let partial = field(body, 1).unwrap_or_default();
    let rejected = number(partial, 1).unwrap_or(0);
    let said = field(partial, 2).unwrap_or_default();
    Outcome::Taken(
        u64::try_from(rejected).unwrap_or(0),
        words(&String::from_utf8_lossy(said)),
    )
}

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Takes the first field off; `None` where nothing is left, or nothing that can be read.
fn next<'a>(message: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(message)?;
    let field = match key & 7 {
        0 => Field::Number(varint(message)?),
        1 => Field::Bytes(message.split_off(..8)?),
        2 => {
            let len = usize::try_from(varint(message)?).ok()?;
            Field::Bytes(message.split_off(..len)?)
        }
        5 => Field::Bytes(message.split_off(..4)?),
        _ => return None,
    };
    Some((key >> 3, field))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *message.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn field(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    while let Some((number, field)) = next(&mut message) {
        if let Field::Bytes(bytes) = field
            && number == wanted
        {
            return Some(bytes);
        }
    }
    None
}

fn number(mut message: &[u8], wanted: u64) -> Option<i64> {
    while let Some((number, field)) = next(&mut message) {
        if let Field::Number(value) = field
            && number == wanted
        {
            return Some(value.cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceResponse,
    };
    use proptest::prelude::*;
    use prost::Message as _;

    fn partial(rejected: i64, why: &str) -> Vec<u8> {
        ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: why.into(),
            }),
        }
        .encode_to_vec()
    }

    #[test]
    fn records_that_a_collector_refuses_are_counted() {
        let none = HeaderMap::new();
        let of = |body: &[u8]| of_http(StatusCode::OK, &none, body);
        assert_eq!(of(b""), Outcome::Taken(0, String::new()));
        assert_eq!(
            of(&partial(7, "too\nold")),
            Outcome::Taken(7, "tooold".into())
        );
        assert_eq!(of(&partial(-7, "")), Outcome::Taken(0, String::new()));
        let mut framed = vec![0; 5];
        framed.extend(partial(3, ""));
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("a value"));
        let of = |body: &[u8]| of_grpc(StatusCode::OK, &none, Some(&trailers), body);
        assert_eq!(of(&framed), Outcome::Taken(3, String::new()));
        assert_eq!(of(b""), Outcome::Taken(0, String::new()));
    }

    #[test]
    fn only_what_the_protocol_names_is_tried_again() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "3600".parse().expect("a value"));
        for (status, again) in [
            (400, false),
            (401, false),
            (404, false),
            (500, false),
            (429, true),
            (502, true),
            (503, true),
            (504, true),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let outcome = of_http(status, &headers, b"\x12\x03no\x07");
            let why = format!("HTTP {status}: no");
            let pause = Some(Duration::from_secs(LONGEST_PAUSE));
            let expected = if again {
                Outcome::Later(pause, why)
            } else {
                Outcome::Refused(why)
            };
            assert_eq!(outcome, expected);
        }
        for code in 1..=17 {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", code.to_string().parse().expect("a value"));
            let outcome = of_grpc(StatusCode::OK, &headers, None, b"");
            let again = [1, 4, 8, 10, 11, 14, 15].contains(&code);
            assert_eq!(matches!(outcome, Outcome::Later(..)), again, "{code}");
            assert_eq!(matches!(outcome, Outcome::Refused(_)), !again, "{code}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_back_is_survived(body in proptest::collection::vec(any::<u8>(), 0..64), status in 100_u16..600) {
            let status = StatusCode::from_u16(status).expect("a status");
            let headers = HeaderMap::new();
            let _ = of_http(status, &headers, &body);
            let outcome = of_grpc(status, &headers, None, &body);
            prop_assert!(!matches!(outcome, Outcome::Taken(..)), "nobody said that it was taken");
        }
    }
}
