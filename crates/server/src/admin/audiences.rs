//! Which audiences clients put into their authentication.

use grantor::{
    admin::{AudienceUse, Error},
    storage::Registries as _,
};

use super::{Administration, Answered, Input, Listed, NoQuery, Operation, Route};

/// Counts which audiences clients put into their authentication.
pub struct ListAudiences;

impl Operation for ListAudiences {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = Listed<AudienceUse>;

    const ROUTE: Route = Route::get(
        "/statistics/audiences",
        "list_audiences",
        "Count, from the decisions that are kept, which audience each client put into its authentication JWT",
    )
    .long()
    .sparingly();

    async fn run(admin: &Administration, _: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        let (clients, issuer) = (admin.gate().clients(), &admin.terms().issuer);
        let items = admin.decisions().audience_use(clients, issuer).await?;
        Ok(Listed { items, next: None }.into())
    }
}
