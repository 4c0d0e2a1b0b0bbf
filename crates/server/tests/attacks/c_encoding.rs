//! C. Encodings and JSON: every octet between the form field and the claims.

use std::{fs, time::Instant};

use grantor::jose::base64url_encode;

use crate::{
    forge::{Jwt, segments},
    oracle::{Because, Use, world},
    support::Answer,
};

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NAMES: [&str; 3] = ["header", "payload", "signature"];
const NOT_BASE64URL: [Because; 3] = [
    ("jws", "header is not base64url without padding"),
    ("jws", "payload is not base64url without padding"),
    ("jws", "signature is not base64url without padding"),
];
const TOO_LARGE: Because = ("jws", "token is too large");
const SEGMENTS: Because = ("jws", "not a compact JWS of three segments");

#[test]
fn c01_segments_hold_base64url_and_nothing_else() {
    let world = world();
    for inserted in [
        "=", "==", "+", "/", " ", "\n", "\r\n", "\t", "\0", "?", "%", "\u{e9}", "\u{200b}",
    ] {
        for ((index, name), at_end) in NAMES
            .into_iter()
            .enumerate()
            .flat_map(|each| [(each, true), (each, false)])
        {
            let forge = |jwt: Jwt<'_>| {
                let mut parts = segments(&jwt.sign());
                let at = if at_end { parts[index].len() } else { 4 };
                parts[index].insert_str(at, inserted);
                parts.join(".")
            };
            let row = format!(
                "C01 {inserted:?} in {name}, {}",
                if at_end { "end" } else { "middle" }
            );
            world.refuses(&row, &world.ec, forge, NOT_BASE64URL[index]);
        }
    }
}

#[test]
fn c02_unused_bits_are_zero() {
    let world = world();
    for (index, name) in NAMES.into_iter().enumerate() {
        let forge = |jwt: Jwt<'_>| {
            // Signed as it is: fillers make lengths that leave bits over.
            let fill = |text: String| {
                if text.len().is_multiple_of(3) {
                    text + " "
                } else {
                    text
                }
            };
            let (header, payload) = (fill(jwt.header_text()), fill(jwt.payload_text()));
            let bent =
                |at: usize, segment: String| if at == index { bend(&segment) } else { segment };
            let sealed = jwt.seal(
                bent(0, base64url_encode(header)),
                bent(1, base64url_encode(payload)),
            );
            let [header, payload, signature] = segments(&sealed);
            [header, payload, bent(2, signature)].join(".")
        };
        world.refuses(
            &format!("C02 {name}"),
            &world.ec,
            forge,
            NOT_BASE64URL[index],
        );
    }
}

/// The same octets with the lowest unused bit set.
fn bend(segment: &str) -> String {
    let (last, rest) = segment.as_bytes().split_last().expect("a segment");
    let value = ALPHABET
        .iter()
        .position(|each| each == last)
        .expect("base64url");
    let mut bent = rest.to_vec();
    bent.push(ALPHABET[value | 1]);
    String::from_utf8(bent).expect("ASCII")
}

#[test]
fn c03_other_serialisations_are_refused() {
    let world = world();
    let json = ("jws", "JSON serialisation is not supported");
    let flattened = |jwt: Jwt<'_>| {
        let [protected, payload, signature] = segments(&jwt.sign());
        format!(r#"{{"payload":"{payload}","protected":"{protected}","signature":"{signature}"}}"#)
    };
    let general = |jwt: Jwt<'_>| {
        let [protected, payload, signature] = segments(&jwt.sign());
        format!(
            r#" {{"payload":"{payload}","signatures":[{{"protected":"{protected}","signature":"{signature}"}}]}}"#
        )
    };
    world.refuses("C03 flattened", &world.ec, flattened, json);
    world.refuses("C03 general", &world.ec, general, json);
    let two =
        |separator: &'static str| move |jwt: Jwt<'_>| [jwt.sign(), jwt.sign()].join(separator);
    world.refuses(
        "R051 two with a space",
        &world.ec,
        two(" "),
        ("jws", "encrypted JWTs are not supported"),
    );
    world.refuses(
        "R051 two with a comma",
        &world.ec,
        two(","),
        ("jws", "encrypted JWTs are not supported"),
    );
    world.refuses("R051 two with a dot", &world.ec, two("."), SEGMENTS);
}

#[test]
fn c05_claims_are_unique() {
    let world = world();
    let duplicate = ("claims", "claims: duplicate member name");
    for (claim, other) in [
        ("iss", "\"other.example\""),
        ("sub", "\"other.example\""),
        ("aud", "\"https://evil.example\""),
        ("exp", "9999999999"),
        ("jti", "\"another\""),
        ("nbf", "0"),
        ("iat", "0"),
    ] {
        // Both orders: neither the first nor the last may win.
        world.refuses(
            &format!("C05 {claim}, good one first"),
            &world.ec,
            |jwt| jwt.claim("nbf", "1").claim_again(claim, other).sign(),
            duplicate,
        );
        world.refuses(
            &format!("C05 {claim}, good one last"),
            &world.ec,
            |jwt| jwt.claim("nbf", "1").claim_before(claim, other).sign(),
            duplicate,
        );
    }
    world.refuses(
        "C05 unknown claim twice",
        &world.ec,
        |jwt| jwt.claim("a", "1").claim_again("a", "1").sign(),
        duplicate,
    );
    let inside = |jwt: Jwt<'_>| jwt.claim("a", r#"{"b":1,"b":2}"#).sign();
    world.refuses(
        "C05 twice inside an unknown claim",
        &world.ec,
        inside,
        duplicate,
    );
}

#[test]
fn c07_the_claims_set_is_one_strict_json_object() {
    let world = world();
    let object = ("claims", "claims: not a JSON object");
    for payload in ["[]", "\"text\"", "12", "null", "true"] {
        world.refuses(
            &format!("C07 {payload}"),
            &world.ec,
            |jwt| jwt.with_payload_octets(payload),
            object,
        );
    }
    let syntax = ("claims", "claims: not valid JSON");
    world.refuses(
        "C07 empty",
        &world.ec,
        |jwt| jwt.with_payload_octets(""),
        syntax,
    );
    type Change = fn(String) -> Vec<u8>;
    let rows: [(&str, Change); 12] = [
        ("garbage behind", |text| (text + "x").into()),
        ("two objects", |text| (text.clone() + &text).into()),
        ("NUL behind", |text| (text + "\0").into()),
        ("byte order mark", |text| {
            ("\u{feff}".to_owned() + &text).into()
        }),
        ("trailing comma", |text| text.replacen('}', ",}", 1).into()),
        ("comment", |text| text.replacen('{', "{/* */", 1).into()),
        ("single quotes", |text| text.replace('"', "'").into()),
        ("no closing brace", |text| text.trim_end_matches('}').into()),
        ("line break in a string", |text| {
            text.replacen("\"jti", "\"a\nb\":1,\"jti", 1).into()
        }),
        ("not UTF-8", |text| {
            [&text.as_bytes()[..2], b"\xff\xfe", &text.as_bytes()[2..]].concat()
        }),
        ("lone surrogate", |text| {
            text.replacen('{', r#"{"a":"\ud800","#, 1).into()
        }),
        ("UTF-16", |text| {
            text.encode_utf16().flat_map(u16::to_be_bytes).collect()
        }),
    ];
    for (row, change) in rows {
        let forge = |jwt: Jwt<'_>| jwt.with_payload_octets(change(jwt.payload_text()));
        world.refuses(&format!("C07 {row}"), &world.ec, forge, syntax);
        let header =
            |jwt: Jwt<'_>| jwt.with_header_octets(change(jwt.header_text().replace("kid", "jti")));
        world.refuses(
            &format!("C07 {row}, header"),
            &world.ec,
            header,
            ("jws", "header: not valid JSON"),
        );
    }
    let spaced = |jwt: Jwt<'_>| jwt.with_payload_octets(format!(" \n{}\t\r\n", jwt.payload_text()));
    world.passes("C07 control: white space around", &world.ec, spaced);
}

#[test]
fn c09_nesting_is_bounded() {
    let world = world();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [16, 1_000, 5_000] {
        let forge = |jwt: Jwt<'_>| jwt.claim("a", nested(depth)).sign();
        world.refuses(
            &format!("C09 {depth} deep"),
            &world.ec,
            forge,
            ("claims", "claims: nested too deeply"),
        );
    }
    for depth in [16, 1_000] {
        let forge = |jwt: Jwt<'_>| jwt.header("a", nested(depth)).sign();
        world.refuses(
            &format!("C09 {depth} deep in the header"),
            &world.ec,
            forge,
            ("jws", "header: nested too deeply"),
        );
    }
    let open = |jwt: Jwt<'_>| jwt.with_payload_octets("[".repeat(11_000));
    world.refuses(
        "C09 arrays that are never closed",
        &world.ec,
        open,
        ("claims", "claims: nested too deeply"),
    );
    world.passes("C09 control: as deep as allowed", &world.ec, |jwt| {
        jwt.claim("a", nested(15)).sign()
    });
}

#[test]
fn c10_c11_sizes_are_bounded() {
    let world = world();
    let resident = resident_kib();
    let long = |length: usize| format!("\"{}\"", "a".repeat(length));
    world.refuses(
        "C10 16 KiB of claims",
        &world.ec,
        |jwt| jwt.claim("a", long(16 * 1024)).sign(),
        TOO_LARGE,
    );
    world.refuses(
        "C10 5 KiB of header",
        &world.ec,
        |jwt| jwt.header("a", long(5 * 1024)).sign(),
        TOO_LARGE,
    );
    world.passes("C10 control: 11 KiB of claims", &world.ec, |jwt| {
        jwt.claim("a", long(11 * 1024)).sign()
    });
    let many = ("claims", "claims: too many members");
    world.refuses(
        "C10 5,000 elements",
        &world.ec,
        |jwt| jwt.claim("a", format!("[{}0]", "0,".repeat(5_000))).sign(),
        many,
    );
    world.refuses(
        "C11 60,000 dots",
        &world.ec,
        |_| ".".repeat(60_000 / 3),
        TOO_LARGE,
    );
    world.refuses(
        "C11 16,000 dots",
        &world.ec,
        |_| ".".repeat(16_000),
        SEGMENTS,
    );
    for (row, token) in [
        ("C10 1 MiB", "a".repeat(1 << 20)),
        ("C10 10 MiB", "a".repeat(10 << 20)),
        ("C09 100,000 deep", base64url_encode("[".repeat(100_000))),
        ("C11 1,000,000 dots", ".".repeat(1_000_000)),
        (
            "C10 1,000,000 claims",
            base64url_encode("\"a\":1,".repeat(1_000_000)),
        ),
    ] {
        let token = format!("e30.{token}.AAAA");
        for usage in Use::BOTH {
            let form = usage.form(&token);
            let body: Vec<_> = form
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let started = Instant::now();
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            let answer: Answer =
                world
                    .server
                    .send("POST", "/token", &headers, body.join("&").as_bytes());
            world.judge(row, &answer, started, &[]);
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (413, "invalid_request"),
                "{row}"
            );
            world.assert_cause(row, &answer, ("form", "request is too large"));
            world.passes_as(usage, "control", &world.ec, |jwt| jwt.sign());
        }
    }
    // Other attacks run beside these; the inputs here have 60 MiB together.
    let grown = resident_kib().saturating_sub(resident);
    assert!(grown < 32 * 1024, "the server grew by {grown} KiB");
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", world().server.pid()))
        .expect("a running process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

#[test]
fn c13_what_is_no_token_is_refused() {
    let world = world();
    for (token, because) in [
        (".", SEGMENTS),
        ("..", ("jws", "signature is empty")),
        ("...", SEGMENTS),
        ("....", ("jws", "encrypted JWTs are not supported")),
        ("a.b.c", NOT_BASE64URL[0]),
        (" ", SEGMENTS),
        ("\t\r\n", SEGMENTS),
        ("null", SEGMENTS),
        ("undefined", SEGMENTS),
        ("e30.e30.AAAA", ("jws", "header parameter 'alg' is missing")),
    ] {
        world.refuses(
            &format!("C13 {token:?}"),
            &world.ec,
            |_| token.to_owned(),
            because,
        );
    }
    let empty = world.attack("C13 empty assertion", &Use::Grant.form(""), &[]);
    assert_eq!(
        (empty.status, empty.error().as_str()),
        (400, "invalid_request")
    );
    world.assert_cause(
        "C13 empty assertion",
        &empty,
        ("form", "parameter assertion is missing"),
    );
    let empty = world.attack("C13 empty client_assertion", &Use::ClientAuth.form(""), &[]);
    assert_eq!(
        (empty.status, empty.error().as_str()),
        (400, "invalid_client")
    );
    world.assert_cause(
        "C13 empty client_assertion",
        &empty,
        ("client", "parameter 'client_assertion' is missing"),
    );
    let padded = |jwt: Jwt<'_>| format!(" {} ", jwt.sign());
    world.refuses("C13 spaces around", &world.ec, padded, NOT_BASE64URL[0]);
}

#[test]
fn c14_the_header_is_an_object() {
    let world = world();
    for header in ["null", "true", "0", "[]", "\"ES256\""] {
        let because = ("jws", "header: not a JSON object");
        world.refuses(
            &format!("C14 {header}"),
            &world.ec,
            |jwt| jwt.with_header_octets(header),
            because,
        );
    }
    for header in ["", "{", "{}{}"] {
        let because = ("jws", "header: not valid JSON");
        world.refuses(
            &format!("C14 {header:?}"),
            &world.ec,
            |jwt| jwt.with_header_octets(header),
            because,
        );
    }
}
