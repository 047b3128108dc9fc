// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios that use media, and checking scenarios without the flags of their run, as a user meets both.

mod place;

use place::Place;

fn holding(files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    for (name, content) in files {
        place.write(name, content);
    }
    place
}

/// A call that plays a file once it is answered.
const CALL: &str = r#"<scenario>
<send retrans="500"><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Content-Length: 0

]]></send>
<recv response="200"/>
<nop><action><exec play_pcap_audio="sound.pcap"/><exec play_dtmf="1"/></action></nop>
</scenario>"#;

#[test]
fn a_run_whose_files_are_missing_is_refused_and_runs_its_signalling_when_told_to() {
    let folder = holding(&[("call.xml", CALL)]);
    let line = "sipp -sf call.xml -loopback -loopback_sn options_uas -m 3 -r 100 -nostdin";
    let ran = folder.run(line);
    assert_eq!(ran.code, 255, "{}{}", ran.out, ran.err);
    assert!(
        ran.err
            .contains("`play_pcap_audio`, line 13: cannot read `sound.pcap`"),
        "{}",
        ran.err
    );
    let ran = folder.run(&format!("{line} -no_media"));
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("note: -no_media:"), "{}", ran.err);
    assert!(ran.out.contains("media actions skipped: 6"), "{}", ran.out);
    assert!(ran.out.contains(" media_skipped=6\n"), "{}", ran.out);
}

/// A call that plays something to the echo of its own process.
fn talk(first: &str) -> String {
    CALL.replace(
        "CSeq: 1 OPTIONS",
        "CSeq: 1 OPTIONS\nX-Port: [rtpstream_audio_port]",
    )
    .replace(
        r#"<recv response="200"/>"#,
        &format!(
            r#"<recv response="200"/><nop><action><exec rtp_stream="{first}"/></action></nop>"#
        ),
    )
    .replace(
        r#"<nop><action><exec play_pcap_audio="sound.pcap"/><exec play_dtmf="1"/></action></nop>"#,
        r#"<pause milliseconds="100"/>"#,
    )
}

#[test]
fn a_pattern_that_nobody_returns_is_not_sent_without_a_description() {
    // OPTIONS is answered without SDP: there is nowhere to send to, and nothing that could fail.
    let folder = holding(&[("call.xml", &talk("apattern"))]);
    let line = "sipp -sf call.xml -loopback -loopback_sn options_uas -m 2 -r 100 -nostdin";
    let ran = folder.run(line);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("RTP        0 sent  0 received"),
        "{}",
        ran.out
    );
}

#[test]
fn what_is_at_the_media_port_is_echoed_and_counted() {
    let folder = holding(&[]);
    let line = "sipp -sn uac -loopback -m 3 -r 100 -d 1 -nostdin -rtp_echo -mp 0";
    let ran = folder.run(line);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let echo = ran
        .out
        .lines()
        .find(|line| line.starts_with("RTP echo   127.0.0.1:"));
    let echo = echo.unwrap_or_else(|| panic!("{}", ran.out));
    assert!(echo.ends_with("  0 audio  0 video"), "{echo}");
    for (flags, what) in [
        ("-no_media", "-rtp_echo is media"),
        ("-max_rtp_port 10 -mp 10", "leaves no port"),
    ] {
        let ran = folder.run(&format!("{line} {flags}"));
        assert!(ran.code != 0 && ran.err.contains(what), "{}", ran.err);
    }
}

#[test]
fn compiling_warns_of_files_that_are_not_there() {
    let folder = holding(&[("call.xml", CALL)]);
    let ran = folder.run("compile --check call.xml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("G0433") && ran.err.contains("call.xml:13:37"),
        "{}",
        ran.err
    );
    // As for a run that plays nothing.
    let ran = folder.run("compile --check --no_media --strict call.xml");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    folder.write("sound.pcap", "");
    // Beside the scenario, wherever the command is given.
    let path = folder.path("call.xml");
    let ran = place::run(&format!(
        "compile --check --no_media --strict {}",
        path.display()
    ));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

/// Needs three flags of its run.
const NEEDY: &str = r#"<scenario>
<send><![CDATA[
OPTIONS sip:[field1]@[domain] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
X: [field0] [field3] [field2 file="other.csv"] [domain]

]]></send></scenario>"#;

#[test]
fn a_scenario_is_checked_without_the_flags_of_its_run() {
    let folder = holding(&[("needy.xml", NEEDY)]);
    let ran = folder.run("compile --check needy.xml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        "needy.xml: needs: -inf FILE (fields 0-1, 3), -inf other.csv (field 2), -key domain\n"
    );
    // Each need is said once.
    assert!(ran.err.contains("needy.xml: 3 warnings"), "{}", ran.err);
    let ran = folder.run("compile --check --format json needy.xml");
    let last = ran.out.lines().last().expect("a line");
    let value: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(
        value,
        serde_json::json!({
            "file": "needy.xml",
            "needs": {
                "inf": [{"file": null, "fields": [0, 1, 3]}, {"file": "other.csv", "fields": [2]}],
                "key": ["domain"], "3pcc": false, "media": false
            }
        })
    );
    // What is to be run is refused.
    for line in [
        "compile --check --strict needy.xml",
        "compile -o needy.gsc needy.xml",
        "sipp -sf needy.xml 127.0.0.1 -m 1",
    ] {
        let ran = folder.run(line);
        assert_eq!(ran.code, 1, "{line}: {}", ran.out);
        assert!(
            ran.err.contains("error[G0213]") && ran.err.contains("error[G0214]"),
            "{line}: {}",
            ran.err
        );
    }
    // Nothing that cannot be run is kept for a run.
    let ran = folder.run("compile needy.xml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("kept"), "{}", ran.out);
    let ran = folder.run("compile needy.xml -key domain x -inf a.csv -inf other.csv");
    assert!(ran.out.contains("kept for the next run"), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn a_misspelt_keyword_stays_an_error() {
    let folder = holding(&[(
        "near.xml",
        &NEEDY
            .replace("[domain]", "[remote_prot]")
            .replace("[field", "[feild"),
    )]);
    let ran = folder.run("compile --check near.xml");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.err.contains("did you mean `[remote_port]`?"),
        "{}",
        ran.err
    );
}
