// SPDX-License-Identifier: AGPL-3.0-only
//! The body of the fuzz target `compile_xml`: whatever the bytes, compiling ends, spans lie in the file, and what
//! compiles is a program that its verifier takes.

use crate::{Options, compile};

/// Compiles arbitrary bytes.
///
/// # Panics
/// When an invariant does not hold.
pub fn fuzz_compile(data: &[u8]) {
    let options = Options {
        strict: data.first().is_some_and(|byte| byte & 0x80 != 0),
        keys: vec![("key".to_owned(), b"value".to_vec())],
        name: "fuzz".to_owned(),
    };
    let compiled = compile("fuzz.xml", data, &options);
    let end = u32::try_from(compiled.source.bytes().len()).unwrap_or(u32::MAX);
    for found in compiled.diagnostics.iter() {
        let spans = found
            .labels
            .iter()
            .map(|label| label.span)
            .chain([found.primary]);
        for span in spans {
            assert!(span.start <= span.end && span.end <= end, "{found:?}");
        }
        assert!(
            found.code != crate::diag::codes::flow::REFUSED_PROGRAM,
            "{found:?}"
        );
    }
    assert_eq!(compiled.program.is_some(), !compiled.diagnostics.has_errors());
    if let Some(program) = compiled.program {
        let again = program.clone().into_draft().verify();
        assert_eq!(again.as_ref(), Ok(&program));
    }
}
