// SPDX-License-Identifier: AGPL-3.0-only
//! `<scenario>`, its declarations, `<init>`, labels and default messages.

use super::attrs::{Attrs, warn_cdata, warn_children};
use super::stats::repartition;
use super::step::{check_order, step};
use crate::ast::{
    Declaration, DeclarationKind, DefaultMessage, DefaultMessageId, Init, Item, Label,
    RepartitionKind, Scenario, Step,
};
use crate::diag::codes::structure as code;
use crate::diag::{Diagnostic, Diagnostics, quote, suggest};
use crate::schema;
use crate::source::{SourceFile, Span, Spanned, offset};
use crate::xml::Element;

/// Reads the root.
pub(super) fn scenario(
    source: &SourceFile,
    root: Option<&Element>,
    diags: &mut Diagnostics,
) -> Option<Scenario> {
    let Some(root) = root else {
        let end = offset(source.bytes().len());
        diags.push(
            Diagnostic::error(
                code::NOT_A_SCENARIO,
                Span::new(end, end),
                "the file holds no element",
            )
            .help("a scenario is one `<scenario>` element with the steps inside it"),
        );
        return None;
    };
    if root.name != schema::ROOT.name {
        let message = format!(
            "the root element is `<{}>`, not `<scenario>`",
            quote(root.name.as_bytes())
        );
        let near = suggest::nearest(&root.name, [schema::ROOT.name]);
        diags.push(
            Diagnostic::error(code::NOT_A_SCENARIO, root.name_span, message).did_you_mean(near),
        );
        return None;
    }
    warn_cdata(root, diags);
    let name = Attrs::new(root, &schema::ROOT, diags).text("name");
    let mut items = Vec::with_capacity(root.children.len());
    let mut unknown = false;
    for child in &root.children {
        match schema::element(&child.name) {
            Some(spec) => items.extend(item(child, spec, diags)),
            None => {
                unknown = true;
                unknown_element(child, diags);
            }
        }
    }
    let scenario = Scenario {
        name,
        span: root.name_span,
        items,
    };
    let steps: Vec<&Step> = scenario.steps().collect();
    if steps.is_empty() && !unknown {
        diags.push(Diagnostic::error(
            code::NO_STEPS,
            root.name_span,
            "the scenario has no steps",
        ));
    }
    check_order(&steps, diags);
    Some(scenario)
}

fn unknown_element(child: &Element, diags: &mut Diagnostics) {
    let message = format!("unknown element `<{}>`", quote(child.name.as_bytes()));
    let error = Diagnostic::error(code::UNKNOWN_ELEMENT, child.name_span, message);
    diags.push(if schema::action(&child.name).is_some() {
        error.help("this is an action: put it into the `<action>` block of a step")
    } else {
        error.did_you_mean(suggest::nearest(
            &child.name,
            schema::ELEMENTS.iter().map(|known| known.name),
        ))
    });
}

/// One child of `<scenario>`; `None` when nothing of it is left.
fn item(
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> Option<Item> {
    if spec.step {
        return Some(Item::Step(Box::new(step(element, spec, diags))));
    }
    match spec.name {
        "label" => label(element, spec, diags).map(Item::Label),
        "init" => Some(Item::Init(init(element, spec, diags))),
        "Global" => {
            declaration(DeclarationKind::Global, element, spec, diags).map(Item::Declaration)
        }
        "User" => declaration(DeclarationKind::User, element, spec, diags).map(Item::Declaration),
        "Reference" => {
            declaration(DeclarationKind::Reference, element, spec, diags).map(Item::Declaration)
        }
        "ResponseTimeRepartition" => {
            repartition(RepartitionKind::ResponseTime, element, spec, diags).map(Item::Repartition)
        }
        "CallLengthRepartition" => {
            repartition(RepartitionKind::CallLength, element, spec, diags).map(Item::Repartition)
        }
        "DefaultMessage" => Some(Item::DefaultMessage(default_message(element, spec, diags))),
        other => {
            debug_assert!(false, "{other} is in the schema and not here");
            None
        }
    }
}

fn label(
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> Option<Label> {
    warn_cdata(element, diags);
    warn_children(element, diags);
    let mut attrs = Attrs::new(element, spec, diags);
    if !attrs.has("id") {
        attrs.missing("`id`");
    }
    Some(Label {
        id: attrs.label("id")?,
        span: element.name_span,
    })
}

fn declaration(
    kind: DeclarationKind,
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> Option<Declaration> {
    warn_cdata(element, diags);
    warn_children(element, diags);
    let names = Attrs::new(element, spec, diags).required_variables("variables")?;
    Some(Declaration {
        kind,
        names,
        span: element.name_span,
    })
}

fn default_message(
    element: &Element,
    spec: &'static schema::Element,
    diags: &mut Diagnostics,
) -> DefaultMessage {
    warn_children(element, diags);
    let mut attrs = Attrs::new(element, spec, diags);
    if !attrs.has("id") {
        attrs.missing("`id`");
    }
    let id = attrs.choice("id").map(|found| {
        let id = match found.value {
            "3pcc_abort" => DefaultMessageId::TwinAbort,
            "ack" => DefaultMessageId::Ack,
            "ack2" => DefaultMessageId::Ack2,
            "bye" => DefaultMessageId::Bye,
            "cancel" => DefaultMessageId::Cancel,
            _ => DefaultMessageId::Ok200,
        };
        Spanned::new(id, found.span)
    });
    DefaultMessage {
        id,
        text: attrs.required_cdata(),
        span: element.name_span,
    }
}

fn init(element: &Element, spec: &'static schema::Element, diags: &mut Diagnostics) -> Init {
    warn_cdata(element, diags);
    Attrs::new(element, spec, diags);
    let mut items = Vec::with_capacity(element.children.len());
    for child in &element.children {
        match schema::element(&child.name) {
            Some(spec) if schema::INIT_ELEMENTS.contains(&spec.name) => {
                items.extend(item(child, spec, diags))
            }
            Some(_) => {
                let message = format!("`<{}>` is not allowed in `<init>`", child.name);
                let error = Diagnostic::error(code::NOT_IN_INIT, child.name_span, message);
                diags.push(
                    error.help("use `<nop>` and `<label>` there, and `<sendCmd>` and `<recvCmd>`"),
                );
            }
            None => unknown_element(child, diags),
        }
    }
    Init {
        items,
        span: element.name_span,
    }
}
