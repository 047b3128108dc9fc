// SPDX-License-Identifier: AGPL-3.0-only
//! Tables with a row per period: statistics, counts of steps, unexpected codes.
//!
//! Every shard takes its figures at the same instants, multiples of the period since the run began, and hands them
//! over; a row is written when the figures of all shards are there. So rows need no timer of their own, and neither the
//! number of shards nor what else they do shows in them. A shard that slept through an instant hands over what it has
//! when it wakes; the time in a row is that at which its last figures were taken.

mod codes;
mod counts;
mod layout;
mod merge;
mod own;
mod rtt;
mod sipp;

pub(crate) use layout::Layout;
pub(super) use merge::Merger;

use std::fmt::Display;

use gossipper_bytecode::StepId;
use gossipper_control::LogCounts;
use gossipper_vm::Micros;

use super::file::{Bounds, LogFile};
use super::queue::Lost;
use super::stamp::{Stamps, TimeForm};
use crate::config::{LogConfig, LogForm, TableConfig};
use crate::error::Error;
use crate::stats::Figures;

pub(super) use codes::Codes;
pub(super) use rtt::Rtt;

/// Figures of one shard at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Which shard.
    pub(crate) shard: usize,
    /// How many periods have passed.
    pub(crate) index: u64,
    /// When they were taken.
    pub(crate) at: Micros,
    /// The shard takes no more.
    pub(crate) last: bool,
    pub(crate) state: State,
}

/// What a row shows.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) figures: Figures,
    /// Calls per second asked for.
    pub(crate) rate: f64,
    /// Users, if they and no rate open calls.
    pub(crate) users: Option<u32>,
    /// The run ends with a fault.
    pub(crate) fatal: bool,
}

/// One row: the state at its time, and that of the row before.
pub(super) struct Row<'a> {
    pub(super) layout: &'a Layout,
    pub(super) at: Micros,
    pub(super) now: &'a State,
    pub(super) before_at: Micros,
    pub(super) before: &'a State,
}

impl Row<'_> {
    /// A cumulative figure, and what has been added since the row before.
    fn both(&self, figure: impl Fn(&Figures) -> u64) -> (u64, u64) {
        let all = figure(&self.now.figures);
        (all.saturating_sub(figure(&self.before.figures)), all)
    }
}

/// A line of a table in the making.
pub(super) struct Cells<'a> {
    out: &'a mut Vec<u8>,
    delimiter: &'a str,
    /// Names are written, not values.
    names: bool,
    stamps: &'a mut Stamps,
    form: TimeForm,
    wall_base_us: u64,
}

impl Cells<'_> {
    fn push(&mut self, text: &dyn Display) {
        use std::io::Write as _;
        // Writing to memory cannot fail.
        let _ = write!(self.out, "{text}");
    }

    fn end(&mut self) {
        self.out.extend_from_slice(self.delimiter.as_bytes());
    }

    /// One column.
    pub(super) fn cell(&mut self, name: impl Display, value: impl Display) {
        if self.names {
            self.push(&name);
        } else {
            self.push(&value);
        }
        self.end();
    }

    /// A column with a time of day.
    pub(super) fn time(&mut self, name: impl Display, at: Micros) {
        if self.names {
            self.push(&name);
        } else {
            let wall_us = self.wall_base_us.saturating_add(at.0);
            self.stamps.push(self.out, wall_us, self.form);
        }
        self.end();
    }
}

/// The columns of a table.
type Columns = fn(&mut Cells<'_>, &Row<'_>, &TableConfig);

/// A table that gets a row per period.
#[derive(Debug)]
struct Table {
    file: LogFile,
    columns: Columns,
    /// The delimiter also follows the last column, as in SIPp's files.
    ends_with_delimiter: bool,
}

/// All tables, and the figures that came before.
#[derive(Debug)]
pub(super) struct Tables {
    config: TableConfig,
    delimiter: String,
    form: TimeForm,
    layout: Layout,
    wall_base_us: u64,
    tables: Vec<Table>,
    pub(super) codes: Option<Codes>,
    pub(super) rtt: Option<Rtt>,
    before: (Micros, State),
    merger: Merger,
}

impl Tables {
    /// Makes the files, with their first lines.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) fn open(
        config: &LogConfig,
        layout: Layout,
        shards: usize,
        wall_base_us: u64,
        stamps: &mut Stamps,
    ) -> Result<Self, Error> {
        let own = config.form == LogForm::Gossipper;
        let (delimiter, form) = if own {
            (",".to_owned(), TimeForm::Nanos)
        } else if config.tables.rfc3339 {
            (config.tables.delimiter.clone(), TimeForm::Rfc3339)
        } else {
            (config.tables.delimiter.clone(), TimeForm::Tabbed)
        };
        let before = (Micros(0), layout.nothing());
        let mut tables = Self {
            config: config.tables.clone(),
            delimiter,
            form,
            wall_base_us,
            tables: Vec::new(),
            codes: None,
            rtt: None,
            before,
            merger: Merger::new(shards),
            layout,
        };
        let kinds: [(_, Columns); 2] = if own {
            [
                (&config.statistics, own::statistics),
                (&config.step_counts, counts::own),
            ]
        } else {
            [
                (&config.statistics, sipp::statistics),
                (&config.step_counts, counts::sipp),
            ]
        };
        for (file, columns) in kinds {
            let Some(file) = file else {
                continue;
            };
            let mut head = Vec::new();
            let (at, state) = (tables.before.0, tables.before.1.clone());
            tables.line(stamps, &mut head, true, !own, columns, at, &state);
            let file = LogFile::lazy(file.clone(), Bounds::default())
                .with_head(head, true)
                .made(wall_base_us)?;
            tables.tables.push(Table {
                file,
                columns,
                ends_with_delimiter: !own,
            });
        }
        if let Some(file) = &config.error_codes {
            tables.codes = Some(Codes::open(file, own, form, wall_base_us)?);
        }
        if let Some(file) = &config.response_times {
            let names = tables.layout.rtd_names().map(str::to_owned).collect();
            let rtt = Rtt::open(
                file,
                own,
                &tables.config,
                &tables.delimiter,
                names,
                wall_base_us,
            )?;
            tables.rtt = Some(rtt);
        }
        Ok(tables)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what a line is made of, put together in one place"
    )]
    fn line(
        &self,
        stamps: &mut Stamps,
        out: &mut Vec<u8>,
        names: bool,
        ends_with_delimiter: bool,
        columns: Columns,
        at: Micros,
        now: &State,
    ) {
        let row = Row {
            layout: &self.layout,
            at,
            now,
            before_at: self.before.0,
            before: &self.before.1,
        };
        let mut cells = Cells {
            out: &mut *out,
            delimiter: &self.delimiter,
            names,
            stamps,
            form: self.form,
            wall_base_us: self.wall_base_us,
        };
        columns(&mut cells, &row, &self.config);
        if !ends_with_delimiter {
            out.truncate(out.len() - self.delimiter.len());
        }
        out.push(b'\n');
    }

    /// Takes the figures of a shard; writes the rows that they complete.
    pub(super) fn sample(&mut self, stamps: &mut Stamps, sample: Sample) {
        self.merger.add(sample);
        while let Some((at, state)) = self.merger.next_row() {
            self.row(stamps, at, state);
        }
    }

    fn row(&mut self, stamps: &mut Stamps, at: Micros, state: State) {
        let wall_us = self.wall_base_us.saturating_add(at.0);
        let mut tables = std::mem::take(&mut self.tables);
        let mut line = Vec::new();
        for table in &mut tables {
            line.clear();
            let ends = table.ends_with_delimiter;
            self.line(stamps, &mut line, false, ends, table.columns, at, &state);
            table.file.record(wall_us, &[&line]);
        }
        self.tables = tables;
        if let Some(codes) = &mut self.codes {
            codes.row(stamps, wall_us, at, &self.delimiter);
        }
        self.before = (at, state);
    }

    /// An unexpected response.
    pub(super) fn code(
        &mut self,
        stamps: &mut Stamps,
        wall_us: u64,
        (call, code, step): (u64, u16, StepId),
        message: &[u8],
    ) {
        if let Some(codes) = &mut self.codes {
            let expected = self.layout.step_name(step);
            codes.add(stamps, wall_us, call, code, expected, message);
        }
    }

    /// Writes what is there; at the end all of it.
    pub(super) fn flush(&mut self, lost: &Lost, end: bool) {
        for table in &mut self.tables {
            table.file.flush();
        }
        if let Some(codes) = &mut self.codes {
            codes.file.lose(lost.codes);
            codes.file.flush();
        }
        if let Some(rtt) = &mut self.rtt {
            rtt.file.lose(lost.rtts);
            if end {
                rtt.file.flush();
            }
        }
    }

    /// Adds up what has become of the records.
    pub(super) fn tally(&self, counts: &mut LogCounts) {
        let files = self
            .tables
            .iter()
            .map(|table| &table.file)
            .chain(self.codes.as_ref().map(|codes| &codes.file))
            .chain(self.rtt.as_ref().map(|rtt| &rtt.file));
        for file in files {
            super::add_up(counts, file);
        }
    }
}

/// A time of whole milliseconds as `HH:MM:SS:mmm000`.
pub(super) fn long_clock(ms: u64) -> String {
    format!("{}:{:03}000", clock(ms / 1000), ms % 1000)
}

/// A time of whole seconds as `HH:MM:SS`.
pub(super) fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests;
