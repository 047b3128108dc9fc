// SPDX-License-Identifier: AGPL-3.0-only
//! Calls that play a microphone, recorded by the peer: with recorders of ours in place of ALSA's, and with ALSA's own where it
//! is installed, whose device is a file.
#![cfg(target_os = "linux")]

mod place;

use gossipper_media::tone::{Tone, power_at};
use gossipper_media::wav;
use place::{BINARY, Place, Ran, builtin};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const TONE: f64 = 1000.0;

/// Takes its words down, and records a tone for as long as somebody reads it.
const RECORDER: &str = r#"#!/bin/sh
for before in $(cut -d' ' -f1 recorders 2>/dev/null); do
  [ -e /proc/$before ] && echo "$before is still there" >> leftovers
done
echo "$$ $*" >> recorders
while cat tone.raw; do :; done
"#;

/// A folder with both sides of a call in a codec, and a recorder.
fn stage(format: (u8, &str), input: &str, recorder: Option<&str>) -> Place {
    let place = Place::new();
    let (number, name) = format;
    let described = |scenario: &str| {
        builtin(scenario)
            .replace("RTP/AVP 0", &format!("RTP/AVP {number}"))
            .replace("rtpmap:0 PCMU", &format!("rtpmap:{number} {name}"))
    };
    let caller = described("invite_media")
        .replace("synthetic,-1,0,PCMU/8000,20,3000", &format!("mic{input}"))
        .replace(r#"milliseconds="500""#, r#"milliseconds="1000""#);
    assert!(caller.contains(&format!("\"mic{input}\"")), "{caller}");
    place.write("caller.xml", caller);
    let called = described("media_uas")
        .replace(
            r#"rtp_stream="synthetic,-1,0,PCMU/8000,20,0""#,
            r#"rtp_record="start,heard-[call_number].wav""#,
        )
        .replace(r#"rtp_stream="stop""#, r#"rtp_record="stop""#);
    place.write("called.xml", called);
    let samples = Tone::new(TONE, 0.4).samples(8000).take(8000);
    let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    place.write("tone.raw", bytes);
    std::fs::create_dir(place.path("bin")).expect("a folder");
    if let Some(recorder) = recorder {
        let file = place.write("bin/arecord", recorder);
        let runs = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(file, runs).expect("a mode");
    }
    place
}

/// Runs calls with the recorder of the stage first on PATH.
fn run(place: &Place, flags: &str) -> Ran {
    let line = format!(
        "-sf caller.xml -loopback -loopback_sf called.xml -nostdin -timeout 60 -trace_err -error_file errors {flags}"
    );
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let mut command = place.command(BINARY, &line);
    command.env("PATH", path).env("HOME", place.folder.path());
    Ran::from(command.output().expect("the binary runs"))
}

/// Asserts that a recording holds the tone for most of the call, and is silent otherwise.
fn holds_the_tone(file: &Path, rate: u32) {
    let bytes = std::fs::read(file).expect("it was recorded");
    let audio = wav::read(&bytes).expect("a WAV file");
    assert_eq!(audio.rate, rate);
    assert!(
        audio.samples.len() > rate as usize / 2,
        "{}",
        audio.samples.len()
    );
    let mut pure = 0;
    let parts: Vec<_> = audio.samples.chunks_exact(rate as usize / 20).collect();
    for part in &parts {
        let (whole, at) = power_at(part, TONE, rate);
        pure += usize::from(whole > 1e6 && at / whole > 0.9);
    }
    // A machine that is busy hears less of it.
    assert!(pure * 2 > parts.len(), "{pure} of {}", parts.len());
}

fn lines(place: &Place, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(place.path(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_peer_hears_the_microphone_in_every_codec_that_is_coded() {
    for (format, rate) in [
        ((0, "PCMU"), 8000),
        ((8, "PCMA"), 8000),
        ((9, "G722"), 16_000),
    ] {
        let place = stage(format, ",card one", Some(RECORDER));
        let ran = run(&place, "-m 2 -l 2 -r 100");
        assert_eq!(ran.code, 0, "{}", ran.shown());
        for call in 1..=2 {
            holds_the_tone(&place.path(&format!("heard-{call}.wav")), rate);
        }
        // Both calls hear one recorder.
        let recorders = lines(&place, "recorders");
        let [recorder] = &recorders[..] else {
            panic!("{recorders:?}");
        };
        let (number, words) = recorder.split_once(' ').expect("its words");
        assert_eq!(words, "-q -t raw -f S16_LE -r 8000 -c 1 -D card one");
        assert!(!Path::new("/proc").join(number).exists(), "{number}");
    }
}

#[test]
fn a_recorder_lasts_as_long_as_somebody_listens_and_nothing_of_it_is_left() {
    for input in ["", ","] {
        let place = stage((0, "PCMU"), input, Some(RECORDER));
        let ran = run(&place, "-m 2 -l 1 -r 100");
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let recorders = lines(&place, "recorders");
        assert_eq!(recorders.len(), 2, "{recorders:?}");
        for recorder in recorders {
            // The default device has no name.
            assert!(recorder.ends_with("-c 1"), "{recorder}");
            let number = recorder.split(' ').next().expect("a number");
            assert!(!Path::new("/proc").join(number).exists(), "{number}");
        }
        assert_eq!(lines(&place, "leftovers"), [""; 0]);
    }
}

#[test]
fn a_recorder_that_ends_fails_the_call_with_its_last_words_and_the_run_goes_on() {
    let broken = "#!/bin/sh\necho 'ALSA lib: no card' >&2\necho 'arecord: main:831: audio open error' >&2\nexit 3\n";
    let place = stage((8, "PCMA"), ",hw:9", Some(broken));
    let ran = run(&place, "-m 2 -l 1 -r 100");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let errors = lines(&place, "errors").join("\n");
    let why = "`arecord -D hw:9` records no more (exit status: 3): arecord: main:831: audio open error; `arecord -L` lists";
    for call in 1..=2 {
        let said = format!("call {call}: rtp_stream (line ");
        assert!(errors.contains(&said) && errors.contains(why), "{errors}");
    }
    assert!(
        ran.out.contains("media") && ran.out.contains("failed=2"),
        "{}",
        ran.shown()
    );
}

#[test]
fn what_a_recorder_makes_of_its_time_holds_up_nobody() {
    let cat = "#!/bin/sh\nexec cat /dev/zero\n";
    // Odd numbers of bytes, now and then.
    let slow = "#!/bin/sh\nwhile printf abc; do sleep 0.03; done\n";
    let words = "#!/bin/sh\ncat /dev/zero >&2\n";
    // What it has started goes with it, though nobody tells it to.
    let parent = "#!/bin/sh\ntrap '' TERM\necho $$ > recorders\n(trap '' TERM; exec cat /dev/zero) &\nwait\nwhile :; do sleep 1; done\n";
    for recorder in [cat, slow, words, parent] {
        let place = stage((0, "PCMU"), "", Some(recorder));
        let ran = run(&place, "-m 1");
        assert_eq!(ran.code, 0, "{recorder}: {}", ran.shown());
        // Silence is sent where there is no sound.
        let sent = ran.out.split("rtp_sent=").nth(1).expect("a figure");
        let sent: u64 = sent
            .split_whitespace()
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!((30..=60).contains(&sent), "{recorder}: {sent}");
    }
}

#[test]
fn a_run_without_a_recorder_says_where_to_get_one() {
    let place = stage((0, "PCMU"), ",hw:0", None);
    let bin = place.path("bin");
    let alone = |flags: &str| {
        let line =
            format!("-sf caller.xml -loopback -loopback_sf called.xml -m 1 -nostdin {flags}");
        let mut command = place.command(BINARY, &line);
        Ran::from(command.env("PATH", &bin).output().expect("the binary runs"))
    };
    let ran = alone("");
    assert_ne!(ran.code, 0, "{}", ran.shown());
    for part in ["`rtp_stream`, line ", "`arecord`", "alsa-utils"] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    assert!(!ran.out.contains("call"), "{}", ran.out);
    assert_eq!(alone("-no_media").code, 0);
    // A folder of that name is none, and neither is a file that does not run.
    std::fs::create_dir(place.path("bin/arecord")).expect("a folder");
    assert!(alone("").err.contains("alsa-utils"));
    std::fs::remove_dir(place.path("bin/arecord")).expect("removed");
    place.write("bin/arecord", RECORDER);
    assert!(alone("").err.contains("alsa-utils"));
}

#[test]
fn an_input_with_a_keyword_is_known_when_the_call_is() {
    let place = stage((0, "PCMU"), ",[service]", Some(RECORDER));
    let ran = run(&place, "-m 1 -s plughw:1");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    holds_the_tone(&place.path("heard-1.wav"), 8000);
    assert!(lines(&place, "recorders")[0].ends_with("-D plughw:1"));
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn alsas_recorder_is_heard() {
    let place = stage((8, "PCMA"), ",tone", None);
    if !Path::new("/usr/bin/arecord").exists() {
        eprintln!("skipped: no arecord on this machine");
        return;
    }
    // A device that is a file; there need not be any hardware.
    let file = place.path("tone.raw");
    let device = format!(
        "pcm.tone {{ type file slave.pcm \"null\" file /dev/null infile \"{}\" format raw }}\n",
        file.display()
    );
    let samples = Tone::new(TONE, 0.4).samples(8000).take(80_000);
    let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    place.write("tone.raw", bytes);
    place.write(".asoundrc", device);
    let ran = run(&place, "-m 2 -l 2 -r 100");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    for call in 1..=2 {
        holds_the_tone(&place.path(&format!("heard-{call}.wav")), 8000);
    }
    // One that there is not.
    let missing = stage((8, "PCMA"), ",hw:31", None);
    let ran = run(&missing, "-m 1");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let errors = lines(&missing, "errors").join("\n");
    assert!(
        errors.contains("`arecord -D hw:31` records no more"),
        "{errors}"
    );
}
