//! The members of a client that flags give: the same for a new client and for a change.

use clap::{Args, ValueEnum};
use grantor::{
    admin::Patch,
    jose::Algorithm,
    registry::{AudiencePolicy, TokenFormat},
    types::{GrantType, Scope},
};
use serde_json::json;

use crate::cli::{
    Failure,
    parse::{algorithm, grant_type, join},
};

/// What is named replaces what is there; a new client has the defaults otherwise.
#[derive(Debug, Args)]
pub struct Members {
    /// Grant it may use: jwt-bearer, client-credentials; may be repeated [a new client: both]
    #[arg(long = "grant", value_name = "NAME", value_parser = grant_type)]
    grants: Vec<GrantType>,
    /// Scope it may get; may be repeated; '' for none [a new client: none]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// Audience of its client authentication JWT: the issuer identifier only, or the token
    /// endpoint URL too [a new client: strict]
    #[arg(long, value_enum, value_name = "POLICY")]
    audience_policy: Option<PolicyName>,
    /// The one algorithm its assertions must be signed with [a new client: any]
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    signing_alg: Option<Algorithm>,
    /// Form of its access tokens [a new client: jwt]
    #[arg(long, value_enum, value_name = "FORMAT")]
    token_format: Option<FormatName>,
}

/// What `--audience-policy` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyName {
    Strict,
    Legacy,
}

/// What `--token-format` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Jwt,
    Opaque,
}

impl Members {
    /// The members that are named, with their values.
    pub fn patch(&self) -> Result<Patch, Failure> {
        let mut patch = Patch::default();
        if !self.grants.is_empty() {
            patch = patch.with("grant_types", json!(self.grants));
        }
        if !self.scopes.is_empty() {
            patch = patch.with("scope", json!(join(&self.scopes)?));
        }
        if let Some(policy) = self.audience_policy {
            let policy = match policy {
                PolicyName::Strict => AudiencePolicy::Strict,
                PolicyName::Legacy => AudiencePolicy::Legacy,
            };
            patch = patch.with("audience_policy", json!(policy));
        }
        if let Some(algorithm) = self.signing_alg {
            patch = patch.with("token_endpoint_auth_signing_alg", algorithm.name());
        }
        if let Some(format) = self.token_format {
            let format = match format {
                FormatName::Jwt => TokenFormat::Jwt,
                FormatName::Opaque => TokenFormat::Opaque,
            };
            patch = patch.with("token_format", json!(format));
        }
        Ok(patch)
    }
}
