// SPDX-License-Identifier: AGPL-3.0-only
//! Response timers and counters, in order of first mention.

use crate::ast::Name;
use crate::diag::codes::resolve as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::Span;
use gossipper_bytecode::{CounterId, RtdId};
use std::collections::HashMap;

/// A response timer.
#[derive(Debug)]
pub(crate) struct Rtd {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// Borders of its repartition.
    pub(crate) borders_ms: Vec<u32>,
    started: Option<Span>,
    stopped: Option<Span>,
}

/// All response timers.
#[derive(Debug, Default)]
pub(crate) struct Rtds {
    list: Vec<Rtd>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Rtds {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rtd> {
        self.list.iter()
    }

    /// The id of a timer; `None` when there are more than ids.
    pub(crate) fn id(&self, name: &Name) -> Option<RtdId> {
        self.by_name
            .get(&name.bytes)
            .and_then(|index| RtdId::new(*index))
    }

    /// The timers that are stopped and never started, with the place of a stop.
    pub(crate) fn never_started(&self) -> impl Iterator<Item = (&Rtd, Span)> {
        let unstarted = self.list.iter().filter(|rtd| rtd.started.is_none());
        unstarted.filter_map(|rtd| Some((rtd, rtd.stopped?)))
    }

    fn entry(&mut self, name: &Name) -> &mut Rtd {
        let next = self.list.len();
        let index = *self.by_name.entry(name.bytes.clone()).or_insert(next);
        if index == next {
            self.list.push(Rtd {
                name: name.bytes.clone(),
                borders_ms: Vec::new(),
                started: None,
                stopped: None,
            });
        }
        &mut self.list[index]
    }

    /// `start_rtd`
    pub(super) fn start(&mut self, name: &Name) {
        let rtd = self.entry(name);
        rtd.started = rtd.started.or(Some(name.span));
    }

    /// `rtd`
    pub(super) fn stop(&mut self, name: &Name) {
        let rtd = self.entry(name);
        rtd.stopped = rtd.stopped.or(Some(name.span));
    }

    /// `<ResponseTimeRepartition>`: holds for the timers named so far.
    pub(super) fn repartition(&mut self, borders_ms: Vec<u32>) {
        for rtd in &mut self.list {
            rtd.borders_ms.clone_from(&borders_ms);
        }
    }

    /// Reports timers that nobody stops.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        for rtd in self.list.iter().filter(|rtd| rtd.stopped.is_none()) {
            if let Some(span) = rtd.started {
                let message = format!(
                    "response timer `{}` is started and never stopped",
                    quote(&rtd.name)
                );
                diagnostics.push(
                    Diagnostic::error(codes::RTD_NEVER_STOPPED, span, message).help(format!(
                        "add `rtd=\"{}\"` to the step that ends it",
                        quote(&rtd.name)
                    )),
                );
            }
        }
    }
}

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    list: Vec<Vec<u8>>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Counters {
    /// Their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.list.iter().map(Vec::as_slice)
    }

    /// The id of a counter; `None` when there are more than ids.
    pub(crate) fn id(&self, name: &Name) -> Option<CounterId> {
        self.by_name
            .get(&name.bytes)
            .and_then(|index| CounterId::new(*index))
    }

    /// `counter`
    pub(super) fn mention(&mut self, name: &Name) {
        let next = self.list.len();
        if *self.by_name.entry(name.bytes.clone()).or_insert(next) == next {
            self.list.push(name.bytes.clone());
        }
    }
}
