// SPDX-License-Identifier: AGPL-3.0-only
//! What SIPp says about a fault that we find as well: scripts look for these words in its output and its error file.
//!
//! Ours are said beside them, and alone under any other name. A fault that is not here is said in our words only.

use crate::flags::argv::Fault;
use crate::flags::high::Source;
use crate::stdio;
use gossipper_compiler::diag::Diagnostic;

/// Behind what is wrong with a flag.
const SEE_HELP: &str = "Use 'sipp -h' for details";

/// For a scenario that cannot be read.
pub(crate) fn unreadable(source: &Source) -> String {
    match source {
        Source::File(path) => not_loaded(&path.display().to_string()),
        Source::Builtin(builtin) => not_loaded(builtin.name),
    }
}

fn not_loaded(file: &str) -> String {
    format!("Unable to load or parse '{file}' xml scenario file")
}

/// For a name that is no built-in scenario's.
pub(crate) fn no_builtin(name: &str) -> String {
    format!("Invalid default scenario name '{name}'")
}

/// For a host without an address.
pub(crate) fn no_host(host: &str) -> String {
    format!("Unknown remote host '{host}'.\n{SEE_HELP}")
}

/// For an own address that cannot be had.
pub(crate) fn no_local(host: &str) -> String {
    format!("Can't get local IP address in getaddrinfo, local_ip='{host}'")
}

/// For an address of the control socket that is none.
pub(crate) fn no_control(host: &str) -> String {
    format!("Unknown control address '{host}'.\n{SEE_HELP}")
}

/// For a file that cannot be made.
pub(crate) fn not_created(file: &str) -> String {
    format!("Unable to create '{file}'")
}

/// For a command line that cannot be read.
pub(crate) fn of_flag(fault: &Fault) -> Option<String> {
    match fault {
        Fault::Unknown { typed, .. } => Some(format!("Invalid argument: '{typed}'.\n{SEE_HELP}")),
        Fault::NoValue { flag, .. } => {
            Some(format!("Missing argument for param '{flag}'.\n{SEE_HELP}"))
        }
        Fault::BadValue { flag, why } => {
            // What is wrong quotes the value first.
            let value = quoted(why).next()?;
            let what = [
                ("is not a whole number", "is not a valid integer!"),
                ("is not a number", "is not a floating point number!"),
                ("is not a time", "is not a valid time!"),
            ]
            .into_iter()
            .find(|(ours, _)| why.contains(ours))?
            .1;
            Some(format!("{flag}, \"{value}\" {what}"))
        }
        Fault::Misplaced { .. }
        | Fault::Missing { .. }
        | Fault::SecondRemote { .. }
        | Fault::NotText { .. } => None,
    }
}

/// What our words put between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// For a fault of the scenario; most are known by their code, and their names stand between backticks.
pub(crate) fn of_scenario(diagnostic: &Diagnostic, file: &str) -> Option<String> {
    let mut names = quoted(&diagnostic.message);
    let (first, second) = (
        names.next().unwrap_or_default(),
        names.next().unwrap_or_default(),
    );
    let element = first.trim_matches(['<', '>', '[', ']']);
    let code = diagnostic.code.to_string();
    Some(match code.as_str() {
        "G0101" if first.is_empty() => not_loaded(file),
        "G0101" => "No 'scenario' section in xml scenario file".to_owned(),
        "G0102" => format!("Unknown element '{element}' in xml scenario file"),
        "G0104" => format!("{second} value is missing"),
        "G0105" => format!("\"{first}\" is not a valid integer!"),
        "G0108" if second == "search_in" => format!("Unknown search_in value {first}"),
        "G0108" if second == "optional" => {
            format!("Could not understand optional value for recv: {first}")
        }
        "G0108" if second == "distribution" => format!("Unknown distribution: {first}"),
        "G0112" => format!("No CDATA in '{element}' section of xml scenario file"),
        "G0118" => "Did not find any messages inside of scenario!".to_owned(),
        "G0123" => "There is a repeat_rtd element without an rtd element".to_owned(),
        "G0201" | "G0202" => {
            "You can not use a keyword for the METHOD or to generate \"SIP/2.0\" to ensure proper [cseq] operation!"
                .to_owned()
        }
        "G0203" => "Response codes must be in the range of 100-700".to_owned(),
        "G0213" => format!("Unsupported keyword '{element}' in xml scenario file"),
        "G0301" => format!("The label '{first}' was not defined"),
        "G0302" => format!("The label name '{first}' is used twice."),
        "G0303" => format!("Variable ${first} is referenced 1 times!"),
        "G0304" => format!("Could not reference non-existant variable '{first}'"),
        "G0306" => format!(
            "You have started Response Time Duration {first}, but have never stopped it!"
        ),
        "G0308" if second == "ack_txn" => {
            format!("Transaction {first} is an INVITE transaction without an ACK!")
        }
        "G0401" => format!("Unknown action: {element}"),
        "G0403" => "Can not have both check_it and check_it_inverse".to_owned(),
        "G0404" => "divide actions can not have a value of zero!".to_owned(),
        "G0501" => "<timewait> can only be the last message in a scenario!".to_owned(),
        "G0503" => {
            "sequence without a mandatory message. Please remove one 'optional=true'".to_owned()
        }
        "G0520" => "Unable to determine creation mode of the tool (server, client)".to_owned(),
        _ if code.starts_with("G00") => not_loaded(file),
        _ => return None,
    })
}

/// Says a fault of a flag.
pub(crate) fn say_flag(fault: &Fault) {
    let text = fault.to_string();
    match of_flag(fault) {
        Some(words) => stdio::error_as(&words, &text),
        None => stdio::error(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_flags_have_sipps_words() {
        let bad = |why: &str| Fault::BadValue {
            flag: "-m".to_owned(),
            why: why.to_owned(),
        };
        assert_eq!(
            of_flag(&bad("`abc` is not a whole number")).as_deref(),
            Some("-m, \"abc\" is not a valid integer!")
        );
        assert_eq!(of_flag(&bad("7 is not within 1 to 5")), None);
    }

    #[test]
    fn names_are_what_stands_between_backticks() {
        let names: Vec<_> = quoted("`a` is no value of `b c`").collect();
        assert_eq!(names, ["a", "b c"]);
    }
}
