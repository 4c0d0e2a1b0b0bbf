//! B. Headers: keys and pointers to keys, names that reach into something else, parameters that
//! change how a token is read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantor::jose::base64url_encode;

use crate::{
    forge::{ATTACKER, Jwt, quote},
    oracle::{Because, Use, world},
};

const SIGNATURE: Because = ("signature", "signature does not verify");
const UNKNOWN_KID: Because = ("key", "the issuer has no key with this kid");

#[test]
fn b01_a_key_in_the_header_is_not_believed() {
    let world = world();
    let jwk = ATTACKER.public_jwk(&[]).to_string();
    let kid = quote(ATTACKER.key_id().expect("a kid"));
    world.refuses(
        "B01 real kid",
        &world.ec,
        |jwt| jwt.header("jwk", jwk.as_str()).by(&ATTACKER).sign(),
        SIGNATURE,
    );
    world.refuses(
        "B01 no kid",
        &world.ec,
        |jwt| jwt.header("jwk", jwk.as_str()).openly_by(&ATTACKER).sign(),
        SIGNATURE,
    );
    let own = |jwt: Jwt<'_>| {
        jwt.header("jwk", jwk.as_str())
            .header("kid", kid.as_str())
            .by(&ATTACKER)
            .sign()
    };
    world.refuses("B01 the attacker's kid", &world.ec, own, UNKNOWN_KID);
    world.passes("B01 control: the parameter is ignored", &world.ec, |jwt| {
        jwt.header("jwk", jwk.as_str()).sign()
    });
}

#[test]
fn b03_nothing_is_fetched() {
    let world = world();
    let url = world.canary_url();
    let host = url.trim_start_matches("http://");
    let urls = [
        url.clone(),
        format!("https://{host}"),
        format!("http://as.example@{host}"),
        format!("https://as.example%40{host}"),
        "file:///etc/passwd".to_owned(),
        format!("gopher://{host}"),
        "//169.254.169.254/latest".to_owned(),
    ];
    for (name, url) in ["jku", "x5u"]
        .into_iter()
        .flat_map(|name| urls.iter().map(move |url| (name, url)))
    {
        let row = format!("B03 {name} {url}");
        world.refuses(
            &row,
            &world.ec,
            |jwt| jwt.header(name, quote(url)).by(&ATTACKER).sign(),
            SIGNATURE,
        );
        let unknown = |jwt: Jwt<'_>| {
            jwt.header(name, quote(url))
                .header("kid", "\"new-key-2027\"")
                .by(&ATTACKER)
                .sign()
        };
        world.refuses(&row, &world.ec, unknown, UNKNOWN_KID);
        world.passes(&row, &world.ec, |jwt| jwt.header(name, quote(url)).sign());
    }
}

#[test]
fn b04_a_certificate_in_the_header_is_not_believed() {
    let world = world();
    // What matters is that it is never opened: a certificate's beginning will do.
    let chain = format!(
        "[{}]",
        quote(&STANDARD.encode([&[0x30, 0x82, 1, 0x0a][..], world.ec.id.as_bytes()].concat()))
    );
    for (name, json) in [
        ("x5c", chain.as_str()),
        ("x5t", "\"AAAA\""),
        ("x5t#S256", "\"AAAA\""),
        ("x5c", "1"),
        ("x5c", "[]"),
    ] {
        world.refuses(
            &format!("B04 {name}"),
            &world.ec,
            |jwt| jwt.header(name, json).by(&ATTACKER).sign(),
            SIGNATURE,
        );
        world.passes(
            &format!("B04 control: {name} is ignored"),
            &world.ec,
            |jwt| jwt.header(name, json).sign(),
        );
    }
}

#[test]
fn b05_b06_kid_is_a_name_and_nothing_else() {
    let world = world();
    let public = |answer: crate::support::Answer| {
        let id = answer.decision_id();
        (answer.status, answer.body.replace(&id, ""))
    };
    let plain = |usage| {
        public(world.refuses_as(
            usage,
            "B05 plain",
            &world.ec,
            |jwt| jwt.header("kid", "\"unknown\"").sign(),
            UNKNOWN_KID,
        ))
    };
    let plain = Use::BOTH.map(plain);
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        "C:\\boot.ini",
        "master.key%00",
        "../data/master.key\0",
        "file:///dev/null",
        "' OR 1=1-- ",
        "'; DROP TABLE client; --",
        "${jndi:ldap://127.0.0.1/a}",
        "{{7*7}}",
        "a\r\nforged: line\r\n",
        "*)(uid=*",
        "\u{202e}kid",
        "",
        " ",
        "\u{fffd}",
    ] {
        let row = format!("B05 B06 kid {kid:?}");
        let forge = |jwt: Jwt<'_>| jwt.header("kid", quote(kid)).sign();
        let answers = Use::BOTH
            .map(|usage| public(world.refuses_as(usage, &row, &world.ec, forge, UNKNOWN_KID)));
        assert_eq!(answers, plain, "{row}: told apart from a plain unknown kid");
    }
    for json in ["1", "null", "[\"a\"]", "{}", "true"] {
        let row = format!("R091 kid {json}");
        let wrong = ("jws", "header parameter 'kid' has the wrong type");
        world.refuses(&row, &world.ec, |jwt| jwt.header("kid", json).sign(), wrong);
    }
}

#[test]
fn b09_no_extension_is_understood() {
    let world = world();
    for crit in [
        "[\"exp\"]",
        "[\"bork\"]",
        "[\"b64\"]",
        "[]",
        "\"bork\"",
        "[\"alg\"]",
        "[\"x\",\"x\"]",
        "[1]",
        "null",
    ] {
        let forge = |jwt: Jwt<'_>| jwt.header("crit", crit).header("x", "1").sign();
        let critical = ("jws", "header parameter 'crit' is not supported");
        world.refuses(&format!("B09 crit {crit}"), &world.ec, forge, critical);
    }
    world.passes(
        "B09 control: an extension that is not critical",
        &world.ec,
        |jwt| jwt.header("x", "1").sign(),
    );
}

#[test]
fn b11_b12_payloads_are_encoded() {
    let world = world();
    let unencoded = ("jws", "header parameter 'b64' is not allowed in a JWT");
    let critical = ("jws", "header parameter 'crit' is not supported");
    for value in ["false", "true"] {
        world.refuses(
            &format!("B11 b64 {value}"),
            &world.ec,
            |jwt| jwt.header("b64", value).sign(),
            unencoded,
        );
        let both = |jwt: Jwt<'_>| jwt.header("b64", value).header("crit", "[\"b64\"]").sign();
        world.refuses(
            &format!("B12 b64 {value}, critical"),
            &world.ec,
            both,
            critical,
        );
    }
    let bare = |jwt: Jwt<'_>| {
        let header = base64url_encode(jwt.clone().header("b64", "false").header_text());
        let payload = jwt.payload_text();
        jwt.seal(header, payload)
    };
    // The claims have dots of their own.
    for usage in Use::BOTH {
        let token = bare(world.jwt(&world.ec, usage));
        let answer = world.attack(
            "B11 a payload that is not encoded",
            &usage.form(&token),
            &[],
        );
        assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
    }
}

#[test]
fn b13_header_members_are_unique() {
    let world = world();
    let duplicate = ("jws", "header: duplicate member name");
    let none_first = |jwt: Jwt<'_>| {
        jwt.header("alg", "\"none\"")
            .header_again("alg", "\"ES256\"")
            .sign()
    };
    world.refuses("B13 alg, none first", &world.ec, none_first, duplicate);
    for (name, json) in [
        ("alg", "\"none\""),
        ("alg", "\"ES256\""),
        ("kid", "\"x\""),
        ("typ", "\"JWT\""),
        ("crit", "[]"),
        ("a", "1"),
    ] {
        let twice = |jwt: Jwt<'_>| {
            jwt.header("crit", "[]")
                .header("a", "1")
                .header_again(name, json)
                .sign()
        };
        world.refuses(&format!("B13 {name} twice"), &world.ec, twice, duplicate);
    }
    let escaped = |jwt: Jwt<'_>| {
        let header = jwt.header_text().replacen('{', r#"{"\u0061lg":"none","#, 1);
        jwt.with_header_octets(header)
    };
    world.refuses("B13 alg twice, once escaped", &world.ec, escaped, duplicate);
}

#[test]
fn b15_another_kind_of_jwt_is_refused() {
    let world = world();
    let because = ("typ", "typ: expected none, JWT");
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "JOSE",
        "jwt+client-authentication",
        "client-authentication",
        "",
    ] {
        world.refuses(
            &format!("B15 typ {typ:?}"),
            &world.ec,
            |jwt| jwt.header("typ", quote(typ)).sign(),
            because,
        );
    }
    let client_authentication =
        |jwt: Jwt<'_>| jwt.header("typ", "\"client-authentication+jwt\"").sign();
    world.refuses_as(
        Use::Grant,
        "B15 client authentication as grant",
        &world.ec,
        client_authentication,
        because,
    );
    for json in ["1", "null", "[\"JWT\"]", "{}"] {
        let wrong = ("jws", "header parameter 'typ' has the wrong type");
        world.refuses(
            &format!("B15 typ {json}"),
            &world.ec,
            |jwt| jwt.header("typ", json).sign(),
            wrong,
        );
    }
    for typ in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        world.passes(&format!("B15 control: typ {typ}"), &world.ec, |jwt| {
            jwt.header("typ", quote(typ)).sign()
        });
    }
    world.passes("B15 control: no typ", &world.ec, |jwt| {
        jwt.without_header("typ").sign()
    });
    let spelt = |jwt: Jwt<'_>| {
        jwt.header("typ", "\"application/Client-Authentication+JWT\"")
            .sign()
    };
    world.passes_as(Use::ClientAuth, "B15 control: R130", &world.ec, spelt);
}

#[test]
fn b17_nested_and_compressed_tokens_are_refused() {
    let world = world();
    let nested = ("jws", "nested JWTs are not supported");
    for cty in ["JWT", "jwt", "application/jwt"] {
        let inside = |jwt: Jwt<'_>| {
            let inner = jwt.sign();
            jwt.header("cty", quote(cty)).with_payload_octets(inner)
        };
        world.refuses(&format!("B17 cty {cty}"), &world.ec, inside, nested);
        world.refuses(
            &format!("B17 cty {cty}, plain claims"),
            &world.ec,
            |jwt| jwt.header("cty", quote(cty)).sign(),
            nested,
        );
    }
    let compressed = ("jws", "header parameter 'zip' is not supported");
    world.refuses(
        "B17 zip",
        &world.ec,
        |jwt| jwt.header("zip", "\"DEF\"").sign(),
        compressed,
    );
    let claims = ("claims", "claims: not valid JSON");
    let inner = |jwt: Jwt<'_>| {
        let inner = jwt.sign();
        jwt.with_payload_octets(inner)
    };
    world.refuses("B17 a JWS in a JWS, without cty", &world.ec, inner, claims);
    world.passes("B17 control: another cty", &world.ec, |jwt| {
        jwt.header("cty", "\"json\"").sign()
    });
}

#[test]
fn b18_b20_b21_b22_encrypted_tokens_are_refused_unread() {
    let world = world();
    let encrypted = ("jws", "encrypted JWTs are not supported");
    let bomb = "A".repeat(11_000);
    let headers = [
        r#"{"alg":"dir","enc":"A128GCM"}"#,
        r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#,
        r#"{"alg":"RSA1_5","enc":"A128CBC-HS256"}"#,
        r#"{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}"#,
        r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AAAA","p2c":2147483647}"#,
        r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#,
    ];
    for header in headers {
        let encoded = base64url_encode(header);
        for rest in [
            "AAAA.AAAA.AAAA.AAAA",
            "...",
            ".AAAA..",
            "....",
            "AAAA.AAAA.A.A",
            &format!("AA.AA.{bomb}.AA"),
        ] {
            // Two of the rests make four or six segments.
            let because = if rest.matches('.').count() == 3 {
                encrypted
            } else {
                ("jws", "not a compact JWS of three segments")
            };
            let row = format!("B18 B20 B21 B22 {header} {}", &rest[..rest.len().min(20)]);
            world.refuses(&row, &world.ec, |_| format!("{encoded}.{rest}"), because);
        }
        let as_jws = |jwt: Jwt<'_>| jwt.with_header_octets(header);
        let because = if header.contains("zip") {
            "header parameter 'zip' is not supported"
        } else {
            encrypted.1
        };
        world.refuses(
            &format!("B18 three segments {header}"),
            &world.ec,
            as_jws,
            ("jws", because),
        );
    }
}
