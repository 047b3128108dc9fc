// SPDX-License-Identifier: AGPL-3.0-only
//! Templates: keywords get their ids, and it is noted which parts of the last message they read.

use super::Lowerer;
use crate::source::{Spanned, Text};
use crate::template::{Head, Keyword, Kind, Parameters, Parsed, Piece};
use gossipper_bytecode::program::{Authentication, Field};
use gossipper_bytecode::{
    AuthId, FieldId, FileId, IncludeId, Segment, Slot, TemplateId, TemplateKind,
};

impl Lowerer<'_> {
    /// The template of a text of an action.
    pub(super) fn text(&mut self, text: &Text) -> TemplateId {
        let texts = self.input.texts;
        let parsed = texts
            .get(text)
            .expect("a scenario without errors has its texts split");
        self.template(parsed)
    }

    /// The template of a text.
    pub(super) fn template(&mut self, parsed: &Parsed) -> TemplateId {
        let kind = match &parsed.head {
            Head::Request(method) => TemplateKind::Request {
                method: self.pools.text(method),
            },
            Head::Response(code) => TemplateKind::Response { code: *code },
            Head::Text | Head::Poisoned => TemplateKind::Text,
        };
        self.pieces(kind, &parsed.pieces)
    }

    fn pieces(&mut self, kind: TemplateKind, pieces: &[Piece]) -> TemplateId {
        let mut segments: Vec<Segment> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let segment = match piece {
                Piece::Literal(bytes)
                | Piece::Keyword(Keyword {
                    kind: Kind::Key(bytes),
                    ..
                }) => Segment::Literal(self.pools.text(bytes)),
                Piece::Keyword(keyword) => Segment::Slot(self.slot(&keyword.kind)),
            };
            segments.push(segment);
        }
        self.pools.template(kind, &segments)
    }

    pub(super) fn slot(&mut self, kind: &Kind) -> Slot {
        match kind {
            Kind::Plain(slot) => {
                match slot {
                    Slot::NextUrl => {
                        self.draft.reads_routes = true;
                        // Without a stored target it prints the URI in To.
                        let capture = self.pools.uri_of_to();
                        self.reading.push(capture);
                    }
                    Slot::Routes => self.draft.reads_routes = true,
                    Slot::PeerTagParam => self.draft.reads_peer_tag = true,
                    _ => {}
                }
                *slot
            }
            Kind::LastRequestUri => {
                let capture = self.pools.uri_of_to();
                self.reading.push(capture);
                Slot::LastRequestUri(capture)
            }
            Kind::LastMessage => {
                let capture = self.pools.message();
                self.reading.push(capture);
                Slot::LastMessage(capture)
            }
            Kind::LastHeader(typed) => {
                let name = typed.strip_suffix(b":").unwrap_or(typed);
                let capture = self.pools.header(name);
                self.reading.push(capture);
                Slot::LastHeader(capture, self.pools.text(typed))
            }
            Kind::Var(name) => Slot::Var(self.var(name)),
            Kind::File(path) => self.include(path),
            Kind::FileAt(path) => Slot::FileAt(self.pieces(TemplateKind::Text, path)),
            Kind::Fill { text, variable } => Slot::Fill(self.pools.text(text), self.var(variable)),
            Kind::Field { file, index, line } => {
                let file = file.as_ref().and_then(|name| self.file(name));
                let line = line
                    .as_ref()
                    .map(|pieces| self.pieces(TemplateKind::Text, pieces));
                self.field(Field {
                    file,
                    index: *index,
                    line,
                })
            }
            Kind::Elsewhere { dialog, what } => self.elsewhere(dialog, what),
            Kind::Authentication(parameters) => self.authentication(parameters),
            Kind::Key(_) => unreachable!("its name is a literal"),
            Kind::Poisoned => unreachable!("a scenario without errors has no poisoned keywords"),
        }
    }
}

impl Lowerer<'_> {
    fn field(&mut self, field: Field) -> Slot {
        let fields = &mut self.draft.fields;
        let at = fields.iter().position(|known| *known == field);
        let at = at.unwrap_or_else(|| {
            fields.push(field);
            fields.len() - 1
        });
        Slot::Field(FieldId::new(at).unwrap_or_else(|| {
            self.pools.full("fields of injection files");
            FieldId(0)
        }))
    }

    fn authentication(&mut self, parameters: &Parameters) -> Slot {
        let [username, password, aka_k, aka_op, aka_amf] = parameters
            .texts()
            .map(|pieces| pieces.map(|pieces| self.pieces(TemplateKind::Text, pieces)));
        let entry = Authentication {
            username,
            password,
            aka_k,
            aka_op,
            aka_amf,
            all: parameters.all,
        };
        let known = &mut self.draft.authentications;
        let at = known.iter().position(|other| *other == entry);
        let at = at.unwrap_or_else(|| {
            known.push(entry);
            known.len() - 1
        });
        Slot::Authentication(AuthId::new(at).unwrap_or_else(|| {
            self.pools.full("`[authentication]` keywords");
            AuthId(0)
        }))
    }

    fn file(&mut self, name: &[u8]) -> Option<FileId> {
        let name = self.pools.text(name);
        let files = &mut self.draft.files;
        let at = files.iter().position(|known| *known == name);
        let at = at.unwrap_or_else(|| {
            files.push(name);
            files.len() - 1
        });
        let id = FileId::new(at);
        if id.is_none() {
            self.pools.full("injection files");
        }
        id
    }
}

impl Lowerer<'_> {
    fn include(&mut self, path: &[u8]) -> Slot {
        let path = self.pools.text(path);
        let known = &mut self.draft.includes;
        let at = known.iter().position(|other| *other == path);
        let at = at.unwrap_or_else(|| {
            known.push(path);
            known.len() - 1
        });
        Slot::File(IncludeId::new(at).unwrap_or_else(|| {
            self.pools.full("included files");
            IncludeId(0)
        }))
    }
}

/// A time as 32 bits; none when absent.
pub(super) fn milliseconds(value: Option<Spanned<i64>>) -> Option<u32> {
    let ms = value?.value.clamp(0, i64::from(u32::MAX));
    u32::try_from(ms).ok()
}
