// SPDX-License-Identifier: AGPL-3.0-only
//! The templates of a run: run-constant keywords become literal text and merge with their neighbours.
//!
//! What rendering would otherwise find out for each message is noted with each part: whether a keyword takes the rest
//! of an empty line with it, whether it can print a line end, and where a literal has its first empty line.

use crate::params::{CallIdPart, RunParams};
use crate::render::skip_line_end;
use core::net::IpAddr;
use core::ops::Range;
use gossipper_bytecode::template::Binding;
use gossipper_bytecode::{CaptureId, Program, Segment, Slot, Template, TemplateId, TemplateKind};
use memchr::memmem;

/// The end of the header section.
pub(crate) const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// Bytes behind the last literal: pieces up to this long are copied with what follows them ([`append_piece`]).
///
/// [`append_piece`]: crate::render::append_piece
const PADDING: usize = crate::render::PIECE;

/// A part of a text: a literal, which may be empty, and a keyword behind it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Which of [`Texts::bytes`].
    pub(crate) literal: Range<u32>,
    /// Where [`EMPTY_LINE`] first stands in them, if it does.
    pub(crate) empty_line: Option<u32>,
    /// The keyword.
    pub(crate) keyword: Keyword,
}

impl Part {
    /// Where its literal begins, and how long it is.
    #[inline]
    pub(crate) fn place(&self) -> (usize, usize) {
        let Range { start, end } = self.literal;
        (start as usize, (end - start) as usize)
    }
}

/// What stands behind a literal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keyword {
    /// Nothing: the text ends.
    None,
    /// `[len]` plus n.
    Len(i32),
    /// `[call_number]`.
    CallNumber,
    /// `[call_id]`.
    CallId,
    /// `[peer_tag_param]`.
    PeerTagParam,
    /// What `[branch]` plus n has behind the beginning that all branches share, which ends the literal.
    BranchEnd(i32),
    /// `[last_NAME]`.
    Header {
        /// What is kept of it.
        id: CaptureId,
        /// Length of what is printed before a value, its name and a blank. It stands behind the literal, so that both are
        /// copied at once.
        name: u32,
    },
    /// Any other keyword.
    Slot {
        /// Which.
        slot: Slot,
        /// Whether it takes the rest of its line with it when it prints nothing at its start.
        suppresses: bool,
        /// Whether an empty line may stand in what it prints, or end there.
        lines: bool,
    },
}

/// A template.
#[derive(Clone, Debug)]
struct Text {
    parts: Range<u32>,
    is_request: bool,
    /// Whether it prints a length.
    counts: bool,
    /// Whether its first empty line may be another one than the first in a literal.
    may_break: bool,
    sources: Option<Sources>,
}

/// What of a call a text is made of that may change while the call is there. As long as it has not, the text can be made
/// again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sources {
    /// `[cseq]`.
    pub(crate) cseq: bool,
    /// The peer's tag.
    pub(crate) peer_tag: bool,
    /// What is kept of the last message.
    pub(crate) last: bool,
}

impl Sources {
    /// With those of a keyword; none if nobody says when what that prints changes.
    fn and(mut self, slot: Slot) -> Option<Self> {
        match slot {
            Slot::Len(_)
            | Slot::Branch(_)
            | Slot::CallNumber
            | Slot::CallId
            | Slot::MsgIndex
            | Slot::UserId => {}
            Slot::Cseq(_) => self.cseq = true,
            Slot::PeerTagParam => self.peer_tag = true,
            Slot::LastHeader(..) | Slot::LastCseqNumber(_) => self.last = true,
            _ => return None,
        }
        Some(self)
    }
}

/// All templates of a run.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    texts: Vec<Text>,
    parts: Vec<Part>,
    /// The literals, and [`PADDING`].
    bytes: Vec<u8>,
    /// What all branches begin with.
    branch: Vec<u8>,
    /// `[media_port]` is the port of a stream of the call.
    ports_of_calls: bool,
}

impl Texts {
    /// Those of a program.
    pub(super) fn of(program: &Program, params: &RunParams, ports_of_calls: bool) -> Self {
        let mut texts = Self {
            ports_of_calls,
            branch: format!("z9hG4bK-{}-", params.pid).into_bytes(),
            ..Self::default()
        };
        for template in &program.templates {
            texts.fold(program, params, template);
        }
        let end = texts.bytes.len();
        texts.bytes.resize(end + PADDING, 0);
        texts
    }

    /// All literals.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What all branches begin with.
    pub(crate) fn branch(&self) -> &[u8] {
        &self.branch
    }

    /// The parts of a template.
    pub(crate) fn parts(&self, id: TemplateId) -> &[Part] {
        let Range { start, end } = self.texts[id.index()].parts;
        &self.parts[start as usize..end as usize]
    }

    /// The bytes of a literal.
    pub(crate) fn literal(&self, range: &Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }

    /// Whether a template is a request.
    pub(crate) fn is_request(&self, id: TemplateId) -> bool {
        self.texts[id.index()].is_request
    }

    /// Whether a template prints a length.
    pub(crate) fn counts(&self, id: TemplateId) -> bool {
        self.texts[id.index()].counts
    }

    /// What a template is made of, if it can be made again.
    pub(crate) fn sources(&self, id: TemplateId) -> Option<Sources> {
        self.texts[id.index()].sources
    }

    /// Whether the first empty line of a template may be another one than the first in a literal.
    pub(crate) fn may_break(&self, id: TemplateId) -> bool {
        self.texts[id.index()].may_break
    }

    fn fold(&mut self, program: &Program, params: &RunParams, template: &Template) {
        let first = self.parts.len() as u32;
        let mut counts = false;
        // Dialogs change places in a call, so what is made for one of several is not made again.
        let mut sources = program.dialogs.is_empty().then(Sources::default);
        // Start of the literal that is being gathered, if one is.
        let mut open: Option<usize> = None;
        // Whether a keyword that brings its own line end, or none, stands at the end of what is gathered.
        let mut suppress = false;
        for segment in &program.segments[template.range()] {
            match segment {
                Segment::Literal(text) => {
                    open.get_or_insert(self.bytes.len());
                    let mut bytes = program.bytes(*text);
                    if core::mem::take(&mut suppress) {
                        bytes = skip_line_end(bytes);
                    }
                    self.bytes.extend_from_slice(bytes);
                }
                Segment::Slot(slot)
                    if slot.binding() == Binding::Run
                        && !varies(*slot, params, self.ports_of_calls) =>
                {
                    let start = *open.get_or_insert(self.bytes.len());
                    constant(*slot, params, &mut self.bytes);
                    suppress = slot.suppresses_line() && self.bytes[start..].last() == Some(&b'\n');
                }
                Segment::Slot(slot) => {
                    suppress = false;
                    counts |= matches!(slot, Slot::Len(_));
                    sources = sources.and_then(|before| before.and(*slot));
                    let start = open.take().unwrap_or(self.bytes.len());
                    let any = start < self.bytes.len();
                    let keyword = match *slot {
                        Slot::Len(offset) => Keyword::Len(offset),
                        Slot::CallNumber => Keyword::CallNumber,
                        Slot::CallId if !may_end_lines(*slot, params) => Keyword::CallId,
                        Slot::PeerTagParam => Keyword::PeerTagParam,
                        // Directly behind another keyword it is left whole: a literal between them would end the line
                        // that the keyword may take with it.
                        Slot::Branch(offset) if any => {
                            self.bytes.extend_from_slice(&self.branch);
                            Keyword::BranchEnd(offset)
                        }
                        Slot::LastHeader(id, name) if !program.bytes(name).is_empty() => {
                            Keyword::Header {
                                id,
                                name: program.bytes(name).len() as u32 + 1,
                            }
                        }
                        slot => Keyword::Slot {
                            slot,
                            suppresses: slot.suppresses_line(),
                            lines: may_end_lines(slot, params),
                        },
                    };
                    self.close(start, keyword);
                    if let (Keyword::Header { .. }, Slot::LastHeader(_, name)) = (keyword, slot) {
                        self.bytes.extend_from_slice(program.bytes(*name));
                        self.bytes.push(b' ');
                    }
                }
            }
        }
        if let Some(start) = open.filter(|start| *start < self.bytes.len()) {
            self.close(start, Keyword::None);
        }
        self.texts.push(Text {
            parts: first..self.parts.len() as u32,
            is_request: matches!(template.kind, TemplateKind::Request { .. }),
            counts,
            may_break: self.may_break_from(first as usize),
            sources,
        });
    }

    /// Whether an empty line may come about before the first that a literal of these parts has, but for lines that a
    /// keyword takes with it.
    fn may_break_from(&self, first: usize) -> bool {
        // What stands before a keyword that may print nothing.
        let mut before = None;
        for part in &self.parts[first..] {
            let bytes = self.literal(&part.literal);
            if let Some(last) = bytes.last() {
                // The two meet where a keyword between them prints nothing.
                let breaks = |byte: Option<&u8>| matches!(byte, Some(b'\r' | b'\n'));
                if breaks(before) && breaks(bytes.first()) {
                    return true;
                }
                if part.empty_line.is_some() {
                    return false;
                }
                before = Some(last);
            }
            match part.keyword {
                Keyword::None => {}
                // Each prints something that is no line end.
                Keyword::Len(_) | Keyword::CallNumber | Keyword::BranchEnd(_) => before = None,
                // At the start of a line it takes that with it if it prints nothing, which rendering looks at.
                Keyword::Header { .. } if before == Some(&b'\n') => before = None,
                Keyword::Header { .. } | Keyword::CallId | Keyword::PeerTagParam => {}
                Keyword::Slot { slot, .. } => match slot {
                    Slot::Cseq(_)
                    | Slot::Branch(_)
                    | Slot::MsgIndex
                    | Slot::LastCseqNumber(_)
                    | Slot::MediaPort(_)
                    | Slot::AutoMediaPort(_)
                    | Slot::UserId
                    | Slot::Users
                    | Slot::ClockTick
                    | Slot::DynamicId => before = None,
                    _ => return true,
                },
            }
        }
        false
    }

    /// Adds a part whose literal is what was gathered from `start` on.
    fn close(&mut self, start: usize, keyword: Keyword) {
        let empty_line = memmem::find(&self.bytes[start..], EMPTY_LINE);
        self.parts.push(Part {
            literal: start as u32..self.bytes.len() as u32,
            empty_line: empty_line.map(|at| at as u32),
            keyword,
        });
    }
}

/// The text of a template, if it is the same for the whole run.
pub(super) fn constant_text(
    program: &Program,
    params: &RunParams,
    id: TemplateId,
) -> Option<Vec<u8>> {
    let mut texts = Texts::default();
    texts.fold(program, params, &program.templates[id.index()]);
    match &texts.parts[..] {
        [
            Part {
                keyword: Keyword::None,
                ..
            },
        ] => Some(texts.bytes),
        _ => None,
    }
}

/// Whether what a keyword prints can have an empty line in it or be the end of one. Numbers and names of our own have no
/// line ends; a header's value has no empty line, since that would end the header section, and neither begins nor ends
/// with white space.
fn may_end_lines(slot: Slot, params: &RunParams) -> bool {
    match slot {
        Slot::Branch(_)
        | Slot::Cseq(_)
        | Slot::CallNumber
        | Slot::MsgIndex
        | Slot::LastCseqNumber(_)
        | Slot::MediaPort(_)
        | Slot::AutoMediaPort(_)
        | Slot::RtpStreamAudioPort(_)
        | Slot::RtpStreamVideoPort(_)
        | Slot::AudioPt
        | Slot::AudioCodec
        | Slot::IceUfrag
        | Slot::IcePwd
        | Slot::Users
        | Slot::UserId
        | Slot::ClockTick
        | Slot::DynamicId
        | Slot::PeerTagParam
        | Slot::LastHeader(..)
        | Slot::LastRequestUri(_) => false,
        Slot::CallId => params
            .call_id
            .parts
            .iter()
            .any(|part| matches!(part, CallIdPart::Literal(text) if text.contains(&b'\n'))),
        _ => true,
    }
}

/// Whether what is constant for other runs is not for this one.
fn varies(slot: Slot, params: &RunParams, ports_of_calls: bool) -> bool {
    match slot {
        Slot::MediaPort(_) => ports_of_calls,
        Slot::ServerIp => params.paths.is_some(),
        Slot::LocalPort(_) | Slot::TrunkFrom => params.per_call,
        _ => false,
    }
}

/// Prints a run-constant keyword.
pub(crate) fn constant(slot: Slot, params: &RunParams, out: &mut Vec<u8>) {
    let port = |port: u16, offset: i32| i64::from(port) + i64::from(offset);
    match slot {
        Slot::Service => out.extend_from_slice(&params.service),
        Slot::RemoteIp => {
            if let Some(remote) = params.remote {
                ip(remote.ip(), true, out);
            }
        }
        Slot::RemoteHost => out.extend_from_slice(&params.remote_host),
        Slot::RemotePort(offset) => {
            let remote = params.remote.map_or(DEFAULT_PORT, |addr| addr.port());
            number(port(remote, offset), out);
        }
        Slot::LocalIp => ip(params.local_ip, true, out),
        Slot::LocalIpType => out.push(family(params.local_ip)),
        Slot::LocalPort(offset) => number(port(params.local_port, offset), out),
        Slot::ServerIp => ip(params.server_ip, false, out),
        Slot::TrunkFrom => trunk_from(params, params.local_port, out),
        Slot::TrunkPai => line(b"P-Asserted-Identity: ", params.trunk.pai.as_deref(), out),
        Slot::TrunkProvider => line(b"X-provider: ", params.trunk.provider.as_deref(), out),
        Slot::TrunkExtra => {
            for header in &params.trunk.extra {
                line(b"", Some(header), out);
            }
        }
        Slot::MediaTransport => {
            out.extend_from_slice(params.transport.to_ascii_lowercase().as_bytes());
        }
        Slot::Transport | Slot::SipTransport | Slot::ContactTransport => {
            out.extend_from_slice(params.transport.as_bytes())
        }
        Slot::MediaIp => ip(params.media_ip, false, out),
        Slot::MediaIpType => out.push(family(params.media_ip)),
        Slot::MediaPort(offset) => number(port(params.media_port, offset), out),
        Slot::Pid => number(i64::from(params.pid), out),
        // Checked when linking: each has its content.
        Slot::File(id) => out.extend_from_slice(&params.includes[id.index()]),
        Slot::SippVersion => out.extend_from_slice(&params.version),
        Slot::CryptoTag(line) => out.push(if line.secondary { b'2' } else { b'1' }),
        Slot::CryptoSuite(_, suite) => out.extend_from_slice(suite.name().as_bytes()),
        Slot::CryptoUnencrypted(..) => out.extend_from_slice(b"UNENCRYPTED_SRTP"),
        Slot::AutoMediaPort(_)
        | Slot::RtpStreamAudioPort(_)
        | Slot::RtpStreamVideoPort(_)
        | Slot::AudioPt
        | Slot::AudioCodec
        | Slot::AudioRtpmap
        | Slot::AudioFmtp
        | Slot::AudioSdp(_)
        | Slot::IceUfrag
        | Slot::IcePwd
        | Slot::CryptoKey(..)
        | Slot::CallNumber
        | Slot::CallId
        | Slot::Cseq(_)
        | Slot::Branch(_)
        | Slot::MsgIndex
        | Slot::Len(_)
        | Slot::PeerTagParam
        | Slot::NextUrl
        | Slot::Routes
        | Slot::LastRequestUri(_)
        | Slot::LastCseqNumber(_)
        | Slot::LastMessage(_)
        | Slot::LastHeader(..)
        | Slot::Users
        | Slot::UserId
        | Slot::TdmMap
        | Slot::Timestamp
        | Slot::Date
        | Slot::ClockTick
        | Slot::DynamicId
        | Slot::Var(_)
        | Slot::Field(_)
        | Slot::FileAt(_)
        | Slot::Authentication(_)
        | Slot::Elsewhere(_)
        | Slot::Fill(..) => {
            debug_assert_ne!(
                slot.binding(),
                Binding::Run,
                "a run-constant slot is printed"
            );
        }
    }
}

/// Prints `[trunk_from]` of a call with this local port.
pub(crate) fn trunk_from(params: &RunParams, port: u16, out: &mut Vec<u8>) {
    match &params.trunk.from {
        Some(from) => out.extend_from_slice(from),
        None => {
            out.extend_from_slice(b"gossip <sip:gossip@");
            ip(params.local_ip, true, out);
            out.push(b':');
            number(i64::from(port), out);
            out.push(b'>');
        }
    }
}

/// Prints a header as a whole line, if there is a value.
fn line(name: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// SIP's default port (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;

pub(crate) fn ip(ip: IpAddr, brackets: bool, out: &mut Vec<u8>) {
    let text = match ip {
        IpAddr::V6(v6) if brackets => format!("[{v6}]"),
        other => other.to_string(),
    };
    out.extend_from_slice(text.as_bytes());
}

const fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => b'4',
        IpAddr::V6(_) => b'6',
    }
}

fn number(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(value.to_string().as_bytes());
}
