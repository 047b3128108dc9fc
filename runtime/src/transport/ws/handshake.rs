// SPDX-License-Identifier: AGPL-3.0-only
//! The HTTP request and response that open a WebSocket connection (RFC 6455 §4, RFC 7118 §4.1).
//!
//! A client writes [`request`] and hands what comes to [`read_response`]; a server hands what comes to [`read_request`] and
//! writes what that answers. Both sides insist on the sub-protocol. Bytes behind the empty line are the first frames.

use sha1::{Digest as _, Sha1};

use super::WsConfig;

/// The longest head of a request or response.
pub const MAX_HEAD_BYTES: usize = 8 * 1024;

/// RFC 6455 §1.3.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Header lines looked at; browsers send about fifteen.
const MAX_LINES: usize = 100;

/// Why a connection does not become a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The peer's head does not end.
    #[error("the peer's HTTP head is longer than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    /// What came is not HTTP.
    #[error("the peer does not speak HTTP; is it the right port?")]
    NotHttp,
    /// The server answers something other than 101.
    #[error("the server refuses the WebSocket: HTTP {status}; are -ws_path and -ws_host right?")]
    Status {
        /// Its status line, without the version.
        status: String,
    },
    /// A header that the protocol needs is not there or wrong.
    #[error("the peer's handshake has no proper `{0}` header")]
    Header(&'static str),
    /// The client asks for something else than a WebSocket.
    #[error("the client asks for no WebSocket")]
    NoUpgrade,
    /// The client speaks another version.
    #[error("the client speaks another version of WebSocket than 13")]
    Version,
    /// The other side does not do SIP.
    #[error("the peer does not agree to the sub-protocol `{wanted}` (-ws_protocol)")]
    Protocol {
        /// What was to be agreed.
        wanted: String,
    },
}

impl Refused {
    /// What a server answers before it closes.
    #[must_use]
    pub fn response(&self) -> &'static [u8] {
        match self {
            Self::Version => {
                b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::NoUpgrade => {
                b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n"
            }
            Self::TooLong => {
                b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            }
            _ => b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        }
    }
}

/// The request of a client. `authority` is the remote host and port, for the Host header where none is configured; `nonce`
/// tells answers of this server from stored ones.
#[must_use]
pub fn request(config: &WsConfig, authority: &str, nonce: [u8; 16]) -> Vec<u8> {
    let host = config.host.as_deref().unwrap_or(authority);
    let mut text = format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: {}\r\nSec-WebSocket-Version: 13\r\n",
        config.path,
        base64(&nonce),
        config.protocol,
    );
    if let Some(origin) = &config.origin {
        text.push_str("Origin: ");
        text.push_str(origin);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Reads the answer to a request with this nonce: the length of its head, `None` when more bytes are needed.
///
/// # Errors
/// When the server refuses, or does not prove that it understood.
pub fn read_response(
    bytes: &[u8],
    config: &WsConfig,
    nonce: [u8; 16],
) -> Result<Option<usize>, Refused> {
    let Some(head) = Head::read(bytes)? else {
        return Ok(None);
    };
    let status = head
        .start
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| head.start.strip_prefix("HTTP/1.0 "))
        .ok_or(Refused::NotHttp)?;
    if !status.starts_with("101") {
        return Err(Refused::Status {
            status: status.escape_debug().to_string(),
        });
    }
    if !head.lists("upgrade", "websocket") {
        return Err(Refused::Header("Upgrade"));
    }
    if !head.lists("connection", "upgrade") {
        return Err(Refused::Header("Connection"));
    }
    if head.first("sec-websocket-accept") != Some(&accept(&base64(&nonce))) {
        return Err(Refused::Header("Sec-WebSocket-Accept"));
    }
    // None was offered.
    if head.first("sec-websocket-extensions").is_some() {
        return Err(Refused::Header("Sec-WebSocket-Extensions"));
    }
    if head.first("sec-websocket-protocol") != Some(&config.protocol) {
        return Err(Refused::Protocol {
            wanted: config.protocol.clone(),
        });
    }
    Ok(Some(head.length))
}

/// A request that was taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What to answer.
    pub response: Vec<u8>,
    /// The length of the request.
    pub length: usize,
}

/// Reads the request of a client; `None` when more bytes are needed. Any path will do.
///
/// # Errors
/// When it is not for a WebSocket of the sub-protocol; [`Refused::response`] says what to answer.
pub fn read_request(bytes: &[u8], config: &WsConfig) -> Result<Option<Accepted>, Refused> {
    let Some(head) = Head::read(bytes)? else {
        return Ok(None);
    };
    let mut words = head.start.split(' ');
    let (method, _path, version) = (words.next(), words.next(), words.next());
    if version != Some("HTTP/1.1") || words.next().is_some() {
        return Err(Refused::NotHttp);
    }
    if method != Some("GET")
        || !head.lists("upgrade", "websocket")
        || !head.lists("connection", "upgrade")
    {
        return Err(Refused::NoUpgrade);
    }
    if head.first("sec-websocket-version") != Some("13") {
        return Err(Refused::Version);
    }
    let key = head
        .first("sec-websocket-key")
        .filter(|key| is_key(key))
        .ok_or(Refused::Header("Sec-WebSocket-Key"))?;
    // Sub-protocols are compared with their case (RFC 6455 §4.1).
    let offered = head
        .all("sec-websocket-protocol")
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == config.protocol);
    if !offered {
        return Err(Refused::Protocol {
            wanted: config.protocol.clone(),
        });
    }
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        accept(key),
        config.protocol,
    );
    Ok(Some(Accepted {
        response: response.into_bytes(),
        length: head.length,
    }))
}

/// The head of a request or response.
struct Head<'a> {
    start: &'a str,
    lines: &'a str,
    length: usize,
}

impl<'a> Head<'a> {
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, Refused> {
        const END: &[u8] = b"\r\n\r\n";
        let window = &bytes[..bytes.len().min(MAX_HEAD_BYTES)];
        let Some(at) = window.windows(END.len()).position(|four| four == END) else {
            // A SIP peer or a TLS client will never write the empty line; the first bytes give it away.
            let http = [
                &b"GET "[..],
                b"HTTP/",
                b"POST ",
                b"HEAD ",
                b"OPTIONS ",
                b"PUT ",
            ];
            let begins = |start: &&[u8]| {
                let length = start.len().min(window.len());
                window[..length].eq_ignore_ascii_case(&start[..length])
            };
            if !http.iter().any(begins) {
                return Err(Refused::NotHttp);
            }
            return if bytes.len() >= MAX_HEAD_BYTES {
                Err(Refused::TooLong)
            } else {
                Ok(None)
            };
        };
        let text = std::str::from_utf8(&window[..at]).map_err(|_| Refused::NotHttp)?;
        let (start, lines) = text.split_once("\r\n").unwrap_or((text, ""));
        Ok(Some(Self {
            start,
            lines,
            length: at + END.len(),
        }))
    }

    /// The values of a header, whose name is given in small letters.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.lines
            .split("\r\n")
            .take(MAX_LINES)
            .filter_map(move |line| {
                let (own, value) = line.split_once(':')?;
                own.trim_end()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim())
            })
    }

    fn first(&self, name: &'static str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Whether a list has this word in any case.
    fn lists(&self, name: &'static str, word: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|one| one.trim().eq_ignore_ascii_case(word))
    }
}

/// Whether this is the base64 of 16 bytes.
fn is_key(key: &str) -> bool {
    key.len() == 24
        && key.ends_with("==")
        && key.as_bytes()[..22]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// What proves that a server understood the key (RFC 6455 §4.2.2).
fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(KEY_SUFFIX);
    base64(&hash.finalize())
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            text.push(if at <= chunk.len() {
                char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // RFC 6455 §1.3: the nonce of its example is "the sample nonce".
    const NONCE: [u8; 16] = *b"the sample nonce";

    fn config() -> WsConfig {
        WsConfig {
            path: "/chat".into(),
            origin: Some("http://example.com".into()),
            ..WsConfig::default()
        }
    }

    fn text_of_request() -> String {
        String::from_utf8(request(&config(), "server.example.com:5060", NONCE)).expect("ASCII")
    }

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        assert_eq!(
            text_of_request(),
            "GET /chat HTTP/1.1\r\nHost: server.example.com:5060\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\nOrigin: http://example.com\r\n\r\n"
        );
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn our_sides_agree_and_frames_behind_the_head_are_left() {
        let mut wire = request(&config(), "h", NONCE);
        let head = wire.len();
        wire.extend(b"frames");
        for short in 0..head {
            assert_eq!(read_request(&wire[..short], &config()), Ok(None), "{short}");
        }
        let accepted = read_request(&wire, &config())
            .expect("taken")
            .expect("whole");
        assert_eq!(accepted.length, head);
        let mut answer = accepted.response;
        let head = answer.len();
        answer.extend(b"frames");
        for short in 0..head {
            assert_eq!(read_response(&answer[..short], &config(), NONCE), Ok(None));
        }
        assert_eq!(read_response(&answer, &config(), NONCE), Ok(Some(head)));
        assert_eq!(
            read_response(&answer, &config(), [0; 16]),
            Err(Refused::Header("Sec-WebSocket-Accept"))
        );
    }

    #[test]
    fn a_server_says_what_is_wrong_with_a_request() {
        let refused = |from: &str, to: &str| {
            let text = text_of_request().replace(from, to);
            read_request(text.as_bytes(), &WsConfig::default()).expect_err("refused")
        };
        let protocol = Refused::Protocol {
            wanted: "sip".into(),
        };
        assert_eq!(refused("Sec-WebSocket-Protocol: sip\r\n", ""), protocol);
        assert_eq!(refused("Protocol: sip", "Protocol: chat, SIP"), protocol);
        assert_eq!(refused("Version: 13", "Version: 8"), Refused::Version);
        assert!(
            refused("Version: 13", "Version: 8")
                .response()
                .starts_with(b"HTTP/1.1 426")
        );
        assert_eq!(
            refused("Upgrade: websocket", "Upgrade: h2c"),
            Refused::NoUpgrade
        );
        assert_eq!(refused("GET ", "POST "), Refused::NoUpgrade);
        assert_eq!(
            refused("dGhlIHNhbXBsZSBub25jZQ==", "short"),
            Refused::Header("Sec-WebSocket-Key")
        );
        assert_eq!(refused("HTTP/1.1", "HTTP/1.0"), Refused::NotHttp);
    }

    #[test]
    fn lists_of_names_in_several_lines_and_any_case_are_read() {
        let text = text_of_request()
            .replace(
                "Protocol: sip",
                "Protocol: chat\r\nsec-websocket-protocol: x , sip",
            )
            .replace("Connection: Upgrade", "connection: keep-alive, uPGRADE");
        assert!(matches!(
            read_request(text.as_bytes(), &WsConfig::default()),
            Ok(Some(_))
        ));
    }

    #[test]
    fn a_client_says_what_is_wrong_with_a_response() {
        let good = read_request(text_of_request().as_bytes(), &config())
            .expect("taken")
            .expect("whole")
            .response;
        let good = String::from_utf8(good).expect("ASCII");
        let refused = |from: &str, to: &str| {
            read_response(good.replace(from, to).as_bytes(), &config(), NONCE)
                .expect_err("refused")
                .to_string()
        };
        assert_eq!(
            refused("101 Switching Protocols", "404 Not Found"),
            "the server refuses the WebSocket: HTTP 404 Not Found; are -ws_path and -ws_host right?"
        );
        assert!(refused("Protocol: sip", "Protocol: chat").contains("sub-protocol `sip`"));
        assert!(
            refused("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n").contains("Extensions")
        );
        assert!(refused("Upgrade: websocket\r\n", "").contains("`Upgrade`"));
    }

    #[test]
    fn other_protocols_are_known_by_their_first_bytes_and_endless_heads_end() {
        let config = WsConfig::default();
        assert_eq!(read_request(b"INVITE sip:", &config), Err(Refused::NotHttp));
        assert_eq!(read_request(&[22, 3, 1], &config), Err(Refused::NotHttp));
        assert_eq!(
            read_response(b"SIP/2.0 400 Bad", &config, NONCE),
            Err(Refused::NotHttp)
        );
        let endless = [b"GET / HTTP/1.1\r\n".to_vec(), vec![b'a'; MAX_HEAD_BYTES]].concat();
        assert_eq!(read_request(&endless, &config), Err(Refused::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_request(&bytes, &WsConfig::default());
            let mut http = b"GET / HTTP/1.1\r\n".to_vec();
            http.extend(&bytes);
            http.extend(b"\r\n\r\n");
            let _ = read_request(&http, &WsConfig::default());
            let _ = read_response(&bytes, &WsConfig::default(), NONCE);
        }
    }
}
