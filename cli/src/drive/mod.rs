// SPDX-License-Identifier: AGPL-3.0-only
//! A run while it lasts: signals and keys in, progress out, and the verdict at the end.
//!
//! One small loop on the main thread; calls live elsewhere. Signal handlers are in place before the first socket is
//! bound, so whoever sees the port taken may interrupt.
//!
//! COMPAT(sipp): SIPp leaves at the first SIGINT, and so does who stands in for it; elsewhere the first drains, the second
//! aborts the open calls, and a third ends the program (docs/adr/0009-dialects.md).

use crate::background;
use crate::exit::ExitCode;
use crate::flags::high::HiArgs;
use crate::inject;
use crate::ladder::Charset;
use crate::operator::control::{ControlSocket, Opened};
use crate::operator::keyboard::Keyboard;
use crate::operator::{Deed, Operator};
use crate::profiles::{Profiles, server};
use crate::report::{shapes, summary};
use crate::results::Reports;
use crate::screens::dump::Dump;
use crate::screens::layout::Layout;
use crate::screens::rows::Rows;
use crate::screens::{self, Frame, Screen};
use crate::stdio;
use crate::trouble;
use crate::voice;
use crate::words;
use display::{Display, Shown};
pub(crate) use display::{tick, ticks};
use gossipper_control::{Phase, Snapshot};
use gossipper_runtime::config::{EngineConfig, LogForm, RunConfig};
use gossipper_runtime::logs::default_file_name;
use gossipper_runtime::{Controller, Ending, Run, RunReport, Viewer};
use requests::{Requests, Wish};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
pub(crate) use verdict::failed;
use verdict::verdict;

mod display;
mod oversized;
mod progress_line;
mod requests;
mod signals;
mod verdict;

pub(crate) use signals::{Signals, survive_file_limit};

/// How long one wait for the end of a run lasts before it is begun again.
const WATCH: Duration = Duration::from_secs(3_600);

/// Runs to the end, prints the summary and says how the program ends.
pub(crate) fn run(args: &HiArgs, config: RunConfig) -> ExitCode {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    let profiles = Profiles::start(&args.profiles);
    match reactor {
        Ok(reactor) => profiles.finish(reactor.block_on(drive(args, config))),
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
    let in_background = args.running.background;
    if let Some(time) = args.running.sleep {
        // Whoever started it does not wait for it.
        if in_background && let Some(code) = leave_terminal() {
            return code;
        }
        tokio::select! {
            () = sleep(time) => {}
            () = signals.end() => return ExitCode::Good,
        }
    }
    let mut control = match control_socket(args) {
        Ok(control) => control,
        Err(code) => return code,
    };
    let sipps = config.logs.form == LogForm::Sipp;
    let (layouts, mut dump) = (layouts(args, &config), dump(args, &config));
    let row_period = config.logs.tables.period;
    // COMPAT(sipp): the file of the screens is made before the run.
    if sipps
        && args.running.trace_screen
        && let Err(error) = dump.open()
    {
        let path = dump.path().display().to_string();
        stdio::error_as(
            &words::not_created(&path),
            &format!("cannot open `{path}`: {error}"),
        );
        return ExitCode::Failed;
    }
    let rows = match rows(args) {
        Ok(rows) => rows,
        Err(error) => {
            stdio::error(&error);
            return ExitCode::Fatal;
        }
    };
    let sipps_files = sipps.then(|| config.main.program.name.clone());
    // What was asked for fits the scenario: that was checked when the settings were made.
    let per_call = args.rates.unit.per_call(&config.main.program);
    let mut reports = Reports::new(&args.results, config.main.transport.name());
    if let Err(code) = reports.bind().await {
        return code;
    }
    if let Some(address) = args.profiles.server {
        match server::Server::open(address).await {
            Ok(server) => drop(tokio::spawn(server.serve())),
            Err(code) => return code,
        }
    }
    let error_file = config.logs.errors.as_ref().map(|file| file.path.clone());
    let run = match Run::start(config) {
        Ok(run) => Arc::new(run),
        Err(error) => return failed(&error, sipps),
    };
    voice::run_begun();
    if in_background
        && args.running.sleep.is_none()
        && let Some(code) = leave_terminal()
    {
        return code;
    }
    let viewer = run.viewer();
    reports.serve(&viewer);
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
    let mut keyboard = if args.read_keys && !in_background {
        Keyboard::open()
    } else {
        None
    };
    let mut session = Session {
        args,
        controller: run.controller(),
        operator: Operator::new(
            args.rate_scale,
            per_call.unwrap_or(1.0),
            args.users.is_some(),
        )
        .with_beside(args.beside.as_ref().map(|(kind, _)| *kind)),
        requests: Requests::default(),
        last: run.snapshot(),
        before: Snapshot::default(),
        layouts,
        dump,
        rows,
        sipps_files,
        told_oversized: false,
    };
    let mut row_due = ticks(session.rows.as_ref().map(|_| row_period));
    let mut line_due = ticks(args.running.line_period);
    let mut display = Display::new(
        args.refresh.filter(|_| !in_background),
        args.events.as_ref().is_some_and(|events| events.text) && stdio::stderr_is_terminal(),
    );
    session.draw(&mut display, &run.snapshot());
    let ended = loop {
        let deed = tokio::select! {
            biased;
            _ = &mut ended => break true,
            _ = signals.int.recv() => Asked::Wish(Wish::Interrupt),
            _ = signals.term.recv() => Asked::Wish(Wish::Interrupt),
            _ = signals.usr1.recv() => match session.rows {
                Some(_) => Asked::Deed(Deed::DumpScreens, Source::Operator),
                None => Asked::Wish(Wish::Quit),
            },
            _ = signals.usr2.recv() => Asked::Deed(Deed::DumpScreens, Source::Signal),
            _ = signals.oversized.recv() => {
                session.oversized();
                continue;
            }
            _ = signals.stop.recv() => {
                pause_program(&mut display, keyboard.as_ref());
                continue;
            }
            key = next_key(&mut keyboard) => match key {
                Some(byte) => Asked::Deed(session.operator.key(byte), Source::Operator),
                None => {
                    keyboard = None;
                    continue;
                }
            },
            () = display.due() => {
                session.tick(&mut display, run.snapshot());
                continue;
            }
            () = reports.due() => {
                if !reports.look(&viewer) {
                    continue;
                }
                Asked::Wish(Wish::Stop)
            }
            () = tick(&mut row_due) => {
                session.add_row(&run.snapshot());
                continue;
            }
            () = tick(&mut line_due) => {
                display.clear();
                stdio::err(&summary::line(&run.snapshot()));
                continue;
            }
            datagram = next_datagram(&mut control) => {
                Asked::Deed(session.operator.datagram(datagram), Source::Operator)
            }
        };
        let wish = match deed {
            Asked::Wish(wish) => wish,
            Asked::Deed(deed, source) => {
                let snapshot = run.snapshot();
                match session.obey(deed, source, &snapshot) {
                    Some(wish) => wish,
                    None => {
                        session.draw(&mut display, &snapshot);
                        continue;
                    }
                }
            }
        };
        if !session.ask(wish, run.snapshot()) {
            break false;
        }
        session.draw(&mut display, &run.snapshot());
    };
    display.clear();
    drop(display);
    drop(keyboard);
    let report = match Arc::try_unwrap(run) {
        Ok(run) if ended => match run.finish() {
            Ok(report) => report,
            Err(error) => return failed(&error, sipps),
        },
        // Left early: the watcher still holds the run, which ends with the program.
        Ok(run) => given_up(&run.viewer()),
        Err(run) => given_up(&run.viewer()),
    };
    // What was written last may have been too much.
    yield_now().await;
    if timeout(Duration::ZERO, signals.oversized.recv())
        .await
        .is_ok()
    {
        session.oversized();
    }
    if session.rows.is_some() {
        session.add_row(&report.snapshot);
    } else if args.running.trace_screen {
        session.dump_screens(&report.snapshot);
    }
    trouble::say(&report.snapshot);
    let code = verdict(&report.ending, &report.snapshot);
    let colour = session.sipps_files.is_none() && stdio::stdout_takes_colour();
    let (code, health) = reports.finish(&report, code, colour);
    let charset = if stdio::locale_is_utf8() {
        Charset::Boxes
    } else {
        Charset::Ascii
    };
    let shapes = shapes::text(report.snapshot.failure_shapes.as_deref(), charset);
    if session.sipps_files.is_some() {
        if !matches!(report.ending, Ending::Fatal(_) | Ending::TimeoutError(_)) {
            voice::last_warning(&report.snapshot);
        }
        // What scripts read is where SIPp puts it; what it does not say comes beside it.
        if !in_background {
            stdio::out(&session.last_screens(&report.snapshot));
        }
        stdio::err(&summary::text(&report.snapshot, false));
        stdio::err(&shapes);
        stdio::err(&health);
        stdio::err(&summary::line(&report.snapshot));
    } else {
        stdio::out(&summary::text(&report.snapshot, colour));
        stdio::out(&shapes);
        stdio::out(&health);
        stdio::out(&summary::line(&report.snapshot));
    }
    // COMPAT(sipp): an error file that cannot be made ends SIPp with this code, at the first event for it.
    let unmade = |path: &std::path::PathBuf| report.snapshot.logs.error.is_some() && !path.exists();
    let written = !(sipps && error_file.as_ref().is_some_and(unmade));
    if inject::write_back(args, &report.edited) && written {
        code
    } else {
        ExitCode::Fatal
    }
}

/// Somebody asks for something.
enum Asked {
    /// For an end.
    Wish(Wish),
    /// For something else.
    Deed(Deed, Source),
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Keys and commands.
    Operator,
    /// A signal.
    Signal,
}

/// A run and what its operator has made of it so far.
struct Session<'a> {
    args: &'a HiArgs,
    controller: Controller,
    operator: Operator,
    requests: Requests,
    /// The figures when the display was last due, and before that.
    last: Snapshot,
    before: Snapshot,
    layouts: Vec<Layout>,
    dump: Dump,
    /// The table of their figures, in place of the screens.
    rows: Option<Rows>,
    /// Files are SIPp's, and have this scenario in their names.
    sipps_files: Option<String>,
    /// It was told that a file has reached its limit.
    told_oversized: bool,
}

impl Session<'_> {
    fn frame<'a>(&'a self, now: &'a Snapshot) -> Frame<'a> {
        Frame {
            now,
            before: &self.before,
            layouts: &self.layouts,
            view: self.operator.view,
        }
    }

    /// A period of the display is over.
    fn tick(&mut self, display: &mut Display, now: Snapshot) {
        self.before = std::mem::replace(&mut self.last, now);
        match &mut display.shown {
            Shown::Screens(screens) => {
                screens.draw(&self.frame(&self.last), self.operator.typed.as_deref());
            }
            Shown::Line(line) => line.show(&self.last),
        }
    }

    /// Something was asked for, which the screens are to show.
    fn draw(&self, display: &mut Display, now: &Snapshot) {
        if let Shown::Screens(screens) = &mut display.shown {
            screens.draw(&self.frame(now), self.operator.typed.as_deref());
        }
    }

    /// Does what was asked for, unless it is the end.
    fn obey(&mut self, deed: Deed, source: Source, snapshot: &Snapshot) -> Option<Wish> {
        match deed {
            Deed::Quit => return Some(Wish::Quit),
            Deed::Stop => return Some(Wish::Stop),
            Deed::Nothing | Deed::Redraw => {}
            Deed::Send(command) => {
                // A key too many is a key lost; the screens show what became of it.
                let _: bool = self.controller.send(command);
            }
            // COMPAT(sipp): the key writes into a file that is there, the signal makes one.
            Deed::DumpScreens => {
                if source == Source::Operator && self.rows.is_some() {
                    self.add_row(snapshot);
                } else if source == Source::Signal
                    || self.args.running.trace_screen
                    || self.dump.is_open()
                {
                    self.dump_screens(snapshot);
                }
            }
            Deed::DumpTasks => self.say(tasks(snapshot), false),
            Deed::DumpVariables => {
                let variables = self.layouts.first().map(|layout| &layout.variables[..]);
                let text = format!("variables: {}", variables.unwrap_or_default().join(", "));
                self.say(text, false);
            }
            Deed::Warn(text) => self.say(text, true),
        }
        None
    }

    /// The screen that was shown and that of the statistics, as SIPp leaves them on standard output.
    fn last_screens(&self, now: &Snapshot) -> String {
        let shown = self.operator.view.screen;
        let of = |screen| {
            let mut frame = self.frame(now);
            frame.view.screen = screen;
            screens::text(&frame)
        };
        let mut text = of(shown);
        if shown != Screen::Statistics {
            text.push_str(&of(Screen::Statistics));
        }
        text
    }

    /// Adds a row to the table of the screens' figures.
    fn add_row(&mut self, now: &Snapshot) {
        if let Some(rows) = &mut self.rows
            && let Err(error) = rows.add(now)
        {
            self.say(error, true);
        }
    }

    /// Writes the screens to their file.
    fn dump_screens(&mut self, now: &Snapshot) {
        let frame = Frame {
            now,
            before: &self.before,
            layouts: &self.layouts,
            view: self.operator.view,
        };
        if let Err(error) = self.dump.write(&frame) {
            self.say(error, true);
        }
    }

    /// A file has reached the limit on file sizes. It is told once; every record that is lost is counted.
    fn oversized(&mut self) {
        if std::mem::replace(&mut self.told_oversized, true) {
            return;
        }
        let text = "a file has reached the limit on file sizes: what does not fit is lost";
        self.say(text.to_owned(), true);
        if let Some(scenario) = &self.sipps_files
            && let Err(error) = oversized::write(scenario)
        {
            self.say(error, true);
        }
    }

    fn say(&self, text: String, warning: bool) {
        // A run that has just ended has nothing more to say.
        let _: bool = self.controller.say(text, warning);
    }

    /// Asks the run for its end; false to leave it at once.
    fn ask(&mut self, wish: Wish, snapshot: Snapshot) -> bool {
        let phase = snapshot
            .main()
            .map_or(Phase::Running, |engine| engine.phase);
        let before = self.requests;
        match self.requests.step(wish, phase, self.sipps_files.is_some()) {
            Some(command) if self.controller.send(command) => true,
            // The run has just ended, or has too many commands to look at: the wish may be repeated.
            Some(_) => {
                self.requests = before;
                true
            }
            // Whoever asks a third time does not want to wait for anything.
            None => false,
        }
    }
}

/// What goes on, on one line.
fn tasks(snapshot: &Snapshot) -> String {
    let engines = snapshot.engines.iter().map(|engine| {
        let calls = &engine.calls;
        format!(
            "scenario {}: {:?}, {} calls open, {} created, {} calls a second asked for{}",
            engine.scenario,
            engine.phase,
            calls.current,
            calls.created(),
            engine.rate.target,
            if engine.rate.paused { ", paused" } else { "" },
        )
    });
    format!("tasks: {}", engines.collect::<Vec<_>>().join("; "))
}

/// What the screens know of the scenarios.
fn layouts(args: &HiArgs, config: &RunConfig) -> Vec<Layout> {
    let of = |engine: &EngineConfig| {
        Layout::of(
            &engine.program,
            engine.transport.name(),
            engine.params.pause_ms,
            config.pacing.rate.period_ms(),
            args.circuits.as_ref(),
        )
    };
    let mut layouts: Vec<Layout> = std::iter::once(&config.main)
        .chain(&config.answerer)
        .map(of)
        .collect();
    if let Some(beside) = &config.main.beside {
        // It has the socket and the flags of the main one.
        let engine = EngineConfig {
            program: Arc::clone(&beside.program),
            ..config.main.clone()
        };
        layouts.push(of(&engine));
    }
    layouts
}

/// Where screens are written to.
fn dump(args: &HiArgs, config: &RunConfig) -> Dump {
    let default = || {
        let scenario = &config.main.program.name;
        default_file_name(scenario, std::process::id(), "screen").into()
    };
    let named = args.running.screen_file.clone();
    // Where there is a table, that has the name.
    let named = named.filter(|_| config.logs.form == LogForm::Sipp);
    let file = named.unwrap_or_else(default);
    Dump::new(file, args.running.screen_overwrite)
}

/// The table of the screens' figures, if there is to be one.
fn rows(args: &HiArgs) -> Result<Option<Rows>, String> {
    let path = args.traces.screen_table(std::process::id());
    let Some(path) = path.filter(|_| args.running.trace_screen) else {
        return Ok(None);
    };
    let path = args.running.screen_file.clone().unwrap_or(path);
    Rows::open(path, args.running.screen_overwrite).map(Some)
}

/// Opens the control socket, if there is to be one.
fn control_socket(args: &HiArgs) -> Result<Option<ControlSocket>, ExitCode> {
    let Some(address) = args.running.control else {
        return Ok(None);
    };
    match ControlSocket::open(address) {
        Ok(Opened::Open(socket)) => Ok(Some(socket)),
        Ok(Opened::NoneFree) => {
            stdio::note("no control socket: none of the ports 8888 to 8947 is free");
            Ok(None)
        }
        // COMPAT(sipp): without a port of its own it is done without.
        Err(error) if address.port.is_none() && args.traces.form() == LogForm::Sipp => {
            stdio::note(&format!("no control socket at {}: {error}", address.ip));
            Ok(None)
        }
        Err(error) => {
            let port = address.port.unwrap_or_default();
            let whose = format!("{}:{port}", address.ip);
            stdio::error(&format!(
                "cannot bind the control socket to {whose}: {error}"
            ));
            Err(if error.kind() == ErrorKind::AddrInUse {
                ExitCode::Bind
            } else {
                ExitCode::Fatal
            })
        }
    }
}

/// Goes to the background; the code to end with when that cannot be done.
fn leave_terminal() -> Option<ExitCode> {
    let error = background::begun().err()?;
    stdio::error(&format!("cannot leave the terminal: {error}"));
    Some(ExitCode::Fatal)
}

/// Stops the program as the terminal asks for (Ctrl-Z), with the terminal as it was before; goes on when it is told to.
fn pause_program(display: &mut Display, keyboard: Option<&Keyboard>) {
    if let Shown::Screens(screens) = &mut display.shown {
        screens.leave();
    }
    if let Some(keyboard) = keyboard {
        keyboard.leave();
    }
    let own = rustix::process::getpid();
    // Nothing stands against stopping oneself.
    let _ = rustix::process::kill_process(own, rustix::process::Signal::STOP);
    if let Some(keyboard) = keyboard {
        keyboard.come_back();
    }
    if let Shown::Screens(screens) = &mut display.shown {
        screens.come_back();
    }
}

/// What is known of a run that nobody waits for any more.
fn given_up(run: &Viewer) -> RunReport {
    RunReport {
        snapshot: run.snapshot(),
        measures: run.measures().map(Box::new),
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

/// The next datagram; never comes without a control socket.
async fn next_datagram(control: &mut Option<ControlSocket>) -> &[u8] {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}
