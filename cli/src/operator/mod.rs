// SPDX-License-Identifier: AGPL-3.0-only
//! What an operator wants of a run: keys, commands, datagrams, and what they come to.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`keyboard`] | keys of the terminal, one by one |
//! | [`commands`] | the notation of commands |
//! | [`control`] | the same keys and commands in datagrams |
//!
//! Pure but for those that read: a byte in, a [`Deed`] out.

pub(crate) mod commands;
pub(crate) mod control;
pub(crate) mod keyboard;

use crate::screens::{Screen, View};
use commands::Command;
use gossipper_control::ControlCommand;
use gossipper_vm::BesideKind;

/// Longest command that is typed.
const TYPED_MAX: usize = 200;

/// What a key or command comes to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Deed {
    /// It means nothing.
    Nothing,
    /// End softly, at the second time at once.
    Quit,
    /// End at once.
    Stop,
    /// The run is to do this.
    Send(ControlCommand),
    /// The screens show something else.
    Redraw,
    /// Write the screens to their file.
    DumpScreens,
    /// Say what goes on, in the error log.
    DumpTasks,
    /// Say which variables there are, in the error log.
    DumpVariables,
    /// What was asked for is not understood, or cannot be.
    Warn(String),
}

/// Keys that arrive as several bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Escape {
    #[default]
    None,
    Began,
    Bracket,
}

/// What the operator has set, and is about to say.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Operator {
    /// What the screens show.
    pub(crate) view: View,
    /// The command that is being typed.
    pub(crate) typed: Option<String>,
    /// Step of the rate keys.
    scale: f64,
    /// Units of the rate that a call is.
    per_call: f64,
    /// Users keep calls open, and no rate.
    has_users: bool,
    /// There is a scenario for what belongs to no call.
    beside: Option<BesideKind>,
    escape: Escape,
}

impl Operator {
    /// One who has said nothing yet.
    pub(crate) fn new(scale: f64, per_call: f64, has_users: bool) -> Self {
        Self {
            view: View::default(),
            typed: None,
            scale,
            per_call,
            has_users,
            beside: None,
            escape: Escape::None,
        }
    }

    /// The same in a run that has a scenario for what belongs to no call, or has none.
    pub(crate) fn with_beside(self, beside: Option<BesideKind>) -> Self {
        Self { beside, ..self }
    }

    /// A key of the terminal.
    pub(crate) fn key(&mut self, byte: u8) -> Deed {
        if self.typed.is_some() {
            return self.typing(byte);
        }
        let escape = std::mem::take(&mut self.escape);
        match (escape, byte) {
            (_, 0x1b) => {
                self.escape = Escape::Began;
                Deed::Nothing
            }
            (Escape::Began, b'[' | b'O') => {
                self.escape = Escape::Bracket;
                Deed::Nothing
            }
            (Escape::Bracket, b'A') => self.scrolled(-1),
            (Escape::Bracket, b'B') => self.scrolled(1),
            (Escape::Bracket, _) => Deed::Nothing,
            (Escape::None | Escape::Began, b'c') => {
                self.typed = Some(String::new());
                Deed::Redraw
            }
            (Escape::None | Escape::Began, byte) => self.plain(byte),
        }
    }

    /// A datagram of the control socket.
    pub(crate) fn datagram(&mut self, bytes: &[u8]) -> Deed {
        match bytes {
            [b'c', command @ ..] => self.command(&String::from_utf8_lossy(command)),
            [key, ..] => self.plain(*key),
            [] => Deed::Nothing,
        }
    }

    fn scrolled(&mut self, by: isize) -> Deed {
        self.view.scroll = self.view.scroll.saturating_add_signed(by);
        Deed::Redraw
    }

    fn plain(&mut self, byte: u8) -> Deed {
        let rate = |steps: f64| Deed::Send(self.added(steps * self.scale));
        match byte {
            b'q' => Deed::Quit,
            b'Q' => Deed::Stop,
            b'+' => rate(1.0),
            b'-' => rate(-1.0),
            b'*' => rate(10.0),
            b'/' => rate(-10.0),
            b'p' => Deed::Send(ControlCommand::TogglePause),
            b's' => Deed::DumpScreens,
            _ => match Screen::of_key(byte) {
                Some(screen) => {
                    self.view.screen = screen;
                    self.view.scroll = 0;
                    Deed::Redraw
                }
                None => Deed::Nothing,
            },
        }
    }

    fn added(&self, units: f64) -> ControlCommand {
        let per_call = if self.has_users { 1.0 } else { self.per_call };
        ControlCommand::AddRate {
            calls: units / per_call,
        }
    }

    /// A key while a command is typed.
    fn typing(&mut self, byte: u8) -> Deed {
        match (&mut self.typed, byte) {
            (_, b'\r' | b'\n') => match self.typed.take() {
                Some(text) if !text.trim().is_empty() => self.command(&text),
                _ => Deed::Redraw,
            },
            (Some(text), 0x08 | 0x7f) => {
                text.pop();
                Deed::Redraw
            }
            // Escape takes it back.
            (_, 0x1b) => {
                self.typed = None;
                Deed::Redraw
            }
            (Some(text), b' '..=b'~') if text.len() < TYPED_MAX => {
                text.push(char::from(byte));
                Deed::Redraw
            }
            _ => Deed::Nothing,
        }
    }

    fn command(&mut self, text: &str) -> Deed {
        let command = match commands::parse(text) {
            Ok(command) => command,
            Err(error) => return Deed::Warn(error),
        };
        let not_with_users = |what: &str| {
            Deed::Warn(format!(
                "`set {what}` has nothing to set: with -users there is no rate"
            ))
        };
        match command {
            Command::Rate(_) if self.has_users => not_with_users("rate"),
            Command::Limit(_) if self.has_users => not_with_users("limit"),
            Command::Users(_) if !self.has_users => {
                Deed::Warn("`set users` needs a run with -users".to_owned())
            }
            Command::Rate(units) => Deed::Send(ControlCommand::SetRate {
                calls: units / self.per_call,
                period_ms: None,
            }),
            Command::Limit(calls) => Deed::Send(ControlCommand::SetOpenLimit { calls }),
            Command::Users(users) => Deed::Send(ControlCommand::SetUsers { users }),
            Command::RateScale(scale) => {
                self.scale = scale;
                Deed::Nothing
            }
            Command::Display(display)
                if display.beside().is_some() && display.beside() != self.beside =>
            {
                Deed::Warn("`set display`: this run has no such scenario".to_owned())
            }
            Command::Display(display) => {
                self.view.display = display;
                Deed::Redraw
            }
            Command::Hide(hide) => {
                self.view.hide = hide;
                Deed::Redraw
            }
            Command::Trace(trace, on) => Deed::Send(ControlCommand::SetTrace { trace, on }),
            Command::DumpTasks => Deed::DumpTasks,
            Command::DumpVariables => Deed::DumpVariables,
            Command::ClearStats => Deed::Send(ControlCommand::ClearStats),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::commands::Display;
    use super::*;

    #[test]
    fn the_out_of_call_scenario_is_shown_where_there_is_one() {
        let shown = |operator: &mut Operator| {
            let deed = operator.command("set display ooc");
            (deed == Deed::Redraw, operator.view.display)
        };
        assert_eq!(shown(&mut operator()), (false, Display::Main));
        let mut with = operator().with_beside(Some(BesideKind::OutOfCall));
        assert_eq!(shown(&mut with), (true, Display::OutOfCall));
        assert!(matches!(with.command("set display rx"), Deed::Warn(_)));
    }

    fn operator() -> Operator {
        Operator::new(2.5, 1.0, false)
    }

    fn added(operator: &mut Operator, key: u8) -> f64 {
        match operator.key(key) {
            Deed::Send(ControlCommand::AddRate { calls }) => calls,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rate_keys_scale() {
        let mut one = operator();
        let keys = [b'+', b'-', b'*', b'/'];
        assert_eq!(
            keys.map(|key| added(&mut one, key)),
            [2.5, -2.5, 25.0, -25.0]
        );
        assert_eq!(one.datagram(b"cset rate-scale 4\n"), Deed::Nothing);
        assert_eq!(added(&mut one, b'*'), 40.0);
        let mut requests = Operator::new(1.0, 4.0, false);
        assert_eq!(added(&mut requests, b'*'), 2.5);
        let mut users = Operator::new(1.0, 4.0, true);
        assert_eq!(added(&mut users, b'*'), 10.0);
    }

    #[test]
    fn other_keys_end_pause_and_change_the_screen() {
        let mut one = operator();
        assert_eq!(one.key(b'q'), Deed::Quit);
        assert_eq!(one.key(b'Q'), Deed::Stop);
        assert_eq!(one.key(b'p'), Deed::Send(ControlCommand::TogglePause));
        assert_eq!(one.key(b's'), Deed::DumpScreens);
        assert_eq!(one.key(b'2'), Deed::Redraw);
        assert_eq!(one.view.screen, Screen::Statistics);
        assert_eq!(one.key(b'7'), Deed::Redraw);
        assert_eq!(one.view.screen, Screen::Repartition(3));
        for meaningless in *b"0abz !\n" {
            assert_eq!(one.key(meaningless), Deed::Nothing);
        }
        let arrow = b"\x1b[B".map(|byte| one.key(byte));
        assert_eq!((arrow[2].clone(), one.view.scroll), (Deed::Redraw, 1));
        for byte in b"\x1b[A\x1b[A" {
            assert_ne!(one.key(*byte), Deed::Quit);
        }
        assert_eq!(one.view.scroll, 0, "no further than the top");
    }

    #[test]
    fn a_command_is_typed_until_enter() {
        let mut one = operator();
        for key in b"cset rat\x7fte 5" {
            assert_eq!(one.key(*key), Deed::Redraw);
        }
        assert_eq!(one.typed.as_deref(), Some("set rate 5"));
        let rate = ControlCommand::SetRate {
            calls: 5.0,
            period_ms: None,
        };
        assert_eq!(one.key(b'\n'), Deed::Send(rate));
        assert_eq!(one.typed, None);
        // Keys that mean something elsewhere are text here, and Escape takes all of it back.
        for key in b"cqQ+" {
            assert_eq!(one.key(*key), Deed::Redraw);
        }
        assert_eq!(one.key(0x1b), Deed::Redraw);
        assert_eq!(one.key(b'q'), Deed::Quit);
        for _ in 0..3 * TYPED_MAX {
            one.typed.get_or_insert_default();
            one.key(b'x');
        }
        assert_eq!(one.typed.map(|text| text.len()), Some(TYPED_MAX));
    }

    #[test]
    fn a_datagram_is_a_key_or_a_command() {
        let mut one = operator();
        assert_eq!(one.datagram(b"q\n"), Deed::Quit);
        let requests = &mut Operator::new(1.0, 4.0, false);
        let rate = ControlCommand::SetRate {
            calls: 25.0,
            period_ms: None,
        };
        assert_eq!(requests.datagram(b"cset rate 100 \n"), Deed::Send(rate));
        assert!(matches!(one.datagram(b"cset users 3"), Deed::Warn(_)));
        assert!(matches!(one.datagram(b"c\xff\xfe"), Deed::Warn(_)));
        let mut users = Operator::new(1.0, 1.0, true);
        assert!(matches!(users.datagram(b"cset rate 3"), Deed::Warn(_)));
        assert!(matches!(users.datagram(b"cset limit 3"), Deed::Warn(_)));
        assert_eq!(
            users.datagram(b"cset users 3"),
            Deed::Send(ControlCommand::SetUsers { users: 3 })
        );
        assert_eq!(one.datagram(b""), Deed::Nothing);
    }
}
