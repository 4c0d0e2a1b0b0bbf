//! The flags of a client that authenticates by the JWTs of an issuer.

use clap::Args;
use grantor::{
    admin::PinDocument,
    registry::Pin,
    types::{Glob, Name},
};

use crate::{
    admin::{clients::FederatedTrust, trusts::pin},
    cli::Failure,
};

/// By which issuer, and which of its JWTs.
#[derive(Debug, Args)]
pub struct Federated {
    /// Let it authenticate by the JWTs of this issuer (by `iss` or name), without keys of its own
    #[arg(long, value_name = "ISS", conflicts_with = "auth")]
    federated: Option<String>,
    /// The `sub` of these JWTs, to the letter
    #[arg(
        long,
        value_name = "TEXT",
        requires = "federated",
        conflicts_with = "sub_glob",
        allow_hyphen_values = true
    )]
    sub: Option<String>,
    /// A glob that the whole `sub` matches; the client has to send client_id then
    #[arg(long, value_name = "GLOB", requires = "federated", value_parser = Glob::parse)]
    sub_glob: Option<Glob>,
    /// A claim and its value besides, as for `grantor trust create`; may be repeated. On an issuer
    /// that strangers share, the one that tells them apart is needed
    #[arg(long = "pin", value_name = "CLAIM=VALUE", requires = "federated", value_parser = pin)]
    pins: Vec<Pin>,
    /// Overrule this warning, by the name that a refusal gives it; may be repeated
    #[arg(long = "allow", value_name = "LINT", requires = "federated")]
    allowed_lints: Vec<String>,
    /// Name of the trust that is made with it [default: ID]
    #[arg(long, value_name = "NAME", requires = "federated")]
    trust: Option<Name>,
    /// Let it have keys of its own besides: --jwks, --pem or --jwks-uri
    #[arg(long, requires = "federated")]
    pub also_keys: bool,
}

impl Federated {
    /// Whether an issuer is named.
    pub fn is_named(&self) -> bool {
        self.federated.is_some()
    }

    /// The trust of the client.
    pub fn trust(&self) -> Result<FederatedTrust, Failure> {
        if self.sub.is_none() && self.sub_glob.is_none() {
            return Err(Failure::usage(
                "--federated needs the `sub` of the client's JWTs: add --sub TEXT (or --sub-glob GLOB, with client_id in each request)",
            ));
        }
        let pins = self.pins.iter().cloned();
        Ok(FederatedTrust {
            issuer: self.federated.clone().unwrap_or_default(),
            sub: self.sub.clone(),
            sub_glob: self.sub_glob.clone(),
            pins: pins.map(PinDocument::from).collect(),
            allow: self.allowed_lints.clone(),
            name: self.trust.clone(),
        })
    }
}
