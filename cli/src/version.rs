// SPDX-License-Identifier: AGPL-3.0-only
//! What `-v` and `-version` print.

/// The version of the program and of everything it writes.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `[sipp_version]` is where SIPp's place is not taken.
pub(crate) const PRODUCT: &str = "Gossipper";

/// The release of SIPp whose behaviour is followed; scripts look for it in the output of `-v`.
pub(crate) const SIPP_BASELINE: &str = "3.7.7";

/// The optional parts of SIPp that are here, as it names them behind its version.
const SIPP_PARTS: &str = "TLS-PCAP-RTPSTREAM-SHA256";

/// `-version`: two lines, then the same as fields.
pub(crate) fn block() -> String {
    let epoch: i64 = env!("GOSSIPPER_EPOCH").parse().unwrap_or(0);
    let built = match jiff::Timestamp::from_second(epoch) {
        Ok(time) if epoch > 0 => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        _ => "unknown".to_owned(),
    };
    let (date, time) = built.split_once(' ').unwrap_or((&built, "unknown"));
    let (commit, rustc) = (env!("GOSSIPPER_COMMIT"), env!("GOSSIPPER_RUSTC"));
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!(
        "Gossipper {VERSION}\n\
         built {built}, commit {commit}, {rustc}, {os}/{arch}\n\n\
         version={VERSION}\nbuild_date={date}\nbuild_time={time}\ngit_commit={commit}\n\
         rust_version={rustc}\nbuild_os={os}\nbuild_arch={arch}\n"
    )
}

/// `-v`: which SIPp this stands in for, as scripts look for it, and what it is.
pub(crate) fn line() -> String {
    format!(
        "\n SIPp v{SIPP_BASELINE}-{SIPP_PARTS}.\n\n Gossipper {VERSION}, in the place of SIPp.\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_begins_with_the_short_form() {
        let block = block();
        assert_eq!(
            block.lines().next(),
            Some(format!("Gossipper {VERSION}").as_str())
        );
        for field in [
            "version",
            "build_date",
            "build_time",
            "git_commit",
            "rust_version",
            "build_os",
            "build_arch",
        ] {
            assert!(block.contains(&format!("\n{field}=")), "{field}");
        }
    }
}
