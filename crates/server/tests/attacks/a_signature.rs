//! A. Signatures: absent, malformed, malleated, by another key, over other octets.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use grantor::jose::base64url_encode;
use num_bigint::BigUint;

use crate::{
    forge::{ATTACKER, Jwt, quote, segments},
    oracle::{Because, Party, Use, world},
};

const SIGNATURE: Because = ("signature", "signature does not verify");
const UNKNOWN_ALG: Because = ("jws", "header parameter 'alg' names no supported algorithm");
const WRONG_TYPE: Because = ("jws", "header parameter 'alg' has the wrong type");

/// The order of P-256.
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

#[test]
fn a01_a02_none_is_no_algorithm() {
    let world = world();
    for none in ["none", "None", "NONE", "nOnE", "noNE"] {
        let unsigned = |jwt: Jwt<'_>| {
            jwt.header("alg", quote(none))
                .with_signature(|_| Vec::new())
        };
        world.refuses(
            &format!("A01 {none}, empty"),
            &world.ec,
            unsigned,
            ("jws", "signature is empty"),
        );
        let signed = |jwt: Jwt<'_>| jwt.header("alg", quote(none)).sign();
        world.refuses(
            &format!("A02 {none}, signed"),
            &world.ec,
            signed,
            UNKNOWN_ALG,
        );
    }
}

#[test]
fn a05_an_empty_or_missing_signature_is_refused() {
    let world = world();
    for party in [&world.rsa, &world.ec, &world.ed] {
        world.refuses(
            "A05 empty",
            party,
            |jwt| jwt.signing_input() + ".",
            ("jws", "signature is empty"),
        );
        let missing = ("jws", "not a compact JWS of three segments");
        world.refuses("A05 missing", party, |jwt| jwt.signing_input(), missing);
    }
}

#[test]
fn a13_a14_the_registered_algorithm_is_the_only_one() {
    use grantor::jose::Algorithm::{Ps256, Rs256};
    let world = world();
    let pss = world.rsa.key.with(Ps256);
    let by_rsa = |jwt: Jwt<'_>| {
        let kid = quote(world.rsa.key.key_id().expect("a kid"));
        jwt.header("alg", "\"RS256\"")
            .header("kid", kid)
            .by(&world.rsa.key)
            .sign()
    };
    world.refuses(
        "A13 another registered key",
        &world.pinned,
        by_rsa,
        ("alg", "expected ES256, got RS256"),
    );
    let no_key = ("key", "the issuer has no key for algorithm PS256");
    world.refuses(
        "A14 PS256 by an RS256 key",
        &world.rsa,
        |jwt| jwt.header("alg", "\"PS256\"").by(&pss).sign(),
        no_key,
    );
    world.refuses(
        "A14 PS256 signature named RS256",
        &world.rsa,
        |jwt| jwt.by(&pss).sign(),
        SIGNATURE,
    );
    let open = &world.rsa_open;
    world.passes("A14 a key without alg does both", open, |jwt| {
        jwt.header("alg", "\"PS256\"").by(&pss).sign()
    });
    let rs256 = pss.with(Rs256);
    let misnamed = |jwt: Jwt<'_>| jwt.header("alg", "\"PS256\"").by(&rs256).sign();
    world.refuses("A14 RS256 signature named PS256", open, misnamed, SIGNATURE);
}

#[test]
fn a15_alg_is_a_known_name_to_the_letter() {
    let world = world();
    let names = [
        "RS1",
        "HS1",
        "ES256K",
        "rs256",
        "RS256 ",
        " RS256",
        "RS256,HS256",
        "RSA1_5",
        "dir",
        "ES224",
        "",
    ];
    for name in names {
        world.refuses(
            &format!("A15 {name:?}"),
            &world.rsa,
            |jwt| jwt.header("alg", quote(name)).sign(),
            UNKNOWN_ALG,
        );
    }
    for json in ["[\"RS256\"]", "256", "null", "{}", "true"] {
        world.refuses(
            &format!("A15 {json}"),
            &world.rsa,
            |jwt| jwt.header("alg", json).sign(),
            WRONG_TYPE,
        );
    }
    let missing = ("jws", "header parameter 'alg' is missing");
    world.refuses(
        "A15 absent",
        &world.rsa,
        |jwt| jwt.without_header("alg").sign(),
        missing,
    );
    for name in ["RS384", "RS512", "PS512"] {
        let off = |jwt: Jwt<'_>| jwt.header("alg", quote(name)).sign();
        world.refuses(
            &format!("A15 {name}, switched off"),
            &world.rsa_open,
            off,
            ("alg", "expected RS256 PS256"),
        );
    }
    world.passes("A15 an escape is the letter it means", &world.rsa, |jwt| {
        jwt.header("alg", r#""\u0052S256""#).sign()
    });
}

#[test]
fn a16_a17_ecdsa_numbers_out_of_range_are_refused() {
    let world = world();
    let n = BigUint::parse_bytes(N.as_bytes(), 16).expect("a number");
    let edge = [BigUint::ZERO, BigUint::from(1u8), &n - 1u8, n.clone()];
    for (r, s) in edge.iter().flat_map(|r| edge.iter().map(move |s| (r, s))) {
        let forge = |jwt: Jwt<'_>| jwt.with_signature(|_| [octets(r, 32), octets(s, 32)].concat());
        world.refuses(&format!("A16 {r:x} {s:x}"), &world.ec, forge, SIGNATURE);
    }
    let all_ones = BigUint::from_bytes_be(&[0xff; 32]);
    let plus_n = |half: &[u8]| octets(&(BigUint::from_bytes_be(half) + &n), 33);
    let negative = |half: &[u8]| octets(&(&all_ones + 1u8 - BigUint::from_bytes_be(half)), 32);
    for (row, change) in [
        (
            "A17 r + n",
            &(|r: &[u8], s: &[u8]| [plus_n(r), octets(&BigUint::from_bytes_be(s), 33)].concat())
                as &dyn Fn(&[u8], &[u8]) -> _,
        ),
        ("A17 s + n", &|r, s| {
            [octets(&BigUint::from_bytes_be(r), 33), plus_n(s)].concat()
        }),
        ("A17 -r", &|r, s| [negative(r), s.to_vec()].concat()),
        ("A17 -s", &|r, s| [r.to_vec(), negative(s)].concat()),
        ("A17 largest r", &|_, s| [&[0xff; 32], s].concat()),
        ("A17 largest s", &|r, _| [r, &[0xff; 32]].concat()),
        ("A17 halves swapped", &|r, s| [s, r].concat()),
    ] {
        world.refuses(
            row,
            &world.ec,
            |jwt| jwt.with_signature(|both| change(&both[..32], &both[32..])),
            SIGNATURE,
        );
    }
    for (party, half) in [(&world.p384, 48), (&world.p521, 66)] {
        let zeros = |jwt: Jwt<'_>| jwt.with_signature(|both| vec![0; both.len()]);
        world.refuses("A16 zeros on a larger curve", party, zeros, SIGNATURE);
        let largest =
            |jwt: Jwt<'_>| jwt.with_signature(|both| [&both[..half], &vec![0xff; half]].concat());
        world.refuses("A17 largest s on a larger curve", party, largest, SIGNATURE);
    }
}

#[test]
fn a18_ecdsa_signatures_have_one_length() {
    let world = world();
    world.refuses(
        "A18 DER",
        &world.ec,
        |jwt| jwt.with_signature(|both| der(&both)),
        SIGNATURE,
    );
    let rows: [(&Party, &[usize]); 3] = [
        (&world.ec, &[1, 32, 63, 65, 72, 96, 132]),
        (&world.p384, &[64, 95, 97]),
        (&world.p521, &[64, 131, 133]),
    ];
    for (party, length) in rows
        .into_iter()
        .flat_map(|(party, lengths)| lengths.iter().map(move |length| (party, *length)))
    {
        let cut = |mut signature: Vec<u8>| {
            signature.resize(length, 0);
            signature
        };
        world.refuses(
            &format!("A18 {length} octets"),
            party,
            |jwt| jwt.with_signature(cut),
            SIGNATURE,
        );
        let in_front = |signature: Vec<u8>| {
            [vec![0; length.saturating_sub(signature.len())], signature].concat()
        };
        if length > party.key.sign(b"").len() {
            world.refuses(
                &format!("A18 {length} octets, zeros in front"),
                party,
                |jwt| jwt.with_signature(in_front),
                SIGNATURE,
            );
        }
    }
}

#[test]
fn a19_a_malleated_signature_is_a_replay() {
    let world = world();
    let n = BigUint::parse_bytes(N.as_bytes(), 16).expect("a number");
    for usage in Use::BOTH {
        let jwt = world.jwt(&world.ec, usage);
        let first = jwt.sign();
        let [input_header, input_payload, signature] = segments(&first);
        let signature = grantor::jose::base64url_decode(&signature).expect("base64url");
        let (r, s) = signature.split_at(32);
        let twin = [r, &octets(&(&n - BigUint::from_bytes_be(s)), 32)].concat();
        let twin = format!("{input_header}.{input_payload}.{}", base64url_encode(twin));
        world.grants("A19 the original", &usage.form(&first), &[]);
        let answer = world.attack("A19", &usage.form(&twin), &[]);
        assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
        world.assert_cause("A19", &answer, ("replay", "jti: used before"));
    }
}

#[test]
fn a21_eddsa_is_not_malleable() {
    let world = world();
    // The order of the base point, little-endian.
    let order = BigUint::parse_bytes(
        b"1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed",
        16,
    )
    .expect("a number");
    let plus_order = |signature: Vec<u8>| {
        let mut s = (BigUint::from_bytes_le(&signature[32..]) + &order).to_bytes_le();
        s.resize(32, 0);
        [&signature[..32], &s].concat()
    };
    let identity = [&[1][..], &[0; 63]].concat();
    let not_canonical =
        |signature: Vec<u8>| [&[0xee][..], &[0xff; 30], &[0x7f], &signature[32..]].concat();
    world.refuses(
        "A21 S + L",
        &world.ed,
        |jwt| jwt.with_signature(plus_order),
        SIGNATURE,
    );
    world.refuses(
        "A21 R of order 1, S = 0",
        &world.ed,
        |jwt| jwt.with_signature(|_| identity.clone()),
        SIGNATURE,
    );
    world.refuses(
        "A21 zeros",
        &world.ed,
        |jwt| jwt.with_signature(|_| vec![0; 64]),
        SIGNATURE,
    );
    world.refuses(
        "A21 R not canonical",
        &world.ed,
        |jwt| jwt.with_signature(not_canonical),
        SIGNATURE,
    );
    world.refuses(
        "A21 63 octets",
        &world.ed,
        |jwt| jwt.with_signature(|it| it[..63].to_vec()),
        SIGNATURE,
    );
    world.passes("A21 the older name", &world.ed, |jwt| {
        jwt.header("alg", "\"EdDSA\"").sign()
    });
}

/// What only the holder of the key can make, so that nothing but the padding is wrong.
#[test]
fn a22_pkcs1_padding_is_exact() {
    let world = world();
    let prefix = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20,
    ];
    let no_null = [
        0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 4, 0x20,
    ];
    let long_form = [
        0x30, 0x81, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4,
        0x20,
    ];
    let info =
        |prefix: &[u8], input: &str| [prefix, digest(&SHA256, input.as_bytes()).as_ref()].concat();
    let full = |first: [u8; 2], fill: u8, tail: Vec<u8>| {
        [&first[..], &vec![fill; 253 - tail.len()], &[0], &tail].concat()
    };
    let exact = |jwt: Jwt<'_>| {
        raw(&world.rsa, &jwt, |input| {
            full([0, 1], 0xff, info(&prefix, input))
        })
    };
    world.passes("A22 control: the padding by hand", &world.rsa, exact);
    for (row, encode) in [
        (
            "A22 garbage after the hash",
            &(|input: &str| {
                [
                    &[0, 1][..],
                    &[0xff; 8],
                    &[0],
                    &info(&prefix, input),
                    &[7; 194],
                ]
                .concat()
            }) as &dyn Fn(&str) -> Vec<u8>,
        ),
        ("A22 no NULL", &|input| {
            full([0, 1], 0xff, info(&no_null, input))
        }),
        ("A22 BER length", &|input| {
            full([0, 1], 0xff, info(&long_form, input))
        }),
        ("A22 block type 2", &|input| {
            full([0, 2], 0xff, info(&prefix, input))
        }),
        ("A22 padding of zeros", &|input| {
            full([0, 1], 0, info(&prefix, input))
        }),
        ("A22 no DigestInfo", &|input| {
            full([0, 1], 0xff, info(&[], input))
        }),
        ("A22 SHA-1", &|input| {
            let sha1 = [
                0x30, 0x21, 0x30, 0x09, 0x06, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14,
            ];
            full(
                [0, 1],
                0xff,
                [
                    &sha1[..],
                    digest(&SHA1_FOR_LEGACY_USE_ONLY, input.as_bytes()).as_ref(),
                ]
                .concat(),
            )
        }),
    ] {
        world.refuses(
            row,
            &world.rsa,
            |jwt| raw(&world.rsa, &jwt, encode),
            SIGNATURE,
        );
    }
}

#[test]
fn a23_an_rsa_signature_is_a_number_below_the_modulus_in_full_length() {
    let world = world();
    let n = BigUint::from_bytes_be(&world.rsa.key.octets("n"));
    for (row, number) in [
        ("0", BigUint::ZERO),
        ("1", 1u8.into()),
        ("n - 1", &n - 1u8),
        ("n", n.clone()),
    ] {
        let forge = |jwt: Jwt<'_>| jwt.with_signature(|_| octets(&number, 256));
        world.refuses(&format!("A23 {row}"), &world.rsa, forge, SIGNATURE);
    }
    let plus_n = |signature: Vec<u8>| {
        let sum = BigUint::from_bytes_be(&signature) + &n;
        octets(&sum, 256.max(sum.to_bytes_be().len()))
    };
    world.refuses(
        "A23 n + s",
        &world.rsa,
        |jwt| jwt.with_signature(plus_n),
        SIGNATURE,
    );
    world.refuses(
        "A23 zero in front",
        &world.rsa,
        |jwt| jwt.with_signature(|it| [&[0], &it[..]].concat()),
        SIGNATURE,
    );
    world.refuses(
        "A23 first octet gone",
        &world.rsa,
        |jwt| jwt.with_signature(|it| it[1..].to_vec()),
        SIGNATURE,
    );
    world.refuses(
        "A23 last octet gone",
        &world.rsa,
        |jwt| jwt.with_signature(|it| it[..255].to_vec()),
        SIGNATURE,
    );
}

#[test]
fn a24_pss_has_the_hash_and_the_salt_of_its_name() {
    let world = world();
    let party = &world.rsa_open;
    let pss = |jwt: Jwt<'_>, salt: usize, sha1_mask: bool| {
        let jwt = jwt.header("alg", "\"PS256\"");
        raw(party, &jwt, |input| encode_pss(input, salt, sha1_mask))
    };
    world.passes("A24 control: salt of 32 by hand", party, |jwt| {
        pss(jwt, 32, false)
    });
    for salt in [0, 20, 31, 33, 222] {
        world.refuses(
            &format!("A24 salt of {salt}"),
            party,
            |jwt| pss(jwt, salt, false),
            SIGNATURE,
        );
    }
    world.refuses(
        "A24 mask by SHA-1",
        party,
        |jwt| pss(jwt, 32, true),
        SIGNATURE,
    );
}

#[test]
fn a25_a_signature_by_another_key_is_refused() {
    let world = world();
    let unknown = ("key", "the issuer has no key with this kid");
    for (row, key) in [
        ("of another client", &world.other.key),
        ("of nobody", &*ATTACKER),
    ] {
        world.refuses(
            &format!("A25 key {row}"),
            &world.ec,
            |jwt| jwt.by(key).sign(),
            SIGNATURE,
        );
        world.refuses(
            &format!("A25 key {row}, no kid"),
            &world.ec,
            |jwt| jwt.openly_by(key).sign(),
            SIGNATURE,
        );
        let named = |jwt: Jwt<'_>| {
            jwt.header("kid", quote(key.key_id().expect("a kid")))
                .by(key)
                .sign()
        };
        world.refuses(
            &format!("A25 key {row}, its kid"),
            &world.ec,
            named,
            unknown,
        );
    }
    world.passes("A25 control: no kid", &world.ec, |jwt| {
        jwt.without_header("kid").sign()
    });
}

#[test]
fn a26_the_signature_covers_every_octet() {
    let world = world();
    for party in [&world.ec, &world.rsa, &world.ed] {
        let swap = |change: fn(Jwt<'_>) -> Jwt<'_>| {
            move |jwt: Jwt<'_>| {
                let [.., signature] = segments(&jwt.sign());
                format!("{}.{signature}", change(jwt).signing_input())
            }
        };
        world.refuses(
            "A26 header member added",
            party,
            swap(|jwt| jwt.header("x", "1")),
            SIGNATURE,
        );
        world.refuses(
            "A26 kid removed",
            party,
            swap(|jwt| jwt.without_header("kid")),
            SIGNATURE,
        );
        world.refuses(
            "A26 claim added",
            party,
            swap(|jwt| jwt.text("scope", "write")),
            SIGNATURE,
        );
        let space = |jwt: Jwt<'_>| {
            let [header, _, signature] = segments(&jwt.sign());
            format!(
                "{header}.{}.{signature}",
                base64url_encode(jwt.payload_text() + " ")
            )
        };
        world.refuses("A26 white space after the claims", party, space, SIGNATURE);
        for at in [0, 20, 63] {
            let flip = |mut signature: Vec<u8>| {
                signature[at] ^= 1;
                signature
            };
            world.refuses(
                &format!("A26 bit of octet {at} flipped"),
                party,
                |jwt| jwt.with_signature(flip),
                SIGNATURE,
            );
        }
    }
}

/// A number in this many octets.
fn octets(number: &BigUint, length: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; length - bytes.len()], bytes].concat()
}

/// The bare private operation of RSA over what `encode` makes of the signing input.
fn raw(party: &Party, jwt: &Jwt<'_>, encode: impl Fn(&str) -> Vec<u8>) -> String {
    let number = |member| BigUint::from_bytes_be(&party.key.octets(member));
    let input = jwt.signing_input();
    let message = BigUint::from_bytes_be(&encode(&input));
    let signature = octets(&message.modpow(&number("d"), &number("n")), 256);
    format!("{input}.{}", base64url_encode(signature))
}

/// EMSA-PSS (RFC 8017 §9.1.1) for a modulus of 2048 bits, with a salt of any length, and a mask of
/// SHA-256 or SHA-1.
fn encode_pss(input: &str, salt: usize, sha1_mask: bool) -> Vec<u8> {
    let salt = vec![0x5a; salt];
    let hash = digest(
        &SHA256,
        &[&[0; 8], digest(&SHA256, input.as_bytes()).as_ref(), &salt].concat(),
    );
    let mut block = [&vec![0; 256 - salt.len() - 34][..], &[1], &salt].concat();
    let masking = if sha1_mask {
        &SHA1_FOR_LEGACY_USE_ONLY
    } else {
        &SHA256
    };
    let mask = (0u32..).flat_map(|counter| {
        digest(masking, &[hash.as_ref(), &counter.to_be_bytes()].concat())
            .as_ref()
            .to_vec()
    });
    block
        .iter_mut()
        .zip(mask)
        .for_each(|(octet, mask)| *octet ^= mask);
    block[0] &= 0x7f;
    [&block, hash.as_ref(), &[0xbc]].concat()
}

/// R and S as a DER sequence, the form ECDSA has outside of JOSE.
fn der(both: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let sign = if half[0] & 0x80 == 0 { &[][..] } else { &[0] };
        [&[2, (half.len() + sign.len()) as u8], sign, half].concat()
    };
    let body = [integer(&both[..32]), integer(&both[32..])].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}
