// SPDX-License-Identifier: AGPL-3.0-only
//! Fields of injection files, and files whose paths depend on the call.
//!
//! The text that says which line, or which file, is rendered while the text around it is. That of a line may hold fields
//! without such a text, and no files; that of a path any field, but no file with such a path. So how deep rendering nests
//! is bounded, whatever a program says.

use super::{Checked, Verifier, VerifyError, within};
use crate::template::{Segment, Slot, TemplateKind};

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
                    Segment::Slot(Slot::FileAt(_)) => true,
                    Segment::Slot(_) | Segment::Literal(_) => false,
                });
                if deeper {
                    return Err(VerifyError::Inconsistent(format!(
                        "field {index}: the text of its line has a keyword with a text"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Checks the paths of files. Texts hold no answers to challenges, which is checked where those are.
    pub(super) fn file_paths(&self) -> Checked {
        let d = self.d;
        for segment in &d.segments {
            let Segment::Slot(Slot::FileAt(path)) = segment else {
                continue;
            };
            let path = &d.templates[path.index()];
            if path.kind != TemplateKind::Text {
                return Err(VerifyError::Inconsistent(
                    "the path of a file is a message".to_owned(),
                ));
            }
            let mut nested = d.segments[path.range()].iter();
            if nested.any(|segment| matches!(segment, Segment::Slot(Slot::FileAt(_)))) {
                return Err(VerifyError::Inconsistent(
                    "the path of a file has a file in it whose path is a text".to_owned(),
                ));
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
        assert!(refused.contains("a keyword with a text"), "{refused}");
        assert_eq!(check(&[PLAIN, Field { line, ..PLAIN }]), Ok(()));
    }

    #[test]
    fn the_path_of_a_file_is_a_text_without_such_files() {
        // Template 0 is the file, template 1 its path, template 2 a message.
        let check = |path: Slot, at| {
            let mut draft = draft(&[PLAIN]);
            draft.segments = [Slot::FileAt(TemplateId(at)), path]
                .map(Segment::Slot)
                .into();
            draft.templates[1].count = 1;
            let mut message = draft.templates[1];
            message.kind = TemplateKind::Response { code: 200 };
            draft.templates.push(message);
            let verifier = Verifier { d: &draft };
            let checked = verifier.file_paths().and_then(|()| verifier.fields());
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(Slot::Field(FieldId(0)), 1), Ok(()));
        assert!(check(Slot::Field(FieldId(0)), 2).is_err(), "a message");
        assert!(check(Slot::FileAt(TemplateId(1)), 1).is_err(), "itself");
        assert!(check(Slot::Pid, 0).is_err(), "one with a file");
    }

    #[test]
    fn a_line_does_not_depend_on_a_file() {
        let line = Some(TemplateId(0));
        let mut draft = draft(&[Field { line, ..PLAIN }]);
        draft.segments[0] = Segment::Slot(Slot::FileAt(TemplateId(1)));
        assert!(Verifier { d: &draft }.fields().is_err());
    }
}
