// SPDX-License-Identifier: AGPL-3.0-only
//! Which scenario runs, and which answers it.

use super::Source;
use crate::flags::suggest;
use gossipper_stdlib_scenarios as stdlib;
use std::path::PathBuf;

/// The built-in scenario of this name.
///
/// # Errors
/// An error that lists the names there are, with the near one first.
pub(crate) fn builtin(name: &str) -> Result<&'static stdlib::Builtin, String> {
    stdlib::find(name).ok_or_else(|| {
        if matches!(name, "webrtc_uac" | "webrtc_uas") {
            return format!(
                "the built-in scenario `{name}` needs DTLS and ICE, which this version does not have; \
                 `invite_media_savpf` is the nearest to it"
            );
        }
        let names: Vec<&str> = stdlib::all().iter().map(|builtin| builtin.name).collect();
        let near = match suggest::nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? "),
            None => String::new(),
        };
        format!(
            "there is no built-in scenario `{name}`; {near}there are: {}",
            names.join(", ")
        )
    })
}

/// The scenario of a file, of a name, or the one that runs when neither is given.
pub(super) fn source(
    file: Option<PathBuf>,
    name: Option<&str>,
    default: &str,
    faults: &mut Vec<String>,
) -> Option<Source> {
    if let Some(file) = file {
        return Some(Source::File(file));
    }
    match builtin(name.unwrap_or(default)) {
        Ok(builtin) => Some(Source::Builtin(builtin)),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

/// What takes that which belongs to no call, where two flags name it.
pub(super) fn beside(
    (file, name): (Option<PathBuf>, Option<&str>),
    flags: (&str, &str),
    default: &str,
    faults: &mut Vec<String>,
) -> Option<Source> {
    if file.is_none() && name.is_none() {
        return None;
    }
    if file.is_some() && name.is_some() {
        faults.push(format!("{} and {} exclude each other", flags.0, flags.1));
    }
    source(file, name, default, faults)
}

/// What answers in a `-loopback` run.
pub(super) fn answerer(
    loopback: bool,
    file: Option<PathBuf>,
    name: Option<&str>,
    scenario: Option<&Source>,
    faults: &mut Vec<String>,
) -> Option<Source> {
    if !loopback {
        if file.is_some() || name.is_some() {
            faults.push("-loopback_sf and -loopback_sn need -loopback".to_owned());
        }
        return None;
    }
    if file.is_some() && name.is_some() {
        faults.push("-loopback_sf and -loopback_sn exclude each other".to_owned());
    }
    let peer_of_builtin = match scenario {
        Some(Source::Builtin(builtin)) if builtin.name == "options" => "options_uas",
        Some(Source::Builtin(builtin)) if builtin.name == "branchc" => "branchs",
        _ => "uas",
    };
    source(file, name, peer_of_builtin, faults)
}
