//! The laws of the registries.

mod changing;
mod filters;
mod issuers;
mod lists;
mod many;
mod operators;
mod permissions;
mod records;
mod resources;

use std::sync::Arc;

use grantor_jose::{Algorithm, PrivateJwk, VerificationKey};
use zeroize::Zeroizing;

use super::{NOW, id, subject_id};
use crate::{
    clock::UnixTime,
    registry::{
        Actor, Client, ClientKey, ClientMetadata, ClientSecret, Permission, Permissions, Revision,
        Subject,
    },
    storage::{
        ClientEnds, ClientSource, PermissionSource, Registries, StoreError, SubjectPermissions,
        SubjectSource,
    },
    types::{AuthMethod, GrantType, Scope},
};

pub use self::{
    changing::*, filters::*, issuers::*, lists::*, many::*, operators::*, permissions::*,
    records::*, resources::*,
};
pub use super::person::{
    c005_a_text_of_a_scope_is_kept, c055_a_password_ends_with_its_subject,
    c055_passkeys_end_with_their_subject, c092_a_passkey_is_one_subjects,
    c094_a_password_is_a_subjects, m081_no_key_of_a_passkey_is_in_a_record,
    no_digest_is_in_a_record,
};

/// Generates one test for each law of the registries. `registry_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! registry_suite {
    ($make:path) => { $crate::registry_suite!(@tests $make); };
    (run $make:path) => { $crate::registry_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how registry $make:
            a_client_comes_back_as_it_went_in
            a_changed_client_is_seen_on_the_next_read
            a_change_by_one_node_is_seen_by_another
            a_change_that_was_overtaken_changes_nothing
            a_change_of_an_earlier_registration_changes_nothing
            no_change_is_lost_among_many_at_once
            a_manager_comes_back_and_goes
            a_number_is_never_given_again
            names_are_taken_once
            deleting_a_client_takes_its_permissions_along
            deleting_a_subject_takes_its_permissions_along
            permissions_need_both_sides
            operator_and_person_give_apart
            a_permission_that_is_withdrawn_is_gone_at_every_node
            permissions_are_found_by_their_subject
            clients_are_found_by_when_their_keys_end
            lists_are_in_order
            nothing_is_changed_unless_everything_is
            of_many_changes_none_is_made_unless_all_are
            of_many_changes_each_is_made_in_its_place
            of_many_conditions_each_has_to_hold
            pages_hold_everything_once_while_rows_come_and_go
            a_cursor_of_another_list_is_refused
            ma13_what_passes_a_filter_is_found_to_the_letter
            subjects_permissions_and_scopes_are_found_by_what_they_are
            ma13_a_cursor_is_of_one_list_and_to_the_letter
            only_the_expected_state_is_removed
            a_change_is_recorded_with_what_was_and_what_is
            what_goes_along_is_recorded_too
            what_was_not_changed_is_not_recorded
            no_secret_is_in_a_record
            several_kinds_are_changed_at_once
            of_several_kinds_nothing_is_changed_unless_everything_is
            changes_are_found_by_what_they_say
            the_last_changes_are_found_and_then_followed
            a_record_of_changes_that_is_followed_gives_each_once
            a_registry_satisfies_the_hooks
            c005_a_text_of_a_scope_is_kept
            c094_a_password_is_a_subjects
            c055_a_password_ends_with_its_subject
            no_digest_is_in_a_record
            c092_a_passkey_is_one_subjects
            c055_passkeys_end_with_their_subject
            m081_no_key_of_a_passkey_is_in_a_record
            an_operator_is_a_subject_with_one_role
            what_a_subject_signs_in_with_ends_with_its_first_role
            a_role_ends_with_its_subject
            a_change_is_made_only_where_what_it_rests_on_is_as_expected
            what_was_expected_is_answered
            a_change_is_made_only_while_no_other_of_a_kind_has_come
            issuers_and_trusts_come_back_as_they_went_in
            t018_an_iss_is_no_client_id
            an_issuer_has_an_iss_a_name_and_a_trust_domain_of_its_own
            a_trust_needs_its_issuer_and_its_client
            t092_trusts_end_with_their_issuer
            trusts_end_with_their_client
            t090_a_change_of_an_issuer_or_a_trust_is_in_force
            a_trust_that_is_given_to_another_issuer_is_its
            of_issuers_and_trusts_nothing_is_changed_unless_everything_is
            issuers_and_trusts_are_listed_in_order
            no_uploaded_key_is_in_a_record
        }
    };
}

/// A backend with all registries, and the hooks of the request path that they satisfy.
pub trait Hooked:
    Registries + ClientSource + ClientEnds + SubjectSource + PermissionSource + SubjectPermissions
{
}

impl<T> Hooked for T where
    T: Registries
        + ClientSource
        + ClientEnds
        + SubjectSource
        + PermissionSource
        + SubjectPermissions
{
}

/// The actor of all changes here.
pub(super) fn by() -> Actor {
    Actor::program("laws")
}

pub(super) fn subject(text: &str) -> Subject {
    Subject::new(subject_id(text)).registered_at(NOW)
}

fn permission(client: &str, subject: &str) -> Permission {
    let scope = Scope::parse("read").expect("a scope");
    Permission::new(id(client), subject_id(subject), Some(scope)).given_at(NOW)
}

fn public_client(name: &str) -> Client {
    Client::new(
        ClientMetadata::new(id(name), AuthMethod::NONE, NOW),
        Vec::new(),
        Vec::new(),
    )
    .expect("a client")
}

/// A key as another program might have written it into a database.
const UNUSABLE: &str = r#"{ "kty": "RSA", "kid": "no n" }"#;

/// A client with one of everything.
fn full_client(name: &str) -> Client {
    let key = PrivateJwk::generate(Algorithm::Es256)
        .expect("a key")
        .public();
    let expiry = Some(UnixTime::from_millis(NOW.millis() + 5));
    let key = ClientKey::new(VerificationKey::from_jwk(key).expect("a key"), expiry);
    let readable =
        ClientSecret::readable(Zeroizing::new("s".repeat(64)), expiry).expect("a secret");
    let mut metadata = ClientMetadata::new(id(name), AuthMethod::CLIENT_SECRET_JWT, NOW);
    metadata.scope = Scope::parse("read write").expect("a scope");
    metadata.signing_algorithm = Some(Algorithm::Hs384);
    metadata.grant_types = vec![
        GrantType::CLIENT_CREDENTIALS,
        GrantType::from_static("urn:example:own"),
    ];
    let unusable = ClientKey::from_stored(UNUSABLE, None);
    Client::new(
        metadata,
        vec![key, unusable],
        vec![readable, ClientSecret::digest("other", None)],
    )
    .expect("a client")
}

fn disabled(client: &Client) -> Client {
    let mut metadata = client.metadata().clone();
    metadata.enabled = false;
    client
        .changed(metadata, client.keys().to_vec(), client.secrets().to_vec())
        .expect("a client")
}

async fn read(store: &impl Hooked, name: &str) -> Option<Arc<Client>> {
    store.client(&id(name)).await.expect("the store answers")
}

pub(super) fn is_missing<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Missing(_)))
}

pub(super) fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

pub(super) fn exists<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Exists(_)))
}

async fn store_with_permission<S: Hooked>(store: &S) {
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    store
        .permissions()
        .create(permission("a", "b"), &by())
        .await
        .expect("created");
    let found = permissions(store, "a", "b").await;
    let found = found.operator().expect("the permission");
    assert!(found.revision.number > 0);
    assert_eq!(as_given(found), permission("a", "b"));
}

/// What client and subject of these names have.
async fn permissions<S: Hooked>(store: &S, client: &str, subject: &str) -> Permissions {
    let found = store
        .permissions_of(&id(client), &subject_id(subject))
        .await;
    found.expect("the store answers")
}

/// A permission as it was before it was registered.
fn as_given(permission: &Permission) -> Permission {
    Permission {
        revision: Revision::default(),
        ..permission.clone()
    }
}
