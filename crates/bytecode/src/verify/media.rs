// SPDX-License-Identifier: AGPL-3.0-only
//! Media actions: every text, template and variable they name is there.

use super::{Checked, Verifier, within};
use crate::ids::TemplateId;
use crate::media::{Argument, Media, Record, RtpStream, needs_sdp};
use crate::{TextRef, VerifyError};

const BY: &str = "a media action";

impl Verifier<'_> {
    pub(super) fn media(&self) -> Checked {
        let d = self.d;
        for (index, entry) in d.media.iter().enumerate() {
            if let Some(step) = entry.step {
                within("step", step.index(), d.steps.len(), || {
                    format!("media action {index}")
                })?;
            }
            match &entry.media {
                Media::PlayPcap { file, .. } => self.text(*file, BY)?,
                Media::PlayDtmf(argument) => {
                    self.argument(argument, |dtmf| Some(dtmf.digits))?;
                }
                Media::SendDtmf(argument) => self.argument(argument, |digits| Some(*digits))?,
                Media::RtpStream(argument) => self.argument(argument, |stream| match stream {
                    RtpStream::File { file, .. } => Some(*file),
                    RtpStream::Microphone { input } => *input,
                    RtpStream::Pattern { .. }
                    | RtpStream::Pause(_)
                    | RtpStream::Resume(_)
                    | RtpStream::Stop
                    | RtpStream::Echo
                    | RtpStream::Synthetic { .. } => None,
                })?,
                Media::Record(argument) => self.argument(argument, |record| match record {
                    Record::Start { file, .. } => Some(*file),
                    Record::Stop => None,
                })?,
                Media::EchoSwitch(operand) => self.operand(*operand, BY)?,
                Media::SrtpEcho(_) | Media::Check(_) => {}
            }
        }
        // A step that read SDP for nobody would cost every message of the run.
        if !needs_sdp(&d.media, &d.segments) && d.steps.iter().any(|step| step.reads_sdp) {
            return Err(VerifyError::Inconsistent(
                "a step reads SDP and nothing needs it".to_owned(),
            ));
        }
        Ok(())
    }

    fn argument<T>(
        &self,
        argument: &Argument<T>,
        text: impl FnOnce(&T) -> Option<TextRef>,
    ) -> Checked {
        match argument {
            Argument::Known(known) => match text(known) {
                Some(text) => self.text(text, BY),
                None => Ok(()),
            },
            Argument::Rendered(TemplateId(id)) => {
                let count = self.d.templates.len();
                within("template", usize::from(*id), count, || BY.to_owned())
            }
        }
    }
}
