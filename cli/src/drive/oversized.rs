// SPDX-License-Identifier: AGPL-3.0-only
//! The file by which SIPp says that another has become too large.

use gossipper_runtime::logs::default_file_name;
use jiff::Zoned;

/// Writes it into the current folder, with SIPp's name and words.
///
/// # Errors
/// Says what went wrong.
pub(super) fn write(scenario: &str) -> Result<(), String> {
    let name = default_file_name(scenario, std::process::id(), "traces_oversized");
    std::fs::write(&name, text(&Zoned::now()))
        .map_err(|error| format!("cannot write `{name}`: {error}"))
}

fn text(now: &Zoned) -> String {
    let micros = now.timestamp().as_microsecond();
    format!(
        "{:-<44} {}\t{}.{:06}\nMax file size reached - no more logs\n",
        "",
        now.strftime("%Y-%m-%d\t%H:%M:%S.%6f"),
        micros.div_euclid(1_000_000),
        micros.rem_euclid(1_000_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn the_words_are_sipps() {
        let now = Timestamp::from_microsecond(1_795_262_140_882_872).expect("a time");
        let now = now.to_zoned(TimeZone::UTC);
        assert_eq!(
            text(&now),
            "-------------------------------------------- 2026-11-21\t11:55:40.882872\t1795262140.882872\n\
             Max file size reached - no more logs\n"
        );
    }
}
