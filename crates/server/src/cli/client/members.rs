//! The members of a client that flags give: the same for a new client and for a change.

use std::time::Duration;

use clap::{Args, ValueEnum};
use grantor::{
    admin::Patch,
    jose::Algorithm,
    registry::{AudiencePolicy, ConsentPolicy, TokenFormat},
    types::{GrantType, Scope},
};
use serde_json::json;

use crate::cli::{
    Failure,
    parse::{algorithm, duration, grant_type, join},
};

/// What is named replaces what is there; a new client has the defaults otherwise.
#[derive(Debug, Args)]
pub struct Members {
    /// Grant it may use: jwt-bearer, client-credentials, authorization-code, refresh-token; may be
    /// repeated [a new client: the first two]
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
    /// Where the authorization code grant takes people back; may be repeated; '' for nowhere
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What pages call it; '' for its id
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// What it does, for those who are asked; '' for nothing
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A page about it; '' for none
    #[arg(long, value_name = "URL")]
    homepage: Option<String>,
    /// Whether people are asked before it acts for them: off (an operator decides), ask, or implied
    /// (an organisation's own, while the person is there) [a new client: off]
    #[arg(long, value_enum, value_name = "POLICY")]
    consent: Option<ConsentName>,
    /// How long what a person allowed lasts, such as 90d; 0s until it is withdrawn [a new client: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    permission_lifetime: Option<Duration>,
}

/// What `--consent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ConsentName {
    Off,
    Ask,
    Implied,
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
        if !self.redirect_uris.is_empty() {
            let uris = self.redirect_uris.iter().filter(|uri| !uri.is_empty());
            patch = patch.with("redirect_uris", json!(uris.collect::<Vec<_>>()));
        }
        for (member, text) in [
            ("client_name", &self.display_name),
            ("description", &self.description),
            ("client_uri", &self.homepage),
        ] {
            if let Some(text) = text {
                // A member that is null has its default.
                let text = Some(text).filter(|text| !text.is_empty());
                patch = patch.with(member, json!(text));
            }
        }
        if let Some(policy) = self.consent {
            let policy = match policy {
                ConsentName::Off => ConsentPolicy::Off,
                ConsentName::Ask => ConsentPolicy::Ask,
                ConsentName::Implied => ConsentPolicy::Implied,
            };
            patch = patch.with("consent", json!(policy));
        }
        if let Some(lifetime) = self.permission_lifetime {
            let seconds = Some(lifetime.as_secs()).filter(|seconds| *seconds > 0);
            patch = patch.with("permission_lifetime", json!(seconds));
        }
        Ok(patch)
    }
}
