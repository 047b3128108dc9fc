// SPDX-License-Identifier: AGPL-3.0-only
//! As much of HTTP/1.1 as a scrape needs: one request per connection, bounded in size, time and number.

use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Connections at a time; more wait in the queue of the kernel.
const MOST_CONNECTIONS: usize = 8;

/// Bytes of a request.
const MOST_BYTES: usize = 8 << 10;

/// How long a client may take to ask, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long accepting is left alone when it fails, for want of descriptors for instance.
const REST: Duration = Duration::from_millis(100);

/// Text that is nothing else.
pub(crate) const PLAIN: &str = "text/plain; charset=utf-8";

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// Behind the question mark.
    pub(crate) query: String,
    /// What is taken.
    pub(crate) accept: String,
}

impl Request {
    /// Of a head; `None` if it has not come whole.
    pub(crate) fn parse(head: &str) -> Option<Self> {
        let (head, _) = head.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let accept = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("accept"))
            .map_or("", |(_, value)| value.trim());
        Some(Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            accept: accept.to_owned(),
        })
    }

    /// A value of the query.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Whether something is to be read, which is all that is served here.
    pub(crate) fn reads(&self) -> bool {
        matches!(&*self.method, "GET" | "HEAD")
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// Code and words.
    pub(crate) status: &'static str,
    /// The type of the body.
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn ok(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: "200 OK",
            kind,
            body: body.into(),
        }
    }

    /// One that says in a line why there is nothing else.
    pub(crate) fn refusal(status: &'static str, why: &str) -> Self {
        Self {
            status,
            kind: PLAIN,
            body: format!("{why}\n").into_bytes(),
        }
    }

    fn bytes(&self, of_head: bool) -> Vec<u8> {
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.status,
            self.kind,
            self.body.len()
        )
        .into_bytes();
        if !of_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// Serves for as long as the reactor lives. `None` is asked for what is no request.
pub(crate) async fn serve<F>(
    listener: TcpListener,
    answer: impl Fn(Option<Request>) -> F + Send + Sync + 'static,
) where
    F: Future<Output = Response> + Send + 'static,
{
    let answer = Arc::new(answer);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            // A client that is slow or gone is nobody's trouble.
            if let Ok(Ok(request)) = timeout(PATIENCE, ask(&mut stream)).await {
                let of_head = request
                    .as_ref()
                    .is_some_and(|request| request.method == "HEAD");
                let bytes = answer(request).await.bytes(of_head);
                let _ = timeout(PATIENCE, async {
                    stream.write_all(&bytes).await?;
                    stream.shutdown().await
                })
                .await;
            }
            drop(permit);
        });
    }
}

/// What somebody asks for; `None` if it is no request.
async fn ask(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    let complete = |head: &[u8]| head.windows(4).any(|end| end == b"\r\n\r\n");
    while !complete(&head) {
        if head.len() >= MOST_BYTES || stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(Request::parse(&String::from_utf8_lossy(&head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart_and_half_of_one_is_none() {
        let request = Request::parse(
            "GET /a/b?seconds=3&debug=1 HTTP/1.1\r\nHost: x\r\nACCEPT:  text/plain \r\n\r\n",
        );
        let request = request.expect("a request");
        assert_eq!((&*request.method, &*request.path), ("GET", "/a/b"));
        assert_eq!(request.value("seconds"), Some("3"));
        assert_eq!(
            (request.value("second"), &*request.accept),
            (None, "text/plain")
        );
        assert_eq!(Request::parse("GET /metrics"), None);
        assert_eq!(Request::parse(""), None);
        let empty = Request::parse("\r\n\r\n").expect("a head");
        assert!(!empty.reads());
    }

    #[test]
    fn an_answer_to_head_says_how_long_the_body_would_be() {
        let answer = Response::ok(PLAIN, "abc");
        let text = |of_head| String::from_utf8(answer.bytes(of_head)).expect("text");
        assert!(text(true).contains("Content-Length: 3\r\n") && text(true).ends_with("\r\n\r\n"));
        assert!(text(false).ends_with("\r\n\r\nabc"));
    }
}
