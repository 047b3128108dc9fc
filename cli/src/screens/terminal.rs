// SPDX-License-Identifier: AGPL-3.0-only
//! The screens on a terminal.
//!
//! The terminal shows its other page while a run lasts, and has its first one back afterwards, whatever ends the run: the
//! end, a signal, a panic. Nothing is drawn that is not in the lines of [`super`]; colours are added by what a line is.

use super::{Frame, body, bottom, last_error, top};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;
use ratatui::{Frame as Page, Terminal};
use std::io::{self, IsTerminal, Stdout, Write, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the other page is shown; a panic on any thread has to leave it.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The screens of a run, drawn on standard output.
pub(crate) struct Screens {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    colour: bool,
}

impl Screens {
    /// Takes the terminal, if standard output is one that can show pages.
    pub(crate) fn open(colour: bool) -> Option<Self> {
        let able = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        if !able || !stdout().is_terminal() {
            return None;
        }
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).ok()?;
        restore_on_panic();
        enter().ok()?;
        Some(Self { terminal, colour })
    }

    /// Draws a frame. `typed` is the command that is being typed.
    pub(crate) fn draw(&mut self, frame: &Frame<'_>, typed: Option<&str>) {
        // A terminal that has gone away is no reason to end the run.
        let _ = paint(&mut self.terminal, frame, typed, self.colour);
    }

    /// Gives the terminal back for a while.
    pub(crate) fn leave(&mut self) {
        leave();
    }

    /// Takes it again, and draws everything anew.
    pub(crate) fn come_back(&mut self) {
        let _ = enter();
        // A new one knows that the page is empty. Clearing the old one would ask the terminal where its cursor is, and the
        // thread that reads keys would take the answer.
        if let Ok(terminal) = Terminal::new(CrosstermBackend::new(stdout())) {
            self.terminal = terminal;
        }
    }
}

impl Drop for Screens {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    SHOWN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, Hide)
}

fn leave() {
    if SHOWN.swap(false, Ordering::SeqCst) {
        // There is nobody to tell when it fails.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = stdout().flush();
    }
}

/// Has a panic leave the page first, so that what it says can be read.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
    });
}

fn paint<B: Backend>(
    terminal: &mut Terminal<B>,
    frame: &Frame<'_>,
    typed: Option<&str>,
    colour: bool,
) -> Result<(), B::Error> {
    terminal.draw(|page| compose(page, frame, typed, colour))?;
    Ok(())
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Ruler,
    Plain,
    /// Something failed.
    Bad,
    Typed,
}

fn style(part: Part, colour: bool) -> Style {
    let plain = Style::new();
    match part {
        Part::Plain => plain,
        Part::Ruler if colour => plain.fg(Color::Cyan),
        Part::Bad if colour => plain.fg(Color::Red),
        Part::Typed => plain.add_modifier(Modifier::BOLD),
        Part::Ruler | Part::Bad => plain,
    }
}

/// A row of failures that is not zero.
fn is_bad(line: &str) -> bool {
    line.trim_start().starts_with("Failed call")
        && line.contains(|c: char| ('1'..='9').contains(&c))
}

fn compose(page: &mut Page<'_>, frame: &Frame<'_>, typed: Option<&str>, colour: bool) {
    let area = page.area();
    let foot: Vec<(String, Part)> = last_error(frame)
        .map(|line| (line, Part::Bad))
        .into_iter()
        .chain([(bottom(frame), Part::Ruler)])
        .chain(typed.map(|text| (format!("Command: {text}_"), Part::Typed)))
        .collect();
    let room = usize::from(area.height).saturating_sub(1 + foot.len());
    let mut lines = body(frame);
    // A tab is as wide as a terminal likes; here it is a few blanks.
    for line in &mut lines {
        *line = line.replace('\t', "  ");
    }
    let all = lines.len();
    if all > room {
        // The last line of the room says what is missing.
        let most = all - room + 1;
        let from = frame.view.scroll.min(most);
        let shown = room.saturating_sub(1);
        lines = lines.split_off(from);
        lines.truncate(shown);
        let below = all - from - lines.len();
        lines.push(format!(
            "  ... {from} lines above, {below} below: cursor keys, or a taller terminal"
        ));
    }
    let rows = std::iter::once((top(frame.view.screen), Part::Ruler))
        .chain(lines.into_iter().map(|line| {
            let part = if is_bad(&line) {
                Part::Bad
            } else {
                Part::Plain
            };
            (line, part)
        }))
        .chain(foot)
        .map(|(line, part)| Line::styled(line, style(part, colour)));
    let text: Text<'_> = rows.collect();
    let whole = Rect::new(0, 0, area.width, area.height);
    page.render_widget(Paragraph::new(text), whole);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    /// What a terminal of this size shows.
    pub(crate) fn drawn(frame: &Frame<'_>, columns: u16, rows: u16, typed: Option<&str>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
        paint(&mut terminal, frame, typed, false).expect("drawn");
        let buffer = terminal.backend().buffer();
        let rows = (0..rows).map(|y| {
            let row: String = (0..columns).map(|x| buffer[(x, y)].symbol()).collect();
            row.trim_end().to_owned()
        });
        rows.collect::<Vec<_>>().join("\n")
    }

    /// Whether anything of it has a colour.
    pub(crate) fn coloured(frame: &Frame<'_>, colour: bool) -> bool {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        paint(&mut terminal, frame, None, colour).expect("drawn");
        let buffer = terminal.backend().buffer();
        let mut cells = buffer.content().iter();
        cells.any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    }
}
