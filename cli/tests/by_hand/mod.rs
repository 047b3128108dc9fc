// SPDX-License-Identifier: AGPL-3.0-only
//! A call of the binary that the test answers by hand, with a media port of its own. For `mod by_hand;` of a test of media.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The binary under test.
pub(crate) const GOSSIPPER: &str = env!("CARGO_BIN_EXE_gossipper");

/// A `<send>` of a client's request.
pub(crate) fn request(method: &str, cseq: u32, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "<send><![CDATA[\n{method} sip:a@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: <sip:b@[local_ip]:[local_port]>;tag=[call_number]\nTo: <sip:a@[remote_ip]:[remote_port]>[peer_tag_param]\n\
         Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:b@[local_ip]:[local_port]>\nMax-Forwards: 70\n\
         {kind}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

/// Starts a program in a folder, with a cache there.
pub(crate) fn start(program: &str, folder: &Path, line: &str) -> Child {
    Command::new(program)
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// The answering side.
pub(crate) struct Peer {
    sip: UdpSocket,
    pub(crate) media: UdpSocket,
}

impl Peer {
    pub(crate) fn new() -> Self {
        let bind = || {
            let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
            let limit = Some(Duration::from_secs(40));
            socket.set_read_timeout(limit).expect("a limit");
            socket
        };
        Self {
            sip: bind(),
            media: bind(),
        }
    }

    pub(crate) fn sip_port(&self) -> u16 {
        self.sip.local_addr().expect("bound").port()
    }

    pub(crate) fn media_port(&self) -> u16 {
        self.media.local_addr().expect("bound").port()
    }

    /// Answers until the BYE with 200, an INVITE with this description, whose lines end with LF. An ACK is shown, with the
    /// media port that the INVITE named.
    pub(crate) fn answer(&self, description: &str, mut acknowledged: impl FnMut(u16)) {
        let mut theirs = 0;
        let mut buffer = [0; 65_536];
        loop {
            let (len, from) = self.sip.recv_from(&mut buffer).expect("a request");
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let method = text.split(' ').next().unwrap_or_default().to_owned();
            if let Some((_, behind)) = text.split_once("m=audio ") {
                let port = behind.split(' ').next().expect("a port");
                theirs = port.parse().expect("a number");
            }
            if method == "ACK" {
                acknowledged(theirs);
                continue;
            }
            let copied: String = text
                .lines()
                .filter(|line| {
                    let mut names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter();
                    names.any(|name| line.starts_with(name))
                })
                .map(|line| format!("{line}\r\n"))
                .collect();
            let body = match method.as_str() {
                "INVITE" => description.replace('\n', "\r\n"),
                _ => String::new(),
            };
            let answer = format!(
                "SIP/2.0 200 OK\r\n{copied}Contact: <sip:a@127.0.0.1:{}>\r\nContent-Type: application/sdp\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                self.sip_port(),
                body.len()
            );
            self.sip.send_to(answer.as_bytes(), from).expect("sent");
            if method == "BYE" {
                return;
            }
        }
    }
}
