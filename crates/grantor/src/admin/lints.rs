//! What is probably a mistake in a trust: refused, unless the trust names the lint as allowed
//! (T041). What is unsafe on one platform only is data of its template.

use std::{borrow::Cow, collections::BTreeSet};

use grantor_jose::{
    Claims,
    json::{Object, Value},
};

use super::{
    Fault,
    templates::{self, Refusal, Template},
};
use crate::{
    registry::{PinValue, Trust, TrustedIssuer},
    types::ClaimPath,
};

/// A part of a text beside which anything may stand.
const LOOSE_TEST: &str = "loose-test";
/// A condition, and nothing else, that says what the JWT is not.
const NEGATIVE_ONLY: &str = "negative-only";
/// A value that looks like a pattern, and is compared to the letter.
const LITERAL_STAR: &str = "literal-star";
/// A name that may be given to others, without the id that is not.
const MUTABLE_NAMES: &str = "mutable-names";
/// What the sender of a JWT writes as they like.
const CALLER_WRITTEN: &str = "caller-written";
/// The lints of every platform.
const GENERAL: [&str; 5] = [
    LOOSE_TEST,
    NEGATIVE_ONLY,
    LITERAL_STAR,
    MUTABLE_NAMES,
    CALLER_WRITTEN,
];

/// All lints by their names.
pub fn lint_names() -> BTreeSet<&'static str> {
    let of_platforms = super::Templates::all().iter().flat_map(|template| {
        let narrowing = template.narrowing.iter().map(|one| &*one.lint);
        narrowing.chain(template.refusals.iter().map(|one| &*one.lint))
    });
    GENERAL.into_iter().chain(of_platforms).collect()
}

/// Something that is probably a mistake.
struct Lint<'a> {
    name: &'a str,
    /// Where, as faults say it.
    place: Fault,
}

fn lint<'a>(name: &'a str, member: &str, problem: impl Into<String>) -> Lint<'a> {
    Lint {
        name,
        place: Fault::new(member, problem),
    }
}

/// All lints that a trust does not allow, as faults, and those that it allows and there are not.
pub(super) fn faults_of(issuer: &TrustedIssuer, trust: &Trust) -> Vec<Fault> {
    let mut lints = Vec::new();
    lints.extend(loose_tests(trust));
    lints.extend(negative_only(trust));
    lints.extend(literal_stars(trust));
    if let Some(template) = templates::of_issuer(issuer) {
        lints.extend(mutable_names(template, trust));
        lints.extend(caller_written(template, issuer, trust));
        lints.extend(too_wide(template, trust));
        lints.extend(refusals(template, trust));
    }
    let is_allowed = |lint: &Lint<'_>| trust.allowed_lints.iter().any(|name| name == lint.name);
    let refused = lints.into_iter().filter(|lint| !is_allowed(lint));
    let refused = refused.map(|lint| Fault {
        detail: format!("{}; or allow {}", lint.place.detail, lint.name),
        ..lint.place
    });
    refused.chain(unknown(trust)).collect()
}

fn unknown(trust: &Trust) -> Vec<Fault> {
    let known = lint_names();
    let names = trust.allowed_lints.iter().enumerate();
    let unknown = names.filter(|(_, name)| !known.contains(name.as_str()));
    let fault = |(index, name): (usize, &String)| {
        let known: Vec<_> = known.iter().copied().collect();
        let detail = format!(
            "there is no lint {name}; expected some of {}",
            known.join(", ")
        );
        Fault::new("allowed_lints", detail).at(index)
    };
    unknown.map(fault).collect()
}

/// `startsWith('acme')` is true of `acme-evil/widgets`.
fn loose_tests(trust: &Trust) -> Vec<Lint<'static>> {
    let condition = trust.condition.iter();
    let tests = condition.flat_map(|condition| condition.loose_tests());
    tests
        .map(|test| {
            let what = match &test.part {
                Some(part) => format!("{}('{part}')", test.function),
                None => format!("{}(...)", test.function),
            };
            let problem = format!(
                "{what} is true of others' names too; compare with ==, use glob, or name a part \
                 with the ':', '/' or '@' at which the name ends"
            );
            lint(LOOSE_TEST, "condition", problem)
        })
        .collect()
}

fn negative_only(trust: &Trust) -> Option<Lint<'static>> {
    let condition = trust.condition.as_ref()?;
    let is_alone = trust.pins.is_empty() && trust.matches.is_empty();
    (is_alone && condition.can_hold_by_negative_tests()).then(|| {
        let problem = "it can hold by what the JWT is not, so that all others are taken; pin what \
             it is";
        lint(NEGATIVE_ONLY, "condition", problem)
    })
}

fn literal_stars(trust: &Trust) -> Vec<Lint<'static>> {
    let starred = trust.pins.iter().enumerate().filter_map(|(index, pin)| {
        let PinValue::Text(text) = &pin.value else {
            return None;
        };
        // What is nothing else is refused anyway.
        let is_text = text
            .chars()
            .any(|letter| letter != '*' && !letter.is_whitespace());
        (text.contains('*') && is_text).then(|| {
            let problem = format!(
                "{text} has a star, and a pin is compared to the letter; match {} instead",
                pin.claim
            );
            let lint = lint(LITERAL_STAR, "pins", problem);
            Lint {
                place: lint.place.at(index),
                ..lint
            }
        })
    });
    starred.collect()
}

/// The claims of which a trust asks for a value, by pins, matches and its condition.
fn compared(trust: &Trust) -> BTreeSet<&ClaimPath> {
    let pins = trust.pins.iter().map(|pin| &pin.claim);
    let matches = trust.matches.iter().map(|one| &one.claim);
    let condition = trust.condition.iter();
    let condition = condition.flat_map(|condition| condition.restricts());
    pins.chain(matches).chain(condition).collect()
}

/// Names come back under new owners; ids do not.
fn mutable_names<'a>(template: &Template, trust: &Trust) -> Vec<Lint<'a>> {
    let compared = compared(trust);
    let names = template.mutable_names.iter();
    let alone = names.filter(|name| {
        let has_id = name.ids.iter().any(|id| compared.contains(id));
        compared.contains(&name.claim) && !has_id
    });
    alone
        .map(|name| {
            let ids: Vec<_> = name.ids.iter().map(ClaimPath::as_str).collect();
            let problem = format!(
                "{} is a name, which somebody else may have one day; pin {} too",
                name.claim,
                ids.join(" or ")
            );
            lint(MUTABLE_NAMES, "pins", problem)
        })
        .collect()
}

/// Pins and matches of what the sender of the JWT writes prove nothing about the sender.
fn caller_written<'a>(
    template: &Template,
    issuer: &TrustedIssuer,
    trust: &Trust,
) -> Option<Lint<'a>> {
    let is_tenant = |claim: &&ClaimPath| issuer.tenant_claims.contains(claim);
    let pins = trust.pins.iter().map(|pin| &pin.claim);
    let matches = trust.matches.iter().map(|one| &one.claim);
    let mut claims: Vec<_> = pins
        .chain(matches)
        .filter(|claim| !is_tenant(claim))
        .collect();
    if claims.is_empty() {
        let condition = trust.condition.iter();
        claims = condition
            .flat_map(|condition| condition.restricts())
            .collect();
    }
    let all_written = claims.iter().all(|claim| template.is_caller_written(claim));
    (!claims.is_empty() && all_written).then(|| {
        let claims: Vec<_> = claims.iter().map(|claim| claim.as_str()).collect();
        let problem = format!(
            "whoever asks {} for a JWT chooses {}; pin what they do not choose",
            template.title,
            claims.join(" and ")
        );
        lint(CALLER_WRITTEN, "pins", problem)
    })
}

fn too_wide<'t>(template: &'t Template, trust: &Trust) -> Vec<Lint<'t>> {
    let compared = compared(trust);
    let narrowing = template.narrowing.iter();
    let wide = narrowing.filter(|one| !one.one_of.iter().any(|claim| compared.contains(claim)));
    wide.map(|one| {
        let claims: Vec<_> = one.one_of.iter().map(ClaimPath::as_str).collect();
        let problem = format!("it takes {}; pin {}", one.why, claims.join(" or "));
        lint(&one.lint, "pins", problem)
    })
    .collect()
}

/// JWTs of the platform that a trust should not take by accident: those are tried.
fn refusals<'t>(template: &'t Template, trust: &Trust) -> Vec<Lint<'t>> {
    let refused = template.refusals.iter();
    let taken =
        refused.filter_map(|refusal| Some((refusal, taken_value(template, trust, refusal)?)));
    taken
        .map(|(refusal, value)| {
            let value = match value {
                Value::String(text) => Cow::from(text),
                other => other.to_string().into(),
            };
            let problem = format!(
                "it takes JWTs whose {} is {value}: {}",
                refusal.claim, refusal.why
            );
            lint(&refusal.lint, "condition", problem)
        })
        .collect()
}

/// A value of the claim that is to be refused, and with which the trust takes a JWT.
fn taken_value<'t>(template: &Template, trust: &Trust, refusal: &'t Refusal) -> Option<&'t Value> {
    let pins = |claim: &ClaimPath| trust.pins.iter().any(|pin| pin.claim == *claim);
    let matches = |claim: &ClaimPath| trust.matches.iter().any(|one| one.claim == *claim);
    if refusal.by_pin && pins(&refusal.claim)
        || refusal
            .unless
            .iter()
            .any(|claim| pins(claim) || matches(claim))
    {
        return None;
    }
    let likely = likely_claims(template, trust);
    let takes = |claims: &Object| {
        let claims = serde_json::to_vec(claims).ok();
        let claims = claims.and_then(|claims| Claims::parse(&claims).ok());
        claims.is_some_and(|claims| trust.takes(&claims))
    };
    if !takes(&likely) {
        // The condition asks for something else; whether it refuses this is not known by trying.
        let condition = trust.condition.as_ref();
        let mentions = condition.is_some_and(|one| one.mentions().contains(&refusal.claim));
        let is_compared = mentions || pins(&refusal.claim) || matches(&refusal.claim);
        return (!is_compared).then(|| refusal.values.first()).flatten();
    }
    refusal.values.iter().find(|value| {
        let mut claims = likely.clone();
        put(&mut claims, &refusal.claim, (*value).clone());
        takes(&claims)
    })
}

/// The claims of a JWT that has what the trust pins and matches, and beside it those of the
/// template's example.
fn likely_claims(template: &Template, trust: &Trust) -> Object {
    let mut claims = template.example.clone();
    for one in &trust.matches {
        let text = one.glob.as_str().replace("**", "x").replace('*', "x");
        put(&mut claims, &one.claim, text.into());
    }
    for pin in &trust.pins {
        let value = match &pin.value {
            PinValue::Text(text) => Value::from(text.as_str()),
            PinValue::Integer(integer) => (*integer).into(),
            PinValue::Boolean(boolean) => (*boolean).into(),
            PinValue::Contains(text) => Value::Array(vec![text.as_str().into()]),
        };
        put(&mut claims, &pin.claim, value);
    }
    claims
}

/// Gives a claim a value; one that is null is taken away.
pub(super) fn put(claims: &mut Object, claim: &ClaimPath, value: Value) {
    let segments: Vec<_> = claim.segments().collect();
    let Some((last, way)) = segments.split_last() else {
        return;
    };
    let mut place = claims;
    for segment in way {
        let member = place.entry(segment.to_string());
        let member = member.or_insert_with(|| Value::Object(Object::new()));
        match member {
            Value::Object(object) => place = object,
            _ => return,
        }
    }
    match value {
        Value::Null => drop(place.remove(&**last)),
        value => drop(place.insert(last.to_string(), value)),
    }
}

#[cfg(test)]
mod tests;
