// SPDX-License-Identifier: AGPL-3.0-only
//! Commands in a stream of bytes: each ends with 0x1B, and nothing else separates them.
//!
//! Invariants: however the bytes are cut, the same commands come out; at most [`MAX_COMMAND_BYTES`] wait for their end.

/// Ends a command.
pub(super) const END_OF_COMMAND: u8 = 0x1B;

/// Longest command that is taken. SIPp holds 65,536 bytes.
pub const MAX_COMMAND_BYTES: usize = 1 << 20;

/// The twin sends bytes without end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command is longer than {MAX_COMMAND_BYTES} bytes")]
pub(super) struct TooLong;

/// Splits a stream.
#[derive(Debug, Default)]
pub(super) struct Framer {
    begun: Vec<u8>,
}

impl Framer {
    /// Takes what was read; hands every command that is complete to `take`, without its end.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Vec<u8>),
    ) -> Result<(), TooLong> {
        while let Some(end) = bytes.iter().position(|byte| *byte == END_OF_COMMAND) {
            self.begin(&bytes[..end])?;
            take(std::mem::take(&mut self.begun));
            bytes = &bytes[end + 1..];
        }
        self.begin(bytes)
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.begun.len() + bytes.len() > MAX_COMMAND_BYTES {
            return Err(TooLong);
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    /// Whether a command has begun and not ended.
    pub(super) fn is_amid(&self) -> bool {
        !self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commands(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for chunk in chunks {
            framer
                .push(chunk, |command| found.push(command))
                .expect("short");
        }
        (found, framer.is_amid())
    }

    #[test]
    fn commands_end_with_escape() {
        assert_eq!(
            commands(&[b"a\r\n\x1bb", b"c\x1b\x1b"]),
            (vec![b"a\r\n".to_vec(), b"bc".to_vec(), Vec::new()], false)
        );
        assert_eq!(commands(&[b"a"]), (Vec::new(), true));
    }

    #[test]
    fn a_command_without_end_is_refused() {
        let mut framer = Framer::default();
        let chunk = vec![b'x'; MAX_COMMAND_BYTES / 2];
        assert_eq!(framer.push(&chunk, |_| ()), Ok(()));
        assert_eq!(framer.push(&chunk, |_| ()), Ok(()));
        assert_eq!(framer.push(b"x", |_| ()), Err(TooLong));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_commands(
            bytes in proptest::collection::vec(prop_oneof![Just(END_OF_COMMAND), any::<u8>()], 0..200),
            cut in 0usize..200,
        ) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(commands(&[&bytes]), commands(&[head, tail]));
        }
    }
}
