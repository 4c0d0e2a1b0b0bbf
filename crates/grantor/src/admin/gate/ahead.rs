//! What a batch of changes mentions, so that it is read in a few answers of the store and not in one
//! for each change.
//!
//! It decides nothing: what is not named here is read when it is asked for.

use super::view::View;
use crate::{
    registry::{
        Client, CredentialId, Operator, Passkey, Password, Permission, PermissionId, ScopeText,
        Subject, SubjectMapping, Trust, TrustedIssuer,
    },
    storage::{AnyChange, Change, StoreError},
    types::{ClientId, IssuerId, Name, ScopeToken, SubjectId},
};

/// Names, by their kinds.
#[derive(Default)]
pub(super) struct Mentioned {
    clients: Vec<ClientId>,
    subjects: Vec<SubjectId>,
    operators: Vec<SubjectId>,
    permissions: Vec<PermissionId>,
    scopes: Vec<ScopeToken>,
    passwords: Vec<SubjectId>,
    passkeys: Vec<CredentialId>,
    issuers: Vec<IssuerId>,
    trusts: Vec<Name>,
}

impl Mentioned {
    /// What these changes are of, and whose power they may touch.
    pub(super) fn by(changes: &[AnyChange]) -> Self {
        let mut mentioned = Self::default();
        for change in changes {
            mentioned.add(change);
        }
        mentioned
    }

    fn add(&mut self, change: &AnyChange) {
        match change {
            AnyChange::Client(change) => self.clients.push(change.id()),
            AnyChange::Subject(change) => {
                self.operators.push(change.id());
                self.subjects.push(change.id());
            }
            AnyChange::Operator(change) => self.operators.push(change.id()),
            AnyChange::Permission(change) => {
                let id = change.id();
                self.clients.push(id.client.clone());
                self.operators.push(id.subject.clone());
                self.permissions.push(id);
            }
            AnyChange::Scope(change) => self.scopes.push(change.id()),
            AnyChange::Password(change) => {
                self.operators.push(change.id());
                self.passwords.push(change.id());
            }
            AnyChange::Passkey(change) => self.passkeys.push(change.id()),
            AnyChange::Issuer(change) => self.issuers.push(change.id()),
            AnyChange::Trust(change) => self.add_trust(change),
            AnyChange::NoneSince { .. } => {}
        }
    }

    /// Which client an existing trust has is known when it is read.
    fn add_trust(&mut self, change: &Change<Trust>) {
        self.trusts.push(change.id());
        if let Change::Create(trust) | Change::Replace(trust) = change {
            self.clients.push(trust.client.clone());
            if let SubjectMapping::Fixed(subject) = &trust.subject {
                self.operators.push(subject.clone());
            }
        }
    }

    /// Reads all of it.
    pub(super) async fn read(self, view: &mut View<'_>) -> Result<(), StoreError> {
        view.read_ahead::<Client>(&self.clients).await?;
        view.read_ahead::<Subject>(&self.subjects).await?;
        view.read_ahead::<Operator>(&self.operators).await?;
        view.read_ahead::<Permission>(&self.permissions).await?;
        view.read_ahead::<ScopeText>(&self.scopes).await?;
        view.read_ahead::<Password>(&self.passwords).await?;
        view.read_ahead::<Passkey>(&self.passkeys).await?;
        view.read_ahead::<TrustedIssuer>(&self.issuers).await?;
        view.read_ahead::<Trust>(&self.trusts).await
    }
}
