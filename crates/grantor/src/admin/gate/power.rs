//! M012, M013: what holds or gives power over this server. Only an owner changes it, whether it
//! does so before or after.

use async_trait::async_trait;

use super::{Guarded, Ports, Rights, last_owner::Touched, view::View};
use crate::{
    registry::{
        Client, CredentialId, Denial, Operator, Passkey, PasskeyFilter, Password, Permission,
        PermissionFilter, ResourceId as _, ScopeText, Subject, SubjectMapping, Trust, TrustFilter,
        TrustedIssuer,
    },
    storage::{AnyChange, Change, Registry, StoreError},
    types::{ClientId, IssuerId, Scope, SubjectId},
};

/// Whether this scope names power over this server.
fn names_power(scope: &Scope) -> bool {
    scope.reserved_tokens().next().is_some()
}

async fn is_operator(subject: &SubjectId, view: &mut View<'_>) -> Result<bool, StoreError> {
    Ok(view.rely_on::<Operator>(subject).await?.is_some())
}

async fn is_powerful(client: &ClientId, view: &mut View<'_>) -> Result<bool, StoreError> {
    let client = view.rely_on::<Client>(client).await?;
    Ok(client.is_some_and(|client| names_power(&client.metadata().scope)))
}

fn of_issuer(id: &IssuerId) -> TrustFilter {
    TrustFilter {
        issuer: Some(id.clone()),
        ..TrustFilter::default()
    }
}

/// What a resource gives, and to which client.
type Given<'r> = (Option<&'r Scope>, &'r ClientId);

fn by_permission(permission: &Permission) -> Given<'_> {
    (permission.scope.as_ref(), &permission.client)
}

fn by_trust(trust: &Trust) -> Given<'_> {
    (Some(&trust.scope), &trust.client)
}

/// Whether that is power: named in the scope, or held by the client.
async fn is_power((scope, client): Given<'_>, view: &mut View<'_>) -> Result<bool, StoreError> {
    Ok(scope.is_some_and(names_power) || is_powerful(client, view).await?)
}

/// Passes over what ends with something else: nothing that files manage is lost so, and power is
/// taken by owners only.
async fn end_all<R: Guarded>(
    which: &R::Filter,
    given: impl Fn(&R) -> Given<'_> + Send + Sync,
    rights: &Rights,
    view: &mut View<'_>,
) -> Result<(), StoreError> {
    for ended in R::registry(view.ports).all_of(which).await? {
        let id = ended.id();
        if view.is_pending::<R>(&id) {
            continue;
        }
        if !rights.is_owner() && is_power(given(&ended), view).await? {
            let (kind, name) = (R::NAME, id.to_text());
            return Err(Denial::NeedsOwner { kind, name }.into());
        }
        rights.check_manager::<R>(&id, [Some(&*ended), None])?;
        view.put::<R>(&id, None);
    }
    Ok(())
}

/// Succeeds unless somebody who is no owner changes what has power before or after.
pub(super) async fn check_power<R: Guarded>(
    id: &R::Id,
    states: [Option<&R>; 2],
    rights: &Rights,
    view: &mut View<'_>,
) -> Result<(), StoreError> {
    if rights.is_owner() {
        return Ok(());
    }
    for state in states.into_iter().flatten() {
        if state.has_power(view).await? {
            let (kind, name) = (R::NAME, id.to_text());
            return Err(Denial::NeedsOwner { kind, name }.into());
        }
    }
    Ok(())
}

/// Where a kind is kept, and how it is changed beside others.
macro_rules! kept {
    ($port:ident) => {
        fn registry(ports: &Ports) -> &dyn Registry<Self> {
            &*ports.$port
        }

        fn any(change: Change<Self>) -> AnyChange {
            change.into()
        }
    };
}

#[async_trait]
impl Guarded for Client {
    kept!(clients);

    async fn has_power(&self, _: &mut View<'_>) -> Result<bool, StoreError> {
        Ok(names_power(&self.metadata().scope))
    }

    async fn end_along(
        id: &ClientId,
        rights: &Rights,
        view: &mut View<'_>,
    ) -> Result<(), StoreError> {
        let of_client = PermissionFilter {
            client: Some(id.clone()),
            ..PermissionFilter::default()
        };
        end_all(&of_client, by_permission, rights, view).await?;
        let of_client = TrustFilter {
            client: Some(id.clone()),
            ..TrustFilter::default()
        };
        end_all(&of_client, by_trust, rights, view).await
    }

    fn touch(id: &ClientId, _: [Option<&Self>; 2], touched: &mut Touched) {
        touched.clients.push(id.clone());
    }
}

#[async_trait]
impl Guarded for Subject {
    kept!(subjects);

    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        is_operator(&self.id, view).await
    }

    async fn end_along(
        id: &SubjectId,
        rights: &Rights,
        view: &mut View<'_>,
    ) -> Result<(), StoreError> {
        view.put::<Operator>(id, None);
        view.put::<Password>(id, None);
        let passkeys = match view.all_of::<Passkey>(&PasskeyFilter::of(id)).await {
            // What cannot be read goes, too, and lets nobody in.
            Err(StoreError::Failed(_)) => Vec::new(),
            passkeys => passkeys?,
        };
        for passkey in passkeys {
            view.put::<Passkey>(&passkey.credential, None);
        }
        let of_subject = PermissionFilter {
            subject: Some(id.clone()),
            ..PermissionFilter::default()
        };
        end_all(&of_subject, by_permission, rights, view).await
    }

    fn touch(id: &SubjectId, _: [Option<&Self>; 2], touched: &mut Touched) {
        touched.subjects.push(id.clone());
    }
}

#[async_trait]
impl Guarded for Operator {
    kept!(operators);

    async fn has_power(&self, _: &mut View<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn end_before(id: &SubjectId, view: &mut View<'_>) -> Result<(), StoreError> {
        view.put::<Password>(id, None);
        for passkey in view.all_of::<Passkey>(&PasskeyFilter::of(id)).await? {
            view.put::<Passkey>(&passkey.credential, None);
        }
        Ok(())
    }

    fn touch(id: &SubjectId, _: [Option<&Self>; 2], touched: &mut Touched) {
        touched.subjects.push(id.clone());
    }
}

#[async_trait]
impl Guarded for Password {
    kept!(passwords);

    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        is_operator(&self.subject, view).await
    }

    fn touch(id: &SubjectId, _: [Option<&Self>; 2], touched: &mut Touched) {
        touched.subjects.push(id.clone());
    }
}

#[async_trait]
impl Guarded for Passkey {
    kept!(passkeys);

    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        is_operator(&self.subject, view).await
    }

    fn touch(_: &CredentialId, states: [Option<&Self>; 2], touched: &mut Touched) {
        let subjects = states.into_iter().flatten();
        let subjects = subjects.map(|passkey| passkey.subject.clone());
        touched.subjects.extend(subjects);
    }
}

#[async_trait]
impl Guarded for Permission {
    kept!(permissions);

    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        Ok(is_power(by_permission(self), view).await? || is_operator(&self.subject, view).await?)
    }
}

#[async_trait]
impl Guarded for ScopeText {
    kept!(scopes);

    async fn has_power(&self, _: &mut View<'_>) -> Result<bool, StoreError> {
        // In whatever case: people read it as the other.
        Ok(Scope::parse(self.name.as_str()).is_ok_and(|scope| names_power(&scope)))
    }
}

#[async_trait]
impl Guarded for Trust {
    kept!(trusts);

    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        let is_of_operator = match &self.subject {
            SubjectMapping::Fixed(subject) => is_operator(subject, view).await?,
            _ => false,
        };
        Ok(is_of_operator || is_power(by_trust(self), view).await?)
    }
}

#[async_trait]
impl Guarded for TrustedIssuer {
    kept!(issuers);

    /// By any of its trusts, or as it makes this server read a file or ask its own networks.
    async fn has_power(&self, view: &mut View<'_>) -> Result<bool, StoreError> {
        if self.fetching.bearer_token_file.is_some() || !self.fetching.allow_internal.is_empty() {
            return Ok(true);
        }
        for found in view.rely_on_all::<Trust>(&of_issuer(&self.id)).await? {
            let trust = view.rely_on::<Trust>(&found.name).await?;
            if let Some(trust) = trust.filter(|trust| trust.issuer == self.id)
                && trust.has_power(view).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn end_along(
        id: &IssuerId,
        rights: &Rights,
        view: &mut View<'_>,
    ) -> Result<(), StoreError> {
        end_all(&of_issuer(id), by_trust, rights, view).await
    }
}
