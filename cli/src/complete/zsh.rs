// SPDX-License-Identifier: AGPL-3.0-only
//! Completion for zsh, by its own `_arguments`.

use super::{Command, Opt, RUN, Value};
use std::fmt::Write as _;

pub(super) fn script(commands: &[Command]) -> String {
    let mut out = String::from("#compdef gossipper\n\n");
    for command in commands {
        let _ = writeln!(out, "_gossipper_{}() {{\n    _arguments \\", command.name);
        for option in &command.options {
            for name in &option.names {
                let _ = writeln!(out, "        {} \\", spec(command, option, name));
            }
        }
        let _ = writeln!(out, "        '*:argument:{}'\n}}\n", action(&command.rest));
    }
    out.push_str("_gossipper() {\n    local -a verbs\n    verbs=(\n");
    for command in commands {
        let _ = writeln!(
            out,
            "        '{}:{}'",
            command.name,
            quoted(&command.about.replace(':', "\\:"))
        );
    }
    out.push_str(
        "    )\n\
         \x20   if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n\
         \x20       _describe -t commands command verbs\n\
         \x20       return\n\
         \x20   fi\n\
         \x20   case $words[2] in\n",
    );
    let verbs: Vec<&str> = commands.iter().map(|command| &command.name[..]).collect();
    let _ = write!(
        out,
        "        {})\n\
         \x20           local verb=$words[2]\n\
         \x20           shift words\n\
         \x20           (( CURRENT-- ))\n\
         \x20           _gossipper_$verb\n\
         \x20           ;;\n\
         \x20       *) _gossipper_{RUN} ;;\n\
         \x20   esac\n\
         }}\n\n\
         if [[ $funcstack[1] == _gossipper ]]; then\n\
         \x20   _gossipper \"$@\"\n\
         else\n\
         \x20   compdef _gossipper gossipper\n\
         fi\n",
        verbs.join("|")
    );
    out
}

/// A flag as `_arguments` reads it; every flag may be repeated, the last counts.
fn spec(command: &Command, option: &Opt, name: &str) -> String {
    // Only flags with one value take it behind an equals sign.
    let equals = if option.metavars.len() == 1 && (command.name == RUN || name.len() > 1) {
        "="
    } else {
        ""
    };
    let mut spec = format!(
        "*{}{equals}[{}]",
        command.dashed(name),
        escaped(&option.about)
    );
    for (at, metavar) in option.metavars.iter().enumerate() {
        let action = if at == 0 {
            action(&option.value)
        } else {
            action(&Value::Any)
        };
        let _ = write!(spec, ":{}:{action}", escaped(metavar));
    }
    format!("'{}'", quoted(&spec))
}

fn action(value: &Value) -> String {
    match value {
        // A blank is an action that offers nothing and still shows what is wanted.
        Value::Any => " ".to_owned(),
        Value::File => "_files".to_owned(),
        Value::Host => "_hosts".to_owned(),
        Value::Choice(words) => format!("({})", words.join(" ")),
    }
}

/// Text within a specification: brackets and colons would end it, and it is expanded once more.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | ']' | ':' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Text between single quotes.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}
