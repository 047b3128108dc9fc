// SPDX-License-Identifier: AGPL-3.0-only
//! Files whose paths depend on the call: who reads them, and what becomes of paths that name none.

use crate::stage::{Stage, header, nop, scenario};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::{FileSource, Image, InjectionFile, LinkError, ReadFile};
use std::sync::{Arc, Mutex};

/// Two files, and a note of every path that was asked for.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<String>>>);

impl ReadFile for Shelf {
    fn read(&self, path: &[u8]) -> Result<Arc<[u8]>, String> {
        let path = String::from_utf8_lossy(path).into_owned();
        let content: &[u8] = match path.as_str() {
            "dir/ann.txt" => b"[call_id] of Ann\r\n",
            "dir/bob.txt" => b"",
            _ => return Err("no such file".to_owned()),
        };
        self.0.lock().expect("no panic").push(path);
        Ok(content.into())
    }
}

/// `<send>` of a MESSAGE with this body.
fn message(body: &str) -> String {
    format!(
        "<send><![CDATA[
        MESSAGE sip:a@[remote_ip] SIP/2.0
        Call-ID: [call_id]
        CSeq: 1 MESSAGE
        Content-Length: [len]

        {body}]]></send>"
    )
}

fn stage(parts: &[String], lines: &str) -> (Stage, Shelf) {
    let shelf = Shelf::default();
    let injection = InjectionFile::parse("a.csv", lines.as_bytes().to_vec()).expect("a file");
    let program = pair::program_with_files("test", &scenario(parts), &["a.csv"]);
    let stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::new(injection)];
        params.files = Some(FileSource::new(shelf.clone()));
    });
    (stage, shelf)
}

fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").expect("a body").1
}

#[test]
fn each_call_includes_the_file_that_its_path_names() {
    let message = message("<[file name=\"[$dir]/[field0].txt\"]>");
    let set = nop("", "<assignstr assign_to='dir' value='dir'/>");
    let (mut stage, shelf) = stage(&[set, message], "SEQUENTIAL\nann\nbob\n");
    stage.spawn();
    stage.spawn();
    let bodies: Vec<_> = stage.sent.iter().map(|sent| body(&sent.text)).collect();
    assert_eq!(bodies, ["<[call_id] of Ann\r\n>", "<>"]);
    for sent in &stage.sent {
        let length = header(&sent.text, "Content-Length").expect("a length");
        assert_eq!(length.trim(), body(&sent.text).len().to_string());
    }
    assert_eq!(
        *shelf.0.lock().expect("no panic"),
        ["dir/ann.txt", "dir/bob.txt"]
    );
}

#[test]
fn a_path_may_hold_a_field_of_another_line() {
    let line = "[file name=\"dir/[field0 line=\\\"[field1]\\\"].txt\"]";
    let (mut stage, _) = stage(&[message(line)], "SEQUENTIAL\nbob;1\nann;1\n");
    stage.spawn();
    assert_eq!(body(stage.last()), "[call_id] of Ann\r\n");
}

#[test]
fn a_path_that_names_no_file_ends_the_run_before_the_message_leaves() {
    let long = "x".repeat(5000);
    for (value, expected) in [
        ("dir/cy.txt", "[file]: `dir/cy.txt`: no such file"),
        ("", "[file]: the path is empty"),
        ("a%00b", "[file]: the path `a\\0b` holds a NUL"),
        (&*long, "[file]: the path is longer than 4096 bytes"),
    ] {
        let set = nop(
            "",
            &format!("<assignstr assign_to='x' value='{value}'/><urldecode variable='x'/>"),
        );
        let (mut stage, shelf) = stage(&[set, message("[file name=[$x]]")], "SEQUENTIAL\na\n");
        stage.spawn();
        assert_eq!(stage.fatal.as_deref(), Some(expected));
        stage.assert_failure(FailReason::ScenarioFault);
        assert_eq!(stage.sent.len(), 0, "{expected}");
        assert!(shelf.0.lock().expect("no panic").is_empty());
    }
}

#[test]
fn what_is_wrong_in_a_path_is_what_the_author_hears() {
    let line = "[file name=\"[field0 line=\\\"[service]\\\"]\"]";
    let (mut stage, _) = stage(&[message(line)], "SEQUENTIAL\na\n");
    stage.spawn();
    assert_eq!(
        stage.fatal.as_deref(),
        Some("[field0]: `service` is no number of a line")
    );
}

#[test]
fn a_program_with_such_files_does_not_link_without_a_source() {
    let xml = scenario(&[message("[file name=\"[call_number].txt\"]")]);
    let program = pair::program("test", &xml);
    let refused = Image::link(program, pair::client_params()).expect_err("nobody reads");
    assert_eq!(refused, LinkError::NoFileSource);
}
