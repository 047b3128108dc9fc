// SPDX-License-Identifier: AGPL-3.0-only
//! One request over a connection to the collector, which is kept for the next.

use std::io;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::answer::{self, Outcome};
use crate::export::{Collector, Protocol, Stream};

/// The method of gRPC.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;

type Body = Full<Bytes>;

enum Connection {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

/// The way to a collector.
pub(crate) struct Client {
    collector: Arc<Collector>,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    connection: Option<Connection>,
}

impl Client {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// When a header or the address cannot stand in a request.
    pub(crate) fn new(collector: Arc<Collector>) -> Result<Self, String> {
        let host = &collector.host;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let authority = format!("{host}:{}", collector.port);
        let scheme = if collector.wrap.is_some() {
            "https"
        } else {
            "http"
        };
        let (uri, kind) = match collector.protocol {
            Protocol::Grpc => (
                format!("{scheme}://{authority}{EXPORT}"),
                "application/grpc",
            ),
            // With the authority in a header, as HTTP/1.1 has it.
            Protocol::Http => (collector.path.clone(), "application/x-protobuf"),
        };
        let uri = Uri::try_from(&uri).map_err(|error| format!("`{uri}`: {error}"))?;
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| format!("`{text}` cannot stand in a header"))
        };
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (USER_AGENT, HeaderValue::from_static("gossipper")),
        ];
        match collector.protocol {
            Protocol::Grpc => headers.push((TE, HeaderValue::from_static("trailers"))),
            Protocol::Http => headers.push((HOST, value(&authority)?)),
        }
        for (name, text) in &collector.headers {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is no name of a header"))?;
            headers.push((name, value(text)?));
        }
        Ok(Self {
            collector,
            uri,
            headers,
            connection: None,
        })
    }

    /// Delivers a request.
    pub(crate) async fn deliver(&mut self, message: &Bytes) -> Outcome {
        let kept = self.connection.is_some();
        match self.attempt(message).await {
            Ok(outcome) => outcome,
            // One that was kept may have ended meanwhile: that says nothing about the collector.
            Err(_) if kept => {
                self.connection = None;
                match self.attempt(message).await {
                    Ok(outcome) => outcome,
                    Err(why) => self.broken(why),
                }
            }
            Err(why) => self.broken(why),
        }
    }

    fn broken(&mut self, why: String) -> Outcome {
        self.connection = None;
        Outcome::Later(None, why)
    }

    /// The attempt at hand is given up, and with it what may still come back.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    async fn attempt(&mut self, message: &Bytes) -> Result<Outcome, String> {
        if self.connection.is_none() {
            self.connection = Some(self.connect().await?);
        }
        let body = match self.collector.protocol {
            Protocol::Http => message.clone(),
            Protocol::Grpc => framed(message)?,
        };
        let mut request = hyper::Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let said = |error: hyper::Error| explain(&error);
        let response = match self.connection.as_mut().expect("just made") {
            Connection::One(sender) => {
                sender.ready().await.map_err(said)?;
                sender.send_request(request).await.map_err(said)?
            }
            Connection::Two(sender) => {
                sender.ready().await.map_err(said)?;
                sender.send_request(request).await.map_err(said)?
            }
        };
        self.read(response).await
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Outcome, String> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| format!("the answer cannot be read: {error}"))?;
        let trailers = body.trailers().cloned();
        let bytes = body.to_bytes();
        Ok(match self.collector.protocol {
            Protocol::Http => answer::of_http(head.status, &head.headers, &bytes),
            Protocol::Grpc => {
                answer::of_grpc(head.status, &head.headers, trailers.as_ref(), &bytes)
            }
        })
    }

    async fn connect(&self) -> Result<Connection, String> {
        let collector = &self.collector;
        let said = |error: io::Error| error.to_string();
        let stream = TcpStream::connect((&*collector.host, collector.port)).await;
        let stream = stream.map_err(said)?;
        stream.set_nodelay(true).map_err(said)?;
        let stream: Box<dyn Stream> = match &collector.wrap {
            None => Box::new(stream),
            Some(wrap) => wrap.wrap(stream).await.map_err(said)?,
        };
        let io = TokioIo::new(stream);
        let said = |error: hyper::Error| explain(&error);
        // Either ends with its connection; what goes wrong there shows in the request.
        Ok(match collector.protocol {
            Protocol::Http => {
                let (sender, connection) = http1::handshake(io).await.map_err(said)?;
                tokio::spawn(connection);
                Connection::One(sender)
            }
            Protocol::Grpc => {
                let made = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, connection) = made.map_err(said)?;
                tokio::spawn(connection);
                Connection::Two(sender)
            }
        })
    }
}

/// A message as gRPC sends it: not compressed, and so long.
fn framed(message: &Bytes) -> Result<Bytes, String> {
    let len = u32::try_from(message.len()).map_err(|_| "a request is too long".to_owned())?;
    let mut out = Vec::with_capacity(message.len() + 5);
    out.push(0);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(message);
    Ok(out.into())
}

/// An error with its cause, which says more.
fn explain(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
