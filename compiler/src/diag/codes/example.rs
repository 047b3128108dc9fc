// SPDX-License-Identifier: AGPL-3.0-only
//! The examples of a code: scenarios small enough to be read, large enough to be compiled.
//!
//! In the bad one `«` and `»` enclose the place that the finding points to. In both a line `...` stands for those
//! headers of a message that are not written and have nothing to do with the fault; what is printed keeps the dots, what
//! is compiled has the headers.

use super::Code;
use core::ops::Range;

/// A scenario that has the fault and one that has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    marked: &'static str,
    good: &'static str,
    also: &'static [Code],
}

/// The bad scenario of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its text, without marks.
    pub text: String,
    /// The place that is marked, in bytes.
    pub place: Option<Range<usize>>,
}

const OPEN: char = '«';
const CLOSE: char = '»';

/// The line that stands for headers.
const DOTS: &str = "...";

impl Example {
    pub(super) const fn new(
        marked: &'static str,
        good: &'static str,
        also: &'static [Code],
    ) -> Self {
        Self { marked, good, also }
    }

    /// What the bad scenario has besides its own fault, since it is short.
    pub fn also(&self) -> &'static [Code] {
        self.also
    }

    /// The bad scenario as it is printed.
    pub fn bad_as_printed(&self) -> Bad {
        unmarked(self.marked)
    }

    /// The bad scenario as it is compiled.
    pub fn bad(&self) -> Bad {
        unmarked(&expanded(self.marked))
    }

    /// The good scenario as it is printed.
    pub fn good_as_printed(&self) -> &'static str {
        self.good
    }

    /// The good scenario as it is compiled.
    pub fn good(&self) -> String {
        expanded(self.good)
    }

    /// Whether dots stand for headers in one of the two.
    pub fn is_shortened(&self) -> bool {
        let has = |text: &str| text.lines().any(|line| line == DOTS);
        has(self.marked) || has(self.good)
    }
}

fn unmarked(marked: &str) -> Bad {
    let place = marked.find(OPEN).and_then(|open| {
        let close = marked.find(CLOSE)?;
        Some(open..close - OPEN.len_utf8())
    });
    Bad {
        text: marked.replace([OPEN, CLOSE], ""),
        place,
    }
}

/// Headers of a request, by name.
const OF_REQUEST: [&str; 7] = [
    "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
    "From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]tag[call_number]",
    "To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]",
    "Call-ID: [call_id]",
    "CSeq: [cseq] METHOD",
    "Contact: <sip:[local_ip]:[local_port];transport=[transport]>",
    "Max-Forwards: 70",
];

/// Headers of a response, by name.
const OF_RESPONSE: [&str; 5] = [
    "[last_Via:]",
    "[last_From:]",
    "[last_To:];tag=[pid]tag[call_number]",
    "[last_Call-ID:]",
    "[last_CSeq:]",
];

/// Name of a header line, typed or repeated.
fn name(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(OPEN);
    let line = line.strip_prefix("[last_").unwrap_or(line);
    line.split_once(':').map(|(name, _)| name)
}

/// The text with headers in the place of the dots.
fn expanded(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        if *line != DOTS {
            out.push((*line).to_owned());
            continue;
        }
        let start = lines[..index]
            .iter()
            .rposition(|line| line.contains("SIP/2.0") && name(line) != Some("Via"))
            .unwrap_or(0);
        let end = lines[index..]
            .iter()
            .position(|line| line.is_empty())
            .map_or(lines.len(), |at| index + at);
        let written = &lines[start + 1..end];
        let first = lines[start].trim_start_matches(OPEN);
        let method = first.split(' ').next().unwrap_or_default();
        let headers: &[&str] = if method == "SIP/2.0" {
            &OF_RESPONSE
        } else {
            &OF_REQUEST
        };
        let absent = headers.iter().filter(|header| {
            !written
                .iter()
                .any(|line| *line != DOTS && name(line) == name(header))
        });
        out.extend(absent.map(|header| header.replace("METHOD", method)));
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_a_place_and_dots_are_the_headers_that_are_not_written() {
        let example = Example::new(
            "<a>\nBYE sip:a SIP/2.0\nTo: «x»\n...\n\n</a>",
            "SIP/2.0 200 OK\n[last_To:]\n...\n\n",
            &[],
        );
        let bad = example.bad();
        let place = bad.place.expect("marked");
        assert_eq!(&bad.text[place], "x");
        assert_eq!(bad.text.matches("To: ").count(), 1);
        assert!(bad.text.contains("CSeq: [cseq] BYE\n"));
        assert!(!bad.text.contains(DOTS) && example.is_shortened());
        let good = example.good();
        assert_eq!(good.matches("[last_To:]").count(), 1);
        assert!(good.contains("[last_Via:]\n"));
        assert!(example.bad_as_printed().text.contains(DOTS));
    }
}
