// SPDX-License-Identifier: AGPL-3.0-only
//! The page of a hundred thousand calls opens at once.

#[path = "place/browser.rs"]
mod browser;
#[path = "../../crates/results/tests/page/run.rs"]
mod run;

use std::time::Duration;

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn the_page_of_a_hundred_thousand_calls_is_shown() {
    let page = gossipper_results::page::html(&run::long(1000), None);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let Some(took) = browser::opens(&page) else {
        eprintln!("SKIPPED: there is no Chromium in PATH that draws the page");
        return;
    };
    eprintln!("{} bytes, shown after {took:?}", page.len());
    // Two seconds are meant; a machine that does other things too takes longer.
    assert!(took < Duration::from_secs(30), "{took:?}");
}
