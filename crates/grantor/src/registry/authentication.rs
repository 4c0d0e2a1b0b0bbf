//! How a client authenticates, with what that takes: a registration that makes no sense cannot be
//! written down.

use grantor_jose::Algorithm;
use url::Url;

use super::{ClientError, ClientKey, ClientSecret};
use crate::types::{AuthMethod, KnownMethod};

/// A value that keeps a rule, checked where it is made.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($inner:ty) if $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name($inner);

        impl $name {
            /// The value, if and only if it keeps the rule.
            pub fn new(value: $inner) -> Option<Self> {
                let keeps: fn(&$inner) -> bool = $rule;
                keeps(&value).then_some(Self(value))
            }

            /// The value.
            pub fn get(&self) -> &$inner {
                &self.0
            }
        }
    };
}

/// The public keys of a client: those registered with it, or those behind its `jwks_uri`. Never both
/// (RFC 7591 §2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PublicKeys {
    /// Registered with it, expired and unusable ones included. Perhaps none.
    Registered(Vec<ClientKey>),
    /// Published by it at this URL.
    Published(Box<Url>),
}

impl PublicKeys {
    /// These keys, or those at `jwks_uri` if there is one.
    ///
    /// # Errors
    /// [`ClientError::KeysBesideUri`]
    pub fn new(keys: Vec<ClientKey>, jwks_uri: Option<&Url>) -> Result<Self, ClientError> {
        match jwks_uri {
            None => Ok(Self::Registered(keys)),
            Some(url) if keys.is_empty() => Ok(Self::Published(Box::new(url.clone()))),
            Some(_) => Err(ClientError::KeysBesideUri),
        }
    }

    /// Those that are registered.
    pub fn registered(&self) -> &[ClientKey] {
        match self {
            Self::Registered(keys) => keys,
            Self::Published(_) => &[],
        }
    }

    /// `jwks_uri`
    pub fn jwks_uri(&self) -> Option<&Url> {
        match self {
            Self::Registered(_) => None,
            Self::Published(url) => Some(url),
        }
    }
}

checked! {
    /// Public keys, at least one, or their URL (RFC 7591 §2).
    Keys(PublicKeys) if |keys| keys.jwks_uri().is_some() || !keys.registered().is_empty()
}

checked! {
    /// Secrets of which at least one is kept as a digest.
    DigestedSecrets(Vec<ClientSecret>)
    if |secrets| secrets.iter().any(|secret| secret.stored_digest().is_some())
}

checked! {
    /// Secrets of which at least one is kept readable.
    ReadableSecrets(Vec<ClientSecret>)
    if |secrets| secrets.iter().any(|secret| secret.expose().is_some())
}

checked! {
    /// An algorithm with a key pair.
    SignatureAlgorithm(Algorithm) if |algorithm| !algorithm.is_mac()
}

checked! {
    /// An algorithm with a shared secret.
    MacAlgorithm(Algorithm) if |algorithm| algorithm.is_mac()
}

checked! {
    /// A client authentication method of an extension.
    OtherMethod(AuthMethod) if |method| method.needs().is_none()
}

/// Whose word proves who the client is, where it authenticates by a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vouching {
    /// Its own: it signs.
    Itself,
    /// That of an issuer.
    Issuer,
}

/// How a client sends its secret (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretVia {
    /// In the Authorization header: `client_secret_basic`.
    Basic,
    /// In the form: `client_secret_post`.
    Post,
}

/// How a client authenticates. Keys beside a method that needs none are for its grant assertions;
/// `algorithm` is the one its assertions are signed with, any fitting one if absent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authentication {
    /// `private_key_jwt`: the same keys verify client authentication and grant assertions.
    PrivateKeyJwt {
        /// The public keys.
        keys: Keys,
        /// `token_endpoint_auth_signing_alg`
        algorithm: Option<SignatureAlgorithm>,
    },
    /// `private_key_jwt` by the JWTs of an [issuer](super::TrustedIssuer), which a
    /// [trust](super::Trust) with the use of client authentication takes.
    Federated {
        /// The algorithm of grant assertions, and of authentication by own keys.
        algorithm: Option<SignatureAlgorithm>,
        /// Own keys, which authenticate the client too. Commonly none.
        keys: PublicKeys,
    },
    /// `client_secret_jwt`
    SecretJwt {
        /// The secrets.
        secrets: ReadableSecrets,
        /// `token_endpoint_auth_signing_alg`
        algorithm: Option<MacAlgorithm>,
        /// For grant assertions.
        keys: PublicKeys,
    },
    /// `client_secret_basic` or `client_secret_post`
    Secret {
        /// How the secret is sent.
        via: SecretVia,
        /// The secrets.
        secrets: DigestedSecrets,
        /// The algorithm of grant assertions.
        algorithm: Option<SignatureAlgorithm>,
        /// For grant assertions.
        keys: PublicKeys,
    },
    /// `none`: identified, not authenticated.
    Public {
        /// The algorithm of grant assertions.
        algorithm: Option<SignatureAlgorithm>,
        /// For grant assertions.
        keys: PublicKeys,
    },
    /// A method of an extension, with all that is registered.
    Other {
        /// The method.
        method: OtherMethod,
        /// The secrets.
        secrets: Vec<ClientSecret>,
        /// `token_endpoint_auth_signing_alg`
        algorithm: Option<SignatureAlgorithm>,
        /// The public keys.
        keys: PublicKeys,
    },
}

impl Authentication {
    /// From the words of a registration (RFC 7591 §2), if and only if they make sense together.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn new(
        method: &AuthMethod,
        algorithm: Option<Algorithm>,
        keys: PublicKeys,
        secrets: Vec<ClientSecret>,
        vouching: Vouching,
    ) -> Result<Self, ClientError> {
        let no_secret = || ClientError::NoSecret(method.clone());
        let secret = |via, keys, secrets| {
            Ok(Self::Secret {
                via,
                secrets: DigestedSecrets::new(secrets).ok_or_else(no_secret)?,
                algorithm: fitting(algorithm, SignatureAlgorithm::new)?,
                keys,
            })
        };
        let has_secrets = !secrets.is_empty();
        match method.as_known() {
            Some(KnownMethod::PrivateKeyJwt | KnownMethod::None) if has_secrets => {
                Err(ClientError::UnusedSecret(method.clone()))
            }
            Some(KnownMethod::PrivateKeyJwt) if vouching == Vouching::Issuer => {
                Ok(Self::Federated {
                    algorithm: fitting(algorithm, SignatureAlgorithm::new)?,
                    keys,
                })
            }
            _ if vouching == Vouching::Issuer => Err(ClientError::FederatedMethod),
            Some(KnownMethod::PrivateKeyJwt) => Ok(Self::PrivateKeyJwt {
                keys: Keys::new(keys).ok_or(ClientError::NoKey)?,
                algorithm: fitting(algorithm, SignatureAlgorithm::new)?,
            }),
            Some(KnownMethod::ClientSecretJwt) => Ok(Self::SecretJwt {
                secrets: ReadableSecrets::new(secrets).ok_or_else(no_secret)?,
                algorithm: fitting(algorithm, MacAlgorithm::new)?,
                keys,
            }),
            Some(KnownMethod::ClientSecretBasic) => secret(SecretVia::Basic, keys, secrets),
            Some(KnownMethod::ClientSecretPost) => secret(SecretVia::Post, keys, secrets),
            Some(KnownMethod::None) => Ok(Self::Public {
                algorithm: fitting(algorithm, SignatureAlgorithm::new)?,
                keys,
            }),
            None => Ok(Self::Other {
                method: OtherMethod(method.clone()),
                secrets,
                algorithm: fitting(algorithm, SignatureAlgorithm::new)?,
                keys,
            }),
        }
    }

    /// `token_endpoint_auth_method`
    pub fn method(&self) -> AuthMethod {
        match self {
            Self::PrivateKeyJwt { .. } | Self::Federated { .. } => AuthMethod::PRIVATE_KEY_JWT,
            Self::SecretJwt { .. } => AuthMethod::CLIENT_SECRET_JWT,
            Self::Secret { via, .. } => match via {
                SecretVia::Basic => AuthMethod::CLIENT_SECRET_BASIC,
                SecretVia::Post => AuthMethod::CLIENT_SECRET_POST,
            },
            Self::Public { .. } => AuthMethod::NONE,
            Self::Other { method, .. } => method.0.clone(),
        }
    }

    /// `token_endpoint_auth_signing_alg`
    pub fn signing_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::SecretJwt { algorithm, .. } => algorithm.as_ref().map(|algorithm| algorithm.0),
            Self::PrivateKeyJwt { algorithm, .. }
            | Self::Federated { algorithm, .. }
            | Self::Secret { algorithm, .. }
            | Self::Public { algorithm, .. }
            | Self::Other { algorithm, .. } => algorithm.as_ref().map(|algorithm| algorithm.0),
        }
    }

    /// The public keys that are registered, expired and unusable ones included.
    pub fn keys(&self) -> &[ClientKey] {
        self.public_keys().registered()
    }

    /// The public keys.
    pub fn public_keys(&self) -> &PublicKeys {
        match self {
            Self::PrivateKeyJwt { keys, .. } => &keys.0,
            Self::Federated { keys, .. }
            | Self::SecretJwt { keys, .. }
            | Self::Secret { keys, .. }
            | Self::Public { keys, .. }
            | Self::Other { keys, .. } => keys,
        }
    }

    /// The secrets, expired ones included.
    pub fn secrets(&self) -> &[ClientSecret] {
        match self {
            Self::SecretJwt { secrets, .. } => &secrets.0,
            Self::Secret { secrets, .. } => &secrets.0,
            Self::Other { secrets, .. } => secrets,
            Self::PrivateKeyJwt { .. } | Self::Federated { .. } | Self::Public { .. } => &[],
        }
    }
}

/// The algorithm, if it is one of this kind.
fn fitting<A>(
    algorithm: Option<Algorithm>,
    kind: fn(Algorithm) -> Option<A>,
) -> Result<Option<A>, ClientError> {
    let fitting = |algorithm| kind(algorithm).ok_or(ClientError::SigningAlgorithm(algorithm));
    algorithm.map(fitting).transpose()
}
