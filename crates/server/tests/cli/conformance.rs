//! CONFORMANCE.md is true of this tree: what its rows name exists, and no requirement is missing or
//! told twice.

use std::{collections::BTreeMap, fs, ops::RangeInclusive, path::Path};

/// The number of the last requirement.
const LAST: u16 = 213;
/// How strongly a specification asks. A requirement begins with one of these.
const LEVELS: [&str; 9] = [
    "MUST",
    "MUST NOT",
    "SHOULD",
    "SHOULD NOT",
    "RECOMMENDED",
    "NOT RECOMMENDED",
    "MAY",
    "OPTIONAL",
    "INFO",
];
/// Why a requirement has no function and test.
const STATES: [&str; 3] = ["not yet", "not applicable", "information"];

#[test]
fn every_row_resolves_and_every_requirement_has_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document =
        fs::read_to_string(root.join("CONFORMANCE.md")).expect("CONFORMANCE.md is there");
    let source = |path: &str| fs::read_to_string(root.join(path)).ok();
    assert_eq!(problems(&document, LAST, source), [""; 0]);
}

/// What is wrong with a document about requirements 1 to `last`, given the sources that it speaks
/// of.
fn problems(document: &str, last: u16, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut rows = BTreeMap::<u16, usize>::new();
    for line in document.lines().filter(|line| {
        line.starts_with('|') && !line.starts_with("| id |") && !line.starts_with("|---")
    }) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        match ids(cells[0]) {
            _ if cells[0].starts_with('P') => {
                problems.extend(
                    check_peer_case(&cells[1..], &source)
                        .iter()
                        .map(|problem| format!("{}: {problem}", cells[0])),
                );
                continue;
            }
            _ if is_fault(cells[0]) => {
                let found = check_fault(&cells[1..], &source);
                problems.extend(
                    found
                        .iter()
                        .map(|problem| format!("{}: {problem}", cells[0])),
                );
                continue;
            }
            Some(ids) => ids.for_each(|id| *rows.entry(id).or_default() += 1),
            None => problems.push(format!("{:?} is no requirement", cells[0])),
        }
        let found = match cells[1..] {
            [requirement, enforced, tested] => check_row(requirement, enforced, tested, &source),
            [state, reason] if STATES.contains(&state) && !reason.is_empty() => Vec::new(),
            [..] => vec![
                "is neither a row of functions and tests, nor one of state and reason".to_owned(),
            ],
        };
        problems.extend(
            found
                .iter()
                .map(|problem| format!("{}: {problem}", cells[0])),
        );
    }
    let all = (1..=last).chain(rows.keys().copied().filter(|id| !(1..=last).contains(id)));
    let counted = all.map(|id| {
        (
            id,
            rows.get(&id).copied().unwrap_or_default(),
            (1..=last).contains(&id),
        )
    });
    problems.extend(
        counted
            .filter(|row| (row.1, row.2) != (1, true))
            .map(|(id, count, _)| format!("R{id:03} has {count} rows")),
    );
    problems
}

/// `R001`, or a range such as `R148-R163`.
fn ids(cell: &str) -> Option<RangeInclusive<u16>> {
    let number = |text: &str| {
        text.strip_prefix('R')
            .filter(|digits| digits.len() == 3)?
            .parse()
            .ok()
    };
    let (first, last) = cell.split_once('-').unwrap_or((cell, cell));
    let range = number(first)?..=number(last)?;
    (!range.is_empty()).then_some(range)
}

/// `F1` and the like: a fault that was found.
fn is_fault(cell: &str) -> bool {
    let kinds = ["F", "L", "I", "J", "E", "B"];
    kinds.iter().any(|kind| {
        cell.strip_prefix(kind)
            .is_some_and(|number| number.parse::<u16>().is_ok())
    })
}

/// What is wrong with a row of the faults that were found: what holds now, functions and tests.
fn check_fault(cells: &[&str], source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    match cells {
        [holds, enforced, tested] if !holds.is_empty() => {
            let mut problems = unresolved(enforced, &source, defines);
            problems.extend(unresolved(tested, &source, has_test));
            problems
        }
        _ => vec!["is not what holds, its functions and its tests".to_owned()],
    }
}

/// What is wrong with a row of the cases that other servers test: P, a case, and tests or why there
/// is none.
fn check_peer_case(cells: &[&str], source: impl Fn(&str) -> Option<String>) -> Vec<String> {
    match cells {
        [case, tested] if !case.is_empty() && !tested.contains('`') && tested.contains(": ") => {
            let state = tested.split(": ").next().unwrap_or_default();
            if STATES.contains(&state) {
                Vec::new()
            } else {
                vec![format!("{state:?} is no state")]
            }
        }
        [case, tested] if !case.is_empty() => unresolved(tested, source, has_test),
        _ => vec!["is not a case and its tests".to_owned()],
    }
}

fn check_row(
    requirement: &str,
    enforced: &str,
    tested: &str,
    source: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let level = requirement.split_once(": ").map_or("", |(level, _)| level);
    let mut problems = Vec::new();
    if !LEVELS.contains(&level) {
        problems.push(format!(
            "{requirement:?} does not begin with how strongly it is asked"
        ));
    }
    problems.extend(unresolved(enforced, &source, defines));
    problems.extend(unresolved(tested, &source, has_test));
    problems
}

/// The names of a cell that do not hold. A cell is `file` `name`, `name`; `file` `name`: each name
/// belongs to the file before it.
fn unresolved(
    cell: &str,
    source: impl Fn(&str) -> Option<String>,
    holds: fn(&str, &str) -> bool,
) -> Vec<String> {
    let mut problems = Vec::new();
    let (mut file, mut text, mut names) = ("", None, 0);
    for quoted in cell.split('`').skip(1).step_by(2) {
        if quoted.ends_with(".rs") {
            (file, text) = (quoted, source(quoted));
            problems.extend(text.is_none().then(|| format!("there is no file {file}")));
            continue;
        }
        names += 1;
        if !text.as_ref().is_none_or(|text| holds(text, quoted)) || file.is_empty() {
            problems.push(format!("{quoted} is not in {file:?}"));
        }
    }
    problems.extend((names == 0).then(|| format!("{cell:?} names nothing")));
    problems
}

/// Whether a function, constant or type of this name is defined in the source.
fn defines(source: &str, name: &str) -> bool {
    ["fn", "const", "static", "struct", "enum"]
        .into_iter()
        .any(|keyword| line_of(source, keyword, name).is_some())
}

/// Whether a test of this name is in the source: a function with a test attribute, or a law that a
/// suite of the same file runs.
fn has_test(source: &str, name: &str) -> bool {
    let Some(line) = line_of(source, "fn", name) else {
        return false;
    };
    let before: Vec<_> = source.lines().take(line).map(str::trim).collect();
    let attributes = before
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let is_law = || source.contains("_suite {") && before.contains(&name);
    attributes
        .into_iter()
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
        || is_law()
}

/// The line, counted from 0, on which `keyword name` stands, the name being whole.
fn line_of(source: &str, keyword: &str, name: &str) -> Option<usize> {
    let definition = format!("{keyword} {name}");
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    let stands = |line: &str| {
        !line.trim_start().starts_with("//")
            && line
                .split_once(&definition)
                .is_some_and(|(_, rest)| ends(rest))
    };
    source.lines().position(stands)
}

/// A tree of two files.
fn small_tree(path: &str) -> Option<String> {
    let text = match path {
        "src/rules.rs" => {
            "const LIMIT: usize = 1;\npub(super) fn audience<'a>(claims: &'a Claims) {}\n// fn gone()\n"
        }
        "tests/rules.rs" => {
            "fn helper() {}\n\n/// Why.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn rejects_it() {}\n"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

const GOOD: &str = "| R001 | MUST: be right | `src/rules.rs` `audience`, `LIMIT` | `tests/rules.rs` `rejects_it` |";

#[test]
fn accepts_a_good_row_and_a_range_with_a_reason() {
    let head = "| id | requirement | enforced by | tested by |\n|---|---|---|---|";
    let document =
        format!("# Title\n\n{head}\n{GOOD}\n\n| R002-R004 | not yet | nobody needed it |\n");
    assert_eq!(problems(&document, 4, small_tree), [""; 0]);
}

#[test]
fn names_what_is_wrong_with_a_broken_row() {
    let rows = [
        (
            "src/rules.rs",
            "src/rule.rs",
            "there is no file src/rule.rs",
        ),
        ("audience", "audienc", "audienc is not in \"src/rules.rs\""),
        ("LIMIT", "gone", "gone is not in \"src/rules.rs\""),
        ("`audience`, `LIMIT`", "", "names nothing"),
        (
            "rejects_it",
            "accepts_it",
            "accepts_it is not in \"tests/rules.rs\"",
        ),
        (
            "rejects_it",
            "helper",
            "helper is not in \"tests/rules.rs\"",
        ),
        ("`tests/rules.rs` ", "", "rejects_it is not in \"\""),
        ("`tests/rules.rs` `rejects_it`", "", "names nothing"),
        (" | `tests/rules.rs` `rejects_it`", "", "neither"),
        ("MUST: ", "", "does not begin with"),
        ("R001", "R01", "is no requirement"),
        ("R001", "R001-R002", "R002 has 1 rows"),
    ];
    for (part, instead, problem) in rows {
        let broken = GOOD.replacen(part, instead, 1);
        let found = problems(&broken, 1, small_tree).join("\n");
        assert!(
            broken != GOOD && found.contains(problem),
            "{broken}: {found}"
        );
    }
}

#[test]
fn checks_the_cases_that_other_servers_test() {
    let row = |tested: &str| format!("{GOOD}\n| P | exp missing | {tested} |");
    for good in [
        "`tests/rules.rs` `rejects_it`",
        "not yet: there is no such thing",
    ] {
        assert_eq!(problems(&row(good), 1, small_tree), [""; 0], "{good}");
    }
    for bad in [
        "`tests/rules.rs` `accepts_it`",
        "",
        "nobody tests it",
        "perhaps: some day",
    ] {
        assert_eq!(problems(&row(bad), 1, small_tree).len(), 1, "{bad}");
    }
}

#[test]
fn counts_every_requirement_once() {
    assert_eq!(problems(GOOD, 2, small_tree), ["R002 has 0 rows"]);
    let again = format!("{GOOD}\n| R001-R002 | not applicable | told twice |");
    assert_eq!(problems(&again, 2, small_tree), ["R001 has 2 rows"]);
    let unknown = format!("{GOOD}\n| R002 | perhaps | a state that nobody knows |");
    assert_eq!(problems(&unknown, 2, small_tree).len(), 1);
}
