//! CONFORMANCE.md is true of this tree: what its rows name exists, and no requirement is missing or
//! told twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::RangeInclusive,
    path::Path,
};

/// The number of the last requirement.
const LAST: u16 = 213;
/// Where the laws of storage stand, and which files there have the suites that run them.
const LAWS: &str = "crates/grantor/src/storage/conformance/";
const SUITES: [&str; 7] = [
    "artifact.rs",
    "keys.rs",
    "log.rs",
    "permission_use.rs",
    "registry.rs",
    "replay.rs",
    "statistics.rs",
];
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
    let mut others = BTreeSet::new();
    let laws = laws(&source);
    let has_test = |file: &str, text: &str, name: &str| {
        has_test(text, name) || (file.starts_with(LAWS) && is_law(&laws, text, name))
    };
    for line in document.lines().filter(|line| {
        line.starts_with('|') && !line.starts_with("| id |") && !line.starts_with("|---")
    }) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let check = match kind(cells[0]) {
            Some(Kind::Case) => Some(check_case(&cells[1..], &source, has_test)),
            Some(Kind::Holding) => Some(check_holding(&cells[1..], &source, has_test)),
            None => None,
        };
        if let Some(mut found) = check {
            if !others.insert(cells[0]) {
                found.push("has another row".to_owned());
            }
            problems.extend(
                found
                    .iter()
                    .map(|problem| format!("{}: {problem}", cells[0])),
            );
            continue;
        }
        match ids(cells[0]) {
            Some(ids) => ids.for_each(|id| *rows.entry(id).or_default() += 1),
            None => problems.push(format!("{:?} is no requirement", cells[0])),
        }
        let found = match cells[1..] {
            [requirement, enforced, tested] => {
                check_row(requirement, enforced, tested, &source, has_test)
            }
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

/// A row that is no requirement of R001 to R213.
enum Kind {
    /// What is tried, and the tests that try it.
    Case,
    /// What holds, and the functions and tests that keep it so.
    Holding,
}

/// The kind of row that an id is of: `F1` and the like are faults that were found, `P01`,
/// `CA01`, `MA01` and `TA01` cases, `C001`, `M080`, `S001` and `T070` requirements of our own.
fn kind(id: &str) -> Option<Kind> {
    let digits = id.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let is_number = digits.parse::<u16>().is_ok();
    match (&id[..id.len() - digits.len()], digits.len()) {
        ("P" | "CA" | "MA" | "TA", 2) if is_number => Some(Kind::Case),
        ("F" | "L" | "I" | "J" | "E" | "B", _) if is_number => Some(Kind::Holding),
        ("C" | "M" | "S" | "T", 3) if is_number => Some(Kind::Holding),
        _ => None,
    }
}

/// What is wrong with a row of what holds, functions and tests.
fn check_holding(
    cells: &[&str],
    source: impl Fn(&str) -> Option<String>,
    has_test: impl Fn(&str, &str, &str) -> bool,
) -> Vec<String> {
    match cells {
        [holds, enforced, tested] if !holds.is_empty() => {
            let mut problems = unresolved(enforced, &source, defines);
            problems.extend(unresolved(tested, &source, has_test));
            problems
        }
        _ => vec!["is not what holds, its functions and its tests".to_owned()],
    }
}

/// What is wrong with a row of a case, and tests or why there is none.
fn check_case(
    cells: &[&str],
    source: impl Fn(&str) -> Option<String>,
    has_test: impl Fn(&str, &str, &str) -> bool,
) -> Vec<String> {
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
    has_test: impl Fn(&str, &str, &str) -> bool,
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
    holds: impl Fn(&str, &str, &str) -> bool,
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
        if !text.as_ref().is_none_or(|text| holds(file, text, quoted)) || file.is_empty() {
            problems.push(format!("{quoted} is not in {file:?}"));
        }
    }
    problems.extend((names == 0).then(|| format!("{cell:?} names nothing")));
    problems
}

/// Whether a function, constant or type of this name is defined in the source.
fn defines(_: &str, source: &str, name: &str) -> bool {
    ["fn", "const", "static", "struct", "enum", "trait"]
        .into_iter()
        .any(|keyword| line_of(source, keyword, name).is_some())
}

/// Whether a test of this name is in the source: a function with a test attribute.
fn has_test(source: &str, name: &str) -> bool {
    let Some(line) = line_of(source, "fn", name) else {
        return false;
    };
    let before: Vec<_> = source.lines().take(line).map(str::trim).collect();
    before
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

/// Whether a law of this name is in the source, and a suite runs it.
fn is_law(laws: &BTreeSet<String>, source: &str, name: &str) -> bool {
    laws.contains(name) && line_of(source, "pub async fn", name).is_some()
}

/// The laws that the suites of storage run: the names that stand in `laws! { how suite make: … }`.
fn laws(source: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
    let texts: Vec<_> = SUITES
        .iter()
        .filter_map(|suite| source(&format!("{LAWS}{suite}")))
        .collect();
    texts
        .iter()
        .filter_map(|text| {
            text.split_once("laws! {")?
                .1
                .split_once('}')?
                .0
                .split_once(':')
        })
        .flat_map(|(_, names)| names.split_whitespace().map(str::to_owned))
        .collect()
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

/// A tree of two files, and a suite with its laws.
fn small_tree(path: &str) -> Option<String> {
    let text = match path {
        "src/rules.rs" => {
            "const LIMIT: usize = 1;\npub(super) fn audience<'a>(claims: &'a Claims) {}\n// fn gone()\n"
        }
        "tests/rules.rs" => {
            "fn helper() {}\n\n/// Why.\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn rejects_it() {}\n"
        }
        "crates/grantor/src/storage/conformance/registry.rs" => {
            "macro_rules! registry_suite {\n    $crate::laws! { $how registry $make:\n        it_holds\n    }\n}\n"
        }
        "crates/grantor/src/storage/conformance/registry/names.rs" => {
            "pub async fn it_holds() {}\npub async fn nobody_runs_it() {}\n"
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
fn a_law_is_one_that_a_suite_runs() {
    let row = |law: &str| {
        let file = format!("{LAWS}registry/names.rs");
        GOOD.replacen(
            "`tests/rules.rs` `rejects_it`",
            &format!("`{file}` `{law}`"),
            1,
        )
    };
    assert_eq!(problems(&row("it_holds"), 1, small_tree), [""; 0]);
    for none in ["nobody_runs_it", "it_is_gone"] {
        let found = problems(&row(none), 1, small_tree);
        assert!(found.len() == 1 && found[0].contains(none), "{found:?}");
    }
}

#[test]
fn requirements_of_our_own_have_one_row_that_resolves() {
    let row = |id: &str, tested: &str| {
        format!(
            "{GOOD}\n| {id} | it is right | `src/rules.rs` `audience` | `tests/rules.rs` `{tested}` |"
        )
    };
    for id in ["C001", "M080", "S001", "T070", "F1"] {
        let good = row(id, "rejects_it");
        assert_eq!(problems(&good, 1, small_tree), [""; 0], "{id}");
        let twice = format!("{good}\n{}", good.lines().last().expect("a row"));
        assert_eq!(
            problems(&twice, 1, small_tree),
            [format!("{id}: has another row")]
        );
        assert_eq!(problems(&row(id, "accepts_it"), 1, small_tree).len(), 1);
    }
    assert!(!problems(&row("C01", "rejects_it"), 1, small_tree).is_empty());
    let case =
        |tested: &str| format!("{GOOD}\n| CA01 | a wrong one | `tests/rules.rs` `{tested}` |");
    assert_eq!(problems(&case("rejects_it"), 1, small_tree), [""; 0]);
    assert_eq!(problems(&case("accepts_it"), 1, small_tree).len(), 1);
}

#[test]
fn checks_the_cases_that_other_servers_test() {
    let row = |tested: &str| format!("{GOOD}\n| P01 | exp missing | {tested} |");
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
