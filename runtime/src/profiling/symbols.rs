// SPDX-License-Identifier: AGPL-3.0-only
//! Addresses as functions. A function that was inlined has a frame of its own, where the binary says so.

use std::collections::HashMap;

use super::Profile;

/// A function, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: u32,
}

/// Frames by their address: at each the innermost of what was inlined first, and never none.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<usize, Vec<Frame>>);

impl Names {
    pub(super) fn of(&mut self, ip: usize) -> &[Frame] {
        self.0.entry(ip).or_insert_with(|| look_up(ip))
    }
}

fn look_up(ip: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    backtrace::resolve(ip as *mut std::ffi::c_void, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        let file = symbol.filename().map(|path| path.display().to_string());
        frames.push(Frame {
            name: name.unwrap_or_else(|| format!("{ip:#x}")),
            file: file.unwrap_or_default(),
            line: symbol.lineno().unwrap_or(0),
        });
    });
    if frames.is_empty() {
        frames.push(Frame {
            name: format!("{ip:#x}"),
            file: String::new(),
            line: 0,
        });
    }
    frames
}

/// See [`Profile::to_collapsed`].
pub(super) fn collapsed(profile: &Profile) -> String {
    let mut names = Names::default();
    let mut lines: HashMap<String, i64> = HashMap::new();
    for (stack, figures) in &profile.samples {
        let mut line = String::new();
        for ip in stack.iter().rev() {
            for frame in names.of(*ip).iter().rev() {
                if !line.is_empty() {
                    line.push(';');
                }
                // What separates frames and figures has no place in a name.
                line.extend(frame.name.chars().map(|c| match c {
                    ';' => ',',
                    '\n' | '\r' => ' ',
                    c => c,
                }));
            }
        }
        let figure = figures.get(profile.default).copied().unwrap_or(0);
        if figure > 0 && !line.is_empty() {
            *lines.entry(line).or_default() += figure;
        }
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort();
    lines
        .into_iter()
        .map(|(line, figure)| format!("{line} {figure}\n"))
        .collect()
}
