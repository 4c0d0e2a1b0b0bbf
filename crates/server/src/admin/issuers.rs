//! Operations of issuers: third parties whose JWTs are taken where a trust takes them.

use std::time::Duration;

use grantor::{
    admin::{
        Cascade, Conflict, Error, IssuerDocument, IssuerFilter, KeyCheck, KeysDocument,
        NewIssuerKeys, Patch, Tokens, Updated,
    },
    jose::SkippedKey,
    keys::KeyReport,
    registry::TrustedIssuer,
    storage::Change,
    types::{IssuerId, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Administration, Answered, Input, Listed, NoQuery, Operation, PatchOf, Route, content,
    fetched::{FailedFetch, FetchedKey, FetchedKeys},
    key_check::Fetched,
};

const ISSUER: &str = "/issuers/{issuer}";

content::bodies!(IssuerDocument);

/// Lists issuers.
pub struct ListIssuers;

impl Operation for ListIssuers {
    type Path = ();
    type Query = IssuerFilter;
    type Body = ();
    type Answer = Listed<IssuerDocument>;

    const ROUTE: Route = Route::list("/issuers", "list_issuers", "List issuers, by their iss");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let (issuers, after) = (admin.issuers(), portion.cursor());
        let page = issuers.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

/// Whether the keys of an issuer are asked for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckQuery {
    /// Ask for its keys first, and change nothing if they cannot be had: so it is if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<bool>,
}

impl CheckQuery {
    /// As this check says, or without any.
    pub fn by(self, check: &Fetched) -> Option<&dyn KeyCheck> {
        (self.check != Some(false)).then_some(check as _)
    }
}

/// Registers an issuer.
pub struct CreateIssuer;

impl Operation for CreateIssuer {
    type Path = ();
    type Query = CheckQuery;
    type Body = IssuerDocument;
    type Answer = IssuerDocument;

    const ROUTE: Route = Route::create(
        "/issuers",
        "create_issuer",
        "Register an issuer, if its keys can be had",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let check = Fetched::new(&admin.config);
        let issuers = admin.issuers();
        let created = issuers.create(input.body, input.query.by(&check), admin.actor());
        let created = created.await?;
        let (revision, names) = (created.revision, [created.name.to_string()]);
        Ok(Answered::at(created, revision).placed(ISSUER, &names))
    }
}

/// Shows an issuer.
pub struct ShowIssuer;

/// An issuer, and what is known of keys that are fetched.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShownIssuer {
    /// What is registered.
    #[serde(flatten)]
    pub issuer: IssuerDocument,
    /// The keys that servers have fetched; null if there are none.
    pub fetched: Option<FetchedKeys>,
    /// The last fetch of the server that answers, if it failed; null if not, or if it has not needed
    /// the keys yet.
    #[serde(default)]
    pub failure: Option<FailedFetch>,
}

impl Operation for ShowIssuer {
    type Path = String;
    type Query = NoQuery;
    type Body = ();
    type Answer = ShownIssuer;

    const ROUTE: Route = Route::get(
        ISSUER,
        "show_issuer",
        "Show an issuer, by its iss or name, and how old its keys are",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let issuers = admin.issuers();
        let registered = issuers.find(&input.path).await?;
        let fetched = FetchedKeys::of(admin, &registered).await?;
        let failure = FailedFetch::of(admin, &registered);
        let issuer = issuers.get(&input.path).await?;
        let revision = issuer.revision;
        let shown = ShownIssuer {
            issuer,
            fetched,
            failure,
        };
        Ok(Answered::at(shown, revision))
    }
}

/// Changes an issuer.
pub struct UpdateIssuer;

/// How an issuer is changed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerChange {
    /// Ask another place of its keys first, and change nothing if they cannot be had: so it is if
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<bool>,
    /// End for good the tokens that were given for its JWTs so far, JWTs among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoke_tokens: Option<bool>,
}

impl Operation for UpdateIssuer {
    type Path = String;
    type Query = IssuerChange;
    type Body = PatchOf<IssuerDocument>;
    type Answer = Updated<IssuerDocument>;

    const ROUTE: Route = Route::patch(
        ISSUER,
        "update_issuer",
        "Change members of an issuer; `enabled` is the switch",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let IssuerChange {
            check,
            revoke_tokens,
        } = input.query;
        let tokens = match revoke_tokens {
            Some(true) => Tokens::Revoke,
            _ => Tokens::Stay,
        };
        let (fetched, issuers) = (Fetched::new(&admin.config), admin.issuers());
        let (patch, keys) = (&input.body.patch, CheckQuery { check }.by(&fetched));
        let updated = issuers.update_with(&input.path, patch, tokens, keys, admin.actor());
        Ok(at_its_state(updated.await?))
    }
}

fn at_its_state(updated: Updated<IssuerDocument>) -> Answered<Updated<IssuerDocument>> {
    let revision = updated.document.revision;
    Answered::at(updated, revision)
}

/// Removes an issuer.
pub struct DeleteIssuer;

/// What goes along with an issuer.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CascadeQuery {
    /// Remove its trusts too; one with trusts is not removed otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cascade: Option<bool>,
}

/// What was removed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeletedIssuer {
    /// The issuer, as it was asked for.
    pub deleted: String,
    /// The trusts that went along.
    pub trusts: Vec<Name>,
}

impl Operation for DeleteIssuer {
    type Path = String;
    type Query = CascadeQuery;
    type Body = ();
    type Answer = DeletedIssuer;

    const ROUTE: Route = Route::delete(
        ISSUER,
        "delete_issuer",
        "Remove an issuer with its keys; JWTs of it that were used stay used",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let cascade = match input.query.cascade {
            Some(true) => Cascade::Trusts,
            _ => Cascade::Refuse,
        };
        let (issuers, deleted) = (admin.issuers(), input.path);
        let trusts = issuers.delete(&deleted, cascade, admin.actor()).await?;
        Ok(DeletedIssuer { deleted, trusts }.into())
    }
}

/// Uploads keys of an issuer.
pub struct AddIssuerKeys;

/// Keys that are uploaded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadedKeys {
    /// `jwks`, `pem` or a `spiffe_bundle` that is no URL.
    pub keys: KeysDocument,
    /// For so many seconds the keys before work on: as long as they would if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<u64>,
}

impl grantor::admin::Document for UploadedKeys {
    fn least() -> grantor::jose::json::Object {
        [("keys".to_owned(), json!({}))].into_iter().collect()
    }
}

content::bodies!(UploadedKeys);

impl Operation for AddIssuerKeys {
    type Path = String;
    type Query = NoQuery;
    type Body = UploadedKeys;
    type Answer = Updated<IssuerDocument>;

    const ROUTE: Route = Route::act(
        "/issuers/{issuer}/keys",
        "add_issuer_keys",
        "Upload keys, beside those that are there or, with an overlap, in their place",
    )
    .of_state();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let UploadedKeys { keys, overlap } = input.body;
        let mut new = NewIssuerKeys::new(keys);
        new.overlap = overlap.map(Duration::from_secs);
        let issuers = admin.issuers();
        let updated = issuers.add_keys(&input.path, &new, admin.actor()).await?;
        Ok(at_its_state(updated))
    }
}

/// Fetches the keys of an issuer now.
pub struct RefreshIssuer;

/// What a fetch of the keys of an issuer has found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RefreshedIssuer {
    /// The issuer.
    pub iss: IssuerId,
    /// Its name.
    pub name: Name,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// The keys.
    pub keys: Vec<FetchedKey>,
    /// Why others are not used.
    pub skipped: Vec<String>,
}

impl Operation for RefreshIssuer {
    type Path = String;
    type Query = NoQuery;
    type Body = ();
    type Answer = RefreshedIssuer;

    const ROUTE: Route = Route::act(
        "/issuers/{issuer}/refresh",
        "refresh_issuer",
        "Fetch the keys of an issuer now; every server fetches them anew",
    )
    .of_state();

    /// Fetches here first: servers begin anew with an issuer that has changed, and are not to lose
    /// the keys that they hold to a place without any.
    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (issuers, iss) = (admin.issuers(), input.path);
        let issuer = issuers.find(&iss).await?;
        if issuer.keys.uploaded().is_some() {
            return Err(Error::Conflict(Conflict::KeysUploaded(iss)));
        }
        // Who may not change the issuer has nothing fetched for it either.
        let same = Change::Replace(TrustedIssuer::clone(&issuer));
        admin.gate().may_apply(vec![same.into()]).await?;
        let found = Fetched::new(&admin.config).report(&issuer).await;
        let found = found
            .map_err(|problem| Error::Conflict(Conflict::NotRefreshed(iss.clone(), problem)))?;
        issuers
            .update(&iss, &Patch::default(), None, admin.actor())
            .await?;
        Ok(refreshed(&issuer, &found).into())
    }
}

fn refreshed(issuer: &TrustedIssuer, found: &KeyReport) -> RefreshedIssuer {
    RefreshedIssuer {
        iss: issuer.id.clone(),
        name: issuer.name.clone(),
        jwks_uri: found.jwks_uri.as_ref().map(ToString::to_string),
        keys: found.keys.iter().map(FetchedKey::from).collect(),
        skipped: found.skipped.iter().map(skipped).collect(),
    }
}

/// Why a key of a set is not used.
fn skipped(key: &SkippedKey) -> String {
    format!("key {}: {}", key.index, key.reason)
}
