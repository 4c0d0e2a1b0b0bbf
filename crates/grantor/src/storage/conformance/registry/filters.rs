//! A filter finds what passes it, whatever a backend finds it by, and cursors are of one list.

use std::{fmt::Debug, time::Duration};

use serde_json::{Value, json};

use super::{Hooked, by as laws, permission, public_client, subject};
use crate::{
    clock::{UnixTime, time_text},
    registry::{
        AudiencePolicy, Client, ClientKey, ClientMetadata, ClientSecret, ConsentPolicy,
        Filter as _, Origin, Permission, Resource, ScopeText,
    },
    storage::{
        Change, Cursor, Page, Registry, StoreError,
        conformance::{NOW, Two, at, id, subject_id},
    },
    types::{AuthMethod, DisplayName, Name, Scope},
};

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.throw(of.len() as u64) as usize]
    }
}

/// Parts of names, and of searches: what means something to a database among them.
const PARTS: [&str; 10] = ["a", "B", "é", "%", "_", "\"", "'", "\\", "billing", "-rep*"];
const NAMES: [&str; 2] = ["team", "other-team"];

fn text(dice: &mut Dice, parts: u64) -> String {
    (0..parts).map(|_| *dice.one(&PARTS)).collect()
}

fn manager(dice: &mut Dice) -> Option<Name> {
    let names = [None, None, Some(NAMES[0]), Some(NAMES[1])];
    dice.one(&names)
        .map(|name| Name::parse(name).expect("a name"))
}

/// Some client, of this number.
fn client(dice: &mut Dice, number: u64) -> Client {
    let name = format!("{}{number:02}{}", text(dice, 2), text(dice, 3));
    let methods = [AuthMethod::NONE, AuthMethod::CLIENT_SECRET_BASIC];
    let method = dice.one(&methods).clone();
    let mut metadata = ClientMetadata::new(id(&name), method.clone(), NOW);
    metadata.enabled = dice.throw(3) > 0;
    metadata.audience_policy = *dice.one(&[AudiencePolicy::Strict, AudiencePolicy::Legacy]);
    metadata.managed_by = manager(dice);
    let has_secret = method == AuthMethod::CLIENT_SECRET_BASIC;
    if has_secret {
        metadata.consent = *dice.one(&[ConsentPolicy::Off, ConsentPolicy::Ask]);
    }
    let shown = format!("N {}", text(dice, 3));
    metadata.display_name = DisplayName::parse(&shown)
        .ok()
        .filter(|_| dice.throw(2) > 0);
    let scope = dice.one(&["read", "", "read write"]);
    metadata.scope = Scope::parse(scope).expect("a scope");
    let end = *dice.one(&[None, Some(at(100)), Some(at(200_000))]);
    let secret = || ClientSecret::digest("secret", end);
    let secrets = Vec::from_iter(has_secret.then(secret));
    let key = r#"{"kty":"EC","kid":"k"}"#;
    let keys = match dice.throw(4) {
        0 => vec![ClientKey::from_stored(
            key,
            *dice.one(&[None, Some(at(300_000))]),
        )],
        _ => Vec::new(),
    };
    Client::from_stored(metadata, keys, secrets).expect("a client")
}

/// Some filter, of these members.
fn filter(dice: &mut Dice, members: &[(&str, &[Value])]) -> Value {
    let mut filter = serde_json::Map::new();
    for (member, values) in members {
        if dice.throw(3) == 0 {
            filter.insert((*member).to_owned(), dice.one(values).clone());
        }
    }
    if dice.throw(2) == 0 {
        let parts = dice.throw(3) + 1;
        filter.insert("q".to_owned(), text(dice, parts).into());
    }
    filter.into()
}

fn time(at: UnixTime) -> Value {
    time_text(at).into()
}

async fn page<R: Resource>(
    registry: &dyn Registry<R>,
    filter: &R::Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Page<std::sync::Arc<R>> {
    let page = registry.page(filter, after, limit).await;
    page.expect("a page")
}

/// All pages of this length together.
async fn found<R: Resource>(
    registry: &dyn Registry<R>,
    filter: &R::Filter,
    limit: u32,
) -> Vec<R::Id> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let Page { items, next } = page(registry, filter, after.as_ref(), limit).await;
        assert!(items.len() <= limit as usize);
        ids.extend(items.iter().map(|one| one.id()));
        match next {
            Some(next) => after = Some(Cursor::from_text(next.to_string())),
            None => return ids,
        }
    }
}

/// What pages hold is what passes, in the same order.
async fn finds_what_passes<R: Resource>(registry: &dyn Registry<R>, asked: Value, limit: u32)
where
    R::Filter: Debug,
{
    let filter: R::Filter = serde_json::from_value(asked).expect("a filter");
    let all = registry.all().await.expect("a list");
    let passing = all.iter().filter(|one| filter.passes(one));
    let passing: Vec<_> = passing.map(|one| one.id()).collect();
    let found = found(registry, &filter, limit).await;
    assert_eq!(found, passing, "{} {filter:?}", R::NAME);
}

/// MA13: whatever is asked for, and with whatever letters.
pub async fn ma13_what_passes_a_filter_is_found_to_the_letter<S: Hooked>([one, two]: Two<S>) {
    let (mut dice, by) = (Dice(7), laws());
    let clients: Vec<_> = (0..60).map(|number| client(&mut dice, number)).collect();
    let made = clients.iter().cloned().map(Change::Create).collect();
    one.clients().apply(made, &by).await.expect("registered");
    // A name that was changed is found by the new one alone.
    for client in one.clients().all().await.expect("a list").iter().step_by(9) {
        let mut metadata = client.metadata().clone();
        metadata.display_name = DisplayName::parse(&text(&mut dice, 3)).ok();
        metadata.enabled = !metadata.enabled;
        let (keys, secrets) = (client.keys().to_vec(), client.secrets().to_vec());
        let changed = Client::from_stored(metadata, keys, secrets).expect("a client");
        let changed = changed.with_revision(client.revision());
        one.clients().replace(changed, &by).await.expect("changed");
    }
    for client in clients.iter().step_by(11) {
        one.clients()
            .delete(client.id(), &by)
            .await
            .expect("deleted");
    }
    let times = [time(NOW), time(at(150_000)), time(at(1_000_000))];
    let members: [(&str, &[Value]); 7] = [
        ("enabled", &[json!(true), json!(false)]),
        ("auth_method", &[json!("none"), json!("private_key_jwt")]),
        ("audience_policy", &[json!("strict"), json!("legacy")]),
        ("consent", &[json!("off"), json!("ask"), json!("implied")]),
        ("managed_by", &[json!("team"), json!("nobody")]),
        ("power", &[json!(false), json!(true)]),
        ("ends_before", &times),
    ];
    for limit in [1, 7, 200].into_iter().cycle().take(150) {
        let asked = filter(&mut dice, &members);
        finds_what_passes(two.clients(), asked, limit).await;
    }
}

/// The same of the other kinds.
pub async fn subjects_permissions_and_scopes_are_found_by_what_they_are<S: Hooked>(
    [one, two]: Two<S>,
) {
    let (mut dice, by) = (Dice(11), laws());
    for number in 0..12 {
        let created = one
            .clients()
            .create(public_client(&format!("c{number}")), &by)
            .await;
        created.expect("created");
        let mut person = subject(&format!("{}{number:02}", text(&mut dice, 2)));
        (person.enabled, person.managed_by) = (dice.throw(2) > 0, manager(&mut dice));
        let created = one.subjects().create(person.clone(), &by).await;
        created.expect("created");
        for other in 0..3 {
            let mut given = permission(
                &format!("c{}", number / 3 * 3 + other % 2),
                person.id.as_str(),
            );
            let is_there = number / 3 * 3 + other % 2 <= number && other < 2;
            (given.origin, given.managed_by) = (
                *dice.one(&[Origin::Operator, Origin::Person]),
                manager(&mut dice),
            );
            given.created_at = *dice.one(&[None, Some(NOW), Some(at(8_000_000))]);
            if is_there {
                let created = one.permissions().create(given, &by).await;
                created.expect("created");
            }
        }
        let mut scope = ScopeText::new(format!("s{number}:read").parse().expect("a scope"));
        scope.managed_by = manager(&mut dice);
        one.scopes().create(scope, &by).await.expect("created");
    }
    let managers: &[Value] = &[json!("team"), json!("nobody")];
    let enabled: &[Value] = &[json!(true), json!(false)];
    for limit in [1, 5, 200].into_iter().cycle().take(40) {
        let asked = filter(&mut dice, &[("enabled", enabled), ("managed_by", managers)]);
        finds_what_passes(two.subjects(), asked, limit).await;
        let asked = filter(&mut dice, &[("managed_by", managers)]);
        finds_what_passes(two.scopes(), asked, limit).await;
    }
    let subjects = one.subjects().all().await.expect("a list");
    let subjects: Vec<_> = subjects.iter().map(|person| json!(person.id)).collect();
    let members: [(&str, &[Value]); 5] = [
        ("client", &[json!("c0"), json!("c3"), json!("c4")]),
        ("subject", &subjects),
        ("origin", &[json!("operator"), json!("person")]),
        ("unused_since", &[time(NOW), time(at(9_000_000))]),
        ("managed_by", managers),
    ];
    for limit in [1, 5, 200].into_iter().cycle().take(80) {
        let mut asked = filter(&mut dice, &members);
        asked.as_object_mut().expect("a filter").remove("q");
        finds_what_passes::<Permission>(two.permissions(), asked, limit).await;
    }
}

/// MA13: with the cursor as it is, the list goes on.
pub async fn ma13_a_cursor_is_of_one_list_and_to_the_letter<S: Hooked>([one, two]: Two<S>) {
    let by = laws();
    for name in ["a", "b", "c"] {
        let created = one.clients().create(public_client(name), &by).await;
        created.expect("created");
        let person = one
            .subjects()
            .create(subject(&format!("s-{name}")), &by)
            .await;
        person.expect("created");
        let given = one
            .permissions()
            .create(permission(name, &format!("s-{name}")), &by)
            .await;
        given.expect("created");
    }
    let filter = |asked: Value| serde_json::from_value(asked).expect("a filter");
    let all = filter(json!({}));
    let first = page(one.clients(), &all, None, 1).await;
    let next = first.next.expect("two more").to_string();
    let go_on = async |text: &str, filter| {
        let cursor = Cursor::from_text(text);
        let page = two.clients().page(filter, Some(&cursor), 1).await;
        page.map(|page| page.items[0].id().clone())
    };
    assert_eq!(go_on(&next, &all).await.expect("a page"), id("b"));
    for (at, letter) in next.char_indices() {
        let other = if letter == 'A' { "B" } else { "A" };
        let mut changed = next.clone();
        changed.replace_range(at..=at, other);
        let refused = go_on(&changed, &all).await;
        assert!(
            matches!(refused, Err(StoreError::Cursor)),
            "{changed}: {refused:?}"
        );
    }
    for text in [
        "",
        &next[1..],
        &next[..next.len() - 1],
        &format!("{next}A"),
        "ÿ",
    ] {
        let refused = go_on(text, &all).await;
        assert!(
            matches!(refused, Err(StoreError::Cursor)),
            "{text}: {refused:?}"
        );
    }
    let refused = go_on(&next, &filter(json!({"enabled": true}))).await;
    assert!(
        matches!(refused, Err(StoreError::Cursor)),
        "another filter: {refused:?}"
    );
    let cursor = Cursor::from_text(next);
    let none = Default::default();
    let of_subjects = two.subjects().page(&none, Some(&cursor), 1).await;
    assert!(matches!(of_subjects, Err(StoreError::Cursor)));
    let none = Default::default();
    let of_permissions = two.permissions().page(&none, Some(&cursor), 1).await;
    assert!(matches!(of_permissions, Err(StoreError::Cursor)));
    let whose = subject_id("s-b");
    assert!(
        one.subjects()
            .get(&whose)
            .await
            .expect("an answer")
            .is_some()
    );
}

/// The first to end first, then those that have nothing left, the last first. What never ends, ends
/// long before or after, or belongs to a disabled client is not there.
pub async fn clients_are_found_by_when_their_keys_end<S: Hooked>([one, other]: Two<S>) {
    let key = r#"{"kty":"EC","kid":"k"}"#;
    for (name, keys, secrets) in [
        ("never", &[None][..], &[][..]),
        ("soon", &[Some(at(1_100)), Some(at(1_800))], &[]),
        ("sooner", &[None, Some(at(1_050))], &[]),
        ("later", &[Some(at(5_000))], &[]),
        ("over", &[Some(at(200)), Some(at(500))], &[]),
        ("just over", &[Some(at(990))], &[]),
        ("long over", &[Some(at(50))], &[]),
        ("rotated", &[Some(at(400)), None], &[]),
        ("soon again", &[Some(at(900)), Some(at(1_500))], &[]),
        ("off", &[Some(at(1_020))], &[]),
        ("by secret", &[], &[Some(at(1_060))]),
        ("secret over", &[], &[Some(at(300)), Some(at(700))]),
        ("secret rotated", &[], &[None, Some(at(800))]),
    ] {
        let method = match keys {
            [] => AuthMethod::CLIENT_SECRET_BASIC,
            _ => AuthMethod::PRIVATE_KEY_JWT,
        };
        let mut metadata = ClientMetadata::new(id(name), method, NOW);
        metadata.enabled = name != "off";
        let keys = keys.iter().map(|end| ClientKey::from_stored(key, *end));
        let secrets = secrets.iter();
        let secrets = secrets.map(|end| ClientSecret::digest("secret", *end));
        let client = Client::from_stored(metadata, keys.collect(), secrets.collect());
        let client = client.expect("a client");
        one.clients()
            .create(client, &laws())
            .await
            .expect("created");
    }
    let found = async |limit| {
        let within = Duration::from_secs(900);
        let found = other.clients_ending(at(1_000), within, limit).await;
        let found = found.expect("clients").into_iter();
        found.map(|id| id.to_string()).collect::<Vec<_>>()
    };
    let coming = ["sooner", "by secret", "soon", "soon again"];
    let over = ["just over", "secret over", "over"];
    assert_eq!(found(9).await, [&coming[..], &over].concat());
    assert_eq!(found(1).await, ["sooner", "just over"]);
}
