//! Why a request was granted or refused: one record for each, under the id that the answer carries.
//!
//! A record never holds a token, a secret or a whole assertion; a `jti` only as part of a digest.
//! What a stranger sent is in it as [`Shown`] shows it.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use grantor_jose::{Claims, base64url_encode, json::Value};
use serde::{Deserialize, Deserializer, Serialize};
use tracing::Level;

use super::{AccessToken, Approval, Blame, Refusal, Request, TrustError, still::Proofs};
use crate::{
    assertion::{Explanation, Held, Party, Tried, TrustCheck, Usage, VerifiedAssertion},
    clock::UnixTime,
    registry::{Client, PermissionNumbers, Trust, TrustedIssuer},
    types::{
        AuthMethod, ClientId, CorrelationId, ErrorCode, GrantType, Name, Rule, Scope, Shown,
        SubjectId,
    },
};

/// What was decided about one request. Filled in by the stages as they go, kept as JSON
/// ([`Decision::record`]), and read back as the same ([`Decision::read`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Also in the answer's `error_description`.
    pub id: CorrelationId,
    /// When the request was read.
    pub at: UnixTime,
    /// The name of the endpoint that was asked, such as `token`.
    pub endpoint: Cow<'static, str>,
    /// The address that the request was sent from, as far as it is known.
    pub sender: Option<IpAddr>,
    /// The grant, once known.
    pub grant_type: Option<GrantType>,
    /// The client that authenticated, or that the token is for.
    pub client: Option<ClientId>,
    /// How it authenticated.
    pub auth_method: Option<AuthMethod>,
    /// The client that the request claimed to come from. Not proven.
    pub claimed_client: Option<Shown>,
    /// The issuer that the grant assertion claimed. Not proven.
    pub claimed_issuer: Option<Shown>,
    /// Whom the token is about.
    pub subject: Option<SubjectId>,
    /// The `kid` of the last key that verified.
    pub key_id: Option<Shown>,
    /// Where that key comes from, such as `registered key 2 of billing`.
    pub key_source: Option<Shown>,
    /// The digest of the last (issuer, jti) that was used up.
    pub token_id_digest: Option<String>,
    /// The scope granted.
    pub scope: Option<Scope>,
    /// The audience of the client's authentication JWT.
    pub audience: Option<Shown>,
    /// How it ended.
    pub outcome: Outcome,
    /// The issuer that signed the last assertion, if it was none of our clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Name>,
    /// The trust that took it, with what it compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustCheck>,
    /// What those trusts made of it that grant nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<TrustCheck>,
    /// Of an assertion that was refused: every rule, expected and got.
    #[serde(default, deserialize_with = "explanation")]
    pub explanation: Option<Explanation>,
    /// The permissions that the token was granted by.
    #[serde(skip)]
    permissions: PermissionNumbers,
    /// What it rests on so far.
    #[serde(skip)]
    pub(super) proofs: Proofs,
    /// What the last assertion was used for.
    #[serde(skip)]
    looked_at: Option<Usage>,
    /// The last assertion, if it could be read, and what it was held against.
    #[serde(skip)]
    held: Option<Arc<Held>>,
    /// Whether the last assertion says that it is of an issuer: no client is blamed for it.
    #[serde(skip)]
    is_by_issuer: bool,
    /// Whether it is of no tenant of ours on an issuer that strangers share.
    #[serde(skip)]
    is_of_stranger: bool,
    #[serde(skip)]
    is_cheap: bool,
    #[serde(skip)]
    is_waiting: bool,
}

/// How a request ended.
///
/// Complete: a log that forgets a way to end does not compile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is decided yet: the request was cut off, or a page was shown.
    Undecided,
    /// Done as asked.
    Granted,
    /// No token.
    Refused {
        /// The error code of the answer.
        error: ErrorCode,
        /// The broken rule.
        rule: Rule,
        /// The private cause: what was expected, what came.
        cause: String,
    },
}

impl Decision {
    /// A new record.
    pub(crate) fn new(endpoint: &'static str, request: &Request) -> Self {
        Self::about(endpoint, request.at(), request.sender())
    }

    /// A new record of what was sent from there at this time.
    pub(super) fn about(endpoint: &'static str, at: UnixTime, sender: Option<IpAddr>) -> Self {
        Self {
            id: CorrelationId::new(at),
            at,
            endpoint: Cow::Borrowed(endpoint),
            sender,
            grant_type: None,
            client: None,
            auth_method: None,
            claimed_client: None,
            claimed_issuer: None,
            subject: None,
            key_id: None,
            key_source: None,
            token_id_digest: None,
            scope: None,
            audience: None,
            outcome: Outcome::Undecided,
            issuer: None,
            trust: None,
            shadows: Vec::new(),
            explanation: None,
            permissions: PermissionNumbers::default(),
            proofs: Proofs::default(),
            looked_at: None,
            held: None,
            is_by_issuer: false,
            is_of_stranger: false,
            is_cheap: true,
            is_waiting: false,
        }
    }

    /// The party that the request came from, by the best that is known: the client that proved who it
    /// is, or that the token is for; else the issuer of the assertion, else the client, that the
    /// request claimed.
    pub fn party(&self) -> Option<&str> {
        let claimed = self
            .claimed_issuer
            .as_ref()
            .or(self.claimed_client.as_ref());
        let client = self.client.as_ref().map(ClientId::as_str);
        client.or_else(|| claimed.map(Shown::as_str))
    }

    /// Whether causing this decision cost the sender nothing: the request was malformed, had no
    /// credentials, was throttled, or presents the genuine JWT of a stranger. Logs drop these first.
    pub fn is_cheap(&self) -> bool {
        self.is_cheap
    }

    /// The request says that it comes from this client.
    pub fn claims_client(&mut self, id: &str) {
        self.claimed_client = Some(Shown::of(id));
    }

    /// The client that the request says it comes from is registered: its whole name may be kept.
    pub(super) fn claims_registered(&mut self, client: &Client) {
        keep_whole(&mut self.claimed_client, client.id().as_str());
    }

    /// The grant assertion says that this party issued it.
    pub fn claims_issuer(&mut self, issuer: &str) {
        self.claimed_issuer = Some(Shown::of(issuer));
    }

    /// As [`Decision::claims_registered`], for the party that an assertion names.
    pub(super) fn claims_registered_party(&mut self, usage: Usage, party: &Party) {
        let claimed = match usage {
            Usage::ClientAuthentication => &mut self.claimed_client,
            Usage::Grant => &mut self.claimed_issuer,
        };
        keep_whole(claimed, party.name());
        self.is_by_issuer = party.issuer().is_some();
    }

    /// Whether the last assertion says that it is of an issuer, which strangers may share.
    pub(super) fn is_by_issuer(&self) -> bool {
        self.is_by_issuer
    }

    /// The assertion is of this issuer, and this trust takes it, or none does.
    pub(super) fn tried(
        &mut self,
        issuer: &TrustedIssuer,
        chosen: Result<&Trust, &TrustError>,
        claims: &Claims,
        tried: &Tried,
    ) {
        self.issuer = Some(issuer.name.clone());
        self.is_of_stranger = matches!(chosen, Err(TrustError::OtherTenant(_)));
        let trust = chosen.ok();
        self.trust = trust.map(|trust| TrustCheck::of(trust, claims));
        self.shadows = tried.shadows.clone();
    }

    /// An assertion is looked at that is used for this.
    pub(super) fn looks_at(&mut self, usage: Usage) {
        self.looked_at = Some(usage);
        self.held = None;
    }

    /// It could be read and, if its party was found, was held against that.
    pub(super) fn held(&mut self, held: Arc<Held>) {
        self.held = Some(held);
    }

    /// What the last assertion was used for.
    pub(super) fn looked_at(&self) -> Option<Usage> {
        self.looked_at
    }

    /// The last assertion, if it could be read.
    pub(super) fn what_held(&self) -> Option<&Held> {
        self.held.as_deref()
    }

    /// The token is to be about this subject, which is known.
    pub(super) fn is_about(&mut self, subject: &SubjectId) {
        self.subject = Some(subject.clone());
    }

    /// This client proved who it is, or is public.
    pub(super) fn authenticated(&mut self, client: &ClientId, method: &AuthMethod) {
        self.client = Some(client.clone());
        self.auth_method = Some(method.clone());
        // Anybody can name a public client.
        self.is_cheap &= *method == AuthMethod::NONE;
    }

    /// The client authenticated with this assertion.
    pub(super) fn authenticated_by(&mut self, assertion: &VerifiedAssertion<'_>) {
        // One of this server's own names.
        let audience = assertion
            .claims()
            .audience
            .as_ref()
            .and_then(|audience| audience.sole());
        self.audience = audience.map(|audience| Shown::known(audience, MAX_AUDIENCE_BYTES));
        self.used_assertion(assertion);
    }

    /// The token that the request is about is the caller's own.
    pub(super) fn found_own_token(&mut self) {
        self.is_cheap = false;
    }

    /// This assertion verified, and its `jti` is used up.
    pub fn used_assertion(&mut self, assertion: &VerifiedAssertion<'_>) {
        self.is_cheap = false;
        self.key_id = assertion.key().key_id().map(registered);
        self.key_source = Some(registered(assertion.key_source()));
        self.token_id_digest = assertion
            .replay_key()
            .map(|key| base64url_encode(key.as_bytes()));
    }

    pub(super) fn approved(&mut self, approval: &Approval) {
        self.is_cheap = false;
        self.client = Some(approval.client().id().clone());
        self.subject = Some(approval.subject().clone());
        self.scope = Some(approval.scope().clone());
        self.permissions = approval.origin().permissions();
    }

    /// The permissions that a token was granted by, for whoever keeps when they were last used: not
    /// part of the record.
    pub fn permissions(&self) -> PermissionNumbers {
        self.permissions
    }

    /// Says that something was granted by these permissions.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn with_permissions(self, permissions: PermissionNumbers) -> Self {
        Self {
            permissions,
            ..self
        }
    }

    /// The request came with this access token, which is in force.
    pub(super) fn bears(&mut self, token: &AccessToken) {
        self.is_cheap = false;
        self.client = Some(token.client().clone());
        self.subject = Some(token.subject().clone());
    }

    /// This person sent the request.
    pub fn is_by(&mut self, subject: &SubjectId) {
        self.is_cheap = false;
        self.subject = Some(subject.clone());
    }

    /// This client gets so much.
    pub(super) fn is_allowed(&mut self, client: &ClientId, scope: &Scope) {
        self.is_cheap = false;
        self.client = Some(client.clone());
        self.scope = Some(scope.clone());
    }

    /// A page is shown, and what the person does there decides: the outcome stays
    /// [`Outcome::Undecided`].
    pub fn waits(&mut self) {
        self.is_waiting = true;
    }

    pub(super) fn granted(&mut self) {
        if !self.is_waiting {
            self.outcome = Outcome::Granted;
        }
    }

    /// The refusal is that of this assertion.
    pub(super) fn explained(&mut self, explanation: Explanation) {
        self.explanation = Some(explanation);
    }

    pub(super) fn refused(&mut self, refusal: &Refusal) {
        // Whoever asks for a client, and has not signed in, can have this at no cost; and so can any
        // customer of an issuer's.
        let is_strangers = refusal.target().is_some() && self.subject.is_none();
        self.is_cheap = refusal.blame() == Blame::NoProof
            || *refusal.rule() == Rule::Throttled
            || is_strangers
            || self.is_of_stranger;
        self.outcome = Outcome::Refused {
            error: refusal.code().clone(),
            rule: refusal.rule().clone(),
            // It may quote claims.
            cause: Shown::known(refusal.cause(), MAX_CAUSE_BYTES).to_string(),
        };
    }

    /// The record as JSON, at most [`Decision::MAX_BYTES`] octets whatever the request was.
    pub fn record(&self) -> String {
        let json = |decision: &Self| serde_json::to_string(decision).expect("a decision is JSON");
        let record = json(self);
        if record.len() <= Self::MAX_BYTES {
            return record;
        }
        // Long registered names, each repeated for every key, can do this, and trusts that pin much.
        let mut shorter = self.clone();
        if let Some(explanation) = &mut shorter.explanation {
            explanation.keys = Vec::new();
        }
        loop {
            let record = json(&shorter);
            if record.len() <= Self::MAX_BYTES {
                return record;
            }
            if !shorter.shorten_trusts() {
                break;
            }
        }
        json(&Self {
            explanation: None,
            scope: None,
            ..shorter
        })
    }

    /// Leaves out half of what trusts have made of the assertion, that which took it last. Whether
    /// there was anything.
    fn shorten_trusts(&mut self) -> bool {
        let explained = self.explanation.as_mut();
        let explained = explained.filter(|explanation| !explanation.trusts.is_empty());
        match explained {
            Some(explanation) => {
                let left = explanation.trusts.len() / 2;
                let out = explanation.trusts.len() - left;
                explanation.trusts.truncate(left);
                explanation.other_trusts += u32::try_from(out).unwrap_or_default();
                true
            }
            None if self.shadows.pop().is_some() => true,
            None => {
                let taken = self.trust.as_mut();
                let taken = taken.filter(|taken| !taken.rows.is_empty());
                taken.is_some_and(|taken| {
                    taken.rows.truncate(taken.rows.len() / 2);
                    true
                })
            }
        }
    }

    /// Reads a [record](Decision::record), of an earlier version too. What is not stored, such as
    /// [`Decision::is_cheap`], is as in a decision that proves nothing.
    ///
    /// # Errors
    /// [`RecordError`] if it is no decision.
    pub fn read(record: &str) -> Result<Self, RecordError> {
        serde_json::from_str(record).map_err(RecordError)
    }

    /// Most octets of a record as JSON.
    pub const MAX_BYTES: usize = 8 * 1024;
}

/// Why a stored decision cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a stored decision is no JSON object of a decision: {0}")]
pub struct RecordError(#[source] serde_json::Error);

/// An explanation that cannot be read, of another version, hides nothing else of its decision.
fn explanation<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Explanation>, D::Error> {
    let stored = Value::deserialize(from)?;
    Ok(serde_json::from_value(stored).ok())
}

/// Nearly all registered names are kept whole already.
fn keep_whole(claimed: &mut Option<Shown>, name: &str) {
    if claimed.as_ref().is_none_or(|claimed| claimed != name) {
        *claimed = Some(registered(name));
    }
}

/// A registered name: whole, and escaped.
fn registered(text: &str) -> Shown {
    Shown::known(text, Party::MAX_NAME_BYTES)
}

/// Most octets of the audience.
const MAX_AUDIENCE_BYTES: usize = 512;
/// Most octets of a cause.
const MAX_CAUSE_BYTES: usize = 768;

/// Receives each decision, once, before the answer goes out. It must not block.
pub trait DecisionLog: Send + Sync + 'static {
    /// Takes a decision.
    fn record(&self, decision: &Decision);
}

/// Both, one after the other.
impl<A: DecisionLog, B: DecisionLog> DecisionLog for (A, B) {
    fn record(&self, decision: &Decision) {
        self.0.record(decision);
        self.1.record(decision);
    }
}

impl<L: DecisionLog + ?Sized> DecisionLog for Arc<L> {
    fn record(&self, decision: &Decision) {
        L::record(self, decision);
    }
}

/// Writes decisions as `tracing` events of the target `grantor::decision`, one field for each thing
/// known: what was refused at level INFO, what was granted at DEBUG.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingLog;

impl DecisionLog for TracingLog {
    fn record(&self, decision: &Decision) {
        let (outcome, error, rule, cause) = match &decision.outcome {
            Outcome::Refused { error, rule, cause } => (
                "refused",
                Some(error.as_str()),
                Some(rule.name()),
                Some(cause.as_str()),
            ),
            Outcome::Granted => ("granted", None, None, None),
            Outcome::Undecided => ("undecided", None, None, None),
        };
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "grantor::decision",
                    $level,
                    id = decision.id.as_str(),
                    at = decision.at.millis(),
                    endpoint = &*decision.endpoint,
                    sender = decision.sender.map(tracing::field::display),
                    grant_type = decision.grant_type.as_ref().map(GrantType::as_str),
                    client = decision.client.as_ref().map(ClientId::as_str),
                    auth_method = decision.auth_method.as_ref().map(AuthMethod::as_str),
                    claimed_client = decision.claimed_client.as_ref().map(Shown::as_str),
                    claimed_issuer = decision.claimed_issuer.as_ref().map(Shown::as_str),
                    subject = decision.subject.as_ref().map(SubjectId::as_str),
                    key_id = decision.key_id.as_ref().map(Shown::as_str),
                    key_source = decision.key_source.as_ref().map(Shown::as_str),
                    token_id_digest = decision.token_id_digest,
                    scope = decision.scope.as_ref().map(Scope::to_string),
                    error,
                    rule,
                    cause,
                    "{outcome}"
                )
            };
        }
        match decision.outcome {
            Outcome::Granted => line!(Level::DEBUG),
            Outcome::Refused { .. } | Outcome::Undecided => line!(Level::INFO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertion::{Check, ClaimCheck, ClaimRule, KeyTried, Verdict};
    use crate::registry::Mode;
    use crate::server::{Sender, request::Read};

    #[test]
    fn t031_a_record_of_a_trust_that_compares_much_keeps_which_trust_it_was() {
        let mut decision = Decision::new("token", &Request::blank(UnixTime::from_millis(0)));
        decision.outcome = Outcome::Granted;
        let row = ClaimCheck {
            rule: ClaimRule::Pin,
            claim: "c".repeat(256),
            expected: "v".repeat(160),
            got: "v".repeat(160),
            verdict: Verdict::Pass,
        };
        decision.trust = Some(TrustCheck {
            trust: Name::parse("ci").expect("a name"),
            client: ClientId::parse("deployer").expect("a name"),
            mode: Mode::On,
            set_aside: None,
            rows: vec![row; 32],
        });
        let record = decision.record();
        assert!(record.len() <= Decision::MAX_BYTES, "{}", record.len());
        let read = Decision::read(&record).expect("a decision");
        let trust = read.trust.expect("the trust");
        assert_eq!((trust.trust.as_str(), trust.rows.len()), ("ci", 8));
    }

    #[test]
    fn a_record_that_would_be_too_long_loses_what_explains_it_and_never_the_cause() {
        let mut decision = Decision::new("token", &Request::blank(UnixTime::from_millis(0)));
        let cause = "\"".repeat(MAX_CAUSE_BYTES);
        decision.outcome = Outcome::Refused {
            error: ErrorCode::INVALID_GRANT,
            rule: Rule::Audience,
            cause: cause.clone(),
        };
        let long = || "\"".repeat(500);
        let keys = (0..4)
            .map(|_| KeyTried {
                key_id: Some(long()),
                thumbprint: None,
                source: long(),
            })
            .collect();
        let check = |expected| Check {
            rule: Rule::Audience,
            source: "".into(),
            verdict: Verdict::Fail,
            expected,
            got: String::new(),
        };
        let mut explanation = Explanation {
            usage: Usage::Grant,
            cause: None,
            keys,
            clock: None,
            checks: vec![check(long())],
            trusts: Vec::new(),
            other_trusts: 0,
        };
        for (rows, is_explained) in [(1, true), (20, false)] {
            explanation.checks = (0..rows).map(|_| check(long())).collect();
            decision.explanation = Some(explanation.clone());
            assert!(serde_json::to_string(&decision).expect("JSON").len() > Decision::MAX_BYTES);
            let record = decision.record();
            assert!(record.len() <= Decision::MAX_BYTES, "{}", record.len());
            let record: Value = serde_json::from_str(&record).expect("JSON");
            assert_eq!(
                (
                    record["outcome"]["cause"].as_str(),
                    record["explanation"].is_object()
                ),
                (Some(&*cause), is_explained)
            );
        }
    }

    #[test]
    fn a_decision_is_read_back_as_it_was_written() {
        let (mut head, ()) = http::Request::new(()).into_parts();
        let sender = Sender(IpAddr::from([192, 0, 2, 7]));
        head.extensions.insert(sender);
        let at = UnixTime::from_millis(1_790_000_000_123);
        let request = Request::new(head, Read::default(), at);
        let mut decision = Decision::new("token", &request);
        decision.claims_client("other");
        decision.claims_issuer("billing\u{1b}");
        decision.scope = Some(Scope::parse("a b").expect("a scope"));
        decision.outcome = Outcome::Refused {
            error: ErrorCode::INVALID_GRANT,
            rule: Rule::Audience,
            cause: "an audience".to_owned(),
        };
        decision.explanation = Some(Explanation {
            usage: Usage::Grant,
            cause: Some("an audience".to_owned()),
            keys: Vec::new(),
            clock: None,
            checks: Vec::new(),
            trusts: Vec::new(),
            other_trusts: 0,
        });
        let record = decision.record();
        let read = Decision::read(&record).expect("a decision");
        assert_eq!(read.record(), record);
        assert_eq!((&read.id, &read.outcome), (&decision.id, &decision.outcome));
        assert_eq!(read.party(), Some("billing\\u{1b}"));
    }

    #[test]
    fn a_decision_of_another_version_is_read() {
        let old = r#"{"id":"x0dk2vq8c3pmz7t","at":1,"endpoint":"device","client":"billing",
            "claimed_client":"other","outcome":{"outcome":"refused","error":"slow_down",
            "rule":"of_tomorrow","cause":""},"explanation":{"checks":5},"unknown":{}}"#;
        let read = Decision::read(old).expect("a decision");
        assert_eq!((read.party(), read.sender), (Some("billing"), None));
        assert!(read.explanation.is_none());
        let Outcome::Refused { error, rule, .. } = &read.outcome else {
            panic!("refused");
        };
        assert_eq!((error.as_str(), rule.name()), ("slow_down", "of_tomorrow"));
        for damaged in ["{", "5", "{}", r#"{"id":7}"#] {
            assert!(Decision::read(damaged).is_err(), "{damaged}");
        }
    }
}
