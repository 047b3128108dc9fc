// SPDX-License-Identifier: AGPL-3.0-only
//! Every message of RFC 4475 and RFC 5118, whole, cut in half and doubled, through parser and framer.
//!
//! The messages are not part of this repository. `GOSSIPPER_CORPUS` names the folder that holds `torture/`; without it
//! `../shared/corpus` beside the workspace is tried. Where neither exists the tests say so and pass.

use std::fs;
use std::path::PathBuf;

use gossipper_sip::{HeaderName, Message, ParseError, StreamFramer};

#[expect(clippy::print_stderr, reason = "a skipped test has to be seen")]
#[expect(
    clippy::disallowed_methods,
    reason = "the messages are files outside the repository"
)]
fn messages() -> Vec<(String, Vec<u8>)> {
    let corpus = std::env::var_os("GOSSIPPER_CORPUS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let mut found = Vec::new();
    for folder in ["rfc4475", "rfc5118"] {
        let folder = corpus.join("torture").join(folder);
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!(
                "SKIPPED: no torture messages in {}; set GOSSIPPER_CORPUS",
                folder.display()
            );
            return Vec::new();
        };
        for entry in entries {
            let path = entry.expect("readable folder").path();
            if path.extension().is_some_and(|extension| extension == "dat") {
                let name = path
                    .file_stem()
                    .expect("a file")
                    .to_string_lossy()
                    .into_owned();
                found.push((name, fs::read(&path).expect("readable file")));
            }
        }
    }
    assert_eq!(
        found.len(),
        61,
        "49 messages of RFC 4475 and 12 of RFC 5118"
    );
    found.sort();
    found
}

fn exercise(bytes: &[u8]) -> Result<(), ParseError> {
    let message = Message::parse(bytes)?;
    for field in message.fields() {
        let mut out = Vec::new();
        message.append_values(field.raw_name, &mut out);
        for item in gossipper_sip::split_header_list(field.value) {
            let name_addr = gossipper_sip::NameAddr::parse(item);
            let target = gossipper_sip::angle_or_whole(item);
            gossipper_sip::SipUri::parse(target);
            name_addr.param(b"tag");
        }
    }
    let _views = (
        message.top_via_branch(),
        message.to_tag(),
        message.from_tag(),
        message.cseq(),
        message.body(),
    );
    Ok(())
}

#[test]
fn whole_halved_and_doubled_messages_are_read_or_refused() {
    for (name, bytes) in messages() {
        // These two say SIP/7.0 and a code of ten digits; everything else has something to read in it.
        let expected = match name.as_str() {
            "badvers" => Err(ParseError::NoSipVersion),
            "bigcode" => Err(ParseError::NoStartLine),
            _ => Ok(()),
        };
        assert_eq!(exercise(&bytes), expected, "{name}");
        assert_eq!(
            exercise(&[&bytes[..], &bytes].concat()),
            expected,
            "{name} doubled"
        );
        for end in 0..bytes.len() {
            // A part may be anything; it must only be handled.
            let _ = exercise(&bytes[..end]);
        }
        let _ = exercise(&bytes[bytes.len() / 2..]);
    }
}

#[test]
fn readable_messages_keep_their_dialog_identifiers() {
    let messages = messages();
    let find = |name: &str| {
        messages
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, bytes)| {
                Message::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
            })
    };
    let Some(torture) = find("wsinv") else {
        return;
    };
    assert_eq!(torture.to_tag(), Some(&b"1918181833n"[..]));
    assert_eq!(torture.from_tag(), Some(&b"98asjd8"[..]));
    assert_eq!(torture.top_via_branch(), Some(&b"390skdjuw"[..]));
    let cseq = torture.cseq().expect("wsinv has a CSeq");
    assert_eq!((cseq.number, cseq.method), (9, &b"INVITE"[..]));
    let vias: usize = torture
        .values(HeaderName::Via)
        .map(|line| gossipper_sip::split_header_list(line).count())
        .sum();
    assert_eq!(vias, 3);
    assert_eq!(torture.header(HeaderName::MaxForwards), Some(&b"0068"[..]));
    let quoted = find("quotbal").expect("part of RFC 4475");
    assert_eq!(quoted.from_tag(), Some(&b"93334"[..]));
    let huge = find("scalar02").expect("part of RFC 4475");
    assert_eq!(huge.cseq(), None);
    let long = find("longreq").expect("part of RFC 4475");
    assert!(long.call_id().is_some_and(|id| id.len() > 100));
}

#[test]
fn the_framer_survives_every_message_in_pieces() {
    for (name, bytes) in messages() {
        let mut framer = StreamFramer::new(65_536);
        let mut framed = Vec::new();
        'stream: for piece in bytes.chunks(7).chain(bytes.chunks(64)) {
            framer.push(piece);
            loop {
                match framer.next_message() {
                    Ok(Some(message)) => framed.extend_from_slice(message),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
        assert!(
            framed.len() + framer.pending_bytes() <= 2 * bytes.len(),
            "{name}"
        );
    }
}
