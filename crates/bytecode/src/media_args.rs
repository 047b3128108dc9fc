// SPDX-License-Identifier: AGPL-3.0-only
//! Reads the arguments of media actions: by the compiler where they hold no keywords, else by whoever plays them.
//!
//! Fields are positional, with commas between them; blanks around a number or the name of a codec count for nothing. A fault names its place in the text and, where a
//! word was misspelt, the words there are; finding the near one is the caller's.

use crate::media::{
    Codec, Dtmf, EchoChange, Loops, MediaStream, Paused, Payload, Record, RtpStream, Sound,
    SrtpEcho,
};
use core::ops::Range;

mod check;

pub use check::rtpcheck;

/// What is wrong with an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArgumentError {
    /// Where in the text.
    pub at: Range<usize>,
    /// The fact.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
    /// The words that may stand there.
    pub words: &'static [&'static str],
}

/// Something that is right and yet may surprise.
pub type Remark = ArgumentError;

/// Words that `rtp_stream` takes in place of a file.
pub const STREAM_WORDS: &[&str] = &[
    "apattern",
    "vpattern",
    "pause",
    "resume",
    "pauseapattern",
    "resumeapattern",
    "pausevpattern",
    "resumevpattern",
    "stop",
    "echo",
    "mic",
    "microphone",
    "synthetic",
    "silence",
];

/// Words of `exec rtp_echo`.
pub const ECHO_WORDS: &[&str] = &[
    "startaudio",
    "updateaudio",
    "stopaudio",
    "startvideo",
    "updatevideo",
    "stopvideo",
];

const RECORD_WORDS: &[&str] = &["start", "stop"];
const CODEC_WORDS: &[&str] = &[
    "PCMU/8000",
    "PCMA/8000",
    "G722/8000",
    "G729/8000",
    "CN/8000",
    "iLBC/8000",
    "opus/48000",
    "H264/90000",
];

/// Length of a digit of `play_dtmf` that says none, in ms.
pub const DIGIT_MS: u32 = 200;
/// Lengths that count.
const DIGIT_RANGE: core::ops::RangeInclusive<u32> = 50..=2000;

/// The fields of an argument, each with its place.
struct Fields<'a> {
    text: &'a [u8],
    next: Option<usize>,
}

#[derive(Clone)]
struct Field<'a> {
    text: &'a [u8],
    at: Range<usize>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.next?;
        let rest = &self.text[start..];
        let len = rest.iter().position(|byte| *byte == b',');
        self.next = len.map(|len| start + len + 1);
        let at = start..start + len.unwrap_or(rest.len());
        Some(Field {
            text: &self.text[at.clone()],
            at,
        })
    }
}

fn fields(text: &[u8]) -> Fields<'_> {
    Fields {
        text,
        next: Some(0),
    }
}

impl Field<'_> {
    fn error(&self, message: String, help: &'static str) -> ArgumentError {
        ArgumentError {
            at: self.at.clone(),
            message,
            help,
            words: &[],
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(self.text).into_owned()
    }

    /// A whole number in a range, with blanks around it or without.
    fn number<N: TryFrom<i64>>(
        &self,
        what: &str,
        help: &'static str,
        range: core::ops::RangeInclusive<i64>,
    ) -> Result<N, ArgumentError> {
        let text = core::str::from_utf8(self.text).unwrap_or_default();
        text.trim_ascii()
            .parse::<i64>()
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.error(format!("`{}` is no {what}", self.shown()), help))
    }
}

/// An empty field in the middle stands for its default, as a missing one does.
fn given<'a>(fields: &mut Fields<'a>) -> Option<Field<'a>> {
    fields.next().filter(|field| !field.text.is_empty())
}

fn nothing_more(fields: &mut Fields<'_>, help: &'static str) -> Result<(), ArgumentError> {
    match fields.next() {
        None => Ok(()),
        Some(extra) => Err(extra.error(format!("`{}` is one field too many", extra.shown()), help)),
    }
}

const STREAM_HELP: &str = "write FILE[,LOOP[,PT[,NAME]]]";
const PATTERN_HELP: &str = "write apattern[,ID[,PT[,NAME]]] with an ID from 1 to 6";
const SYNTHETIC_HELP: &str =
    "write synthetic[,LOOP[,PT[,CODEC[,PACKET_MS[,DURATION_MS[,CHANNELS[,SOUND]]]]]]]";
const SOUND_HELP: &str = "SOUND is tone, tone=HERTZ from 1 to 4000, noise or silence";
const SOUND_WORDS: &[&str] = &["tone", "noise", "silence"];
const LOOP_HELP: &str = "LOOP says how often, -1 or another negative number without end";

/// The argument of `rtp_stream`.
///
/// # Errors
/// What is wrong, and where.
pub fn rtp_stream(text: &[u8]) -> Result<RtpStream<&[u8]>, ArgumentError> {
    let mut rest = fields(text);
    let Some(first) = given(&mut rest) else {
        return Err(ArgumentError {
            at: 0..text.len(),
            message: "`rtp_stream` names no file".to_owned(),
            help: STREAM_HELP,
            words: &[],
        });
    };
    let plain = |stream: RtpStream<&'static [u8]>, rest: &mut Fields<'_>| {
        nothing_more(rest, "this word stands alone").map(|()| stream)
    };
    match first.text {
        b"pause" => plain(RtpStream::Pause(Paused::All), &mut rest),
        b"resume" => plain(RtpStream::Resume(Paused::All), &mut rest),
        b"pauseapattern" => plain(RtpStream::Pause(Paused::AudioPattern), &mut rest),
        b"resumeapattern" => plain(RtpStream::Resume(Paused::AudioPattern), &mut rest),
        b"pausevpattern" => plain(RtpStream::Pause(Paused::VideoPattern), &mut rest),
        b"resumevpattern" => plain(RtpStream::Resume(Paused::VideoPattern), &mut rest),
        b"stop" => plain(RtpStream::Stop, &mut rest),
        b"echo" => plain(RtpStream::Echo, &mut rest),
        b"apattern" => pattern(MediaStream::Audio, rest),
        b"vpattern" => pattern(MediaStream::Video, rest),
        b"mic" | b"microphone" => {
            let input = given(&mut rest).map(|field| field.text);
            nothing_more(&mut rest, "write mic[,INPUT]")?;
            Ok(RtpStream::Microphone { input })
        }
        b"synthetic" => synthetic(Sound::Tone(None), rest),
        b"silence" => synthetic(Sound::Silence, rest),
        file => {
            let loops = loops(given(&mut rest))?;
            let payload = payload(None, &mut rest)?;
            nothing_more(&mut rest, STREAM_HELP)?;
            Ok(RtpStream::File {
                file,
                loops,
                payload,
            })
        }
    }
}

fn loops(field: Option<Field<'_>>) -> Result<Loops, ArgumentError> {
    let Some(field) = field else {
        return Ok(Loops::Times(1));
    };
    // COMPAT(sipp): every negative number is without end.
    let range = i64::MIN..=i64::from(u32::MAX);
    let times: i64 = field.number("number of times", LOOP_HELP, range)?;
    Ok(u32::try_from(times).map_or(Loops::Endless, Loops::Times))
}

fn pattern<'a>(
    stream: MediaStream,
    mut rest: Fields<'_>,
) -> Result<RtpStream<&'a [u8]>, ArgumentError> {
    let id = match given(&mut rest) {
        Some(field) => field.number("pattern", PATTERN_HELP, 1..=6)?,
        None => 1,
    };
    let payload = payload(Some(stream), &mut rest)?;
    nothing_more(&mut rest, PATTERN_HELP)?;
    Ok(RtpStream::Pattern {
        stream,
        id,
        payload,
    })
}

fn synthetic<'a>(usual: Sound, mut rest: Fields<'_>) -> Result<RtpStream<&'a [u8]>, ArgumentError> {
    // The tone has no end of its own that could be looped.
    loops(given(&mut rest))?;
    let payload = payload(None, &mut rest)?;
    let most = i64::from(u32::MAX);
    let packet_ms = given(&mut rest)
        .map(|field| field.number("length of a packet in ms", SYNTHETIC_HELP, 1..=1000))
        .transpose()?;
    let duration_ms = given(&mut rest).map_or(Ok(0), |field| {
        field.number("duration in ms", SYNTHETIC_HELP, 0..=most)
    })?;
    let channels = given(&mut rest).map_or(Ok(1), |field| {
        field.number("number of channels", SYNTHETIC_HELP, 1..=255)
    })?;
    let sound = given(&mut rest).map_or(Ok(usual), |field| sound(&field))?;
    nothing_more(&mut rest, SYNTHETIC_HELP)?;
    Ok(RtpStream::Synthetic {
        sound,
        payload,
        packet_ms,
        duration_ms,
        channels,
    })
}

fn sound(field: &Field<'_>) -> Result<Sound, ArgumentError> {
    match field.text {
        b"tone" => Ok(Sound::Tone(None)),
        b"noise" => Ok(Sound::Noise),
        b"silence" => Ok(Sound::Silence),
        text => match text.strip_prefix(b"tone=") {
            Some(hertz) => {
                let at = field.at.end - hertz.len()..field.at.end;
                let hertz = Field { text: hertz, at };
                let hertz = hertz.number("frequency in Hz", SOUND_HELP, 1..=4000)?;
                Ok(Sound::Tone(Some(hertz)))
            }
            None => {
                let message = format!("`{}` is no sound", field.shown());
                let mut error = field.error(message, SOUND_HELP);
                error.words = SOUND_WORDS;
                Err(error)
            }
        },
    }
}

/// `PT[,NAME]`; without a stream it is that of the codec.
fn payload(
    stream: Option<MediaStream>,
    rest: &mut Fields<'_>,
) -> Result<Option<Payload>, ArgumentError> {
    let Some(number) = given(rest) else {
        return match given(rest) {
            None => Ok(None),
            Some(name) => Err(name.error(
                format!("`{}` is a codec without a payload type", name.shown()),
                "write PT,NAME such as 8,PCMA/8000",
            )),
        };
    };
    let value: u8 = number.number(
        "payload type",
        "0, 8, 9, 13 and 18 have a fixed meaning, 96 to 127 take a NAME",
        0..=127,
    )?;
    let name = given(rest);
    let Some(fixed) = fixed(value) else {
        return dynamic(stream, &number, value, name).map(Some);
    };
    if stream == Some(MediaStream::Video) {
        let message = format!("payload type {value} is audio");
        return Err(number.error(message, "write a dynamic type: vpattern,1,99,H264/90000"));
    }
    if let Some(name) = name
        && fixed != Codec::Noise
        && codec(name.text) != Some(fixed)
    {
        let mut error = name.error(
            format!("payload type {value} is not `{}`", name.shown()),
            "leave the name away, or write the one that belongs to the type",
        );
        error.words = CODEC_WORDS;
        return Err(error);
    }
    Ok(Some(Payload {
        number: value,
        codec: fixed,
    }))
}

/// What RFC 3551 §6 fixes, as far as it can be sent.
const fn fixed(number: u8) -> Option<Codec> {
    match number {
        0 => Some(Codec::Pcmu),
        8 => Some(Codec::Pcma),
        9 => Some(Codec::G722),
        13 => Some(Codec::Noise),
        18 => Some(Codec::G729),
        _ => None,
    }
}

fn dynamic(
    stream: Option<MediaStream>,
    number: &Field<'_>,
    value: u8,
    name: Option<Field<'_>>,
) -> Result<Payload, ArgumentError> {
    if value < 96 {
        return Err(number.error(
            format!("payload type {value} cannot be sent"),
            "there are 0, 8, 9, 13, 18 and 96 to 127",
        ));
    }
    let help = "write PT,NAME such as 97,iLBC/8000";
    let Some(name) = name else {
        return Err(number.error(
            format!("payload type {value} needs the name of its codec"),
            help,
        ));
    };
    let found = codec(name.text).filter(|codec| {
        let is_video = codec.stream() == MediaStream::Video;
        let is_dynamic = matches!(codec, Codec::Ilbc | Codec::Opus | Codec::H264);
        is_dynamic && stream.is_none_or(|stream| is_video == (stream == MediaStream::Video))
    });
    match found {
        Some(codec) => Ok(Payload {
            number: value,
            codec,
        }),
        None => {
            let what = match stream {
                Some(MediaStream::Video) => " in a video stream",
                Some(MediaStream::Audio | MediaStream::Image) => " in an audio stream",
                None => "",
            };
            let message = format!("payload type {value} cannot be `{}`{what}", name.shown());
            let mut error = name.error(message, help);
            error.words = CODEC_WORDS;
            Err(error)
        }
    }
}

/// The codec of a name, with its clock rate or without.
fn codec(name: &[u8]) -> Option<Codec> {
    let name = name.trim_ascii();
    const ALL: [Codec; 8] = [
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
        Codec::G729,
        Codec::Noise,
        Codec::Ilbc,
        Codec::Opus,
        Codec::H264,
    ];
    CODEC_WORDS.iter().zip(ALL).find_map(|(word, codec)| {
        let bare = word.split('/').next().unwrap_or(word);
        let same = name.eq_ignore_ascii_case(word.as_bytes())
            || name.eq_ignore_ascii_case(bare.as_bytes());
        same.then_some(codec)
    })
}

/// The argument of `play_dtmf`, and what may surprise about it.
#[must_use]
pub fn play_dtmf(text: &[u8]) -> (Dtmf<&[u8]>, Vec<Remark>) {
    let mut rest = fields(text);
    let mut remarks = Vec::new();
    let digits = rest.next();
    let length = given(&mut rest);
    if let Some(digits) = &digits {
        remarks.extend(no_digits(digits, |digit| b"ABCD".contains(&digit)));
    }
    let length_ms = length.map_or(DIGIT_MS, |field| {
        let number = field.number("length in ms", "", i64::from(*DIGIT_RANGE.start())..=2000);
        number.unwrap_or_else(|_| {
            remarks.push(field.error(
                format!(
                    "`{}` is no length from 50 to 2000 ms, so it is {DIGIT_MS}",
                    field.shown()
                ),
                "write DIGITS,LENGTH with the length of a digit in ms",
            ));
            DIGIT_MS
        })
    });
    if let Err(extra) = nothing_more(&mut rest, "write DIGITS,LENGTH") {
        remarks.push(extra);
    }
    let dtmf = Dtmf {
        digits: digits.map_or(&b""[..], |field| field.text),
        length_ms,
    };
    (dtmf, remarks)
}

/// Characters that are passed over; none at all is a fault of its own. `letter` says which letters are digits.
fn no_digits(field: &Field<'_>, letter: impl Fn(u8) -> bool) -> Option<Remark> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'*' | b'#') || letter(*byte);
    let help = "there are 0 to 9, *, # and A to D";
    match field.text.iter().position(|byte| !is_digit(byte)) {
        None if field.text.is_empty() => {
            Some(field.error("there are no digits to play".to_owned(), help))
        }
        None => None,
        Some(at) => {
            let at = field.at.start + at;
            let letter = char::from(field.text[at - field.at.start]);
            Some(ArgumentError {
                at: at..at + 1,
                message: format!(
                    "`{}` is no digit and is passed over",
                    letter.escape_default()
                ),
                help,
                words: &[],
            })
        }
    }
}

/// The argument of `send_dtmf`, and what may surprise about it.
#[must_use]
pub fn send_dtmf(text: &[u8]) -> (&[u8], Vec<Remark>) {
    let whole = Field {
        text,
        at: 0..text.len(),
    };
    let letter = |digit: u8| b"ABCD".contains(&digit.to_ascii_uppercase());
    (text, no_digits(&whole, letter).into_iter().collect())
}

/// The argument of `exec rtp_echo`.
///
/// # Errors
/// What is wrong, and where.
pub fn srtp_echo(text: &[u8]) -> Result<SrtpEcho, ArgumentError> {
    const HELP: &str = "write startaudio,PT,NAME, or update… or stop…, or …video";
    let mut rest = fields(text);
    let first = rest.next().unwrap_or(Field {
        text: b"",
        at: 0..0,
    });
    let (change, stream) = match first.text {
        b"startaudio" => (EchoChange::Start, MediaStream::Audio),
        b"updateaudio" => (EchoChange::Update, MediaStream::Audio),
        b"stopaudio" => (EchoChange::Stop, MediaStream::Audio),
        b"startvideo" => (EchoChange::Start, MediaStream::Video),
        b"updatevideo" => (EchoChange::Update, MediaStream::Video),
        b"stopvideo" => (EchoChange::Stop, MediaStream::Video),
        _ => {
            let message = format!("`rtp_echo` does not know `{}`", first.shown());
            let mut error = first.error(message, HELP);
            error.words = ECHO_WORDS;
            return Err(error);
        }
    };
    let payload = payload(Some(stream), &mut rest)?;
    nothing_more(&mut rest, HELP)?;
    Ok(SrtpEcho {
        change,
        stream,
        payload,
    })
}

/// The argument of `rtp_record`.
///
/// # Errors
/// What is wrong, and where.
pub fn rtp_record(text: &[u8]) -> Result<Record<&[u8]>, ArgumentError> {
    const HELP: &str = "write start,FILE.wav[,duplex] or stop";
    let mut rest = fields(text);
    let first = rest.next().unwrap_or(Field {
        text: b"",
        at: 0..0,
    });
    match first.text {
        b"stop" => nothing_more(&mut rest, HELP).map(|()| Record::Stop),
        b"start" => {
            let Some(file) = given(&mut rest) else {
                return Err(first.error("`rtp_record` names no file".to_owned(), HELP));
            };
            let duplex = match given(&mut rest) {
                None => false,
                Some(word) if word.text == b"duplex" => true,
                Some(word) => {
                    let message = format!("`{}` is not `duplex`", word.shown());
                    let mut error = word.error(message, HELP);
                    error.words = &["duplex"];
                    return Err(error);
                }
            };
            nothing_more(&mut rest, HELP)?;
            Ok(Record::Start {
                file: file.text,
                duplex,
            })
        }
        _ => {
            let message = format!("`rtp_record` does not know `{}`", first.shown());
            let mut error = first.error(message, HELP);
            error.words = RECORD_WORDS;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
