//! Operations of trusts: what JWTs of issuers are worth.

mod body;
mod written;

use grantor::{
    admin::{Error, MadeTrust, TrustDocument, TrustFilter, TrustReport, Updated},
    clock::{UnixTime, rfc3339},
    types::{IssuerId, Name},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    body::TrustBody,
    written::{claim_copy, claim_match, pin},
};
use super::{
    Administration, Answered, Input, Listed, NoQuery, Operation, PatchOf, Route,
    issuers::CheckQuery, key_check::Fetched,
};

const TRUST: &str = "/trusts/{trust}";

/// Lists trusts.
pub struct ListTrusts;

impl Operation for ListTrusts {
    type Path = ();
    type Query = TrustFilter;
    type Body = ();
    type Answer = Listed<TrustDocument>;

    const ROUTE: Route = Route::list(
        "/trusts",
        "list_trusts",
        "List trusts, by name; an issuer may be named by its iss or its name",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input {
            mut query, portion, ..
        } = input;
        if let Some(reference) = query.issuer {
            query.issuer = Some(iss_of(admin, &reference).await?);
        }
        let (trusts, after) = (admin.trusts(), portion.cursor());
        let page = trusts.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

async fn iss_of(admin: &Administration, reference: &IssuerId) -> Result<IssuerId, Error> {
    let issuer = admin.issuers().find(reference.as_str()).await?;
    Ok(issuer.id.clone())
}

/// Registers a trust.
pub struct CreateTrust;

impl Operation for CreateTrust {
    type Path = ();
    type Query = CheckQuery;
    type Body = TrustBody;
    type Answer = MadeTrust;

    const ROUTE: Route = Route::create(
        "/trusts",
        "create_trust",
        "Register a trust; with a client of its name if none is named, and its issuer where that is missing",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let check = Fetched::new(&admin.config);
        let (trusts, keys) = (admin.trusts(), input.query.by(&check));
        let made = trusts.create(input.body.0, keys, admin.actor()).await?;
        let (revision, names) = (made.trust.revision, [made.trust.name.to_string()]);
        Ok(Answered::at(made, revision).placed(TRUST, &names))
    }
}

/// Shows a trust.
pub struct ShowTrust;

impl Operation for ShowTrust {
    type Path = Name;
    type Query = NoQuery;
    type Body = ();
    type Answer = TrustDocument;

    const ROUTE: Route = Route::get(TRUST, "show_trust", "Show a trust");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let trust = admin.trusts().get(&input.path).await?;
        let revision = trust.revision;
        Ok(Answered::at(trust, revision))
    }
}

/// Changes a trust.
pub struct UpdateTrust;

impl Operation for UpdateTrust {
    type Path = Name;
    type Query = NoQuery;
    type Body = PatchOf<TrustDocument>;
    type Answer = Updated<TrustDocument>;

    const ROUTE: Route = Route::patch(
        TRUST,
        "update_trust",
        "Change members of a trust; `mode` is the switch",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let trusts = admin.trusts();
        let updated = trusts.update(&input.path, &input.body.patch, admin.actor());
        let updated = updated.await?;
        let revision = updated.document.revision;
        Ok(Answered::at(updated, revision))
    }
}

/// Removes a trust.
pub struct DeleteTrust;

impl Operation for DeleteTrust {
    type Path = Name;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(TRUST, "delete_trust", "Remove a trust; its client stays");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.trusts().delete(&input.path, admin.actor()).await?;
        Ok(().into())
    }
}

/// Counts what a trust took, and would have taken.
pub struct ReportTrust;

/// Which decisions are counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReportQuery {
    /// Only those not older than this (RFC 3339).
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<UnixTime>,
}

impl Operation for ReportTrust {
    type Path = Name;
    type Query = ReportQuery;
    type Body = ();
    type Answer = TrustReport;

    const ROUTE: Route = Route::get(
        "/trusts/{trust}/report",
        "report_trust",
        "Count what a trust took and would have taken, and why not, among the newest decisions",
    )
    .long()
    .sparingly();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.trusts().get(&input.path).await?;
        let decisions = admin.decisions();
        let report = decisions.trust_report(&input.path, input.query.since);
        Ok(report.await?.into())
    }
}
