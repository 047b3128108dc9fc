// SPDX-License-Identifier: AGPL-3.0-only
//! `-pprof`: profiles over HTTP, at the paths where tools look for them.
//!
//! The processor is profiled for as long as a request asks; one at a time, as there is one timer. Names of functions are
//! looked up on a thread of their own, so that signals and keys are not kept waiting.

use crate::exit::ExitCode;
use crate::http::{self, PLAIN, Request, Response};
use crate::stdio;
use gossipper_runtime::profiling::{CpuProfiler, Profile, heap_profile};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// How long the processor is profiled where nobody says.
const SECONDS: u64 = 30;

/// And at most.
const MOST_SECONDS: u64 = 3_600;

const BINARY: &str = "application/octet-stream";

const INDEX: &str = "profiles of this program:\n\
    /debug/pprof/profile?seconds=30   processor time\n\
    /debug/pprof/heap                 memory in use\n\
    /debug/pprof/allocs               memory allocated so far\n\
    /debug/pprof/cmdline              command line\n\
    For `go tool pprof URL`; with ?format=folded stacks as text for flame graphs.\n";

/// A socket that is bound.
pub(crate) struct Server(TcpListener);

impl Server {
    /// Binds it, and says where.
    ///
    /// # Errors
    /// The exit code; what is wrong was said.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, ExitCode> {
        let bound = TcpListener::bind(address).await;
        match bound.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                stdio::note(&format!("profiles are at http://{address}/debug/pprof/"));
                Ok(Self(listener))
            }
            Err(error) => {
                stdio::error(&format!(
                    "cannot serve profiles at {address} (-pprof): {error}"
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
    pub(crate) async fn serve(self) {
        let began = Instant::now();
        http::serve(self.0, move |request| respond(request, began)).await;
    }
}

async fn respond(request: Option<Request>, began: Instant) -> Response {
    let Some(request) = request else {
        return Response::refusal("400 Bad Request", "no request");
    };
    if !request.reads() {
        return Response::refusal("405 Method Not Allowed", "profiles are for GET");
    }
    let folded = request.value("format") == Some("folded");
    match request.path.as_str() {
        "/debug/pprof/" | "/debug/pprof" => Response::ok(PLAIN, INDEX),
        "/debug/pprof/cmdline" => {
            let words: Vec<_> = std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            Response::ok(PLAIN, words.join("\0"))
        }
        "/debug/pprof/profile" => {
            let seconds = match request.value("seconds").map(str::parse) {
                None => SECONDS,
                Some(Ok(seconds @ 1..=MOST_SECONDS)) => seconds,
                Some(_) => {
                    return Response::refusal("400 Bad Request", "seconds are 1 to 3600");
                }
            };
            if request.method == "HEAD" {
                return Response::ok(BINARY, "");
            }
            let profiler = match CpuProfiler::start() {
                Ok(profiler) => profiler,
                Err(error) => {
                    return Response::refusal("503 Service Unavailable", &error.to_string());
                }
            };
            sleep(Duration::from_secs(seconds)).await;
            named(move || profiler.finish(), folded).await
        }
        "/debug/pprof/heap" => named(move || heap_profile(began), folded).await,
        "/debug/pprof/allocs" => named(move || heap_profile(began).of_all(), folded).await,
        _ => Response::refusal("404 Not Found", "profiles are at /debug/pprof/"),
    }
}

/// A profile in the form that is asked for.
async fn named(take: impl FnOnce() -> Profile + Send + 'static, folded: bool) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        let profile = take();
        if folded {
            Response::ok(PLAIN, profile.to_collapsed())
        } else {
            Response::ok(BINARY, profile.to_pprof())
        }
    });
    made.await.unwrap_or_else(|_| {
        Response::refusal("500 Internal Server Error", "the profile could not be made")
    })
}
