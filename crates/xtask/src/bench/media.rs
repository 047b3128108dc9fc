// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --media`: what a packet of audio costs, and how evenly packets leave.
//!
//! A client opens calls that play a file without end; nobody reads what they send. The kernel counts what came to the socket
//! they all send to, so nothing of the measurement runs on the client's CPU, and any tool is counted in the same way. One
//! stream in [`WATCHED`] goes to a socket that is read ([`watch`]), and the distance of its packets is measured.
//!
//! Below all of them lies what the machine takes for sending alone ([`floor`]). Memory is what each stream adds to a run with
//! [`FEW`] of them.

mod floor;
mod watch;

use super::Scale;
use super::process::Process;
use super::result::Results;
use super::versus::{self, CLIENT_CPU, LOCALHOST, SERVER_CPU};
use anyhow::{Context as _, Result, bail, ensure};
use floor::Floor;
use gossipper_testkit::sipp::{Running, Tool, free_udp_port};
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use watch::{Spacing, Watch};

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

/// A key and its salt for `AES_CM_128`, of both sides.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwN";

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

/// The same without calls: [`Stage::measure_sender`] says how.
const SENDER: &str = "-rtp_send -media_scale";

/// Streams of the run whose memory is what a process takes anyway, and what comes once with the first ones.
const FEW: u32 = 100;

/// What was seen of a load.
struct Seen {
    us_per_packet: f64,
    packets_per_second: f64,
    resident: u64,
    spacing: Option<Spacing>,
}

/// A row of the table.
struct Row {
    tool: &'static str,
    load: &'static str,
    streams: u32,
    bytes: Option<u64>,
    seen: Seen,
}

impl Row {
    fn print(&self, floor: f64) {
        let due = f64::from(self.streams) * PACKETS_PER_SECOND;
        let off = (self.seen.spacing.as_ref()).map_or_else(
            || "-".to_owned(),
            |found| format!("{:.2} ms", found.off_p99_ms),
        );
        let bytes = (self.bytes).map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        println!(
            "| {} | {} | {} | {:.0} | {:.1} % | {:.2} | {:.2} | {off} | {bytes} |",
            self.tool,
            self.load,
            self.streams,
            self.seen.packets_per_second,
            100.0 * self.seen.packets_per_second / due,
            self.seen.us_per_packet,
            self.seen.us_per_packet / floor,
        );
    }

    fn to_json(&self) -> serde_json::Value {
        let spacing = self.seen.spacing.as_ref();
        json!({
            "tool": self.tool,
            "load": self.load,
            "streams": self.streams,
            "packets_per_second": self.seen.packets_per_second,
            "us_per_packet": self.seen.us_per_packet,
            "off_ms_p99": spacing.map(|spacing| spacing.off_p99_ms),
            "watched_packets": spacing.map(|spacing| spacing.packets),
            "bytes_per_stream": self.bytes,
        })
    }
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
        let found = floor::unpaced(kind, &stage.sink, span / 2)?;
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
    let mut add = |row: Row| {
        row.print(floor.0);
        rows.push(row.to_json());
    };
    for streams in [PLAIN.streams, MANY.streams, MOST.streams] {
        add(Row {
            tool: "floor",
            load: "`send`, connected, the due ones each ms",
            streams,
            bytes: None,
            seen: floor::paced(&stage, streams, span)?,
        });
    }
    let mut loads: Vec<(&Tool, Load)> = sipp.iter().map(|sipp| (sipp, PLAIN)).collect();
    loads.extend([PLAIN, SRTP_STREAMS, MANY, MOST].map(|load| (&ours, load)));
    for (tool, load) in loads {
        let few = Load {
            streams: FEW,
            ..load
        };
        let empty = stage.measure(tool, few, SETTLE)?.resident;
        let seen = stage.measure(tool, load, span)?;
        add(Row {
            tool: tool.name,
            load: load.name,
            streams: load.streams,
            bytes: Some(seen.resident.saturating_sub(empty) / u64::from(load.streams - FEW)),
            seen,
        });
    }
    let empty = stage.measure_sender(FEW, SETTLE)?.resident;
    for streams in [MANY.streams, MOST.streams] {
        let seen = stage.measure_sender(streams, span)?;
        add(Row {
            tool: ours.name,
            load: SENDER,
            streams,
            bytes: Some(seen.resident.saturating_sub(empty) / u64::from(streams - FEW)),
            seen,
        });
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
        let seen = self.watch(client, span)?;
        if calling.has_ended()? {
            let ended = calling.finish(Instant::now(), ports.0)?;
            bail!("{} ended: {}{}", tool.name, ended.stdout, ended.stderr);
        }
        Ok(seen)
    }

    /// Streams without calls: to as many addresses as there are kinds of streams, of which one is watched.
    fn measure_sender(&self, streams: u32, span: Duration) -> Result<Seen> {
        let (sink, watched) = (self.sink.local_addr()?, self.watched.local_addr()?);
        let remotes: Vec<String> = (0..WATCHED)
            .map(|index| if index == 0 { watched } else { sink })
            .map(|remote| remote.to_string())
            .collect();
        let mut command = Command::new(versus::binary()?);
        command.args(["-rtp_send", "-media_scale", "-shards", "1", "-nostdin"]);
        command.args(["-rtp_codec", "PCMA/8000", "-rtp_pt", "8", "-mp", "10000"]);
        command.args(["-i", "127.0.0.1", "-rtp_streams", &streams.to_string()]);
        command.args(["-rtp_addr", &remotes.join(",")]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut sender = Ended(command.stderr(Stdio::null()).spawn()?);
        let client = Process(sender.0.id());
        client.pin(CLIENT_CPU)?;
        std::thread::sleep(SETTLE);
        let seen = self.watch(client, span)?;
        let ended = sender.0.try_wait()?;
        ensure!(ended.is_none(), "-rtp_send ended: {ended:?}");
        Ok(seen)
    }

    /// Looks at a client that sends for a while.
    fn watch(&self, client: Process, span: Duration) -> Result<Seen> {
        // Threads that were made meanwhile.
        client.pin(CLIENT_CPU)?;
        let watch = Watch::start(self.watched.try_clone()?);
        let before = (Instant::now(), client.cpu_time()?, self.arrived()?);
        std::thread::sleep(span);
        let after = (Instant::now(), client.cpu_time()?, self.arrived()?);
        let distances = watch.stop()?;
        let resident = client.resident()?;
        let seconds = (after.0 - before.0).as_secs_f64();
        let watched = distances.len() as f64;
        let packets = (after.2 - before.2) as f64 + watched;
        ensure!(packets > 0.0, "nothing was sent");
        Ok(Seen {
            us_per_packet: (after.1 - before.1).as_secs_f64() * 1e6 / packets,
            packets_per_second: packets / seconds,
            resident,
            spacing: Spacing::of(distances),
        })
    }
}

/// Ends a process when it is no longer looked at.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
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
}
