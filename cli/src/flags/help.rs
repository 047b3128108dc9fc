// SPDX-License-Identifier: AGPL-3.0-only
//! The help text and the flag reference, from the table.

use super::low::Dialect;
use super::{Category, Default, Flag, defs};
use std::fmt::Write as _;

/// Width of the help: a terminal of 80 columns.
const WIDTH: usize = 80;
/// Column at which the descriptions begin.
const INDENT: usize = 26;

/// The text of `-h`.
pub(crate) fn text(dialect: Dialect) -> String {
    let program = dialect.program();
    let mut out = format!("Usage: {program} [FLAGS] [HOST[:PORT]]\n\n");
    out.push_str(match dialect {
        Dialect::Sipp => {
            "Runs a SIP scenario with SIPp's flags, defaults and exit codes. HOST is the peer\n\
             of a client scenario; a server scenario needs none.\n\n\
             \x20 gossipper sipp -sn uas                          answer calls\n\
             \x20 gossipper sipp -sn uac 192.0.2.1:5060 -m 10     place ten calls\n\
             \x20 gossipper sipp -sn uac -loopback -m 10          try it without a peer\n"
        }
        Dialect::Gossipper => {
            "Runs a SIP scenario: one call unless -m, -r and -l say otherwise. HOST is the\n\
             peer of a client scenario; a server scenario needs none.\n\n\
             \x20 gossipper -sn uas -p 5060                       answer calls\n\
             \x20 gossipper -sn uac 192.0.2.1:5060                place one call\n\
             \x20 gossipper -sn uac -loopback                     try it without a peer\n"
        }
    });
    // What gossipper has beside SIPp's flags comes first, as its own documents list it.
    let beside = |category: Category| matches!(category, Category::Hep | Category::Events);
    let (first, rest): (Vec<_>, Vec<_>) = defs::GROUPS.iter().partition(|(at, _)| beside(*at));
    for (category, flags) in first.into_iter().chain(rest) {
        // Whoever uses SIPp's command line has calls; the flags are taken all the same.
        if dialect == Dialect::Sipp && category == Category::Sender {
            continue;
        }
        let _ = write!(out, "\n{}:\n", category.title());
        for flag in flags.iter() {
            entry(&mut out, flag, dialect);
        }
    }
    out.push_str(
        "\nTimes take ms, s, m or h. Flags take one dash or two, as `-flag VALUE` or\n\
         `-flag=VALUE`; docs/flags.md says more about each.\n\
         Check a scenario without running it: gossipper compile --check FILE\n",
    );
    out
}

/// A few lines for someone who gave no flags at all.
pub(crate) fn short(dialect: Dialect) -> String {
    let program = dialect.program();
    format!(
        "Usage: {program} [FLAGS] [HOST[:PORT]]\n\n\
         \x20 {program} -sn uas                   answer calls on port 5060\n\
         \x20 {program} -sn uac HOST[:PORT]       place calls\n\
         \x20 {program} -sn uac -loopback -m 10   try it without a peer\n\
         \x20 {program} -h                        all flags\n"
    )
}

/// Everything there is to say about one flag, for `gossipper explain -FLAG`.
pub(crate) fn page(flag: &Flag) -> String {
    let names: Vec<String> = flag
        .names
        .iter()
        .map(|name| {
            format!("-{name} {}", flag.arg.metavar())
                .trim_end()
                .to_owned()
        })
        .collect();
    let mut out = names.join(", ");
    out.push_str("\n\n");
    for line in wrap(&body(flag), WIDTH) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Both parts of the documentation, and the defaults.
pub(crate) fn body(flag: &Flag) -> String {
    let mut body = flag.short.to_owned();
    if !flag.long.is_empty() {
        body.push(' ');
        body.push_str(flag.long);
    }
    let _ = match flag.default {
        Default::None => Ok(()),
        Default::Same(both) => write!(body, " Default: {both}."),
        Default::Differs(sipp, gossipper) => {
            write!(
                body,
                " Default: {sipp} under `gossipper sipp`, otherwise {gossipper}."
            )
        }
    };
    body
}

/// `docs/flags.md`.
#[cfg(test)]
pub(crate) fn markdown() -> String {
    let mut out = String::from(
        "# Flags\n\n\
         The flags of `gossipper sipp` and of `gossipper` with scenario flags. This page is made from the table in\n\
         `cli/src/flags/defs/`; a test fails when the two differ, and `UPDATE_DOCS=1 cargo test -p gossipper-cli`\n\
         writes it again.\n\n\
         Flags take one or two dashes, `-flag VALUE` or `-flag=VALUE`; names are exact. The word after a flag with a\n\
         value always belongs to it. Integers are read as in C: `0x10` is sixteen and so is `020`. Times are a number\n\
         with `ms`, `s`, `m` or `h`; without a unit, that of the flag. Where the defaults of SIPp and gossipper\n\
         differ, both are given ([ADR 0009](adr/0009-dialects.md)).\n",
    );
    for (category, flags) in &defs::GROUPS {
        let _ = write!(out, "\n## {}\n", category.title());
        for flag in *flags {
            let names: Vec<String> = flag
                .names
                .iter()
                .map(|name| {
                    if flag.arg.arity() == 0 {
                        format!("`-{name}`")
                    } else {
                        format!("`-{name} {}`", flag.arg.metavar())
                    }
                })
                .collect();
            let _ = write!(out, "\n### {}\n\n", names.join(", "));
            for line in wrap(&prose(&body(flag)), 110) {
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
    out
}

/// Text that Markdown shows as it is: opening angle brackets and asterisks outside code spans are escaped.
#[cfg(test)]
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    for c in text.chars() {
        if c == '`' {
            code = !code;
        }
        if !code && matches!(c, '<' | '*') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn entry(out: &mut String, flag: &Flag, dialect: Dialect) {
    let names: Vec<String> = flag.names.iter().map(|name| format!("-{name}")).collect();
    let head = format!("  {} {}", names.join(", "), flag.arg.metavar());
    let head = head.trim_end();
    let default = match (flag.default, dialect) {
        (Default::None, _) => None,
        (Default::Same(text), _)
        | (Default::Differs(text, _), Dialect::Sipp)
        | (Default::Differs(_, text), _) => Some(text),
    };
    let mut body = flag.short.to_owned();
    if let Some(default) = default {
        let _ = write!(body, " [{default}]");
    }
    out.push_str(head);
    let mut column = head.chars().count();
    if column + 2 > INDENT {
        out.push('\n');
        column = 0;
    }
    for line in wrap(&body, WIDTH - INDENT) {
        let _ = writeln!(out, "{:pad$}{line}", "", pad = INDENT - column);
        column = 0;
    }
}

/// Breaks text at blanks so that no line is longer than `width`, unless a word is.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_a_terminal_and_names_every_flag() {
        for dialect in [Dialect::Sipp, Dialect::Gossipper] {
            let help = text(dialect);
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            for (category, flags) in &defs::GROUPS {
                let hidden = dialect == Dialect::Sipp && *category == Category::Sender;
                for name in flags.iter().flat_map(|flag| flag.names) {
                    let named = help.contains(&format!("  -{name} "))
                        || help.contains(&format!("  -{name}\n"))
                        || help.contains(&format!(", -{name}"));
                    assert!(named != hidden, "-{name}");
                }
            }
        }
    }

    #[test]
    fn docs_flags_md_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/flags.md");
        let wanted = markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &wanted).expect("docs/flags.md can be written");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            found, wanted,
            "docs/flags.md is out of date: run UPDATE_DOCS=1 cargo test -p gossipper-cli"
        );
    }

    #[test]
    fn wrapping_keeps_every_word() {
        let lines = wrap("a bb ccc dddd eeeee", 6);
        assert_eq!(lines, ["a bb", "ccc", "dddd", "eeeee"]);
    }
}
