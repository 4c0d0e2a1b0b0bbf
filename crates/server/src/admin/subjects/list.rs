//! Lists of subjects.

use std::sync::Arc;

use grantor::{
    admin::{Error, SubjectDocument, SubjectFilter},
    registry::{Filter as _, OperatorFilter, Role, Subject},
    storage::Registries as _,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SubjectState, last_seen::last_seen};
use crate::admin::{Administration, Answered, Input, Listed, Operation, Portion, Route};

/// Which subjects are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubjectQuery {
    /// Those with this in their ids, or in what they are called, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those that are enabled, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Those with exactly this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

impl SubjectQuery {
    fn filter(&self) -> SubjectFilter {
        let mut filter = SubjectFilter::default();
        filter.q.clone_from(&self.q);
        filter.enabled = self.enabled;
        filter
    }
}

/// Lists subjects.
pub struct ListSubjects;

impl Operation for ListSubjects {
    type Path = ();
    type Query = SubjectQuery;
    type Body = ();
    type Answer = Listed<SubjectState>;

    const ROUTE: Route = Route::list(
        "/subjects",
        "list_subjects",
        "List subjects with their roles, by name",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let listed = match query.role {
            Some(role) => operators(admin, &query, role, &portion).await?,
            None => subjects(admin, &query, &portion).await?,
        };
        Ok(listed.into())
    }
}

async fn subjects(
    admin: &Administration,
    query: &SubjectQuery,
    portion: &Portion,
) -> Result<Listed<SubjectState>, Error> {
    let (subjects, after, filter) = (admin.subjects(), portion.cursor(), query.filter());
    let page = subjects.page(&filter, after.as_ref(), portion.limit);
    let Listed { items, next } = Listed::from(page.await?);
    let mut states = Vec::with_capacity(items.len());
    for subject in items {
        states.push(SubjectState::of(admin, subject).await?);
    }
    Ok(Listed {
        items: states,
        next,
    })
}

/// Those with a role are few: they are found by it. A portion may be shorter although there is a
/// next one.
async fn operators(
    admin: &Administration,
    query: &SubjectQuery,
    role: Role,
    portion: &Portion,
) -> Result<Listed<SubjectState>, Error> {
    let mut filter = OperatorFilter::default();
    filter.role = Some(role);
    let (operators, after) = (admin.gate().operators(), portion.cursor());
    let page = operators.page(&filter, after.as_ref(), portion.limit);
    let Listed { items, next } = Listed::from(page.await?);
    let mut found = Vec::new();
    for operator in items {
        let subject = admin.gate().subjects().get(&operator.subject).await?;
        let subject = subject.filter(|subject| query.filter().passes(subject));
        found.extend(subject.map(|subject| (subject, operator.role)));
    }
    let seen = last_seen(admin, found.iter().map(|(subject, _)| &**subject)).await?;
    let state = |(subject, role): &(Arc<Subject>, Role)| SubjectState {
        subject: SubjectDocument::of(subject),
        role: Some(*role),
        last_seen: seen.get(&subject.id).copied(),
    };
    let states = found.iter().map(state).collect();
    Ok(Listed {
        items: states,
        next,
    })
}
