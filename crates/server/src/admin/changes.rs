//! Operations of the record of changes, which nothing edits (M083).

use grantor::{
    admin::{ChangeDocument, Error},
    clock::{UnixTime, rfc3339},
    storage::ChangeFilter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Administration, Answered, Input, NoQuery, Operation, Recorded, Route, records};

/// Lists changes.
pub struct ListChanges;

/// Which changes are listed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeQuery {
    /// Only those of this actor, such as `operator anna`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only those of resources of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Only those of resources of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only those not older than this (RFC 3339).
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<UnixTime>,
    /// Begins so that this many are left; without `after` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
}

impl ChangeQuery {
    fn filter(self) -> ChangeFilter {
        let mut filter = ChangeFilter::default();
        (filter.actor, filter.resource, filter.name) = (self.actor, self.resource, self.name);
        filter.since = self.since;
        filter
    }
}

impl Operation for ListChanges {
    type Path = ();
    type Query = ChangeQuery;
    type Body = ();
    type Answer = Recorded<ChangeDocument>;

    const ROUTE: Route = Route::list(
        "/changes",
        "list_changes",
        "List changes, oldest first: the newest, or those behind a place; `next` follows them",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let start = records::start(&portion, query.last);
        let page = admin.changes();
        let page = page.page(&query.filter(), start, portion.limit).await?;
        Ok(Recorded::new(page.changes, page.count, &page.next).into())
    }
}

/// Shows a change.
pub struct ShowChange;

impl Operation for ShowChange {
    type Path = String;
    type Query = NoQuery;
    type Body = ();
    type Answer = ChangeDocument;

    const ROUTE: Route = Route::get(
        "/changes/{change}",
        "show_change",
        "Show a change: who, by which way and why, and each member that differs",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        Ok(admin.changes().get(&input.path).await?.into())
    }
}
