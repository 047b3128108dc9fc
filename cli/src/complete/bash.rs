// SPDX-License-Identifier: AGPL-3.0-only
//! Completion for bash, from version 4 on.
//!
//! The function reads the line from its beginning, as the parser does: the word after a flag with a value belongs to it,
//! whatever it looks like.

use super::{Command, Opt, RUN, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Marks of values that are no choices.
const FILE: &str = "@file";
const HOST: &str = "@host";

pub(super) fn script(commands: &[Command]) -> String {
    let mut out = String::from(
        "# Completion of gossipper for bash. For a link of the name sipp: complete -F _gossipper sipp\n\n\
         # What follows the flag $2 of the command $1.\n\
         _gossipper_takes() {\n\
         \x20   local name=${2#-}\n\
         \x20   name=${name#-}\n\
         \x20   pending=0 value=\n\
         \x20   case $1:$name in\n",
    );
    for command in commands {
        takes(&mut out, command);
    }
    out.push_str(
        "    esac\n\
         }\n\n\
         # The flags of the command $1, and what else may stand there.\n\
         _gossipper_words() {\n\
         \x20   case $1 in\n",
    );
    for command in commands {
        let flags: Vec<String> = command
            .options
            .iter()
            .flat_map(|option| &option.names)
            .map(|name| command.dashed(name))
            .collect();
        let _ = writeln!(
            out,
            "        {}) flags='{}' rest='{}' ;;",
            command.name,
            flags.join(" "),
            mark(&command.rest)
        );
    }
    out.push_str("    esac\n}\n\n");
    let verbs: Vec<&str> = commands.iter().map(|command| &command.name[..]).collect();
    out.push_str(
        &BODY
            .replace("@VERBS@", &verbs.join(" "))
            .replace("@CASES@", &verbs[1..].join("|"))
            .replace("@RUN@", RUN),
    );
    out
}

/// The part of the function that is the same for all flags.
const BODY: &str = r#"_gossipper() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=@RUN@ at=1 pending=0 value= flags= rest= word
    COMPREPLY=()
    if [[ ${COMP_WORDS[0]##*/} != sipp ]]; then
        case ${COMP_WORDS[1]} in
            @RUN@) if ((COMP_CWORD > 1)); then at=2; fi ;;
            @CASES@) if ((COMP_CWORD > 1)); then command=${COMP_WORDS[1]} at=2; fi ;;
        esac
    fi
    # `-flag=value` comes as three words.
    while ((at < COMP_CWORD)); do
        word=${COMP_WORDS[at]}
        if ((pending > 0)); then
            if [[ $word != = ]]; then
                ((pending--))
                value=
            fi
        elif [[ $word == -* ]]; then
            _gossipper_takes "$command" "$word"
        fi
        ((at++))
    done
    if [[ $cur == = ]]; then cur=; fi
    if ((pending == 0)); then
        _gossipper_words "$command"
        value=$rest
        if [[ $cur == -* ]]; then
            value=$flags
            # Flags of a run take two dashes as well.
            if [[ $command == @RUN@ && $cur == --* ]]; then value=${flags//-/--}; fi
        elif ((COMP_CWORD == 1)) && [[ ${COMP_WORDS[0]##*/} != sipp ]]; then
            value='@VERBS@'
        fi
    fi
    case $value in
        '') ;;
        @file)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            ;;
        @host) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$value" -- "$cur") ;;
    esac
}
complete -F _gossipper gossipper
"#;

/// One arm for all flags that take the same.
fn takes(out: &mut String, command: &Command) {
    let mut alike: BTreeMap<(usize, &Value), Vec<String>> = BTreeMap::new();
    for Opt {
        names,
        metavars,
        value,
        ..
    } in &command.options
    {
        if !metavars.is_empty() {
            let all = alike.entry((metavars.len(), value)).or_default();
            all.extend(names.iter().map(|name| format!("{}:{name}", command.name)));
        }
    }
    for ((count, value), names) in alike {
        let _ = writeln!(
            out,
            "        {})\n            pending={count} value='{}' ;;",
            names.join("|"),
            mark(value)
        );
    }
}

fn mark(value: &Value) -> String {
    match value {
        Value::Any => String::new(),
        Value::File => FILE.to_owned(),
        Value::Host => HOST.to_owned(),
        Value::Choice(words) => words.join(" "),
    }
}
