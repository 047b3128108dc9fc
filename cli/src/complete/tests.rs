// SPDX-License-Identifier: AGPL-3.0-only
//! What the scripts contain. That they work is tested with the shells themselves.

use super::*;
use crate::flags::streams::Mode;

#[test]
fn every_flag_of_a_run_is_in_every_script() {
    let commands = commands();
    let (bash, zsh, fish) = (
        bash::script(&commands),
        zsh::script(&commands),
        fish::script(&commands),
    );
    let flags = bash
        .split_once("sipp) flags='")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(flags, _)| flags.split(' ').collect::<Vec<_>>())
        .expect("the flags of a run");
    for flag in defs::flags() {
        for name in flag.names {
            assert!(
                flags.contains(&format!("-{name}").as_str()),
                "bash: -{name}"
            );
            let takes =
                bash.contains(&format!("sipp:{name}|")) || bash.contains(&format!("sipp:{name})"));
            assert_eq!(takes, flag.arg.arity() > 0, "bash: -{name}");
            let equals = if flag.arg.arity() == 1 { "=[" } else { "[" };
            assert!(zsh.contains(&format!("'*-{name}{equals}")), "zsh: -{name}");
            assert!(fish.contains(&format!(" -o {name} ")), "fish: -{name}");
        }
    }
}

#[test]
fn every_command_is_there_and_the_run_is_the_first() {
    let names: Vec<String> = commands().into_iter().map(|command| command.name).collect();
    assert_eq!(names[0], RUN);
    for verb in crate::root::VERBS {
        assert!(names.iter().any(|name| name == verb), "{verb}");
    }
}

#[test]
fn the_modes_that_are_offered_are_those_there_are() {
    for mode in MODES {
        assert!(Mode::parse(mode).is_ok_and(|mode| mode.only.is_none() && !mode.sctp_in_sipp));
    }
}

#[test]
fn values_are_what_the_table_says_of_them() {
    let run = &commands()[0];
    let value = |name: &str| {
        let of = |option: &&Opt| option.names.iter().any(|other| other == name);
        &run.options.iter().find(of).expect("a flag").value
    };
    assert_eq!(*value("sf"), Value::File);
    assert_eq!(*value("infindex"), Value::File);
    assert_eq!(*value("rsa"), Value::Host);
    assert_eq!(*value("compat"), words(["sipp", "gossipper"]));
    assert_eq!(*value("key"), Value::Any);
    assert!(matches!(value("sn"), Value::Choice(names) if names.iter().any(|name| name == "uas")));
}
