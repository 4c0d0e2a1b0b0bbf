//! M014: where somebody can come in as owner, somebody can afterwards.

use super::view::View;
use crate::{
    registry::{
        Client, ClientFilter, CredentialId, Denial, Operator, OperatorFilter, Passkey,
        PasskeyFilter, Password, Role, Subject,
    },
    storage::StoreError,
    types::{ClientId, SubjectId},
};

/// Those of whom changes may have taken the way in.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) subjects: Vec<SubjectId>,
    pub(super) clients: Vec<ClientId>,
}

/// Succeeds if the changes take nobody's way in, or leave one: a person's, or, where no person had
/// one, a client's. The decision rests on the one that is left.
pub(super) async fn check(touched: Touched, view: &mut View<'_>) -> Result<(), StoreError> {
    let mut now = View::of(view.ports);
    now.read_ahead::<Operator>(&touched.subjects).await?;
    now.read_ahead::<Client>(&touched.clients).await?;
    let (mut loses_person, mut loses_client) = (false, false);
    for subject in &touched.subjects {
        if way_in(subject, &mut now).await?.is_some() {
            loses_person |= !is_sure_to_sign_in(subject, view).await?;
        }
    }
    for client in &touched.clients {
        loses_client |= is_owner(client, &mut now).await? && !is_owner(client, view).await?;
    }
    let is_one_left = match (loses_person, loses_client) {
        (false, false) => true,
        (true, _) => is_person_left(touched.subjects, view).await?,
        (false, true) => {
            is_person_left(touched.subjects, view).await?
                || is_client_left(touched.clients, view).await?
        }
    };
    match is_one_left {
        true => Ok(()),
        false => Err(Denial::LastOwner.into()),
    }
}

/// What an owner signs in with.
enum Way {
    Password,
    Passkey(CredentialId),
}

/// One way in of this subject, if it is an owner who can sign in.
async fn way_in(subject: &SubjectId, view: &mut View<'_>) -> Result<Option<Way>, StoreError> {
    let operator = view.get::<Operator>(subject).await?;
    if operator.is_none_or(|operator| operator.role != Role::Owner) {
        return Ok(None);
    }
    let registered = view.get::<Subject>(subject).await?;
    if !registered.is_some_and(|subject| subject.enabled) {
        return Ok(None);
    }
    if view.get::<Password>(subject).await?.is_some() {
        return Ok(Some(Way::Password));
    }
    let passkeys = view.all_of::<Passkey>(&PasskeyFilter::of(subject)).await?;
    let one = passkeys.first().map(|passkey| passkey.credential.clone());
    Ok(one.map(Way::Passkey))
}

/// Whether this subject is an owner who can sign in. The decision rests on the way by which.
async fn is_sure_to_sign_in(subject: &SubjectId, view: &mut View<'_>) -> Result<bool, StoreError> {
    let Some(way) = way_in(subject, view).await? else {
        return Ok(false);
    };
    view.rely_on::<Operator>(subject).await?;
    view.rely_on::<Subject>(subject).await?;
    match way {
        Way::Password => drop(view.rely_on::<Password>(subject).await?),
        Way::Passkey(id) => drop(view.rely_on::<Passkey>(&id).await?),
    }
    Ok(true)
}

/// Whether this client is an owner that is accepted.
async fn is_owner(client: &ClientId, view: &mut View<'_>) -> Result<bool, StoreError> {
    let client = view.get::<Client>(client).await?;
    Ok(client.is_some_and(|client| {
        let metadata = client.metadata();
        metadata.enabled && Role::of_scope(&metadata.scope) == Some(Role::Owner)
    }))
}

async fn is_person_left(touched: Vec<SubjectId>, view: &mut View<'_>) -> Result<bool, StoreError> {
    let owners = OperatorFilter {
        role: Some(Role::Owner),
    };
    let owners = view.ports.operators.all_of(&owners).await?;
    let owners = owners.iter().map(|operator| operator.subject.clone());
    for subject in owners.chain(touched) {
        if is_sure_to_sign_in(&subject, view).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn is_client_left(touched: Vec<ClientId>, view: &mut View<'_>) -> Result<bool, StoreError> {
    let powerful = ClientFilter {
        enabled: Some(true),
        power: Some(true),
        ..ClientFilter::default()
    };
    let powerful = view.ports.clients.all_of(&powerful).await?;
    let powerful = powerful.iter().map(|client| client.id().clone());
    for client in powerful.chain(touched) {
        if is_owner(&client, view).await? {
            view.rely_on::<Client>(&client).await?;
            return Ok(true);
        }
    }
    Ok(false)
}
