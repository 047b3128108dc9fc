// SPDX-License-Identifier: AGPL-3.0-only
//! Values that scenarios take from the command line: keywords, headers of a trunk, injection files.

use crate::inject;
use gossipper_vm::Trunk;
use gossipper_vm::inject::base_name;
use std::path::PathBuf;

/// Of several values for one name the last counts.
pub(crate) fn last_of_each(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        match kept.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => kept.push((name, value)),
        }
    }
    kept
}

/// Checks what goes into headers as it is: one line each, and with a name where it is a whole header.
pub(super) fn trunk(
    values: [Option<String>; 3],
    extra: Vec<String>,
    faults: &mut Vec<String>,
) -> Trunk {
    let one_line = |text: &str| !text.contains(['\r', '\n']);
    let mut value = |name: &str, value: Option<String>| {
        let value = value.filter(|text| !text.is_empty())?;
        if !one_line(&value) {
            faults.push(format!("{name}: the value of a header has no line end"));
        }
        Some(value.into_bytes())
    };
    let [from, pai, provider] = values;
    let (from, pai) = (value("-sip_from", from), value("-sip_pai", pai));
    let provider = value("-sip_provider", provider);
    for header in &extra {
        let named = header.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && !name.contains(|c: char| c.is_ascii_whitespace())
        });
        if !named || !one_line(header) {
            faults.push(format!(
                "-sip_extra_header: `{}` is no header; write `Name: value`",
                header.escape_debug()
            ));
        }
    }
    Trunk {
        from,
        pai,
        provider,
        extra: extra.into_iter().map(String::into_bytes).collect(),
    }
}

/// Checks that injection files differ in what scenarios call them, and finds those that are indexed.
// COMPAT(sipp): of two files with one base name SIPp keeps the later (docs/compat.md#injection-files).
pub(super) fn injection(
    files: &[PathBuf],
    indexes: &[(String, String)],
    faults: &mut Vec<String>,
) -> Vec<(usize, u32)> {
    let names: Vec<String> = files.iter().map(|path| inject::name(path)).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            faults.push(format!(
                "two injection files are called `{name}`; scenarios could not tell them apart"
            ));
        }
    }
    let mut found = Vec::new();
    for (file, field) in indexes {
        match (
            names.iter().position(|name| name == base_name(file)),
            field.parse(),
        ) {
            (Some(at), Ok(field)) => found.push((at, field)),
            (None, _) => faults.push(format!("-infindex: no -inf names a file `{file}`")),
            (_, Err(_)) => faults.push(format!("-infindex: `{field}` is no number of a field")),
        }
    }
    found
}
