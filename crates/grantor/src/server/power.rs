//! Power over this server: who gets a token with `grantor:read`, `grantor:write` or `grantor:admin`,
//! and where (M003, M004, M013).
//!
//! These scopes are roles, and the greater holds the lesser. A token has them if and only if it is for
//! the admin API, and then it has nothing else. Each is asked for by name. By default there is none:
//! an [`Authorization`](super::Authorization) has the power that the grants `client_credentials` and
//! `jwt-bearer` say here, and no other grant says any. What counts is the least of
//!
//! 1. what the client is registered for,
//! 2. what the operator's permission names, and the trust; each says nothing where it does not name it,
//! 3. the role of the subject, where that is somebody registered other than the client.

use std::{fmt, time::Duration};

use super::{Context, grant::Consent, policy::PolicyError};
use crate::{
    registry::{Client, Limit, Role},
    storage::StoreError,
    types::{Scope, Shown, SubjectId},
};

/// Longest life of a token for the admin API.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

/// Whether a token for this audience is one for the admin API.
pub(super) fn is_for_admin(context: &Context, audience: &str) -> bool {
    context.settings().admin_resource.as_deref() == Some(audience)
}

/// What somebody may do over this server at most, and why not more. By default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Power {
    client: Option<Role>,
    /// By permissions and trusts; the outer `None` where there are none.
    given: Option<Option<Role>>,
    /// Of the subject; the outer `None` where it needs none.
    subject: Option<Option<Role>>,
}

impl Power {
    /// All that the client is registered for.
    pub(super) fn of_client(client: &Client) -> Self {
        Self {
            client: Role::of_scope(&client.metadata().scope),
            given: None,
            subject: None,
        }
    }

    /// No more than this scope names.
    #[must_use]
    pub(super) fn named_in(self, scope: &Scope) -> Self {
        self.given_at_most(Role::of_scope(scope))
    }

    /// No more than the permissions name. One for all that the client may get names nothing, and
    /// people permit no power.
    #[must_use]
    pub(super) fn permitted(self, limit: &Limit<'_>) -> Self {
        self.given_at_most(limit.role())
    }

    fn given_at_most(self, role: Option<Role>) -> Self {
        let given = self.given.map_or(role, |given| given.min(role));
        Self {
            given: Some(given),
            ..self
        }
    }

    /// No more than the role of this subject. It is looked up where there is something to limit.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn of_subject(
        self,
        context: &Context,
        subject: &SubjectId,
    ) -> Result<Self, StoreError> {
        let Some(_) = self.role() else {
            return Ok(self);
        };
        let role = Box::pin(context.role(subject)).await?;
        Ok(Self {
            subject: Some(role),
            ..self
        })
    }

    /// The greatest role that everything allows.
    pub(super) fn role(&self) -> Option<Role> {
        let limits = [self.given, self.subject];
        limits.into_iter().flatten().fold(self.client, Option::min)
    }

    /// What of a token's scope is left: its roles that are still allowed, and the greatest of them.
    pub(super) fn left_of(&self, scope: &Scope) -> Scope {
        match self.role().min(Role::of_scope(scope)) {
            None => Scope::default(),
            Some(role) => held_with(role).intersection(&scope.union(&only(role))),
        }
    }
}

/// Each limit, as an operator looks for what to change.
impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = |role: Option<Role>| role.map_or("none", Role::scope);
        write!(f, "the client is registered for {}", scope(self.client))?;
        if let Some(given) = self.given {
            write!(f, ", permission or trust name {}", scope(given))?;
        }
        match self.subject {
            Some(role) => write!(f, ", the subject's role is {}", scope(role)),
            None => Ok(()),
        }
    }
}

/// What is granted at the admin API of a scope that is asked for. A person who could be asked is not:
/// nobody consents to power.
pub(super) fn granted(
    requested: Option<Scope>,
    power: Power,
    consent: &Consent,
) -> Result<Scope, PolicyError> {
    let requested = requested.filter(|requested| !requested.is_empty());
    let requested = requested.ok_or(PolicyError::PowerNotNamed)?;
    let allowed = power.role().map(held_with).unwrap_or_default();
    if requested.is_subset(&allowed) {
        return Ok(requested);
    }
    let limits = match consent {
        Consent::Lacking(reason) => reason.to_string(),
        Consent::NotAsked | Consent::MayBeAsked => power.to_string(),
    };
    Err(PolicyError::BeyondPower {
        beyond: Shown::of(&requested.without(&allowed).to_string()),
        limits,
    })
}

/// Refuses a scope that is asked for at another resource than the admin API, if it has power in it.
pub(super) fn check_elsewhere(requested: &Scope) -> Result<(), PolicyError> {
    match requested.reserved_tokens().next() {
        None => Ok(()),
        Some(token) => Err(PolicyError::PowerElsewhere(Shown::of(token))),
    }
}

/// This role and the lesser.
fn held_with(role: Role) -> Scope {
    let held = Role::ALL.into_iter().filter(|held| *held <= role);
    held.fold(Scope::default(), |scope, held| scope.union(&only(held)))
}

fn only(role: Role) -> Scope {
    Scope::parse(role.scope()).expect("a role is a scope token")
}
