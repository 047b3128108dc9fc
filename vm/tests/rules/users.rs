// SPDX-License-Identifier: AGPL-3.0-only
//! Calls of users: what follows a user from one call to the next, and what does not.

use crate::stage::{Stage, log, nop, request, scenario, send};
use gossipper_testkit::pair;
use gossipper_vm::{CallControl, InjectionFile};
use std::sync::Arc;

const USER: &str = "<User variables=\"n\"/>";

fn add(variable: &str) -> String {
    nop("", &format!("<add assign_to=\"{variable}\" value=\"1\"/>"))
}

fn client_of(users: Option<u32>, parts: &[String]) -> Stage {
    let parts = [parts, &[send("OPTIONS", "")]].concat();
    Stage::client_with(&parts, |params| params.users = users)
}

#[test]
fn variables_of_a_user_outlive_the_call() {
    let parts = [USER.to_owned(), add("n"), log("[userid] [$n]")];
    let mut stage = client_of(Some(2), &parts);
    for user in [2, 1, 2, 2] {
        stage.spawn_as(user);
    }
    assert_eq!(
        stage.lines,
        ["2 1.000000", "1 1.000000", "2 2.000000", "2 3.000000"]
    );
}

#[test]
fn without_users_every_call_has_fresh_ones() {
    let parts = [USER.to_owned(), add("n"), log("[userid] [users] [$n]")];
    let mut stage = client_of(None, &parts);
    stage.spawn();
    stage.spawn();
    assert_eq!(stage.lines, ["0 -1 1.000000", "0 -1 1.000000"]);
}

#[test]
fn init_has_user_variables_of_its_own_and_shares_the_global_ones() {
    let init = format!("<init>{}{}</init>", add("n"), add("g"));
    let parts = [
        USER.to_owned(),
        "<Global variables=\"g\"/>".to_owned(),
        init,
        add("n"),
        log("[$n] [$g]"),
    ];
    for users in [None, Some(1)] {
        let mut stage = client_of(users, &parts);
        stage.spawn_as(users.unwrap_or(0));
        assert_eq!(stage.lines, ["1.000000 1.000000"], "{users:?}");
    }
}

#[test]
fn texts_of_a_user_are_kept_apart_from_those_of_others() {
    let parts = [
        USER.to_owned(),
        nop("condexec=\"n\"", "<log message=\"again [$n]\"/>"),
        nop(
            "",
            "<assignstr assign_to=\"n\" value=\"call [call_number]\"/>",
        ),
    ];
    let mut stage = client_of(Some(3), &parts);
    for user in [3, 1, 3, 1, 2] {
        stage.spawn_as(user);
    }
    assert_eq!(stage.lines, ["again call 1", "again call 2"]);
}

#[test]
fn the_number_of_users_is_the_current_one() {
    let mut stage = client_of(Some(2), &[log("[users]")]);
    stage.spawn_as(2);
    stage.control(CallControl::Users(7));
    stage.spawn_as(1);
    assert_eq!(stage.lines, ["2", "7"]);
}

fn with_file(users: u32) -> Stage {
    let file = InjectionFile::parse("u.csv", b"USER\nann\nbob\n".to_vec()).expect("a file");
    let parts = [log("[userid] [field0]"), send("OPTIONS", "")];
    let program = pair::program_with_files("test", &scenario(&parts), &["u.csv"]);
    Stage::of(program, pair::client_params(), |params| {
        params.users = Some(users);
        params.injection = vec![Arc::new(file.clone())];
    })
}

#[test]
fn a_line_of_a_user_file_belongs_to_its_user() {
    let mut stage = with_file(2);
    for user in [2, 1, 2] {
        stage.spawn_as(user);
    }
    assert_eq!(stage.lines, ["2 bob", "1 ann", "2 bob"]);
}

#[test]
fn a_user_without_a_line_ends_the_run_before_anything_is_sent() {
    let mut stage = with_file(3);
    stage.spawn_as(3);
    assert_eq!(
        stage.fatal.as_deref(),
        Some("injection file `u.csv` has no line for user 3")
    );
    assert_eq!((stage.sent.len(), stage.open()), (0, 0));
}

#[test]
fn calls_of_a_server_have_no_user() {
    let parts = [
        USER.to_owned(),
        request("OPTIONS", ""),
        add("n"),
        log("[userid] [$n]"),
    ];
    let mut stage = Stage::server_with(&parts, |params| params.users = Some(4));
    for call in ["one", "two"] {
        stage.deliver(&crate::stage::from_peer("OPTIONS", call, 1));
    }
    assert_eq!(stage.lines, ["0 1.000000", "0 1.000000"]);
}
