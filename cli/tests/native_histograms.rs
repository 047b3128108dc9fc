// SPDX-License-Identifier: AGPL-3.0-only
//! Prometheus itself scrapes a run and answers from our native histograms, where it is installed.

mod place;

use place::{BINARY, Place};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// The first value that a query gives.
fn query(address: &str, query: &str) -> Option<f64> {
    let body = get(address, &format!("/api/v1/query?query={query}"))?;
    let start = body.find('{')?;
    let end = body.rfind('}')?;
    let answer: Value = serde_json::from_str(&body[start..=end]).ok()?;
    let value = answer["data"]["result"].get(0)?["value"].get(1)?;
    value.as_str()?.parse().ok()
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "a check that is skipped is to be noticed"
)]
fn prometheus_takes_our_native_histograms() {
    let place = Place::new();
    let mut run = place.command(
        BINARY,
        "-sn uac -loopback -r 50 -m 100000 -d 20 -prometheus_addr 127.0.0.1:0 -timeout_global 120",
    );
    let started = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut run = Running(started.expect("the binary runs"));
    let stderr = run.0.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines();
    let metrics = lines
        .find_map(|line| {
            let line = line.expect("text");
            let (_, url) = line.split_once("metrics are at http://")?;
            Some(url.trim_end_matches("/metrics").to_owned())
        })
        .expect("it says where metrics are");
    std::thread::spawn(move || lines.for_each(drop));
    place.write(
        "prometheus.yml",
        format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: g\n  static_configs: [{{targets: ['{metrics}']}}]\n"
        ),
    );
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let address = free.expect("a port").to_string();
    let started = Command::new("prometheus")
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .args(["--enable-feature=native-histograms", "--log.level=error"])
        .arg(format!("--web.listen-address={address}"))
        .current_dir(place.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(prometheus) = started else {
        eprintln!("SKIPPED: prometheus (Debian's package prometheus) is not installed");
        return;
    };
    let _prometheus = Running(prometheus);
    let until = Instant::now() + Duration::from_secs(60);
    // Of classic buckets this query would find nothing under this name.
    let quantile = "histogram_quantile(0.99,gossipper_call_length_seconds)";
    let (length, count) = loop {
        let length = query(&address, quantile).filter(|length| length.is_finite());
        let count = query(&address, "histogram_count(gossipper_call_length_seconds)");
        if let (Some(length), Some(count)) = (length, count)
            && count >= 50.0
        {
            break (length, count);
        }
        assert!(Instant::now() < until, "{length:?} {count:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    // Calls last 20 ms and what the machine adds; buckets are a tenth wide.
    assert!((0.018..10.0).contains(&length), "{length} of {count}");
    let classic = query(&address, "count(gossipper_call_length_seconds_bucket)");
    assert_eq!(classic, None, "it took the native form");
    let created = query(&address, "sum(gossipper_calls_created_total)");
    assert!(created >= Some(50.0), "{created:?}");
}
