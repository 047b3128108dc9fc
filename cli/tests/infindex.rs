// SPDX-License-Identifier: AGPL-3.0-only
//! `-infindex` on its own writes an index file, and beside a run it does not.

mod place;

use place::{Place, Ran};

#[track_caller]
fn written(ran: &Ran) {
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (
            0,
            "infindex generated: users.csv.gossipper.idx.0.json (entries=2)\n",
            ""
        ),
        "{}",
        ran.shown()
    );
}

#[test]
fn the_flag_alone_writes_the_index_beside_the_file() {
    for words in [
        "-infindex users.csv 0",
        "sipp -infindex users.csv 0",
        "sipp -infindex users.csv,0",
    ] {
        let place = Place::new();
        place.write("users.csv", "SEQUENTIAL\nann;1\nbob;2\nann;3\n");
        written(&place.run(words));
        let text = std::fs::read_to_string(place.path("users.csv.gossipper.idx.0.json"));
        let text = text.expect("the index");
        assert!(text.contains(r#""entries":{"ann":2,"bob":1}"#), "{text}");
    }
}

#[test]
fn what_cannot_be_indexed_ends_with_an_error() {
    let place = Place::new();
    place.write("users.csv", "SEQUENTIAL\nann;1\n");
    for (words, says) in [
        ("-infindex users.csv x", "`x` is no number of a field"),
        ("-infindex no.csv 0", "no.csv`: cannot read it"),
        (
            "-infindex users.csv 0 -infindex users.csv 1",
            "give the flag once",
        ),
        // A run needs the file itself.
        (
            "sipp -infindex users.csv 0 -sn uac 127.0.0.1:9",
            "no -inf names a file `users.csv`",
        ),
    ] {
        let ran = place.run(words);
        assert_eq!(ran.code, 1, "{words}: {}", ran.shown());
        assert!(ran.err.contains(says), "{words}: {}", ran.shown());
    }
    assert!(!place.path("users.csv.gossipper.idx.0.json").exists());
}
