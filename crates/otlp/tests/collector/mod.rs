// SPDX-License-Identifier: AGPL-3.0-only
//! A collector of OpenTelemetry for tests, built from the protocol's own crates: what it understands is what others do.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How it answers the next request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Takes all but so many records.
    Partial(i64),
    /// With a status of gRPC, or of HTTP.
    Status(u16),
    /// Not at all.
    Never,
}

/// A request that it has taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) request: ExportLogsServiceRequest,
    /// The header `x-test`.
    pub(crate) header: Option<String>,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    replies: VecDeque<Reply>,
    /// Requests, taken or not.
    seen: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Notes a request; says how it is answered.
    fn answer(&self, request: ExportLogsServiceRequest, header: Option<String>) -> Option<Reply> {
        let mut state = self.state.lock().expect("no panic");
        state.seen += 1;
        let reply = state.replies.pop_front();
        if matches!(reply, None | Some(Reply::Partial(_))) {
            state.taken.push(Taken { request, header });
        }
        self.changed.notify_all();
        reply
    }
}

fn response(partial: i64) -> ExportLogsServiceResponse {
    ExportLogsServiceResponse {
        partial_success: (partial > 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: partial,
            error_message: "as the test says".into(),
        }),
    }
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let header = request.metadata().get("x-test");
        let header = header
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        match self.0.answer(request.into_inner(), header) {
            None => Ok(tonic::Response::new(response(0))),
            Some(Reply::Partial(count)) => Ok(tonic::Response::new(response(count))),
            Some(Reply::Status(code)) => Err(tonic::Status::new(
                i32::from(code).into(),
                "as the test says",
            )),
            Some(Reply::Never) => std::future::pending().await,
        }
    }
}

async fn over_http(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.method(), hyper::Method::POST);
    assert_eq!(request.uri().path(), "/v1/logs");
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    assert!(request.headers().contains_key("host"));
    let header = request.headers().get("x-test");
    let header = header
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = request
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let request = ExportLogsServiceRequest::decode(body).expect("a request of OTLP");
    let mut answer = hyper::Response::new(Full::default());
    match shared.answer(request, header) {
        None => *answer.body_mut() = Full::from(response(0).encode_to_vec()),
        Some(Reply::Partial(count)) => {
            *answer.body_mut() = Full::from(response(count).encode_to_vec())
        }
        Some(Reply::Status(code)) => {
            *answer.status_mut() = hyper::StatusCode::from_u16(code).expect("a status");
        }
        Some(Reply::Never) => std::future::pending().await,
    }
    Ok(answer)
}

/// What is spoken with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Grpc,
    Http,
}

/// The collector; it ends when it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// At a port that the system chooses.
    pub(crate) fn start(speaks: Speaks, replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::at(speaks, SocketAddr::from(([127, 0, 0, 1], 0)), replies)
    }

    /// At this address.
    pub(crate) fn at(
        speaks: Speaks,
        address: SocketAddr,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.state.lock().expect("new").replies.extend(replies);
        let listener = std::net::TcpListener::bind(address).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("bound");
        let (end, ended) = oneshot::channel::<()>();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let reactor = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a reactor");
            reactor.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let serving = async {
                    match speaks {
                        Speaks::Grpc => grpc(listener, of_thread).await,
                        Speaks::Http => http(listener, of_thread).await,
                    }
                };
                tokio::select! {
                    () = serving => {}
                    _ = ended => {}
                }
            });
        });
        Self {
            address,
            shared,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Waits until so many requests were seen, taken or not.
    pub(crate) fn wait_for(&self, requests: usize) {
        let end = Instant::now() + Duration::from_secs(30);
        let mut state = self.shared.state.lock().expect("no panic");
        while state.seen < requests {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {requests} requests", state.seen);
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .expect("no panic")
                .0;
        }
    }

    /// What was taken so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.shared.state.lock().expect("no panic").taken.clone()
    }

    /// All records that were taken.
    pub(crate) fn records(&self) -> Vec<LogRecord> {
        let logs = self
            .taken()
            .into_iter()
            .flat_map(|taken| taken.request.resource_logs);
        let scopes = logs.flat_map(|logs| logs.scope_logs);
        scopes.flat_map(|scope| scope.log_records).collect()
    }
}

async fn grpc(listener: TcpListener, shared: Arc<Shared>) {
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tonic::transport::Server::builder()
        .add_service(LogsServiceServer::new(Service(shared)))
        .serve_with_incoming(incoming)
        .await
        .expect("it serves");
}

async fn http(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| over_http(Arc::clone(&shared), request));
            let serving = hyper::server::conn::http1::Builder::new();
            // The other side may leave when it likes.
            let _ = serving
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the collector panicked");
        }
    }
}

/// Attributes as texts; numbers with a `#`.
pub(crate) fn pairs(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let value = |pair: &KeyValue| match pair.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => format!("#{number}"),
        other => panic!("{other:?}"),
    };
    attributes
        .iter()
        .map(|pair| (pair.key.clone(), value(pair)))
        .collect()
}
