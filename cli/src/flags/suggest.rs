// SPDX-License-Identifier: AGPL-3.0-only
//! "Did you mean", with a limit.
//!
//! A wild guess is worse than none, so a name is only suggested when it is written the same apart from case and
//! dashes, or when the distance is small for its length.

/// The name in `names` that `typed` most likely stood for.
pub(crate) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted = plain(typed);
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        let candidate = plain(name);
        if candidate == wanted {
            return Some(name);
        }
        // One letter is as far from every other letter; two letters are nearly so.
        let shorter = candidate.chars().count().min(wanted.chars().count());
        let begins_alike = candidate.starts_with(&wanted) || wanted.starts_with(&candidate);
        let limit = match shorter {
            2 if begins_alike => 1,
            0..=2 => continue,
            3..=5 => 1,
            6..=9 => 2,
            _ => 3,
        };
        let distance = strsim::damerau_levenshtein(&candidate, &wanted);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = ["r", "sf", "trace_msg", "timeout", "nostdin", "base_cseq"];

    fn near(typed: &str) -> Option<&'static str> {
        nearest(typed, NAMES.into_iter())
    }

    #[test]
    fn slips_find_the_name() {
        assert_eq!(near("R"), Some("r"));
        assert_eq!(near("sff"), Some("sf"));
        assert_eq!(near("trace-msg"), Some("trace_msg"));
        assert_eq!(near("tracemsg"), Some("trace_msg"));
        assert_eq!(near("timeuot"), Some("timeout"));
        assert_eq!(near("no_stdin"), Some("nostdin"));
    }

    #[test]
    fn wild_guesses_are_not_made() {
        assert_eq!(near("x"), None);
        assert_eq!(near("zz"), None);
        assert_eq!(near("verbose"), None);
        assert_eq!(near(""), None);
    }
}
