//! Invitations: links by which people set up how to sign in.

use std::time::Duration;

use grantor::{
    admin::{Conflict, Document, Error, Fault, time_text},
    clock::{UnixTime, rfc3339},
    jose::json::Object,
    registry::{Action, Operator, Subject},
    storage::{Artifact, Registries as _, StoreError},
    types::SubjectId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{find_to_change, open::Open};
use crate::{
    admin::{Administration, Answered, Input, NoQuery, Operation, Route, content::bodies},
    config::Config,
    pages::{INVITATION, INVITATION_TO_CONSOLE, Site},
    person::{EarlierWays, Invitation},
};

const INVITATIONS: &str = "/subjects/{subject}/invitations";

bodies!(InvitationBody);

/// An invitation that is to be made.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvitationBody {
    /// How long the link works, in seconds: 3 days if absent, 30 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<u64>,
    /// Ends the person's sessions, passkeys and earlier password when the invitation is accepted.
    pub recover: bool,
}

impl Document for InvitationBody {
    fn least() -> Object {
        Object::new()
    }
}

impl InvitationBody {
    const USUAL: Duration = Duration::from_secs(3 * 86_400);

    fn lifetime(self) -> Result<Duration, Fault> {
        let lifetime = self.lifetime.map_or(Self::USUAL, Duration::from_secs);
        match lifetime.is_zero() || lifetime > Invitation::LONGEST {
            true => Err(Fault::new("lifetime", "is between 1s and 30d")),
            false => Ok(lifetime),
        }
    }
}

/// An invitation that was made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MadeInvitation {
    /// Who is invited.
    pub subject: SubjectId,
    /// The link, which is nowhere else, and works once.
    pub link: String,
    /// When it ends (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub expires_at: UnixTime,
}

/// Makes an invitation.
pub struct InviteSubject;

impl Operation for InviteSubject {
    type Path = SubjectId;
    type Query = NoQuery;
    type Body = InvitationBody;
    type Answer = MadeInvitation;

    const ROUTE: Route = Route::create(
        INVITATIONS,
        "invite_subject",
        "Make a link by which a person sets up how to sign in, answered once; one before it ends",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (recover, lifetime) = (input.body.recover, input.body.lifetime()?);
        // Before the gate is asked: a role that comes afterwards is not meant.
        let role = admin.gate().operators().get(&input.path).await?;
        let subject = find_to_change(admin, &input.path).await?;
        let place = place(&admin.config, role.as_deref());
        let place = place.ok_or(Error::Conflict(Conflict::NoPeople))?;
        let (artifacts, now) = (&*admin.store.artifacts, admin.now());
        let expires_at = now.plus(lifetime);
        let invitation = json!({"recover": recover, "expires_at": time_text(expires_at)});
        let kind = (Invitation::KIND, &input.path);
        let states = [None, Some(invitation)];
        // Before: nobody is let in who is not on record.
        admin.record(kind, Action::Create, states).await?;
        let ways = match recover {
            true => EarlierWays::End,
            false => EarlierWays::GoOn,
        };
        let invitation = Invitation::new(&subject, role.as_deref(), ways);
        let token = invitation.make(artifacts, now, expires_at).await?;
        let made = MadeInvitation {
            subject: input.path.clone(),
            link: format!("{place}?token={token}"),
            expires_at,
        };
        let names = [input.path.to_string()];
        Ok(Answered::from(made).placed(INVITATIONS, &names))
    }
}

/// The page of an invitation: at the console for who has a role there, else where people sign in.
fn place(config: &Config, role: Option<&Operator>) -> Option<String> {
    match (&config.admin, role) {
        (Some(admin), Some(_)) => {
            let site = Site::of_console(&config.issuer, admin.url.as_deref());
            Some(site.url(INVITATION_TO_CONSOLE))
        }
        _ => config
            .person
            .is_some()
            .then(|| config.issuer.endpoint(INVITATION)),
    }
}

/// An open invitation, without its link.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct InvitationEntry {
    /// Whether earlier ways to sign in end when it is accepted.
    pub recover: bool,
    /// When it was made (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub created_at: UnixTime,
    /// When it ends (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub expires_at: UnixTime,
}

impl Open for Invitation {
    type Entry = InvitationEntry;

    const KIND: &'static str = "invitation";
    const LIST: Route = Route::get(
        INVITATIONS,
        "list_invitations",
        "Show the invitations of a subject that are open, without their links",
    );
    const END: Route = Route::delete(
        INVITATIONS,
        "end_invitations",
        "End the invitations of a subject that are open",
    )
    .without_state();

    async fn of(
        admin: &Administration,
        subject: &Subject,
    ) -> Result<Vec<InvitationEntry>, StoreError> {
        let open = Self::open(&*admin.store.artifacts, subject, admin.now()).await?;
        let entry = |(invitation, artifact): (Self, Artifact)| InvitationEntry {
            recover: invitation.recover,
            created_at: artifact.created_at,
            expires_at: artifact.expires_at,
        };
        Ok(open.into_iter().map(entry).collect())
    }

    async fn end(admin: &Administration, subject: &Subject) -> Result<(), StoreError> {
        Self::end_all(&*admin.store.artifacts, subject, admin.now()).await
    }
}
