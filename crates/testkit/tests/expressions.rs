// SPDX-License-Identifier: AGPL-3.0-only
//! Regular expressions find what the C library finds: compiler and machine together.
//!
//! A table of searches with what glibc says; both engines compared on random expressions for which the compiler claims
//! that they agree; and, where it is installed, GNU sed, which searches with the same library.

use gossipper_compiler::ere;
use gossipper_vm::posix::{Expression, GaveUp, Scratch, Spans};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn expression(source: &str) -> Expression {
    let translated = ere::translate(source.as_bytes()).expect(source);
    Expression::new(&translated.pattern, translated.automaton.as_ref()).expect(source)
}

fn find(expression: &Expression, text: &[u8]) -> Result<Option<Spans>, GaveUp> {
    let found = expression.find(text, &mut expression.locations(), &mut Scratch::default());
    if let Ok(found) = &found {
        assert_eq!(expression.is_match(text), Ok(found.is_some()));
    }
    found
}

/// `0-4 - 1-2`: the match and its groups; empty without a match.
fn shown(spans: Option<Spans>) -> String {
    let span = |span: &Option<(usize, usize)>| match span {
        Some((from, to)) => format!("{from}-{to}"),
        None => "-".to_owned(),
    };
    let spans = spans.unwrap_or_default();
    spans.iter().map(span).collect::<Vec<_>>().join(" ")
}

/// Expression, text, and what `regexec` of glibc 2.36 fills in.
const TABLE: &[(&str, &str, &str)] = &[
    ("(INFO|INFORMATION)", "INFORMATION", "0-11 0-11"),
    ("a|ab|abc", "abcd", "0-3"),
    ("(a|ab)(c|bcd)(d*)", "abcd", "0-4 0-1 1-4 4-4"),
    ("(a|ab)(bcd|c)(d*)", "abcd", "0-4 0-1 1-4 4-4"),
    ("a?(ab)?", "ab", "0-2 0-2"),
    ("a*(ab)?", "aaab", "0-4 2-4"),
    ("(a*)(ab)*(b*)", "abb", "0-3 0-1 - 1-3"),
    ("(a*)*", "b", "0-0 0-0"),
    ("(a*)+", "b", "0-0 0-0"),
    ("((a*)?b)*", "aabb", "0-4 0-4 0-2"),
    ("(a?){,2}", "a", "0-1 1-1"),
    ("(a?){2}", "a", "0-1 1-1"),
    ("(|a)", "a", "0-1 0-1"),
    ("(|a|b)", "b", "0-1 0-1"),
    ("(||a)", "a", "0-1 0-1"),
    ("a||b", "b", "0-1"),
    ("((a)|b)*", "ab", "0-2 1-2 0-1"),
    ("((a)|(b))*", "ab", "0-2 1-2 0-1 1-2"),
    ("(a|b)*(c|b)?", "abab", "0-4 3-4 -"),
    ("(a{0,2}|b)*", "aab", "0-3 2-3"),
    ("(ab|a){1,2}(bc)?", "abc", "0-3 0-1 1-3"),
    ("(a|ab|abc){0,2}", "ababc", "0-5 2-5"),
    ("(a(b)?){2,3}", "abaab", "0-5 3-5 4-5"),
    ("((a))*", "aa", "0-2 1-2 1-2"),
    ("(((a*)))", "aa", "0-2 0-2 0-2 0-2"),
    ("(c){0}|(a*)", "aa", "0-2 - 0-2"),
    ("x*(xy|xyz)(z|.)?", "xxyz", "0-4 1-3 3-4"),
    ("(.*)(b|bc)(.*)", "abcbc", "0-5 0-3 3-4 4-5"),
    (
        "(SUB|SUBSCRIBE|NOTIFY)( .*)?",
        "SUBSCRIBE sip:a",
        "0-15 0-9 9-15",
    ),
    (
        "<?(sip|sips):([^@>]*@)?([^>;:]*)",
        "To: <sips:bob@h:5060>",
        "4-15 5-9 10-14 14-15",
    ),
    ("tag=(.*|[0-9]+);", "tag=1;x;2", "0-8 4-7"),
    ("\\<(in|invite)\\>|\\<in", "an invite", "3-9 3-9"),
    ("(^|,)(a|ab)(,|$)", "ab,a", "0-3 0-0 0-2 2-3"),
    ("(a|ab)\\b(c| c)", "ab c", "0-4 0-2 2-4"),
    ("(a)\\1", "baa", "1-3 1-2"),
    ("(a*)\\1", "aaaaa", "0-4 0-2"),
    ("(a*)b\\1", "aabaa", "0-5 0-2"),
    ("([a-c]*)\\1", "abcabcx", "0-6 0-3"),
    ("(.*)-\\1", "xab-abz", "1-6 1-3"),
    ("([ab])([cd])\\2\\1", "acdbddb", "3-7 3-4 4-5"),
    ("(a|ab)\\1*", "ababab", "0-6 0-2"),
    ("(a)(b)?\\1", "aba", "0-3 0-1 1-2"),
    (
        "tag=([^;]*);.*tag=\\1",
        "From: a;tag=77;x\r\nTo: b;tag=77",
        "8-30 12-14",
    ),
    ("\\b(\\w+) \\1\\b", "the cat cat sat", "4-11 4-7"),
    ("((a)\\2)*", "aaaab", "0-4 2-4 2-3"),
    ("(a)\\1|(b)\\2", "abb", "1-3 - 1-2"),
    ("(a.|b)\\1?", "axaxa", "0-4 0-2"),
    ("(x?)a\\1", "xaxa", "0-3 0-1"),
    ("((.)(.))\\3\\2", "xabba", "1-5 1-3 1-2 2-3"),
    ("(a)\\1{2}", "aaaa", "0-3 0-1"),
    ("o=([[:alnum:]]+) ([[:alnum:]]+)", "o=ab 12", "0-7 2-4 5-7"),
    (
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
        "a 192.0.2.17:5",
        "2-12 9-12",
    ),
    (
        "Content-Type:.*",
        "x\r\nContent-Type: a\r\n\r\nv=0\r\n",
        "3-27",
    ),
];

#[test]
fn searches_give_the_spans_of_the_c_library() {
    for (source, text, wanted) in TABLE {
        let found = find(&expression(source), text.as_bytes()).expect("few steps");
        assert_eq!(shown(found), *wanted, "{source:?} on {text:?}");
    }
}

/// A random expression over a small alphabet.
fn random(rng: &mut fastrand::Rng, depth: u32, out: &mut String) {
    for branch in 0..[1, 1, 1, 2, 2, 3][rng.usize(..6)] {
        if branch > 0 {
            out.push('|');
        }
        for _ in 0..rng.usize(..4) {
            if depth > 0 && rng.u8(..10) < 3 {
                out.push('(');
                random(rng, depth - 1, out);
                out.push(')');
            } else {
                out.push_str(["a", "b", "c", "[ab]", "[^a]", "."][rng.usize(..6)]);
            }
            if rng.u8(..10) < 4 {
                let count = ["*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}"][rng.usize(..7)];
                out.push_str(count);
            }
        }
    }
}

#[test]
fn where_the_compiler_says_so_both_engines_find_the_same() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut agreed, mut exact, mut matched) = (0, 0, 0);
    for _ in 0..4000 {
        let mut source = String::new();
        random(&mut rng, 2, &mut source);
        let Ok(translated) = ere::translate(source.as_bytes()) else {
            continue;
        };
        if translated.automaton.is_some() {
            exact += 1;
            continue;
        }
        let fast = Expression::new(&translated.pattern, None).expect("built before");
        let automaton = ere::automaton(source.as_bytes()).expect("small");
        let slow = Expression::new(&translated.pattern, Some(&automaton)).expect("built before");
        agreed += 1;
        for _ in 0..8 {
            let text: Vec<u8> = (0..rng.usize(..9))
                .map(|_| b"abc"[rng.usize(..3)])
                .collect();
            let (a, b) = (find(&fast, &text), find(&slow, &text));
            assert_eq!(a, b, "{source:?} on {:?}", String::from_utf8_lossy(&text));
            matched += u32::from(a.is_ok_and(|found| found.is_some()));
        }
    }
    // Both kinds must occur, or this says nothing.
    assert!(
        agreed > 1000 && exact > 300 && matched > 5000,
        "{agreed} {exact} {matched}"
    );
}

#[test]
fn common_expressions_need_the_fast_engine_only() {
    for source in [
        "INVITE|REGISTER",
        "tag=([^;>]*)",
        ".*",
        "sip:(.*)@(.*):([0-9]+)",
        "m=audio ([0-9]{1,5}) RTP/AVP",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}:[0-9]*",
        "o=([[:alnum:]]*) ([[:alnum:]]*) ([[:alnum:]]*)",
        "^ *([0-9]+) (INVITE|BYE)$",
        "(information|info)",
        "<(sip:|sips:)?[^>]*>(;tag=.*)?",
    ] {
        let translated = ere::translate(source.as_bytes()).expect(source);
        assert_eq!(translated.automaton, None, "{source}");
    }
}

#[test]
fn hostile_texts_end_in_bounded_steps() {
    let text = [&b"a".repeat(3000)[..], b"!b"].concat();
    // Every place, every length of every group: far too many ways, and none that leads to the end.
    let hostile = expression("(a*)(a*)(a*)\\1\\2\\3b");
    assert_eq!(find(&hostile, &text[..3001]), Ok(None));
    assert_eq!(
        hostile.find(&text, &mut hostile.locations(), &mut Scratch::default()),
        Err(GaveUp)
    );
    assert_eq!(hostile.is_match(&text), Err(GaveUp));
    // Without back-references the same text is no trouble.
    let found = find(&expression("((a|aa)*|(a*)*)*!"), &text).expect("linear");
    assert_eq!(found.expect("a match")[0], Some((0, 3001)));
    // A table that would be too large is refused, not allocated.
    let long = b"ab".repeat(200_000);
    assert_eq!(
        find(&expression("(a|ab|abc|b){1,300}.*"), &long),
        Err(GaveUp)
    );
}

#[test]
fn sed_finds_the_same_where_it_is_installed() {
    let works = |text: &str| text.bytes().all(|byte| byte != b'\r' && byte != b'\n');
    if sed("x", "x", 0).as_deref() != Some("[x]") {
        #[expect(clippy::print_stderr, reason = "a skipped test is said aloud")]
        {
            eprintln!("SKIPPED: no GNU sed that reads -zE");
        }
        return;
    }
    let mut compared = 0;
    for (source, text, wanted) in TABLE {
        let groups = source.matches('(').count();
        if wanted.is_empty() || !works(text) || source.contains('#') {
            continue;
        }
        let found = find(&expression(source), text.as_bytes())
            .expect("few steps")
            .expect("a match");
        let mut ours = String::new();
        for (from, to) in found.iter().map(|span| span.unwrap_or((0, 0))) {
            ours.push_str(&format!("[{}]", &text[from..to]));
        }
        let (from, to) = found[0].expect("the whole match");
        let ours = format!("{}{ours}{}", &text[..from], &text[to..]);
        assert_eq!(
            sed(source, text, groups),
            Some(ours),
            "{source:?} on {text:?}"
        );
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

/// The text with its first match replaced by `[match][group 1]…`.
fn sed(source: &str, text: &str, groups: usize) -> Option<String> {
    let mut script = format!("s#{source}#[&]");
    for group in 1..=groups {
        script.push_str(&format!("[\\{group}]"));
    }
    script.push('#');
    let mut child = Command::new("sed")
        .args(["-zE", &script])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok()
}
