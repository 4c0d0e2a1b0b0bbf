//! Operations of the record of changes, which nothing edits (M083).

use grantor::{
    admin::{ChangeDocument, Error},
    storage::ChangeFilter,
};

use super::{Administration, Answered, Input, NoQuery, Operation, Recorded, Route, records};

/// Lists changes.
pub struct ListChanges;

impl Operation for ListChanges {
    type Path = ();
    type Query = ChangeFilter;
    type Body = ();
    type Answer = Recorded<ChangeDocument>;

    const ROUTE: Route = Route::records(
        "/changes",
        "list_changes",
        "List changes, oldest first: the newest, or those behind a place; `next` follows them",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let start = records::start(&portion);
        let page = admin.changes();
        let page = page.page(&query, start, portion.limit).await?;
        Ok(Recorded::new(page.changes, page.count, page.previous.as_ref(), &page.next).into())
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
