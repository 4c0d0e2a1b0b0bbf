//! `grantor issuer create`

use clap::Args;
use grantor::{
    admin::{IssuerDocument, Issuers, ServerTerms, TrustStores},
    clock::Clock as _,
    storage::MemoryStore,
    types::{IssuerId, Name},
};
use url::Url;

use super::{
    key_source::{FLAGS, KeySource},
    members::Members,
};
use crate::{
    admin::{
        Input,
        issuers::{CheckQuery, CreateIssuer},
        terms,
    },
    cli::{CLOCK, Failure, Global},
    config::Overrides,
};

/// Register an issuer: a third party whose JWTs may be worth something
///
/// Its keys are fetched once, and nothing is stored if they cannot be had. A JWT of it proves
/// nothing by itself: `grantor trust create` says what it is worth.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor issuer create https://token.actions.githubusercontent.com --name github --discover --max-lifetime 10m
  grantor issuer create https://sts.windows.net/TENANT/ --name entra --discover --replay reusable --audience api://grantor
  grantor issuer create kubernetes/serviceaccount --name cluster-a --jwks keys.json --replay reusable
  grantor issuer create https://172.18.0.2:6443 --discover --allow-internal 172.18.0.2/32 --ca-file ca.crt --bearer-token-file token
  grantor issuer create spiffe://acme.example --spiffe-bundle https://spire.acme.example/bundle --replay reusable
`grantor trust create NAME --template T` makes the issuer of a template too; see `grantor template list`.")]
pub struct Create {
    /// Its `iss`, to the letter: nothing is normalised
    #[arg(value_name = "ISS")]
    iss: IssuerId,
    /// What you call it [default: the host of ISS]
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    #[command(flatten)]
    keys: KeySource,
    /// Where its metadata is, if at neither of the usual places. It has to name ISS all the same
    #[arg(long, value_name = "URL")]
    metadata_url: Option<Url>,
    #[command(flatten)]
    members: Members,
    /// Register it without asking for its keys
    #[arg(long)]
    no_check: bool,
}

impl Create {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let keys = self.keys.read(self.metadata_url)?;
        let keys =
            keys.ok_or_else(|| Failure::usage(format!("an issuer needs keys: name {FLAGS}")))?;
        let document = IssuerDocument::new(self.iss.clone(), self.name, keys);
        let document = document.with(&self.members.patch()?)?;
        if global.is_here() {
            let config = global.load_config(Overrides::default())?;
            check(&document, &terms(&config))?;
        }
        let server = global.connect_or_create().await?;
        let check = self.no_check.then_some(false);
        let input = Input::<CreateIssuer>::with((), document).asking(CheckQuery { check });
        let created = server.call(input).await?;
        let said = super::shared_audiences(&created).unwrap_or_default();
        global.output().done(
            &created,
            format_args!(
                "issuer {} created, named {}{said}",
                created.iss, created.name
            ),
        )
    }
}

/// Succeeds if the issuer makes sense, whatever else is registered: what does not makes no database.
fn check(document: &IssuerDocument, terms: &ServerTerms) -> Result<(), Failure> {
    let nowhere = MemoryStore::new();
    let issuers = Issuers::new(TrustStores::of(&nowhere), terms, CLOCK.now());
    issuers.checked(document.clone())?;
    Ok(())
}
