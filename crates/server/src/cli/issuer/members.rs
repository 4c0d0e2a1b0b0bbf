//! The members of an issuer that flags give: the same for a new issuer and for a change.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use grantor::{
    admin::Patch,
    file,
    jose::Algorithm,
    registry::{AudienceMatch, ReplayPolicy},
    types::ClaimPath,
};
use ipnet::IpNet;
use serde_json::json;

use crate::cli::{
    Failure,
    parse::{algorithm, duration, network},
};

/// What is named replaces what is there; a new issuer has the defaults otherwise.
#[derive(Debug, Args)]
pub struct Members {
    /// What `aud` of its JWTs may be; may be repeated [a new issuer: this server's issuer identifier
    /// and token endpoint]
    #[arg(long = "audience", value_name = "AUD")]
    audiences: Vec<String>,
    /// Whether `aud` has one of them as its sole value, or any among others [a new issuer: sole]
    #[arg(long, value_enum, value_name = "HOW")]
    audience_match: Option<MatchName>,
    /// Signature algorithm it uses; may be repeated [a new issuer: RS256 and ES256]
    #[arg(long = "alg", value_name = "ALG", value_parser = algorithm)]
    algorithms: Vec<Algorithm>,
    /// What `typ` may be beside JWT; may be repeated [a new issuer: nothing]
    #[arg(long = "typ", value_name = "TYP")]
    types: Vec<String>,
    /// From `iat` to `exp` at most, such as 15m [a new issuer: 1h; at most 25h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_lifetime: Option<Duration>,
    /// How far its clock may be off [a new issuer: 30s; at most 5m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    leeway: Option<Duration>,
    /// How often one JWT of it may be used: once by its `jti`; once-by-digest where it sends none;
    /// reusable where a platform gives a pod or machine one JWT for its life [a new issuer: once]
    #[arg(long, value_enum, value_name = "POLICY")]
    replay: Option<ReplayName>,
    /// Certificates (PEM) that its server is known by, beside those of the system
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// File with a bearer token for its own server, read again for each fetch
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<PathBuf>,
    /// Internal network where its documents may be, such as 10.20.0.0/16; may be repeated
    #[arg(long = "allow-internal", value_name = "CIDR", value_parser = network)]
    allow_internal: Vec<IpNet>,
    /// Strangers share it: each trust has to pin the claim of --tenant-claim
    #[arg(long, requires = "tenant_claims")]
    shared: bool,
    /// The claim that tells the customers of a shared issuer apart; may be repeated, if one of
    /// several does
    #[arg(long = "tenant-claim", value_name = "CLAIM", value_parser = ClaimPath::parse, requires = "shared")]
    tenant_claims: Vec<ClaimPath>,
}

/// What `--audience-match` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum MatchName {
    Sole,
    Any,
}

/// What `--replay` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReplayName {
    Once,
    OnceByDigest,
    Reusable,
}

impl Members {
    /// The members that are named, with their values.
    pub fn patch(&self) -> Result<Patch, Failure> {
        let mut patch = Patch::default();
        if !self.audiences.is_empty() {
            patch = patch.with("audiences", json!(self.audiences));
        }
        if let Some(how) = self.audience_match {
            let how = match how {
                MatchName::Sole => AudienceMatch::Sole,
                MatchName::Any => AudienceMatch::Any,
            };
            patch = patch.with("audience_match", json!(how));
        }
        if !self.algorithms.is_empty() {
            let names = self.algorithms.iter().map(|algorithm| algorithm.name());
            patch = patch.with("algorithms", json!(names.collect::<Vec<_>>()));
        }
        if !self.types.is_empty() {
            patch = patch.with("types", json!(self.types));
        }
        for (member, length) in [("max_lifetime", self.max_lifetime), ("leeway", self.leeway)] {
            if let Some(length) = length {
                patch = patch.with(member, json!(length.as_secs()));
            }
        }
        if let Some(policy) = self.replay {
            let policy = match policy {
                ReplayName::Once => ReplayPolicy::Once,
                ReplayName::OnceByDigest => ReplayPolicy::OnceByDigest,
                ReplayName::Reusable => ReplayPolicy::Reusable,
            };
            patch = patch.with("replay", json!(policy));
        }
        if !self.tenant_claims.is_empty() {
            patch = patch.with("tenant_claims", json!(self.tenant_claims));
        }
        self.fetching(patch)
    }

    /// With what its documents are fetched.
    fn fetching(&self, mut patch: Patch) -> Result<Patch, Failure> {
        if let Some(path) = &self.ca_file {
            let read = file::read_text(path, file::DOCUMENT_BYTES);
            let pem = read.map_err(|error| {
                Failure::usage(format!("--ca-file {}: {error}", path.display()))
            })?;
            patch = patch.with("ca", json!(*pem));
        }
        if let Some(path) = &self.bearer_token_file {
            // Servers read it, wherever they were started.
            let path = std::path::absolute(path).map_err(|error| {
                Failure::usage(format!("--bearer-token-file {}: {error}", path.display()))
            })?;
            patch = patch.with("bearer_token_file", json!(path));
        }
        if !self.allow_internal.is_empty() {
            patch = patch.with("allow_internal", json!(self.allow_internal));
        }
        Ok(patch)
    }
}
