// SPDX-License-Identifier: AGPL-3.0-only
//! What must hold of `[authentication]`: it stands in requests, once in each, and its parameters are plain texts.
//!
//! A parameter that held another `[authentication]` would be rendered inside itself.

use super::{Checked, Verifier, VerifyError, within};
use crate::template::{Segment, Slot, Template, TemplateKind};

impl Verifier<'_> {
    pub(super) fn authentications(&self) -> Checked {
        let d = self.d;
        for (index, authentication) in d.authentications.iter().enumerate() {
            for id in authentication.texts() {
                within("template", id.index(), d.templates.len(), || {
                    format!("authentication {index}")
                })?;
                if d.templates[id.index()].kind != TemplateKind::Text {
                    return Err(VerifyError::Inconsistent(format!(
                        "a parameter of authentication {index} is a message"
                    )));
                }
            }
        }
        for (index, field) in d.fields.iter().enumerate() {
            if let Some(line) = field.line
                && d.templates[line.index()].kind != TemplateKind::Text
            {
                return Err(VerifyError::Inconsistent(format!(
                    "the text of the line of field {index} is a message"
                )));
            }
        }
        for (index, template) in d.templates.iter().enumerate() {
            let most = match template.kind {
                TemplateKind::Request { .. } => 1,
                TemplateKind::Response { .. } | TemplateKind::Text => 0,
            };
            if self.authentications_in(template) > most {
                return Err(VerifyError::Inconsistent(format!(
                    "template {index} has more than {most} `[authentication]`"
                )));
            }
        }
        Ok(())
    }

    fn authentications_in(&self, template: &Template) -> usize {
        self.d.segments[template.range()]
            .iter()
            .filter(|segment| matches!(segment, Segment::Slot(Slot::Authentication(_))))
            .count()
    }
}
