// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of reading bytes and XML (G00xx).

use super::codes;

codes! {
    UNREADABLE_XML = 1 {
        title: "the XML cannot be read",
        explanation: "The reader repairs what it can, with a warning each. This place could not be given any \
            meaning, so the scenario is refused.",
    }
    DUPLICATE_ATTRIBUTE = 2 {
        title: "an attribute is given twice",
        explanation: "XML does not allow it. As in SIPp the first one counts and the others are ignored, which is \
            easily the opposite of what was meant.",
        bad: r#"<scenario name="a" name="b"><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario name="a"><recv request="OPTIONS"/></scenario>"#,
    }
    COMMA_BETWEEN_ATTRIBUTES = 3 {
        title: "a comma stands between attributes",
        explanation: "Attributes are separated by white space only. The comma is skipped; SIPp 3.7.7 skips it too, \
            later versions refuse the file.",
        bad: r#"<scenario><recv request="OPTIONS", rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    ESCAPED_QUOTE = 4 {
        title: "a quote in a value is escaped with a backslash",
        explanation: "XML knows no backslash escapes: the quote would end the value. SIPp up to 3.7.7 reads it as a \
            quote, and so does this reader. Write `&quot;`, or put the value in single quotes.",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="say \"hi\""/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="say &quot;hi&quot;"/></action></recv></scenario>"#,
    }
    MISSING_OPENING_QUOTE = 5 {
        title: "a value has no opening quote",
        explanation: "The value is taken to begin right after the `=` and to end at the closing quote.",
        bad: r#"<scenario><recv request=OPTIONS" rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    UNQUOTED_VALUE = 6 {
        title: "a value is not quoted",
        explanation: "XML wants each attribute value in quotes. The value is taken to end at the next white space or \
            at the end of the tag.",
        bad: r#"<scenario><recv request=OPTIONS rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    BARE_LESS_THAN = 7 {
        title: "a bare `<` stands in a value",
        explanation: "XML wants `&lt;`. It is taken literally; SIPp 3.7.7 refuses such a file, later versions do not.",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="<hi"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="&lt;hi"/></action></recv></scenario>"#,
    }
    BARE_AMPERSAND = 8 {
        title: "a bare `&` stands in a value",
        explanation: "XML wants `&amp;` unless an entity follows. It is taken literally.",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="a & b"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="a &amp; b"/></action></recv></scenario>"#,
    }
    NO_BLANK_BETWEEN_ATTRIBUTES = 9 {
        title: "no blank stands between two attributes",
        explanation: "XML wants white space between attributes. The quote ends the value anyway, so nothing is lost; \
            but a quote may be missing or too many before this place.",
        bad: r#"<scenario><recv request="OPTIONS"rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    MISSING_END_TAG = 10 {
        title: "an element is open at the end of the file",
        explanation: "The end tag is missing. The element is closed at the end of the file, which is right when the \
            tag was merely forgotten and wrong when the file was cut short.",
        bad: r#"<scenario><recv request="OPTIONS"/>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    UNCLOSED_COMMENT = 11 {
        title: "a comment is never closed",
        explanation: "No `-->` follows. Everything from here to the end of the file is part of the comment, so steps \
            may be missing.",
        bad: r#"<scenario><recv request="OPTIONS"/></scenario><!-- end"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario><!-- end -->"#,
    }
    UNCLOSED_CDATA = 12 {
        title: "a CDATA section is never closed",
        explanation: "No `]]>` follows, so the message would hold the rest of the file.",
        bad: "<scenario><send><![CDATA[\nOPTIONS sip:[remote_ip] SIP/2.0\n\n</send></scenario>",
        good: "<scenario><send><![CDATA[\nOPTIONS sip:[remote_ip] SIP/2.0\n\n]]></send></scenario>",
    }
    MISMATCHED_END_TAG = 13 {
        title: "an end tag does not match",
        explanation: "The end tag closes another element than the one opened last, or none at all. Where the missing \
            tag belongs cannot be guessed, so the scenario is refused.",
        bad: r#"<scenario><recv request="OPTIONS"></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"></recv></scenario>"#,
    }
    UNCLOSED_TAG = 14 {
        title: "a tag has no `>`",
        explanation: "Another tag, or the end of the file, comes before the `>` that ends this one.",
        bad: r#"<scenario><recv request="OPTIONS"<nop/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/><nop/></scenario>"#,
    }
    UNCLOSED_VALUE = 15 {
        title: "a value has no closing quote",
        explanation: "No quote follows up to the end of the file, so the value would hold the rest of it.",
        bad: r#"<scenario><recv request="OPTIONS/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    STRAY_TEXT_IN_TAG = 16 {
        title: "a tag holds text that is no attribute",
        explanation: "Only `name=\"value\"` has a meaning inside a tag. The text is ignored, as SIPp 3.7.7 does.",
        bad: r#"<scenario><Global variables="a","b"/><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><Global variables="_"/><recv request="OPTIONS"/></scenario>"#,
    }
    ATTRIBUTE_WITHOUT_VALUE = 17 {
        title: "an attribute has no value",
        explanation: "XML wants `name=\"value\"`. The name alone is ignored.",
        bad: r#"<scenario><recv request="OPTIONS" rrs/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    TEXT_OUTSIDE_CDATA = 18 {
        title: "text outside CDATA is ignored",
        explanation: "Text means something only inside `<![CDATA[` and `]]>`. As in SIPp it is ignored elsewhere; \
            put remarks in comments and messages in CDATA.",
        bad: r#"<scenario>first step <recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><!-- first step --><recv request="OPTIONS"/></scenario>"#,
    }
    CONTENT_AFTER_ROOT = 19 {
        title: "what follows the root element is ignored",
        explanation: "A file is one `<scenario>`. SIPp ignores anything after its end, and so does this reader.",
        bad: r#"<scenario><recv request="OPTIONS"/></scenario><scenario/>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    LIMIT_EXCEEDED = 20 {
        title: "the file exceeds a limit of the reader",
        explanation: "Elements nest at most 64 deep, have at most 256 attributes each, and a file holds at most \
            100000 of them. No scenario needs nearly that much; the limits keep a broken or hostile file harmless.",
    }
}
