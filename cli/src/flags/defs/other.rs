// SPDX-License-Identifier: AGPL-3.0-only
//! Help, version, compatibility.

use crate::flags::low::{Dialect, LowArgs, Special};
use crate::flags::{Arg, Default, Flag};
use gossipper_runtime::config::LogForm;

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["compat"],
        arg: Arg::Text {
            metavar: "sipp|gossipper",
            set: compat,
        },
        default: Default::Differs("sipp", "gossipper"),
        short: "Whose defaults, exit codes and trace files apply.",
        long: "`gossipper sipp`, and the program under the name sipp, behave as SIPp; flags straight \
               after `gossipper` use the defaults for single calls. Trace files have SIPp's names and forms only with \
               `-compat sipp` and under the name sipp; otherwise they have gossipper's. This help shows the defaults in \
               force.",
    },
    Flag {
        names: &["h", "help"],
        arg: Arg::Switch(|low, on| low.special = on.then_some(Special::Help)),
        default: Default::None,
        short: "Print this list and stop.",
        long: "",
    },
    Flag {
        names: &["v"],
        arg: Arg::Switch(|low, on| low.special = on.then_some(Special::Version)),
        default: Default::None,
        short: "Print the version and stop.",
        long: "",
    },
    Flag {
        names: &["version"],
        arg: Arg::Switch(|low, on| low.special = on.then_some(Special::Build)),
        default: Default::None,
        short: "Print version and build and stop.",
        long: "Wins over everything else on the command line.",
    },
];

/// Reads `-compat`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the table's setters own their values"
)]
fn compat(low: &mut LowArgs, dialect: String) -> Result<(), String> {
    (low.dialect, low.traces.form) = match dialect.as_str() {
        "sipp" => (Dialect::Sipp, Some(LogForm::Sipp)),
        "gossipper" => (Dialect::Gossipper, Some(LogForm::Gossipper)),
        _ => return Err(format!("`{dialect}` is neither sipp nor gossipper")),
    };
    Ok(())
}
