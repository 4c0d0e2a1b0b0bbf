//! Browser sessions of a subject.

use std::time::Duration;

use grantor::{
    clock::{UnixTime, rfc3339},
    registry::Subject,
    storage::StoreError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::Open;
use crate::{
    admin::{Administration, Route},
    person::{OpenSession, SessionKind},
};

const SESSIONS: &str = "/subjects/{subject}/sessions";

/// Longest life of a session where the configuration says nothing of people any more.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// A browser session.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionEntry {
    /// What it opens.
    pub kind: SessionKind,
    /// When the person proved who they are (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub signed_in_at: UnixTime,
    /// When it was last used, to the minute (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub used_at: UnixTime,
    /// When it ends if it is not used (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub expires_at: UnixTime,
}

impl From<OpenSession> for SessionEntry {
    fn from(session: OpenSession) -> Self {
        Self {
            kind: session.kind,
            signed_in_at: session.signed_in_at,
            used_at: session.used_at,
            expires_at: session.expires_at,
        }
    }
}

impl Open for OpenSession {
    type Entry = SessionEntry;

    const KIND: &'static str = "session";
    const LIST: Route = Route::get(
        SESSIONS,
        "list_sessions",
        "Show the browser sessions of a subject",
    );
    const END: Route = Route::delete(
        SESSIONS,
        "end_sessions",
        "End the browser sessions of a subject",
    )
    .without_state();

    async fn of(
        admin: &Administration,
        subject: &Subject,
    ) -> Result<Vec<SessionEntry>, StoreError> {
        let open = Self::all(&*admin.store.artifacts, subject, admin.now()).await?;
        Ok(open.into_iter().map(SessionEntry::from).collect())
    }

    async fn end(admin: &Administration, subject: &Subject) -> Result<(), StoreError> {
        let person = admin.config.person.as_ref();
        let life = person.map_or(LONGEST, |person| person.session_life);
        Self::end_all(&*admin.store.artifacts, subject, admin.now(), life).await
    }
}
