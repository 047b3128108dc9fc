// SPDX-License-Identifier: AGPL-3.0-only
//! Injection files: which line a call has, what its fields print, and what actions change.

use crate::stage::{Stage, from_peer, header, log, nop, reply, request, scenario};
use gossipper_testkit::pair;
use gossipper_vm::{Image, InjectionFile, Input, LinkError, Micros, Paths, RunParams};
use std::sync::Arc;

fn file(name: &str, text: &str) -> Arc<InjectionFile> {
    Arc::new(InjectionFile::parse(name, text.as_bytes().to_vec()).expect("a file"))
}

fn indexed(name: &str, text: &str) -> Arc<InjectionFile> {
    let file = InjectionFile::parse(name, text.as_bytes().to_vec()).expect("a file");
    Arc::new(file.indexed(0).expect("small"))
}

/// `<send>` of an OPTIONS with this line among its headers.
fn send(line: &str) -> String {
    format!(
        "<send><![CDATA[
        OPTIONS sip:bob@[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a[call_number]
        To: <sip:bob@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] OPTIONS
        {line}
        Content-Length: 0

        ]]></send>"
    )
}

fn client<S: AsRef<str>>(parts: &[S], files: &[Arc<InjectionFile>]) -> Stage {
    let names: Vec<&str> = files.iter().map(|file| file.name()).collect();
    let program = pair::program_with_files("test", &scenario(parts), &names);
    Stage::of(program, pair::client_params(), |params| {
        params.injection = files.to_vec();
    })
}

fn printed(stage: &Stage) -> Vec<Option<&str>> {
    stage
        .sent
        .iter()
        .map(|sent| header(&sent.text, "X"))
        .collect()
}

#[test]
fn each_call_gets_the_next_line_of_every_file_and_keeps_it() {
    let files = [
        file("a.csv", "SEQUENTIAL\na0;a1\nb0;b1\n"),
        file("b.csv", "SEQUENTIAL\nc\nd\ne\n"),
    ];
    let message = send("X: [field0]-[field1 file=\"a.csv\"]-[field0 file=b.csv]");
    let mut stage = client(&[message.clone(), message], &files);
    for _ in 0..3 {
        stage.spawn();
    }
    assert_eq!(
        printed(&stage),
        [
            Some("a0-a1-c"),
            Some("a0-a1-c"),
            Some("b0-b1-d"),
            Some("b0-b1-d"),
            Some("a0-a1-e"),
            Some("a0-a1-e"),
        ]
    );
    assert_eq!(stage.warnings, [""; 0]);
}

#[test]
fn a_message_whose_field_cannot_be_read_does_not_leave() {
    let files = [file("a.csv", "SEQUENTIAL\na\n")];
    let parts = ["<send><![CDATA[
        OPTIONS sip:bob@[remote_ip] SIP/2.0
        Call-ID: [call_id]
        CSeq: 1 OPTIONS
        X: [field0 line=\"[service]\"]

        ]]></send>"];
    let mut stage = client(&parts, &files);
    stage.spawn();
    assert_eq!(
        stage.fatal.as_deref(),
        Some("[field0]: `service` is no number of a line")
    );
    assert_eq!((stage.sent.len(), stage.open()), (0, 0));
}

#[test]
fn init_takes_a_line_too() {
    let init = "<init><nop><action><log message=\"[field0]\"/></action></nop></init>";
    let files = [file("a.csv", "SEQUENTIAL\na\nb\n")];
    let mut stage = client(&[init.to_owned(), send("X: [field0]")], &files);
    stage.spawn();
    assert_eq!(stage.lines, ["a"]);
    assert_eq!(printed(&stage), [Some("b")]);
}

#[test]
fn calls_of_a_server_take_lines_in_order_of_arrival() {
    let files = [file("a.csv", "SEQUENTIAL\na\nb\n")];
    let parts = [request("OPTIONS", ""), log("[field0]"), reply(200, "")];
    let program = pair::program_with_files("test", &scenario(&parts), &["a.csv"]);
    let mut stage = Stage::of(program, pair::server_params(), |params| {
        params.injection = files.to_vec();
    });
    for call in ["one", "two", "three"] {
        stage.deliver(&from_peer("OPTIONS", call, 1));
    }
    assert_eq!(stage.lines, ["a", "b", "a"]);
}

#[test]
fn a_missing_field_is_empty_with_a_warning_and_takes_its_line_along() {
    let files = [file("a.csv", "SEQUENTIAL\na;;c\n")];
    let mut stage = client(
        &[send(
            "[field1]\n        X: 1\n        [field3]\n        Y: 2[field9]",
        )],
        &files,
    );
    stage.spawn();
    let text = &stage.sent[0].text;
    assert!(
        text.contains("CSeq: 1 OPTIONS\r\nX: 1\r\nY: 2\r\nContent"),
        "{text}"
    );
    assert_eq!(
        stage.warnings,
        [
            "Field 3 not found in the file a.csv (line 0)",
            "Field 9 not found in the file a.csv (line 0)"
        ]
    );
}

#[test]
fn a_line_may_be_chosen_by_a_text_with_keywords() {
    let files = [file("a.csv", "SEQUENTIAL\na\nb\nc\n")];
    let set = nop(
        "",
        "<assign assign_to=\"n\" value=\"2\"/><assign assign_to=\"zero\" value=\"0\"/>",
    );
    let message = send(
        "X: [field0 line=\"[$n]\"][field0 line=\"[$zero]\"][field0 line=\"1\"][field0 line=3][field0 line=-1]",
    );
    let mut stage = client(&[set, message], &files);
    stage.spawn();
    assert_eq!(printed(&stage), [Some("cab")]);
    assert_eq!(stage.warnings, [""; 0]);
}

#[test]
fn a_line_that_is_no_number_ends_the_run() {
    let files = [file("a.csv", "SEQUENTIAL\na\n")];
    let mut stage = client(&[send("X: [field0 line=\"[call_id]\"]")], &files);
    stage.spawn();
    let text = stage.fatal.expect("fatal");
    assert!(text.contains("is no number of a line"), "{text}");
}

#[test]
fn fields_of_a_user_file_are_those_of_the_user() {
    let files = [file("u.csv", "USER\na\nb\n")];
    let mut stage = client(&[send("X: [field0]")], &files);
    for user in [2, 1, 0] {
        let due = Micros(0);
        stage.handle(Input::Spawn { user, due });
    }
    assert_eq!(printed(&stage), [Some("b"), Some("a"), Some("")]);
    stage.handle(Input::Spawn {
        user: 3,
        due: Micros(0),
    });
    let text = stage.fatal.expect("fatal");
    assert_eq!(text, "injection file `u.csv` has no line for user 3");
}

#[test]
fn virtual_lines_print_numbers() {
    let text = "SEQUENTIAL,PRINTF=3,PRINTFOFFSET=100\nuser%06d;%s\n";
    let mut stage = client(&[send("X: [field0]")], &[file("p.csv", text)]);
    for _ in 0..4 {
        stage.spawn();
    }
    assert_eq!(
        printed(&stage),
        [
            Some("user000100"),
            Some("user000101"),
            Some("user000102"),
            Some("user000100")
        ]
    );
    let mut stage = client(&[send("X: [field1]")], &[file("p.csv", text)]);
    stage.spawn();
    assert!(stage.fatal.is_some());
}

#[test]
fn what_actions_change_is_seen_by_the_calls_that_follow() {
    let files = [indexed("a.csv", "SEQUENTIAL\nbob;1\nann;2\n")];
    let parts = [
        nop(
            "",
            "<lookup assign_to=\"at\" file=\"a.csv\" key=\"ann\"/>
             <lookup assign_to=\"none\" file=\"a.csv\" key=\"eve-[call_number]\"/>
             <log message=\"[$at] [$none] [field0] [field1 line=&quot;[$at]&quot;]\"/>
             <replace file=\"a.csv\" line=\"[$at]\" value=\"ann;[call_number]0\"/>
             <insert file=\"a.csv\" value=\"eve-[call_number];x\"/>",
        ),
        nop(
            "",
            "<lookup assign_to=\"new\" file=\"a.csv\" key=\"eve-[call_number]\"/>
             <log message=\"[$new] [field1 line=&quot;[$at]&quot;]\"/>",
        ),
        send("X: 1"),
    ];
    let mut stage = client(&parts, &files);
    stage.spawn();
    stage.spawn();
    stage.spawn();
    assert_eq!(
        stage.lines,
        [
            "1.000000 -1.000000 bob 2",
            "2.000000 10",
            "1.000000 -1.000000 ann 10",
            "3.000000 20",
            "1.000000 -1.000000 eve-1 20",
            "4.000000 30",
        ]
    );
    assert_eq!(stage.fatal, None);
    let edited = stage.edited_files();
    let text = String::from_utf8(edited[0].clone()).expect("ASCII");
    assert_eq!(
        text,
        "SEQUENTIAL\nbob;1\nann;30\neve-1;x\neve-2;x\neve-3;x\n"
    );
}

#[test]
fn an_edit_changes_one_field_of_a_line_and_the_index() {
    let files = [indexed("a.csv", "SEQUENTIAL\nbob;1;\nann;2;x\n")];
    let parts = [
        nop(
            "",
            "<lookup assign_to=\"at\" file=\"a.csv\" key=\"ann\"/>
             <insert file=\"a.csv\">line=0 field=1 text=9</insert>
             <insert file=\"a.csv\">line=0 field=1 text='&lt;[call_number] ' position=prefix</insert>
             <insert file=\"a.csv\">line=0 field=2 text=z position=suffix</insert>
             <replace file=\"a.csv\">line=[$at] field=0 text='[field0 line=\"0\"]-[call_number]'</replace>
             <replace file=\"a.csv\" value=\"line=1 field=2 text=''\"/>
             <lookup assign_to=\"new\" file=\"a.csv\" key=\"bob-1\"/>
             <lookup assign_to=\"old\" file=\"a.csv\" key=\"ann\"/>
             <log message=\"[$new] [$old] [field1]\"/>",
        ),
        send("X: 1"),
    ];
    let mut stage = client(&parts, &files);
    stage.spawn();
    assert_eq!(stage.fatal, None);
    assert_eq!(stage.lines, ["1.000000 -1.000000 <1 19"]);
    assert_eq!(
        String::from_utf8_lossy(&stage.edited_files()[0]),
        "SEQUENTIAL\nbob;<1 19;z\nbob-1;2;\n"
    );
}

#[test]
fn what_cannot_be_done_to_a_file_ends_the_run() {
    let normal = "SEQUENTIAL\na\n";
    for (action, text, expected) in [
        (
            "<lookup assign_to=\"_\" file=\"a.csv\" key=\"a\"/>",
            normal,
            "lookup: injection file `a.csv` has no index: name it with -infindex",
        ),
        (
            "<replace file=\"a.csv\" line=\"1\" value=\"b\"/>",
            normal,
            "replace: injection file `a.csv` has no such line",
        ),
        (
            "<replace file=\"a.csv\" line=\"-1\" value=\"b\"/>",
            normal,
            "replace: injection file `a.csv` has no such line",
        ),
        (
            "<replace file=\"a.csv\" line=\"x\" value=\"b\"/>",
            normal,
            "replace: `x` is no number of a line",
        ),
        (
            "<insert file=\"[service].csv\" value=\"b\"/>",
            normal,
            "no injection file is called `service.csv`",
        ),
        (
            "<insert file=\"a.csv\" value=\"b\"/>",
            "SEQUENTIAL,PRINTF=2\na\n",
            "insert: injection file `a.csv` has PRINTF= and cannot be changed",
        ),
        (
            "<insert file=\"a.csv\">line=0 field=0 text=b</insert>",
            "SEQUENTIAL,PRINTF=2\na\n",
            "insert: injection file `a.csv` has PRINTF= and cannot be changed",
        ),
        (
            "<insert file=\"a.csv\">line=1 field=0 text=b</insert>",
            normal,
            "insert: injection file `a.csv` has no such line",
        ),
        (
            "<replace file=\"a.csv\">line=0 field=1 text=b</replace>",
            normal,
            "replace: injection file `a.csv` has no such field in that line",
        ),
        (
            "<replace file=\"a.csv\">line=x field=0 text=b</replace>",
            normal,
            "replace: `x` is no number of a line",
        ),
    ] {
        let mut stage = client(&[nop("", action), send("X: 1")], &[file("a.csv", text)]);
        stage.spawn();
        assert_eq!(stage.fatal.as_deref(), Some(expected), "{action}");
    }
}

#[test]
fn random_lines_are_the_same_for_the_same_seed() {
    let files = [file("a.csv", "RANDOM\na\nb\nc\nd\n")];
    let run = |seed: u64| {
        let program = pair::program_with_files(
            "test",
            &scenario(&[log("[field0]"), send("X: 1")]),
            &["a.csv"],
        );
        let mut stage = Stage::of(program, pair::client_params(), |params| {
            params.injection = files.to_vec();
            params.seed = seed;
        });
        (0..40).for_each(|_| stage.spawn());
        stage.lines.concat()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_program_does_not_run_without_the_files_it_was_compiled_with() {
    let link = |line: &str, files: &[Arc<InjectionFile>]| {
        let program =
            pair::program_with_files("test", &scenario(&[send(line)]), &["a.csv", "b.csv"]);
        let params = RunParams {
            injection: files.to_vec(),
            ..pair::client_params()
        };
        Image::link(program, params).map(|_| ())
    };
    let a = file("a.csv", "SEQUENTIAL\na\n");
    assert_eq!(link("X: [field0]", &[]), Err(LinkError::NoInjection));
    assert_eq!(link("X: [field0]", std::slice::from_ref(&a)), Ok(()));
    assert_eq!(
        link("X: [field0 file=\"b.csv\"]", &[a]),
        Err(LinkError::NoInjectionFile("b.csv".to_owned()))
    );
}

#[test]
fn with_a_path_per_address_a_call_prints_the_address_of_its_line() {
    let file = file("a.csv", "SEQUENTIAL\nx;192.0.2.7\ny;2001:db8::7\n");
    let paths = Paths::of(&file, 1).expect("addresses");
    let program =
        pair::program_with_files("test", &scenario(&[send("X: [server_ip]")]), &["a.csv"]);
    let mut stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::clone(&file)];
        params.paths = Some(Arc::new(paths));
    });
    for _ in 0..3 {
        stage.spawn();
    }
    assert_eq!(
        printed(&stage),
        [Some("192.0.2.7"), Some("2001:db8::7"), Some("192.0.2.7")]
    );
}

#[test]
fn a_line_changed_to_an_unknown_address_ends_the_run() {
    let file = file("a.csv", "SEQUENTIAL\n192.0.2.7\n192.0.2.8\n");
    let paths = Paths::of(&file, 0).expect("addresses");
    let change = nop("", r#"<replace file="a.csv" line="1" value="192.0.2.9"/>"#);
    let program = pair::program_with_files("test", &scenario(&[change, send("X: 1")]), &["a.csv"]);
    let mut stage = Stage::of(program, pair::client_params(), |params| {
        params.injection = vec![Arc::clone(&file)];
        params.paths = Some(Arc::new(paths));
    });
    stage.spawn();
    assert_eq!(stage.sent.len(), 1);
    stage.spawn();
    assert_eq!(stage.sent.len(), 1);
    assert!(
        stage
            .fatal
            .as_ref()
            .is_some_and(|text| text.contains("192.0.2.9"))
    );
}
