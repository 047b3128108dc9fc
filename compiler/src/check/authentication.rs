// SPDX-License-Identifier: AGPL-3.0-only
//! Answers to challenges that no step stores, and steps that store what never comes.

use super::Subject;
use crate::ast::{Expect, StepKind};
use crate::diag::codes::{flow as codes, template};
use crate::diag::{Diagnostic, Diagnostics};
use crate::template::Kind;

/// Reports `[authentication]` in a scenario without `auth`, and `auth` where it has no effect.
pub(super) fn check(subject: &Subject<'_>, diagnostics: &mut Diagnostics) {
    let mut stores = false;
    for step in subject.steps {
        let StepKind::Recv(recv) = &step.kind else {
            continue;
        };
        if !recv.auth {
            continue;
        }
        let effective = match &recv.expect {
            Expect::Response(code) => matches!(code.value, 401 | 407),
            Expect::ResponseRegex(_) => true,
            Expect::Request(_) | Expect::RequestRegex(_) | Expect::Nothing => false,
        };
        stores |= effective;
        if !effective {
            diagnostics.push(
                Diagnostic::warning(
                    codes::AUTH_WITHOUT_EFFECT,
                    step.span,
                    "`auth` has no effect on this `<recv>`",
                )
                .note("only a 401 or a 407 brings a challenge"),
            );
        }
    }
    if stores {
        return;
    }
    for step in subject.steps {
        let StepKind::Send(send) = &step.kind else {
            continue;
        };
        let parsed = send.text.as_ref().and_then(|text| subject.texts.get(text));
        // Elsewhere the keyword itself has been refused.
        let parsed = parsed.filter(|parsed| parsed.head.method().is_some());
        let keyword = parsed.and_then(|parsed| {
            let mut keywords = parsed.keywords();
            keywords.find(|keyword| matches!(keyword.kind, Kind::Authentication(_)))
        });
        if let Some(keyword) = keyword {
            diagnostics.push(
                Diagnostic::warning(
                    template::NO_CHALLENGE,
                    keyword.span,
                    "no `<recv>` of this scenario stores a challenge to answer",
                )
                .help("write `auth=\"true\"` into the `<recv>` of the 401 or 407"),
            );
            // It is the same mistake in every other message.
            return;
        }
    }
}
