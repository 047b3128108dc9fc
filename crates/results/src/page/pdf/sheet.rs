// SPDX-License-Identifier: AGPL-3.0-only
//! Pages, what is drawn on them, and the file that holds them.
//!
//! Places are points from the left and from the top. Nothing is compressed and no time of day is in it: the same report is the
//! same file, and its text can be searched and copied.

use super::font::{Face, literal, width};
use std::fmt::Write as _;

/// A4.
pub(super) const WIDTH: f64 = 595.0;
const HEIGHT: f64 = 842.0;
/// Around what is on a page.
pub(super) const MARGIN: f64 = 44.0;
/// Between the margins.
pub(super) const INNER: f64 = WIDTH - 2.0 * MARGIN;
const BOTTOM: f64 = HEIGHT - 52.0;

/// Red, green and blue, each a part of one.
pub(super) type Color = [f64; 3];

pub(super) const TEXT: Color = [0.10, 0.12, 0.16];
pub(super) const DIM: Color = [0.37, 0.41, 0.47];
pub(super) const FAINT: Color = [0.64, 0.67, 0.72];
pub(super) const EDGE: Color = [0.88, 0.90, 0.92];
pub(super) const SOFT: Color = [0.94, 0.95, 0.96];
pub(super) const GOOD: Color = [0.07, 0.47, 0.29];
pub(super) const BAD: Color = [0.72, 0.13, 0.18];

/// Pages as they are filled.
pub(super) struct Sheets {
    pages: Vec<String>,
    /// Sections: their title, page, and place on it.
    marks: Vec<(String, usize, f64)>,
    /// Where the next block begins.
    pub(super) y: f64,
}

fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Sheets {
    pub(super) fn new() -> Self {
        Self {
            pages: vec![String::new()],
            marks: Vec::new(),
            y: MARGIN,
        }
    }

    /// Makes sure that so much fits below, on a new page if need be. True if there is a new one.
    pub(super) fn need(&mut self, height: f64) -> bool {
        if self.y + height <= BOTTOM || self.y <= MARGIN {
            return false;
        }
        self.pages.push(String::new());
        self.y = MARGIN;
        true
    }

    /// How much fits below.
    pub(super) fn left(&self) -> f64 {
        BOTTOM - self.y
    }

    /// A section begins here.
    pub(super) fn mark(&mut self, title: &str) {
        self.marks
            .push((title.to_owned(), self.pages.len() - 1, self.y));
    }

    fn put(&mut self, text: &str) {
        if let Some(page) = self.pages.last_mut() {
            page.push_str(text);
            page.push('\n');
        }
    }

    fn color(color: Color) -> String {
        color.map(n).join(" ")
    }

    /// A text from its left end; `y` is its ground line.
    pub(super) fn text(&mut self, at: (f64, f64), face: Face, size: f64, color: Color, text: &str) {
        if text.is_empty() {
            return;
        }
        let face = match face {
            Face::Plain => "F1",
            Face::Bold => "F2",
        };
        self.put(&format!(
            "BT {} rg /{face} {} Tf {} {} Td {} Tj ET",
            Self::color(color),
            n(size),
            n(at.0),
            n(HEIGHT - at.1),
            literal(text)
        ));
    }

    /// A text from its right end.
    pub(super) fn text_before(
        &mut self,
        at: (f64, f64),
        face: Face,
        size: f64,
        color: Color,
        text: &str,
    ) {
        let left = at.0 - width(face, size, text);
        self.text((left, at.1), face, size, color, text);
    }

    /// A text from its middle.
    pub(super) fn text_around(
        &mut self,
        at: (f64, f64),
        face: Face,
        size: f64,
        color: Color,
        text: &str,
    ) {
        let left = at.0 - width(face, size, text) / 2.0;
        self.text((left, at.1), face, size, color, text);
    }

    /// A surface: left, top, width, height.
    pub(super) fn fill(&mut self, [x, y, w, h]: [f64; 4], color: Color) {
        self.put(&format!(
            "{} rg {} {} {} {} re f",
            Self::color(color),
            n(x),
            n(HEIGHT - y - h),
            n(w),
            n(h)
        ));
    }

    /// The outline of one.
    pub(super) fn frame(&mut self, [x, y, w, h]: [f64; 4], color: Color) {
        self.put(&format!(
            "{} RG 0.75 w {} {} {} {} re S",
            Self::color(color),
            n(x),
            n(HEIGHT - y - h),
            n(w),
            n(h)
        ));
    }

    /// Lines from point to point.
    pub(super) fn line(&mut self, points: &[(f64, f64)], thick: f64, dashed: bool, color: Color) {
        let mut path = format!("{} RG {} w 1 j ", Self::color(color), n(thick));
        path.push_str(if dashed {
            "0 J [3 2.4] 0 d "
        } else {
            "1 J [] 0 d "
        });
        for (place, (x, y)) in points.iter().enumerate() {
            let operator = if place == 0 { 'm' } else { 'l' };
            let _ = write!(path, "{} {} {operator} ", n(*x), n(HEIGHT - y));
        }
        if let [(x, y)] = points {
            let _ = write!(path, "{} {} l ", n(*x), n(HEIGHT - y));
        }
        path.push('S');
        self.put(&path);
    }

    /// A surface between points.
    pub(super) fn polygon(&mut self, points: &[(f64, f64)], color: Color) {
        let mut path = format!("{} rg ", Self::color(color));
        for (place, (x, y)) in points.iter().enumerate() {
            let operator = if place == 0 { 'm' } else { 'l' };
            let _ = write!(path, "{} {} {operator} ", n(*x), n(HEIGHT - y));
        }
        path.push_str("h f");
        self.put(&path);
    }

    /// The file.
    pub(super) fn file(mut self, title: &str, footer: &str) -> Vec<u8> {
        let pages = self.pages.len();
        for page in 0..pages {
            let mut sheet = Self::new();
            let y = HEIGHT - 28.0;
            sheet.text((MARGIN, y), Face::Plain, 7.0, FAINT, footer);
            let number = format!("{} / {pages}", page + 1);
            sheet.text_before((WIDTH - MARGIN, y), Face::Plain, 7.0, FAINT, &number);
            self.pages[page].push_str(&sheet.pages[0]);
        }
        let mut file = File::default();
        // Objects that others name: catalogue, pages, two fonts, information, outlines.
        const CATALOG: usize = 1;
        const PAGES: usize = 2;
        const INFO: usize = 5;
        const OUTLINES: usize = 6;
        const FIRST: usize = 7;
        let page_at = |page: usize| FIRST + 2 * page;
        let mark_at = |mark: usize| FIRST + 2 * pages + mark;
        let outlines = if self.marks.is_empty() {
            String::new()
        } else {
            format!(" /Outlines {OUTLINES} 0 R")
        };
        file.object(&format!(
            "<< /Type /Catalog /Pages {PAGES} 0 R{outlines} /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>"
        ));
        let kids: Vec<_> = (0..pages)
            .map(|page| format!("{} 0 R", page_at(page)))
            .collect();
        file.object(&format!(
            "<< /Type /Pages /Count {pages} /Kids [{}] >>",
            kids.join(" ")
        ));
        for name in ["Helvetica", "Helvetica-Bold"] {
            file.object(&format!(
                "<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>"
            ));
        }
        file.object(&format!(
            "<< /Title {} /Producer (gossipper) >>",
            utf16(title)
        ));
        file.object(&match self.marks.len() {
            0 => "<< /Type /Outlines /Count 0 >>".to_owned(),
            count => format!(
                "<< /Type /Outlines /First {} 0 R /Last {} 0 R /Count {count} >>",
                mark_at(0),
                mark_at(count - 1)
            ),
        });
        for (page, content) in self.pages.iter().enumerate() {
            file.object(&format!(
                "<< /Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {} {}] /Contents {} 0 R \
                 /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>",
                n(WIDTH),
                n(HEIGHT),
                page_at(page) + 1
            ));
            file.object(&format!(
                "<< /Length {} >>\nstream\n{content}endstream",
                content.len()
            ));
        }
        for (mark, (title, page, y)) in self.marks.iter().enumerate() {
            let mut near = String::new();
            if mark > 0 {
                let _ = write!(near, " /Prev {} 0 R", mark_at(mark - 1));
            }
            if mark + 1 < self.marks.len() {
                let _ = write!(near, " /Next {} 0 R", mark_at(mark + 1));
            }
            file.object(&format!(
                "<< /Title {} /Parent {OUTLINES} 0 R{near} /Dest [{} 0 R /XYZ 0 {} null] >>",
                utf16(title),
                page_at(*page),
                n(HEIGHT - y)
            ));
        }
        file.end(CATALOG, INFO)
    }
}

/// A text outside of pages, which may have any letters.
fn utf16(text: &str) -> String {
    let mut out = String::from("<FEFF");
    for unit in super::super::printable(text).encode_utf16() {
        let _ = write!(out, "{unit:04X}");
    }
    out.push('>');
    out
}

/// Objects one after the other, and where each begins.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    begins: Vec<usize>,
}

impl File {
    fn object(&mut self, body: &str) {
        if self.bytes.is_empty() {
            // Bytes beyond ASCII tell those who transfer it that it is no text.
            self.bytes
                .extend_from_slice(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n");
        }
        self.begins.push(self.bytes.len());
        let number = self.begins.len();
        self.bytes
            .extend_from_slice(format!("{number} 0 obj\n{body}\nendobj\n").as_bytes());
    }

    fn end(mut self, root: usize, info: usize) -> Vec<u8> {
        let table = self.bytes.len();
        let size = self.begins.len() + 1;
        let mut text = format!("xref\n0 {size}\n0000000000 65535 f \n");
        for begins in &self.begins {
            let _ = writeln!(text, "{begins:010} 00000 n ");
        }
        let _ = write!(
            text,
            "trailer\n<< /Size {size} /Root {root} 0 R /Info {info} 0 R >>\nstartxref\n{table}\n%%EOF\n"
        );
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes
    }
}
