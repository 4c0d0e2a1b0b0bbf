//! The party that signed an assertion: found by `iss`, once for every use, before anything is
//! verified.
//!
//! Whether there is such a party, and with which keys, must not show in the time an answer takes.
//! So every assertion that comes through here costs one verification, also where it is refused.

use std::{borrow::Cow, sync::Arc};

use super::{Assertion, Decoys, Expectation, Terms, Usage, expectation::issuer_types};
use crate::{
    clock::UnixTime,
    keys::{Candidate, KeyError, KeyKind, KeyResolver, KeyStatus},
    registry::{Client, TrustedIssuer},
    storage::{ClientSource, IssuerSource, StoreError},
    types::{AuthMethod, ClientId, IssuerId, Shown},
};

/// A registered party that signs assertions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Party {
    /// A client, which signs with its own keys.
    Client(Arc<Client>),
    /// An issuer. What its JWTs are worth, a trust says.
    Issuer(Arc<TrustedIssuer>),
}

impl Party {
    /// Most octets of a name.
    pub(crate) const MAX_NAME_BYTES: usize = IssuerId::MAX_BYTES;

    /// What it is called in `iss`.
    pub fn name(&self) -> &str {
        match self {
            Self::Client(client) => client.id().as_str(),
            Self::Issuer(issuer) => issuer.id.as_str(),
        }
    }

    /// The issuer, if it is one.
    pub fn issuer(&self) -> Option<&Arc<TrustedIssuer>> {
        match self {
            Self::Client(_) => None,
            Self::Issuer(issuer) => Some(issuer),
        }
    }
}

/// Why an assertion has no party that could have signed it. The text is part of the private cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartyError {
    /// The assertion has no `iss`.
    #[error("claim 'iss' is missing")]
    NoIssuer,
    /// `iss` is another party than the one that calls. The registry was not asked.
    #[error("caller {caller:?} is not the issuer {issuer:?}")]
    NotCaller {
        /// The name that the request gives to its caller.
        caller: Shown,
        /// `iss`
        issuer: Shown,
    },
    /// No party of this name is registered.
    #[error("issuer {0:?} is not registered")]
    Unknown(Shown),
    /// An operator has disabled the party.
    #[error("issuer is disabled")]
    Disabled(Party),
    /// The client is registered with a method that has no assertions (RFC 7591 §2).
    #[error("method: client is registered with {method}, used an assertion")]
    WrongMethod {
        /// The party.
        party: Party,
        /// The registered method.
        method: AuthMethod,
    },
    /// The party has no key to verify the assertion with.
    #[error("key: {error}")]
    Key {
        /// The party.
        party: Party,
        /// What its keys lack.
        error: KeyError,
    },
    /// The registry failed, or the source of the party's keys.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PartyError {
    /// The registered party that `iss` names, where it was found.
    pub fn party(&self) -> Option<&Party> {
        match self {
            Self::NoIssuer | Self::NotCaller { .. } | Self::Unknown(_) | Self::Store(_) => None,
            Self::Disabled(party) | Self::WrongMethod { party, .. } | Self::Key { party, .. } => {
                Some(party)
            }
        }
    }
}

/// The party that is said to have signed an assertion, and the keys that can prove it. Nothing is
/// proven yet: [`Verifier::verify`](super::Verifier::verify) holds the assertion against
/// [`Parties::expectation`].
#[derive(Clone, Debug)]
pub struct Signed {
    usage: Usage,
    party: Party,
    kind: KeyKind,
    /// What `typ` may be, of an issuer.
    types: Vec<Cow<'static, str>>,
    /// The party's keys, and decoys behind them.
    keys: Vec<Candidate>,
    own: usize,
}

impl Signed {
    fn with(
        usage: Usage,
        party: Party,
        kind: KeyKind,
        keys: Result<Vec<Candidate>, KeyError>,
    ) -> Result<Self, PartyError> {
        match keys {
            Ok(keys) => Ok(Self {
                usage,
                party,
                kind,
                types: Vec::new(),
                own: keys.len(),
                keys,
            }),
            Err(error) => Err(PartyError::Key { party, error }),
        }
    }

    /// What the assertion is used for.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The party.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The party's keys that the signature is held against, in this order.
    pub fn keys(&self) -> &[Candidate] {
        &self.keys[..self.own]
    }
}

/// Finds the party behind an assertion.
pub struct Parties {
    clients: Arc<dyn ClientSource>,
    issuers: Option<Arc<dyn IssuerSource>>,
    resolver: Arc<dyn KeyResolver>,
    terms: Terms,
    decoys: Decoys,
}

impl Parties {
    /// Clients from `clients`, their keys from `resolver`. There are no issuers.
    pub fn new(
        clients: Arc<dyn ClientSource>,
        resolver: Arc<dyn KeyResolver>,
        terms: Terms,
        decoys: Decoys,
    ) -> Self {
        Self {
            clients,
            issuers: None,
            resolver,
            terms,
            decoys,
        }
    }

    /// Issuers from `issuers`, beside the clients.
    #[must_use]
    pub fn with_issuers(self, issuers: Option<Arc<dyn IssuerSource>>) -> Self {
        Self { issuers, ..self }
    }

    /// What is held of the keys of an issuer: see [`KeyResolver::issuer_status`].
    pub fn key_status(&self, issuer: &TrustedIssuer) -> Option<KeyStatus> {
        self.resolver.issuer_status(issuer)
    }

    /// The party that is said to have signed this assertion, if it is registered and enabled, has a
    /// key for it and, where the request names its `caller`, is the caller.
    ///
    /// The work is that of one verification where the answer is an error, and no less than that
    /// together with [`Verifier::verify`](super::Verifier::verify) where it is not.
    ///
    /// # Errors
    /// [`PartyError`]
    pub async fn of(
        &self,
        assertion: &Assertion<'_>,
        usage: Usage,
        caller: Option<&str>,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        match self.find(assertion, usage, caller, now).await {
            Ok(mut signed) => {
                self.decoys.verify_beside(assertion, &signed.keys);
                if signed.kind == KeyKind::Secret {
                    self.decoys.fill(&mut signed.keys);
                }
                Ok(signed)
            }
            Err(error) => {
                self.decoys.verify(assertion);
                Err(error)
            }
        }
    }

    /// What is expected of an assertion that this party is said to have signed.
    pub fn expectation<'a>(&'a self, signed: &'a Signed) -> Expectation<'a> {
        let (terms, keys) = (&self.terms, &*signed.keys);
        match (&signed.party, signed.usage) {
            (Party::Client(client), Usage::Grant) => Expectation::grant(terms, client, keys),
            (Party::Client(client), Usage::ClientAuthentication) => {
                Expectation::client_authentication(terms, client, signed.kind, keys)
            }
            (Party::Issuer(issuer), usage) => {
                Expectation::issuer(terms, issuer, usage, &signed.types, keys)
            }
        }
    }

    /// The party, by `iss`: a client, else an issuer. No issuer is called as a client is, so that
    /// each name is one party's.
    async fn find(
        &self,
        assertion: &Assertion<'_>,
        usage: Usage,
        caller: Option<&str>,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        let Some(name) = assertion.claimed_issuer() else {
            let issuer = self.issuer_of_domain(assertion.claimed_domain()).await?;
            let issuer = issuer.ok_or(PartyError::NoIssuer)?;
            return self.signed_by_issuer(issuer, assertion, usage, now).await;
        };
        // Names are compared before the registry is asked for a client, so that the answer to a
        // mismatch does not tell who is registered.
        let client = match caller.filter(|caller| *caller != name) {
            Some(caller) => Err(PartyError::NotCaller {
                caller: caller.into(),
                issuer: name.into(),
            }),
            None => self.client(name).await,
        };
        match client {
            Ok(client) => self.signed_by_client(client, assertion, usage, now).await,
            Err(error @ (PartyError::Unknown(_) | PartyError::NotCaller { .. })) => {
                let issuer = self.issuer(name).await?.ok_or(error)?;
                self.signed_by_issuer(issuer, assertion, usage, now).await
            }
            Err(error) => Err(error),
        }
    }

    async fn signed_by_client(
        &self,
        client: Arc<Client>,
        assertion: &Assertion<'_>,
        usage: Usage,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        let kind = match usage {
            Usage::Grant => KeyKind::Public,
            Usage::ClientAuthentication => {
                let method = &client.metadata().auth_method;
                KeyKind::of_method(method).ok_or_else(|| PartyError::WrongMethod {
                    party: Party::Client(client.clone()),
                    method: method.clone(),
                })?
            }
        };
        let header = assertion.header();
        let keys = self.resolver.resolve_keys(&client, kind, header, now).await;
        let client = self.still_registered(client).await?;
        Signed::with(usage, Party::Client(client), kind, keys)
    }

    /// The client as it is after its keys were resolved: a fetch may have taken seconds.
    async fn still_registered(&self, client: Arc<Client>) -> Result<Arc<Client>, PartyError> {
        let keys = client.authentication().public_keys();
        if keys.jwks_uri().is_none() {
            return Ok(client);
        }
        let registered = self.client(client.id().as_str()).await?;
        match registered.revision().number == client.revision().number {
            true => Ok(registered),
            false => Err(PartyError::Unknown(client.id().as_str().into())),
        }
    }

    async fn signed_by_issuer(
        &self,
        issuer: Arc<TrustedIssuer>,
        assertion: &Assertion<'_>,
        usage: Usage,
        now: UnixTime,
    ) -> Result<Signed, PartyError> {
        if !issuer.enabled {
            return Err(PartyError::Disabled(Party::Issuer(issuer)));
        }
        let header = assertion.header();
        let keys = self.resolver.resolve_issuer_keys(&issuer, header, now);
        let keys = keys.await;
        let types = issuer_types(&issuer);
        let signed = Signed::with(usage, Party::Issuer(issuer), KeyKind::Public, keys)?;
        Ok(Signed { types, ..signed })
    }

    /// The issuer of this name. Whether it is enabled is not looked at.
    async fn issuer(&self, name: &str) -> Result<Option<Arc<TrustedIssuer>>, StoreError> {
        match &self.issuers {
            Some(issuers) => Ok(issuers.issuers().await?.get(name).cloned()),
            None => Ok(None),
        }
    }

    /// The issuer of this SPIFFE trust domain.
    async fn issuer_of_domain(
        &self,
        domain: Option<&str>,
    ) -> Result<Option<Arc<TrustedIssuer>>, StoreError> {
        match (&self.issuers, domain) {
            (Some(issuers), Some(domain)) => {
                let issuers = issuers.issuers().await?;
                let issuer = issuers.of_domain(domain).cloned();
                Ok(issuer.filter(|issuer| issuer.keys.is_spiffe()))
            }
            _ => Ok(None),
        }
    }

    /// The enabled client of this name. A text that cannot be a client identifier names none.
    async fn client(&self, name: &str) -> Result<Arc<Client>, PartyError> {
        let client = match ClientId::parse(name) {
            Ok(id) => self.clients.client(&id).await?,
            Err(_) => None,
        };
        match client {
            None => Err(PartyError::Unknown(name.into())),
            Some(client) if !client.metadata().enabled => {
                Err(PartyError::Disabled(Party::Client(client)))
            }
            Some(client) => Ok(client),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        task::{Context, Poll, Waker},
        time::{Duration, Instant},
    };

    use grantor_jose::{
        Algorithm, Jwk, PrivateJwk, SigningKey, VerificationKey, compact, json::Object, sign,
        signing_input,
    };
    use serde_json::json;

    use super::*;
    use crate::{
        assertion::{Lifetimes, Profile, ServerIdentity, decoy::rsa},
        keys::{MAX_CANDIDATES, RegisteredKeys},
        registry::{ClientMetadata, ClientSecret},
    };

    /// Nothing here has to be waited for.
    fn at_once<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Clients with one key: enabled, disabled, and of methods with a secret or without assertions.
    struct Registry(Arc<VerificationKey>);

    #[async_trait::async_trait]
    impl ClientSource for Registry {
        async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
            let method = match id.as_str() {
                "enabled" | "disabled" => AuthMethod::PRIVATE_KEY_JWT,
                "public" => AuthMethod::NONE,
                "secret" => AuthMethod::CLIENT_SECRET_JWT,
                _ => return Ok(None),
            };
            let mut metadata = ClientMetadata::new(id.clone(), method, UnixTime::from_millis(0));
            metadata.enabled = id.as_str() != "disabled";
            let secret = || ClientSecret::readable(ClientSecret::generate(), None);
            let secrets = match id.as_str() {
                "secret" => vec![secret().expect("a long secret")],
                _ => vec![],
            };
            let client = Client::new(metadata, vec![self.0.clone().into()], secrets);
            Ok(Some(Arc::new(client.expect("a client"))))
        }
    }

    fn parties(registered: Jwk) -> Parties {
        let key = VerificationKey::from_jwk(registered).expect("a key");
        let issuer = "https://as.example".parse().expect("an issuer");
        let identity = ServerIdentity::new(issuer);
        Parties::new(
            Arc::new(Registry(Arc::new(key))),
            Arc::new(RegisteredKeys),
            Terms::new(&identity, Profile::Default, Lifetimes::default()),
            Decoys::new().expect("decoys"),
        )
    }

    fn assertion_of(issuer: &str, key: &PrivateJwk) -> String {
        signed_by(issuer, &key.signing_key().expect("a key"))
    }

    fn signed_by(issuer: &str, key: &SigningKey) -> String {
        let claims = json!({
            "iss": issuer,
            "sub": issuer,
            "aud": "https://as.example",
            "iat": 0,
            "exp": 60,
            "jti": "one of many",
        });
        sign(key, None, claims.to_string().as_bytes()).expect("a JWT")
    }

    fn median(work: impl Fn()) -> Duration {
        let mut times = (0..51)
            .map(|_| {
                let started = Instant::now();
                work();
                started.elapsed()
            })
            .collect::<Vec<_>>();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// A party that is refused before its signature was looked at costs a verification. Within a
    /// process there is little noise, and a verification takes a hundred times the rest.
    #[test]
    fn a_party_that_is_refused_costs_a_verification() {
        let generated = || PrivateJwk::generate(Algorithm::Es384).expect("a key");
        let (registered, other) = (generated(), generated());
        let parties = parties(registered.public());
        let now = UnixTime::from_millis(0);
        let usage = Usage::ClientAuthentication;
        let decoys = Decoys::new().expect("decoys");
        let token = assertion_of("unknown", &other);
        let assertion = Assertion::parse(&token).expect("a JWT");
        let verification = median(|| decoys.verify(&assertion));
        type Expected = fn(&PartyError) -> bool;
        let cases: [(&str, &PrivateJwk, Option<&str>, Expected); 5] = [
            ("unknown", &registered, None, |error| {
                matches!(error, PartyError::Unknown(_))
            }),
            ("disabled", &registered, None, |error| {
                matches!(error, PartyError::Disabled(_))
            }),
            ("public", &registered, None, |error| {
                matches!(error, PartyError::WrongMethod { .. })
            }),
            ("enabled", &other, None, |error| {
                matches!(error, PartyError::Key { .. })
            }),
            ("enabled", &registered, Some("disabled"), |error| {
                matches!(error, PartyError::NotCaller { .. })
            }),
        ];
        for (issuer, key, caller, is_expected) in cases {
            let token = assertion_of(issuer, key);
            let assertion = Assertion::parse(&token).expect("a JWT");
            let took = median(|| {
                let refused = at_once(parties.of(&assertion, usage, caller, now));
                assert!(refused.as_ref().is_err_and(is_expected), "{refused:?}");
            });
            assert!(
                took * 2 > verification && took < verification * 4,
                "{issuer}, {caller:?}: {took:?}, a verification {verification:?}"
            );
        }
        // Of a party that is found, the verifier verifies the signature, and nothing is paid here.
        let token = assertion_of("enabled", &registered);
        let assertion = Assertion::parse(&token).expect("a JWT");
        let took = median(|| {
            let signed = at_once(parties.of(&assertion, usage, Some("enabled"), now));
            assert_eq!(signed.expect("a party").keys().len(), 1);
        });
        assert!(took * 2 < verification, "{took:?} of {verification:?}");
    }

    /// A signature of another length than the client's RSA key is refused unseen.
    #[test]
    fn a_signature_of_another_length_than_the_key_costs_a_verification() {
        let parties = parties(rsa(512).expect("a key"));
        let input = signing_input(Algorithm::Rs256, Object::new(), br#"{"iss":"enabled"}"#);
        let token = compact(input, &[&[0][..], &[7; 255]].concat());
        let assertion = Assertion::parse(&token).expect("a JWT");
        let decoys = Decoys::new().expect("decoys");
        let verification = median(|| decoys.verify(&assertion));
        let now = UnixTime::from_millis(0);
        let took = median(|| {
            at_once(parties.of(&assertion, Usage::Grant, None, now)).expect("a party");
        });
        assert!(took * 2 > verification, "{took:?} of {verification:?}");
    }

    #[test]
    fn a_mac_is_held_against_as_many_secrets_whatever_the_client_has() {
        let parties = parties(rsa(512).expect("a key"));
        let key = SigningKey::from_secret(&[7; 64], Algorithm::Hs256).expect("a secret");
        let token = signed_by("secret", &key);
        let assertion = Assertion::parse(&token).expect("a JWT");
        let (usage, now) = (Usage::ClientAuthentication, UnixTime::from_millis(0));
        let signed = at_once(parties.of(&assertion, usage, None, now)).expect("a party");
        assert_eq!(parties.expectation(&signed).keys.len(), MAX_CANDIDATES);
        assert_eq!(signed.keys().len(), 1, "the client's own");
    }
}
