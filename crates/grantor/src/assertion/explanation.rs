//! An assertion explained: every rule in order, whether it holds, what was expected and what came.
//!
//! A refusal is explained by exactly one failing row. What has no row of its own where all goes
//! well (a storage that failed, a quota that is used up) gets one at the place where it happened.

use std::{borrow::Cow, fmt};

use grantor_jose::{AudienceClaim, Claims, Jwk, NumericDate};
use serde::{Deserialize, Serialize};

use super::{
    AudienceForm, AudienceRule, Expectation, IssuedAtRule, IssuerRule, Lifetimes, Party, Signed,
    SubjectRule, TokenIdRule, Tried, TrustCheck, Usage, verifier::Said,
};
use crate::{
    clock::UnixTime,
    keys::Candidate,
    registry::is_default,
    types::{Rule, Shown},
};

/// A rule and its source.
type Row = (Rule, &'static str);

/// The rules of every assertion in the order in which they are checked, and their sources.
const RULES: [Row; 16] = [
    (Rule::Jws, "RFC 7515 §5.2"),
    (Rule::Claims, "RFC 7519 §7.2"),
    (Rule::Issuer, "RFC 7523 §3 (1)"),
    (Rule::Method, "RFC 7591 §2"),
    (Rule::Key, "RFC 7515 §4.1.4"),
    (Rule::Algorithm, "RFC 8725 §3.1"),
    (Rule::Signature, "RFC 7523 §3 (9)"),
    (Rule::Type, "RFC 8725 §3.11"),
    (Rule::IssuerClaim, "RFC 7523 §3 (1)"),
    (Rule::SubjectClaim, "RFC 7523 §3 (2)"),
    (Rule::Audience, "RFC 7523 §3 (3)"),
    (Rule::Expiry, "RFC 7523 §3 (4)"),
    (Rule::NotBefore, "RFC 7523 §3 (5)"),
    (Rule::IssuedAt, "RFC 7523 §3 (6)"),
    (Rule::TokenId, "RFC 7523 §3 (7)"),
    (Rule::Replay, "RFC 7523 §3 (7)"),
];

/// What follows for a grant: what the assertion asks for.
const GRANT_RULES: [Row; 4] = [
    (Rule::Subject, "RFC 7523 §3 (2)"),
    (Rule::Permission, "RFC 7521 §6.3"),
    (Rule::Grant, "RFC 6749 §5.2"),
    (Rule::Scope, "RFC 6749 §3.3"),
];

/// What follows for a JWT of an issuer, before it is used up.
const TRUST_RULE: Row = (Rule::Trust, "RFC 7521 §3");
/// And behind that, for a grant.
const MAPPING_RULE: Row = (Rule::MappedSubject, "RFC 7523 §3 (2)");

/// The source of a rule that has a row only where it is broken.
fn source_beside(rule: &Rule) -> &'static str {
    match rule {
        Rule::Form => "RFC 6749 §3.2",
        Rule::Confirmation => "RFC 7800",
        Rule::Client => "RFC 6749 §2.3",
        Rule::Caller => "RFC 7523 §3 (1)",
        Rule::ScopeClaim => "RFC 6749 §3.3",
        Rule::Resource => "RFC 8707 §2",
        _ => "",
    }
}

/// Where the row of a broken rule stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among the rules of every assertion, where it always stands.
    Own,
    /// Before that of another rule, which was not reached.
    Before(Rule),
    /// Behind all.
    Last,
}

/// The rule that an assertion was refused for, and its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) place: Place,
    /// What is expected, where the error knows better than the expectation.
    pub(crate) expected: Option<String>,
    /// What came, where the error knows better than the assertion.
    pub(crate) got: Option<String>,
}

/// How a rule went.
///
/// Complete: whoever shows a table shows each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The rule holds.
    Pass,
    /// The rule is broken: the assertion is refused for this.
    Fail,
    /// A rule before it is broken.
    NotReached,
}

/// One rule of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// Where the rule is written.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub source: Cow<'static, str>,
    /// How it went.
    pub verdict: Verdict,
    /// What the server expects; empty where it cannot be known yet.
    pub expected: String,
    /// What the assertion says; empty where there is nothing to read.
    pub got: String,
}

/// A key that an assertion was tried with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyTried {
    /// `kid`; a secret has none.
    pub key_id: Option<String>,
    /// The thumbprint (RFC 7638) of a public key without a `kid`.
    pub thumbprint: Option<String>,
    /// Where the key comes from, such as `registered key 2 of billing`.
    pub source: String,
}

impl KeyTried {
    fn of(candidate: &Candidate, issuer: &str) -> Self {
        let key_id = candidate.key.key_id().map(cell);
        let unnamed = candidate.key.jwk().filter(|_| key_id.is_none());
        Self {
            key_id,
            thumbprint: unnamed.map(Jwk::thumbprint),
            source: cell(&candidate.source_of(issuer)),
        }
    }
}

/// Its source, and its name where it has one: the `kid`, else the thumbprint.
impl fmt::Display for KeyTried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key_id, &self.thumbprint) {
            (Some(key_id), _) => write!(f, "{} (kid \"{key_id}\")", self.source),
            (None, Some(thumbprint)) => write!(f, "{} (thumbprint {thumbprint})", self.source),
            (None, None) => f.write_str(&self.source),
        }
    }
}

/// The times in an assertion as the server's clock sees them, in seconds. A sender whose clock is
/// wrong shows here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClockDifference {
    /// What the server's clock said, in milliseconds since 1970.
    #[cfg_attr(feature = "schema", schemars(with = "i64"))]
    pub now: UnixTime,
    /// From `iat` to now; negative if `iat` is in the future. `None` without `iat`.
    pub since_issued: Option<f64>,
    /// From now to `exp`; negative if `exp` is past. `None` without `exp`.
    pub until_expiry: Option<f64>,
}

/// What an assertion was used for, and every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explanation {
    /// What it was taken for.
    pub usage: Usage,
    /// Why it would be refused; `None` if it would be accepted.
    pub cause: Option<String>,
    /// The keys that the signature was held against, in this order; none where the assertion was
    /// refused before.
    #[serde(default)]
    pub keys: Vec<KeyTried>,
    /// The measured difference of the clocks; `None` of what is no JWT.
    #[serde(default)]
    pub clock: Option<ClockDifference>,
    /// The rules, in the order in which they were checked.
    pub checks: Vec<Check>,
    /// What the trusts of its issuer made of it, those that take it or nearly do first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<TrustCheck>,
    /// How many other trusts the issuer has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub other_trusts: u32,
}

/// What is known about the assertion when the explanation is written.
pub(crate) struct Known<'k> {
    pub(crate) usage: Usage,
    pub(crate) said: Option<&'k Said>,
    pub(crate) expectation: Option<&'k Expectation<'k>>,
    pub(crate) tried: Option<&'k Tried>,
    pub(crate) now: UnixTime,
}

/// A stage's own change of what is expected.
pub(crate) type Change = fn(&mut Expectation<'_>);

/// What a stage held of an assertion: from this, and not from the registry of a later moment, its
/// refusal is explained.
#[derive(Debug)]
pub(crate) struct Held {
    /// The form's parameter that it was the value of, where it was one of the standard's.
    pub(crate) parameter: Option<&'static str>,
    /// What it says.
    pub(crate) said: Said,
    /// The party that it was held against, if that was found.
    pub(crate) signed: Option<Signed>,
    /// How the stage changed what is expected.
    pub(crate) change: Option<Change>,
    /// Whether every rule held.
    pub(crate) is_proven: bool,
    /// What the trusts of its issuer made of it.
    pub(crate) tried: Tried,
}

impl Explanation {
    /// Writes the table of an assertion that is good.
    pub(crate) fn accepted(known: &Known<'_>) -> Self {
        Self::written(known, None, None)
    }

    /// Writes the table of an assertion that was refused.
    pub(crate) fn refused(known: &Known<'_>, broken: Broken, cause: &str) -> Self {
        Self::written(known, Some(broken), Some(cause))
    }

    fn written(known: &Known<'_>, broken: Option<Broken>, cause: Option<&str>) -> Self {
        let keys = known.keys();
        let checks = known.checks(broken.as_ref(), &keys);
        let cause = cause.map(|cause| Shown::known(cause, MAX_CAUSE_BYTES).to_string());
        Self {
            usage: known.usage,
            cause,
            keys,
            clock: known.clock(),
            checks,
            trusts: known
                .tried
                .map(|tried| tried.trusts.clone())
                .unwrap_or_default(),
            other_trusts: known.tried.map(|tried| tried.others).unwrap_or_default(),
        }
    }

    /// Whether the assertion would be accepted.
    pub fn is_accepted(&self) -> bool {
        self.cause.is_none()
    }
}

impl Known<'_> {
    fn keys(&self) -> Vec<KeyTried> {
        let tried = |expectation: &Expectation<'_>| {
            expectation
                .keys
                .iter()
                .map(|candidate| KeyTried::of(candidate, expectation.issuer))
                .collect()
        };
        self.expectation.map(tried).unwrap_or_default()
    }

    fn clock(&self) -> Option<ClockDifference> {
        let claims = &self.said?.claims;
        let ahead =
            |date: Option<NumericDate>| date.map(|date| date.seconds() - self.now.date().seconds());
        let since_issued = ahead(claims.issued_at).map(|ahead| -ahead);
        Some(ClockDifference {
            now: self.now,
            since_issued,
            until_expiry: ahead(claims.expires),
        })
    }

    /// The rows, and which of them failed.
    fn rows(&self, broken: Option<&Broken>) -> (Vec<Row>, Option<usize>) {
        let mut rows = RULES.to_vec();
        if self.usage == Usage::Grant {
            rows.extend(GRANT_RULES);
        }
        if self.is_foreign() {
            // It is chosen before the JWT is used up, and says whom that is about.
            rows.retain(|(rule, _)| !matches!(rule, Rule::Subject | Rule::Permission));
            let last = rows.iter().position(|(rule, _)| *rule == Rule::TokenId);
            rows.insert(last.unwrap_or(rows.len()), TRUST_RULE);
            if let Some(grant) = rows.iter().position(|(rule, _)| *rule == Rule::Grant) {
                rows.insert(grant, MAPPING_RULE);
            }
        }
        let Some(Broken { rule, place, .. }) = broken else {
            return (rows, None);
        };
        let position = |rows: &[Row], rule: &Rule| rows.iter().position(|(row, _)| row == rule);
        let own = position(&rows, rule);
        if *place == Place::Own && own.is_some() {
            return (rows, own);
        }
        // Each rule has one row.
        let row = match own {
            Some(own) => rows.remove(own),
            None => (rule.clone(), source_beside(rule)),
        };
        let index = match place {
            // Nobody looked at the assertion.
            _ if self.said.is_none() => 0,
            Place::Before(before) => position(&rows, before).unwrap_or(rows.len()),
            // Of a JWT of an issuer a trust says whom it is about, and there is no row for it.
            Place::Own if matches!(rule, Rule::Subject | Rule::Permission) => {
                position(&rows, &Rule::Grant).unwrap_or(rows.len())
            }
            Place::Own | Place::Last => rows.len(),
        };
        rows.insert(index, row);
        (rows, Some(index))
    }

    /// Whether it was held against what is expected of an issuer.
    fn is_foreign(&self) -> bool {
        self.expectation.is_some_and(|expectation| {
            let rule = expectation.subject;
            matches!(rule, SubjectRule::Foreign | SubjectRule::SpiffeId(_))
        })
    }

    fn checks(&self, broken: Option<&Broken>, keys: &[KeyTried]) -> Vec<Check> {
        let (rows, failed) = self.rows(broken);
        let verdict = |index: usize| match failed {
            Some(failed) if index == failed => Verdict::Fail,
            Some(failed) if index > failed => Verdict::NotReached,
            _ => Verdict::Pass,
        };
        let check = |(index, (rule, source)): (usize, Row)| {
            let verdict = verdict(index);
            let expectation = self.expectation.filter(|_| verdict != Verdict::NotReached);
            let said = self.said.filter(|_| verdict != Verdict::NotReached);
            let broken = broken.filter(|_| verdict == Verdict::Fail);
            let expected = broken
                .and_then(|broken| broken.expected.clone())
                .or_else(|| Some(self.expected(&rule, expectation?, keys)))
                .unwrap_or_default();
            let got = broken
                .and_then(|broken| broken.got.clone())
                .or_else(|| Some(self.got(&rule, said?)))
                .unwrap_or_default();
            Check {
                rule,
                source: source.into(),
                verdict,
                expected: cell(&expected),
                got: cell(&got),
            }
        };
        rows.into_iter().enumerate().map(check).collect()
    }

    fn expected(&self, rule: &Rule, expectation: &Expectation<'_>, keys: &[KeyTried]) -> String {
        let Lifetimes { leeway, maximum } = expectation.lifetimes;
        let (leeway, maximum) = (leeway.as_secs(), maximum.as_secs());
        match rule {
            Rule::Key => keys
                .iter()
                .map(KeyTried::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            Rule::Algorithm => match expectation.only_algorithm {
                Some(only) => only.to_string(),
                None => expectation
                    .algorithms
                    .iter()
                    .map(|algorithm| algorithm.name())
                    .collect::<Vec<_>>()
                    .join(" "),
            },
            Rule::Type => match expectation.typ {
                [] => "none".to_owned(),
                [others @ .., last] => {
                    let others = others.iter().map(|typ| format!(", {typ}"));
                    format!("none{} or {last}", others.collect::<String>())
                }
            },
            Rule::IssuerClaim => match expectation.issuer_rule {
                IssuerRule::Present => expectation.issuer.to_owned(),
                IssuerRule::MayBeAbsent => format!("absent, or {}", expectation.issuer),
            },
            Rule::Confirmation => "absent".to_owned(),
            Rule::SubjectClaim => match expectation.subject {
                SubjectRule::IsIssuer => expectation.issuer.to_owned(),
                SubjectRule::Present => "present".to_owned(),
                SubjectRule::IssuerIfAbsent => "present, or the client itself".to_owned(),
                SubjectRule::Foreign => "present, at most 2,048 octets".to_owned(),
                SubjectRule::SpiffeId(domain) => format!("a SPIFFE ID of {domain}"),
            },
            Rule::Audience => {
                let AudienceRule { allowed, form, .. } = expectation.audience;
                let form = match form {
                    AudienceForm::Sole => "as sole value",
                    AudienceForm::Plain => "as a plain string",
                    AudienceForm::Any => "as one of its values",
                };
                format!("{} {form}", allowed.join(" or "))
            }
            Rule::Expiry => format!("in the future (leeway {leeway} s), at most {maximum} s ahead"),
            Rule::NotBefore => format!("absent or past (leeway {leeway} s)"),
            Rule::IssuedAt => {
                let absent = match expectation.issued_at {
                    IssuedAtRule::Optional => "absent or ",
                    IssuedAtRule::Required => "",
                };
                format!("{absent}past (leeway {leeway} s), at most {maximum} s ago")
            }
            Rule::TokenId => match expectation.token_id {
                TokenIdRule::Required => "present, at most 255 octets".to_owned(),
                TokenIdRule::Optional => "absent, or at most 255 octets".to_owned(),
                TokenIdRule::Digest | TokenIdRule::Reusable => "anything".to_owned(),
            },
            Rule::Replay => match expectation.token_id {
                TokenIdRule::Required | TokenIdRule::Optional => "a jti not used before".to_owned(),
                TokenIdRule::Digest => "a JWT not used before".to_owned(),
                TokenIdRule::Reusable => "any number of uses".to_owned(),
            },
            Rule::Subject => "the client itself, or a known and enabled subject".to_owned(),
            Rule::Trust => "exactly one trust of the issuer".to_owned(),
            Rule::MappedSubject => "a subject that is nobody else's name".to_owned(),
            Rule::Permission => {
                "none if the subject is the client itself, else one for the subject".to_owned()
            }
            Rule::Grant => "a client that is registered for this grant".to_owned(),
            Rule::Scope => "no more than the client, and the permission, allow".to_owned(),
            _ => String::new(),
        }
    }

    fn got(&self, rule: &Rule, Said { header, claims }: &Said) -> String {
        match rule {
            Rule::Issuer | Rule::IssuerClaim => self.party(claims.issuer.as_deref()),
            Rule::Key => header.key_id().map_or_else(
                || "no kid".to_owned(),
                |key_id| format!("kid {:?}", self.key_name(key_id)),
            ),
            Rule::Algorithm => header.algorithm().to_string(),
            Rule::Type => quoted(header.typ()),
            Rule::SubjectClaim | Rule::Subject => self.party(claims.subject.as_deref()),
            Rule::Scope => quoted(
                claims
                    .other
                    .get("scope")
                    .and_then(serde_json::Value::as_str),
            ),
            Rule::Audience => self.audience(claims),
            Rule::Expiry => self.distance(claims.expires),
            Rule::NotBefore => self.distance(claims.not_before),
            Rule::IssuedAt | Rule::Fence => self.distance(claims.issued_at),
            // Records hold a digest of it, never the jti itself.
            Rule::TokenId => claims.token_id.as_ref().map_or_else(absent, |token_id| {
                format!("present, {} octets", token_id.len())
            }),
            _ => String::new(),
        }
    }

    /// A name from the assertion: whole where it is the registered party's.
    fn party(&self, name: Option<&str>) -> String {
        match (name, self.expectation) {
            (Some(name), Some(expectation)) if name == expectation.issuer => {
                format!("{:?}", Shown::known(name, Party::MAX_NAME_BYTES))
            }
            _ => quoted(name),
        }
    }

    /// The audience: whole where it is this server.
    fn audience(&self, claims: &Claims) -> String {
        let is_ours = |name: &str| {
            self.expectation.is_some_and(|expectation| {
                expectation.audience.allowed.iter().any(|one| one == name)
            })
        };
        match &claims.audience {
            None => absent(),
            Some(AudienceClaim::One(one)) if is_ours(one) => {
                format!("{:?}", Shown::known(one, MAX_CELL_BYTES))
            }
            Some(AudienceClaim::One(one)) => quoted(Some(one)),
            Some(AudienceClaim::Many(many)) => {
                Shown::list(many.iter().map(|one| one.as_str())).to_string()
            }
        }
    }

    /// A `kid` from the assertion: whole where it is a registered key's.
    fn key_name(&self, key_id: &str) -> Shown {
        let mut keys = self
            .expectation
            .iter()
            .flat_map(|expectation| expectation.keys);
        match keys.any(|candidate| candidate.key.key_id() == Some(key_id)) {
            true => Shown::known(key_id, MAX_CELL_BYTES),
            false => Shown::of(key_id),
        }
    }

    /// A date as its distance from the server's clock.
    fn distance(&self, date: Option<NumericDate>) -> String {
        let Some(date) = date else { return absent() };
        let ahead = date.seconds() - self.now.date().seconds();
        match ahead {
            0.0..1e10 => format!("{ahead:.0} s ahead of our clock"),
            -1e10..0.0 => format!("{:.0} s before our clock", -ahead),
            _ => "centuries away".to_owned(),
        }
    }
}

fn absent() -> String {
    "(absent)".to_owned()
}

/// Most octets of an expected or a received value.
const MAX_CELL_BYTES: usize = 192;
/// Most octets of the cause.
const MAX_CAUSE_BYTES: usize = 512;

/// What stands in a row: escaped, and cut.
fn cell(text: &str) -> String {
    Shown::known(text, MAX_CELL_BYTES).to_string()
}

/// A text that anybody may have written.
fn quoted(text: Option<&str>) -> String {
    text.map_or_else(absent, |text| format!("{:?}", Shown::of(text)))
}
