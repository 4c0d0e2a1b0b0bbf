//! Whether what a decision rests on is still as it was read (law 4).
//!
//! A claim may wait, and meanwhile a client is disabled, a key taken away or a permission narrowed.
//! Where several nodes share a storage, the answer to a claim brings what others have changed. So
//! all that a decision rests on is read again just before a token is issued, from memory. If it is
//! in another state, nothing is answered: the request is refused as if the storage were away, for
//! the new state may grant it.

use std::sync::Arc;

use super::{Approval, Context, Decision, IssueError};
use crate::{
    assertion::Party,
    registry::{Client, Limit, Revision, Subject, Trust, TrustedIssuer},
};

/// What callers and assertions of a request have proven themselves by, as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    clients: Vec<Arc<Client>>,
    trusts: Vec<(Arc<TrustedIssuer>, Arc<Trust>)>,
}

impl Proofs {
    /// This client, once.
    pub(super) fn add_client(&mut self, client: &Arc<Client>) {
        if !self.clients.iter().any(|known| Arc::ptr_eq(known, client)) {
            self.clients.push(client.clone());
        }
    }

    /// The party of an assertion, and the trust that took it where that is an issuer.
    pub(super) fn add_party(&mut self, party: &Party, trust: Option<&Arc<Trust>>) {
        match (party, trust) {
            (Party::Client(client), _) => self.add_client(client),
            (Party::Issuer(issuer), Some(trust)) => {
                self.trusts.push((issuer.clone(), trust.clone()));
            }
            // It proves nothing (law 11).
            (Party::Issuer(_), None) => {}
        }
    }
}

/// Which states of a subject and its permissions a grant has read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Permitted {
    subject: Option<Revision>,
    operator: Option<Revision>,
    person: Option<Revision>,
}

impl Permitted {
    /// This subject, under no permission.
    pub(super) fn about(subject: &Subject) -> Self {
        Self {
            subject: Some(subject.revision),
            ..Self::default()
        }
    }

    /// The permissions that count.
    pub(super) fn by(self, limit: &Limit<'_>) -> Self {
        let (operator, person) = limit.revisions();
        Self {
            operator,
            person,
            ..self
        }
    }
}

/// Succeeds if and only if the client, its proofs, the subject and the permissions of this approval
/// are as they were read.
///
/// # Errors
/// [`IssueError::Changed`], [`IssueError::Store`]
pub(super) async fn check(
    context: &Context,
    approval: &Approval,
    decision: &mut Decision,
) -> Result<(), IssueError> {
    decision.proofs.add_client(approval.client());
    check_proofs(context, decision).await?;
    let permitted = approval.permitted();
    if permitted.subject.is_some() {
        // In a box, for most tokens are about the client itself.
        Box::pin(check_permitted(context, approval, permitted)).await?;
    }
    Ok(())
}

/// Succeeds if and only if what callers and assertions have proven themselves by is as it was read.
///
/// # Errors
/// As for [`check`].
pub(super) async fn check_proofs(context: &Context, decision: &Decision) -> Result<(), IssueError> {
    let Proofs { clients, trusts } = &decision.proofs;
    for client in clients {
        let found = context.clients().client(client.id()).await?;
        let found = found.filter(|found| found.metadata().enabled);
        let found = found.map(|found| found.revision());
        is_same("client", client.revision(), found)?;
    }
    for (issuer, trust) in trusts {
        Box::pin(check_trust(context, issuer, trust)).await?;
    }
    Ok(())
}

async fn check_trust(
    context: &Context,
    issuer: &TrustedIssuer,
    trust: &Trust,
) -> Result<(), IssueError> {
    let issuers = context.issuers().await?;
    let found = issuers.numbered(issuer.revision.number);
    let found = found.map(|found| found.revision);
    is_same("issuer", issuer.revision, found)?;
    let trusts = context.trusts(issuer).await?;
    let found = trusts.numbered(trust.revision.number);
    let found = found.map(|found| found.revision);
    is_same("trust", trust.revision, found)
}

async fn check_permitted(
    context: &Context,
    approval: &Approval,
    read: Permitted,
) -> Result<(), IssueError> {
    let (client, subject) = (approval.client().id(), approval.subject());
    if let Some(read) = read.subject {
        let found = context.subjects().subject(subject).await?;
        let found = found.filter(|found| found.enabled);
        is_same("subject", read, found.map(|found| found.revision))?;
    }
    if read.operator.or(read.person).is_none() {
        return Ok(());
    }
    let permissions = context.permissions();
    let found = permissions.permissions_of(client, subject).await?;
    let counted = [
        (read.operator, found.operator()),
        (read.person, found.person()),
    ];
    for (read, found) in counted {
        if let Some(read) = read {
            is_same("permission", read, found.map(|found| found.revision))?;
        }
    }
    Ok(())
}

/// The state that was read is the one that was found. A registration made by hand has the default
/// revision, and may be found nowhere.
fn is_same(what: &'static str, read: Revision, found: Option<Revision>) -> Result<(), IssueError> {
    match read == found.unwrap_or_default() {
        true => Ok(()),
        false => Err(IssueError::Changed(what)),
    }
}
