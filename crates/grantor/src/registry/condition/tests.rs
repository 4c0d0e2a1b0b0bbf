use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use super::*;

const GITHUB: &str = r#"{"iss":"https://token.actions.githubusercontent.com","aud":"https://as.example",
    "sub":"repo:acme@123456/widgets@456789:ref:refs/heads/main","jti":"6f4762ed","iat":1750000000,"nbf":1749999400,
    "exp":1750000300,"repository":"acme/widgets","repository_id":"456789","repository_owner":"acme",
    "repository_owner_id":"123456","repository_visibility":"private","ref":"refs/heads/main","ref_type":"branch",
    "ref_protected":"true","head_ref":"","base_ref":"","sha":"9f31","event_name":"push","workflow":"release",
    "workflow_ref":"acme/widgets/.github/workflows/release.yml@refs/heads/main","workflow_sha":"9f31",
    "job_workflow_ref":"acme/shared/.github/workflows/deploy.yml@refs/heads/main","job_workflow_sha":"9f31",
    "environment":"prod","actor":"jo","actor_id":"12","run_id":"77","run_number":"10","run_attempt":"1",
    "runner_environment":"github-hosted","environment_node_id":"EN_1","check_run_id":"9","enterprise":"acme-corp",
    "enterprise_id":"2","repo_property_team":"web","groups":["ops","dev"],"list":[],"runner_id":1,"ratio":1.5,
    "big":18446744073709551615,"none":null,"yes":true,"kubernetes.io":{"namespace":"billing","pod":{"uid":"u-1"}},
    "oidc.circleci.com/ssh-rerun":false,"which":"namespace"}"#;

fn github() -> Claims {
    Claims::parse(GITHUB.as_bytes()).expect("claims")
}

fn parse(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn holds(text: &str) -> Result<bool, String> {
    parse(text).holds(&github())
}

/// What came, and the shortest of some times: other programs run here too.
fn shortest<T>(work: impl Fn() -> T) -> (T, Duration) {
    let timed = || {
        let began = Instant::now();
        let done = work();
        (done, began.elapsed())
    };
    let times = (0..4).map(|_| timed());
    times.fold(
        timed(),
        |one, other| if other.1 < one.1 { other } else { one },
    )
}

fn refusal(text: &str) -> ConditionError {
    match Condition::parse(text) {
        Ok(_) => panic!("{text} is taken"),
        Err(error) => error,
    }
}

#[test]
fn t038_conditions_see_all_claims_as_they_were_sent() {
    for text in [
        "assertion.event_name in ['push', 'release']",
        "assertion['event_name'] == \"push\"",
        "assertion.iss == 'https://token.actions.githubusercontent.com' && assertion.sub.startsWith('repo:')",
        "assertion.aud == 'https://as.example' && assertion.jti == '6f4762ed'",
        "assertion.exp - assertion.iat == 300 && assertion.nbf < assertion.iat",
        "assertion['kubernetes.io'].namespace == 'billing' && assertion['kubernetes.io']['pod'].uid == 'u-1'",
        "'kubernetes.io' in assertion && 'pod' in assertion['kubernetes.io'] && !('x' in assertion)",
        "assertion['oidc.circleci.com/ssh-rerun'] == false && assertion.yes",
        "has(assertion.environment) && !has(assertion.missing)",
        "has(assertion['kubernetes.io'].namespace) && !has(assertion['kubernetes.io'].node)",
        "assertion.runner_id == 1 && assertion.ratio > 1 && assertion.big > 1 && assertion.none == null",
        "assertion.groups == ['ops', 'dev'] && ['ops', 'dev'] == assertion.groups && assertion.groups[1] == 'dev'",
        "'ops' in assertion.groups && size(assertion.groups) == 2 && assertion.groups.size() == 2",
        "assertion.groups.exists(group, group == 'dev') && !assertion.groups.exists(g, g == 'x')",
        "assertion.groups.all(group, group in ['ops', 'dev']) && assertion.list.all(g, false)",
        "assertion.groups.exists_one(group, group == 'ops')",
        "assertion.groups.exists(group, group == 'ops' || group == assertion.missing)",
        "['main', 'release'].exists(name, assertion.ref == 'refs/heads/' + name)",
        "assertion['kubernetes.io'][assertion.which] == 'billing'",
        "assertion.ref.endsWith('/main') && assertion.ref.contains('heads') && assertion.head_ref == ''",
        "glob(assertion.ref, 'refs/heads/*') && !glob(assertion.ref, 'refs/*')",
        "(assertion.ref_type == 'branch' ? assertion.ref : assertion.base_ref) == 'refs/heads/main'",
        "assertion.missing == 'x' || assertion.ref_type == 'branch' // the other side decides",
        "size('äö') == 2 && assertion.ref != '\\u00e4' && assertion.ref != r'\\d'\n  && assertion.sha == '''9f31'''",
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
    let claims = Claims::parse(br#"{"aud":["a","b"],"exp":1.5}"#).expect("claims");
    for text in [
        "'b' in assertion.aud",
        "assertion.exp == 1.5",
        "assertion.aud[0] == 'a'",
    ] {
        assert_eq!(parse(text).holds(&claims), Ok(true), "{text}");
    }
}

#[test]
fn t038_what_is_refused_says_where_and_what_would_be_taken() {
    for (text, at, problem) in [
        ("", 0, "is empty"),
        (" \n", 0, "is empty"),
        (
            "assertion.a == ",
            15,
            "the end of the condition is not expected here: a claim",
        ),
        ("assertion.a = 'x'", 12, "`==` compares"),
        ("assertion.a === 'x'", 14, "a single `=`"),
        ("assertion.é == 'x'", 10, "is not understood"),
        ("'ä' == assertion.a && $", 23, "`$` is not understood here"),
        (
            "assertion.a == 'x'\n  and assertion.b",
            21,
            "`and` is not expected here: an operator",
        ),
        (
            "assertion.a == 'x",
            15,
            "the text that begins here is not closed by '",
        ),
        ("assertion.a == '''x''", 15, "not closed by '''"),
        ("assertion.a in ['x'", 19, "is not expected here"),
        ("(assertion.a == 1", 17, "`)` is expected before the end"),
        ("assertion.a ? true", 0, "has no `:`"),
        ("has(assertion['a'])", 13, "`has` takes a member"),
        ("assertion.a.exists(1, true)", 19, "a name of your choice"),
        (
            "assertion.a == 'x' && event_name == 'push'",
            22,
            "a claim is written `assertion.event_name`",
        ),
        ("assertion == 1", 0, "is all claims"),
        ("size(assertion) > 3", 5, "is all claims"),
        ("assertion.exists(k, k == 'a')", 0, "is all claims"),
        ("assertion[assertion.a] == 'x'", 9, "is written out"),
        ("assertion[0] == 'x'", 9, "is written out"),
        ("assertion.a in assertion", 9, "is written out"),
        (
            "assertion[''] == 'x'",
            9,
            "the name of a claim has an empty segment",
        ),
        ("assertion.ref.matches('main')", 14, "there is no `matches`"),
        ("matches(assertion.ref, 'main')", 0, "there is no `matches`"),
        (
            "glob(assertion.ref, assertion.pattern)",
            29,
            "is written out",
        ),
        ("glob(assertion.ref, '**')", 20, "begins with a star"),
        ("glob(assertion.ref, 'v[1]')", 20, "`[`"),
        ("assertion.ref.glob('refs/*')", 14, "`glob` is written"),
        (
            "int(assertion.a) == 1",
            0,
            "`int` is not known: there are `startsWith`",
        ),
        ("type(assertion.a) == string", 0, "`type` is not known"),
        (
            "assertion.a.lowerAscii() == 'a'",
            12,
            "`lowerAscii` is not known",
        ),
        ("startsWith(assertion.a, 'a')", 0, "is not written so"),
        ("assertion.a.map(x, x) == []", 15, "`map` and `filter`"),
        (
            "assertion.a.filter(x, x == 1) == []",
            18,
            "`map` and `filter`",
        ),
        (
            "assertion.a.exists(x, assertion.b.exists(y, x == y))",
            40,
            "are not nested",
        ),
        ("assertion.a.exists(assertion, true)", 18, "another name"),
        (
            "(assertion.a + assertion.b).exists(x, x == 1)",
            13,
            "what is walked over is a claim",
        ),
        (
            "assertion.a[assertion.b].exists(x, x == 1)",
            11,
            "what is walked over is a claim",
        ),
        (
            "has(assertion.a).exists(x, x == 1)",
            3,
            "what is walked over is a claim",
        ),
        ("assertion.a == {'a': 1}", 15, "there are no maps"),
        ("assertion.a == T{a: 1}", 16, "there are no maps"),
        ("assertion.a == b'a'", 15, "without `b`"),
        ("assertion.?a == 1", 9, ""),
        ("true", 0, "tests no claim"),
        ("1 + 2 == 3", 0, "tests no claim"),
        ("assertion.exp", 0, "is a number, neither true nor false"),
        ("assertion.sub", 0, "is a text"),
        ("assertion.a + 'x'", 0, "is a text"),
        ("[assertion.a]", 0, "is a list"),
        ("assertion.a ? 1 : 2", 0, "is a number"),
        (
            "assertion.a && 'x'",
            15,
            "`&&` takes true or false, and this is a text",
        ),
        (
            "!size(assertion.a)",
            5,
            "`!` takes true or false, and this is a number",
        ),
        (
            "assertion.a - 'x' == 1",
            14,
            "`-` takes a number, and this is a text",
        ),
        ("assertion.a.exists(x, 1)", 22, "this is a number"),
        (
            "assertion.sub == 1",
            14,
            "compares a text with a number, which are never equal",
        ),
        ("assertion.exp < '1'", 14, "compares a number with a text"),
        (
            "assertion.a in 'abc'",
            15,
            "`in` takes a list, and this is a text",
        ),
        ("assertion.a == 99999999999999999999", 15, ""),
        ("assertion.a == '\u{202e}'", 16, "direction"),
        ("if == assertion.a", 0, ""),
    ] {
        let error = refusal(text);
        assert!(error.problem.contains(problem), "{text}: {error}");
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(
            !error.problem.contains("IdedExpr") && !error.problem.contains("NUM_"),
            "{error}"
        );
    }
}

/// That many texts of [`hostile`] are refused; others are harmless if they are no condition.
const REFUSED: usize = 12;

/// What an attacker of a parser writes.
fn hostile() -> Vec<String> {
    let nodes = (0..75).fold(String::from("assertion.a0 == 0"), |mut text, number| {
        let _ = write!(text, " || assertion.a{number} == {number}");
        text
    });
    let brackets = |open: &str, close: &str, depth: usize| {
        format!("{}assertion.a{}", open.repeat(depth), close.repeat(depth))
    };
    let mut texts = vec![
        format!("assertion.a == '{}'", "x".repeat(4097 - 17)),
        brackets("(", ")", 100),
        brackets("[", "]", 100),
        brackets("!(", ")", 100),
        brackets("(true ? ", ": false)", 100),
        "!!(!!!!(".repeat(512),
        "!!(!!!!(".repeat(16),
        nodes,
        "assertion.a.unknown()".to_owned(),
        "other.a == 1".to_owned(),
        "assertion.a.exists(x, x.exists(y, y == 1))".to_owned(),
        "assertion.a.matches('main')".to_owned(),
    ];
    let units = [
        "(",
        "[",
        "{",
        "'",
        "!",
        "-",
        "a?",
        "a?a:",
        "a||",
        "a+",
        "a.",
        "a[0]",
        "0,",
        "f(",
        "{a:[(f(",
        "[a].exists(x,",
        "$%&/()=",
        "\"\\",
        "'''",
        "r'",
        "//",
        "\n",
        "\u{e9}",
        "1.",
        "[?",
        "a.?",
        "`",
        "assertion.a==1&&",
        "(a?",
        "[a?",
        "(a?a:",
        "[a?a:",
        "f(a?a:",
        "!a?[",
        "{a?a:",
    ];
    for unit in units {
        let whole = Condition::MAX_BYTES / unit.len();
        texts.extend([7, 24, 96, whole].map(|count| unit.repeat(count)));
        texts.push(format!("assertion.a == 1 && {}", unit.repeat(90)));
        texts.push(format!("{}assertion.a{}", unit.repeat(23), ")".repeat(23)));
        texts.push(format!("{}assertion.a{}", unit.repeat(23), "]".repeat(23)));
    }
    texts
}

#[test]
fn ta31_hostile_texts_are_refused_within_100_ms() {
    for (number, text) in hostile().iter().enumerate() {
        let (refused, took) = shortest(|| syntax::checked(text).err());
        let shown: String = text.chars().take(60).collect();
        assert!(took < Duration::from_millis(100), "{shown}: {took:?}");
        assert!(number >= REFUSED || refused.is_some(), "{shown} is taken");
        assert!(
            refused.is_none_or(|error| error.at <= text.len()),
            "{shown}"
        );
    }
}

#[test]
fn ta31_limits_hold_to_the_letter() {
    let padded = |length: usize| format!("assertion.a == '{}'", "x".repeat(length - 17));
    assert!(Condition::parse(&padded(4096)).is_ok());
    assert_eq!(
        refusal(&padded(4097)).problem,
        "the condition is longer than 4096 octets"
    );

    let brackets =
        |depth: usize| format!("{}assertion.a{} == 1", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::parse(&brackets(24)).is_ok());
    assert_eq!(
        refusal(&brackets(25)).problem,
        "brackets are nested deeper than 24"
    );

    let sum = |depth: usize| format!("assertion.a{} == 1", " + 1".repeat(depth - 3));
    assert!(Condition::parse(&sum(24)).is_ok());
    assert_eq!(
        refusal(&sum(25)).problem,
        "the condition is nested deeper than 24"
    );

    // `==` and `in`, the claim with its name, the list.
    let list = |nodes: usize| format!("assertion.a in [{}1]", "1,".repeat(nodes - 5));
    assert!(Condition::parse(&list(256)).is_ok());
    assert!(
        refusal(&list(257))
            .problem
            .starts_with("the condition has more than 256")
    );
}

#[test]
fn ta30_what_cannot_be_evaluated_does_not_hold_and_says_why() {
    for (text, reason) in [
        ("assertion.missing == 'x'", "there is no claim missing"),
        ("assertion['a b/c'] != 'x'", "there is no claim a b/c"),
        (
            "assertion['kubernetes.io'].node == 'x'",
            "a claim has no member node",
        ),
        ("has(assertion.missing.x)", "there is no claim missing"),
        (
            "assertion.none.startsWith('x')",
            "`startsWith` does not take null_type and string",
        ),
        (
            "assertion.groups.startsWith('ops')",
            "`startsWith` does not take list and string",
        ),
        (
            "glob(assertion.groups, 'ops*')",
            "`glob` does not take list and string",
        ),
        (
            "assertion.runner_id < 'x'",
            "`<` does not take int and string",
        ),
        (
            "assertion.runner_id / (assertion.exp - assertion.exp) == 1",
            "a number is divided by zero",
        ),
        (
            "assertion.runner_id % 0 == 1",
            "a number is divided by zero",
        ),
        (
            "assertion.exp * 9223372036854775807 == 1",
            "a number is too large",
        ),
        (
            "assertion.groups[2] == 'x'",
            "a list is shorter than the index",
        ),
        (
            "assertion.ref + 1 == 1",
            "an operator does not take values of these types",
        ),
        (
            "assertion.ref.exists(x, x == 'x')",
            "there is string where iterable is expected",
        ),
        (
            "assertion.environment",
            "it is string, neither true nor false",
        ),
        ("assertion.none", "it is null, neither true nor false"),
        (
            "assertion.ref_protected && assertion.yes",
            "`&&` does not take string and bool",
        ),
        ("!assertion.ref", "`!` does not take string"),
        (
            "assertion.yes ? assertion.ref : false",
            "it is string, neither true nor false",
        ),
        (
            "assertion.groups.exists(x, x.y == 1)",
            "string has no members",
        ),
    ] {
        let got = holds(text);
        assert!(
            got.as_ref().is_err_and(|got| got.contains(reason)),
            "{text}: {got:?}"
        );
    }
}

#[test]
fn ta29_values_of_other_types_are_not_equal() {
    let rows = [
        r#""20""#,
        "20",
        "20.5",
        r#"["20"]"#,
        r#"{"x":"20"}"#,
        "true",
        "null",
        r#"" 20""#,
    ];
    for (literal, equal) in [
        ("'20'", 0),
        ("20", 1),
        ("20.5", 2),
        ("['20']", 3),
        ("true", 5),
        ("null", 6),
    ] {
        for (row, value) in rows.iter().enumerate() {
            let claims = Claims::parse(format!(r#"{{"a":{value}}}"#).as_bytes()).expect("claims");
            for text in [
                format!("assertion.a == {literal}"),
                format!("{literal} == assertion.a"),
            ] {
                assert_eq!(
                    parse(&text).holds(&claims),
                    Ok(row == equal),
                    "{text} {value}"
                );
            }
        }
    }
}

#[test]
fn ta34_claims_that_look_like_code_are_data() {
    for value in [
        "' || true || '",
        "${x}",
        "{sub}",
        "`x`",
        "assertion.yes",
        "*",
        "refs/**",
        "\\u0041",
    ] {
        let claims = serde_json::json!({"a": value, "b": ["x"]}).to_string();
        let claims = Claims::parse(claims.as_bytes()).expect("claims");
        for text in [
            "assertion.a == 'x'",
            "assertion.a in assertion.b",
            "glob(assertion.a, 'refs/x')",
        ] {
            assert_eq!(parse(text).holds(&claims), Ok(false), "{text} {value}");
        }
        let literal = serde_json::to_string(value).expect("JSON");
        assert_eq!(
            parse(&format!("assertion.a == {literal}")).holds(&claims),
            Ok(true),
            "{value}"
        );
    }
}

/// Claims with a list of that many members, and a long text.
fn large(members: usize, octets: usize) -> Claims {
    let claims =
        serde_json::json!({"list": vec![0; members], "text": "a".repeat(octets), "one": ["x"]});
    Claims::parse(claims.to_string().as_bytes()).expect("claims")
}

#[test]
fn ta33_large_claims_are_answered_within_20_ms_or_refused() {
    let list = large(4000, 1);
    let text = large(1, 16 * 1024);
    let both = large(2000, 8 * 1024);
    for (condition, claims, answer) in [
        ("assertion.list.exists(x, x == 1)", &list, Some(false)),
        ("assertion.list.all(x, x == 0)", &list, Some(true)),
        (
            "5 in assertion.list || assertion.list == [1]",
            &list,
            Some(false),
        ),
        ("assertion.list.exists(x, x in assertion.list)", &list, None),
        (
            "assertion.list.exists(x, assertion.list == assertion.list)",
            &list,
            None,
        ),
        (
            "assertion.list.exists(x, assertion.text.contains('b'))",
            &both,
            None,
        ),
        (
            "assertion.list.exists(x, [assertion.text] == [])",
            &both,
            None,
        ),
        (
            "glob(assertion.text, 'a*a*a*a*a*a*a*a*b')",
            &text,
            Some(false),
        ),
        (
            "glob(assertion.text, 'a**a**a**a**a**a**a**a**b')",
            &text,
            Some(false),
        ),
        (
            "assertion.text.contains('aaaaaaaaaaaaaaab')",
            &text,
            Some(false),
        ),
        ("assertion.one.exists(x, x in assertion.list)", &list, None),
        (
            "(assertion.text + assertion.text + assertion.text).contains('b')",
            &text,
            Some(false),
        ),
    ] {
        let condition = parse(condition);
        let (got, took) = shortest(|| condition.holds(claims));
        assert!(took < Duration::from_millis(20), "{condition}: {took:?}");
        match answer {
            Some(answer) => assert_eq!(got, Ok(answer), "{condition}"),
            None if condition.as_str().contains(".one.") => assert_eq!(got, Ok(false)),
            None => assert!(
                got.is_err_and(|got| got.contains("too large")),
                "{condition}"
            ),
        }
    }
    // Lists that are joined grow with each of them.
    let joined = format!("{}assertion.list == []", "assertion.list + ".repeat(20));
    let joined = parse(&joined);
    let (got, took) = shortest(|| joined.holds(&list));
    assert!(got.is_err_and(|got| got.contains("too large")));
    assert!(took < Duration::from_millis(20), "{took:?}");
}

/// A worker's stack is two mebibytes, of which a request uses some.
#[test]
fn the_deepest_condition_needs_little_of_the_callers_stack() {
    let deep = |open: &str, close: &str, depth: usize| {
        format!(
            "{}assertion.yes{} == true",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    let texts = [
        deep("!(", ")", 21),
        deep("(true ? ", ": false)", 21),
        format!("assertion.groups.exists(x, {})", deep("!(", ")", 18)),
        format!("assertion.a{} == 1", " + 1".repeat(21)),
        format!("{}1{} == assertion.a", "[".repeat(22), "]".repeat(22)),
        format!("{}'x'{} == 1", "assertion['x'][".repeat(11), "]".repeat(11)),
    ];
    let conditions: Vec<Condition> = texts.iter().map(|text| parse(text)).collect();
    let evaluate = move || {
        for condition in conditions {
            let _ = condition.holds(&github());
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread
        .spawn(evaluate)
        .expect("a thread")
        .join()
        .expect("no panic");
}

#[test]
fn t038_a_stored_condition_that_is_none_is_readable_and_never_holds() {
    let claims = github();
    for (text, holds) in [
        ("assertion.ref.matches('main')", false),
        ("assertion.yes", true),
    ] {
        let stored = Condition::stored(text);
        let read: Condition =
            serde_json::from_value(text.into()).expect("what was stored is readable");
        for condition in [stored, read] {
            assert_eq!(condition.fault(), Condition::parse(text).err().as_ref());
            assert_eq!(condition.holds(&claims) == Ok(true), holds);
            assert_eq!(condition.mentions().is_empty(), !holds);
            assert_eq!(condition.as_str(), text);
            assert_eq!(serde_json::to_value(&condition).expect("JSON"), text);
            assert_eq!(condition, Condition::stored(text));
        }
    }
    let reason = Condition::stored("assertion.a = 1").holds(&claims);
    assert_eq!(
        reason,
        Err("the stored condition is refused: at octet 12: a single `=` is no operator: `==` compares".to_owned())
    );
}

#[test]
fn t031_mentions_are_the_claims_and_places_in_them() {
    let paths = |text: &str| {
        let paths = parse(text)
            .mentions()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        paths.join(" ")
    };
    for (text, mentions) in [
        (
            "assertion.ref == 'x' && assertion.ref != 'y' || assertion.sub == 'z'",
            "ref sub",
        ),
        (
            "assertion['kubernetes.io'].pod.uid == 'u'",
            "/kubernetes.io/pod/uid",
        ),
        ("assertion['https://x/'].y == 'u'", "/https:~1~1x~1/y"),
        (
            "assertion.groups[0] == 'u' && has(assertion.a.b)",
            "/groups/0 /a/b",
        ),
        ("'a.b/c' in assertion", "a.b/c"),
        ("assertion.a[assertion.b].c == 'x'", "a b"),
        ("assertion.a.exists(x, x.y == assertion.c)", "a c"),
    ] {
        assert_eq!(paths(text), mentions, "{text}");
    }
}

#[test]
fn t041_tests_of_what_a_claim_is_are_told_from_others() {
    let restricts = |text: &str| {
        let condition = parse(text);
        let claims = condition
            .restricts()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        (claims.join(" "), condition.can_hold_by_negative_tests())
    };
    for (text, claims, by_negative) in [
        ("assertion.a == 'x'", "a", false),
        ("assertion.a != 'x'", "", true),
        ("!(assertion.a == 'x')", "", true),
        ("!(assertion.a != 'x')", "a", false),
        ("!assertion.a", "a", false),
        ("assertion.a in ['x'] && assertion.b != 'y'", "a", false),
        ("assertion.a in ['x'] || assertion.b != 'y'", "a", true),
        ("!(assertion.a in ['x'])", "", true),
        ("!(assertion.a != 'x' || assertion.b == 'y')", "a", false),
        ("!(assertion.a != 'x' && assertion.b == 'y')", "a", true),
        ("has(assertion.a) && 'b' in assertion", "", true),
        ("(assertion.a == 'x') == true", "a", false),
        ("(assertion.a == 'x') == false", "", true),
        ("(assertion.a == 'x') != false", "a", false),
        ("assertion.a == false", "a", false),
        ("assertion.a > 3 && size(assertion.b) == 1", "a b", false),
        ("assertion.a.startsWith('x/')", "a", false),
        ("!assertion.a.startsWith('x/')", "", true),
        ("assertion.a.exists(x, x == 'y')", "a", false),
        ("!assertion.a.exists(x, x == 'y')", "", true),
        ("assertion.a.all(x, x == 'y')", "", true),
        ("!assertion.a.all(x, x != 'y')", "a", false),
        ("assertion.a ? assertion.b == 'x' : false", "b", false),
        ("glob(assertion.a, 'x/*') || true", "a", true),
        ("assertion.a == assertion.b", "a b", false),
    ] {
        assert_eq!(restricts(text), (claims.to_owned(), by_negative), "{text}");
    }
}

#[test]
fn ta19_tests_of_a_part_of_a_text_are_told() {
    let loose = |text: &str| {
        let condition = parse(text);
        let tests = condition.loose_tests().iter();
        let tests = tests.map(|test| {
            let claim = test.claim.as_ref().map_or("-", ClaimPath::as_str);
            format!(
                "{} {claim} {}",
                test.function,
                test.part.as_deref().unwrap_or("-")
            )
        });
        tests.collect::<Vec<_>>().join(", ")
    };
    for (text, tests) in [
        (
            "assertion.repository.startsWith('acme')",
            "startsWith repository acme",
        ),
        (
            "assertion.repository.startsWith('')",
            "startsWith repository ",
        ),
        (
            "assertion.repository.startsWith(assertion.x + '/')",
            "startsWith repository -",
        ),
        (
            "assertion.repository.endsWith('widgets')",
            "endsWith repository widgets",
        ),
        ("assertion.ref.contains('/main/')", "contains ref /main/"),
        ("assertion.a.exists(x, x.startsWith('y'))", "startsWith - y"),
        ("assertion.repository.startsWith('acme/')", ""),
        (
            "assertion.sub.startsWith('repo:') || assertion.sub.startsWith('a@')",
            "",
        ),
        ("assertion.ref.endsWith('/main')", ""),
        ("!assertion.repository.startsWith('evil')", ""),
        ("glob(assertion.ref, 'refs/*')", ""),
    ] {
        assert_eq!(loose(text), tests, "{text}");
    }
}

#[test]
fn claims_are_read_once_for_several_conditions() {
    let claims = github();
    let input = ConditionInput::new(&claims);
    for text in [
        "'ops' in assertion.groups",
        "assertion.groups.size() == 2",
        "assertion.sub != ''",
    ] {
        assert_eq!(parse(text).holds_of(&input), Ok(true), "{text}");
    }
}

#[test]
fn a_text_is_checked_once_for_all_trusts_that_have_it() {
    let text = "assertion.checked_once == 'x'";
    let (parsed, stored) = (parse(text), Condition::stored(text));
    let checked = |condition: &Condition| std::ptr::from_ref(condition.checked().expect("one"));
    assert_eq!(checked(&parsed), checked(&stored));
    assert_ne!(
        checked(&parsed),
        checked(&parse("assertion.checked_twice == 'x'"))
    );
}

#[test]
fn a_condition_goes_from_thread_to_thread() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Condition>();
    fn is_sent<T: Send + Sync>() {}
    is_sent::<ConditionInput<'_>>();
}
