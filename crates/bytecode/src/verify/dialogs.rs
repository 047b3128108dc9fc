// SPDX-License-Identifier: AGPL-3.0-only
//! Dialogs: there are none or at least the main one, and a keyword speaks of one that exists, and not of itself.

use super::{Checked, Verifier, VerifyError, within};
use crate::ids::DialogId;
use crate::program::MAX_DIALOGS;
use crate::template::{Slot, TemplateKind};

impl Verifier<'_> {
    /// A program without dialogs has the main one.
    pub(super) fn dialog(&self, dialog: DialogId, by: impl FnOnce() -> String) -> Checked {
        within("dialog", dialog.index(), self.d.dialogs.len().max(1), by)
    }

    /// Checks the tables of dialogs and of keywords about them.
    pub(super) fn dialogs(&self) -> Checked {
        let d = self.d;
        if d.dialogs.len() > MAX_DIALOGS {
            return Err(VerifyError::Inconsistent(format!(
                "there are more than {MAX_DIALOGS} dialogs"
            )));
        }
        for dialog in &d.dialogs {
            self.text(dialog.name, "a dialog")?;
        }
        for (index, keyword) in d.elsewhere.iter().enumerate() {
            within("dialog", keyword.dialog.index(), d.dialogs.len(), || {
                format!("keyword {index}")
            })?;
            let speaks_of_dialogs = matches!(
                keyword.slot,
                Slot::CallId
                    | Slot::Cseq(_)
                    | Slot::PeerTagParam
                    | Slot::NextUrl
                    | Slot::Routes
                    | Slot::LastCseqNumber(_)
                    | Slot::LastRequestUri(_)
                    | Slot::LastMessage(_)
                    | Slot::LastHeader(..)
            );
            if !speaks_of_dialogs {
                return Err(VerifyError::Inconsistent(format!(
                    "keyword {index} says nothing about a dialog"
                )));
            }
            self.segment(crate::template::Segment::Slot(keyword.slot))?;
        }
        if let Some(template) = d.bye_from_called {
            within("template", template.index(), d.templates.len(), || {
                "an automatic message".to_owned()
            })?;
            if d.templates[template.index()].kind == TemplateKind::Text {
                return Err(VerifyError::Inconsistent(
                    "the BYE of called dialogs is no message".to_owned(),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Draft;
    use crate::ids::{DialogId, ElsewhereId};
    use crate::program::{Dialog, Elsewhere, MAX_DIALOGS};
    use crate::template::Slot;
    use crate::verify::Verifier;

    fn check(dialogs: usize, keyword: Option<(u8, Slot)>) -> Result<(), String> {
        let main = Dialog {
            name: Default::default(),
        };
        let draft = Draft {
            dialogs: vec![main; dialogs],
            elsewhere: keyword
                .map(|(dialog, slot)| Elsewhere {
                    dialog: DialogId(dialog),
                    slot,
                })
                .into_iter()
                .collect(),
            ..Draft::default()
        };
        let checked = Verifier { d: &draft }.dialogs();
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn a_keyword_speaks_of_a_dialog_that_exists_and_of_something_it_has() {
        assert_eq!(check(0, None), Ok(()));
        assert_eq!(check(2, Some((1, Slot::CallId))), Ok(()));
        assert!(check(2, Some((2, Slot::CallId))).is_err());
        assert!(check(2, Some((1, Slot::Pid))).is_err());
        let itself = Slot::Elsewhere(ElsewhereId(0));
        assert!(check(2, Some((1, itself))).is_err());
    }

    #[test]
    fn dialogs_are_bounded() {
        assert!(check(MAX_DIALOGS, None).is_ok());
        assert!(check(MAX_DIALOGS + 1, None).is_err());
    }
}
