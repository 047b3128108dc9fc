// SPDX-License-Identifier: AGPL-3.0-only
//! One path per address: `-t ui`, where each line of the first injection file says from which address its call sends.
//!
//! The driver opens a socket for each address that [`Paths`] lists; the flow of an address is its place in the list. A
//! call of a server uses the flow its first message came on, as ever.

use crate::inject::{Injection, InjectionFile};
use crate::input::FlowId;
use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Addresses one run may have: each is a socket, and a socket is a file descriptor.
pub const MAX_PATHS: usize = 60_000;

/// The addresses of the first injection file, and the flow of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths {
    field: u32,
    addresses: Vec<IpAddr>,
    flows: BTreeMap<Vec<u8>, FlowId>,
}

/// Why a file cannot say which addresses to send from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PathError {
    /// A line has no such field, or no address in it.
    NoAddress {
        /// The line among the records, counted from 0 as `[fieldN line=]` does.
        line: u32,
        /// What stands there.
        text: String,
    },
    /// More addresses than [`MAX_PATHS`].
    TooMany,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress { line, text } => {
                write!(f, "record {line}: `{text}` is no IP address")
            }
            Self::TooMany => write!(f, "it has more than {MAX_PATHS} different addresses"),
        }
    }
}

impl std::error::Error for PathError {}

impl Paths {
    /// Reads field `field` (`-ip_field`, 0 without) of every record.
    ///
    /// # Errors
    /// When a record has no IP address there, or there are too many different ones.
    pub fn of(file: &Arc<InjectionFile>, field: u32) -> Result<Self, PathError> {
        let lines = Injection::new(std::slice::from_ref(file));
        let mut paths = Self {
            field,
            addresses: Vec::new(),
            flows: BTreeMap::new(),
        };
        let mut text = Vec::new();
        for line in 0..lines.records(0) {
            text.clear();
            // A field that is missing is no address.
            let _ = lines.print(0, line, field, &mut text);
            if paths.flows.contains_key(&text) {
                continue;
            }
            let written = String::from_utf8_lossy(&text);
            let Ok(address) = written.trim().parse::<IpAddr>() else {
                return Err(PathError::NoAddress {
                    line,
                    text: written.into_owned(),
                });
            };
            // One address may be written in several ways.
            let known = paths.addresses.iter().position(|known| *known == address);
            let flow = known.unwrap_or(paths.addresses.len());
            if known.is_none() {
                if flow == MAX_PATHS {
                    return Err(PathError::TooMany);
                }
                paths.addresses.push(address);
            }
            paths.flows.insert(text.clone(), FlowId(flow as u32));
        }
        Ok(paths)
    }

    /// The addresses, in the order of their first lines; never empty, since an injection file is not.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The address of a flow.
    pub(crate) fn address(&self, flow: FlowId) -> Option<IpAddr> {
        self.addresses.get(flow.0 as usize).copied()
    }

    /// The flow of a call with this line of the first file; the text of the field when that is no address of the list.
    pub(crate) fn flow(&self, injection: &Injection, line: u32) -> Result<FlowId, String> {
        let mut text = Vec::new();
        let _ = injection.print(0, line, self.field, &mut text);
        let flow = self.flows.get(&text).copied();
        flow.ok_or_else(|| String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str, field: u32) -> Result<Paths, PathError> {
        let file = InjectionFile::parse("a.csv".to_owned(), text.as_bytes().to_vec()).expect(text);
        Paths::of(&Arc::new(file), field)
    }

    #[test]
    fn each_address_is_one_path_however_often_and_however_it_is_written() {
        let text = "SEQUENTIAL\n::1;x\n127.0.0.2;y\n0:0::1;z\n127.0.0.2;w\n";
        let paths = paths(text, 0).expect("addresses");
        let addresses: Vec<IpAddr> = ["::1", "127.0.0.2"].map(|ip| ip.parse().expect(ip)).into();
        assert_eq!(paths.addresses(), addresses);
        let file = InjectionFile::parse("a.csv".to_owned(), text.as_bytes().to_vec()).expect(text);
        let lines = Injection::new(&[Arc::new(file)]);
        let flows: Vec<_> = (0..4).map(|line| paths.flow(&lines, line)).collect();
        assert_eq!(flows, [0, 1, 0, 1].map(|flow| Ok(FlowId(flow))));
    }

    #[test]
    fn generated_lines_have_generated_addresses() {
        let paths = paths("SEQUENTIAL,PRINTF=3\nu;127.0.0.%d\n", 1).expect("addresses");
        assert_eq!(paths.addresses().len(), 3);
    }

    #[test]
    fn a_record_without_an_address_is_named() {
        let error = paths("SEQUENTIAL\n127.0.0.1;a\nlocalhost;b\n", 0).expect_err("a name");
        assert_eq!(error.to_string(), "record 1: `localhost` is no IP address");
        assert!(paths("SEQUENTIAL\n127.0.0.1\n", 3).is_err());
    }
}
