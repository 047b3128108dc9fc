// SPDX-License-Identifier: AGPL-3.0-only
//! A scenario as steps, and its XML.
//!
//! The file is ASCII, so that every declared or assumed encoding reads it alike. Each step tells in a comment where in the
//! capture it comes from.

use crate::text::{attribute, comment};
use core::fmt::Write as _;

/// A part of a received message that is kept for a message that is sent later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Save {
    /// What.
    pub(crate) what: Saved,
    /// The variable.
    pub(crate) variable: String,
}

/// What may be kept of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Saved {
    /// All Via lines, names included.
    Via,
    /// The value of From.
    From,
    /// The value of To.
    To,
    /// The value of CSeq.
    CSeq,
    /// The number of RSeq.
    RSeq,
    /// The tag of To, with `;tag=`.
    ToTag,
}

impl Saved {
    /// Its name in variables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Via => "via",
            Self::From => "from",
            Self::To => "to",
            Self::CSeq => "cseq",
            Self::RSeq => "rseq",
            Self::ToTag => "to_tag",
        }
    }

    /// The expression, and how many groups come before the one that is kept. POSIX knows no `\r`: the end of a line is the
    /// first control character.
    fn expression(self) -> (&'static str, usize) {
        match self {
            Self::Via => (
                "[[:cntrl:]](([Vv]|[Vv][Ii][Aa])[ ]*:[^[:cntrl:]]*([[:cntrl:]]+([Vv]|[Vv][Ii][Aa])[ ]*:[^[:cntrl:]]*)*)",
                0,
            ),
            Self::From => (
                "[[:cntrl:]]([Ff]|[Ff][Rr][Oo][Mm])[ ]*:[ ]*([^[:cntrl:]]*)",
                1,
            ),
            Self::To => ("[[:cntrl:]]([Tt]|[Tt][Oo])[ ]*:[ ]*([^[:cntrl:]]*)", 1),
            Self::CSeq => ("[[:cntrl:]][Cc][Ss][Ee][Qq][ ]*:[ ]*([^[:cntrl:]]*)", 0),
            Self::RSeq => ("[[:cntrl:]][Rr][Ss][Ee][Qq][ ]*:[ ]*([0-9]+)", 0),
            Self::ToTag => (
                "[[:cntrl:]]([Tt]|[Tt][Oo])[ ]*:[^[:cntrl:]]*(;[ ]*[Tt][Aa][Gg]=[^;,[:cntrl:]]*)",
                1,
            ),
        }
    }
}

/// What a step does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Sends a message.
    Send {
        /// Its text, indented.
        text: String,
        /// Whether it is repeated over UDP until something comes.
        retrans: bool,
        /// Whether the response time counts from here.
        start_rtd: bool,
    },
    /// Waits for a message.
    Recv {
        /// A method or a code.
        what: Expected,
        /// Whether it may be missing.
        optional: bool,
        /// Whether its challenge is answered later.
        auth: bool,
        /// Whether its route set is used later.
        rrs: bool,
        /// How long to wait.
        timeout_ms: Option<u64>,
        /// Whether the response time ends here.
        rtd: bool,
        /// What is kept of it.
        saves: Vec<Save>,
    },
    /// Waits.
    Pause {
        /// How long.
        ms: u64,
    },
    /// Does something with media.
    Exec {
        /// The attribute of `exec`.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
}

/// A message that is waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// A request of this method.
    Request(String),
    /// A response with this code.
    Response(u16),
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    /// What is said about it.
    pub(crate) comments: Vec<String>,
    /// What it does.
    pub(crate) kind: Kind,
}

/// A scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: String,
    /// What is said about the whole.
    pub(crate) preface: Vec<String>,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// The file.
    pub(crate) fn xml(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<!--\n");
        for line in &self.preface {
            let _ = writeln!(out, "  {}", comment(line));
        }
        let _ = writeln!(out, "-->\n<scenario name=\"{}\">", attribute(&self.name));
        for step in &self.steps {
            out.push('\n');
            for line in &step.comments {
                let _ = writeln!(out, "  <!-- {} -->", comment(line));
            }
            step.kind.write(&mut out);
        }
        let skipped = self.steps.iter().filter_map(|step| match &step.kind {
            Kind::Recv { saves, .. } => saves.iter().map(Save::skipped).max(),
            _ => None,
        });
        if let Some(skipped) = skipped.max() {
            // Of each expression only the last group is read.
            let names: Vec<String> = (0..skipped).map(|group| format!("_{group}")).collect();
            let _ = writeln!(out, "\n  <Reference variables=\"{}\"/>", names.join(","));
        }
        out.push_str("\n</scenario>\n");
        out
    }
}

impl Kind {
    fn write(&self, out: &mut String) {
        // A String takes everything.
        let _ = match self {
            Self::Send {
                text,
                retrans,
                start_rtd,
            } => {
                let retrans = if *retrans { " retrans=\"500\"" } else { "" };
                let rtd = if *start_rtd {
                    " start_rtd=\"invite\""
                } else {
                    ""
                };
                writeln!(out, "  <send{retrans}{rtd}><![CDATA[\n{text}]]></send>")
            }
            Self::Recv {
                what,
                optional,
                auth,
                rrs,
                timeout_ms,
                rtd,
                saves,
            } => {
                let _ = match what {
                    Expected::Request(method) => {
                        write!(out, "  <recv request=\"{}\"", attribute(method))
                    }
                    Expected::Response(code) => write!(out, "  <recv response=\"{code}\""),
                };
                for (is, text) in [
                    (*optional, " optional=\"true\""),
                    (*auth, " auth=\"true\""),
                    (*rrs, " rrs=\"true\""),
                    (*rtd, " rtd=\"invite\""),
                ] {
                    if is {
                        out.push_str(text);
                    }
                }
                if let Some(ms) = timeout_ms.filter(|_| !optional) {
                    let _ = write!(out, " timeout=\"{ms}\"");
                }
                if saves.is_empty() {
                    writeln!(out, "/>")
                } else {
                    out.push_str(">\n    <action>\n");
                    for save in saves {
                        save.write(out);
                    }
                    writeln!(out, "    </action>\n  </recv>")
                }
            }
            Self::Pause { ms } => writeln!(out, "  <pause milliseconds=\"{ms}\"/>"),
            Self::Exec {
                attribute: name,
                value,
            } => {
                let value = attribute(value);
                writeln!(
                    out,
                    "  <nop><action><exec {name}=\"{value}\"/></action></nop>"
                )
            }
        };
    }
}

impl Save {
    /// How many variables stand in front of the one that is read.
    fn skipped(&self) -> usize {
        self.what.expression().1 + 1
    }

    fn write(&self, out: &mut String) {
        let (expression, _) = self.what.expression();
        let skipped: String = (0..self.skipped())
            .map(|group| format!("_{group},"))
            .collect();
        let _ = writeln!(
            out,
            "      <ereg regexp=\"{expression}\" search_in=\"msg\" assign_to=\"{skipped}{}\"/>",
            self.variable
        );
    }
}
