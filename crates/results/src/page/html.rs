// SPDX-License-Identifier: AGPL-3.0-only
//! A document as a page: one file, without anything from a network, for screens of any width and for print.

use super::document::{
    Block, Card, Cell, Document, Ladder, Rung, Section, Table, Tone, Verdict, Way,
};
use super::printable;

mod plot;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// A text in markup or between quotes of an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Faint => "faint",
    }
}

/// A number in markup: at most two digits behind the point. What is none is zero.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// The page.
pub(super) fn page(document: &Document) -> String {
    let mut out = String::with_capacity(64 * 1024);
    out.push_str(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n",
    );
    let title = escaped(&document.title);
    out.push_str(&format!(
        "<title>{title} · gossipper</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    ));
    head(&mut out, document);
    for part in &document.sections {
        section(&mut out, part);
    }
    out.push_str(&format!(
        "<footer>{}</footer>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escaped(&document.footer)
    ));
    out
}

fn head(out: &mut String, document: &Document) {
    out.push_str("<header>\n<p class=\"kicker\">Load test report</p>\n");
    out.push_str(&format!(
        "<h1>{}</h1>\n<dl class=\"facts\">\n",
        escaped(&document.title)
    ));
    for (name, value) in &document.facts {
        let (name, value) = (escaped(name), escaped(value));
        out.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    }
    out.push_str("</dl>\n</header>\n");
    verdict(out, &document.verdict);
    out.push_str("<div class=\"cards\">\n");
    for figure in &document.cards {
        card(out, figure);
    }
    out.push_str("</div>\n");
}

fn verdict(out: &mut String, verdict: &Verdict) {
    let sign = match verdict.tone {
        Tone::Good => {
            "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M3 8.5l3.2 3.2L13 5\"/></svg>"
        }
        Tone::Bad => {
            "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"M4 4l8 8M12 4l-8 8\"/></svg>"
        }
        Tone::Plain | Tone::Faint => "",
    };
    out.push_str(&format!(
        "<section class=\"verdict {}\">\n<p class=\"lead\"><strong class=\"word\">{sign}{}</strong> <span>{}</span></p>\n",
        tone(verdict.tone),
        escaped(&verdict.word),
        escaped(&verdict.headline)
    ));
    if !verdict.lines.is_empty() {
        out.push_str("<ul>\n");
        for (how, line) in &verdict.lines {
            out.push_str(&format!(
                "<li class=\"{}\">{}</li>\n",
                tone(*how),
                escaped(line)
            ));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

fn bar(part: f64) -> String {
    let percent = number((part * 100.0).clamp(0.0, 100.0));
    format!("<i class=\"bar\"><i style=\"width:{percent}%\"></i></i>")
}

fn card(out: &mut String, card: &Card) {
    out.push_str(&format!(
        "<div class=\"card {}\"><h3>{}</h3><p class=\"value\">{}</p>{}<p class=\"aside\">{}</p></div>\n",
        tone(card.tone),
        escaped(&card.name),
        escaped(&card.value),
        card.part.map(bar).unwrap_or_default(),
        escaped(&card.aside)
    ));
}

fn section(out: &mut String, section: &Section) {
    out.push_str(&format!("<section>\n<h2>{}</h2>\n", escaped(section.title)));
    if !section.note.is_empty() {
        out.push_str(&format!(
            "<p class=\"note\">{}</p>\n",
            escaped(&section.note)
        ));
    }
    let mut in_calls = false;
    for block in &section.blocks {
        if in_calls && !matches!(block, Block::Ladder(_)) {
            out.push_str("</div>\n");
            in_calls = false;
        }
        match block {
            Block::Text(text) => out.push_str(&format!("<p>{}</p>\n", escaped(text))),
            Block::Charts(charts) => {
                out.push_str("<div class=\"charts\">\n");
                for chart in charts {
                    plot::figure(out, chart);
                }
                out.push_str("</div>\n");
            }
            Block::Table(rows) => table(out, rows),
            Block::Ladder(steps) => {
                // Calls stand next to each other where there is space.
                let is_call = !steps.caption.is_empty();
                if is_call && !in_calls {
                    out.push_str("<div class=\"calls\">\n");
                }
                in_calls |= is_call;
                ladder(out, steps);
            }
        }
    }
    if in_calls {
        out.push_str("</div>\n");
    }
    out.push_str("</section>\n");
}

fn field(cell: &Cell, text: bool, element: &str) -> String {
    let mut class = tone(cell.tone).to_owned();
    if text {
        class.push_str(" t");
    }
    let class = class.trim();
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    let bar = cell.part.map(bar).unwrap_or_default();
    format!("<{element}{class}>{bar}{}</{element}>", escaped(&cell.text))
}

fn table(out: &mut String, table: &Table) {
    let caption = escaped(&table.caption);
    if table.folded {
        out.push_str(&format!("<details>\n<summary>{caption}</summary>\n"));
    } else if !caption.is_empty() {
        out.push_str(&format!("<h3>{caption}</h3>\n"));
    }
    let narrow = if table.columns.len() <= 3 {
        " narrow"
    } else {
        ""
    };
    out.push_str(&format!(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"grid{narrow}\">\n"
    ));
    if table.columns.iter().any(|column| !column.is_empty()) {
        out.push_str("<thead><tr>");
        for (place, column) in table.columns.iter().enumerate() {
            let class = if place < table.texts {
                " class=\"t\""
            } else {
                ""
            };
            out.push_str(&format!(
                "<th{class} scope=\"col\">{}</th>",
                escaped(column)
            ));
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    for row in &table.rows {
        // A row without a name goes on with what the one above it is about.
        let goes_on = row.first().is_some_and(|cell| cell.text.is_empty());
        out.push_str(if goes_on { "<tr class=\"on\">" } else { "<tr>" });
        for (place, cell) in row.iter().enumerate() {
            let element = if place == 0 { "th" } else { "td" };
            out.push_str(&field(cell, place < table.texts, element));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    if table.folded {
        out.push_str("</details>\n");
    }
}

fn ladder(out: &mut String, ladder: &Ladder) {
    let is_call = !ladder.caption.is_empty();
    if is_call {
        out.push_str(&format!(
            "<div class=\"call\">\n<h3>{}</h3>\n<p class=\"note\">{}</p>\n",
            escaped(&ladder.caption),
            escaped(&ladder.note)
        ));
    }
    let twin = if ladder.twin { " twin" } else { "" };
    let few = match ladder.figures.len() {
        0 | 1 => " few",
        2 => " few two",
        _ => "",
    };
    out.push_str(&format!(
        "<div class=\"ladder{twin}{few}\">\n<div class=\"rung top\"><span></span><span class=\"lane\">"
    ));
    if ladder.twin {
        out.push_str("<b>twin</b>");
    }
    out.push_str(&format!(
        "<b>gossipper</b><b>peer</b></span><span class=\"n\">{}</span><span class=\"fs\">",
        ladder.count
    ));
    for name in ladder.figures {
        out.push_str(&format!("<span class=\"f\">{name}</span>"));
    }
    out.push_str("</span></div>\n");
    for step in &ladder.rungs {
        rung(out, step, ladder);
    }
    out.push_str("</div>\n");
    if is_call {
        out.push_str("</div>\n");
    }
}

fn rung(out: &mut String, rung: &Rung, ladder: &Ladder) {
    let (class, left) = match rung.way {
        Way::ToPeer => ("to", false),
        Way::FromPeer => ("from", false),
        Way::ToTwin => ("from", true),
        Way::FromTwin => ("to", true),
        Way::Local => ("local", false),
    };
    let arrow = format!(
        "<span class=\"half {class}\"><em>{}</em></span>",
        escaped(&rung.label)
    );
    let empty = "<span class=\"half\"></span>";
    let lane = match (ladder.twin, left) {
        (false, _) => arrow,
        (true, true) => format!("{arrow}{empty}"),
        (true, false) => format!("{empty}{arrow}"),
    };
    out.push_str(&format!(
        "<div class=\"rung\"><span class=\"no\">{}</span><span class=\"lane\">{lane}</span><span class=\"n\">{}{}</span><span class=\"fs\">",
        escaped(&rung.index),
        rung.part.map(bar).unwrap_or_default(),
        escaped(&rung.count)
    ));
    for (name, cell) in ladder.figures.iter().zip(&rung.figures) {
        out.push_str(&format!(
            "<span class=\"f {}\" data-name=\"{name}\">{}</span>",
            tone(cell.tone),
            escaped(&cell.text)
        ));
    }
    out.push_str("</span></div>\n");
}
