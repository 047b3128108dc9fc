// SPDX-License-Identifier: AGPL-3.0-only
//! Arguments of media actions.
//!
//! An argument with keywords is read in the run, when it is known.

use super::Subject;
use crate::ast::{ActionKind, Exec, Item, MediaWord, Step, StepKind};
use crate::diag::codes::action as codes;
use crate::diag::{Diagnostic, Diagnostics, suggest};
use crate::needs::MediaFile;
use crate::source::Text;
use crate::template::known_text;
use gossipper_bytecode::media::RtpStream;
use gossipper_bytecode::media_args::{self as args, ArgumentError};

/// Checks every media action.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    for item in &subject.scenario.items {
        match item {
            Item::Step(step) => check_step(subject, step, false, diagnostics),
            Item::Init(init) => {
                for item in &init.items {
                    if let Item::Step(step) = item {
                        check_step(subject, step, true, diagnostics);
                    }
                }
            }
            Item::DefaultMessage(_)
            | Item::Label(_)
            | Item::Declaration(_)
            | Item::Repartition(_) => {}
        }
    }
}

fn check_step(subject: &Subject<'_>, step: &Step, init: bool, diagnostics: &mut Diagnostics) {
    for action in step.actions.iter().flat_map(|actions| &actions.list) {
        let ActionKind::Exec(Exec::Media(word, text)) = &action.kind else {
            continue;
        };
        if *word == MediaWord::RtpCheck && (init || matches!(step.kind, StepKind::Recv(_))) {
            let place = if init { "<init>" } else { "<recv>" };
            diagnostics.push(
                Diagnostic::error(
                    codes::RTP_CHECK_PLACE,
                    action.span,
                    format!("`rtpcheck` cannot wait in `{place}`"),
                )
                .help("put it into a `<nop>` behind the `<recv>`"),
            );
        }
        let parsed = subject.texts.get(text);
        if word.expands() && parsed.is_none_or(|parsed| known_text(&parsed.pieces).is_none()) {
            continue;
        }
        if let (MediaWord::RtpStream, Ok(RtpStream::File { file, .. })) =
            (word, args::rtp_stream(text.bytes()))
        {
            subject.keys.note(|needs| {
                needs.media_files.push(MediaFile {
                    name: String::from_utf8_lossy(file).into_owned(),
                    span: text.span(),
                });
            });
        }
        argument(*word, text, diagnostics);
    }
}

/// An argument without keywords. It has no escapes that would move places either, or else the whole of it is meant.
fn argument(word: MediaWord, text: &Text, diagnostics: &mut Diagnostics) {
    let bytes = text.bytes();
    let mut wrong = |result: Result<(), ArgumentError>| {
        if let Err(error) = result {
            diagnostics.push(finding(text, error, true));
        }
    };
    let remarks = match word {
        MediaWord::PlayPcap(_) => {
            if bytes.is_empty() {
                wrong(Err(ArgumentError {
                    at: 0..0,
                    message: "no capture file is named".to_owned(),
                    help: "name a file in pcap format",
                    words: &[],
                }));
            }
            Vec::new()
        }
        MediaWord::PlayDtmf => args::play_dtmf(bytes).1,
        MediaWord::SendDtmf => args::send_dtmf(bytes).1,
        MediaWord::RtpStream => {
            let read = args::rtp_stream(bytes);
            let remark = match &read {
                Ok(RtpStream::File { file, .. }) => misspelt(file),
                _ => None,
            };
            wrong(read.map(|_| ()));
            Vec::from_iter(remark)
        }
        MediaWord::RtpEcho => {
            wrong(args::srtp_echo(bytes).map(|_| ()));
            Vec::new()
        }
        MediaWord::RtpRecord => {
            wrong(args::rtp_record(bytes).map(|_| ()));
            Vec::new()
        }
        MediaWord::RtpCheck => {
            wrong(args::rtpcheck(bytes).map(|_| ()));
            Vec::new()
        }
    };
    for remark in remarks {
        diagnostics.push(finding(text, remark, false));
    }
}

/// A file whose name looks like a word that was meant.
fn misspelt(file: &[u8]) -> Option<ArgumentError> {
    let name = core::str::from_utf8(file).ok()?;
    if name.contains(['.', '/']) {
        return None;
    }
    suggest::nearest(name, args::STREAM_WORDS.iter().copied())?;
    Some(ArgumentError {
        at: 0..file.len(),
        message: format!("`{name}` is taken for the name of a file"),
        help: "write `./` in front if it is one",
        words: args::STREAM_WORDS,
    })
}

fn finding(text: &Text, error: ArgumentError, wrong: bool) -> Diagnostic {
    let typed = text.bytes().get(error.at.clone()).unwrap_or_default();
    let typed = String::from_utf8_lossy(typed).into_owned();
    let place = if error.at.is_empty() {
        text.span()
    } else {
        text.slice_span(error.at)
    };
    let found = if wrong {
        Diagnostic::error(codes::MEDIA_ARGUMENT, place, error.message)
    } else {
        Diagnostic::warning(codes::MEDIA_SURPRISE, place, error.message)
    };
    match suggest::nearest(&typed, error.words.iter().copied()) {
        Some(near) => found.did_you_mean(Some(near)),
        None => found.help(error.help),
    }
}
