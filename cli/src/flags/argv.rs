// SPDX-License-Identifier: AGPL-3.0-only
//! The command line against the table.
//!
//! Flags take one or two dashes, `-flag value` or `-flag=value`; names are exact. The token after a flag with a value
//! always belongs to it, even when it begins with a dash. Flags and the remote host come in any order;
//! the last of several equal flags counts. All faults are reported, not the first alone.

use super::low::{Dialect, LowArgs, Special};
use super::{Arg, Flag, defs, find, later, suggest, value};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// Most faults that are reported; a command line with more is not one of ours at all.
const FAULTS_MAX: usize = 20;

/// Flags of `gossipper compile`, which people try on a run.
const COMPILE_FLAGS: [&str; 4] = ["check", "o", "listing", "format"];

/// Something wrong with the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// No such flag; perhaps a near one.
    Unknown {
        /// As typed, dashes included.
        typed: String,
        /// The name it may have stood for.
        near: Option<&'static str>,
    },
    /// A flag of another command.
    Misplaced {
        /// As typed.
        typed: String,
        /// The command it belongs to.
        command: &'static str,
    },
    /// A flag that this version does not have.
    Missing {
        /// As typed.
        typed: String,
        /// Why, as the rest of the sentence.
        why: String,
    },
    /// The command line ends before the value.
    NoValue {
        /// Name with dash.
        flag: String,
        /// What it needs.
        metavar: String,
    },
    /// A value that the flag does not take.
    BadValue {
        /// Name with dash.
        flag: String,
        /// What is wrong with the value.
        why: String,
    },
    /// More than one remote host.
    SecondRemote {
        /// The first.
        first: String,
        /// The other.
        second: String,
    },
    /// A value that is not text.
    NotText {
        /// The value, with replacement characters.
        token: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { typed, near } => {
                write!(f, "unknown flag `{typed}`")?;
                match near {
                    Some(near) => write!(f, "; did you mean `-{near}`?"),
                    None => Ok(()),
                }
            }
            Self::Misplaced { typed, command } => {
                write!(f, "flag `{typed}` belongs to `{command}`")
            }
            Self::Missing { typed, why } => write!(f, "flag `{typed}`{why}"),
            Self::NoValue { flag, metavar } => {
                write!(f, "flag `{flag}` needs a value: {flag} {metavar}")
            }
            Self::BadValue { flag, why } => write!(f, "flag `{flag}`: {why}"),
            Self::SecondRemote { first, second } => {
                write!(f, "a second remote host `{second}`; the first is `{first}`")
            }
            Self::NotText { token } => write!(f, "`{token}` is not valid UTF-8"),
        }
    }
}

/// The result of reading a command line.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The arguments, as far as they could be read.
    pub(crate) low: LowArgs,
    /// What is wrong, in the order of the command line.
    pub(crate) faults: Vec<Fault>,
    /// What is right and yet may surprise.
    pub(crate) notes: Vec<String>,
    /// The flags that were given, by the name of each that help uses.
    pub(crate) given: Vec<&'static str>,
}

/// Reads the scenario flags that follow the program name and the verb.
pub(crate) fn parse(dialect: Dialect, args: &[OsString]) -> Parsed {
    let mut parsed = Parsed {
        low: LowArgs {
            dialect,
            ..LowArgs::default()
        },
        ..Parsed::default()
    };
    let mut tokens = args.iter().map(OsString::as_os_str);
    while let Some(token) = tokens.next() {
        if parsed.faults.len() >= FAULTS_MAX {
            break;
        }
        let Some(text) = token.to_str() else {
            parsed.not_text(token);
            continue;
        };
        let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-'));
        match bare {
            None => parsed.positional(text),
            Some(name) => parsed.flag(text, name, &mut tokens),
        }
    }
    parsed
}

impl Parsed {
    /// What to print instead of running; it wins over faults, since someone who asks for help has a reason.
    pub(crate) const fn special(&self) -> Option<&Special> {
        self.low.special.as_ref()
    }

    fn not_text(&mut self, token: &OsStr) {
        self.faults.push(Fault::NotText {
            token: token.to_string_lossy().into_owned(),
        });
    }

    fn positional(&mut self, text: &str) {
        match &self.low.remote {
            None => self.low.remote = Some(text.to_owned()),
            Some(first) => self.faults.push(Fault::SecondRemote {
                first: first.clone(),
                second: text.to_owned(),
            }),
        }
    }

    fn flag<'a>(
        &mut self,
        typed: &str,
        name: &str,
        tokens: &mut (impl Iterator<Item = &'a OsStr> + Clone),
    ) {
        if let Some(flag) = find(name) {
            if matches!(flag.arg, Arg::Pair { joined: true, .. })
                && let Some((first, second)) = joined(&mut tokens.clone())
            {
                tokens.next();
                return self.apply(flag, None, &[OsStr::new(first), OsStr::new(second)]);
            }
            let values: Vec<&OsStr> = tokens.take(flag.arg.arity()).collect();
            return self.apply(flag, None, &values);
        }
        if let Some((flag, given)) = name
            .split_once('=')
            .and_then(|(name, given)| Some((find(name)?, given)))
        {
            return match flag.arg.arity() {
                2 => {
                    let second: Vec<&OsStr> = tokens.take(1).collect();
                    let values: Vec<&OsStr> =
                        std::iter::once(OsStr::new(given)).chain(second).collect();
                    self.apply(flag, None, &values);
                }
                _ => self.apply(flag, Some(given), &[OsStr::new(given)]),
            };
        }
        let plain = name.split('=').next().unwrap_or(name);
        if let Some(missing) = later::find(plain) {
            let inline = usize::from(plain != name);
            let more = missing.arity.saturating_sub(inline);
            tokens.take(more).for_each(drop);
            self.faults.push(Fault::Missing {
                typed: typed.to_owned(),
                why: missing.refusal(),
            });
            return;
        }
        // Whatever an unknown flag takes: a token that does not look like a flag is not a second host.
        let mut ahead = tokens.clone();
        if plain == name
            && ahead
                .next()
                .is_some_and(|next| !next.as_encoded_bytes().starts_with(b"-"))
        {
            *tokens = ahead;
        }
        let typed = typed.to_owned();
        self.faults.push(if COMPILE_FLAGS.contains(&plain) {
            Fault::Misplaced {
                typed,
                command: "gossipper compile",
            }
        } else {
            // A flag that exists is worth more than one that would only be refused next.
            let names = defs::flags().flat_map(|flag| flag.names.iter().copied());
            Fault::Unknown {
                typed,
                near: suggest::nearest(plain, names)
                    .or_else(|| suggest::nearest(plain, later::names())),
            }
        });
    }

    fn apply(&mut self, flag: &'static Flag, inline: Option<&str>, values: &[&OsStr]) {
        self.given.push(flag.name());
        let shown = format!("-{}", flag.name());
        if values.len() < flag.arg.arity() {
            self.faults.push(Fault::NoValue {
                flag: shown,
                metavar: flag.arg.metavar(),
            });
            return;
        }
        if let Arg::Path { set, .. } = flag.arg {
            set(&mut self.low, PathBuf::from(values[0]));
            return;
        }
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            match value.to_str() {
                Some(text) => texts.push(text),
                None => return self.not_text(value),
            }
        }
        if let (Arg::Int { .. }, [text]) = (flag.arg, texts.as_slice())
            && value::looks_octal(text)
            && let Ok(number) = value::int(text)
        {
            self.notes.push(format!(
                "{shown} {text} is read as octal, as SIPp does: {number}"
            ));
        }
        if let Err(why) = store(&mut self.low, flag.arg, inline, &texts) {
            self.faults.push(Fault::BadValue { flag: shown, why });
        }
    }
}

/// `FILE,FIELD` in one token, where the next is not the field.
fn joined<'a>(tokens: &mut impl Iterator<Item = &'a OsStr>) -> Option<(&'a str, &'a str)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (file, field) = tokens.next()?.to_str()?.rsplit_once(',')?;
    let next = tokens.next().and_then(OsStr::to_str);
    (is_number(field) && !next.is_some_and(is_number)).then_some((file, field))
}

/// Reads the values in the flag's notation and stores them.
fn store(low: &mut LowArgs, arg: Arg, inline: Option<&str>, texts: &[&str]) -> Result<(), String> {
    match (arg, texts) {
        (Arg::Switch(set), _) => {
            set(low, inline.map_or(Ok(true), value::boolean)?);
            Ok(())
        }
        (Arg::Int { range, set, .. }, [text]) => {
            let number = value::int(text)?;
            if number < range.0 || number > range.1 {
                return Err(format!("{text} is not within {} to {}", range.0, range.1));
            }
            set(low, number);
            Ok(())
        }
        (Arg::Double { set, .. }, [text]) => {
            set(low, value::double(text)?);
            Ok(())
        }
        (Arg::Number { set, .. }, [text]) => {
            set(low, value::number(text)?);
            Ok(())
        }
        (Arg::Time { unit, set, .. }, [text]) => {
            set(low, value::time(text, unit)?);
            Ok(())
        }
        (Arg::Text { set, .. }, [text]) => set(low, (*text).to_owned()),
        (Arg::Pair { set, .. }, [first, second]) => {
            set(low, (*first).to_owned(), (*second).to_owned())
        }
        (
            Arg::Path { .. }
            | Arg::Int { .. }
            | Arg::Double { .. }
            | Arg::Number { .. }
            | Arg::Time { .. },
            _,
        )
        | (Arg::Text { .. } | Arg::Pair { .. }, _) => {
            unreachable!(
                "the caller hands over as many texts as the arity says, and paths not at all"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(line: &str) -> Parsed {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(Dialect::Sipp, &args)
    }

    fn faults(line: &str) -> Vec<String> {
        read(line).faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_dash_two_dashes_and_equals_are_the_same() {
        for line in ["-r 20 host", "--r 20 host", "host -r=20", "--r=20 host"] {
            let parsed = read(line);
            assert!(parsed.faults.is_empty(), "{line}: {:?}", parsed.faults);
            assert_eq!(parsed.low.rate, Some(20.0), "{line}");
            assert_eq!(parsed.low.remote.as_deref(), Some("host"), "{line}");
        }
    }

    #[test]
    fn the_token_after_a_value_flag_is_its_value_even_with_a_dash() {
        let parsed = read("-s -aa -key -a -b host");
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        assert_eq!(parsed.low.service.as_deref(), Some("-aa"));
        assert!(!parsed.low.auto_answer);
        assert_eq!(parsed.low.keys, [("-a".to_owned(), "-b".to_owned())]);
    }

    #[test]
    fn the_last_of_equal_flags_counts_and_pairs_add_up() {
        let parsed = read("-m 1 -m 5 -key a 1 -key b 2 -set g x");
        assert_eq!(parsed.low.calls, Some(5));
        assert_eq!(parsed.low.keys.len(), 2);
        assert_eq!(parsed.low.globals.len(), 1);
    }

    #[test]
    fn aliases_of_both_tools_reach_the_same_setting() {
        assert_eq!(read("-pause_ms 250").low.pause, read("-d 250").low.pause);
        assert_eq!(
            read("-recv_timeout_ms 2500").low.recv_timeout,
            Some(Duration::from_millis(2500))
        );
        assert_eq!(
            read("-timeout_global 3").low.timeout_global,
            Some(Duration::from_secs(3))
        );
        assert_eq!(read("-min_rtp_port 7000").low.media_port, Some(7000));
    }

    #[test]
    fn faults_are_all_reported_and_name_the_near_flag() {
        assert_eq!(
            faults("-trace-msg -zzz -turn_user 5 h1 h2 -p 99999 -r fast -rp"),
            [
                "unknown flag `-trace-msg`; did you mean `-trace_msg`?",
                "unknown flag `-zzz`",
                "flag `-turn_user` is not supported by this version yet (media)",
                "a second remote host `h2`; the first is `h1`",
                "flag `-p`: 99999 is not within 0 to 65535",
                "flag `-r`: `fast` is not a number",
                "flag `-rp` needs a value: -rp TIME",
            ]
        );
    }

    #[test]
    fn a_flag_of_compile_says_where_it_belongs() {
        assert_eq!(
            faults("--listing"),
            ["flag `--listing` belongs to `gossipper compile`"]
        );
    }

    #[test]
    fn a_missing_flag_takes_its_values_along() {
        let faults = faults("-plugin 5 -multihome=10.0.0.1 host");
        let [plugin, multihome] = &faults[..] else {
            panic!("{faults:?}");
        };
        assert_eq!(
            plugin,
            "flag `-plugin` is not supported by this version yet (plug-ins)"
        );
        assert!(
            multihome
                .starts_with("flag `-multihome=10.0.0.1`: SCTP is not supported: the kernel has "),
            "{multihome}"
        );
    }

    #[test]
    fn other_transports_are_refused_by_name() {
        let refused = |line: &str| faults(line).concat();
        assert!(
            refused("-t webrtc").starts_with(
                "flag `-t`: transport `webrtc` (WebRTC) is not supported by this version yet; u1, un"
            ),
            "{}",
            refused("-t webrtc")
        );
        assert!(
            refused("-t x9")
                .starts_with("flag `-t`: unsupported transport \"x9\"; this version has u1, un"),
            "{}",
            refused("-t x9")
        );
        assert!(faults("-t U1").is_empty());
    }

    #[test]
    fn an_octal_port_is_taken_and_noted() {
        let parsed = read("-p 05060");
        assert_eq!(parsed.low.local_port, Some(2608));
        assert_eq!(
            parsed.notes,
            ["-p 05060 is read as octal, as SIPp does: 2608"]
        );
    }

    #[test]
    fn a_file_and_its_field_may_be_one_word() {
        let indexes = |line: &str| read(line).low.injection_indexes;
        let of = |file: &str, field: &str| vec![(file.to_owned(), field.to_owned())];
        assert_eq!(indexes("-infindex a.csv 2 -m 1"), of("a.csv", "2"));
        assert_eq!(indexes("-infindex a.csv,2 -m 1"), of("a.csv", "2"));
        assert_eq!(indexes("-infindex a.csv,2"), of("a.csv", "2"));
        // The name of a file may have a comma too.
        assert_eq!(indexes("-infindex a,1 2"), of("a,1", "2"));
        assert_eq!(read("-infindex a.csv,2 -m 7").low.calls, Some(7));
    }

    #[test]
    fn help_wins_over_faults() {
        let parsed = read("-nonsense -h");
        assert_eq!(parsed.special(), Some(&Special::Help));
    }

    #[test]
    fn every_flag_takes_a_value_of_its_kind() {
        for flag in defs::flags() {
            let line = match (flag.name(), flag.arg) {
                ("t", _) => "-t u1".to_owned(),
                ("tls_version", _) => "-tls_version 1.3".to_owned(),
                ("rate_profile", _) => "-rate_profile 0:1".to_owned(),
                ("rate_unit", _) => "-rate_unit calls".to_owned(),
                ("threshold", _) => "-threshold calls>0".to_owned(),
                ("prometheus_addr", _) => "-prometheus_addr :9464".to_owned(),
                ("pprof", _) => "-pprof :6060".to_owned(),
                ("log_otel_proto", _) => "-log_otel_proto http".to_owned(),
                ("log_level", _) => "-log_level debug".to_owned(),
                ("log_attr" | "log_otel_header", _) => format!("-{} a=b", flag.name()),
                ("rtcheck", _) => "-rtcheck loose".to_owned(),
                ("oocsn", _) => "-oocsn ooc_default".to_owned(),
                ("rxsn", _) => "-rxsn uas".to_owned(),
                ("cid_type", _) => "-cid_type uuid".to_owned(),
                ("rtp_codec", _) => "-rtp_codec PCMA/8000".to_owned(),
                ("rtp_sound", _) => "-rtp_sound noise".to_owned(),
                ("compat", _) => "-compat sipp".to_owned(),
                ("tdmmap", _) => "-tdmmap {0-3}{99}{5-8}{1-31}".to_owned(),
                ("default_behaviors", _) => "-default_behaviors all".to_owned(),
                (name, Arg::Switch(_)) => format!("-{name}"),
                (name, Arg::Pair { .. }) => format!("-{name} a b"),
                (name, _) => format!("-{name} 1"),
            };
            assert_eq!(faults(&line), [""; 0], "{line}");
            if flag.arg.arity() > 0 {
                let short = format!("-{}", flag.name());
                assert!(
                    matches!(read(&short).faults.as_slice(), [Fault::NoValue { .. }]),
                    "{short}"
                );
            }
        }
    }

    #[test]
    fn switches_can_be_switched_off() {
        assert!(!read("-aa -aa=false").low.auto_answer);
        assert_eq!(
            faults("-aa=maybe"),
            ["flag `-aa`: `maybe` is neither true nor false"]
        );
    }

    #[test]
    fn a_flood_of_faults_is_cut_off() {
        let line = "-zzz ".repeat(10_000);
        assert_eq!(faults(&line).len(), FAULTS_MAX);
    }
}
