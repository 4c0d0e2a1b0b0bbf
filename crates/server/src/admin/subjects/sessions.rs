//! Browser sessions of a subject.

use std::time::Duration;

use grantor::{
    admin::{Error, time_text},
    registry::Action,
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{find, find_to_change};
use crate::{
    admin::{Administration, Answered, Input, NoQuery, Operation, Route},
    person::OpenSession,
};

const SESSIONS: &str = "/subjects/{subject}/sessions";

/// Longest life of a session where the configuration says nothing of people any more.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// The browser sessions of a subject.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionList {
    /// The newest first.
    pub items: Vec<SessionEntry>,
}

/// A browser session.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionEntry {
    /// When the person proved who they are (RFC 3339).
    pub signed_in_at: String,
    /// When it was last used, to the minute (RFC 3339).
    pub used_at: String,
    /// When it ends if it is not used (RFC 3339).
    pub expires_at: String,
}

impl From<OpenSession> for SessionEntry {
    fn from(session: OpenSession) -> Self {
        Self {
            signed_in_at: time_text(session.signed_in_at),
            used_at: time_text(session.used_at),
            expires_at: time_text(session.expires_at),
        }
    }
}

/// Lists the browser sessions of a subject.
pub struct ListSessions;

impl Operation for ListSessions {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = SessionList;

    const ROUTE: Route = Route::get(
        SESSIONS,
        "list_sessions",
        "Show the browser sessions of a subject",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find(admin, &input.path).await?;
        let open = OpenSession::of(&*admin.store.artifacts, &subject, admin.now()).await?;
        let items = open.into_iter().map(SessionEntry::from).collect();
        Ok(SessionList { items }.into())
    }
}

/// Ends the browser sessions of a subject.
pub struct EndSessions;

impl Operation for EndSessions {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        SESSIONS,
        "end_sessions",
        "End the browser sessions of a subject",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = find_to_change(admin, &input.path).await?;
        let open = Some(json!({"which": "all that are open"}));
        let (kind, states) = (("session", &input.path), [open, None]);
        admin.record(kind, Action::Delete, states).await?;
        let person = admin.config.person.as_ref();
        let life = person.map_or(LONGEST, |person| person.session_life);
        OpenSession::end_all(&*admin.store.artifacts, &subject, admin.now(), life).await?;
        Ok(().into())
    }
}
