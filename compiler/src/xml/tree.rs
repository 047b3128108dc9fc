// SPDX-License-Identifier: AGPL-3.0-only
//! Second stage of reading: repaired XML to a tree of elements, by way of quick-xml.

use super::decode::Piece;
use super::repair::{Repaired, repair};
use crate::diag::codes::reader as code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{Encoding, SourceFile, Span, Text};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// One `name="value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The value after entities and backslash escapes; its span is what stands between the quotes.
    pub value: Text,
}

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Where the name stands in the start tag.
    pub name_span: Span,
    /// From `<` to the end of the end tag.
    pub extent: Span,
    /// Attributes in order, each name once.
    pub attributes: Vec<Attribute>,
    /// Child elements in order.
    pub children: Vec<Self>,
    /// The first CDATA section.
    pub cdata: Option<Text>,
    /// The text outside CDATA, of the actions that may have one.
    pub text: Option<Text>,
    /// Places of further CDATA sections, which SIPp ignores.
    pub further_cdata: Vec<Span>,
}

/// Reads a file: the root element, and everything wrong with the XML in `diags`. `None` when there is no element.
pub fn read(source: &SourceFile, diags: &mut Diagnostics) -> Option<Element> {
    let repaired = repair(source, diags);
    Builder::new(source.encoding(), &repaired).build(diags)
}

struct Builder<'a> {
    encoding: Encoding,
    repaired: &'a Repaired,
    open: Vec<Element>,
    root: Option<Element>,
}

impl<'a> Builder<'a> {
    fn new(encoding: Encoding, repaired: &'a Repaired) -> Self {
        Self {
            encoding,
            repaired,
            open: Vec::new(),
            root: None,
        }
    }

    fn build(mut self, diags: &mut Diagnostics) -> Option<Element> {
        let unreadable = |at: usize, why: String| {
            let start = self.repaired.map.original(at);
            Diagnostic::error(
                code::UNREADABLE_XML,
                Span::new(start, start),
                "the XML cannot be read",
            )
            .note(why)
        };
        let text = match std::str::from_utf8(&self.repaired.text) {
            Ok(text) => text,
            Err(error) => {
                diags.push(unreadable(error.valid_up_to(), error.to_string()));
                return None;
            }
        };
        let mut reader = Reader::from_str(text);
        reader.config_mut().allow_dangling_amp = true;
        let mut failed = None;
        while self.root.is_none() {
            let from = position(&reader);
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    failed = Some((position(&reader), error.to_string()));
                    break;
                }
            };
            let to = position(&reader);
            match event {
                Event::Start(start) => {
                    let element = self.element(text, from, &start);
                    self.open.push(element);
                }
                Event::Empty(start) => {
                    let element = self.element(text, from, &start);
                    self.close(element, to);
                }
                Event::End(_) => {
                    if let Some(element) = self.open.pop() {
                        self.close(element, to);
                    }
                }
                Event::CData(_) => self.cdata(text, from, to),
                Event::Eof => break,
                // The first stage writes none of these.
                Event::Text(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
        }
        if let Some((at, why)) = failed {
            let start = self.repaired.map.original(at);
            let found = Diagnostic::error(
                code::UNREADABLE_XML,
                Span::new(start, start),
                "the XML cannot be read",
            );
            diags.push(found.note(why));
        }
        self.root
    }

    fn piece(&self, text: &'a str, start: usize, end: usize) -> Piece<'a> {
        let text = text.get(start..end).unwrap_or_default();
        Piece {
            text,
            at: start,
            map: &self.repaired.map,
            encoding: self.encoding,
        }
    }

    fn element(&self, text: &'a str, tag: usize, start: &BytesStart<'_>) -> Element {
        // The event's content begins right after the `<`.
        let content = tag + 1;
        let name_length = start.name().as_ref().len();
        let name = self.piece(text, content, content + name_length);
        let raw = start.attributes_raw();
        let attributes_at = content + name_length;
        let attributes = start.attributes().flatten().filter_map(|found| {
            let name_at = attributes_at + offset_in(raw, found.key.into_inner())?;
            let value_at = attributes_at + offset_in(raw, found.value.as_ref())?;
            let name = self.piece(text, name_at, name_at + found.key.into_inner().len());
            let value = self.piece(text, value_at, value_at + found.value.len());
            Some(Attribute {
                name: name.text.to_owned(),
                name_span: name.span(),
                value: value.value(),
            })
        });
        Element {
            name: name.text.to_owned(),
            name_span: name.span(),
            extent: self.piece(text, tag, tag + 1).span(),
            attributes: attributes.collect(),
            ..Element::default()
        }
    }

    fn cdata(&mut self, text: &'a str, from: usize, to: usize) {
        let content = self.piece(
            text,
            from + b"<![CDATA[".len(),
            to.saturating_sub(b"]]>".len()),
        );
        let Some(element) = self.open.last_mut() else {
            return;
        };
        if self.repaired.plain.binary_search(&from).is_ok() {
            element.text = Some(content.cdata());
        } else if element.cdata.is_none() {
            element.cdata = Some(content.cdata());
        } else {
            element.further_cdata.push(content.span());
        }
    }

    fn close(&mut self, mut element: Element, to: usize) {
        let end = self.repaired.map.original(to);
        element.extent.end = end.max(element.extent.end);
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// Where `part` lies in `whole`, when it was cut from there.
fn offset_in(whole: &str, part: &str) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at + part.len() <= whole.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = Vec<(String, String)>;
    type Listed = &'static [(&'static str, &'static str)];

    fn read_str(text: &str) -> (Option<Element>, Pairs) {
        read_bytes(text.as_bytes())
    }

    fn read_bytes(bytes: &[u8]) -> (Option<Element>, Pairs) {
        let source = SourceFile::new("t.xml", bytes).expect("small");
        let mut diags = Diagnostics::new(false);
        let tree = read(&source, &mut diags);
        let found = diags
            .iter()
            .map(|d| {
                (
                    d.code.to_string(),
                    String::from_utf8_lossy(source.slice(d.primary)).into_owned(),
                )
            })
            .collect();
        (tree, found)
    }

    /// The attributes of the only child of the root, and what was reported.
    #[track_caller]
    fn attributes(tag: &str) -> (Pairs, Pairs) {
        let text = format!("<scenario>{tag}</scenario>");
        let (tree, found) = read_str(&text);
        let tree = tree.expect("a root");
        assert_eq!(tree.children.len(), 1, "{tag}: {found:?}");
        let attributes = tree.children[0]
            .attributes
            .iter()
            .map(|a| {
                assert_eq!(
                    &text[a.name_span.start as usize..a.name_span.end as usize],
                    a.name
                );
                (a.name.clone(), a.value.display().into_owned())
            })
            .collect();
        (attributes, found)
    }

    fn pairs(list: &[(&str, &str)]) -> Pairs {
        list.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn faults_of_real_scenarios_are_repaired_with_a_warning_each() {
        let cases: [(&str, Listed, Listed); 16] = [
            (
                r#"<recv response="200" rrs='true'/>"#,
                &[("response", "200"), ("rrs", "true")],
                &[],
            ),
            (
                r#"<send start_rtd="1" start_rtd="2"/>"#,
                &[("start_rtd", "1")],
                &[("G0002", "start_rtd")],
            ),
            (
                r#"<recv response="200", rtd="1"/>"#,
                &[("response", "200"), ("rtd", "1")],
                &[("G0003", ",")],
            ),
            (
                r#"<Global variables="1","NUM1"/>"#,
                &[("variables", "1")],
                &[("G0003", ","), ("G0016", "\"NUM1\"")],
            ),
            (
                r#"<ereg regexp="\"Alice\" &lt;sip:(.*)>" search_in="hdr"/>"#,
                &[("regexp", "\"Alice\" <sip:(.*)>"), ("search_in", "hdr")],
                &[("G0004", "\\\"")],
            ),
            (
                r#"<ereg header=From:" check_it="true"/>"#,
                &[("header", "From:"), ("check_it", "true")],
                &[("G0005", "From:\"")],
            ),
            (
                r#"<recv response=200 rrs="true"/>"#,
                &[("response", "200"), ("rrs", "true")],
                &[("G0006", "200")],
            ),
            (
                r#"<ereg regexp="<sip:(.*)>"/>"#,
                &[("regexp", "<sip:(.*)>")],
                &[("G0007", "<")],
            ),
            (
                r#"<log message="a && b &lt;"/>"#,
                &[("message", "a && b <")],
                &[("G0008", "&")],
            ),
            (
                r#"<recv request="PRACK"crlf="true"/>"#,
                &[("request", "PRACK"), ("crlf", "true")],
                &[("G0009", "\"c")],
            ),
            (
                r#"<recv request="A" rrs optional="true"/>"#,
                &[("request", "A"), ("optional", "true")],
                &[("G0017", "rrs")],
            ),
            // The backslash is the last letter of the value: what follows is an attribute.
            (
                r#"<ereg regexp="a\" x="1"/>"#,
                &[("regexp", "a\\"), ("x", "1")],
                &[],
            ),
            (
                r#"<ereg regexp="a\\" x="1"/>"#,
                &[("regexp", "a\\"), ("x", "1")],
                &[],
            ),
            (
                r#"<log message="a\nb\t\d\\.\.&#65;&#x42;&#0;"/>"#,
                &[("message", "a\nb\t\\d\\.\\.AB&#0;")],
                &[],
            ),
            (
                "<log message=\"a\r\nb\rc\"/>",
                &[("message", "a\nb\nc")],
                &[],
            ),
            (
                r#"<log message="a > b" ; x='y"z'/>"#,
                &[("message", "a > b"), ("x", "y\"z")],
                &[("G0016", ";")],
            ),
        ];
        for (tag, wanted, warnings) in cases {
            let (found, reported) = attributes(tag);
            assert_eq!(found, pairs(wanted), "{tag}");
            assert_eq!(reported, pairs(warnings), "{tag}");
        }
    }

    #[test]
    fn what_is_not_scenario_is_skipped() {
        let text = "\u{FEFF}<?xml version=\"1.0\"?>\n<!DOCTYPE scenario SYSTEM \"sipp>.dtd\" [<!ELEMENT a (b)>]>\n\
            <!-- a -- b --><scenario name=\"x\"><!-- <recv> --><nop/></scenario>\n<!-- end -->\n";
        let (tree, found) = read_str(text);
        assert_eq!(found, []);
        let tree = tree.expect("a root");
        assert_eq!((tree.name.as_str(), tree.children.len()), ("scenario", 1));
        assert_eq!(tree.children[0].name, "nop");
    }

    #[test]
    fn cdata_keeps_every_byte_but_line_ends_and_maps_back() {
        let text =
            "<scenario><send><![CDATA[\r\nA <&> ]] é\rB\n]]><![CDATA[second]]></send></scenario>";
        let (tree, found) = read_str(text);
        assert_eq!(found, []);
        let send = &tree.expect("a root").children[0];
        let cdata = send.cdata.as_ref().expect("CDATA");
        assert_eq!(cdata.display(), "\nA <&> ]] é\nB\n");
        let at = cdata.display().find('B').expect("B");
        let span = cdata.slice_span(at..at + 1);
        assert_eq!(&text[span.start as usize..span.end as usize], "B");
        assert_eq!(send.further_cdata.len(), 1);
        let second = send.further_cdata[0];
        assert_eq!(&text[second.start as usize..second.end as usize], "second");
    }

    #[test]
    fn bytes_that_are_not_utf8_pass_through() {
        let text =
            b"<scenario name=\"M\xFCller\"><send><![CDATA[\xE9\xFF\x80 x]]></send></scenario>";
        let (tree, found) = read_bytes(text);
        assert_eq!(found, []);
        let tree = tree.expect("a root");
        assert_eq!(tree.attributes[0].value.bytes(), b"M\xFCller");
        let cdata = tree.children[0].cdata.as_ref().expect("CDATA");
        assert_eq!(cdata.bytes(), b"\xE9\xFF\x80 x");
        let span = cdata.slice_span(4..5);
        assert_eq!(&text[span.start as usize..span.end as usize], b"x");
        assert_eq!(cdata.slice_span(1..2).len(), 1);
    }

    #[test]
    fn structural_faults_are_reported_where_they_are() {
        let cases: [(&str, Listed); 11] = [
            ("<scenario><nop/>", &[("G0010", "scenario")]),
            ("<scenario><nop/></scenario><!-- x", &[("G0011", "<!--")]),
            (
                "<scenario><nop/><!-- x",
                &[("G0011", "<!--"), ("G0010", "scenario")],
            ),
            (
                "<scenario><send><![CDATA[x</send></scenario>",
                &[
                    ("G0012", "<![CDATA["),
                    ("G0010", "send"),
                    ("G0010", "scenario"),
                ],
            ),
            ("<scenario><recv></scenario>", &[("G0013", "</scenario>")]),
            (
                "<scenario></recv><nop/></scenario>",
                &[("G0013", "</recv>")],
            ),
            ("<scenario><nop <nop/></scenario>", &[("G0014", "<nop")]),
            (
                "<scenario><recv request='A'\n</recv><nop/></scenario>",
                &[("G0014", "<recv request='A'")],
            ),
            (
                "<scenario><nop <action></action></nop></scenario>",
                &[("G0014", "<nop")],
            ),
            ("<scenario><nop a=\"1/></scenario>", &[("G0015", "\"1/")]),
            (
                "<scenario>x <nop/> y</scenario> z",
                &[("G0018", "x"), ("G0018", "y"), ("G0019", "z")],
            ),
        ];
        for (text, wanted) in cases {
            let (tree, found) = read_str(text);
            assert_eq!(found, pairs(wanted), "{text}");
            assert_eq!(tree.expect("a root").name, "scenario", "{text}");
        }
    }

    #[test]
    fn depth_attributes_and_elements_are_bounded() {
        let deep = "<a>".repeat(100_000);
        let (_, found) = read_str(&deep);
        assert_eq!(found, pairs(&[("G0020", "a")]));
        let wide = format!(
            "<a{}/>",
            (0..1000).map(|i| format!(" a{i}=''")).collect::<String>()
        );
        let (tree, _) = read_str(&wide);
        assert_eq!(
            tree.expect("a root").attributes.len(),
            crate::xml::MAX_ATTRIBUTES
        );
        let many = format!("<a>{}</a>", "<b/>".repeat(200_000));
        let (tree, found) = read_str(&many);
        assert!(tree.expect("a root").children.len() <= crate::xml::MAX_ELEMENTS);
        assert_eq!(found.iter().filter(|(code, _)| code == "G0020").count(), 1);
    }

    #[test]
    fn a_missing_end_tag_is_told_at_its_step_and_hides_no_other() {
        let names = |text: &str| {
            let (tree, found) = read_str(text);
            let children = tree.map(|root| root.children).unwrap_or_default();
            let names: Vec<_> = children.into_iter().map(|child| child.name).collect();
            (names.join(" "), found)
        };
        let cases: [(&str, &str, Listed); 5] = [
            (
                "<scenario><recv><action><log/></action><send/><nop/></scenario>",
                "recv send nop",
                &[("G0013", "recv")],
            ),
            (
                "<scenario><recv><action><send></send></recv><nop/></scenario>",
                "recv send nop",
                &[("G0013", "action")],
            ),
            (
                "<scenario><send></sends><nop/></scenario>",
                "send nop",
                &[("G0013", "</sends>")],
            ),
            (
                "<scenario><recv></send><nop/></scenario>",
                "recv nop",
                &[("G0013", "</send>")],
            ),
            // Well formed: the inner step is a child, which SIPp ignores.
            ("<scenario><send><nop/></send></scenario>", "send", &[]),
        ];
        for (text, wanted, faults) in cases {
            let (names, found) = names(text);
            assert_eq!((names.as_str(), found), (wanted, pairs(faults)), "{text}");
        }
    }
}
