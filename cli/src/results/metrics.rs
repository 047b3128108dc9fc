// SPDX-License-Identifier: AGPL-3.0-only
//! `-prometheus_addr`: metrics over HTTP while the run lasts.
//!
//! As much of HTTP/1.1 as a scrape needs: one request per connection, bounded in size, time and number. It lives on the
//! main thread and reads what shards have published, so that a scrape never disturbs a call.

use crate::exit::ExitCode;
use crate::stdio;
use gossipper_results::Facts;
use gossipper_results::metrics::{Form, exposition};
use gossipper_runtime::Viewer;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time; more wait in the queue of the kernel.
const MOST_CONNECTIONS: usize = 8;

/// Bytes of a request.
const MOST_BYTES: usize = 8 << 10;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long accepting is left alone when it fails, for want of descriptors for instance.
const REST: Duration = Duration::from_millis(100);

/// A socket that is bound.
pub(crate) struct Metrics {
    listener: TcpListener,
}

impl Metrics {
    /// Binds it, and says where.
    ///
    /// # Errors
    /// The exit code; what is wrong was said.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, ExitCode> {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                stdio::note(&format!("metrics are at http://{address}/metrics"));
                Ok(Self { listener })
            }
            Err(error) => {
                stdio::error(&format!(
                    "cannot serve metrics at {address} (-prometheus_addr): {error}"
                ));
                Err(if error.kind() == ErrorKind::AddrInUse {
                    ExitCode::Bind
                } else {
                    ExitCode::Fatal
                })
            }
        }
    }

    /// Serves for as long as the reactor lives.
    pub(crate) async fn serve(self, viewer: Viewer, facts: Facts) {
        let scene = Arc::new((viewer, facts));
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(REST).await;
                continue;
            };
            let scene = Arc::clone(&scene);
            tokio::spawn(async move {
                // A client that is slow or gone is nobody's trouble.
                let _ = timeout(PATIENCE, answer(stream, &scene.0, &scene.1)).await;
                drop(permit);
            });
        }
    }
}

async fn answer(mut stream: TcpStream, viewer: &Viewer, facts: &Facts) -> std::io::Result<()> {
    let mut head = Vec::new();
    let complete = |head: &[u8]| head.windows(4).any(|end| end == b"\r\n\r\n");
    while !complete(&head) {
        if head.len() >= MOST_BYTES || stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let whole = complete(&head);
    let response = respond(&String::from_utf8_lossy(&head), whole, |form| {
        let measures = viewer.measures();
        exposition(facts, &viewer.snapshot(), measures.as_ref(), form)
    });
    stream.write_all(&response).await?;
    stream.shutdown().await
}

/// The answer to a request, of which the `whole` head is there or not.
fn respond(head: &str, whole: bool, page: impl FnOnce(Form) -> String) -> Vec<u8> {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let path = target.split('?').next().unwrap_or_default();
    let accept = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("accept"))
        .map_or("", |(_, value)| value);
    let plain = "text/plain; charset=utf-8";
    let (status, kind, body) = match (method, path) {
        _ if !whole => ("400 Bad Request", plain, "no request\n".to_owned()),
        ("GET" | "HEAD", "/metrics") => {
            let form = Form::of_accept(accept);
            ("200 OK", form.content_type(), page(form))
        }
        ("GET" | "HEAD", _) => (
            "404 Not Found",
            plain,
            "metrics are at /metrics\n".to_owned(),
        ),
        _ => (
            "405 Method Not Allowed",
            plain,
            "metrics are for GET\n".to_owned(),
        ),
    };
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if method != "HEAD" {
        response.push_str(&body);
    }
    response.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str, whole: bool) -> String {
        let response = respond(head, whole, |form| format!("{form:?}"));
        let text = String::from_utf8(response).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.lines().next().unwrap_or_default();
        format!("{status} | {body}")
    }

    #[test]
    fn a_scrape_gets_the_form_that_it_takes_and_nobody_else_anything() {
        for (head, whole, expected) in [
            ("GET /metrics HTTP/1.1\r\n\r\n", true, "200 OK | Text"),
            (
                "GET /metrics?x=1 HTTP/1.1\r\nACCEPT: application/openmetrics-text\r\n\r\n",
                true,
                "200 OK | OpenMetrics",
            ),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", true, "200 OK | "),
            (
                "GET / HTTP/1.1\r\n\r\n",
                true,
                "404 Not Found | metrics are at /metrics\n",
            ),
            (
                "POST /metrics HTTP/1.1\r\n\r\n",
                true,
                "405 Method Not Allowed | metrics are for GET\n",
            ),
            (
                "\r\n\r\n",
                true,
                "405 Method Not Allowed | metrics are for GET\n",
            ),
            ("GET /metrics", false, "400 Bad Request | no request\n"),
            ("", false, "400 Bad Request | no request\n"),
        ] {
            assert_eq!(
                status(head, whole),
                format!("HTTP/1.1 {expected}"),
                "{head}"
            );
        }
    }
}
