// SPDX-License-Identifier: AGPL-3.0-only
//! JSON for people and machines: indented by two spaces, in the order of the fields. What is in an array stands on one
//! line, objects in it on a line each, so that a time series does not take a line per number.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{Result, Write};

/// The text, with a line end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Lines::default());
    // Names and numbers are all that reports hold, and memory takes what it is given.
    let written = value.serialize(&mut serializer);
    debug_assert!(written.is_ok());
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

#[derive(Default)]
struct Lines {
    /// Objects and arrays that are open.
    depth: usize,
    /// Of those, arrays.
    arrays: usize,
    /// The object at hand has a field.
    has_field: bool,
    /// The outermost array at hand has an object.
    has_object: bool,
}

impl Lines {
    fn line<W: ?Sized + Write>(&self, out: &mut W) -> Result<()> {
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.depth += 1;
        self.arrays += 1;
        if self.arrays == 1 {
            self.has_object = false;
        }
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.depth -= 1;
        self.arrays -= 1;
        if self.arrays == 0 && self.has_object {
            self.line(out)?;
        }
        out.write_all(b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        if self.arrays == 1 {
            self.has_object = true;
            self.line(out)?;
        }
        // What is in an object in an array is on its line, whatever it is.
        if self.arrays > 0 {
            self.arrays += 1;
        }
        self.depth += 1;
        self.has_field = false;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.depth -= 1;
        if self.arrays > 0 {
            self.arrays -= 1;
        } else if self.has_field {
            self.line(out)?;
        }
        self.has_field = true;
        out.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        self.has_field = true;
        if self.arrays == 0 {
            self.line(out)?;
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn arrays_stand_on_one_line_and_objects_in_them_on_one_each() {
        let value = json!({
            "a": [1, 2, [3]],
            "b": [{"c": "x\"y", "d": {"e": [{"f": 1}]}}, {"c": {}}],
            "g": {}, "h": [], "i": {"j": {"k": 1}},
        });
        let text = pretty(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
        insta::assert_snapshot!(text, @r#"
        {
          "a": [1,2,[3]],
          "b": [
            {"c": "x\"y","d": {"e": [{"f": 1}]}},
            {"c": {}}
          ],
          "g": {},
          "h": [],
          "i": {
            "j": {
              "k": 1
            }
          }
        }
        "#);
    }
}
