// SPDX-License-Identifier: AGPL-3.0-only
//! Media actions in a listing: the attribute, and its argument much as the author wrote it.

use super::{operand, quoted};
use crate::ids::TextRef;
use crate::media::{
    Argument, Direction, EchoChange, Loops, Media, MediaStream, Paused, Payload, Record, RtpCheck,
    RtpStream, Sound,
};
use crate::program::Draft;

pub(super) fn operands(d: &Draft, media: &Media) -> String {
    let name = media.name();
    let argument = match media {
        Media::PlayPcap { file, .. } => quoted(d, *file),
        Media::PlayDtmf(argument) => shown(argument, |dtmf| {
            format!("{} {}ms", quoted(d, dtmf.digits), dtmf.length_ms)
        }),
        Media::SendDtmf(argument) => shown(argument, |digits| quoted(d, *digits)),
        Media::RtpStream(argument) => shown(argument, |stream| rtp_stream(d, stream)),
        Media::SrtpEcho(echo) => {
            let change = match echo.change {
                EchoChange::Start => "start",
                EchoChange::Update => "update",
                EchoChange::Stop => "stop",
            };
            format!(
                "srtp {change} {}{}",
                stream(echo.stream),
                payload(echo.payload)
            )
        }
        Media::Record(argument) => shown(argument, |record| match record {
            Record::Start { file, duplex } => {
                let duplex = if *duplex { " duplex" } else { "" };
                format!("start {}{duplex}", quoted(d, *file))
            }
            Record::Stop => "stop".to_owned(),
        }),
        Media::Check(check) => shown_check(check),
        Media::EchoSwitch(value) => operand(d, *value),
    };
    format!("{name} {argument}")
}

fn shown_check(check: &RtpCheck) -> String {
    let mut out = format!(
        "{} packets {} within {}ms",
        check.min_packets,
        match check.direction {
            Direction::Any => "either way",
            Direction::Sent => "sent",
            Direction::Received => "received",
            Direction::Both => "both ways",
        },
        check.timeout_ms
    );
    let mut bound = |name: &str, value: Option<u32>, scale: f64| {
        if let Some(value) = value {
            out.push_str(&format!(" {name} {}", f64::from(value) / scale));
        }
    };
    bound("loss<=%", check.max_loss, 100.0);
    bound("jitter<=ms", check.max_jitter_us, 1000.0);
    bound("mos>=", check.min_mos, 100.0);
    bound("silence<=ms", check.max_silence_ms, 1.0);
    out
}

fn shown<T>(argument: &Argument<T>, known: impl FnOnce(&T) -> String) -> String {
    match argument {
        Argument::Known(value) => known(value),
        Argument::Rendered(template) => template.to_string(),
    }
}

fn rtp_stream(d: &Draft, stream: &RtpStream<TextRef>) -> String {
    match stream {
        RtpStream::File {
            file,
            loops,
            payload: form,
        } => {
            let loops = match loops {
                Loops::Times(times) => format!("{times} times"),
                Loops::Endless => "endless".to_owned(),
            };
            format!("{} {loops}{}", quoted(d, *file), payload(*form))
        }
        RtpStream::Pattern {
            stream: of,
            id,
            payload: form,
        } => format!("{} pattern {id}{}", self::stream(*of), payload(*form)),
        RtpStream::Pause(what) => format!("pause {}", paused(*what)),
        RtpStream::Resume(what) => format!("resume {}", paused(*what)),
        RtpStream::Stop => "stop".to_owned(),
        RtpStream::Echo => "echo".to_owned(),
        RtpStream::Microphone { input: None } => "microphone".to_owned(),
        RtpStream::Microphone { input: Some(input) } => {
            format!("microphone {}", quoted(d, *input))
        }
        RtpStream::Synthetic {
            sound,
            payload: form,
            packet_ms,
            duration_ms,
            channels,
        } => {
            let packet = packet_ms.map_or(String::new(), |ms| format!(" every {ms}ms"));
            let lasts = match duration_ms {
                0 => "endless".to_owned(),
                ms => format!("for {ms}ms"),
            };
            let form = payload(*form);
            let sound = match sound {
                Sound::Tone(None) => "tone".to_owned(),
                Sound::Tone(Some(hz)) => format!("tone {hz}Hz"),
                Sound::Noise => "noise".to_owned(),
                Sound::Silence => "silence".to_owned(),
            };
            format!("{sound} {lasts}{packet} channels {channels}{form}")
        }
    }
}

fn paused(what: Paused) -> &'static str {
    match what {
        Paused::All => "all",
        Paused::AudioPattern => "audio pattern",
        Paused::VideoPattern => "video pattern",
    }
}

fn stream(stream: MediaStream) -> &'static str {
    match stream {
        MediaStream::Audio => "audio",
        MediaStream::Image => "image",
        MediaStream::Video => "video",
    }
}

fn payload(payload: Option<Payload>) -> String {
    payload.map_or(String::new(), |payload| {
        format!(" payload {} {:?}", payload.number, payload.codec)
    })
}
