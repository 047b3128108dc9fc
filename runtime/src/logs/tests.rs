// SPDX-License-Identifier: AGPL-3.0-only
//! What lies in the files after a few records.

use super::*;
use gossipper_bytecode::StepId;
use std::path::Path;

fn scene() -> Scene {
    Scene {
        shards: 1,
        transport: "UDP",
        wall_base_us: 1_700_000_000_000_000,
        ..Scene::default()
    }
}

/// Every log that is not a table.
fn config(folder: &Path, form: LogForm) -> LogConfig {
    let file = |kind| {
        let path = match form {
            LogForm::Sipp => folder.join(default_file_name("uac", 7, kind)),
            LogForm::Gossipper => own_file_name(Some(&folder.join("x.txt")), 7, kind),
        };
        Some(LogFileConfig::new(path))
    };
    LogConfig {
        form,
        messages: file("messages"),
        short_messages: file("shortmessages"),
        errors: file("errors"),
        actions: file("logs"),
        call_debug: file("calldebug"),
        error_codes: file("error_codes"),
        ..LogConfig::default()
    }
}

fn read(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .replace('\r', "")
}

/// Times vary with the zone of the machine; their form does not.
fn show(name: &str, text: String) {
    let date = r"\d{4}-\d\d-\d\d";
    let clock = r"\d\d:\d\d:\d\d\.123456";
    let zone = r"(Z|[+-]\d\d:\d\d)";
    let tabbed = format!(r"{date}\t{clock}\t1700000000\.123456");
    let nanos = format!("{date}T{clock}000{zone}");
    let micros = format!("{date}T{clock}{zone}");
    insta::with_settings!({filters => vec![
        (tabbed.as_str(), "TABBED"),
        (nanos.as_str(), "NANOS"),
        (micros.as_str(), "MICROS"),
    ]}, {
        insta::assert_snapshot!(name, text);
    });
}

const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: x,y\r\nCSeq: 1 OPTIONS\r\n\r\n";
const BUSY: &[u8] = b"SIP/2.0 486 Busy Here\r\ni: x,y\r\nCSeq: 1 OPTIONS\r\n\r\n";
const AT: u64 = 1_700_000_000_123_456;

/// A call that is refused, and a line of each kind.
fn write_all(writer: &LogWriter) {
    let mut sender = writer.sender();
    sender.message(AT, Traffic::Sent, 3, OPTIONS);
    sender.message(AT, Traffic::Received, 3, BUSY);
    sender.code(AT, 3, 486, StepId(0), BUSY);
    sender.error(AT, Concern::Warning, 3, b"unexpected");
    sender.error(AT, Concern::Action, 3, b"said");
    sender.action(AT, b"a line");
    sender.call_debug(AT, b"Call debugging information for call x,y:\n");
    sender.message(AT, Traffic::SendFailed, 4, OPTIONS);
    sender.message(AT, Traffic::CommandSent, 4, b"Call-ID: x,y\r\n");
}

#[test]
fn sipps_logs_have_sipps_forms() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer =
        LogWriter::start(&config(folder.path(), LogForm::Sipp), scene()).expect("files open");
    write_all(&writer);
    let counts = writer.close();
    assert_eq!((counts.lost, counts.error), (0, None));
    let read = |kind: &str| read(folder.path(), &default_file_name("uac", 7, kind));
    show("sipp_messages", read("messages"));
    show("sipp_shortmessages", read("shortmessages"));
    show("sipp_errors", read("errors"));
    assert_eq!(read("logs"), "a line\n");
    show("sipp_calldebug", read("calldebug"));
    assert_eq!(read("error_codes"), "", "a row comes with the period");
}

#[test]
fn our_own_logs_tell_calls_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let writer =
        LogWriter::start(&config(folder.path(), LogForm::Gossipper), scene()).expect("files open");
    write_all(&writer);
    let counts = writer.close();
    assert_eq!((counts.lost, counts.error), (0, None));
    let read = |kind: &str| read(folder.path(), &format!("x_{kind}.log"));
    show("own_messages", read("messages"));
    show("own_shortmessages", read("shortmessages"));
    show("own_errors", read("errors"));
    show("own_logs", read("logs"));
    show("own_error_codes", read("error_codes"));
}

#[test]
fn a_quiet_run_leaves_no_error_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path(), LogForm::Sipp);
    let writer = LogWriter::start(&config, scene()).expect("files open");
    writer.close();
    assert!(!folder.path().join("uac_7_errors.log").exists());
    assert!(folder.path().join("uac_7_messages.log").exists());
}

#[test]
fn records_beyond_the_bound_are_counted_and_the_file_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = LogConfig {
        messages: config(folder.path(), LogForm::Sipp).messages,
        ..LogConfig::default()
    };
    // No thread yet: the queue fills up.
    let shared = Arc::new(Shared::default());
    let mut sender = LogSender::new(Arc::clone(&shared), Wanted::of(&config));
    let big = vec![b'x'; queue::MAX_QUEUE_BYTES / 4];
    for _ in 0..6 {
        sender.message(0, Traffic::Sent, 0, &big);
    }
    drop(sender);
    shared.close();
    write_until_closed(&shared, Files::open(&config, scene()).expect("files open"));
    let counts = shared.lock().counts.clone();
    assert_eq!((counts.written, counts.lost), (4, 2));
    let file = std::fs::read(folder.path().join("uac_7_messages.log")).expect("a file");
    let note = b"2 records lost: the disk did not keep up\n";
    assert!(
        file.windows(note.len()).any(|window| window == note),
        "the file says what is missing"
    );
}

#[test]
fn an_error_file_that_cannot_be_opened_is_reported_and_does_not_stop_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = LogFileConfig::new(folder.path().join("no/such/folder/errors.log"));
    let config = LogConfig {
        errors: Some(file.clone()),
        ..LogConfig::default()
    };
    let writer = LogWriter::start(&config, scene()).expect("it starts");
    writer.sender().error(0, Concern::Warning, 0, b"text");
    let counts = writer.close();
    assert_eq!((counts.written, counts.lost), (0, 1));
    assert!(counts.error.is_some_and(|e| e.contains("errors.log")));
    let config = LogConfig {
        messages: Some(file),
        ..LogConfig::default()
    };
    let refused = LogWriter::start(&config, scene());
    assert!(matches!(refused, Err(Error::LogFile { .. })));
}

#[test]
fn names_are_those_of_the_dialect() {
    assert_eq!(
        default_file_name("uac", 7, "messages"),
        "uac_7_messages.log"
    );
    assert_eq!(default_table_name("uac", 7, "rtt"), "uac_7_rtt.csv");
    assert_eq!(default_table_name("uac", 7, ""), "uac_7_.csv");
    let own = own_file_name(None, 7, "rtt");
    assert_eq!(own, Path::new("gossipper_7_rtt.log"));
    let own = own_file_name(Some(Path::new("a/b.txt")), 7, "stats");
    assert_eq!(own, Path::new("a/b_stats.log"));
}
