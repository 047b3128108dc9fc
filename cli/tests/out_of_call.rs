// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario beside a client's, for requests that belong to no call.

mod place;

use place::run;

#[test]
fn what_comes_in_beside_calls_is_taken_and_counted_by_itself() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/scenarios");
    for (flag, kind) in [("-oocsn", "out of call"), ("-rxsn", "receiving")] {
        let ran = run(&format!(
            "sipp -sf {folder}/out_of_call_client.xml -loopback -loopback_sf {folder}/out_of_call_server.xml \
             -callid_slash_ign {flag} ooc_default -m 2 -timeout 30"
        ));
        assert_eq!(ran.code, 0, "{}", ran.shown());
        let calls = "2 created  2 succeeded  0 failed";
        assert!(ran.out.contains(calls), "{}", ran.out);
        let beside = format!("ooc_default ({kind})  4 calls  0 failed");
        assert!(ran.out.contains(&beside), "{}", ran.out);
    }
}

#[test]
fn scenarios_that_cannot_stand_beside_are_refused() {
    for (line, why) in [
        ("-sn uas -oocsn ooc_default", "need a client scenario"),
        ("-sn uac -oocsn uac 127.0.0.1:9", "need a server scenario"),
        ("-sn uas -rxsn uas", "need a client scenario"),
        ("-sn uac -rxsn uac 127.0.0.1:9", "need a server scenario"),
        ("-sn uac -rxsn 3pcc-C-B 127.0.0.1:9", "3pcc-C-B"),
        (
            "-sn 3pcc-C-A -3pcc 127.0.0.1:9 -rxsn uas 127.0.0.1:9",
            "does not go with",
        ),
        ("-sn uac -oocsn 3pcc-C-B 127.0.0.1:9", "3pcc-C-B"),
    ] {
        let ran = run(&format!("sipp {line} -m 1 -timeout 5"));
        assert_ne!(ran.code, 0, "{}", ran.shown());
        assert!(ran.err.contains(why), "{}", ran.shown());
    }
}

#[test]
fn it_keeps_the_run_on_one_shard_and_a_note_says_so() {
    let ran = run("sipp -sn uac -loopback -shards 2 -oocsn ooc_default -m 1");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.err.contains("out-of-call scenario"), "{}", ran.shown());
}
