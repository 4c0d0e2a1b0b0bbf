//! An assertion explained: every rule in order, whether it holds, what was expected and what came.
//!
//! A refusal is explained by exactly one failing row. What has no row of its own where all goes
//! well (a storage that failed, a quota that is used up) gets one at the place where it happened.

use std::{borrow::Cow, fmt};

use grantor_jose::{Audience, Claims, Jwk, NumericDate};
use serde::{Deserialize, Serialize};

use super::{
    Assertion, AudienceForm, AudienceRule, Expectation, Lifetimes, Signed, SubjectRule,
    TokenIdRule, Usage, verifier::Said,
};
use crate::{
    clock::UnixTime,
    keys::Candidate,
    types::{ClientId, Rule, Shown},
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

/// The rule that an assertion was refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It has a row.
    Rule(Rule),
    /// It gets a row of its own, before that of the rule `before`, which was not reached; `None` is
    /// behind all.
    Beside { rule: Rule, before: Option<Rule> },
}

/// How a rule went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// Where the rule is written.
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
pub struct ClockDifference {
    /// What the server's clock said.
    pub now: UnixTime,
    /// From `iat` to now; negative if `iat` is in the future. `None` without `iat`.
    pub since_issued: Option<f64>,
    /// From now to `exp`; negative if `exp` is past. `None` without `exp`.
    pub until_expiry: Option<f64>,
}

/// What an assertion was used for, and every rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The rules, in the order in which they are checked.
    pub checks: Vec<Check>,
}

/// What is known about the assertion when the explanation is written.
pub(crate) struct Known<'k> {
    pub(crate) usage: Usage,
    pub(crate) said: Option<&'k Said>,
    pub(crate) expectation: Option<&'k Expectation<'k>>,
    pub(crate) now: UnixTime,
}

/// What a stage held of an assertion: from this, and not from the registry of a later moment, its
/// refusal is explained.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    usage: Usage,
    said: Said,
    signed: Option<Signed>,
}

impl Held {
    /// What the assertion says, and the party that it was held against, if that was found.
    pub(crate) fn new(usage: Usage, assertion: Assertion<'_>, signed: Option<Signed>) -> Self {
        Self {
            usage,
            said: assertion.into_said(),
            signed,
        }
    }

    /// What the assertion was used for.
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// What it says.
    pub(crate) fn said(&self) -> &Said {
        &self.said
    }

    /// The party it was held against.
    pub(crate) fn signed(&self) -> Option<&Signed> {
        self.signed.as_ref()
    }
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
        let checks = known.checks(broken, &keys);
        let cause = cause.map(|cause| Shown::known(cause, MAX_CAUSE_BYTES).to_string());
        Self {
            usage: known.usage,
            cause,
            keys,
            clock: known.clock(),
            checks,
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
    fn rows(&self, broken: Option<Broken>) -> (Vec<Row>, Option<usize>) {
        let mut rows = RULES.to_vec();
        if self.usage == Usage::Grant {
            rows.extend(GRANT_RULES);
        }
        let position = |rows: &[Row], rule: &Rule| rows.iter().position(|(row, _)| row == rule);
        let (rule, before) = match broken {
            None => return (rows, None),
            Some(Broken::Rule(rule)) => (rule, None),
            Some(Broken::Beside { rule, before }) => (rule, before),
        };
        if let Some(index) = position(&rows, &rule) {
            return (rows, Some(index));
        }
        let index = before
            .and_then(|before| position(&rows, &before))
            .unwrap_or(rows.len());
        rows.insert(index, (rule, ""));
        (rows, Some(index))
    }

    fn checks(&self, broken: Option<Broken>, keys: &[KeyTried]) -> Vec<Check> {
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
            let expected = expectation
                .map(|expectation| self.expected(&rule, expectation, keys))
                .unwrap_or_default();
            let got = said.map(|said| self.got(&rule, said)).unwrap_or_default();
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
            Rule::IssuerClaim => expectation.issuer.to_owned(),
            Rule::SubjectClaim => match expectation.subject {
                SubjectRule::IsIssuer => expectation.issuer.to_owned(),
                SubjectRule::Present => "present".to_owned(),
                SubjectRule::IssuerIfAbsent => "present, or the client itself".to_owned(),
            },
            Rule::Audience => {
                let AudienceRule { allowed, form } = expectation.audience;
                let form = match form {
                    AudienceForm::Sole => "as sole value",
                    AudienceForm::Plain => "as a plain string",
                };
                format!("{} {form}", allowed.join(" or "))
            }
            Rule::Expiry => format!("in the future (leeway {leeway} s), at most {maximum} s ahead"),
            Rule::NotBefore => format!("absent or past (leeway {leeway} s)"),
            Rule::IssuedAt => {
                format!("absent or past (leeway {leeway} s), at most {maximum} s ago")
            }
            Rule::TokenId => match expectation.token_id {
                TokenIdRule::Required => "present, at most 255 octets".to_owned(),
                TokenIdRule::Optional => "absent, or at most 255 octets".to_owned(),
                TokenIdRule::Reusable => "anything".to_owned(),
            },
            Rule::Replay => match expectation.token_id {
                TokenIdRule::Required | TokenIdRule::Optional => "a jti not used before".to_owned(),
                TokenIdRule::Reusable => "any number of uses".to_owned(),
            },
            Rule::Subject => "the client itself, or a known and enabled subject".to_owned(),
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
            Rule::IssuedAt => self.distance(claims.issued_at),
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
                format!("{:?}", Shown::known(name, ClientId::MAX_BYTES))
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
            Some(Audience::One(one)) if is_ours(one) => {
                format!("{:?}", Shown::known(one, MAX_CELL_BYTES))
            }
            Some(Audience::One(one)) => quoted(Some(one)),
            Some(Audience::Many(many)) => {
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
