//! Operations that try a JWT of an issuer: every rule, every trust, and what to do. Nothing is used
//! up. Who asks could read all that they answer.

use grantor::{
    admin::{Conflict, Error, TrustDocument},
    assertion::{Assertion, Check, Explanation, TrustCheck, Usage, Verdict},
    registry::Mode,
    types::{Name, Rule, Shown},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Administration, Answered, Input, NoQuery, Operation, Route,
    advice::Refused,
    jwt_body::{JwtBody, TriedJwt},
};

/// What a JWT would get.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// What to do; null where nothing is to be done, or it is no matter of an issuer or trust.
    pub advice: Option<String>,
    /// Why it would get nothing; null if it would get something.
    pub cause: Option<String>,
    /// Every rule and every trust.
    pub explanation: Explanation,
    /// Whether it would get something.
    pub granted: bool,
}

/// Tries a JWT of whichever issuer.
pub struct TestJwt;

impl Operation for TestJwt {
    type Path = ();
    type Query = NoQuery;
    type Body = TriedJwt;
    type Answer = Tried;

    const ROUTE: Route = Route::try_out(
        "/test",
        "test_jwt",
        "Say of every rule and every trust whether a JWT keeps it, without using it up",
    )
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        Trial::of(admin, &input.body).await?.told(admin).await
    }
}

/// Tries a JWT of an issuer.
pub struct TestIssuer;

impl Operation for TestIssuer {
    type Path = String;
    type Query = NoQuery;
    type Body = TriedJwt;
    type Answer = Tried;

    const ROUTE: Route = Route::try_out(
        "/issuers/{issuer}/test",
        "test_issuer",
        "Say of every rule and every trust whether a JWT of this issuer keeps it",
    )
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let issuer = admin.issuers().get(&input.path).await?;
        let trial = Trial::of(admin, &input.body).await?;
        match &trial.iss {
            Some(iss) if iss != issuer.iss.as_str() => {
                Err(Error::Conflict(Conflict::OtherIssuer {
                    said: Shown::of(iss),
                    name: issuer.name,
                    iss: issuer.iss,
                }))
            }
            _ => trial.told(admin).await,
        }
    }
}

/// Tries a JWT by one trust.
pub struct TestTrust;

impl Operation for TestTrust {
    type Path = Name;
    type Query = NoQuery;
    type Body = TriedJwt;
    type Answer = Tried;

    const ROUTE: Route = Route::try_out(
        "/trusts/{trust}/test",
        "test_trust",
        "Say whether this trust takes a JWT, claim by claim, also while it is a shadow",
    )
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let trust = admin.trusts().get(&input.path).await?;
        let mut body = input.body;
        // What one trust is for, it is tried for.
        if trust.uses[..] == [Usage::ClientAuthentication] {
            body.jwt.usage = Some(Usage::ClientAuthentication);
        }
        let trial = Trial::of(admin, &body).await?;
        trial.only(&trust)?.told(admin).await
    }
}

/// A JWT that was tried.
struct Trial {
    /// Its `iss`, as it says; of a SPIFFE JWT without one nothing.
    iss: Option<String>,
    explanation: Explanation,
    /// Whether it is one trust that is asked about.
    is_of_one: bool,
}

impl Trial {
    async fn of(admin: &Administration, tried: &TriedJwt) -> Result<Self, Error> {
        let TriedJwt { jwt, at } = tried;
        let JwtBody { jwt, usage } = jwt;
        let at = at.unwrap_or_else(|| admin.now());
        let explanation = admin.deciding()?.explain_at(jwt, *usage, at).await?;
        let iss = Assertion::parse(jwt).ok().and_then(|assertion| {
            let claims = assertion.dangerously_unverified_claims();
            claims.issuer.as_ref().map(ToString::to_string)
        });
        Ok(Self {
            iss,
            explanation,
            is_of_one: false,
        })
    }

    /// Leaves the rows of one trust.
    fn only(mut self, trust: &TrustDocument) -> Result<Self, Error> {
        let name = &trust.name;
        let trusts = &mut self.explanation.trusts;
        trusts.retain(|check| check.trust == *name);
        self.is_of_one = true;
        let is_reached = self.explanation.checks.iter().any(is_trust_row);
        match self.explanation.trusts.is_empty() && is_reached {
            true => Err(Error::Conflict(Conflict::OtherTrust {
                name: name.clone(),
                said: self.iss.as_deref().map(Shown::of),
            })),
            false => Ok(self),
        }
    }

    /// Why it would get nothing, if so.
    fn problem(&self) -> Option<String> {
        let cause = self.explanation.cause.as_ref();
        match (&self.explanation.trusts[..], cause) {
            ([one], _) if self.is_of_one => self.problem_of_one(one),
            (_, cause) => cause.cloned(),
        }
    }

    /// As [`Trial::problem`], by one trust: that none other takes it does not matter then, and a
    /// shadow may be asked about.
    fn problem_of_one(&self, one: &TrustCheck) -> Option<String> {
        let cause = self.explanation.cause.clone();
        let is_other_rule = self.broken().is_some_and(|rule| *rule != Rule::Trust);
        match () {
            () if is_other_rule => cause,
            () if !one.takes() => Some(format!("trust {} does not take it", one.trust)),
            () if one.mode == Mode::Off => Some(format!("trust {} is off", one.trust)),
            () if one.mode == Mode::Shadow => None,
            () => cause,
        }
    }

    /// The rule that is broken.
    fn broken(&self) -> Option<&Rule> {
        let mut checks = self.explanation.checks.iter();
        let failed = checks.find(|check| check.verdict == Verdict::Fail);
        failed.map(|check| &check.rule)
    }

    /// Why it would get nothing, as far as it depends on it what to do.
    fn refused(&self) -> Refused<'_> {
        let Explanation {
            usage,
            cause,
            trusts,
            ..
        } = &self.explanation;
        let takes = |check: &&TrustCheck| {
            check.takes() && check.set_aside.is_none() && check.mode == Mode::On
        };
        let mut taking = trusts.iter().filter(takes);
        let taken = taking.next().filter(|_| taking.next().is_none());
        Refused {
            rule: self.broken().unwrap_or(&Rule::Trust),
            cause: cause.as_deref().unwrap_or_default(),
            usage: *usage,
            issuer: None,
            claimed: self.iss.as_deref(),
            taken,
            trusts,
        }
    }

    /// All of it, and what to do.
    async fn told(self, admin: &Administration) -> Result<Answered<Tried>, Error> {
        let cause = self.problem();
        let advice = match &cause {
            Some(_) => self.refused().advice(admin).await?,
            None => None,
        };
        Ok(Tried {
            advice,
            granted: cause.is_none(),
            cause,
            explanation: self.explanation,
        }
        .into())
    }
}

fn is_trust_row(check: &Check) -> bool {
    check.rule == Rule::Trust && check.verdict != Verdict::NotReached
}
