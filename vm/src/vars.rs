// SPDX-License-Identifier: AGPL-3.0-only
//! Variables that outlive a call: global ones, and those of the users of `-users`.
//!
//! A user's file is made when its first call begins and stays as it is between the calls. Which file a variable is in
//! was decided when linking ([`Place`]).

use crate::call::Call;
use crate::call::regs::{Regs, Value};
use crate::link::{Image, Place};

/// The register files of a shard.
#[derive(Debug)]
pub(crate) struct Vars {
    globals: Regs,
    /// By user id less 1.
    users: Vec<Regs>,
    user_regs: usize,
}

impl Vars {
    pub(crate) fn new(image: &Image) -> Self {
        let mut globals = Regs::new(image.global_regs);
        for (name, value) in &image.params.globals {
            // Linking checked the names.
            if let Some(slot) = image.global_slot(name) {
                globals.set_text(slot, value);
            }
        }
        Self {
            globals,
            users: Vec::new(),
            user_regs: image.user_regs,
        }
    }

    /// Adds the global variables of another scenario, which this one's image knows as the first of its own
    /// ([`Image::with_globals_of`]), with the values they begin with.
    pub(crate) fn add_globals(&mut self, other: &Image) {
        for (name, value) in &other.params.globals {
            if let Some(slot) = other.global_slot(name) {
                self.globals.set_text(slot, value);
            }
        }
    }

    /// The global variables change hands.
    pub(crate) fn swap_globals(&mut self, other: &mut Self) {
        core::mem::swap(&mut self.globals, &mut other.globals);
    }

    /// Makes sure that a user has variables; to be called before its call runs.
    pub(crate) fn welcome(&mut self, user: u32) {
        let count = user as usize;
        if self.user_regs > 0 && self.users.len() < count {
            let size = self.user_regs;
            self.users.resize_with(count, || Regs::new(size));
        }
    }

    pub(crate) fn value<'v>(&'v self, call: &'v Call, place: Place) -> Value<'v> {
        match place {
            Place::Call(slot) => call.variable(usize::from(slot)),
            Place::User { user, call: own } => match self.file_of(call) {
                Some(file) => self.users[file].value(usize::from(user)),
                None => call.variable(usize::from(own)),
            },
            Place::Global(slot) => self.globals.value(usize::from(slot)),
        }
    }

    pub(crate) fn value_without_call(&self, place: Place) -> Value<'_> {
        match place {
            Place::Call(_) | Place::User { .. } => Value::Unset,
            Place::Global(slot) => self.globals.value(usize::from(slot)),
        }
    }

    /// The register file and slot of a variable.
    pub(crate) fn slot<'v>(
        &'v mut self,
        call: &'v mut Call,
        place: Place,
    ) -> (&'v mut Regs, usize) {
        match place {
            Place::Call(slot) => (&mut call.extra_mut().regs, usize::from(slot)),
            Place::User { user, call: own } => match self.file_of(call) {
                Some(file) => (&mut self.users[file], usize::from(user)),
                None => (&mut call.extra_mut().regs, usize::from(own)),
            },
            Place::Global(slot) => (&mut self.globals, usize::from(slot)),
        }
    }

    fn file_of(&self, call: &Call) -> Option<usize> {
        (call.user() as usize)
            .checked_sub(1)
            .filter(|file| *file < self.users.len())
    }
}
