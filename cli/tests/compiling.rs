// SPDX-License-Identifier: AGPL-3.0-only
//! `gossipper compile` and `explain`: findings, listings, ladders, compiled files and the cache.

mod place;

use place::{Place, builtin};

const BAD: &str = "<scenario name=\"bad\">\n  <send>\n    <![CDATA[\nOPTIONS sip:[service]@[remote_ip]:[remote_prot] \
                   SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nCall-ID: \
                   [call_id]\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n    ]]>\n  </send>\n  <recv response=\"200\" \
                   next=\"nowhere\"/>\n</scenario>\n";

#[test]
fn check_reports_everything_and_writes_nothing() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let ran = place.run("compile --check bad.xml");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("remote_prot"), "{}", ran.err);
    assert!(
        ran.err.contains("did you mean `[remote_port]`?"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("nowhere"), "{}", ran.err);
    assert!(place.cached().is_empty());
}

#[test]
fn findings_can_be_read_by_programs() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let ran = place.run("compile --check --format json bad.xml");
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let found: Vec<serde_json::Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].to_string().contains("remote_prot"),
        "{:#}",
        found[0]
    );
}

#[test]
fn the_ladder_shows_the_call_flow() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let ran = place.run("compile --ladder --ascii --no_cache uac.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("- INVITE -") && ran.out.is_ascii(),
        "{}",
        ran.out
    );
    let ran = place.run("compile -ladder -no_cache -o flow.svg uac.xml");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let drawn = std::fs::read_to_string(place.path("flow.svg")).expect("a picture");
    assert!(
        drawn.starts_with("<svg ") && drawn.contains("INVITE"),
        "{drawn}"
    );
    // A picture needs no more than a ladder on the screen: not what a run would need.
    place.write(
        "fields.xml",
        builtin("uac").replace("[service]", "[field0]"),
    );
    let ran = place.run("compile --ladder --no_cache -o fields.svg fields.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(place.path("fields.svg").exists());
    let ran = place.run("compile -o uac.gsc --no_cache uac.xml");
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = place.run("compile --ladder uac.gsc");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("not from its .gsc file"), "{ran:?}");
}

#[test]
fn the_listing_shows_the_program() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let ran = place.run("compile --check --listing uac.xml");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("program \"uac\""), "{}", ran.out);
    assert!(ran.out.contains("INVITE"), "{}", ran.out);
}

#[test]
fn compiling_keeps_the_program_unless_told_not_to() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    assert_eq!(place.run("compile -no_cache uac.xml").code, 0);
    assert_eq!(place.cached().len(), 0);
    assert_eq!(place.run("compile uac.xml").code, 0);
    assert_eq!(place.cached().len(), 1);
    assert_eq!(place.run("compile -key a b uac.xml").code, 0);
    assert_eq!(place.cached().len(), 2);
    // The run finds what compiling left.
    assert_eq!(place.run("sipp -sf uac.xml -loopback -m 1 -r 100").code, 0);
    let own_answerer = 1;
    assert_eq!(place.cached().len(), 2 + own_answerer);
}

#[test]
fn a_damaged_cache_is_not_noticed() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let line = "sipp -sf uac.xml -loopback -m 1 -r 100";
    assert_eq!(place.run(line).code, 0);
    let entries = place.cached();
    assert_eq!(entries.len(), 2);
    for entry in &entries {
        std::fs::write(entry, b"\x89GSC nonsense").expect("written");
    }
    let ran = place.run(line);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for entry in &entries {
        assert!(
            std::fs::metadata(entry).expect("there").len() > 100,
            "compiled and kept again"
        );
    }
}

#[test]
fn a_compiled_file_runs_and_a_damaged_one_is_refused() {
    let place = Place::new();
    place.write("uac.xml", builtin("uac"));
    let compiled = place.run("compile -o uac.gsc uac.xml");
    assert_eq!(compiled.code, 0, "{}", compiled.err);
    assert_eq!(place.run("sipp -sf uac.gsc -loopback -m 2 -r 100").code, 0);

    let whole = std::fs::read(place.path("uac.gsc")).expect("read");
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut foreign = whole.clone();
    foreign[8] ^= 0x55;
    let cases: [(&str, &[u8], &str); 4] = [
        ("cut", &whole[..whole.len() / 2], "incomplete or damaged"),
        ("header", &whole[..11], "incomplete or damaged"),
        ("flipped", &flipped, "checksum"),
        ("foreign", &foreign, "another version"),
    ];
    for (name, bytes, why) in cases {
        place.write("broken.gsc", bytes);
        for line in [
            "sipp -sf broken.gsc -loopback -m 1",
            "compile --check broken.gsc",
        ] {
            let ran = place.run(line);
            assert_eq!(ran.code, 1, "{name}");
            assert!(ran.err.contains("broken.gsc"), "{name}: {}", ran.err);
            assert!(ran.err.contains(why), "{name}: {}", ran.err);
        }
    }
    let ran = place.run("sipp -sf uac.gsc -loopback -m 1 -key a b");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("already compiled"), "{}", ran.err);
}

#[test]
fn explain_knows_the_codes_that_errors_carry() {
    let place = Place::new();
    place.write("bad.xml", BAD);
    let err = place.run("compile --check bad.xml").err;
    let code = err
        .split(['[', ']'])
        .find(|word| word.starts_with('G'))
        .expect("a code");
    let page = place.run(&format!("explain {code}"));
    assert_eq!(page.code, 0);
    assert!(page.out.starts_with(code), "{}", page.out);
    assert!(place.run("explain").out.contains(code));
    assert_eq!(place.run("explain G9999").code, 1);
}
