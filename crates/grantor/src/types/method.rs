//! Registered names: grant types and client authentication methods. New ones are values, so that
//! extensions need no new type.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer};

/// A name that is empty, too long or contains other than visible ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a name of 1 to {} visible ASCII characters",
    NameError::MAX_BYTES
)]
pub struct NameError;

impl NameError {
    /// Most octets of a name.
    pub const MAX_BYTES: usize = 256;
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// A name known when compiling.
            pub const fn from_static(name: &'static str) -> Self {
                Self(Cow::Borrowed(name))
            }

            /// The name, compared to the letter.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
                let is_name = visible && (1..=NameError::MAX_BYTES).contains(&text.len());
                is_name.then(|| Self(Cow::Owned(text.to_owned()))).ok_or(NameError)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A grant type: a short name of RFC 6749, or an absolute URI (§4.5).
    GrantType
}

impl GrantType {
    /// RFC 7523 §2.1
    pub const JWT_BEARER: Self = Self::from_static("urn:ietf:params:oauth:grant-type:jwt-bearer");
    /// RFC 6749 §4.4
    pub const CLIENT_CREDENTIALS: Self = Self::from_static("client_credentials");
    /// RFC 6749 §4.1
    pub const AUTHORIZATION_CODE: Self = Self::from_static("authorization_code");
    /// RFC 6749 §6
    pub const REFRESH_TOKEN: Self = Self::from_static("refresh_token");
}

name! {
    /// A client authentication method (the registry `token_endpoint_auth_method`, RFC 7591 §2).
    AuthMethod
}

impl AuthMethod {
    /// A signed JWT, verified with a registered public key.
    pub const PRIVATE_KEY_JWT: Self = Self::from_static("private_key_jwt");
    /// A JWT with an HMAC keyed by the client secret.
    pub const CLIENT_SECRET_JWT: Self = Self::from_static("client_secret_jwt");
    /// The secret in the Authorization header (RFC 6749 §2.3.1).
    pub const CLIENT_SECRET_BASIC: Self = Self::from_static("client_secret_basic");
    /// The secret in the form (RFC 6749 §2.3.1).
    pub const CLIENT_SECRET_POST: Self = Self::from_static("client_secret_post");
    /// A public client: identified, not authenticated.
    pub const NONE: Self = Self::from_static("none");

    /// The methods known here, in the order in which they are offered.
    pub fn known() -> impl Iterator<Item = &'static Self> {
        METHODS.iter().map(|(_, method, _)| method)
    }

    /// Which of the methods known here this is; `None` for one of an extension.
    pub fn as_known(&self) -> Option<KnownMethod> {
        self.row().map(|(known, ..)| *known)
    }

    /// What a client must have registered to use this method; `None` for a method of an extension,
    /// which says so itself.
    pub fn needs(&self) -> Option<Needs> {
        self.row().map(|(.., needs)| *needs)
    }

    fn row(&self) -> Option<&'static Row> {
        METHODS.iter().find(|(_, method, _)| method == self)
    }
}

/// The client authentication methods known here: what is done for each is one match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownMethod {
    /// [`AuthMethod::PRIVATE_KEY_JWT`]
    PrivateKeyJwt,
    /// [`AuthMethod::CLIENT_SECRET_JWT`]
    ClientSecretJwt,
    /// [`AuthMethod::CLIENT_SECRET_BASIC`]
    ClientSecretBasic,
    /// [`AuthMethod::CLIENT_SECRET_POST`]
    ClientSecretPost,
    /// [`AuthMethod::NONE`]
    None,
}

/// What a client authentication method needs of a client's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// A public key, for signatures.
    PublicKey,
    /// The client secret itself, for MACs.
    ReadableSecret,
    /// The digest of the client secret, which is sent as it is.
    Digest,
    /// Nothing: the client is identified, not authenticated.
    Nothing,
}

impl Needs {
    /// Whether the method proves the client with a secret.
    pub fn is_secret(self) -> bool {
        match self {
            Self::ReadableSecret | Self::Digest => true,
            Self::PublicKey | Self::Nothing => false,
        }
    }
}

type Row = (KnownMethod, AuthMethod, Needs);

/// The one table of client authentication methods: a new one is a row here, and what the compiler
/// then asks for.
static METHODS: [Row; 5] = [
    (
        KnownMethod::PrivateKeyJwt,
        AuthMethod::PRIVATE_KEY_JWT,
        Needs::PublicKey,
    ),
    (
        KnownMethod::ClientSecretJwt,
        AuthMethod::CLIENT_SECRET_JWT,
        Needs::ReadableSecret,
    ),
    (
        KnownMethod::ClientSecretBasic,
        AuthMethod::CLIENT_SECRET_BASIC,
        Needs::Digest,
    ),
    (
        KnownMethod::ClientSecretPost,
        AuthMethod::CLIENT_SECRET_POST,
        Needs::Digest,
    ),
    (KnownMethod::None, AuthMethod::NONE, Needs::Nothing),
];
