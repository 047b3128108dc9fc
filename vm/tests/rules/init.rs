// SPDX-License-Identifier: AGPL-3.0-only
//! Commands of twins in the init section.

use crate::stage::{Stage, from_peer, log, scenario, send};
use gossipper_testkit::pair;
use gossipper_vm::{CallControl, Image, LinkError, Micros, RunParams, TwinMode};

const GLOBAL: &str = "<Global variables='word'/>";

fn one(params: &mut RunParams) {
    params.twin = Some(TwinMode::One);
}

fn named(params: &mut RunParams) {
    params.twin = Some(TwinMode::Named);
}

fn command(lines: &str) -> String {
    format!("Call-ID: ///main-init\r\n{lines}\r\n")
}

/// Keeps what stands behind `Word:`.
fn keep(attributes: &str) -> String {
    format!(
        "<recvCmd {attributes}><action><ereg regexp='[a-z]+' search_in='hdr' header='Word: ' assign_to='word'/>\
         </action></recvCmd>"
    )
}

/// A client with this section, whose calls print the word.
fn client(init: &str, adjust: fn(&mut RunParams)) -> Stage {
    let init = format!("<init>{init}</init>");
    Stage::client_with(
        &[GLOBAL, &init, &log("[$word]"), &send("OPTIONS", "")],
        adjust,
    )
}

#[test]
fn the_section_sends_a_command_waits_for_another_and_then_calls_begin() {
    let init = format!(
        "<sendCmd><![CDATA[\nCall-ID: [call_id]\nWord: please [service]\n]]></sendCmd>{}\
         <nop><action><log message='got [$word]'/></action></nop>",
        keep("")
    );
    let mut stage = client(&init, one);
    assert_eq!(
        stage.take_commands(),
        ["Call-ID: ///main-init\r\nWord: please service\r\n\r\n"]
    );
    assert_eq!((stage.open(), stage.is_starting()), (0, true));
    stage.command(&command("Word: alpha\r\n"));
    assert!(!stage.is_starting());
    stage.spawn();
    assert_eq!(stage.lines, ["got alpha", "alpha"]);
    // The section is no call.
    assert_eq!((stage.tally.created, stage.fatal), (1, None));
}

#[test]
fn what_comes_too_early_waits_or_is_turned_away() {
    let parts = [
        GLOBAL,
        &format!("<init>{}</init>", keep("")),
        "<recvCmd><action><log message='[$word]'/></action></recvCmd>",
    ];
    let mut stage = Stage::client_with(&parts, one);
    stage.command("Call-ID: x\r\n\r\n");
    stage.command("Note: x\r\n\r\n");
    stage.deliver(&from_peer("INVITE", "y", 1));
    assert_eq!((stage.tally.out_of_call, stage.tally.discarded), (1, 2));
    assert_eq!((stage.lines.len(), stage.is_starting()), (0, true));
    // Behind the section comes the call that the first command opens.
    stage.command(&command("Word: beta\r\n"));
    assert_eq!(stage.lines, ["beta"]);
    stage.assert_success();
}

#[test]
fn of_several_peers_each_is_taken_in_its_turn() {
    let init = format!("{}{}", keep("src='a'"), "<recvCmd src='b'/>");
    let mut stage = client(&init, named);
    stage.command(&command("From: b\r\nWord: late\r\n"));
    assert!(stage.is_starting());
    stage.command(&command("From: a\r\nWord: gamma\r\n"));
    assert!(!stage.is_starting());
    stage.spawn();
    assert_eq!(stage.lines, ["gamma"]);
}

#[test]
fn a_command_that_does_not_come_ends_the_run() {
    let mut stage = client(&keep("timeout='700'"), one);
    stage.advance(699);
    assert_eq!(stage.fatal, None);
    stage.advance(1);
    assert_eq!(
        stage.fatal.as_deref(),
        Some("<init>: no command came in time for a recvCmd")
    );
    assert!(!stage.is_starting() && !stage.is_armed());
    // By default for as long as any receive.
    let mut stage = client(&keep(""), |params| {
        one(params);
        params.recv_timeout_ms = 50;
    });
    stage.advance(50);
    assert!(stage.fatal.is_some());
}

#[test]
fn an_optional_command_is_waited_for_a_quarter_of_a_second() {
    let init = format!(
        "{}<nop><action><assignstr assign_to='word' value='none'/></action></nop><label id='on'/><nop/>",
        keep("optional='true' next='on'")
    );
    let mut stage = client(&init, one);
    stage.advance(249);
    assert!(stage.is_starting());
    stage.advance(1);
    assert_eq!((stage.is_starting(), stage.fatal.is_none()), (false, true));
    stage.spawn();
    assert_eq!(stage.lines, ["none"]);
    // One that comes takes its `next` along.
    let mut stage = client(&init, one);
    stage.command(&command("Word: delta\r\n"));
    assert!(!stage.is_armed());
    stage.spawn();
    assert_eq!(stage.lines, ["delta"]);
}

#[test]
fn ontimeout_leads_elsewhere_in_the_section() {
    let init = format!(
        "{}<nop next='end'/><label id='late'/><nop><action><assignstr assign_to='word' value='late'/></action></nop>\
         <label id='end'/><nop/>",
        keep("timeout='100' ontimeout='late'")
    );
    let mut stage = client(&init, one);
    stage.advance(100);
    stage.spawn();
    assert_eq!((stage.lines, stage.fatal), (vec!["late".to_owned()], None));
}

#[test]
fn a_command_that_cannot_be_sent_ends_the_run() {
    let init = "<sendCmd><![CDATA[\nCall-ID: [call_id]\n]]></sendCmd><recvCmd/>";
    let mut stage = client(init, one);
    let call = stage.twin_call.expect("the section's");
    stage.handle(gossipper_vm::Input::TwinFailed { call });
    assert_eq!(
        stage.fatal.as_deref(),
        Some("a command of the init section cannot be sent")
    );
    assert!(!stage.is_starting());
}

#[test]
fn a_run_that_is_stopped_waits_no_more() {
    let mut stage = client(&keep("timeout='100'"), one);
    stage.control(CallControl::AbortAll);
    assert!(!stage.is_starting() && !stage.is_armed());
    assert_eq!(stage.open(), 0);
}

#[test]
fn more_commands_than_may_wait_are_turned_away() {
    let mut stage = client(&keep(""), one);
    for call in 0..5000 {
        stage.command(&format!("Call-ID: {call}\r\n\r\n"));
    }
    assert_eq!(stage.tally.out_of_call, 5000 - 4096);
    stage.advance(Micros::from_ms(1).0);
    assert!(stage.is_starting());
}

#[test]
fn a_section_with_commands_needs_a_twin_and_among_several_their_names() {
    let parts = ["<init><recvCmd/></init>", &send("OPTIONS", "")];
    let link = |twin| {
        let params = RunParams {
            twin,
            ..pair::client_params()
        };
        Image::link(pair::program("test", &scenario(&parts)), params).map(|_| ())
    };
    assert_eq!(link(None), Err(LinkError::NoTwin));
    assert_eq!(link(Some(TwinMode::One)), Ok(()));
    let error = link(Some(TwinMode::Named)).expect_err("names no peer");
    assert!(
        error
            .to_string()
            .starts_with("`<init>`: `recvCmd` needs `src`"),
        "{error}"
    );
}
