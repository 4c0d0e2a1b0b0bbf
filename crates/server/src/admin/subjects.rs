//! Operations of subjects.

mod credentials;
mod invitations;
mod last_seen;
mod list;
mod open;
mod role;
mod sessions;

use std::sync::Arc;

use grantor::{
    admin::{Error, Named, SubjectDocument},
    clock::{UnixTime, rfc3339},
    registry::{Role, Subject},
    storage::Registries as _,
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::last_seen::last_seen;
pub use self::{
    credentials::{DeleteCredentials, DeletePasskey, PasskeyEntry, PasswordEntry, ShowCredentials},
    invitations::{InvitationBody, InviteSubject},
    list::{ListSubjects, SubjectQuery},
    open::{EndOpen, ListOpen},
    role::{DeleteRole, PutRole, RoleBody, ShowRole},
};
use super::{
    Administration, Answered, Input, NoQuery, Operation, PatchOf, Route, Segments as _, Warned,
    content::bodies, look_alike,
};

const SUBJECT: &str = "/subjects/{subject}";

bodies!(SubjectDocument);

/// A subject, with its role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SubjectState {
    /// What is registered about it.
    #[serde(flatten)]
    pub subject: SubjectDocument,
    /// What it may do over this server; absent for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// When a subject with a role was last at the console (RFC 3339), as far as that is on record.
    /// Told where one subject is asked for, or those with a role.
    #[serde(
        default,
        with = "rfc3339::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub last_seen: Option<UnixTime>,
}

impl SubjectState {
    async fn of(admin: &Administration, subject: SubjectDocument) -> Result<Self, Error> {
        let role = admin.role_of(&subject.id).await?;
        Ok(Self {
            subject,
            role,
            last_seen: None,
        })
    }
}

/// Registers a subject.
pub struct CreateSubject;

impl Operation for CreateSubject {
    type Path = ();
    type Query = NoQuery;
    type Body = SubjectDocument;
    type Answer = Warned<SubjectDocument>;

    const ROUTE: Route = Route::create("/subjects", "create_subject", "Register a subject");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let document = input.body;
        document.check()?;
        let alike = look_alike::warning(&admin.store, document.id.as_str()).await?;
        let made = admin.subjects().create(document, admin.actor()).await?;
        let (revision, names) = (made.revision, made.id.names());
        let made = Warned::new(made, Vec::from_iter(alike));
        Ok(Answered::at(made, revision).placed(SUBJECT, &names))
    }
}

/// Shows a subject.
pub struct ShowSubject;

impl Operation for ShowSubject {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = SubjectState;

    const ROUTE: Route = Route::get(SUBJECT, "show_subject", "Show a subject, with its role");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let subject = admin.subjects().get(&input.path).await?;
        let revision = subject.revision;
        let mut state = SubjectState::of(admin, subject).await?;
        if state.role.is_some() {
            let subject = find(admin, &input.path).await?;
            let seen = last_seen(admin, std::iter::once(&*subject)).await?;
            state.last_seen = seen.into_values().next();
        }
        Ok(Answered::at(state, revision))
    }
}

/// Changes a subject.
pub struct UpdateSubject;

impl Operation for UpdateSubject {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = PatchOf<SubjectDocument>;
    type Answer = SubjectState;

    const ROUTE: Route = Route::patch(
        SUBJECT,
        "update_subject",
        "Change members of a subject; `enabled` is the switch",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (subjects, patch) = (admin.subjects(), input.body.patch);
        let changed = subjects.update(&input.path, &patch, admin.actor()).await?;
        let revision = changed.revision;
        let state = SubjectState::of(admin, changed).await?;
        Ok(Answered::at(state, revision))
    }
}

/// Removes a subject.
pub struct DeleteSubject;

impl Operation for DeleteSubject {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        SUBJECT,
        "delete_subject",
        "Remove a subject with all permissions for it",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.subjects().delete(&input.path, admin.actor()).await?;
        Ok(().into())
    }
}

/// The subject of this name.
async fn find(admin: &Administration, id: &SubjectId) -> Result<Arc<Subject>, Error> {
    let found = admin.gate().subjects().get(id).await?;
    found.ok_or_else(|| Error::NotFound(Named::Subject(id.clone())))
}

/// The subject of this name, if the actor may change what hangs on it.
async fn find_to_change(admin: &Administration, id: &SubjectId) -> Result<Arc<Subject>, Error> {
    let subject = find(admin, id).await?;
    admin.gate().check_subject(id).await?;
    Ok(subject)
}
