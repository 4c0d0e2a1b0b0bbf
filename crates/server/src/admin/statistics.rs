//! The operation of statistics.

use grantor::admin::{Error, StatisticsDocument, StatisticsQuery};

use super::{Administration, Answered, Input, Operation, Route};

/// Counts how many requests were decided.
pub struct CountDecisions;

impl Operation for CountDecisions {
    type Path = ();
    type Query = StatisticsQuery;
    type Body = ();
    type Answer = StatisticsDocument;

    const ROUTE: Route = Route::get(
        "/statistics",
        "statistics",
        "Count how many requests were decided, and how",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        Ok(admin.statistics().counts(&input.query).await?.into())
    }
}
