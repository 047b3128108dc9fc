// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --media`: what a packet of audio costs, and how evenly packets leave.
//!
//! A client opens calls that play a file without end; nobody reads what they send. The kernel counts what came to the socket
//! they all send to, so nothing of the measurement runs on the client's CPU, and any tool is counted in the same way. One
//! stream in [`WATCHED`] goes to a socket that is read, and the distance of its packets is measured.
//!
//! The floor is a thread that sends the same bytes from as many sockets, to the same socket, and does nothing else: with the
//! address in each call, from sockets that are connected, and from a single one, for which nothing has to be looked up.

use super::Scale;
use super::process::Process;
use super::result::Results;
use super::versus::{self, CLIENT_CPU, LOCALHOST, SERVER_CPU};
use anyhow::{Context as _, Result, bail, ensure};
use gossipper_testkit::sipp::{Running, Tool, free_udp_port};
use serde_json::json;
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One stream in so many is watched.
const WATCHED: usize = 50;

/// A packet of 20 ms of G.711.
const PACKET_BYTES: usize = 172;

/// What each stream sends in a second.
const PACKETS_PER_SECOND: f64 = 50.0;

/// Calls opened per second.
const OPENING: u32 = 500;

/// After the last call was opened.
const SETTLE: Duration = Duration::from_secs(2);

/// Sockets of the floor: as many as streams of the comparison with SIPp.
const FLOOR_SOCKETS: usize = 1000;

/// A key and its salt for `AES_CM_128`, of both sides.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwN";

/// How the floor sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Floor {
    Addressed,
    Connected,
    One,
}

impl Floor {
    const fn name(self) -> &'static str {
        match self {
            Self::Addressed => "`send_to` from 1000 sockets",
            Self::Connected => "`send` from 1000 connected sockets",
            Self::One => "`send` from one connected socket",
        }
    }
}

/// What a client is to do.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    streams: u32,
    srtp: bool,
    flags: &'static [&'static str],
}

const SRTP_STREAMS: Load = Load {
    name: "SRTP, AES_CM_128_HMAC_SHA1_80",
    streams: 1000,
    srtp: true,
    flags: &["-media_srtp"],
};
const PLAIN: Load = Load {
    name: "plain",
    streams: 1000,
    srtp: false,
    flags: &[],
};
const MANY: Load = Load {
    name: "-media_scale",
    streams: 5000,
    srtp: false,
    flags: &["-media_scale"],
};
const MOST: Load = Load {
    streams: 10_000,
    ..MANY
};

/// Streams of the run whose memory is what a process takes anyway.
const FEW: u32 = 10;

/// What was seen of a load.
struct Seen {
    us_per_packet: f64,
    packets_per_second: f64,
    resident: u64,
    /// Distances of packets in ms: median, p99 of what they are away from 20 ms, watched packets.
    spacing: Option<(f64, f64, usize)>,
}

/// Measures and prints a table in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let (sipp, ours) = (versus::sipp(), versus::ours()?);
    let span = match scale {
        Scale::Full => Duration::from_secs(10),
        Scale::Quick => Duration::from_secs(4),
    };
    println!("{}\n", versus::machine()?);
    let stage = Stage::new()?;
    let floors = [Floor::Addressed, Floor::Connected, Floor::One];
    println!("| Floor | CPU µs/packet | Packets/s |\n| --- | ---: | ---: |");
    let mut measured = Vec::new();
    for kind in floors {
        let found = stage.floor(kind, span / 2)?;
        println!("| {} | {:.2} | {:.0} |", kind.name(), found.0, found.1);
        measured.push(found);
    }
    println!();
    let floor = measured[0];
    println!(
        "| Tool | Load | Streams | Packets/s | of those due | CPU µs/packet | above the floor | p99 off 20 ms | Bytes/stream |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    let mut loads: Vec<(&Tool, Load)> = sipp.iter().map(|sipp| (sipp, PLAIN)).collect();
    loads.extend([PLAIN, SRTP_STREAMS, MANY, MOST].map(|load| (&ours, load)));
    for (tool, load) in loads {
        let few = Load {
            streams: FEW,
            ..load
        };
        let empty = stage.measure(tool, few, SETTLE)?.resident;
        let seen = stage.measure(tool, load, span)?;
        let due = f64::from(load.streams) * PACKETS_PER_SECOND;
        let bytes = seen.resident.saturating_sub(empty) / u64::from(load.streams - FEW);
        let off = seen
            .spacing
            .map_or_else(|| "-".to_owned(), |(_, off, _)| format!("{off:.2} ms"));
        println!(
            "| {} | {} | {} | {:.0} | {:.1} % | {:.2} | {:.2} | {off} | {bytes} |",
            tool.name,
            load.name,
            load.streams,
            seen.packets_per_second,
            100.0 * seen.packets_per_second / due,
            seen.us_per_packet,
            seen.us_per_packet / floor.0,
        );
        rows.push(json!({
            "tool": tool.name,
            "load": load.name,
            "streams": load.streams,
            "packets_per_second": seen.packets_per_second,
            "us_per_packet": seen.us_per_packet,
            "off_ms_p99": seen.spacing.map(|(_, off, _)| off),
            "watched_packets": seen.spacing.map(|(.., packets)| packets),
            "bytes_per_stream": bytes,
        }));
    }
    println!();
    results.put(
        "media",
        json!({
            "floor": { "us_per_packet": floor.0, "packets_per_second": floor.1 },
            "floor_connected_us": measured[1].0,
            "floor_one_socket_us": measured[2].0,
            "rows": rows,
        }),
    );
    Ok(())
}

/// Sockets and files of all measurements.
struct Stage {
    /// Never read: what is in it stays, and the kernel counts the rest.
    sink: UdpSocket,
    watched: UdpSocket,
    folder: PathBuf,
}

impl Stage {
    fn new() -> Result<Self> {
        let folder = super::target()?.join("bench/media");
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let (sink, watched) = (
            UdpSocket::bind((LOCALHOST, 0))?,
            UdpSocket::bind((LOCALHOST, 0))?,
        );
        watched.set_read_timeout(Some(Duration::from_millis(50)))?;
        // One second of A-law that is neither silence nor all the same.
        let sound: Vec<u8> = (0..8000u32)
            .map(|index| 0x80 | (index * 7 % 113) as u8)
            .collect();
        std::fs::write(folder.join("sound.al"), sound)?;
        Ok(Self {
            sink,
            watched,
            folder,
        })
    }

    /// Datagrams that found no room in the sink.
    fn arrived(&self) -> Result<u64> {
        let port = self.sink.local_addr()?.port();
        let table = std::fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
        dropped(&table, port).context("/proc/net/udp does not have the socket")
    }

    /// CPU per packet in µs, and packets per second.
    fn floor(&self, kind: Floor, span: Duration) -> Result<(f64, f64)> {
        let to = self.sink.local_addr()?;
        let count = match kind {
            Floor::Addressed | Floor::Connected => FLOOR_SOCKETS,
            Floor::One => 1,
        };
        let sockets: Vec<UdpSocket> = (0..count)
            .map(|_| UdpSocket::bind((LOCALHOST, 0)))
            .collect::<std::io::Result<_>>()?;
        if kind != Floor::Addressed {
            sockets.iter().try_for_each(|socket| socket.connect(to))?;
        }
        let sends = move || -> Result<(u64, Duration, Duration)> {
            let link = std::fs::read_link("/proc/thread-self")?;
            let id = link.file_name().context("a thread")?.to_owned();
            let pinned = Command::new("taskset")
                .args(["-c", "-p", &CLIENT_CPU.to_string()])
                .arg(id)
                .output()?;
            ensure!(pinned.status.success(), "taskset: {pinned:?}");
            let packet = [0x80; PACKET_BYTES];
            let (begun, used) = (Instant::now(), own_time()?);
            let mut sent = 0;
            while begun.elapsed() < span {
                for index in 0..FLOOR_SOCKETS {
                    let socket = &sockets[index % sockets.len()];
                    match kind {
                        Floor::Addressed => socket.send_to(&packet, to)?,
                        Floor::Connected | Floor::One => socket.send(&packet)?,
                    };
                }
                sent += FLOOR_SOCKETS as u64;
            }
            Ok((sent, begun.elapsed(), own_time()? - used))
        };
        let outcome = std::thread::spawn(sends).join();
        let (sent, time, used) = outcome.map_err(|_| anyhow::anyhow!("the floor panicked"))??;
        Ok((
            used.as_secs_f64() * 1e6 / sent as f64,
            sent as f64 / time.as_secs_f64(),
        ))
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn measure(&self, tool: &Tool, load: Load, span: Duration) -> Result<Seen> {
        let ports = (free_udp_port(LOCALHOST)?, free_udp_port(LOCALHOST)?);
        let address = SocketAddr::new(LOCALHOST, ports.1);
        let takes = self.write("takes.xml", &answerer(load.srtp))?;
        let calls = self.write(
            "calls.xml",
            &caller(load.srtp, &self.folder.join("sound.al")),
        )?;
        let (sink, watched) = (
            self.sink.local_addr()?.port(),
            self.watched.local_addr()?.port(),
        );
        let lines: String = (0..WATCHED)
            .map(|line| format!("{};\n", if line == 0 { watched } else { sink }))
            .collect();
        let users = self.write("ports.csv", &format!("SEQUENTIAL\n{lines}"))?;
        let server = versus::ours()?;
        let mut words = arguments(&takes, ports.1);
        words.extend(["-inf".to_owned(), users.display().to_string()]);
        let mut serving = Running::start(&server, words)?;
        serving.wait_for_port(address)?;
        Process(serving.pid()).pin(SERVER_CPU)?;
        let mut words = arguments(&calls, ports.0);
        let (streams, rate) = (load.streams.to_string(), OPENING.to_string());
        words.extend(["-m", &streams, "-l", &streams, "-r", &rate].map(str::to_owned));
        words.extend(["-mi", "127.0.0.1", "-mp", "10000"].map(str::to_owned));
        words.extend(load.flags.iter().map(|flag| (*flag).to_owned()));
        words.push(address.to_string());
        let mut calling = Running::start(tool, words)?;
        let client = Process(calling.pid());
        client.pin(CLIENT_CPU)?;
        std::thread::sleep(
            Duration::from_secs_f64(f64::from(load.streams) / f64::from(OPENING)) + SETTLE,
        );
        // Threads that were made meanwhile.
        client.pin(CLIENT_CPU)?;
        let watch = Watch::start(self.watched.try_clone()?);
        let before = (Instant::now(), client.cpu_time()?, self.arrived()?);
        std::thread::sleep(span);
        let after = (Instant::now(), client.cpu_time()?, self.arrived()?);
        let distances = watch.stop()?;
        let resident = client.resident()?;
        if calling.has_ended()? {
            let ended = calling.finish(Instant::now(), ports.0)?;
            bail!("{} ended: {}{}", tool.name, ended.stdout, ended.stderr);
        }
        let seconds = (after.0 - before.0).as_secs_f64();
        let watched = distances.len() as f64;
        let packets = (after.2 - before.2) as f64 + watched;
        ensure!(packets > 0.0, "{} sent nothing", tool.name);
        Ok(Seen {
            us_per_packet: (after.1 - before.1).as_secs_f64() * 1e6 / packets,
            packets_per_second: packets / seconds,
            resident,
            spacing: spacing(distances),
        })
    }
}

/// Drops of the UDP socket at this port, in the table of the kernel.
fn dropped(table: &str, port: u16) -> Option<u64> {
    let wanted = format!(":{port:04X}");
    let line = table.lines().skip(1).find(|line| {
        let local = line.split_ascii_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&wanted))
    })?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

/// CPU time of this thread.
fn own_time() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_ascii_whitespace().next();
    let nanoseconds = first.and_then(|first| first.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.context(text)?))
}

/// The median distance in ms, p99 of what distances are away from 20 ms, and how many there are.
fn spacing(mut distances: Vec<Duration>) -> Option<(f64, f64, usize)> {
    let ms = |distance: Duration| distance.as_secs_f64() * 1e3;
    distances.sort_unstable();
    let median = *distances.get(distances.len() / 2)?;
    let mut off: Vec<f64> = (distances.iter())
        .map(|distance| (ms(*distance) - 1000.0 / PACKETS_PER_SECOND).abs())
        .collect();
    off.sort_by(f64::total_cmp);
    let p99 = *off.get(off.len() * 99 / 100)?;
    Some((ms(median), p99, distances.len()))
}

/// Reads packets and notes the distance to the one before of the same stream.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Duration>>,
}

impl Watch {
    fn start(socket: UdpSocket) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut last: HashMap<SocketAddr, Instant> = HashMap::new();
            let mut distances = Vec::new();
            let mut buffer = [0; 2048];
            // What waits there came before.
            while socket.set_nonblocking(true).is_ok() && socket.recv(&mut buffer).is_ok() {}
            if socket.set_nonblocking(false).is_err() {
                return distances;
            }
            while !stopped.load(Ordering::Relaxed) {
                let Ok((_, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let now = Instant::now();
                if let Some(before) = last.insert(from, now) {
                    distances.push(now - before);
                }
            }
            distances
        });
        Self { stop, thread }
    }

    fn stop(self) -> Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        joined.map_err(|_| anyhow::anyhow!("the watch panicked"))
    }
}

fn arguments(scenario: &Path, port: u16) -> Vec<String> {
    let (scenario, port) = (scenario.display().to_string(), port.to_string());
    let words = ["-sf", &scenario, "-i", "127.0.0.1", "-p", &port, "-nostdin"];
    words.map(str::to_owned).to_vec()
}

const PROLOGUE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario>\n";

fn description(port: &str, srtp: bool) -> String {
    let (profile, keys) = if srtp {
        let keys = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n");
        ("RTP/SAVP", keys)
    } else {
        ("RTP/AVP", String::new())
    };
    format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} {profile} 8\na=rtpmap:8 PCMA/8000\n{keys}"
    )
}

fn caller(srtp: bool, sound: &Path) -> String {
    let request = |method: &str| {
        format!(
            "{method} sip:a@[remote_ip]:[remote_port] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
             From: <sip:b@[local_ip]>;tag=[call_number]\nTo: <sip:a@[remote_ip]>[peer_tag_param]\nCall-ID: [call_id]\n\
             CSeq: 1 {method}\nContact: <sip:b@[local_ip]:[local_port]>\nMax-Forwards: 70\n"
        )
    };
    format!(
        "{PROLOGUE}<send retrans=\"500\"><![CDATA[\n\n{}Content-Type: application/sdp\nContent-Length: [len]\n\n{}\n]]></send>\n\
         <recv response=\"200\"><action><exec rtp_stream=\"{},-1,8,PCMA/8000\"/></action></recv>\n\
         <send><![CDATA[\n\n{}Content-Length: 0\n\n]]></send>\n<pause milliseconds=\"3600000\"/>\n</scenario>\n",
        request("INVITE"),
        description("[rtpstream_audio_port]", srtp),
        sound.display(),
        request("ACK"),
    )
}

fn answerer(srtp: bool) -> String {
    format!(
        "{PROLOGUE}<recv request=\"INVITE\"/>\n<send><![CDATA[\n\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n\
         [last_To:];tag=u[call_number]\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:a@[local_ip]:[local_port]>\n\
         Content-Type: application/sdp\nContent-Length: [len]\n\n{}\n]]></send>\n<recv request=\"ACK\"/>\n\
         <pause milliseconds=\"3600000\"/>\n</scenario>\n",
        description("[field0]", srtp),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_found_no_room_is_the_last_column_of_the_socket() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5 2 0000000000000000 7\n\
             2: 0100007F:1F91 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6 2 0000000000000000 42\n";
        assert_eq!(dropped(table, 8081), Some(42));
        assert_eq!(dropped(table, 8082), None);
    }

    #[test]
    fn the_spacing_is_that_of_nearly_all_packets() {
        let mut distances = vec![Duration::from_millis(20); 98];
        distances.extend([Duration::from_millis(23), Duration::from_millis(50)]);
        let (median, off, count) = spacing(distances).expect("distances");
        assert!(
            (median - 20.0).abs() < 1e-9 && (off - 30.0).abs() < 1e-9,
            "{median} {off}"
        );
        assert_eq!(count, 100);
        assert!(spacing(Vec::new()).is_none());
    }

    #[test]
    fn the_scenarios_of_the_bench_compile() {
        for text in [
            caller(true, Path::new("/nowhere/sound.al")),
            caller(false, Path::new("/nowhere/sound.al")),
        ] {
            let options = gossipper_compiler::Options::default();
            let compiled = gossipper_compiler::compile("calls.xml", text.as_bytes(), &options);
            assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
        }
    }

    #[test]
    fn a_thread_knows_what_it_used() {
        let before = own_time().expect("a thread");
        let mut sum = 0u64;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {
            sum = sum.wrapping_add(1);
        }
        assert!(own_time().expect("a thread") > before, "{sum}");
    }
}
