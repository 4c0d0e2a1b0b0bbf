//! JSON as JSONTestSuite (nst/JSONTestSuite) judges it: what must be read is read, what must be
//! refused is refused, and what is open may be either, without a panic. Duplicate members are the
//! one deliberate difference.

use std::{fs, path::Path};

use grantor_jose::{
    Claims, ClaimsError, Header, HeaderError, JsonError, Jwk, JwkSet, JwsError, Unverified,
    base64url_encode, json,
};
use serde_json::Value;

/// Files that RFC 8259 allows and this crate refuses: the suite's only two with a repeated member
/// name.
const DUPLICATES: [&str; 2] = [
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
];

/// Every file below a directory of the suite: name and content.
fn files(directory: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let directory = crate::vectors::directory()?
        .join("jsontestsuite")
        .join(directory);
    let entries = fs::read_dir(&directory).expect("the suite is among the vectors");
    let read = |path: &Path| fs::read(path).expect("a readable file");
    let name = |path: &Path| {
        path.file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    Some(paths.map(|path| (name(&path), read(&path))).collect())
}

/// Whether a header made of these octets is one: the token's other segments are sound.
fn header(content: &[u8]) -> Result<Header, JwsError> {
    Unverified::parse(&format!("{}.e30.AA", base64url_encode(content)))
        .map(|token| token.header().clone())
}

#[test]
fn accepts_what_must_be_accepted_except_duplicates() {
    let Some(files) = files("test_parsing") else {
        return;
    };
    let mut seen = 0;
    for (name, content) in files.iter().filter(|(name, _)| name.starts_with("y_")) {
        seen += 1;
        let parsed = json::parse(content);
        if DUPLICATES.contains(&name.as_str()) {
            assert_eq!(parsed, Err(JsonError::DuplicateMember), "{name}");
            continue;
        }
        let reference: Value = serde_json::from_slice(content).expect("the reference reads it too");
        assert_eq!(parsed.as_ref(), Ok(&reference), "{name}");
        match reference {
            Value::Object(object) => assert_eq!(json::parse_object(content), Ok(object), "{name}"),
            _ => assert_eq!(
                json::parse_object(content),
                Err(JsonError::NotAnObject),
                "{name}"
            ),
        }
    }
    assert_eq!(seen, 95);
}

#[test]
fn refuses_what_must_be_refused_in_every_place() {
    let Some(files) = files("test_parsing") else {
        return;
    };
    let mut seen = 0;
    for (name, content) in files.iter().filter(|(name, _)| name.starts_with("n_")) {
        seen += 1;
        assert!(json::parse(content).is_err(), "{name}");
        assert!(Claims::parse(content).is_err(), "{name}");
        assert!(header(content).is_err(), "{name}");
        assert!(Jwk::parse(content).is_err(), "{name}");
        assert!(JwkSet::parse(content).is_err(), "{name}");
    }
    assert_eq!(seen, 188);
}

#[test]
fn accepts_nothing_that_the_reference_parser_refuses() {
    let (Some(parsing), Some(transform)) = (files("test_parsing"), files("test_transform")) else {
        return;
    };
    let (mut seen, mut accepted) = (0, 0);
    for (name, content) in parsing
        .iter()
        .filter(|(name, _)| name.starts_with("i_"))
        .chain(&transform)
    {
        seen += 1;
        if let Ok(value) = json::parse(content) {
            accepted += 1;
            assert_eq!(
                serde_json::from_slice::<Value>(content).ok(),
                Some(value),
                "{name}"
            );
        }
    }
    assert_eq!(seen, 35 + 22);
    assert!(accepted >= 15, "{accepted}");
}

#[test]
fn refuses_the_same_key_twice_but_not_two_spellings_of_a_letter() {
    let Some(files) = files("test_transform") else {
        return;
    };
    let mut seen = 0;
    for (name, content) in files.iter().filter(|(name, _)| name.starts_with("object_")) {
        seen += 1;
        // Member names are compared without normalisation (RFC 7515 §5.3): NFC and NFD of one
        // letter are two names.
        let expected = if name.contains("_nf") {
            None
        } else {
            Some(JsonError::DuplicateMember)
        };
        assert_eq!(json::parse(content).err(), expected, "{name}");
    }
    assert_eq!(seen, 5);
}

#[test]
fn refuses_lone_surrogates_and_bad_utf8_rather_than_replacing_them() {
    let Some(files) = files("test_transform") else {
        return;
    };
    for (name, content) in files
        .iter()
        .filter(|(name, _)| name.contains("invalid_codepoint"))
    {
        assert_eq!(json::parse(content), Err(JsonError::Syntax), "{name}");
    }
}

#[test]
fn refuses_depth_bombs_before_descending() {
    for open in ["[", "{\"\":", "[{\"\":"] {
        let bomb = open.repeat(100_000);
        assert_eq!(
            json::parse(bomb.as_bytes()),
            Err(JsonError::TooDeep),
            "{open}"
        );
        assert_eq!(
            Claims::parse(format!("{{\"iss\":{bomb}").as_bytes()),
            Err(ClaimsError::Json(JsonError::TooDeep)),
            "{open}"
        );
    }
}

/// Without the suite: one typed-in file of each of its kinds.
#[test]
fn judges_typed_in_files_of_each_kind() {
    for text in [
        "[[]   ]",
        "[\"\"]",
        "[]\n",
        "[null, 1, \"1\", {}]",
        "[1\n]",
        " [1]",
        "[123e65]",
        "[0e+1]",
        "[-0]",
        "[1E22]",
        "{\"\":0}",
        "{\"foo\\u0000bar\": 42}",
        "[\"\\uD801\\udc37\"]",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\\u0000\"]",
        "[\"\u{7f}\"]",
        "42",
        "\" \"",
        "true",
        "\t{\r\n}",
    ] {
        assert_eq!(
            json::parse(text.as_bytes()).ok(),
            serde_json::from_str(text).ok(),
            "{text}"
        );
        assert!(json::parse(text.as_bytes()).is_ok(), "{text}");
    }
    for text in [
        "",
        " ",
        "[1 true]",
        "[1,,2]",
        "[,1]",
        "[1,]",
        "[1]]",
        "[1",
        "[\"a\"\n4\n,1]",
        "[+1]",
        "[-01]",
        "[.5]",
        "[1.]",
        "[1e]",
        "[0x1]",
        "[NaN]",
        "[-Infinity]",
        "[012]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":/*x*/1}",
        "{}#",
        "[\"\\x00\"]",
        "[\"\\u00A\"]",
        "[\"\\uD800\"]",
        "[\"\\uDd1e\\uD834\"]",
        "[\"\t\"]",
        "[\"\n\"]",
        "[\"\\\"]",
        "[\"a]",
        "[True]",
        "{}{}",
        "1 2",
        "\u{feff}{}",
        "\u{2060}[]",
        "[\u{c}]",
        "\0",
    ] {
        assert_eq!(
            json::parse(text.as_bytes()),
            Err(JsonError::Syntax),
            "{text:?}"
        );
        assert_eq!(
            header(text.as_bytes()).err(),
            Some(JwsError::Header(HeaderError::Json(JsonError::Syntax))),
            "{text:?}"
        );
    }
    for octets in [
        &b"\"\xff\""[..],
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\xff\xfe[\0]\0",
    ] {
        assert_eq!(json::parse(octets), Err(JsonError::Syntax), "{octets:?}");
    }
}
