// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of reading bytes and XML (G00xx).

use super::codes;

codes! {
    UNREADABLE_XML = 1 {
        title: "the XML cannot be read",
        explanation: "The reader repairs what it can, with a warning each. This place could not be given any \
            meaning, so the scenario is refused.",
        remedy: "Mend the place, and run `gossipper compile` again: what stands behind it may not have been read.",
        sipp: "refuses most such files too, with `Invalid XML in scenario` and no place",
    }
    DUPLICATE_ATTRIBUTE = 2 {
        title: "an attribute is given twice",
        explanation: "XML does not allow it. As in SIPp the first one counts and the others are ignored, which is \
            easily the opposite of what was meant.",
        remedy: "Remove the one that is not meant.",
        sipp: "takes the first one as well, and says nothing",
        bad: r#"<scenario name="a" «name»="b"><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario name="a"><recv request="OPTIONS"/></scenario>"#,
    }
    COMMA_BETWEEN_ATTRIBUTES = 3 {
        title: "a comma stands between attributes",
        explanation: "Attributes are separated by white space only. The comma is skipped; SIPp 3.7.7 skips it too, \
            later versions refuse the file.",
        remedy: "Remove the comma.",
        sipp: "skips the comma up to 3.7.7; later versions refuse the file",
        bad: r#"<scenario><recv request="OPTIONS"«,» rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    ESCAPED_QUOTE = 4 {
        title: "a quote in a value is escaped with a backslash",
        explanation: "XML knows no backslash escapes: the quote would end the value. SIPp up to 3.7.7 reads it as a \
            quote, and so does this reader. Write `&quot;`, or put the value in single quotes.",
        remedy: "Write `&quot;`, or put the value in single quotes.",
        sipp: "reads it as a quote up to 3.7.7; later versions refuse the file",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="say «\"»hi\""/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="say &quot;hi&quot;"/></action></recv></scenario>"#,
    }
    MISSING_OPENING_QUOTE = 5 {
        title: "a value has no opening quote",
        explanation: "The value is taken to begin right after the `=` and to end at the closing quote.",
        remedy: "Add the quote behind the `=`.",
        sipp: "reads such a value up to 3.7.7 without a word; later versions refuse the file",
        bad: r#"<scenario><recv request=«OPTIONS"» rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    UNQUOTED_VALUE = 6 {
        title: "a value is not quoted",
        explanation: "XML wants each attribute value in quotes. The value is taken to end at the next white space or \
            at the end of the tag.",
        remedy: "Put the value in quotes.",
        sipp: "3.6.1 loads such a file and reads another value than the one written",
        bad: r#"<scenario><recv request=«OPTIONS» rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    BARE_LESS_THAN = 7 {
        title: "a bare `<` stands in a value",
        explanation: "XML wants `&lt;`. It is taken literally; SIPp 3.7.7 refuses such a file, later versions do not.",
        remedy: "Write `&lt;`.",
        sipp: "3.7.7 refuses the file with `Invalid XML in scenario`; later versions take it literally",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="«<»hi"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="&lt;hi"/></action></recv></scenario>"#,
    }
    BARE_AMPERSAND = 8 {
        title: "a bare `&` stands in a value",
        explanation: "XML wants `&amp;` unless an entity follows. It is taken literally.",
        remedy: "Write `&amp;`.",
        sipp: "takes it literally too",
        bad: r#"<scenario><recv request="OPTIONS"><action><log message="a «&» b"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="a &amp; b"/></action></recv></scenario>"#,
    }
    NO_BLANK_BETWEEN_ATTRIBUTES = 9 {
        title: "no blank stands between two attributes",
        explanation: "XML wants white space between attributes. The quote ends the value anyway, so nothing is lost; \
            but a quote may be missing or too many before this place.",
        remedy: "Add a blank, and look whether a quote is missing or too many before it.",
        sipp: "takes such a file up to 3.7.7; later versions refuse it",
        bad: r#"<scenario><recv request="OPTIONS«"r»rs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    MISSING_END_TAG = 10 {
        title: "an element is open at the end of the file",
        explanation: "The end tag is missing. The element is closed at the end of the file, which is right when the \
            tag was merely forgotten and wrong when the file was cut short.",
        remedy: "Add the end tag; if the file was cut short, find the rest.",
        sipp: "takes such a file up to 3.7.7; later versions refuse it",
        bad: r#"<«scenario»><recv request="OPTIONS"/>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    UNCLOSED_COMMENT = 11 {
        title: "a comment is never closed",
        explanation: "No `-->` follows. Everything from here to the end of the file is part of the comment, so steps \
            may be missing.",
        remedy: "Add `-->` where the remark ends.",
        sipp: "ignores the rest of the file up to 3.7.7; later versions refuse it",
        bad: r#"<scenario><recv request="OPTIONS"/></scenario>«<!--» end"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario><!-- end -->"#,
    }
    UNCLOSED_CDATA = 12 {
        title: "a CDATA section is never closed",
        explanation: "No `]]>` follows, so the message would hold the rest of the file.",
        remedy: "Add `]]>` behind the message.",
        sipp: "stops with `No CDATA in 'send' section of xml scenario file`",
        also: [10],
        bad: "<scenario><send>«<![CDATA[»\nOPTIONS sip:[remote_ip] SIP/2.0\n\n</send></scenario>",
        good: "<scenario><send><![CDATA[\nOPTIONS sip:[remote_ip] SIP/2.0\n\n]]></send></scenario>",
    }
    MISMATCHED_END_TAG = 13 {
        title: "an end tag does not match",
        explanation: "The end tag closes another element than the one opened last, or none at all. A step is taken to end \
            where the next one begins, so that all other faults can be told too; but which tag was meant is for you to \
            say, so the scenario is refused.",
        remedy: "Add the end tag that is missing, or remove the one too many.",
        sipp: "stops with `Invalid XML in scenario`",
        bad: r#"<scenario><recv request="OPTIONS">«</scenario>»"#,
        good: r#"<scenario><recv request="OPTIONS"></recv></scenario>"#,
    }
    UNCLOSED_TAG = 14 {
        title: "a tag has no `>`",
        explanation: "Another tag, or the end of the file, comes before the `>` that ends this one.",
        remedy: "Add the `>`.",
        sipp: "reads nothing behind it and stops with `Did not find any messages inside of scenario!`",
        bad: r#"<scenario>«<recv request="OPTIONS"»<nop/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/><nop/></scenario>"#,
    }
    UNCLOSED_VALUE = 15 {
        title: "a value has no closing quote",
        explanation: "No quote follows up to the end of the file, so the value would hold the rest of it.",
        remedy: "Add the closing quote.",
        sipp: "3.6.1 loads such a file and loses what follows without a word",
        bad: r#"<scenario><recv request=«"OPTIONS/»></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    STRAY_TEXT_IN_TAG = 16 {
        title: "a tag holds text that is no attribute",
        explanation: "Only `name=\"value\"` has a meaning inside a tag. The text is ignored, as SIPp 3.7.7 does.",
        remedy: "Remove the text, or give it a name and quotes.",
        sipp: "ignores it without a word up to 3.7.7; later versions refuse the file",
        also: [3, 303],
        bad: r#"<scenario><Global variables="a",«"b"»/><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><Global variables="_"/><recv request="OPTIONS"/></scenario>"#,
    }
    ATTRIBUTE_WITHOUT_VALUE = 17 {
        title: "an attribute has no value",
        explanation: "XML wants `name=\"value\"`. The name alone is ignored.",
        remedy: "Give it a value, `rrs=\"true\"` for instance, or remove it.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><recv request="OPTIONS" «rrs»/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    TEXT_OUTSIDE_CDATA = 18 {
        title: "text outside CDATA is ignored",
        explanation: "Text means something only inside `<![CDATA[` and `]]>`. As in SIPp it is ignored elsewhere; \
            put remarks in comments and messages in CDATA.",
        remedy: "Put remarks in comments and messages in CDATA.",
        sipp: "ignores it without a word",
        bad: r#"<scenario>«first step» <recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><!-- first step --><recv request="OPTIONS"/></scenario>"#,
    }
    CONTENT_AFTER_ROOT = 19 {
        title: "what follows the root element is ignored",
        explanation: "A file is one `<scenario>`. SIPp ignores anything after its end, and so does this reader.",
        remedy: "Remove it, or make it a file of its own.",
        sipp: "3.6.1 refuses such a file with `Invalid XML in scenario`; others ignore the rest",
        bad: r#"<scenario><recv request="OPTIONS"/></scenario>«<scenario/>»"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    LIMIT_EXCEEDED = 20 {
        title: "the file exceeds a limit of the reader",
        explanation: "Elements nest at most 64 deep, have at most 256 attributes each, and a file holds at most \
            100000 of them. No scenario needs nearly that much; the limits keep a broken or hostile file harmless.",
        remedy: "Split the file.",
        sipp: "reads such files as far as its memory goes",
    }
}
