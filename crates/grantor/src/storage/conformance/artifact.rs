//! The laws of artifacts.

use std::collections::BTreeSet;

use super::{NOW, QUOTA, Two, at};
use crate::{
    clock::UnixTime,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, FamilyId, GroupId, Put, Spared,
        StoreError,
    },
};

/// Generates one test for each law of [`Artifacts`]. `artifact_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! artifact_suite {
    ($make:path) => { $crate::artifact_suite!(@tests $make); };
    (run $make:path) => { $crate::artifact_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how artifact $make:
            an_artifact_comes_back_as_it_went_in
            an_artifact_is_kept_apart_by_kind_and_never_overwritten
            an_expired_artifact_is_absent
            one_of_many_concurrent_takers_gets_it
            a_replacement_of_another_version_changes_nothing
            one_of_many_concurrent_replacements_wins
            an_ended_family_takes_all_of_its_own_along
            a_group_lists_what_is_there_newest_first
            ending_a_group_ends_its_families_and_spares_what_it_is_told_to
            of_a_group_many_nodes_keep_only_the_newest
            what_has_ended_with_its_group_is_not_replaced
            a_revoked_token_stays_revoked
            a_client_over_its_quota_keeps_no_more_tokens
            a_client_over_its_quota_keeps_no_more_revocations
            a_further_node_adds_no_more_than_a_sixteenth_to_a_quota
            what_is_in_force_stays_when_what_has_expired_is_forgotten
        }
    };
}

const KIND: ArtifactKind = ArtifactKind::new("urn:example:ticket");

fn key(text: &str) -> ArtifactKey {
    ArtifactKey::of(KIND, text)
}

/// For a minute.
fn ticket(document: &str) -> Artifact {
    Artifact::new(NOW, at(60)).holding(&document)
}

async fn put(node: &impl Artifacts, key: ArtifactKey, artifact: Artifact) {
    let put = node.put(key, artifact, QUOTA).await;
    assert_eq!(put.expect("the store answers"), Put::Kept);
}

async fn get(node: &impl Artifacts, key: ArtifactKey, now: UnixTime) -> Option<Artifact> {
    node.get(&key, now).await.expect("the store answers")
}

async fn take(node: &impl Artifacts, key: ArtifactKey) -> Option<Artifact> {
    node.take(key, NOW).await.expect("the store answers")
}

async fn end(node: &impl Artifacts, family: FamilyId, owner: Option<u64>, quota: u64) -> Put {
    let (at, until) = (NOW, at(60));
    let ending = Ending { owner, at, until };
    let ended = node.end_family(family, ending, quota).await;
    ended.expect("the store answers")
}

async fn has_ended(node: &impl Artifacts, family: FamilyId) -> bool {
    let decided = node.family_has_ended(&family, NOW).await;
    decided.expect("the store answers")
}

/// Every member survives, and every node finds it.
pub async fn an_artifact_comes_back_as_it_went_in<S: Artifacts>([one, two]: Two<S>) {
    let full = ticket("with \u{1f511}, \u{0} and \"\"")
        .owned_by(Some(1))
        .in_family(Some(FamilyId::of("f")));
    put(&*one, key("full"), full.clone()).await;
    put(&*two, key("bare"), Artifact::new(NOW, at(60))).await;
    for node in [&*one, &*two] {
        let found = get(node, key("full"), NOW).await.expect("it is there");
        assert_eq!(found, full);
        let text = found.read::<String>().expect("its document");
        assert_eq!(text, "with \u{1f511}, \u{0} and \"\"");
        let bare = get(node, key("bare"), NOW).await;
        assert_eq!(bare, Some(Artifact::new(NOW, at(60))));
        assert_eq!(get(node, key("none"), NOW).await, None);
    }
}

/// The same text of another kind stands for something else, and a key that is in use is not given
/// again before what is under it has expired.
pub async fn an_artifact_is_kept_apart_by_kind_and_never_overwritten<S: Artifacts>(
    [one, two]: Two<S>,
) {
    put(&*one, key("t"), ticket("first")).await;
    let other = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, "t");
    assert_eq!(get(&*two, other, NOW).await, None);
    put(&*two, other, ticket("other")).await;
    for node in [&*one, &*two] {
        let again = node.put(key("t"), ticket("second"), QUOTA).await;
        assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
        assert_eq!(get(node, key("t"), NOW).await, Some(ticket("first")));
        assert_eq!(get(node, other, NOW).await, Some(ticket("other")));
    }
    let later = Artifact::new(at(60), at(90)).holding(&"second");
    put(&*two, key("t"), later.clone()).await;
    assert_eq!(get(&*one, key("t"), at(60)).await, Some(later));
}

/// From its end on it cannot be read, replaced or taken.
pub async fn an_expired_artifact_is_absent<S: Artifacts>([one, two]: Two<S>) {
    put(&*one, key("t"), ticket("t")).await;
    for node in [&*one, &*two] {
        assert!(get(node, key("t"), at(59)).await.is_some());
    }
    for node in [&*one, &*two] {
        assert_eq!(get(node, key("t"), at(60)).await, None);
        let taken = node.take(key("t"), at(60)).await;
        assert_eq!(taken.expect("the store answers"), None);
        let replaced = node.replace(key("t"), ticket("u"), at(60)).await;
        assert!(matches!(replaced, Err(StoreError::Missing(_))));
    }
}

/// Law 13: taken once, whichever nodes are asked at once; and what was taken stays taken.
pub async fn one_of_many_concurrent_takers_gets_it<S: Artifacts>(nodes: Two<S>) {
    for round in 0..8 {
        let key = key(&format!("t {round}"));
        put(&*nodes[round % 2], key, ticket("t")).await;
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let node = nodes[number % 2].clone();
                tokio::spawn(async move { take(&*node, key).await })
            })
            .collect();
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(task.await.expect("no panic"));
        }
        assert_eq!(taken, [ticket("t")]);
        for node in &nodes {
            assert_eq!(take(&**node, key).await, None);
            assert_eq!(get(&**node, key, NOW).await, None);
            let replaced = node.replace(key, ticket("u"), NOW).await;
            assert!(matches!(replaced, Err(StoreError::Missing(_))));
        }
    }
}

/// Only what is still as it was read is replaced: its end and its document.
pub async fn a_replacement_of_another_version_changes_nothing<S: Artifacts>([one, two]: Two<S>) {
    let first = ticket("first")
        .owned_by(Some(1))
        .in_family(Some(FamilyId::of("f")));
    put(&*one, key("t"), first.clone()).await;
    let mut second = first.clone().holding(&"second");
    second.expires_at = at(90);
    let replaced = two.replace(key("t"), second.clone(), NOW).await;
    replaced.expect("the version that was read");
    second.version = 2;
    for node in [&*one, &*two] {
        let stale = node.replace(key("t"), first.clone(), NOW).await;
        assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
        assert_eq!(get(node, key("t"), at(60)).await, Some(second.clone()));
    }
    let none = one.replace(key("none"), ticket("none"), NOW).await;
    assert!(matches!(none, Err(StoreError::Missing(_))), "{none:?}");
}

/// Of several that have read the same version one replaces it.
pub async fn one_of_many_concurrent_replacements_wins<S: Artifacts>(nodes: Two<S>) {
    put(&*nodes[0], key("t"), ticket("t")).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let node = nodes[number % 2].clone();
            let next = ticket(&number.to_string());
            tokio::spawn(async move { node.replace(key("t"), next, NOW).await })
        })
        .collect();
    let mut replaced = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        match task.await.expect("no panic") {
            Ok(()) => replaced.push(number.to_string()),
            Err(error) => assert!(matches!(error, StoreError::Conflict(_)), "{error}"),
        }
    }
    let found = get(&*nodes[1], key("t"), NOW).await.expect("it is there");
    let text = found.read::<String>().expect("its document");
    assert_eq!((found.version, replaced), (2, vec![text]));
}

/// Law 13: what belongs to an ended family is not there any more, also what is put later; what
/// belongs to none, or to another, is.
pub async fn an_ended_family_takes_all_of_its_own_along<S: Artifacts>([one, two]: Two<S>) {
    let (ended, other) = (FamilyId::of("ended"), FamilyId::of("other"));
    let of = |family| ticket("t").in_family(family);
    put(&*one, key("1"), of(Some(ended))).await;
    put(&*two, key("2"), of(Some(ended))).await;
    put(&*two, key("other"), of(Some(other))).await;
    put(&*one, key("none"), of(None)).await;
    for node in [&*one, &*two] {
        assert_eq!(end(node, ended, None, 0).await, Put::Kept, "again too");
    }
    for (text, node) in [("3", &*one), ("4", &*two)] {
        put(node, key(text), of(Some(ended))).await;
    }
    for node in [&*one, &*two] {
        for text in ["1", "2", "3", "4"] {
            assert_eq!(get(node, key(text), NOW).await, None, "{text}");
            assert_eq!(get(node, key(text), at(59)).await, None, "{text}");
            assert_eq!(take(node, key(text)).await, None, "{text}");
            let replaced = node.replace(key(text), of(None), NOW).await;
            assert!(matches!(replaced, Err(StoreError::Missing(_))), "{text}");
        }
        for text in ["other", "none"] {
            assert!(get(node, key(text), NOW).await.is_some(), "{text}");
        }
        assert!(has_ended(node, ended).await && !has_ended(node, other).await);
    }
    let (owner, until) = (None, at(3600));
    let ending = Ending {
        owner,
        at: NOW,
        until,
    };
    let longer = one.end_family(ended, ending, 0).await;
    assert_eq!(longer.expect("the store answers"), Put::Kept);
    let late = Artifact::new(NOW, until).in_family(Some(ended));
    put(&*two, key("late"), late).await;
    for node in [&*one, &*two] {
        assert_eq!(get(node, key("late"), at(120)).await, None);
    }
}

async fn listed(node: &impl Artifacts, group: &str, now: UnixTime) -> Vec<ArtifactKey> {
    let listed = node.list(KIND, &GroupId::of(group), now, 100).await;
    let listed = listed.expect("the store answers");
    listed.into_iter().map(|(key, _)| key).collect()
}

async fn end_group(node: &impl Artifacts, group: &str, spared: Spared) {
    let (owner, at, until) = (None, NOW, at(60));
    let ending = Ending { owner, at, until };
    let ended = node.end_group(KIND, GroupId::of(group), spared, ending);
    ended.await.expect("the store answers");
}

/// Of the group, made so many seconds ago; in a family of the same name as its text.
async fn put_in(node: &impl Artifacts, group: &str, text: &str, ago: i64) -> Artifact {
    let created = UnixTime::from_millis(NOW.millis() - ago * 1000);
    let artifact = Artifact::new(created, at(60))
        .holding(&text)
        .owned_by(Some(7))
        .in_family(Some(FamilyId::of(text)))
        .in_group(Some(GroupId::of(group)));
    put(node, key(text), artifact.clone()).await;
    artifact
}

/// What is there, of this kind and this group alone, whole: not what has expired, was taken or has
/// ended with its family.
pub async fn a_group_lists_what_is_there_newest_first<S: Artifacts>([one, two]: Two<S>) {
    assert_eq!(listed(&*one, "g", NOW).await, []);
    let old = put_in(&*one, "g", "old", 9).await;
    let new = put_in(&*two, "g", "new", 1).await;
    let middle = put_in(&*one, "g", "middle", 5).await;
    put_in(&*two, "other", "of another", 3).await;
    put(&*one, key("of none"), ticket("of none")).await;
    let group = GroupId::of("g");
    let of_another_kind = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, "token");
    put(&*one, of_another_kind, ticket("t").in_group(Some(group))).await;
    for node in [&*one, &*two] {
        let all = node.list(KIND, &group, NOW, 100).await;
        let expected = [("new", &new), ("middle", &middle), ("old", &old)];
        let expected = expected.map(|(text, artifact)| (key(text), artifact.clone()));
        assert_eq!(all.expect("the store answers"), expected);
        let first = node.list(KIND, &group, NOW, 2).await;
        assert_eq!(first.expect("the store answers"), expected[..2]);
        assert_eq!(listed(node, "g", at(60)).await, [], "expired");
        assert_eq!(listed(node, "other", NOW).await, [key("of another")]);
    }
    let mut replaced = new;
    replaced.document = String::new();
    let done = two.replace(key("new"), replaced, NOW).await;
    done.expect("it stays in its group");
    assert_eq!(take(&*two, key("middle")).await, Some(middle));
    assert_eq!(end(&*one, FamilyId::of("old"), None, 0).await, Put::Kept);
    put_in(&*two, "g", "newest", 0).await;
    let family = FamilyId::of("old");
    let late = ticket("late").in_group(Some(group)).in_family(Some(family));
    put(&*two, key("late"), late).await;
    for node in [&*one, &*two] {
        let left = listed(node, "g", NOW).await;
        assert_eq!(left, [key("newest"), key("new")]);
    }
    let twins = [key("a"), key("b"), key("c")];
    for twin in twins {
        put(
            &*one,
            twin,
            ticket("t").in_group(Some(GroupId::of("twins"))),
        )
        .await;
    }
    let by_digest = BTreeSet::from(twins.map(|key| *key.digest()));
    for node in [&*one, &*two] {
        let listed = listed(node, "twins", NOW).await;
        assert!(listed.iter().map(ArtifactKey::digest).eq(&by_digest));
    }
}

/// All at once: what is in a family goes with all of it, and with what is put into it later; what is
/// spared, and what is of another group or kind, stays.
pub async fn ending_a_group_ends_its_families_and_spares_what_it_is_told_to<S: Artifacts>(
    [one, two]: Two<S>,
) {
    for (text, ago) in [("1", 0), ("2", 1), ("3", 2), ("4", 3)] {
        put_in(&*one, "g", text, ago).await;
    }
    let alone = ticket("alone").in_group(Some(GroupId::of("g")));
    put(&*one, key("alone"), alone).await;
    put_in(&*one, "other", "5", 0).await;
    let group = GroupId::of("g");
    let token = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, "token");
    put(&*two, token, ticket("t").in_group(Some(group))).await;
    let of_family = |text| ticket("t").in_family(Some(FamilyId::of(text)));
    put(&*two, key("with 4"), of_family("4")).await;
    put(&*two, key("with 1"), of_family("1")).await;

    end_group(&*two, "g", Spared::Newest(5)).await;
    assert_eq!(listed(&*one, "g", NOW).await.len(), 5);
    end_group(&*two, "g", Spared::Newest(4)).await;
    for node in [&*one, &*two] {
        for text in ["4", "with 4"] {
            assert_eq!(get(node, key(text), NOW).await, None, "{text}");
        }
        assert!(has_ended(node, FamilyId::of("4")).await);
        assert!(get(node, key("with 1"), NOW).await.is_some());
        assert_eq!(listed(node, "g", NOW).await.len(), 4);
    }
    end_group(&*one, "g", Spared::One(key("2"))).await;
    for node in [&*one, &*two] {
        for text in ["1", "3", "alone", "with 1"] {
            assert_eq!(get(node, key(text), NOW).await, None, "{text}");
        }
        assert_eq!(listed(node, "g", NOW).await, [key("2")]);
        assert!(!has_ended(node, FamilyId::of("2")).await);
    }
    end_group(&*two, "g", Spared::Nothing).await;
    end_group(&*one, "g", Spared::Nothing).await;
    for (number, text) in ["1", "2", "3", "4"].into_iter().enumerate() {
        put(&*one, key(&format!("late {number}")), of_family(text)).await;
    }
    put_in(&*one, "g", "later", 0).await;
    for node in [&*one, &*two] {
        for number in 0..4 {
            let late = key(&format!("late {number}"));
            assert_eq!(get(node, late, NOW).await, None, "{number}");
        }
        assert_eq!(listed(node, "g", NOW).await, [key("later")]);
        assert_eq!(listed(node, "other", NOW).await, [key("5")]);
        assert!(get(node, token, NOW).await.is_some(), "of another kind");
    }
}

/// Whoever adds one ends what is one too many, at whichever node: none is left over, and none of
/// the newest ends.
pub async fn of_a_group_many_nodes_keep_only_the_newest<S: Artifacts>(nodes: Two<S>) {
    let tasks: Vec<_> = (0..12)
        .zip(nodes.iter().cycle())
        .map(|(number, node)| {
            let node = node.clone();
            tokio::spawn(async move {
                put_in(&*node, "g", &number.to_string(), number).await;
                end_group(&*node, "g", Spared::Newest(3)).await;
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    for node in &nodes {
        let newest = ["0", "1", "2"].map(key);
        assert_eq!(listed(&**node, "g", NOW).await, newest);
    }
}

/// A rotation that a withdrawal overtakes gives nothing back.
pub async fn what_has_ended_with_its_group_is_not_replaced<S: Artifacts>([one, two]: Two<S>) {
    let known = put_in(&*one, "g", "t", 0).await;
    let other = put_in(&*one, "other", "u", 0).await;
    end_group(&*two, "g", Spared::Nothing).await;
    for node in [&*one, &*two] {
        let replaced = node.replace(key("t"), known.clone(), NOW).await;
        assert!(matches!(replaced, Err(StoreError::Missing(_))));
        assert_eq!(get(node, key("t"), NOW).await, None);
    }
    let replaced = two.replace(key("u"), other, NOW).await;
    replaced.expect("of another group");
}

/// Revoking is remembered, for the one token and at every node, and may be repeated.
pub async fn a_revoked_token_stays_revoked<S: Artifacts>([one, two]: Two<S>) {
    let [t, u] = ["t", "u"].map(FamilyId::of);
    assert!(!has_ended(&*one, t).await && !has_ended(&*two, t).await);
    for node in [&*one, &*two] {
        assert_eq!(end(node, t, Some(1), QUOTA).await, Put::Kept);
        assert!(has_ended(&*one, t).await && has_ended(&*two, t).await);
    }
    assert!(!has_ended(&*one, u).await && !has_ended(&*two, u).await);
}

/// One client cannot fill the store with tokens: others still get theirs, what is nobody's is kept,
/// and each kind is counted by itself. Exact on one node.
pub async fn a_client_over_its_quota_keeps_no_more_tokens<S: Artifacts>([one, _]: Two<S>) {
    let token = |text| ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, text);
    let create = async |owner, key| {
        let put = one.put(key, ticket("t").owned_by(owner), 3).await;
        put.expect("the store answers")
    };
    for text in ["1", "2", "3"] {
        assert_eq!(create(Some(1), token(text)).await, Put::Kept);
    }
    assert_eq!(create(Some(1), token("4")).await, Put::OverQuota);
    assert_eq!(get(&*one, token("4"), NOW).await, None);
    assert_eq!(create(Some(2), token("5")).await, Put::Kept);
    assert_eq!(create(None, token("6")).await, Put::Kept);
    assert_eq!(create(Some(1), key("7")).await, Put::Kept);
}

/// Nor with revocations.
pub async fn a_client_over_its_quota_keeps_no_more_revocations<S: Artifacts>([one, _]: Two<S>) {
    let revoke = async |owner, token| end(&*one, FamilyId::of(token), owner, 3).await;
    for token in ["1", "2", "3"] {
        assert_eq!(revoke(Some(1), token).await, Put::Kept);
    }
    assert_eq!(revoke(Some(1), "4").await, Put::OverQuota);
    assert!(!has_ended(&*one, FamilyId::of("4")).await);
    assert_eq!(revoke(Some(2), "5").await, Put::Kept);
}

/// Asked in turn, two nodes keep hardly more than one.
pub async fn a_further_node_adds_no_more_than_a_sixteenth_to_a_quota<S: Artifacts>(nodes: Two<S>) {
    let mut kept = 0;
    for number in 0..80 {
        let owned = ticket("t").owned_by(Some(1));
        let put = nodes[number % 2].put(key(&number.to_string()), owned, 32);
        kept += usize::from(put.await.expect("the store answers") == Put::Kept);
    }
    assert!((32..=34).contains(&kept), "{kept}");
}

/// However many have expired, and are forgotten, the rest stays: tokens, and what ended them.
pub async fn what_is_in_force_stays_when_what_has_expired_is_forgotten<S: Artifacts>(
    [one, two]: Two<S>,
) {
    let lasting = Artifact::new(NOW, at(3600));
    put(&*one, key("lasting"), lasting.clone()).await;
    let (owner, until) = (None, at(3600));
    let ending = Ending {
        owner,
        at: NOW,
        until,
    };
    let ended = two.end_family(FamilyId::of("f"), ending, QUOTA).await;
    assert_eq!(ended.expect("the store answers"), Put::Kept);
    let shorts = (0..1100).map(|number: usize| {
        let node = one.clone();
        let short = Artifact::new(at(120), at(121)).owned_by(Some(1));
        tokio::spawn(async move { put(&*node, key(&number.to_string()), short).await })
    });
    for short in shorts.collect::<Vec<_>>() {
        short.await.expect("no panic");
    }
    // Behind them another, for which a store may make room.
    put(&*one, key("next"), Artifact::new(at(300), at(400))).await;
    for node in [&*one, &*two] {
        let found = get(node, key("lasting"), at(300)).await;
        assert_eq!(found, Some(lasting.clone()));
        assert!(get(node, key("next"), at(300)).await.is_some());
        assert!(has_ended(node, FamilyId::of("f")).await);
    }
}
