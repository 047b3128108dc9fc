// SPDX-License-Identifier: AGPL-3.0-only
//! Media actions: typed where the argument is known, a template to be read in the run where it holds keywords.

use super::Lowerer;
use crate::ast::MediaWord;
use crate::source::Text;
use crate::template::known_text;
use gossipper_bytecode::media::{Argument, Dtmf, Media, MediaAction, Record, RtpStream};
use gossipper_bytecode::{MediaId, Op, StepId, TextRef, media_args as args};

impl Lowerer<'_> {
    pub(super) fn media(&mut self, word: MediaWord, text: &Text) {
        let known = self.known(word, text);
        let known = known.as_deref();
        // Checked before: what is known is right.
        let media = match word {
            MediaWord::PlayPcap(stream) => Media::PlayPcap {
                stream,
                file: self.pools.text(known.unwrap_or_default()),
            },
            MediaWord::PlayDtmf => Media::PlayDtmf(match known.map(args::play_dtmf) {
                Some((dtmf, _)) => Argument::Known(Dtmf {
                    digits: self.pools.text(dtmf.digits),
                    length_ms: dtmf.length_ms,
                }),
                None => Argument::Rendered(self.text(text)),
            }),
            MediaWord::SendDtmf => Media::SendDtmf(match known {
                Some(digits) => Argument::Known(self.pools.text(digits)),
                None => Argument::Rendered(self.text(text)),
            }),
            MediaWord::RtpStream => {
                Media::RtpStream(match known.map(args::rtp_stream).and_then(Result::ok) {
                    Some(stream) => Argument::Known(self.stream(stream)),
                    None => Argument::Rendered(self.text(text)),
                })
            }
            MediaWord::RtpRecord => {
                Media::Record(match known.map(args::rtp_record).and_then(Result::ok) {
                    Some(Record::Stop) => Argument::Known(Record::Stop),
                    Some(Record::Start { file, duplex }) => Argument::Known(Record::Start {
                        file: self.pools.text(file),
                        duplex,
                    }),
                    None => Argument::Rendered(self.text(text)),
                })
            }
            MediaWord::RtpEcho => match args::srtp_echo(text.bytes()) {
                Ok(echo) => Media::SrtpEcho(echo),
                Err(_) => unreachable!("a scenario without errors has no wrong argument"),
            },
            MediaWord::RtpCheck => match args::rtpcheck(text.bytes()) {
                Ok(check) => Media::Check(check),
                Err(_) => unreachable!("a scenario without errors has no wrong argument"),
            },
        };
        self.media_op(media);
    }

    /// Adds an entry to the table and the op that refers to it.
    pub(super) fn media_op(&mut self, media: Media) {
        let Some(id) = MediaId::new(self.draft.media.len()) else {
            self.pools.full("media actions");
            return;
        };
        let step = match self.init_index {
            Some(_) => None,
            // The steps before it are there already.
            None => StepId::new(self.draft.steps.len()),
        };
        self.draft.media.push(MediaAction { step, media });
        self.code.op(match media {
            Media::Check(_) => Op::MediaCheck { media: id },
            Media::PlayPcap { .. }
            | Media::PlayDtmf(_)
            | Media::SendDtmf(_)
            | Media::RtpStream(_)
            | Media::SrtpEcho(_)
            | Media::Record(_)
            | Media::EchoSwitch(_) => Op::Media { media: id },
        });
    }

    /// The argument, unless keywords decide what it is.
    fn known(&self, word: MediaWord, text: &Text) -> Option<Vec<u8>> {
        match self.input.texts.get(text) {
            Some(parsed) => known_text(&parsed.pieces).map(<[u8]>::to_vec),
            None if word.expands() => None,
            None => Some(text.bytes().to_vec()),
        }
    }

    fn stream(&mut self, stream: RtpStream<&[u8]>) -> RtpStream<TextRef> {
        stream.map(|text| self.pools.text(text))
    }
}
