//! The flags of a client that authenticates by the JWTs of an issuer.

use clap::Args;
use grantor::{
    admin::{ClientDocument, FederatedSub, NewFederatedClient, PinDocument},
    registry::Pin,
    types::{Glob, Name},
};

use crate::cli::{Failure, parse::pin};

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

    /// This client, with its trust.
    pub fn client(&self, document: ClientDocument) -> Result<NewFederatedClient, Failure> {
        let sub = match (&self.sub, &self.sub_glob) {
            (Some(text), _) => FederatedSub::Exactly(text.clone()),
            (None, Some(glob)) => FederatedSub::Matching(glob.clone()),
            (None, None) => {
                return Err(Failure::usage(
                    "--federated needs the `sub` of the client's JWTs: add --sub TEXT (or --sub-glob GLOB, with client_id in each request)",
                ));
            }
        };
        let issuer = self.federated.clone().unwrap_or_default();
        let mut new = NewFederatedClient::new(document, issuer, sub);
        let pins = self.pins.iter().cloned();
        new.pins = pins.map(PinDocument::from).collect();
        new.allowed_lints.clone_from(&self.allowed_lints);
        new.trust.clone_from(&self.trust);
        Ok(new)
    }
}
