//! Whether an access token is good for this resource: the straight line from text to
//! [`ValidatedToken`].

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use grantor_jose::{
    Claims, JwsError, KnownHeader, MAX_TOKEN_BYTES, Unverified, crypto::Fingerprint,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    SourceError, ValidatedToken, ValidationError, ValidatorBuilder,
    cache::{Seen, TokenCache},
    introspection::{IntrospectedTokens, Introspector},
    rules::Rules,
};
use crate::{
    clock::{Clock, UnixTime},
    remote::key_set::{KeySet, Keys},
    types::Scope,
};

/// Validates the access tokens that one issuer makes for one resource. Cloning it shares
/// everything.
///
/// A JWT is validated with the issuer's published keys (RFC 9068 §4), any other token by asking the
/// issuer (RFC 7662), if so configured. It runs on tokio: keys are refreshed by tasks.
#[derive(Clone)]
pub struct Validator(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) rules: Rules,
    pub(super) keys: Keys,
    pub(super) introspection: Option<Asking>,
    /// Of the token whose signature has verified last.
    pub(super) header: ArcSwapOption<KnownHeader>,
    pub(super) tokens: TokenCache,
    pub(super) remembered: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

/// Introspection with its times.
pub(super) struct Asking {
    pub(super) introspector: Introspector,
    pub(super) tokens: IntrospectedTokens,
    pub(super) active: Duration,
    pub(super) inactive: Duration,
    /// As many as questions may be under way at once.
    pub(super) places: Semaphore,
    pub(super) timeout: Duration,
}

/// What a token's text looks like.
enum Shape<'t> {
    Jwt(Unverified<'t>),
    Opaque,
}

impl Validator {
    /// Starts building a validator for tokens that `issuer` makes for `audience`.
    ///
    /// `issuer` is the issuer identifier to the letter, as in the `iss` of its tokens and metadata.
    /// `audience` is this resource's own identifier, which its tokens have in `aud`: its URL
    /// (RFC 8707), or whatever name it is registered by. There is no default, because a
    /// resource without a name would accept tokens made for its neighbours.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> ValidatorBuilder {
        ValidatorBuilder::new(issuer.into(), audience.into())
    }

    /// Accepts `token` if and only if the issuer made it for this resource, it is valid now, it
    /// allows the scope that the validator was built with, and, where introspection is asked,
    /// it was not revoked.
    ///
    /// # Errors
    /// The first broken rule, for the log and not for the public; [`ValidationError::Unavailable`]
    /// if nothing can be said because the authorization server does not answer.
    pub async fn validate(&self, token: &str) -> Result<ValidatedToken, ValidationError> {
        let inner = &*self.0;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JwsError::TooLarge.into());
        }
        let (fingerprint, now) = (inner.tokens.fingerprint(token), inner.clock.now());
        let token = match inner.just_seen(&fingerprint, now).await? {
            Some(seen) => seen.token,
            None => inner.look_at(token, fingerprint, now).await?,
        };
        inner.rules.allows(&token, &inner.rules.scope)?;
        Ok(token)
    }

    /// As [`Validator::validate`], and the token has to allow all of `needed` too.
    ///
    /// # Errors
    /// As [`Validator::validate`].
    pub async fn validate_for(
        &self,
        token: &str,
        needed: &Scope,
    ) -> Result<ValidatedToken, ValidationError> {
        let token = self.validate(token).await?;
        self.0.rules.allows(&token, needed)?;
        Ok(token)
    }

    /// Loads metadata and keys now, so that the first request need not wait, and a wrong issuer is
    /// seen at the start.
    ///
    /// # Errors
    /// Why the keys are not there. The validator tries again when a token comes.
    pub async fn prepare(&self) -> Result<(), Arc<SourceError>> {
        let keys = self.0.keys.current().await;
        keys.map(drop)
            .map_err(|error| Arc::new(SourceError::Keys(error)))
    }

    /// This resource's own identifier: the one that the validator was built with first.
    pub fn audience(&self) -> &str {
        &self.0.rules.audiences[0]
    }

    /// The configured issuer.
    pub fn issuer(&self) -> &str {
        &self.0.rules.issuer
    }
}

impl Inner {
    /// The token, if it was accepted before and nothing has changed.
    async fn just_seen(
        &self,
        fingerprint: &Fingerprint,
        now: UnixTime,
    ) -> Result<Option<Seen>, ValidationError> {
        let Some(seen) = self.tokens.accepted(fingerprint) else {
            return Ok(None);
        };
        let current = match seen.keys {
            Some(_) => Some(self.keys.current().await.map_err(SourceError::Keys)?),
            None => None,
        };
        if seen.stands(now, current.as_ref()) {
            return Ok(Some(seen));
        }
        self.tokens.forget(fingerprint, now, current.as_ref());
        Ok(None)
    }

    async fn look_at(
        &self,
        text: &str,
        fingerprint: Fingerprint,
        now: UnixTime,
    ) -> Result<ValidatedToken, ValidationError> {
        let known = self.header.load_full();
        match (self.shape(text, known.as_deref())?, &self.introspection) {
            (Shape::Jwt(jws), Some(asking)) if asking.tokens == IntrospectedTokens::All => {
                let jwt = self.verify(&jws, now).await?;
                self.ask(asking, text, fingerprint, Some(jwt)).await
            }
            (Shape::Jwt(jws), _) => {
                let (token, keys) = self.verify(&jws, now).await?;
                self.tokens.accept(
                    fingerprint,
                    self.seen(&token, Some(keys), now, self.remembered),
                );
                Ok(token)
            }
            (Shape::Opaque, Some(asking)) => self.ask(asking, text, fingerprint, None).await,
            (Shape::Opaque, None) => Err(JwsError::Segments.into()),
        }
    }

    /// What is no JWT at all is an opaque token; what is a bad JWT stays one.
    fn shape<'t>(
        &self,
        text: &'t str,
        known: Option<&'t KnownHeader>,
    ) -> Result<Shape<'t>, JwsError> {
        use grantor_jose::HeaderError::Json;
        match Unverified::parse_knowing(text, known) {
            Ok(jws) => Ok(Shape::Jwt(jws)),
            Err(
                JwsError::Segments
                | JwsError::Encrypted
                | JwsError::Base64(_)
                | JwsError::Header(Json(_)),
            ) if self.introspection.is_some() => Ok(Shape::Opaque),
            Err(error) => Err(error),
        }
    }

    /// RFC 9068 §4. The signature comes last: it is the dearest step, and a token that is refused
    /// anyway must not make us ask for keys.
    async fn verify(
        &self,
        jws: &Unverified<'_>,
        now: UnixTime,
    ) -> Result<(ValidatedToken, Arc<KeySet>), ValidationError> {
        let claims = Claims::parse(jws.dangerously_unverified_payload())?;
        let token = self.rules.check(jws.header(), claims, now.date())?;
        let keys = self.keys.verify(jws).await?;
        if let Some(header) = jws.header_to_know() {
            self.header.store(Some(Arc::new(header)));
        }
        Ok((token, keys))
    }

    /// Asks about a token, or waits for the answer that somebody else is waiting for.
    async fn ask(
        &self,
        asking: &Asking,
        text: &str,
        fingerprint: Fingerprint,
        jwt: Option<(ValidatedToken, Arc<KeySet>)>,
    ) -> Result<ValidatedToken, ValidationError> {
        let deadline = Instant::now() + asking.timeout;
        let turn = timeout_at(deadline, self.tokens.accepted_or_turn(&fingerprint)).await;
        // The wait for it may have been long.
        let now = self.clock.now();
        let turn = match turn.map_err(|_| SourceError::TimedOut)? {
            Ok(seen) if seen.stands(now, jwt.as_ref().map(|(_, keys)| keys)) => {
                return Ok(seen.token);
            }
            Ok(_) => None,
            Err(turn) => Some(turn),
        };
        if let Some(error) = self.tokens.refused(&fingerprint, now) {
            return Err(error);
        }
        let described = self.described(asking, text, deadline).await;
        if let Err(error) = &described {
            self.tokens
                .refuse(fingerprint, error, self.clock.now(), asking.inactive);
        }
        let (token, keys) = jwt.map_or((described?, None), |(token, keys)| (token, Some(keys)));
        // Refused only if somebody has put one there meanwhile, who has the same right to.
        let _ = turn.map(|turn| turn.insert(self.seen(&token, keys, now, asking.active)));
        Ok(token)
    }

    /// The token as the authorization server describes it. Whoever makes up tokens makes us ask, so
    /// only so many questions are under way at once.
    async fn described(
        &self,
        asking: &Asking,
        text: &str,
        deadline: Instant,
    ) -> Result<ValidatedToken, ValidationError> {
        // Half of the time is left for the answer: a question that has no chance of one would only
        // take a place.
        let place = timeout_at(deadline - asking.timeout / 2, asking.places.acquire()).await;
        let _place = place.map_err(|_| SourceError::Busy)?;
        let now = self.clock.now();
        let answer = timeout_at(deadline, asking.introspector.ask(text, now)).await;
        let answer = answer.unwrap_or_else(|_| Err(SourceError::TimedOut.into()))?;
        self.rules.check_active(answer, now.date())
    }

    fn seen(
        &self,
        token: &ValidatedToken,
        keys: Option<Arc<KeySet>>,
        now: UnixTime,
        duration: Duration,
    ) -> Seen {
        let end = token
            .date_of_expiry()
            .map(|date| UnixTime::from_date_rounded_up(date.plus(self.rules.leeway)));
        Seen::new(token.clone(), keys, now, duration, end)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("rules", &self.0.rules)
            .finish_non_exhaustive()
    }
}
