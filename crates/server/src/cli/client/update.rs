//! `grantor client update`

use clap::Args;
use grantor::{
    admin::ClientDocument,
    clock::Clock as _,
    jose::Algorithm,
    registry::Client,
    types::{ClientId, GrantType, Scope},
};

use super::{FormatName, PolicyName, change, public_keys::check_signing_algorithm};
use crate::{
    backend::Backend,
    cli::{
        CLOCK, Failure, Output,
        parse::{algorithm, grant_type, join},
    },
    config::Config,
};

/// Change a client: what is named is replaced, the rest stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor client update billing --scope 'invoices:read'
  grantor client update old-partner --audience-policy legacy")]
pub struct Update {
    /// Client identifier
    id: ClientId,
    /// Grant it may use: jwt-bearer, client-credentials
    #[arg(long = "grant", value_name = "NAME", value_parser = grant_type)]
    grants: Vec<GrantType>,
    /// Scope it may get; '' for none
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// Audience of its client authentication JWT
    #[arg(long, value_enum, value_name = "POLICY")]
    audience_policy: Option<PolicyName>,
    /// The one algorithm its assertions must be signed with
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    signing_alg: Option<Algorithm>,
    /// Form of its access tokens
    #[arg(long, value_enum, value_name = "FORMAT")]
    token_format: Option<FormatName>,
}

impl Update {
    pub async fn run(
        self,
        config: &Config,
        store: &Backend,
        output: Output,
    ) -> Result<(), Failure> {
        let changed = change(store, &self.id, |client| self.apply(config, client)).await?;
        output.done(
            &ClientDocument::of(&changed, CLOCK.now()),
            format_args!("client {} updated", self.id),
        )
    }

    fn apply(&self, config: &Config, client: &Client) -> Result<Client, Failure> {
        let mut metadata = client.metadata().clone();
        if !self.grants.is_empty() {
            metadata.grant_types.clone_from(&self.grants);
        }
        if !self.scopes.is_empty() {
            metadata.scope = join(&self.scopes)?;
        }
        metadata.audience_policy = self
            .audience_policy
            .map_or(metadata.audience_policy, Into::into);
        metadata.signing_algorithm = self.signing_alg.or(metadata.signing_algorithm);
        metadata.token_format = self.token_format.map_or(metadata.token_format, Into::into);
        let changed = client
            .changed(metadata, client.keys().to_vec(), client.secrets().to_vec())
            .map_err(Failure::usage)?;
        if self.signing_alg.is_some() {
            check_signing_algorithm(&config.assertion, &changed)?;
        }
        Ok(changed)
    }
}
