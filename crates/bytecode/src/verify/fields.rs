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

#[cfg(test)]
mod tests {
    use crate::Draft;
    use crate::ids::{FieldId, FileId, TemplateId};
    use crate::program::Field;
    use crate::template::{Segment, Slot, Template, TemplateKind};
    use crate::verify::Verifier;

    const PLAIN: Field = Field {
        file: None,
        index: 0,
        line: None,
    };

    /// A draft whose template 0 is field 0, and template 1 nothing.
    fn draft(fields: &[Field]) -> Draft {
        let template = |first, count| Template {
            kind: TemplateKind::Text,
            first,
            count,
        };
        Draft {
            segments: vec![Segment::Slot(Slot::Field(FieldId(0)))],
            templates: vec![template(0, 1), template(1, 0)],
            fields: fields.to_vec(),
            ..Draft::default()
        }
    }

    fn check(fields: &[Field]) -> Result<(), String> {
        let draft = draft(fields);
        let checked = Verifier { d: &draft }.fields();
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn a_field_names_a_file_and_a_text_of_the_program() {
        assert_eq!(check(&[PLAIN]), Ok(()));
        let file = Some(FileId(0));
        assert!(check(&[Field { file, ..PLAIN }]).is_err());
        let line = Some(TemplateId(1));
        assert_eq!(check(&[Field { line, ..PLAIN }]), Ok(()));
        let line = Some(TemplateId(2));
        assert!(check(&[Field { line, ..PLAIN }]).is_err());
    }

    #[test]
    fn no_text_is_inside_itself() {
        let line = Some(TemplateId(0));
        let refused = check(&[Field { line, ..PLAIN }]).expect_err("endless");
        assert!(refused.contains("a field with a line"), "{refused}");
        assert_eq!(check(&[PLAIN, Field { line, ..PLAIN }]), Ok(()));
    }
}
