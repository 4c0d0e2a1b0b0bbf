//! F. Time: leeway 30 s, at most one hour and leeway ahead, numbers of every shape. The exact
//! boundaries are tested on a clock that stands still (`crates/grantor/tests/server/times.rs`); here each
//! side keeps a few seconds off.

use crate::{
    forge::Jwt,
    oracle::{Because, now, world},
};

const EXPIRED: Because = ("exp", "exp: expired");
const TOO_FAR: Because = ("exp", "exp: expected at most 3600 s ahead");
const NOT_A_DATE: Because = (
    "claims",
    "claim 'exp' is not a number of seconds since 1970",
);
const SYNTAX: Because = ("claims", "claims: not valid JSON");

#[test]
fn f01_exp_is_required() {
    let world = world();
    world.refuses(
        "F01",
        &world.ec,
        |jwt| jwt.without("exp").sign(),
        ("exp", "claim 'exp' is missing"),
    );
}

#[test]
fn f02_exp_has_a_leeway_and_no_more() {
    let world = world();
    for ago in [30, 31, 60, 3_600, 1_000_000] {
        let forge = |jwt: Jwt<'_>| {
            jwt.without("iat")
                .claim("exp", (now() - ago).to_string())
                .sign()
        };
        world.refuses(&format!("F02 {ago} s ago"), &world.ec, forge, EXPIRED);
    }
    for ago in [-1, 0, 1, 20] {
        let forge = |jwt: Jwt<'_>| {
            jwt.without("iat")
                .claim("exp", (now() - ago).to_string())
                .sign()
        };
        world.passes(&format!("F02 control: {ago} s ago"), &world.ec, forge);
    }
}

#[test]
fn f03_a_date_is_a_number() {
    let world = world();
    for json in [
        "\"9999999999\"",
        "true",
        "null",
        "[9999999999]",
        "{}",
        "\"\"",
    ] {
        world.refuses(
            &format!("F03 exp {json}"),
            &world.ec,
            |jwt| jwt.claim("exp", json).sign(),
            NOT_A_DATE,
        );
        for claim in ["iat", "nbf"] {
            let because = (
                "claims",
                if claim == "iat" {
                    "claim 'iat' is not a number"
                } else {
                    "claim 'nbf' is not a number"
                },
            );
            world.refuses(
                &format!("F03 {claim} {json}"),
                &world.ec,
                |jwt| jwt.claim(claim, json).sign(),
                because,
            );
        }
    }
}

#[test]
fn f05_numbers_of_every_size() {
    let world = world();
    for (json, because) in [
        ("0", EXPIRED),
        ("-0.0", EXPIRED),
        ("-1", EXPIRED),
        ("1.5", EXPIRED),
        ("1E+9", EXPIRED),
        ("1e-400", EXPIRED),
        ("-1e308", EXPIRED),
        ("-9223372036854775809", EXPIRED),
        ("1e10", TOO_FAR),
        ("9007199254740993", TOO_FAR),
        ("9223372036854775807", TOO_FAR),
        ("9223372036854775808", TOO_FAR),
        ("18446744073709551616", TOO_FAR),
        ("1e19", TOO_FAR),
        ("1e308", TOO_FAR),
        ("1e400", SYNTAX),
        ("-1e400", SYNTAX),
    ] {
        world.refuses(
            &format!("F05 {json}"),
            &world.ec,
            |jwt| jwt.claim("exp", json).sign(),
            because,
        );
    }
    world.passes("F05 control: a fraction", &world.ec, |jwt| {
        jwt.claim("exp", format!("{}.75", now() + 60)).sign()
    });
    world.passes("F05 control: an exponent", &world.ec, |jwt| {
        jwt.claim("exp", format!("{:e}", (now() + 60) as f64))
            .sign()
    });
    world.passes("F05 control: nbf 0", &world.ec, |jwt| {
        jwt.claim("nbf", "0").sign()
    });
    let because = ("nbf", "nbf: not valid for another");
    world.refuses(
        "F05 nbf 1e308",
        &world.ec,
        |jwt| jwt.claim("nbf", "1e308").sign(),
        because,
    );
    world.refuses(
        "F05 iat 1e308",
        &world.ec,
        |jwt| jwt.claim("iat", "1e308").sign(),
        ("iat", "in the future"),
    );
}

#[test]
fn f07_numbers_are_json() {
    let world = world();
    for json in [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "0x10",
        "+1",
        "1.",
        ".5",
        "1e",
        "1_000",
        "--1",
        "١",
    ] {
        world.refuses(
            &format!("F07 {json}"),
            &world.ec,
            |jwt| jwt.claim("exp", json).sign(),
            SYNTAX,
        );
    }
}

#[test]
fn f08_f09_lifetimes_are_capped() {
    let world = world();
    for ahead in [3_640, 86_400, 315_360_000] {
        let without = |jwt: Jwt<'_>| {
            jwt.without("iat")
                .claim("exp", (now() + ahead).to_string())
                .sign()
        };
        world.refuses(
            &format!("F08 {ahead} s ahead, no iat"),
            &world.ec,
            without,
            TOO_FAR,
        );
        let with = |jwt: Jwt<'_>| jwt.claim("exp", (now() + ahead).to_string()).sign();
        world.refuses(&format!("F08 {ahead} s ahead"), &world.ec, with, TOO_FAR);
    }
    world.passes("F08 control: one hour", &world.ec, |jwt| {
        jwt.claim("exp", (now() + 3_600).to_string()).sign()
    });
    for ago in [3_640, 86_400] {
        let old = |jwt: Jwt<'_>| jwt.claim("iat", (now() - ago).to_string()).sign();
        world.refuses(
            &format!("F09 iat {ago} s ago"),
            &world.ec,
            old,
            ("iat", "iat: expected at most 3600 s ago"),
        );
    }
    world.passes("F09 control: iat one hour ago", &world.ec, |jwt| {
        jwt.claim("iat", (now() - 3_600).to_string()).sign()
    });
    let before = |claim: &'static str| {
        move |jwt: Jwt<'_>| {
            jwt.claim(claim, (now() + 20).to_string())
                .claim("exp", (now() + 10).to_string())
                .sign()
        }
    };
    world.refuses(
        "F09 exp before iat",
        &world.ec,
        before("iat"),
        ("exp", "exp: not after iat"),
    );
    world.refuses(
        "F09 exp before nbf",
        &world.ec,
        before("nbf"),
        ("exp", "exp: not after nbf"),
    );
    let same = |jwt: Jwt<'_>| {
        let at = now().to_string();
        jwt.claim("iat", at.as_str()).claim("exp", at).sign()
    };
    world.refuses(
        "F09 exp at iat",
        &world.ec,
        same,
        ("exp", "exp: not after iat"),
    );
}

#[test]
fn f10_clocks_may_differ_a_little() {
    let world = world();
    for (claim, because) in [
        ("iat", ("iat", "in the future")),
        ("nbf", ("nbf", "nbf: not valid for another")),
    ] {
        for ahead in [40, 65, 100_000] {
            let forge = |jwt: Jwt<'_>| jwt.claim(claim, (now() + ahead).to_string()).sign();
            world.refuses(
                &format!("F10 {claim} {ahead} s ahead"),
                &world.ec,
                forge,
                because,
            );
        }
        world.passes(
            &format!("F10 control: {claim} 8 s ahead"),
            &world.ec,
            |jwt| jwt.claim(claim, (now() + 8).to_string()).sign(),
        );
    }
}
