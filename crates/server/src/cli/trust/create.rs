//! `grantor trust create`

use clap::Args;
use grantor::{
    admin::{MadeTrust, NewTrust, TrustDocument},
    types::{IssuerId, Name},
};
use serde_json::json;

use super::{
    members::{Members, Removed},
    options::Options,
    shown,
};
use crate::{
    admin::{
        Input,
        issuers::CheckQuery,
        trusts::{CreateTrust, TrustBody},
    },
    cli::{Failure, Global, issuer::shared_audiences, template::named},
};

/// Say what JWTs with these claims are worth
///
/// A trust names one issuer and what of its JWTs has to be as it says: at least one pin, match or
/// condition. Exactly one trust has to take a JWT.
///
/// A template knows the claims of a platform. It makes the trust of its own options, which
/// `grantor template show NAME` lists, and its issuer too, where that is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor trust create ci --template github-actions --owner-id 123456 --repository-id 456789 --ref refs/heads/main --scope deploy
  grantor trust create batch --from cluster-a --pin /kubernetes.io/namespace=billing --pin /kubernetes.io/serviceaccount/name=deployer
  grantor trust create release --from github --pin repository_owner_id=123456 --pin repository_id=456789 --match 'ref=refs/heads/release/*'
  grantor trust create next --from github --pin repository_owner_id=123456 --condition \"assertion.event_name == 'push'\" --shadow")]
pub struct MakeTrust {
    /// Name of the trust
    name: Name,
    /// The issuer whose JWTs it takes, by `iss` or name
    #[arg(
        long,
        value_name = "ISS",
        required_unless_present = "template",
        conflicts_with = "template"
    )]
    from: Option<IssuerId>,
    /// Make it by this template; see `grantor template list`
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    #[command(flatten)]
    members: Members,
    /// Make a missing issuer without asking for its keys
    #[arg(long, requires = "template")]
    no_check: bool,
    #[command(flatten)]
    options: Options,
}

impl MakeTrust {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let new = self.new_trust()?;
        let server = match new.issuer {
            Some(_) => global.connect_or_create().await?,
            None => global.connect().await?,
        };
        let check = self.no_check.then_some(false);
        let input = Input::<CreateTrust>::with((), TrustBody(new)).asking(CheckQuery { check });
        let made = server.call(input).await?;
        let document = json!({
            "trust": made.trust,
            "client": made.client,
            "issuer": made.issuer,
        });
        global.output().done(&document, text(&made))
    }

    fn new_trust(&self) -> Result<NewTrust, Failure> {
        match (&self.template, &self.from) {
            (Some(name), _) => self.by_template(name),
            (None, Some(iss)) => {
                if let Some(option) = self.options.any() {
                    return Err(Failure::usage(format!(
                        "--{option} is an option of templates; name one with --template"
                    )));
                }
                let document = TrustDocument::new(self.name.clone(), iss.clone());
                Ok(NewTrust::new(document.with(&self.members.of_new()?)?))
            }
            (None, None) => Err(Failure::usage(
                "name its issuer with --from ISS, or --template",
            )),
        }
    }

    /// The trust of a template, with the members that are named beside its options: pins and the
    /// like claim by claim.
    fn by_template(&self, name: &str) -> Result<NewTrust, Failure> {
        let template = named(name)?;
        let options = self.options.of(template)?;
        let mut made = template.make(&self.name, &options)?;
        let patch = self.members.of_change(&made.trust, &Removed::default())?;
        made.trust = made.trust.with(&patch)?;
        Ok(made.into())
    }
}

/// What was made, with the trust as it is now.
fn text(made: &MadeTrust) -> String {
    let issuer = made.issuer.iter().map(|issuer| {
        let shared = shared_audiences(issuer).unwrap_or_default();
        format!(
            "issuer {} created, named {}{shared}\n",
            issuer.iss, issuer.name
        )
    });
    let client = made.client.iter().map(|client| {
        format!(
            "client {} created: it has no keys and gets tokens by this trust only\n",
            client.client_id
        )
    });
    let before: String = issuer.chain(client).collect();
    format!(
        "{before}trust {} created\n\n{}",
        made.trust.name,
        shown::text(&made.trust)
    )
}
