// SPDX-License-Identifier: AGPL-3.0-only
//! The flag table, one file per section of the help.
//!
//! Names, notations and defaults are those of SIPp and of gossipper's own flags; where
//! the two differ, an entry has both defaults. Adding a flag is adding an entry here and a field in
//! [`super::low::LowArgs`]; the tests below, the help and `docs/flags.md` find it by themselves.

mod calls;
mod events;
mod hep;
mod load;
mod media;
mod network;
mod other;
mod output;
mod profiles;
mod rates;
mod results;
mod running;
mod scenario;
mod secure;
mod sender;
mod streams;
mod traces;
mod twin;

use super::{Category, Flag};

/// The sections in the order of the help, with their flags.
pub(crate) static GROUPS: [(Category, &[Flag]); 18] = [
    (Category::Scenario, scenario::FLAGS),
    (Category::Network, network::FLAGS),
    (Category::Media, media::FLAGS),
    (Category::Sender, sender::FLAGS),
    (Category::Streams, streams::FLAGS),
    (Category::Secure, secure::FLAGS),
    (Category::Twin, twin::FLAGS),
    (Category::Load, load::FLAGS),
    (Category::Rates, rates::FLAGS),
    (Category::Calls, calls::FLAGS),
    (Category::Traces, traces::FLAGS),
    (Category::Hep, hep::FLAGS),
    (Category::Events, events::FLAGS),
    (Category::Results, results::FLAGS),
    (Category::Profiles, profiles::FLAGS),
    (Category::Running, running::FLAGS),
    (Category::Output, output::FLAGS),
    (Category::Other, other::FLAGS),
];

/// Every flag that exists, in the order of the help.
pub(crate) fn flags() -> impl Iterator<Item = &'static Flag> {
    GROUPS.iter().flat_map(|(_, flags)| flags.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::later;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_plain_and_not_also_listed_as_missing() {
        let mut seen = HashSet::new();
        for flag in flags() {
            assert!(!flag.names.is_empty());
            for name in flag.names {
                assert!(seen.insert(*name), "-{name} is there twice");
                assert!(
                    !name.is_empty() && !name.starts_with('-') && !name.contains(['=', ' ']),
                    "{name}"
                );
                assert!(
                    later::find(name).is_none(),
                    "-{name} is built and listed as missing"
                );
            }
        }
        for name in later::names() {
            assert!(seen.insert(name), "-{name} is listed as missing twice");
        }
    }

    #[test]
    fn every_flag_is_documented_in_whole_sentences() {
        for flag in flags() {
            let name = flag.name();
            assert!(flag.short.ends_with('.'), "-{name}: {}", flag.short);
            assert!(
                flag.short.len() <= 80,
                "-{name}: the first line is too long"
            );
            assert!(
                flag.long.is_empty() || flag.long.ends_with(['.', ')']),
                "-{name}: {}",
                flag.long
            );
        }
    }

    #[test]
    fn switches_show_no_value_and_everything_else_does() {
        for flag in flags() {
            assert_eq!(
                flag.arg.arity() == 0,
                flag.arg.metavar().is_empty(),
                "-{}",
                flag.name()
            );
            assert_eq!(
                flag.arg.arity(),
                flag.arg.metavar().split_whitespace().count(),
                "-{}",
                flag.name()
            );
        }
    }
}
