// SPDX-License-Identifier: AGPL-3.0-only
//! The two fonts of the PDF: Helvetica and its bold face, which every reader has or has the like of.
//!
//! They need no embedding and know the letters of Western Europe (Windows-1252); any other letter is a question mark.
//! Widths are those of the font's published metrics, in thousandths of the size.

/// A face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// Helvetica.
    Plain,
    /// Helvetica-Bold.
    Bold,
}

/// Widths from the space to the tilde.
const PLAIN: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
];

/// The letter's place in Windows-1252.
fn byte(c: char) -> u8 {
    match c {
        ' '..='~' => c as u8,
        '\u{a0}'..='\u{ff}' => c as u8,
        // There is no minus sign; the dash of a figure's width is what it looks like.
        '–' | '−' => 0x96,
        '—' => 0x97,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '…' => 0x85,
        '€' => 0x80,
        '‚' => 0x82,
        '„' => 0x84,
        '†' => 0x86,
        '‰' => 0x89,
        'Š' => 0x8a,
        '‹' => 0x8b,
        'Œ' => 0x8c,
        'Ž' => 0x8e,
        '™' => 0x99,
        'š' => 0x9a,
        '›' => 0x9b,
        'œ' => 0x9c,
        'ž' => 0x9e,
        'Ÿ' => 0x9f,
        _ => b'?',
    }
}

fn width_of(face: Face, byte: u8) -> u16 {
    let widths = match face {
        Face::Plain => &PLAIN,
        Face::Bold => &BOLD,
    };
    match byte {
        32..=126 => widths[usize::from(byte) - 32],
        0xa0 | 0xb7 => 278,
        0x85 | 0x89 | 0x97 | 0x99 | 0x8c | 0xc6 => 1000,
        0x91 | 0x92 | 0x82 => 222,
        // Letters with accents are about as wide as the widest without; a little too much is better than overlap.
        0xc0..=0xdf => 722,
        0xe0..=0xff => 611,
        _ => 556,
    }
}

/// How wide a text is, in points.
pub(super) fn width(face: Face, size: f64, text: &str) -> f64 {
    let thousandths: u64 = text
        .chars()
        .map(|c| u64::from(width_of(face, byte(c))))
        .sum();
    thousandths as f64 * size / 1000.0
}

/// A text as the operand of an operator that shows it.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('(');
    for c in super::super::printable(text).chars() {
        match byte(c) {
            b @ (b'(' | b')' | b'\\') => {
                out.push('\\');
                out.push(char::from(b));
            }
            b @ 32..=126 => out.push(char::from(b)),
            // The file stays text for whoever looks into it.
            b => out.push_str(&format!("\\{b:03o}")),
        }
    }
    out.push(')');
    out
}

/// As much of a text as fits, with dots where something is left out.
pub(super) fn cut(face: Face, size: f64, text: &str, most: f64) -> String {
    if width(face, size, text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(face, size, &kept) + size > most {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// A text as lines that fit, broken between words where there are any.
pub(super) fn wrapped(face: Face, size: f64, text: &str, most: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let longer = if line.is_empty() {
            word.to_owned()
        } else {
            format!("{line} {word}")
        };
        if width(face, size, &longer) <= most {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        // A word that is longer than a line is broken where the line ends.
        let mut used = 0.0;
        for c in word.chars() {
            let more = f64::from(width_of(face, byte(c))) * size / 1000.0;
            if used + more > most && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(c);
            used += more;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let text = "A sentence with averyveryveryverylongwordinit and the rest of it";
        let lines = wrapped(Face::Plain, 10.0, text, 80.0);
        assert!(lines.len() > 3);
        for line in &lines {
            assert!(width(Face::Plain, 10.0, line) <= 80.0, "{line}");
        }
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        // Narrower than any letter: one letter per line, and an end.
        assert_eq!(wrapped(Face::Bold, 10.0, "abc", 0.1), ["a", "b", "c"]);
    }

    #[test]
    fn what_ends_a_literal_is_escaped() {
        assert_eq!(
            literal("a(b)\\c\u{b5}–\u{4e2d}\n"),
            "(a\\(b\\)\\\\c\\265\\226?\\267)"
        );
    }

    #[test]
    fn what_is_cut_fits() {
        let short = cut(Face::Plain, 8.0, "INVITE sip:somebody@example.org", 60.0);
        assert!(
            width(Face::Plain, 8.0, &short) <= 60.0 && short.ends_with('…'),
            "{short}"
        );
        assert_eq!(cut(Face::Plain, 8.0, "ACK", 60.0), "ACK");
    }
}
