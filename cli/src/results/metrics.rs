// SPDX-License-Identifier: AGPL-3.0-only
//! `-prometheus_addr`: metrics over HTTP while the run lasts.
//!
//! It lives on the main thread and reads what shards have published, so that a scrape never disturbs a call.

use super::Figures;
use crate::exit::ExitCode;
use crate::http::{self, Request, Response};
use crate::stdio;
use gossipper_results::Facts;
use gossipper_results::metrics::{Form, exposition};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

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
    pub(crate) async fn serve(self, viewer: impl Figures, facts: Facts) {
        let scene = Arc::new((viewer, facts));
        http::serve(self.listener, move |request| {
            let scene = Arc::clone(&scene);
            async move {
                let (viewer, facts) = &*scene;
                respond(request.as_ref(), |form| {
                    let measures = viewer.measures();
                    exposition(facts, &viewer.snapshot(), measures.as_ref(), form)
                })
            }
        })
        .await;
    }
}

/// The answer to a request; `None` is what is none.
fn respond(request: Option<&Request>, page: impl FnOnce(Form) -> Vec<u8>) -> Response {
    let Some(request) = request else {
        return Response::refusal("400 Bad Request", "no request");
    };
    if !request.reads() {
        return Response::refusal("405 Method Not Allowed", "metrics are for GET");
    }
    if request.path != "/metrics" {
        return Response::refusal("404 Not Found", "metrics are at /metrics");
    }
    let form = Form::of_accept(&request.accept);
    Response::ok(form.content_type(), page(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> String {
        let request = Request::parse(head);
        let response = respond(request.as_ref(), |form| format!("{form:?}").into_bytes());
        let body = String::from_utf8(response.body).expect("text");
        format!("{} | {body}", response.status)
    }

    #[test]
    fn a_scrape_gets_the_form_that_it_takes_and_nobody_else_anything() {
        for (head, expected) in [
            ("GET /metrics HTTP/1.1\r\n\r\n", "200 OK | Text"),
            (
                "GET /metrics?x=1 HTTP/1.1\r\nACCEPT: application/openmetrics-text\r\n\r\n",
                "200 OK | OpenMetrics",
            ),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK | Text"),
            (
                "GET / HTTP/1.1\r\n\r\n",
                "404 Not Found | metrics are at /metrics\n",
            ),
            (
                "POST /metrics HTTP/1.1\r\n\r\n",
                "405 Method Not Allowed | metrics are for GET\n",
            ),
            ("\r\n\r\n", "405 Method Not Allowed | metrics are for GET\n"),
            ("GET /metrics", "400 Bad Request | no request\n"),
            ("", "400 Bad Request | no request\n"),
        ] {
            assert_eq!(status(head), expected, "{head}");
        }
    }
}
