// SPDX-License-Identifier: AGPL-3.0-only
//! What the unit tests of several phases share.

use crate::ast::Scenario;
use crate::diag::Diagnostics;
use crate::source::SourceFile;

/// The AST of a scenario without errors.
pub(crate) fn scenario(xml: &str) -> Scenario {
    let source = SourceFile::new("test.xml", xml.as_bytes()).expect("small");
    let mut diagnostics = Diagnostics::new(false);
    let scenario = crate::parse::parse(&source, &mut diagnostics);
    let found: Vec<_> = diagnostics.iter().collect();
    assert!(!diagnostics.has_errors(), "{found:?}");
    scenario.expect("a scenario")
}
