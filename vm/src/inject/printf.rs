// SPDX-License-Identifier: AGPL-3.0-only
//! `%06d` in the fields of a file with `PRINTF=`: one record stands for many lines.
//!
//! The number is offset + line x multiple. Between `%` and `d` stand digits, `.` and `-` with their meaning in C; any
//! other conversion cannot be printed. COMPAT(sipp): `%%` prints one `%` and begins a conversion.

use super::file::InjectError;
use memchr::memmem;

/// Widest number that is printed.
const WIDTH_MAX: usize = 256;

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Printf {
    /// Number of virtual lines.
    pub(super) lines: u32,
    offset: i64,
    multiple: i64,
}

/// The conversion is no `%d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadConversion;

impl Printf {
    /// Reads `PRINTF=`, `PRINTFOFFSET=` and `PRINTFMULTIPLE=`; `None` without the first.
    pub(super) fn of_header(header: &[u8]) -> Result<Option<Self>, InjectError> {
        let Some(lines) = number(header, "PRINTF=")? else {
            return Ok(None);
        };
        let lines = u32::try_from(lines).map_err(|_| InjectError::PrintfLines)?;
        if lines == 0 || lines == u32::MAX {
            return Err(InjectError::PrintfLines);
        }
        Ok(Some(Self {
            lines,
            offset: number(header, "PRINTFOFFSET=")?.unwrap_or(0),
            multiple: number(header, "PRINTFMULTIPLE=")?.unwrap_or(1),
        }))
    }

    /// Prints a field of a virtual line.
    pub(super) fn print(
        &self,
        line: u32,
        field: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BadConversion> {
        let value = i64::from(line)
            .wrapping_mul(self.multiple)
            .wrapping_add(self.offset);
        let mut rest = field;
        while let Some(at) = memchr::memchr(b'%', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            if rest.first() == Some(&b'%') {
                out.push(b'%');
                continue;
            }
            let flags = rest
                .iter()
                .take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'))
                .count();
            if rest.get(flags) != Some(&b'd') {
                return Err(BadConversion);
            }
            convert(&rest[..flags], value, out);
            rest = &rest[flags + 1..];
        }
        out.extend_from_slice(rest);
        Ok(())
    }
}

/// Prints a number as `%<flags>d` does.
fn convert(flags: &[u8], value: i64, out: &mut Vec<u8>) {
    let mut rest = flags;
    let (mut left, mut zeros) = (false, false);
    while let Some((flag @ (b'-' | b'0'), more)) = rest.split_first() {
        left |= *flag == b'-';
        zeros |= *flag == b'0';
        rest = more;
    }
    let mut parts = rest.splitn(2, |byte| *byte == b'.');
    let size = |digits: &[u8]| {
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        digits
            .fold(0usize, |n, digit| {
                n.saturating_mul(10)
                    .saturating_add(usize::from(digit - b'0'))
            })
            .min(WIDTH_MAX)
    };
    let width = parts.next().map_or(0, size);
    let precision = parts.next().map(size);
    let mut digits = value.unsigned_abs().to_string();
    if precision == Some(0) && value == 0 {
        digits.clear();
    }
    let sign = if value < 0 { "-" } else { "" };
    let least = match precision {
        Some(precision) => precision,
        None if zeros && !left => width.saturating_sub(sign.len()),
        None => 0,
    };
    let zeros = least.saturating_sub(digits.len());
    let blanks = width.saturating_sub(sign.len() + zeros + digits.len());
    let fill = |byte: u8, count: usize, out: &mut Vec<u8>| out.resize(out.len() + count, byte);
    if !left {
        fill(b' ', blanks, out);
    }
    out.extend_from_slice(sign.as_bytes());
    fill(b'0', zeros, out);
    out.extend_from_slice(digits.as_bytes());
    if left {
        fill(b' ', blanks, out);
    }
}

fn number(header: &[u8], name: &'static str) -> Result<Option<i64>, InjectError> {
    let Some(at) = memmem::find(header, name.as_bytes()) else {
        return Ok(None);
    };
    let rest = &header[at + name.len()..];
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'-')
        .count();
    // A carriage return is the end of the line, which SIPp does not see here and refuses.
    let ended = matches!(rest.get(length), None | Some(b',' | b'\r' | b' '));
    core::str::from_utf8(&rest[..length])
        .ok()
        .filter(|_| ended)
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or(InjectError::BadNumber(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(flags: &str, value: i64) -> String {
        let mut out = Vec::new();
        convert(flags.as_bytes(), value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn conversions_are_those_of_c() {
        assert_eq!(print("", 7), "7");
        assert_eq!(print("06", 100), "000100");
        assert_eq!(print("6", -42), "   -42");
        assert_eq!(print("-6", 42), "42    ");
        assert_eq!(print("06", -42), "-00042");
        assert_eq!(print("6.3", 7), "   007");
        assert_eq!(print(".0", 0), "");
        assert_eq!(print("-06", 5), "5     ");
        assert_eq!(print("999999999999999999999", 5).len(), WIDTH_MAX);
    }

    #[test]
    fn two_percent_signs_print_one_and_begin_a_conversion() {
        let printf = Printf {
            lines: 10,
            offset: 100,
            multiple: 2,
        };
        let print = |field: &str| {
            let mut out = Vec::new();
            printf
                .print(3, field.as_bytes(), &mut out)
                .map(|()| String::from_utf8(out).expect("ASCII"))
        };
        assert_eq!(print("a%04db%d"), Ok("a0106b106".to_owned()));
        assert_eq!(print("%%d"), Ok("%106".to_owned()));
        assert_eq!(print("100%"), Err(BadConversion));
        assert_eq!(print("%s"), Err(BadConversion));
    }

    #[test]
    fn the_header_is_read_in_any_order() {
        let read = |header: &str| Printf::of_header(header.as_bytes());
        assert_eq!(
            read("PRINTFMULTIPLE=3,SEQUENTIAL,PRINTFOFFSET=-5,PRINTF=10"),
            Ok(Some(Printf {
                lines: 10,
                offset: -5,
                multiple: 3
            }))
        );
        assert_eq!(read("SEQUENTIAL,PRINTFOFFSET=5"), Ok(None));
        assert_eq!(read("PRINTF=x"), Err(InjectError::BadNumber("PRINTF=")));
        assert_eq!(read("PRINTF=5x"), Err(InjectError::BadNumber("PRINTF=")));
        assert!(read("PRINTF=5\r").is_ok());
        assert_eq!(read("PRINTF=0"), Err(InjectError::PrintfLines));
        assert_eq!(read("PRINTF=-3"), Err(InjectError::PrintfLines));
        assert_eq!(read("PRINTF=4294967295"), Err(InjectError::PrintfLines));
    }
}
