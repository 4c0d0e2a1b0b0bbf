//! What the server that is administered is called, and what it accepts: so that nothing is
//! registered that it would refuse at the first request.

use std::time::Duration;

use grantor_jose::{Algorithm, Jwk};

use super::Fault;
use crate::{
    assertion::Profile,
    registry::{ClientKey, ClientMetadata},
    types::{AuthMethod, Issuer, Needs},
};

/// The member that has the one algorithm of a client.
pub(super) const SIGNING_ALGORITHM: &str = "token_endpoint_auth_signing_alg";

/// The configuration of the server, as far as operators meet it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerTerms {
    /// The issuer identifier, which key files name.
    pub issuer: Issuer,
    /// The profile.
    pub profile: Profile,
    /// The algorithms of assertions that are accepted.
    pub assertion_algorithms: Vec<Algorithm>,
    /// The algorithm of new signing keys.
    pub signing_algorithm: Algorithm,
    /// How long a token is accepted after it was signed, at most.
    pub longest_token: Duration,
    /// Where those who register issuers may have it look.
    pub places: Places,
}

/// Where those who register an issuer may have the server look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Places {
    /// At public addresses.
    Public,
    /// In networks of its own too.
    Networks,
    /// In files of its machine too: for whoever is on that machine.
    #[default]
    Machine,
}

impl ServerTerms {
    /// Those of a server of the default profile: ES256, tokens of an hour.
    pub fn new(issuer: Issuer) -> Self {
        let profile = Profile::default();
        Self {
            issuer,
            profile,
            assertion_algorithms: profile.default_algorithms(),
            signing_algorithm: Algorithm::Es256,
            longest_token: Duration::from_secs(3600),
            places: Places::default(),
        }
    }

    /// A secret that this server would never take.
    pub(super) fn fault_of_method(&self, method: &AuthMethod) -> Option<Fault> {
        let is_secret = method.needs().is_some_and(Needs::is_secret);
        (is_secret && !self.profile.accepts_method(method)).then(|| {
            let problem = "configuration key 'profile' says fapi2, with which clients authenticate with private_key_jwt only";
            Fault::new(
                "token_endpoint_auth_method",
                format!("{method} is not possible: {problem}; register a key instead"),
            )
        })
    }

    /// Keys whose signatures this server would never take.
    pub(super) fn faults_of_keys(&self, keys: &[ClientKey]) -> Vec<Fault> {
        let usable = keys.iter().enumerate().filter_map(|(index, registered)| {
            let key = registered.usable().ok()?;
            Some((index, registered, key))
        });
        let refused = usable.filter(|(.., key)| {
            let accepted = &self.assertion_algorithms;
            !accepted.iter().any(|algorithm| key.accepts(*algorithm))
        });
        let fault = |(index, registered, key): (usize, &ClientKey, &std::sync::Arc<_>)| {
            let key: &grantor_jose::VerificationKey = key;
            let own = key.jwk().and_then(Jwk::algorithm);
            let detail = format!(
                "key {}: nothing signed with it would be accepted, for it is for {}; {}",
                registered.name(),
                own.map_or("RSA", Algorithm::name),
                self.accepted(own)
            );
            Fault::new("jwks", detail).at("keys").at(index)
        };
        refused.map(fault).collect()
    }

    /// An algorithm that this server does not take, or that none of the client's keys is for.
    pub(super) fn fault_of_algorithm(
        &self,
        metadata: &ClientMetadata,
        keys: &[ClientKey],
    ) -> Option<Fault> {
        // A secret is for all HMAC algorithms.
        let algorithm = metadata.signing_algorithm;
        let algorithm = algorithm.filter(|algorithm| !algorithm.is_mac())?;
        let accepted = &self.assertion_algorithms;
        if !accepted.iter().any(|allowed| allowed.is_same_as(algorithm)) {
            let detail = format!(
                "no assertion signed with {algorithm} would be accepted; {}",
                self.accepted(Some(algorithm))
            );
            return Some(Fault::new(SIGNING_ALGORITHM, detail));
        }
        let fits = |key: &ClientKey| key.usable().is_ok_and(|key| key.accepts(algorithm));
        (!keys.is_empty() && !keys.iter().any(fits)).then(|| {
            let remedy = "name the algorithm of a key, or add one for it first";
            let detail = format!("none of the client's keys is for {algorithm}; {remedy}");
            Fault::new(SIGNING_ALGORITHM, detail)
        })
    }

    /// What the configuration says, and what can be done about it.
    fn accepted(&self, wanted: Option<Algorithm>) -> String {
        let names = self.assertion_algorithms.iter();
        let names: Vec<_> = names.map(|algorithm| algorithm.name()).collect();
        let remedy = match wanted {
            Some(wanted) if !self.profile.accepts_algorithm(wanted) => {
                format!("profile fapi2 does not allow {wanted}")
            }
            Some(wanted) => format!("to accept {wanted}, name it there"),
            None => "to accept the key, name one for RSA there".to_owned(),
        };
        format!(
            "configuration key 'assertion.algorithms' has {}: {remedy}",
            names.join(", ")
        )
    }
}
