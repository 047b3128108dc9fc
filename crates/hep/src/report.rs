// SPDX-License-Identifier: AGPL-3.0-only
//! Reports about media as JSON: what travels in packets of [`PayloadType::RTCP`](crate::PayloadType::RTCP),
//! [`RTP_QUALITY`](crate::PayloadType::RTP_QUALITY), [`RTCP_QUALITY`](crate::PayloadType::RTCP_QUALITY) and, for digits,
//! [`LOG`](crate::PayloadType::LOG).
//!
//! Two families: [`Rtcp`] is RTCP in the words that Homer's own agents have for it; the others are short reports with keys
//! in capitals, flat, with everything that a table of calls shows. Keys are a promise; what a value means stands at its
//! field.

use serde::{Serialize, Serializer};
use std::net::{IpAddr, SocketAddr};

/// The JSON of a report.
#[must_use]
pub fn to_json(report: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    // Numbers, texts and lists of them, into memory: nothing of that can fail.
    let written = serde_json::to_writer(&mut json, report);
    debug_assert!(written.is_ok());
    json
}

/// RTCP as Homer has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rtcp {
    /// What we sent; without it we have sent nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_information: Option<SenderInformation>,
    /// Our source.
    pub ssrc: u32,
    /// 200 of one who sends, 201 of one who only receives.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Blocks.
    pub report_count: usize,
    /// What we received.
    pub report_blocks: Vec<ReportBlock>,
}

/// What a sender says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SenderInformation {
    /// Packets sent.
    pub packets: u32,
    /// Seconds since 1900.
    #[serde(serialize_with = "as_text")]
    pub ntp_timestamp_sec: u32,
    /// The fraction of a second, in 2^-32 s.
    #[serde(serialize_with = "as_text")]
    pub ntp_timestamp_usec: u32,
    /// The same moment in timestamps of the stream.
    pub rtp_timestamp: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

/// What a receiver says of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportBlock {
    /// The source.
    pub source_ssrc: u32,
    /// Lost since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning.
    pub packets_lost: i32,
    /// Highest sequence number, with its cycles above.
    pub highest_seq_no: u32,
    /// The middle of the time in the last sender report that came.
    pub lsr: u32,
    /// Jitter in timestamps.
    pub ia_jitter: u32,
    /// Since that report, in 1/65536 s.
    pub dlsr: u32,
}

/// When a report is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Occasion {
    /// Time has passed.
    Periodic,
    /// The call ends.
    Hangup,
    /// The call has ended: its sums.
    Final,
}

/// Whose packets a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer's, as they came here.
    Received,
    /// Ours, as the peer says they came there.
    Sent,
}

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(match self {
            Self::Received => 0,
            Self::Sent => 1,
        })
    }
}

/// A source, as these reports write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ssrc(pub u32);

impl Serialize for Ssrc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("0x{:08x}", self.0))
    }
}

/// The call, and the way of the packets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Path<'a> {
    /// The Call-ID.
    pub correlation_id: &'a str,
    /// The Call-ID.
    pub rtp_sip_call_id: &'a str,
    /// Who sends.
    pub src_ip: IpAddr,
    /// From which port.
    pub src_port: u16,
    /// Who receives.
    pub dst_ip: IpAddr,
    /// At which port.
    pub dst_port: u16,
    /// The sender, as `address-port`.
    pub report_name: String,
    /// 0 is the peer, 1 is us.
    pub party: u8,
    /// 0 of what was received, 1 of what was sent.
    pub dir: Direction,
}

impl<'a> Path<'a> {
    /// From the one to the other.
    #[must_use]
    pub fn new(call_id: &'a str, dir: Direction, source: SocketAddr, to: SocketAddr) -> Self {
        Self {
            correlation_id: call_id,
            rtp_sip_call_id: call_id,
            src_ip: source.ip(),
            src_port: source.port(),
            dst_ip: to.ip(),
            dst_port: to.port(),
            report_name: format!("{}-{}", source.ip(), source.port()),
            party: match dir {
                Direction::Received => 0,
                Direction::Sent => 1,
            },
            dir,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct CodecOf<'a> {
    /// Payload type.
    pub codec_pt: u8,
    /// Timestamps per second.
    pub clock: u32,
    /// Name.
    pub codec_name: &'a str,
}

/// A score and what it was made of: the lowest, the mean and the highest so far, and the last.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Score {
    /// The mean opinion score of all that came so far.
    pub mos: f64,
    /// The lowest of all reports of the stream.
    pub min_mos: f64,
    /// Their mean.
    pub mean_mos: f64,
    /// The highest.
    pub max_mos: f64,
    /// The R-factor.
    pub rfactor: f64,
    /// The lowest of all reports.
    pub min_rfactor: f64,
    /// Their mean.
    pub mean_rfactor: f64,
}

/// About RTP, while a call lasts and when it ends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Rtp<'a> {
    /// Whose packets.
    #[serde(flatten)]
    pub path: Path<'a>,
    /// When, in µs since 1970.
    pub report_ts: u64,
    /// When the stream began, in µs since 1970.
    pub report_start: u64,
    /// Up to when the report is, in µs since 1970.
    pub report_end: u64,
    /// Packets.
    pub total_pk: u64,
    /// Packets that there should have been.
    pub expected_pk: u64,
    /// Packets lost.
    pub packet_loss: u64,
    /// Bytes of payload.
    pub tl_byte: u64,
    /// The highest sequence number, without its cycles.
    pub seq: u16,
    /// The mean time between two packets, in ms.
    pub delta: f64,
    /// The longest time between two packets, in ms.
    pub max_delta: f64,
    /// Jitter in ms, as of the last packet.
    pub jitter: f64,
    /// Its mean.
    pub mean_jitter: f64,
    /// The highest.
    pub max_jitter: f64,
    /// How far packets have drifted from their timestamps, in ms.
    pub skew: f64,
    /// The farthest.
    pub max_skew: f64,
    /// How it sounds; left out where the E-model does not know the codec.
    #[serde(flatten)]
    pub score: Option<Score>,
    /// Packets that came after a later one.
    pub out_order: u64,
    /// The source.
    pub ssrc: Ssrc,
    /// How often there was another source.
    pub ssrc_chg: u32,
    /// What is sent.
    #[serde(flatten)]
    pub codec: CodecOf<'a>,
    /// Channels.
    pub codec_channel: u8,
    /// 1 if packets go this way alone.
    pub one_way_rtp: u8,
    /// Who reports.
    pub stype: &'a str,
    /// Why.
    #[serde(rename = "TYPE")]
    pub occasion: Occasion,
}

/// What a peer reported of our packets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct RtcpQuality<'a> {
    /// Our packets.
    #[serde(flatten)]
    pub path: Path<'a>,
    /// When, in ms since 1970.
    pub report_ts: u64,
    /// The mean opinion score of what the peer hears; left out where the E-model does not know the codec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mos: Option<f64>,
    /// The R-factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rfactor: Option<f64>,
    /// Our source.
    pub ssrc: Ssrc,
    /// Lost since the beginning.
    pub cum_packet_loss: i32,
    /// Mean of the shares lost from report to report, in percent.
    pub mean_packet_loss: f64,
    /// What is sent.
    #[serde(flatten)]
    pub codec: CodecOf<'a>,
    /// Who reports.
    pub source: &'a str,
    /// Why.
    #[serde(rename = "TYPE")]
    pub occasion: Occasion,
}

/// The sums of a direction of a stream, when its call has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Totals<'a> {
    /// Whose packets.
    #[serde(flatten)]
    pub path: Path<'a>,
    /// When, in µs since 1970.
    pub report_ts: u64,
    /// Bytes of payload.
    pub total_bytes: u64,
    /// Packets.
    pub total_packets: u64,
    /// Packets that there should have been.
    pub total_expected_pk: u64,
    /// Packets lost.
    pub total_packet_loss: u64,
    /// The longest time between two packets, in ms.
    pub max_delta: f64,
    /// The farthest drift, in ms.
    pub max_skew: f64,
    /// Mean jitter in ms.
    pub mean_jitter: f64,
    /// Highest jitter in ms.
    pub max_jitter: f64,
    /// How it sounded; left out where the E-model does not know the codec.
    #[serde(flatten)]
    pub score: Option<Score>,
    /// 1 if packets went this way alone.
    pub one_way_rtp: u8,
    /// Channels.
    pub codec_ch: u8,
    /// Channels.
    pub codec_channel: u8,
    /// What was sent.
    #[serde(flatten)]
    pub codec: CodecOf<'a>,
    /// The source.
    pub ssrc: Ssrc,
    /// Who reports.
    pub stype: &'a str,
    /// [`Occasion::Final`].
    #[serde(rename = "TYPE")]
    pub occasion: Occasion,
}

/// Digits of a direction of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Dtmf<'a> {
    /// Whose digits.
    #[serde(flatten)]
    pub path: Path<'a>,
    /// When, in µs since 1970.
    pub report_ts: u64,
    /// [`digit_group`]s, one after the other.
    pub dtmf: &'a str,
    /// Payload type.
    pub codec_pt: u8,
    /// `telephone-event`.
    pub codec_name: &'a str,
    /// Who reports.
    pub stype: &'a str,
    /// Why.
    #[serde(rename = "TYPE")]
    pub occasion: Occasion,
}

/// A digit, as [`Dtmf::dtmf`] lists them: seconds and microseconds of its end, its event, volume, duration in timestamps,
/// and its number on the stream, from 1.
#[must_use]
pub fn digit_group(at_us: u64, event: u8, volume: u8, duration: u32, number: u32) -> String {
    format!(
        "ts:{},tsu:{},e:{event},v:{volume},d:{duration},c:{number};",
        at_us / 1_000_000,
        at_us % 1_000_000
    )
}

fn as_text<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(report: &impl Serialize) -> String {
        String::from_utf8(to_json(report)).expect("text")
    }

    #[test]
    fn rtcp_has_the_words_of_homer() {
        let report = Rtcp {
            sender_information: Some(SenderInformation {
                packets: 50,
                ntp_timestamp_sec: 3_900_000_000,
                ntp_timestamp_usec: 7,
                rtp_timestamp: 8000,
                octets: 8000,
            }),
            ssrc: 4_000_000_000,
            kind: 200,
            report_count: 1,
            report_blocks: vec![ReportBlock {
                source_ssrc: 9,
                fraction_lost: 3,
                packets_lost: -1,
                highest_seq_no: 65_540,
                lsr: 1,
                ia_jitter: 12,
                dlsr: 2,
            }],
        };
        assert_eq!(
            shown(&report),
            r#"{"sender_information":{"packets":50,"ntp_timestamp_sec":"3900000000","ntp_timestamp_usec":"7","rtp_timestamp":8000,"octets":8000},"ssrc":4000000000,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":9,"fraction_lost":3,"packets_lost":-1,"highest_seq_no":65540,"lsr":1,"ia_jitter":12,"dlsr":2}]}"#
        );
        let silent = Rtcp {
            sender_information: None,
            kind: 201,
            report_count: 0,
            report_blocks: Vec::new(),
            ..report
        };
        assert_eq!(
            shown(&silent),
            r#"{"ssrc":4000000000,"type":201,"report_count":0,"report_blocks":[]}"#
        );
    }

    #[test]
    fn digits_are_a_list_of_groups_and_a_call_id_is_a_text_whatever_is_in_it() {
        let groups = digit_group(1_769_854_272_000_007, 5, 10, 800, 1)
            + &digit_group(1_769_854_273_100_000, 11, 10, 800, 2);
        let report = Dtmf {
            path: Path::new(
                "a\"b\\c\n",
                Direction::Received,
                "192.0.2.1:4000".parse().expect("an address"),
                "[2001:db8::1]:6000".parse().expect("an address"),
            ),
            report_ts: 8,
            dtmf: &groups,
            codec_pt: 101,
            codec_name: "telephone-event",
            stype: "GOSSIPPER-DTMF",
            occasion: Occasion::Hangup,
        };
        let read: serde_json::Value = serde_json::from_slice(&to_json(&report)).expect("JSON");
        assert_eq!(read["CORRELATION_ID"], "a\"b\\c\n");
        assert_eq!(
            read["DTMF"],
            "ts:1769854272,tsu:7,e:5,v:10,d:800,c:1;ts:1769854273,tsu:100000,e:11,v:10,d:800,c:2;"
        );
        assert_eq!(read["SRC_IP"], "192.0.2.1");
        assert_eq!(read["DST_IP"], "2001:db8::1");
        assert_eq!(read["REPORT_NAME"], "192.0.2.1-4000");
        assert_eq!((&read["DIR"], &read["PARTY"]), (&0.into(), &0.into()));
        assert_eq!(read["TYPE"], "HANGUP");
    }
}
