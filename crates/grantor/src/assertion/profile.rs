//! Profiles: how strict a server is where the specifications leave a choice. Everything a profile
//! decides is decided here.

use grantor_jose::Algorithm;
use serde::{Deserialize, Serialize};

use super::AudienceForm;
use crate::types::AuthMethod;

/// A set of choices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Profile {
    /// RFC 7523 as updated by RFC 10070, open to what popular clients send.
    #[default]
    Default,
    /// What the FAPI 2.0 Security Profile says of client assertions (§5.3.2.1, §5.4):
    /// `private_key_jwt` only, the issuer identifier as a plain string, PS256, ES256 and
    /// Ed25519. Sender-constrained tokens, which it demands too, do not exist here yet.
    Fapi2,
}

impl Profile {
    /// Whether clients may authenticate by this method.
    pub fn accepts_method(self, method: &AuthMethod) -> bool {
        self == Self::Default || *method == AuthMethod::PRIVATE_KEY_JWT
    }

    /// Whether assertions may be signed with this algorithm.
    pub fn accepts_algorithm(self, algorithm: Algorithm) -> bool {
        use Algorithm::{Ed25519, EdDsa, Es256, Ps256};
        self == Self::Default || [Ps256, Es256, Ed25519, EdDsa].contains(&algorithm)
    }

    /// The signature algorithms accepted unless the operator says otherwise.
    pub fn default_algorithms(self) -> Vec<Algorithm> {
        use Algorithm::{Ed25519, EdDsa, Es256, Es384, Ps256, Rs256};
        let all = [Rs256, Ps256, Es256, Es384, Ed25519, EdDsa];
        all.into_iter()
            .filter(|algorithm| self.accepts_algorithm(*algorithm))
            .collect()
    }

    /// Whether a refresh token is replaced when it is used (RFC 9700 §2.2.2). FAPI 2.0 keeps it, as
    /// only its client can use it (§5.3.2.1).
    pub(crate) fn rotates_refresh_tokens(self) -> bool {
        self == Self::Default
    }

    /// How the audience of client authentication has the server's name.
    pub(super) fn audience_form(self) -> AudienceForm {
        match self {
            Self::Default => AudienceForm::Sole,
            Self::Fapi2 => AudienceForm::Plain,
        }
    }

    /// Whether a client may be registered to send the token endpoint URL as the audience of its
    /// authentication.
    pub(super) fn allows_legacy_audience(self) -> bool {
        self == Self::Default
    }
}
