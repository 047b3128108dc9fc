// SPDX-License-Identifier: AGPL-3.0-only
//! baresip answers: what it records is the tone that was sent, and what it sends back is heard.

use crate::stage::{
    HOST, Packets, Part, Place, Runner, STREAM, caller, finish, media_ports, pause, port, skipped,
    tone_in,
};
use gossipper_testkit::sipp::{Running, Tool};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where distributions keep its modules.
const MODULES: [&str; 3] = [
    "/usr/lib/baresip/modules",
    "/usr/lib64/baresip/modules",
    "/usr/local/lib/baresip/modules",
];

fn modules() -> Option<&'static str> {
    let has = |folder: &&str| {
        ["account", "g711", "aubridge", "sndfile", "srtp"]
            .iter()
            .all(|module| Path::new(folder).join(format!("{module}.so")).exists())
    };
    let found = MODULES.into_iter().find(has);
    if found.is_none() {
        skipped("there is no baresip with its modules");
    }
    found
}

/// One call to a baresip that sends back what it hears and records it; the share of the tone in what it recorded and
/// in what came back.
fn call(modules: &str, description: &str, account: &str, flags: &str) -> [f64; 2] {
    let place = Place::new();
    let listen = SocketAddr::new(HOST, port());
    let folder = place.path("baresip");
    std::fs::create_dir(&folder).expect("created");
    // The account's encryption is looked up when it is read.
    let names = ["srtp", "account", "g711", "aubridge", "sndfile"];
    let lines: String = names.map(|name| format!("module {name}.so\n")).concat();
    let config = format!(
        "sip_listen {listen}\nmodule_path {modules}\n{lines}audio_player aubridge,call\naudio_source aubridge,call\n\
         snd_path {}\n",
        folder.display()
    );
    place.write("baresip/config", config);
    place.write("baresip/contacts", "");
    place.write(
        "baresip/accounts",
        format!("<sip:baresip@{listen}>;regint=0;answermode=auto{account}\n"),
    );
    let arguments = ["-f", &folder.display().to_string()].map(str::to_owned);
    let mut peer = Running::start(&Tool::program("baresip", "baresip"), arguments.to_vec())
        .expect("it starts");
    peer.wait_for_port(listen).expect("it listens");
    let calls = caller(Part {
        sdp: description,
        first: &place.tone(4),
        then: &pause(2300),
    });
    let calls = place.write("calls.xml", calls);
    let record = place.path("ours");
    let flags = format!(
        "{listen} -s baresip {} -record_wav_dir {} {flags}",
        media_ports(),
        record.display()
    );
    let ours = finish(Runner::own().start(port(), &calls, &flags));
    let theirs = peer.interrupt().expect("it ends");
    let said = format!("{}{}\n{}", ours.stdout, theirs.stdout, theirs.stderr);
    assert_eq!(ours.exit, gossipper_testkit::sipp::Exit::Code(0), "{said}");
    let Packets {
        sent,
        received,
        useless,
        ..
    } = Packets::of(&ours);
    assert!(sent == 100 && received >= 50, "{said}");
    // With keys its first report comes before it has them and its goodbye after it gave them up, both in the clear.
    let in_the_clear = if flags.contains("-media_srtp") { 2 } else { 0 };
    assert!(useless <= in_the_clear, "{said}");
    let heard: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
        .collect();
    assert_eq!(heard.len(), 1, "{said}");
    [tone_in(&heard[0]), place.tone_in("ours")]
}

#[test]
fn baresip_records_the_tone_that_it_is_sent() {
    let Some(modules) = modules() else { return };
    let shares = call(modules, STREAM, "", "");
    assert!(shares.iter().all(|share| *share > 0.9), "{shares:?}");
}

#[test]
fn baresip_decrypts_what_is_sent_to_it_and_is_understood() {
    let Some(modules) = modules() else { return };
    for suite in ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] {
        let secure = format!(
            "m=audio [rtpstream_audio_port] RTP/SAVP 8\na=rtpmap:8 PCMA/8000\n\
             a=crypto:1 {suite} inline:[cryptokeyparams1audio]"
        );
        let shares = call(modules, &secure, ";mediaenc=srtp-mand", "-media_srtp");
        assert!(
            shares.iter().all(|share| *share > 0.9),
            "{suite}: {shares:?}"
        );
    }
}
