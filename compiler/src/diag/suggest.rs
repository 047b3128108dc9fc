// SPDX-License-Identifier: AGPL-3.0-only
//! "Did you mean": the nearest name of the same kind, or nothing.
//!
//! None beats a wild one. The distance allowed grows with the length of what was typed (one edit up to four letters,
//! two up to eight, three beyond), a transposition counts once, and a difference in case alone always suggests.

/// Longest name that is compared: distance costs the product of the two lengths, and author input is unbounded.
const MAX_COMPARED: usize = 64;

/// The candidate nearest to `typed`, if near enough. Of several equally near the first wins.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = typed.chars().count();
    if letters == 0 || letters > MAX_COMPARED {
        return None;
    }
    let allowed = match letters {
        1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        if candidate == typed || candidate.len() > MAX_COMPARED {
            continue;
        }
        let distance = if candidate.eq_ignore_ascii_case(typed) {
            0
        } else if candidate.len().abs_diff(typed.len()) > allowed {
            continue;
        } else {
            let distance = strsim::damerau_levenshtein(typed, candidate);
            // A one- or two-letter name shares too little with anything one edit away.
            if distance > allowed || distance >= candidate.chars().count().min(letters) {
                continue;
            }
            distance
        };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const ELEMENTS: [&str; 7] = [
        "send", "recv", "pause", "nop", "label", "sendCmd", "recvCmd",
    ];

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        for (typed, wanted) in [
            ("sned", Some("send")),
            ("Send", Some("send")),
            ("RECVCMD", Some("recvCmd")),
            ("paus", Some("pause")),
            ("receive", None),
            ("x", None),
            ("unknown_function", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, ELEMENTS), wanted, "{typed}");
        }
        assert_eq!(
            nearest("remote_prot", ["remote_ip", "remote_port"]),
            Some("remote_port")
        );
    }

    #[test]
    fn hostile_lengths_cost_nothing() {
        assert_eq!(nearest(&"s".repeat(1 << 20), ELEMENTS), None);
    }
}
