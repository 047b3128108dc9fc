// SPDX-License-Identifier: AGPL-3.0-only
//! The flags of SIPp and of gossipper's own that this version does not have yet.
//!
//! Someone who brings an old command line must learn which flag is missing and why, not read "unknown flag". An entry
//! leaves this list when it enters the table ([`super::defs`]); a test holds the two apart.

/// A group of flags that wait for the same part.
struct Group {
    /// The part, in a few words.
    part: &'static str,
    /// Flags without a value.
    switches: &'static [&'static str],
    /// Flags with one value.
    values: &'static [&'static str],
}

/// A flag that this version does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Missing {
    /// The part it belongs to.
    pub(crate) part: &'static str,
    /// How many tokens follow the flag.
    pub(crate) arity: usize,
}

static GROUPS: &[Group] = &[
    Group {
        part: super::sctp::PART,
        switches: &[],
        values: &[
            "multihome",
            "gracefulclose",
            "heartbeat",
            "assocmaxret",
            "pathmaxret",
            "pmtu",
        ],
    },
    Group {
        part: "ICE and TURN: packets go to the address in the SDP",
        switches: &[],
        values: &["turn_server", "turn_user", "turn_pass", "turn_realm"],
    },
    Group {
        part: "plug-ins",
        switches: &[],
        values: &["plugin"],
    },
    Group {
        part: "the HTTP interface, profiles and the full-screen terminal",
        switches: &["server", "interactive", "legacy_api_v1", "list-aliases"],
        values: &[
            "api_addr",
            "api_token",
            "ui_data_dir",
            "scenario_history_keep",
            "config",
            "run-alias",
        ],
    },
];

/// The entry for this name (without dashes).
pub(crate) fn find(name: &str) -> Option<Missing> {
    GROUPS.iter().find_map(|group| {
        let arity = if group.switches.contains(&name) {
            0
        } else if group.values.contains(&name) {
            1
        } else {
            return None;
        };
        Some(Missing {
            part: group.part,
            arity,
        })
    })
}

impl Missing {
    /// Why the flag is refused, as the rest of a sentence that begins with its name.
    pub(crate) fn refusal(self) -> String {
        if self.part == super::sctp::PART {
            return format!(": {}", super::sctp::refusal());
        }
        format!(" is not supported by this version yet ({})", self.part)
    }
}

/// All the names, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    GROUPS
        .iter()
        .flat_map(|group| group.switches.iter().chain(group.values).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_command_lines_have_is_known_or_refused_by_name() {
        let names = include_str!("../../../testdata/flags.txt");
        let lines = names.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        assert!(names.len() > 200, "{}", names.len());
        let known = |name: &str| {
            crate::flags::defs::flags().any(|flag| flag.names.contains(&name))
                || ["h", "help", "v", "version"].contains(&name)
        };
        let lost: Vec<&&str> = (names.iter())
            .filter(|name| !known(name) && find(name).is_none())
            .collect();
        assert!(
            lost.is_empty(),
            "neither known nor refused by name: {lost:?}"
        );
        // What is refused is what others work on, and nothing else.
        let refused = names.iter().filter_map(|name| Some(find(name)?.part));
        let parts: std::collections::BTreeSet<&str> = refused.collect();
        for part in parts {
            assert!(
                [
                    "SCTP",
                    "ICE and TURN: packets go to the address in the SDP",
                    "plug-ins",
                    "the HTTP interface, profiles and the full-screen terminal"
                ]
                .contains(&part),
                "{part}"
            );
        }
    }

    #[test]
    fn a_missing_flag_knows_how_many_values_it_takes() {
        assert_eq!(find("plugin").map(|missing| missing.arity), Some(1));
        assert_eq!(find("list-aliases").map(|missing| missing.arity), Some(0));
        assert_eq!(find("sf"), None);
    }
}
