// SPDX-License-Identifier: AGPL-3.0-only
//! Rates that change, counted in calls that were made.

mod place;

use place::run;

#[test]
fn a_curve_makes_as_many_calls_as_its_area_and_ends_the_run() {
    // 100 calls going up, 75 on the plateau, 25 on the way down, whatever the machine does meanwhile.
    let ran = run("sipp -sn uac -loopback -l 1000 -rate_profile 0:0,0.5:400,0.6875:400,0.8125:0");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(
        ran.out.contains("200 created  200 succeeded  0 failed"),
        "{}",
        ran.out
    );
}

#[test]
fn a_curve_on_several_shards_is_the_same_curve() {
    let ran =
        run("sipp -sn uac -loopback -l 1000 -shards 2 -rate_profile 0:0,0.5:400,0.5:100,1:100,1:0");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("150 created"), "{}", ran.out);
}

#[test]
fn a_ramp_ends_behind_its_top_in_sipps_dialect() {
    let line =
        "-sn uac -loopback -l 1000 -r 100 -rate_increase 100 -rate_interval 200ms -rate_max 200";
    let ran = run(&format!("sipp {line}"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("60 created"), "{}", ran.out);
    // Without that end, -m has to bring one.
    for rest in ["-m 100 -no_rate_quit", "-compat gossipper -m 100"] {
        let ran = run(&format!("sipp {line} {rest}"));
        assert!(ran.out.contains("100 created"), "{}", ran.shown());
        assert!(ran.out.contains("asked 200/s"), "{}", ran.out);
    }
}

#[test]
fn a_rate_of_requests_is_divided_among_those_of_a_call() {
    let ran = run("sipp -sn uac -loopback -m 10 -r 600 -rate_unit requests");
    assert_eq!(ran.code, 0, "{}", ran.shown());
    assert!(ran.out.contains("asked 200/s"), "{}", ran.out);
    assert!(ran.err.contains("`uac` is 3 of them"), "{}", ran.err);
}

#[test]
fn what_does_not_go_together_is_said() {
    let ran = run("sipp -sn uac -loopback -m 1 -rate_increase 1 -rate_profile 0:1");
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(ran.err.contains("exclude each other"), "{}", ran.err);
    let ran = run("sipp -sn uac -loopback -m 1 -rate_profile 0:1,60");
    assert!(ran.err.contains("`60` is no point"), "{}", ran.err);
    let ran = run("sipp -sn uac -loopback -m 1 -r 100 -rate_max 5");
    assert!(
        ran.err.contains("-rate_max has no effect"),
        "{}",
        ran.shown()
    );
    let ran = run("sipp -sn uac -loopback -m 5 -users 1 -rate_increase 5 -d 1");
    assert!(
        ran.err.contains("-rate_increase has no effect"),
        "{}",
        ran.shown()
    );
}
