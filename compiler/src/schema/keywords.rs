// SPDX-License-Identifier: AGPL-3.0-only
//! The keywords of message texts, for lookup, suggestions and the reference.

/// One keyword, without its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// Its name, or what its text begins with.
    pub name: &'static str,
    /// Whether any text may follow (`fieldN`, `last_Via:`).
    pub prefix: bool,
    /// Whether an offset such as `+1` changes its value.
    pub offset: bool,
    /// SIPp does not know it, and takes a `-key` of that name; so do we.
    pub own: bool,
    /// The feature of a later version that it belongs to.
    pub later: Option<&'static str>,
    /// One sentence for the reference.
    pub doc: &'static str,
}

const fn k(name: &'static str, doc: &'static str) -> Keyword {
    Keyword {
        name,
        prefix: false,
        offset: false,
        own: false,
        later: None,
        doc,
    }
}

impl Keyword {
    const fn offset(mut self) -> Self {
        self.offset = true;
        self
    }

    const fn prefix(mut self) -> Self {
        self.prefix = true;
        self
    }

    const fn own(mut self) -> Self {
        self.own = true;
        self
    }

    const fn later(mut self, feature: &'static str) -> Self {
        self.later = Some(feature);
        self
    }
}

const WEBRTC: &str = "DTLS and ICE, for media of WebRTC";

/// Every keyword. Those that are a `prefix` are tried after the exact ones, in this order.
pub const KEYWORDS: &[Keyword] = &[
    k("service", "The service name of `-s`."),
    k("remote_ip", "Address of the remote host, IPv6 in brackets."),
    k("remote_host", "The remote host as typed."),
    k("remote_port", "Port of the remote host.").offset(),
    k("local_ip", "Local address, IPv6 in brackets."),
    k("local_ip_type", "`4` or `6`."),
    k("local_port", "Local port.").offset(),
    k(
        "server_ip",
        "Local address of the call's socket, without brackets.",
    ),
    k("transport", "`UDP`, `TCP`, `TLS` or `SCTP`."),
    k("sip_transport", "The same as `transport`."),
    k(
        "trunk_from",
        "From of a trunk: the value of `-sip_from`, or an address of our own.",
    ),
    k(
        "trunk_pai",
        "`P-Asserted-Identity` with `-sip_pai`, as a whole line; nothing without.",
    ),
    k(
        "trunk_provider",
        "`X-provider` with `-sip_provider`, as a whole line; nothing without.",
    ),
    k(
        "trunk_extra",
        "The headers of `-sip_extra_header`, as whole lines; nothing without.",
    ),
    k("media_ip", "Media address, without brackets."),
    k("media_ip_type", "`4` or `6`."),
    k("media_port", "Media port.").offset(),
    k("auto_media_port", "Media port, another one for each call.").offset(),
    k("rtpstream_audio_port", "Port of the call's audio stream.").offset(),
    k("rtpstream_video_port", "Port of the call's video stream.").offset(),
    k("call_number", "Number of the call, from 1."),
    k("call_id", "The call's Call-ID."),
    k("cseq", "The call's CSeq number.").offset(),
    k("branch", "Branch of the current step.").offset(),
    k("msg_index", "Index of the step being sent."),
    k("pid", "Process id."),
    k("len", "Length of the body, in five columns.").offset(),
    k("peer_tag_param", "`;tag=` and the tag of the peer."),
    k("next_url", "Remote target stored by `rrs`."),
    k(
        "routes",
        "Route header of the stored route set; the line disappears when there is none.",
    ),
    k(
        "last_Request_URI",
        "URI in the To header of the last message.",
    ),
    k("last_cseq_number", "CSeq number of the last message.").offset(),
    k("last_message", "The last message, whole."),
    k("users", "Number of users."),
    k("userid", "This call's user."),
    k("timestamp", "Local time."),
    k("date", "Date and time for a `Date:` header."),
    k("clock_tick", "Milliseconds since the start."),
    k("dynamic_id", "A number that each use advances."),
    k(
        "sipp_version",
        "The version of SIPp that is followed, such as `3.7.7`; `Gossipper` in its own dialect.",
    ),
    k(
        "audio_pt",
        "Payload type of the answer to the last description that came: the first of G722, PCMA, opus and PCMU in it, \
         else PCMU.",
    ).own(),
    k("audio_codec", "Its codec with the clock, as `rtp_stream` takes it: `PCMA/8000`.").own(),
    k("audio_rtpmap", "Its line `a=rtpmap:…`, whole.").own(),
    k(
        "audio_fmtp",
        "Its line `a=fmtp:…`, whole; the line disappears when it has none.",
    ).own(),
    k(
        "audio_sdp",
        "All lines of its audio, telephone events included: `m=audio` with the port of the call's audio stream, \
         `a=rtpmap`, `a=fmtp`; in responses and ACKs with the direction that answers a hold.",
    )
    .offset().own(),
    k("media_transport", "The transport in small letters.").own(),
    k("contact_transport", "The transport, for a Contact.").own(),
    k("ice_ufrag", "ICE user fragment of the call.").own(),
    k("ice_pwd", "ICE password of the call.").own(),
    k("webrtc_offer", "SDP offer of the WebRTC bridge.").later(WEBRTC),
    k("webrtc_answer", "SDP answer of the WebRTC bridge.").later(WEBRTC),
    k("dtmf_digits", "Value of the variable `dtmf_digits`, unless a `-key` has that name.").own(),
    k("tdmmap", "Circuit of this call (`-tdmmap`)."),
    k("field", "A field of an injection file.").prefix(),
    k("file", "Content of a file; its path (`name`) may hold keywords.").prefix(),
    k("$", "Value of a variable.").prefix(),
    k("fill", "A text repeated to a length.").prefix(),
    k("last_", "A header of the last message, name included.").prefix(),
    k(
        "authentication",
        "Answer to the stored challenge, a whole header: `username=`, `password=`, `aka_K=`, `aka_OP=`, `aka_AMF=`, \
         `all=true`.",
    )
    .prefix(),
    k(
        "cryptotag",
        "Tag of a crypto line of SDP: followed by `1` or `2` and `audio` or `video`, as in `[cryptotag1audio]`.",
    )
    .prefix(),
    k(
        "cryptosuite",
        "Its suite, as in `[cryptosuiteaescm128sha1801audio]`: `aescm128sha1` or `nullsha1`, `80` or `32`, the line.",
    )
    .prefix(),
    k(
        "cryptokeyparams",
        "Its key, new each time; `[cryptokeyparams1audio-1]` is the one before again.",
    )
    .prefix()
    .offset(),
    k(
        "ue",
        "Its session parameter `UNENCRYPTED_SRTP`, as in `[ueaescm128sha1801audio]`.",
    )
    .prefix(),
];
