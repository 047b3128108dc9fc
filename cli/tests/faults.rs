// SPDX-License-Identifier: AGPL-3.0-only
//! What the machine can take away: an address, an interface, descriptors. Each is said in words, and no figure is lost.
#![cfg(target_os = "linux")]
#![expect(
    clippy::print_stderr,
    reason = "a skipped test has to be seen in the test log"
)]

mod place;

use place::{BINARY, Place, Ran, run};

/// Calls over an address that is taken away once calls have gone over it, in a network of its own.
const ADDRESS_GONE: &str = r#"
ip link set lo up && ip addr add 198.51.100.7/32 dev lo || exit 77
"$1" sipp -sn uac -loopback -i 198.51.100.7 -r 100 -m 200 -timeout 30 -nostdin -trace_msg -message_file messages &
until grep -q 'BYE sip' messages 2>/dev/null; do kill -0 $! 2>/dev/null || exit 78; done
ip addr del 198.51.100.7/32 dev lo
wait $!
"#;

#[test]
fn calls_fail_for_the_right_reason_when_their_address_is_taken_away() {
    let place = Place::new();
    let output = place
        .command("unshare", "-rn sh -c")
        .args([ADDRESS_GONE, "sh", BINARY])
        .output();
    let ran = match output {
        Ok(output) => Ran::from(output),
        Err(error) => return eprintln!("SKIPPED: no `unshare` ({error})"),
    };
    if ran.code == 77 || ran.err.contains("unshare failed") {
        return eprintln!("SKIPPED: no network of one's own here: {}", ran.err);
    }
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let figure = |name: &str| -> u64 {
        let line = ran.out.lines().last().unwrap_or_default();
        let mut words = line.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value
            .and_then(|value| value.parse().ok())
            .expect("a figure")
    };
    assert_eq!(figure("calls"), 200, "{}", ran.shown());
    assert_eq!(figure("success") + figure("failed"), 200, "{}", ran.shown());
    assert!(
        figure("success") > 0 && figure("failed") > 0,
        "{}",
        ran.shown()
    );
    assert!(ran.out.contains("message could not be sent"), "{}", ran.out);
    assert!(
        ran.out.contains("cannot send a message to 198.51.100.7"),
        "{}",
        ran.out
    );
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let ran = run("sipp -sn uac -loopback -m 1 -bind_to_device nosuch0");
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(
        ran.err.contains("the interface `nosuch0`: No such device"),
        "{}",
        ran.err
    );
    let ran = run("sipp -sn uac -loopback -m 1 -t tn -bind_to_device nosuch0");
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(ran.err.contains("`nosuch0`"), "{}", ran.err);
    // The one there is serves.
    let ran = run("sipp -sn uac -loopback -m 1 -bind_to_device lo");
    if ran.code == 255 && ran.err.contains("not permitted") {
        return eprintln!(
            "SKIPPED: sockets cannot be kept on an interface here: {}",
            ran.err
        );
    }
    assert_eq!(ran.code, 0, "{}", ran.shown());
}

#[test]
fn a_run_without_descriptors_says_what_it_lacks_them_for() {
    for limit in [8, 10, 12] {
        let place = Place::new();
        let line =
            format!("ulimit -n {limit}; exec '{BINARY}' sipp -sn uac -loopback -m 1 -nostdin");
        let output = place.command("sh", "-c").arg(&line).output();
        let ran = Ran::from(output.expect("a shell"));
        assert_eq!(ran.code, 255, "{limit}: {}", ran.shown());
        assert!(
            ran.err.starts_with("error: cannot ") && ran.err.contains("Too many open files"),
            "{limit}: {}",
            ran.shown()
        );
    }
}
