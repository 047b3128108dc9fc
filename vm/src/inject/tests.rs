// SPDX-License-Identifier: AGPL-3.0-only
//! Files, line choice, index and changes together.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

fn file(text: &str) -> InjectionFile {
    InjectionFile::parse("f.csv", text.as_bytes().to_vec()).expect(text)
}

fn loaded(file: InjectionFile) -> Injection {
    Injection::new(&[Arc::new(file)])
}

fn print(injection: &Injection, line: u32, n: u32) -> Result<String, FieldError> {
    let mut out = Vec::new();
    injection
        .print(0, line, n, &mut out)
        .map(|()| String::from_utf8(out).expect("ASCII"))
}

fn lines_of(injection: &mut Injection, user: u32, calls: usize) -> Vec<u32> {
    let mut random = crate::rng::seed(7, 9);
    let mut lines = Lines::new();
    (0..calls)
        .map(|_| {
            injection
                .choose(user, &mut random, &mut lines)
                .expect("a line");
            lines[0]
        })
        .collect()
}

#[test]
fn comments_are_skipped_and_the_first_empty_line_ends_the_file() {
    let file = file("SEQUENTIAL\n#a\none;1\n# b\r\ntwo;2;\r\n\nthree\n");
    assert_eq!(file.count(), 2);
    assert_eq!(file.hints(), [Hint::TextBehindTheEnd { line: 6 }]);
    let injection = loaded(file);
    assert_eq!(print(&injection, 1, 1), Ok("2".to_owned()));
    assert_eq!(print(&injection, 1, 2), Ok(String::new()));
    assert_eq!(print(&injection, 1, 3), Err(FieldError::Missing));
}

#[test]
fn a_line_with_only_a_carriage_return_is_a_record() {
    let file = file("RANDOM,SEQUENTIAL\r\na\r\n\r\nb");
    assert_eq!(file.order(), Order::Random);
    assert_eq!(file.count(), 3);
    assert_eq!(file.hints(), [Hint::OnlyCarriageReturn { line: 3 }]);
    let injection = loaded(file);
    assert_eq!(print(&injection, 1, 0), Ok(String::new()));
    assert_eq!(print(&injection, 2, 0), Ok("b".to_owned()));
}

#[test]
fn headers_and_empty_files_are_refused() {
    let parse = |text: &str| InjectionFile::parse("f", text.as_bytes().to_vec()).map(|_| ());
    assert_eq!(parse(""), Err(InjectError::NoOrder));
    assert_eq!(parse("sequential\na\n"), Err(InjectError::NoOrder));
    assert_eq!(parse("USER"), Err(InjectError::NoLines));
    assert_eq!(parse("USER\n\na\n"), Err(InjectError::NoLines));
    assert_eq!(parse("USER\n#a\n"), Err(InjectError::NoLines));
    assert_eq!(parse("USER\na"), Ok(()));
}

#[test]
fn sequential_lines_wrap_and_user_lines_belong_to_users() {
    let mut injection = loaded(file("SEQUENTIAL\na\nb\n"));
    assert_eq!(lines_of(&mut injection, 0, 5), [0, 1, 0, 1, 0]);
    let mut injection = loaded(file("USER\na\nb\n"));
    assert_eq!(lines_of(&mut injection, 2, 2), [1, 1]);
    assert_eq!(lines_of(&mut injection, 0, 1), [NO_LINE]);
    assert_eq!(print(&injection, NO_LINE, 0), Ok(String::new()));
    let beyond = injection.choose(3, &mut 0, &mut Lines::new());
    assert_eq!(beyond, Err("f.csv".to_owned()));
}

#[test]
fn random_lines_reach_every_line() {
    let mut injection = loaded(file("RANDOM\na\nb\nc\n"));
    let lines = lines_of(&mut injection, 0, 100);
    assert!((0..3).all(|line| lines.contains(&line)), "{lines:?}");
    assert!(lines.iter().all(|line| *line < 3));
}

#[test]
fn virtual_lines_use_the_records_in_turn() {
    let file = file("SEQUENTIAL,PRINTF=5,PRINTFOFFSET=100,PRINTFMULTIPLE=10\na%03d;x\nb%d;%s\n");
    assert_eq!(file.count(), 5);
    let injection = loaded(file);
    assert_eq!(print(&injection, 0, 0), Ok("a100".to_owned()));
    assert_eq!(print(&injection, 3, 0), Ok("b130".to_owned()));
    assert_eq!(print(&injection, 3, 1), Err(FieldError::Conversion));
    assert_eq!(print(&injection, 5, 0), Ok(String::new()));
}

#[test]
fn a_lookup_finds_the_last_line_with_the_text() {
    let file = file("SEQUENTIAL\nbob;1\nann;2\nbob;3\nshort\n");
    assert_eq!(
        loaded(file.clone()).lookup(0, b"bob"),
        Err(ActionError::NotIndexed)
    );
    let by_name = loaded(file.clone().indexed(0).expect("small"));
    assert_eq!(by_name.lookup(0, b"bob"), Ok(Some(2)));
    assert_eq!(by_name.lookup(0, b"eve"), Ok(None));
    let by_number = loaded(file.indexed(1).expect("small"));
    assert_eq!(by_number.lookup(0, b"2"), Ok(Some(1)));
    let text = "SEQUENTIAL,PRINTF=1000\nuser%04d\n";
    let virtual_lines = loaded(self::file(text).indexed(0).expect("small"));
    assert_eq!(virtual_lines.lookup(0, b"user0777"), Ok(Some(777)));
}

#[test]
fn changes_are_seen_by_fields_index_and_line_choice() {
    let text = "SEQUENTIAL\nbob;1\nann;2\n";
    let shared = Arc::new(file(text).indexed(0).expect("small"));
    let mut injection = Injection::new(&[Arc::clone(&shared)]);
    injection.insert(0, b"eve;3").expect("insert");
    injection.replace(0, 0, b"rob;4").expect("replace");
    assert_eq!(print(&injection, 0, 0), Ok("rob".to_owned()));
    assert_eq!(print(&injection, 2, 1), Ok("3".to_owned()));
    assert_eq!(injection.lookup(0, b"bob"), Ok(None));
    assert_eq!(injection.lookup(0, b"rob"), Ok(Some(0)));
    assert_eq!(injection.lookup(0, b"eve"), Ok(Some(2)));
    injection.replace(0, 2, b"eva;5").expect("an added line");
    assert_eq!(injection.lookup(0, b"eva"), Ok(Some(2)));
    assert_eq!(lines_of(&mut injection, 0, 4), [0, 1, 2, 0]);
    assert_eq!(injection.replace(0, 3, b"x"), Err(ActionError::NoSuchLine));
    // Another shard still has the file as it is on disk.
    let other = Injection::new(&[shared]);
    assert_eq!(other.lookup(0, b"bob"), Ok(Some(0)));
    assert_eq!(other.count(0), 2);
}

#[test]
fn files_with_virtual_lines_cannot_be_changed() {
    let mut injection = loaded(file("SEQUENTIAL,PRINTF=5\na%d\n"));
    assert_eq!(injection.insert(0, b"x"), Err(ActionError::Printf));
    assert_eq!(injection.replace(0, 0, b"x"), Err(ActionError::Printf));
}

#[test]
fn an_edited_file_keeps_everything_else() {
    let mut injection = loaded(file("SEQUENTIAL\r\n#c\r\nbob;1\r\nann;2\r\n\nrest"));
    assert_eq!(injection.edited(), []);
    injection.replace(0, 1, b"ann;22").expect("replace");
    injection.insert(0, b"eve;3").expect("insert");
    let bytes = b"SEQUENTIAL\r\n#c\r\nbob;1\r\nann;22\r\neve;3\r\n\nrest".to_vec();
    let name = "f.csv".to_owned();
    assert_eq!(injection.edited(), [Ok(EditedFile { name, bytes })]);
    let mut injection = loaded(file("SEQUENTIAL\nbob"));
    injection.insert(0, b"eve").expect("insert");
    let edited = injection.edited().remove(0).expect("writable");
    assert_eq!(edited.bytes, b"SEQUENTIAL\nbob\neve\n");
}

#[test]
fn a_line_that_would_not_be_read_back_is_not_written() {
    for bad in ["", "#x", "a\nb", "a\r"] {
        let mut injection = loaded(file("SEQUENTIAL\nbob\n"));
        injection.insert(0, bad.as_bytes()).expect("insert");
        let edited = injection.edited().remove(0);
        assert_eq!(edited.map_err(|error| error.line), Err(1), "{bad:?}");
    }
}

#[test]
fn base_names_end_at_either_slash() {
    assert_eq!(base_name("a/b.csv"), "b.csv");
    assert_eq!(base_name("a\\b.csv"), "b.csv");
    assert_eq!(base_name("b.csv"), "b.csv");
}

/// A naive reading of the format, line by line.
fn naive(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if lines.last() == Some(&&b""[..]) {
        lines.pop();
    }
    let lines = lines
        .into_iter()
        .skip(1)
        .take_while(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with(b"#"))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_like_a_naive_reader(
        body in proptest::collection::vec(proptest::sample::select(&b"a;#%d\r\n"[..]), 0..60),
    ) {
        let mut text = b"SEQUENTIAL\n".to_vec();
        text.extend_from_slice(&body);
        let expected = naive(&text);
        match InjectionFile::parse("f", text) {
            Err(error) => {
                prop_assert_eq!(error, InjectError::NoLines);
                prop_assert!(expected.is_empty());
            }
            Ok(file) => {
                let file = file.indexed(0).expect("small");
                let injection = loaded(file.clone());
                prop_assert_eq!(file.count() as usize, expected.len());
                for (n, line) in (0..).zip(&expected) {
                    prop_assert_eq!(file.record(n), Some(&line[..]));
                    let key = field(line, b';', 0).expect("every line has one");
                    let last = expected.iter().rposition(|other| field(other, b';', 0) == Some(key));
                    let found = injection.lookup(0, key).expect("indexed");
                    prop_assert_eq!(found.map(|line| line as usize), last);
                }
            }
        }
    }
}

fn of_gossipper(bytes: &[u8]) -> InjectionFile {
    InjectionFile::parse_as(Form::Gossipper, "f.csv", bytes.to_vec()).expect("a file")
}

#[test]
fn files_of_gossipper_need_no_header_and_may_have_a_mark_blank_lines_and_commas() {
    let file = of_gossipper(b"\xef\xbb\xbf\n#a;b;c;d\nann,1;2,x\r\n\r\n \nbob,3,y\n\n");
    assert_eq!((file.order(), file.count()), (Order::Sequential, 2));
    assert_eq!(file.hints(), []);
    let injection = loaded(file.indexed(0).expect("small"));
    assert_eq!(print(&injection, 0, 0), Ok("ann".to_owned()));
    assert_eq!(print(&injection, 0, 1), Ok("1;2".to_owned()));
    assert_eq!(print(&injection, 1, 2), Ok("y".to_owned()));
    assert_eq!(injection.lookup(0, b"bob"), Ok(Some(1)));
    // The mark is not part of the first record either when that is the first line.
    let file = of_gossipper(b"\xef\xbb\xbfann;1");
    assert_eq!(print(&loaded(file), 0, 0), Ok("ann".to_owned()));
}

#[test]
fn the_header_of_a_file_of_gossipper_begins_with_one_of_the_words() {
    let order = |text: &[u8]| {
        let file = of_gossipper(text);
        (file.order(), file.count())
    };
    assert_eq!(order(b"# c\nUSER\na\n"), (Order::User, 1));
    assert_eq!(order(b"RANDOM;\na\n\nb\n"), (Order::Random, 2));
    assert_eq!(order(b"SEQUENTIAL,PRINTF=7\na%d\n"), (Order::Sequential, 7));
    assert_eq!(order(b"USERNAME,PASSWORD\na,b\n"), (Order::Sequential, 2));
    let empty = |text: &[u8]| {
        let file = InjectionFile::parse_as(Form::Gossipper, "f", text.to_vec());
        file.map(|_| ())
    };
    assert_eq!(empty(b""), Err(InjectError::NoLines));
    assert_eq!(empty(b"\xef\xbb\xbf\n \n#\n"), Err(InjectError::NoLines));
    assert_eq!(empty(b"USER\n"), Err(InjectError::NoLines));
}

#[test]
fn the_more_frequent_separator_of_the_first_64_kib_separates() {
    let second = |text: &[u8]| print(&loaded(of_gossipper(text)), 0, 1);
    assert_eq!(second(b"a;b,c;d\n"), Ok("b,c".to_owned()));
    assert_eq!(
        second(b"a,b;c\n"),
        Ok("c".to_owned()),
        "`;` if both are equal"
    );
    let mut long = b"a,b;c,d\n".to_vec();
    long.resize(65_536, b'x');
    long.extend_from_slice(b";;;;");
    assert_eq!(second(&long), Ok("b;c".to_owned()));
    // By SIPp's rules a comma is text.
    assert_eq!(
        print(&loaded(file("SEQUENTIAL\na,b\n")), 0, 0),
        Ok("a,b".to_owned())
    );
}

#[test]
fn changed_files_of_gossipper_keep_their_separator() {
    let mut injection = loaded(of_gossipper(b"ann,1\n\nbob,2\n"));
    injection.insert(0, b"eve,3").expect("insert");
    injection.replace(0, 1, b"rob,4").expect("replace");
    assert_eq!(print(&injection, 2, 1), Ok("3".to_owned()));
    let edited = injection.edited().remove(0).expect("writable");
    assert_eq!(edited.bytes, b"ann,1\n\nrob,4\neve,3\n");
    assert_eq!(of_gossipper(&edited.bytes).count(), 3);
}

#[test]
fn a_file_of_gossipper_that_would_not_be_read_back_is_not_written() {
    for text in [&b"USER,1"[..], b" ", b"a;b;c;d;e"] {
        let mut injection = loaded(of_gossipper(b"ann,1\nbob,2\n"));
        injection.replace(0, 0, text).expect("replace");
        assert!(injection.edited().remove(0).is_err());
    }
}
