// SPDX-License-Identifier: AGPL-3.0-only
//! What each keyword prints.

use super::{LastView, Scene, Trouble, fill, line_number, number, render, variable};
use crate::answer::{self, AudioAnswer};
use crate::auth::{Given, PLACEHOLDER, Pending};
use crate::call::last::{Last, append};
use crate::call::regs::Value;
use crate::inject::{FieldError, NO_LINE};
use crate::inserted::{self, KEYWORD};
use gossipper_bytecode::{AuthId, CaptureId, FieldId, Slot, TemplateId, VarId};
use memchr::memmem;

impl<'a> Scene<'a> {
    /// What `[last_*]` print, where that is what the call has kept.
    #[inline]
    pub(super) fn kept(&self) -> Option<&'a Last> {
        match self.last {
            LastView::Kept => self.call.map(|call| &call.last),
            LastView::Whole(_) => None,
        }
    }
}

impl Scene<'_> {
    pub(crate) fn print(&mut self, slot: Slot, out: &mut Vec<u8>) {
        let call = self.call;
        let params = &self.image.params;
        match slot {
            Slot::MediaPort(_)
            | Slot::AutoMediaPort(_)
            | Slot::RtpStreamAudioPort(_)
            | Slot::RtpStreamVideoPort(_) => {
                let given = call
                    .and_then(|call| call.cold.as_deref())
                    .map_or([0; 2], |cold| cold.ports);
                let index = call.map_or(1, |call| call.number);
                number(self.image.media.port(slot, index, given), out);
            }
            Slot::AudioPt
            | Slot::AudioCodec
            | Slot::AudioRtpmap
            | Slot::AudioFmtp
            | Slot::AudioSdp(_) => self.audio_answer(slot, out),
            Slot::IceUfrag | Slot::IcePwd => {
                let number = call.map_or(0, |call| call.number);
                answer::ice(slot == Slot::IcePwd, params.seed, number, out);
            }
            Slot::CryptoKey(line, key) => {
                if let Some(keys) = call
                    .and_then(|call| call.cold.as_deref())
                    .and_then(|cold| cold.crypto.as_deref())
                {
                    keys.print(line, key, out);
                }
            }
            Slot::CallNumber => self.call_number(out),
            Slot::CallId => self.call_id(out),
            Slot::Cseq(offset) => {
                let cseq = call.map_or(0, |call| i64::from(call.cseq));
                number(cseq + i64::from(offset), out);
            }
            Slot::Branch(offset) => {
                out.extend_from_slice(self.image.texts.branch());
                self.branch_end(offset, out);
            }
            Slot::MsgIndex => number(self.msg_index, out),
            Slot::PeerTagParam => self.peer_tag_param(out),
            Slot::NextUrl => match call.and_then(|call| call.cold.as_deref()) {
                Some(cold) if !cold.target.is_empty() => out.extend_from_slice(&cold.target),
                // Without rrs: the URI of the last message's To header.
                _ => self.to_uri(out),
            },
            Slot::Routes => {
                if let Some(cold) = call.and_then(|call| call.cold.as_deref())
                    && !cold.routes.is_empty()
                {
                    out.extend_from_slice(b"Route: ");
                    out.extend_from_slice(&cold.routes);
                }
            }
            Slot::LastRequestUri(id) | Slot::LastMessage(id) => {
                self.capture(id, b"", out);
            }
            Slot::LastCseqNumber(offset) => {
                let last = match self.last {
                    LastView::Kept => call.map_or(0, |call| call.last.cseq),
                    LastView::Whole(msg) => msg.cseq().map_or(0, |cseq| cseq.number),
                };
                number(i64::from(last) + i64::from(offset), out);
            }
            Slot::LastHeader(id, name) => {
                let image = self.image;
                self.capture(id, image.program.bytes(name), out);
            }
            Slot::TdmMap => {
                let circuit = call.and_then(|call| call.cold.as_ref()?.circuit);
                if let (Some(map), Some(circuit)) = (&params.circuits, circuit) {
                    map.print(circuit, out);
                }
            }
            Slot::Users => number(self.users.map_or(-1, i64::from), out),
            Slot::UserId => number(call.map_or(0, |call| i64::from(call.user())), out),
            Slot::Timestamp => crate::date::log_time(self.wall_us(), params.utc_offset_s, out),
            Slot::Date => crate::date::rfc1123(self.wall_us(), out),
            Slot::ClockTick => number(self.now.as_ms() as i64, out),
            Slot::DynamicId => number(i64::from(self.dynamic.take()), out),
            Slot::Var(var) => variable(self.value(var), out),
            Slot::Field(id) => self.field(id, out),
            Slot::FileAt(path) => self.included_file(path, out),
            Slot::Authentication(id) => self.authentication(id, out),
            Slot::Elsewhere(id) => {
                if let Some(call) = call {
                    crate::elsewhere::print(self.image, call, id, out);
                }
            }
            Slot::Fill(text, var) => {
                let image = self.image;
                fill(image.program.bytes(text), self.value(var).as_number(), out);
            }
            Slot::ServerIp => {
                let params = &self.image.params;
                let paths = params.paths.as_ref();
                let own = call
                    .and_then(|call| paths?.address(call.flow))
                    .unwrap_or(params.server_ip);
                crate::link::ip(own, false, out);
            }
            Slot::LocalPort(offset) => {
                let port = i64::from(self.local_port()) + i64::from(offset);
                number(port, out);
            }
            Slot::TrunkFrom => {
                crate::link::trunk_from(&self.image.params, self.local_port(), out);
            }
            Slot::Service
            | Slot::RemoteIp
            | Slot::RemoteHost
            | Slot::RemotePort(_)
            | Slot::LocalIp
            | Slot::LocalIpType
            | Slot::Transport
            | Slot::SipTransport
            | Slot::MediaTransport
            | Slot::ContactTransport
            | Slot::TrunkPai
            | Slot::TrunkProvider
            | Slot::TrunkExtra
            | Slot::MediaIp
            | Slot::MediaIpType
            | Slot::CryptoTag(_)
            | Slot::CryptoSuite(..)
            | Slot::CryptoUnencrypted(..)
            | Slot::Pid
            | Slot::SippVersion
            | Slot::File(_)
            | Slot::Len(_) => {
                debug_assert!(false, "folded when linking, or handled by render");
            }
        }
    }

    /// What an answer to the peer's last description has.
    #[cold]
    #[inline(never)]
    fn audio_answer(&self, slot: Slot, out: &mut Vec<u8>) {
        let cold = self.call.and_then(|call| call.cold.as_deref());
        let port = match slot {
            Slot::AudioSdp(offset) => {
                let given = cold.map_or([0; 2], |cold| cold.ports);
                let index = self.call.map_or(1, |call| call.number);
                let port = Slot::RtpStreamAudioPort(offset);
                self.image.media.port(port, index, given)
            }
            _ => 0,
        };
        // An offer that came in a response is answered in the ACK.
        let message = out.get(self.start..).unwrap_or_default();
        let answers = message.starts_with(b"SIP/2.0 ") || message.starts_with(b"ACK ");
        match cold.and_then(|cold| cold.answer.as_deref()) {
            Some(answer) => answer.print(slot, port, answers, out),
            None => AudioAnswer::default().print(slot, port, answers, out),
        }
    }

    /// The port of the path that the call sends on.
    fn local_port(&self) -> u16 {
        match self.call {
            Some(call) if call.local_port() != 0 => call.local_port(),
            _ => self.image.params.local_port,
        }
    }

    /// Prints a field of the call's line, or of the line that a text says.
    fn field(&mut self, id: FieldId, out: &mut Vec<u8>) {
        let image = self.image;
        let field = image.program.fields[id.index()];
        // Linking checked that there is a first file.
        let file = field.file.map_or(0, |file| image.files[file.index()]);
        let line = match field.line {
            None => self.call.and_then(|call| call.line(file)),
            Some(template) => {
                // Verified: a text nests no deeper than this one. What is too large is no number.
                let text = self.nested(template);
                match line_number(&text) {
                    Some(line) => line,
                    None => {
                        self.troubles.push(Trouble::Fatal(format!(
                            "[field{}]: `{}` is no number of a line",
                            field.index,
                            String::from_utf8_lossy(&text)
                        )));
                        return;
                    }
                }
            }
        };
        let Some(line) = line.filter(|line| *line != NO_LINE) else {
            return;
        };
        let start = out.len();
        if self.print_field(file, line, field.index, out) {
            self.keyword_in_field(start, out);
        }
    }

    /// Prints a field of a line; false when it cannot, which is then said.
    pub(crate) fn print_field(
        &mut self,
        file: usize,
        line: u32,
        index: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        match self.injection.print(file, line, index, out) {
            Ok(()) => true,
            Err(error) => {
                out.truncate(start);
                let name = self.injection.name(file);
                self.troubles.push(match error {
                    // Scripts look for SIPp's words.
                    FieldError::Missing => Trouble::Warning(format!(
                        "Field {index} not found in the file {name} (line {line})"
                    )),
                    FieldError::Conversion => Trouble::Fatal(format!(
                        "injection file `{name}`, field {index}: only `%d` with digits, `.` and `-` \
                         can be printed"
                    )),
                });
                false
            }
        }
    }

    /// Leaves room for the answer to a challenge.
    fn authentication(&mut self, id: AuthId, out: &mut Vec<u8>) {
        let authentication = self.image.program.authentications[id.index()];
        // Verified: the parameters hold no answers. What is too large is cut, and refused by the peer.
        let mut text = |template: Option<TemplateId>| template.map(|id| self.nested(id));
        let given = Given {
            username: text(authentication.username),
            password: text(authentication.password),
            aka_k: text(authentication.aka_k),
            aka_op: text(authentication.aka_op),
            aka_amf: text(authentication.aka_amf),
            all: authentication.all,
        };
        self.answer(given, out);
    }

    /// A text inside another one.
    pub(crate) fn nested(&mut self, template: TemplateId) -> Vec<u8> {
        let mut text = Vec::new();
        let is_request = core::mem::replace(&mut self.is_request, false);
        let _ = render(self, template, &mut text);
        self.is_request = is_request;
        text
    }

    /// A field of a request may hold `[authentication …]`, which is carried out with the keywords in it; others are
    /// text there.
    fn keyword_in_field(&mut self, start: usize, out: &mut Vec<u8>) {
        if !self.is_request {
            return;
        }
        let Some(at) = memmem::find(&out[start..], KEYWORD).map(|at| start + at) else {
            return;
        };
        let rest = &out[at + KEYWORD.len()..];
        let Some(end) = inserted::closing(rest) else {
            return;
        };
        let parameters = rest[..end].to_vec();
        let after = rest[end + 1..].to_vec();
        out.truncate(at);
        let given = Given::parse(&parameters, |text| self.expand(text));
        self.answer(given, out);
        if let Some(pending) = &mut self.pending {
            pending.twice |= memmem::find(&after, KEYWORD).is_some();
        }
        out.extend_from_slice(&after);
    }

    fn answer(&mut self, given: Given, out: &mut Vec<u8>) {
        self.pending = Some(Box::new(Pending {
            at: out.len() - self.start,
            given,
            twice: self.pending.is_some(),
        }));
        out.extend_from_slice(PLACEHOLDER);
    }

    fn wall_us(&self) -> u64 {
        self.image.params.epoch_us.saturating_add(self.now.0)
    }

    pub(crate) fn value(&self, var: VarId) -> Value<'_> {
        match self.call {
            Some(call) => self.vars.value(call, self.image.place(var)),
            None => self.vars.value_without_call(self.image.place(var)),
        }
    }

    /// Prints `[branch]` behind what all branches begin with.
    #[inline]
    pub(super) fn branch_end(&self, offset: i32, out: &mut Vec<u8>) {
        self.call_number(out);
        out.push(b'-');
        number(self.branch_index + i64::from(offset), out);
    }

    /// Prints `[call_number]`.
    #[inline]
    pub(super) fn call_number(&self, out: &mut Vec<u8>) {
        number(self.call.map_or(0, |call| call.number as i64), out);
    }

    /// Prints `[call_id]`.
    #[inline]
    pub(super) fn call_id(&self, out: &mut Vec<u8>) {
        if let Some(call) = self.call {
            call.call_id.print(out);
        }
    }

    /// Prints `[peer_tag_param]`.
    #[inline]
    pub(super) fn peer_tag_param(&self, out: &mut Vec<u8>) {
        if let Some(call) = self.call
            && !call.peer_tag.is_empty()
        {
            out.extend_from_slice(b";tag=");
            call.peer_tag.print(out);
        }
    }

    /// Prints a header of a message that is at hand behind its name; false when there is none.
    #[inline(never)]
    pub(super) fn header(&self, id: CaptureId, name: &[u8], out: &mut Vec<u8>) -> bool {
        let before = out.len();
        self.capture(id, name, out);
        out.len() > before
    }

    /// Prints a capture behind its name (which may be empty); nothing when the message has no such header.
    fn capture(&self, id: CaptureId, name: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(name);
        let named = out.len();
        if !name.is_empty() {
            out.push(b' ');
        }
        let valued = out.len();
        let found = match (self.last, self.call) {
            (LastView::Whole(msg), _) => append(self.image, id, msg, out),
            (LastView::Kept, Some(call)) => match call.last.capture(self.image, id) {
                Some(value) => {
                    out.extend_from_slice(value);
                    true
                }
                None => false,
            },
            (LastView::Kept, None) => false,
        };
        if !found {
            out.truncate(start);
        } else if out.len() == valued {
            // As in SIPp, a header that is there but empty prints `Name:`.
            out.truncate(named);
        }
    }

    fn to_uri(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.image.to_uri {
            self.capture(id, b"", out);
        }
    }
}
