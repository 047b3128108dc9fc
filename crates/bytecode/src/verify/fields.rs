// SPDX-License-Identifier: AGPL-3.0-only
//! Fields of injection files.
//!
//! The text that says which line is rendered while the text around it is. It may hold fields, but none that has such a
//! text itself: so rendering nests at most once, whatever a program says.

use super::{Checked, Verifier, VerifyError, within};
use crate::template::{Segment, Slot};

impl Verifier<'_> {
    /// Checks the tables of files and fields.
    pub(super) fn fields(&self) -> Checked {
        let d = self.d;
        for file in &d.files {
            self.text(*file, "an injection file")?;
        }
        for (index, field) in d.fields.iter().enumerate() {
            let by = || format!("field {index}");
            if let Some(file) = field.file {
                within("injection file", file.index(), d.files.len(), by)?;
            }
            if let Some(line) = field.line {
                within("template", line.index(), d.templates.len(), by)?;
                let nested = &d.segments[d.templates[line.index()].range()];
                let deeper = nested.iter().any(|segment| match segment {
                    Segment::Slot(Slot::Field(id)) => d.fields[id.index()].line.is_some(),
                    Segment::Slot(_) | Segment::Literal(_) => false,
                });
                if deeper {
                    return Err(VerifyError::Inconsistent(format!(
                        "field {index}: the text of its line has a field with a line"
                    )));
                }
            }
        }
        Ok(())
    }
}
