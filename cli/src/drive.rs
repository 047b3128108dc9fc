// SPDX-License-Identifier: AGPL-3.0-only
//! A run while it lasts: signals and keys in, progress out, and the verdict at the end.
//!
//! One small loop on the main thread; calls live elsewhere. Signal handlers are in place before the first socket is
//! bound, so whoever sees the port taken may interrupt.
//!
//! COMPAT(sipp): SIPp leaves at the first SIGINT; here the first drains, the second aborts the open calls, and a third
//! ends the program (docs/adr/0009-dialects.md).

use crate::exit::ExitCode;
use crate::flags::high::HiArgs;
use crate::inject;
use crate::keys::{self, Key, Keyboard};
use crate::report::{progress, summary};
use crate::stdio;
use crate::trouble::TraceTrouble;
use gossipper_control::{ControlCommand, Phase, Snapshot};
use gossipper_runtime::config::RunConfig;
use gossipper_runtime::{Ending, Error, Run, RunReport};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Least time between two progress lines in a file or pipe: a log is read later, and whole.
const LOG_PERIOD: Duration = Duration::from_secs(10);
/// How long one wait for the end of a run lasts before it is begun again.
const WATCH: Duration = Duration::from_secs(3_600);
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// Runs to the end, prints the summary and says how the program ends.
pub(crate) fn run(args: &HiArgs, config: RunConfig) -> ExitCode {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    match reactor {
        Ok(reactor) => reactor.block_on(drive(args, config)),
        Err(error) => {
            stdio::error(&format!("cannot wait for signals: {error}"));
            ExitCode::Fatal
        }
    }
}

async fn drive(args: &HiArgs, config: RunConfig) -> ExitCode {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            stdio::error(&format!("cannot handle signals: {error}"));
            return ExitCode::Fatal;
        }
    };
    let run = match Run::start(config) {
        Ok(run) => Arc::new(run),
        Err(error) => return failed(&error),
    };
    let controller = run.controller();
    let (done, mut ended) = oneshot::channel();
    let watched = Arc::clone(&run);
    let watcher = std::thread::Builder::new()
        .name("watcher".to_owned())
        .spawn(move || {
            while !watched.wait_for(WATCH) {}
            drop(watched);
            // The receiver is only gone when nobody waits any more.
            let _ = done.send(());
        });
    if let Err(error) = watcher {
        stdio::error(&format!("cannot start a thread: {error}"));
        return ExitCode::Fatal;
    }
    let mut keyboard = if args.read_keys {
        Keyboard::open()
    } else {
        None
    };
    let mut display = Display::new(args.refresh);
    let mut trouble = TraceTrouble::default();
    let mut requests = Requests::default();
    let ended = loop {
        let wish = tokio::select! {
            biased;
            _ = &mut ended => break true,
            _ = signals.int.recv() => Wish::Interrupt,
            _ = signals.term.recv() => Wish::Interrupt,
            _ = signals.usr1.recv() => Wish::Quit,
            key = next_key(&mut keyboard) => match key.map(|byte| keys::meaning(byte, args.rate_scale)) {
                Some(Some(Key::Quit)) => Wish::Quit,
                Some(Some(Key::Stop)) => Wish::Stop,
                Some(Some(Key::Command(command))) => {
                    // A key too many is a key lost; the next line shows what became of it.
                    let _: bool = controller.send(command);
                    continue;
                }
                Some(None) => continue,
                None => {
                    keyboard = None;
                    continue;
                }
            },
            () = display.due() => {
                let snapshot = run.snapshot();
                trouble.say(&snapshot, || display.clear());
                display.show(&snapshot);
                continue;
            }
        };
        let phase = run
            .snapshot()
            .main()
            .map_or(Phase::Running, |engine| engine.phase);
        let before = requests;
        match requests.step(wish, phase) {
            Some(command) if controller.send(command) => {}
            // The run has just ended, or has too many commands to look at: the wish may be repeated.
            Some(_) => requests = before,
            // Whoever asks a third time does not want to wait for anything.
            None => break false,
        }
    };
    display.clear();
    drop(keyboard);
    let report = match Arc::try_unwrap(run) {
        Ok(run) if ended => match run.finish() {
            Ok(report) => report,
            Err(error) => return failed(&error),
        },
        // Left early: the watcher still holds the run, which ends with the program.
        Ok(run) => given_up(run.snapshot()),
        Err(run) => given_up(run.snapshot()),
    };
    trouble.say(&report.snapshot, || {});
    stdio::out(&summary::text(
        &report.snapshot,
        stdio::stdout_takes_colour(),
    ));
    stdio::out(&summary::line(&report.snapshot));
    let code = verdict(&report.ending, &report.snapshot);
    if inject::write_back(args, &report.edited) {
        code
    } else {
        ExitCode::Fatal
    }
}

/// What is known of a run that nobody waits for any more.
fn given_up(snapshot: Snapshot) -> RunReport {
    RunReport {
        snapshot,
        ending: Ending::Stopped,
        edited: Vec::new(),
    }
}

/// The next key; never comes when there is no keyboard.
async fn next_key(keyboard: &mut Option<Keyboard>) -> Option<u8> {
    match keyboard {
        Some(keyboard) => keyboard.next().await,
        None => std::future::pending().await,
    }
}

/// Says what went wrong with the machine, and which exit code that is.
fn failed(error: &Error) -> ExitCode {
    stdio::error(&error.to_string());
    match error {
        error if error.is_address_in_use() => ExitCode::Bind,
        // What the scenario and the flags do not agree on is a wrong command line, nothing of the machine's.
        Error::Link(_) => ExitCode::Failed,
        _ => ExitCode::Fatal,
    }
}

/// The exit code of a run that ended. The main scenario counts, as it does in SIPp.
fn verdict(ending: &Ending, snapshot: &Snapshot) -> ExitCode {
    let (succeeded, failed) = snapshot.main().map_or((0, 0), |engine| {
        (engine.calls.succeeded, engine.calls.failed)
    });
    let by_calls = if failed > 0 {
        ExitCode::Failed
    } else {
        ExitCode::Good
    };
    match ending {
        Ending::Completed
        | Ending::Drained
        | Ending::Stopped
        | Ending::TimedOutGlobally
        | Ending::TwinEnded => by_calls,
        Ending::TimedOut if succeeded + failed == 0 => ExitCode::Stopped,
        Ending::TimedOut => by_calls,
        Ending::StopNow => ExitCode::Stopped,
        Ending::TimeoutError => {
            stdio::error("the run reached its -timeout");
            ExitCode::Fatal
        }
        Ending::Fatal(text) => {
            stdio::error(text);
            ExitCode::Fatal
        }
    }
}

/// What somebody wants of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    /// SIGINT or SIGTERM.
    Interrupt,
    /// Key `q` or SIGUSR1.
    Quit,
    /// Key `Q`.
    Stop,
}

/// How far the wishes have gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Requests {
    /// Nobody has asked for an end.
    #[default]
    None,
    /// The run was asked to drain.
    Drain,
    /// The run was asked to abort its calls.
    Stop,
}

impl Requests {
    /// What the run is to be told; `None` is to leave it at once.
    fn step(&mut self, wish: Wish, phase: Phase) -> Option<ControlCommand> {
        // A run that drains by itself, because of -m for instance, is where the first wish would have led.
        let draining = *self == Self::Drain || phase != Phase::Running;
        match (wish, *self) {
            (Wish::Interrupt, Self::Stop) => None,
            (Wish::Interrupt | Wish::Quit, Self::None | Self::Drain) if !draining => {
                *self = Self::Drain;
                Some(ControlCommand::Drain)
            }
            (Wish::Interrupt | Wish::Quit | Wish::Stop, _) => {
                *self = Self::Stop;
                Some(ControlCommand::Stop)
            }
        }
    }
}

/// The signals that mean something.
struct Signals {
    int: Signal,
    term: Signal,
    usr1: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            usr1: signal(SignalKind::user_defined1())?,
        })
    }
}

/// The progress line on standard error.
struct Display {
    ticks: Option<Interval>,
    terminal: bool,
    escapes: bool,
    drawn: usize,
}

impl Display {
    fn new(refresh: Option<Duration>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let ticks = refresh.map(|refresh| {
            let mut ticks = interval(if terminal {
                refresh
            } else {
                refresh.max(LOG_PERIOD)
            });
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first tick of an interval is at once, when there is nothing to see.
            ticks.reset();
            ticks
        });
        Self {
            ticks,
            terminal,
            escapes: std::env::var_os("TERM").is_some_and(|term| term != "dumb"),
            drawn: 0,
        }
    }

    /// Waits until the line is to be drawn.
    async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => {
                ticks.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        if !self.terminal {
            if let Some(line) = progress::line(snapshot, usize::MAX) {
                stdio::err(&format!("{line}\n"));
            }
            return;
        }
        let columns = rustix::termios::tcgetwinsize(std::io::stderr())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .unwrap_or(COLUMNS);
        // The last column stays free: a line that fills it makes some terminals scroll.
        if let Some(line) = progress::line(snapshot, columns - 1) {
            self.replace(&line);
        }
    }

    /// Removes the line, so that what follows begins on a clean one.
    fn clear(&mut self) {
        if self.drawn > 0 {
            self.replace("");
            stdio::err("\r");
            self.drawn = 0;
        }
    }

    fn replace(&mut self, line: &str) {
        let rest = if self.escapes {
            "\x1b[K".to_owned()
        } else {
            " ".repeat(self.drawn.saturating_sub(line.len()))
        };
        stdio::err(&format!("\r{line}{rest}"));
        self.drawn = line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_first_interrupt_drains_the_second_aborts_the_third_leaves() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running),
            Some(ControlCommand::Drain)
        );
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Draining),
            Some(ControlCommand::Stop)
        );
        assert_eq!(requests.step(Wish::Interrupt, Phase::Aborting), None);
    }

    #[test]
    fn a_second_interrupt_aborts_even_before_the_snapshot_shows_the_first() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running),
            Some(ControlCommand::Drain)
        );
        assert_eq!(
            requests.step(Wish::Interrupt, Phase::Running),
            Some(ControlCommand::Stop)
        );
    }

    #[test]
    fn a_run_that_drains_by_itself_is_aborted_by_one_wish() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Quit, Phase::Draining),
            Some(ControlCommand::Stop)
        );
    }

    #[test]
    fn keys_never_leave_calls_behind() {
        let mut requests = Requests::default();
        assert_eq!(
            requests.step(Wish::Stop, Phase::Running),
            Some(ControlCommand::Stop)
        );
        for _ in 0..3 {
            assert_eq!(
                requests.step(Wish::Quit, Phase::Aborting),
                Some(ControlCommand::Stop)
            );
        }
    }

    #[test]
    fn the_exit_code_follows_the_calls_unless_the_run_was_cut_short() {
        let failed = sample::client();
        let mut good = sample::client();
        good.engines[0].calls.failed = 0;
        let mut none = good.clone();
        none.engines[0].calls.succeeded = 0;
        for ending in [
            Ending::Completed,
            Ending::Drained,
            Ending::Stopped,
            Ending::TimedOutGlobally,
            Ending::TwinEnded,
        ] {
            assert_eq!(verdict(&ending, &good), ExitCode::Good, "{ending:?}");
            assert_eq!(verdict(&ending, &failed), ExitCode::Failed, "{ending:?}");
            assert_eq!(verdict(&ending, &none), ExitCode::Good, "{ending:?}");
        }
        assert_eq!(verdict(&Ending::TimedOut, &good), ExitCode::Good);
        assert_eq!(verdict(&Ending::TimedOut, &none), ExitCode::Stopped);
        assert_eq!(verdict(&Ending::StopNow, &good), ExitCode::Stopped);
        assert_eq!(verdict(&Ending::TimeoutError, &good), ExitCode::Fatal);
        assert_eq!(
            verdict(&Ending::Fatal(String::new()), &good),
            ExitCode::Fatal
        );
    }
}
