// SPDX-License-Identifier: AGPL-3.0-only
//! Why SCTP is refused: its transports and its flags in the same words, with what is missing on this machine.

use std::io;

/// The part that its flags belong to, in the list of those that are not there ([`super::later`]).
pub(crate) const PART: &str = "SCTP";

/// Whether a mode of `-t` is one of SCTP. In SIPp that are `s1` and `sn`, which are other modes for servers here.
pub(crate) fn is_mode(name: &str) -> bool {
    matches!(name, "c1" | "cn")
}

/// Why there is none.
pub(crate) fn refusal() -> String {
    words(&gossipper_runtime::transport::sctp::probe())
}

fn words(probed: &io::Result<()>) -> String {
    let kernel = match probed {
        Ok(()) => "the kernel has it, but this version does not speak it yet".to_owned(),
        Err(error) => format!(
            "the kernel has none ({error}; its module is called sctp), and this version would not speak it yet"
        ),
    };
    format!(
        "SCTP is not supported: {kernel}; the nearest are t1 and tn, TCP with one connection and with one per call"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_what_is_missing_where_the_kernel_has_it_and_where_it_has_not() {
        let without = words(&Err(io::Error::from_raw_os_error(93)));
        assert!(
            without.contains("the kernel has none (") && without.contains("module is called sctp"),
            "{without}"
        );
        let with = words(&Ok(()));
        assert!(
            with.contains("the kernel has it, but this version"),
            "{with}"
        );
        for said in [without, with, refusal()] {
            assert!(
                said.starts_with("SCTP is not supported: the kernel has ")
                    && said.contains("not speak it yet; the nearest are t1 and tn"),
                "{said}"
            );
        }
    }
}
