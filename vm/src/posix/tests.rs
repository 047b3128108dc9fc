// SPDX-License-Identifier: AGPL-3.0-only
//! The engine by hand-made automata, odd ones among them; what expressions find is tested with the compiler.

use super::*;
use gossipper_bytecode::automaton::ByteSet;

fn automaton(nodes: Vec<Node>, references: bool) -> Automaton {
    let automaton = Automaton {
        nodes,
        sets: vec![ByteSet([u64::MAX; 4])],
        start: 0,
        groups: 1,
        aliases: Vec::new(),
        references,
    };
    assert_eq!(automaton.fault(), None);
    automaton
}

fn find(pattern: &str, automaton: &Automaton, text: &[u8]) -> Result<Option<Spans>, GaveUp> {
    let expression = Expression::new(pattern, Some(automaton)).expect("a pattern");
    expression.find(text, &mut expression.locations(), &mut Scratch::default())
}

#[test]
fn loops_that_take_nothing_end() {
    // Verified, though no compiler makes them: ways that lead in circles and never to the end.
    for references in [false, true] {
        let circle = vec![
            Node::Split {
                first: 1,
                second: 0,
            },
            Node::Open { group: 1, next: 2 },
            Node::Close {
                group: 1,
                optional: true,
                next: 0,
            },
        ];
        assert_eq!(
            find("x|", &automaton(circle, references), b"xx"),
            Err(GaveUp)
        );
    }
}

#[test]
fn an_automaton_that_contradicts_its_pattern_finds_nothing() {
    let any_then_end = vec![Node::Set { set: 0, next: 1 }, Node::Match];
    let found = find("a", &automaton(any_then_end.clone(), false), b"xa");
    let spans: Spans = [Some((1, 2)), None].into_iter().collect();
    assert_eq!(found, Ok(Some(spans)));
    assert_eq!(
        find("$", &automaton(any_then_end, false), b"xa"),
        Err(GaveUp)
    );
}
