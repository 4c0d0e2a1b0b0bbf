//! What hangs on a subject without being registered, and is open for a time: invitations, browser
//! sessions. Each kind is listed and ended in the same way.

use std::marker::PhantomData;

use grantor::{
    admin::Error,
    registry::{Action, Subject},
    storage::StoreError,
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{find, find_to_change};
use crate::admin::{Administration, Answered, Input, Listed, NoQuery, Operation, Route};

/// A kind of it.
pub trait Open: Send + Sync + 'static {
    /// One that is open, as operators see it.
    type Entry: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// As changes record it.
    const KIND: &'static str;
    /// Where those of a subject are listed.
    const LIST: Route;
    /// Where they are ended.
    const END: Route;

    /// Those of a subject, the newest first.
    fn of(
        admin: &Administration,
        subject: &Subject,
    ) -> impl Future<Output = Result<Vec<Self::Entry>, StoreError>> + Send;

    /// Ends those of a subject.
    fn end(
        admin: &Administration,
        subject: &Subject,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Ends what is open of a kind, and keeps that on record.
pub async fn end<K: Open>(admin: &Administration, subject: &Subject) -> Result<(), Error> {
    let open = Some(json!({"which": "all that are open"}));
    let (kind, states) = ((K::KIND, &subject.id), [open, None]);
    admin.record(kind, Action::Delete, states).await?;
    Ok(K::end(admin, subject).await?)
}

/// As [`end`], where anything is open. Answers whether that was so.
pub async fn end_any<K: Open>(admin: &Administration, subject: &Subject) -> Result<bool, Error> {
    let is_any = !K::of(admin, subject).await?.is_empty();
    if is_any {
        end::<K>(admin, subject).await?;
    }
    Ok(is_any)
}

/// Lists what is open of a kind.
pub struct ListOpen<K>(PhantomData<fn() -> K>);

impl<K: Open> Operation for ListOpen<K> {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = Listed<K::Entry>;

    const ROUTE: Route = K::LIST;

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find(admin, &input.path).await?;
        let items = K::of(admin, &subject).await?;
        Ok(Listed { items, next: None }.into())
    }
}

/// Ends what is open of a kind.
pub struct EndOpen<K>(PhantomData<fn() -> K>);

impl<K: Open> Operation for EndOpen<K> {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = K::END;

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find_to_change(admin, &input.path).await?;
        end::<K>(admin, &subject).await?;
        Ok(().into())
    }
}
