//! The laws of what is there for people: the catalogue of scopes, passwords, passkeys.

use std::sync::Arc;

use grantor_jose::{Algorithm, PrivateJwk};

use super::{
    NOW, Two, at,
    registry::{Hooked, by, exists, is_conflict, is_missing, records, subject},
    subject_id,
};
use crate::{
    registry::{
        Action, CredentialId, Passkey, PasskeyFilter, PasskeyKey, Password, PasswordDigest,
        Resource as _, ScopeText, Subject,
    },
    storage::{Change, Cursor, StoreError},
    types::{Description, DisplayName, ScopeToken},
};

fn token(text: &str) -> ScopeToken {
    ScopeToken::parse(text).expect("a scope token")
}

fn scope_text(name: &str) -> ScopeText {
    let mut text = ScopeText::new(token(name));
    text.en = Some(Description::parse("Read your invoices").expect("a text"));
    text.sensitive = true;
    text
}

fn digest(salt: &str) -> PasswordDigest {
    let text = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$aGFzaGhhc2hoYXNoaGFzaA");
    PasswordDigest::parse(&text).expect("a digest")
}

fn password(subject: &str, salt: &str) -> Password {
    Password::new(subject_id(subject), digest(salt), NOW)
}

fn credential(text: &str) -> CredentialId {
    CredentialId::new(text.as_bytes()).expect("an id")
}

fn passkey(subject: &str, id: &str, algorithm: Algorithm) -> Passkey {
    let private = PrivateJwk::generate(algorithm).expect("a key");
    Passkey::new(
        subject_id(subject),
        credential(id),
        PasskeyKey::new(private.public()).expect("a key of a passkey"),
        DisplayName::parse("laptop").expect("a name"),
        NOW,
    )
}

async fn subject_named<S: Hooked>(store: &S, name: &str) -> Arc<Subject> {
    let created = store.subjects().create(subject(name), &by()).await;
    created.expect("created")
}

/// All members survive, changes count, and what is removed is gone.
pub async fn c005_a_text_of_a_scope_is_kept<S: Hooked>([one, two]: Two<S>) {
    let scopes = one.scopes();
    let created = scopes.create(scope_text("invoices:read"), &by()).await;
    let created = created.expect("created");
    assert!(exists(
        two.scopes()
            .create(scope_text("invoices:read"), &by())
            .await
    ));
    let found = two.scopes().get(&token("invoices:read")).await;
    let found = found.expect("the store answers").expect("the text");
    assert_eq!(found, created);
    let as_written = ScopeText {
        revision: found.revision,
        ..scope_text("invoices:read")
    };
    assert_eq!(*found, as_written);
    assert!((found.revision.number, found.revision.version) > (0, 0));

    let in_french = |text: &ScopeText| {
        Ok::<_, StoreError>(ScopeText {
            fr: Some(Description::parse("Lire vos factures").expect("a text")),
            optional: true,
            ..text.clone()
        })
    };
    let changed = scopes.change(&created.name, &by(), in_french).await;
    let changed = changed.expect("changed");
    assert_eq!(changed.revision, created.revision.next());
    assert!(changed.optional && changed.fr.is_some() && changed.en == created.en);
    let stale = two.scopes().replace((*created).clone(), &by()).await;
    assert!(is_conflict(stale));

    scopes
        .create(scope_text("a"), &by())
        .await
        .expect("created");
    let names: Vec<_> = two.scopes().all().await.expect("a list");
    let names: Vec<_> = names.iter().map(|text| text.name.as_str()).collect();
    assert_eq!(names, ["a", "invoices:read"]);
    let page = two
        .scopes()
        .page(&Default::default(), None, 1)
        .await
        .expect("a page");
    let next = Cursor::from_text(page.next.expect("another page").to_string());
    let rest = two
        .scopes()
        .page(&Default::default(), Some(&next), 9)
        .await
        .expect("a page");
    assert_eq!(rest.items[0].name, changed.name);

    scopes.delete(&changed.name, &by()).await.expect("deleted");
    assert!(is_missing(scopes.delete(&changed.name, &by()).await));
    assert!(is_missing(scopes.replace((*changed).clone(), &by()).await));
    let again = scopes.create(scope_text("invoices:read"), &by()).await;
    assert!(again.expect("created").revision.number > changed.revision.number);
    let told: Vec<_> = records(&*two).await;
    let told = told.iter().map(|record| (&*record.name, record.action));
    use Action::{Create, Delete, Replace};
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("invoices:read", Create),
            ("invoices:read", Replace),
            ("a", Create),
            ("invoices:read", Delete),
            ("invoices:read", Create)
        ]
    );
}

/// A subject has one password at most, and nobody else has one.
pub async fn c094_a_password_is_a_subjects<S: Hooked>([one, two]: Two<S>) {
    let passwords = one.passwords();
    assert!(is_missing(
        passwords.create(password("b", "c2FsdA"), &by()).await
    ));
    subject_named(&*one, "b").await;
    let created = passwords.create(password("b", "c2FsdA"), &by()).await;
    let created = created.expect("created");
    assert!(exists(
        two.passwords().create(password("b", "c2FsdB"), &by()).await
    ));
    let found = two.passwords().get(&subject_id("b")).await;
    assert_eq!(found.expect("the store answers"), Some(created.clone()));
    assert_eq!(created.digest.expose(), digest("c2FsdA").expose());
    assert_eq!(created.changed_at, NOW);

    let changed = created.changed(digest("c2FsdB"), at(1));
    let changed = two.passwords().replace(changed, &by()).await;
    let changed = changed.expect("replaced");
    assert_eq!(changed.digest, digest("c2FsdB"));
    assert_eq!(changed.revision, created.revision.next());
    let stale = passwords.replace((*created).clone(), &by()).await;
    assert!(is_conflict(stale), "the password that was read is another");
    subject_named(&*one, "a").await;
    passwords
        .create(password("a", "c2FsdA"), &by())
        .await
        .expect("created");
    let all = two.passwords().all().await.expect("a list");
    let names: Vec<_> = all.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let deleted = passwords.delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    assert!(is_missing(passwords.delete(&subject_id("b"), &by()).await));
    let others = one.passwords().get(&subject_id("a")).await;
    assert!(others.expect("the store answers").is_some());
}

/// A later subject of the same name has none of it, and nobody's old state of it comes back.
pub async fn c055_a_password_ends_with_its_subject<S: Hooked>([one, two]: Two<S>) {
    let passwords = one.passwords();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let subject = subject_named(&*one, "b").await;
        let none = two.passwords().get(&subject_id("b")).await;
        assert_eq!(none.expect("the store answers"), None);
        let made = passwords.create(password("b", "c2FsdA"), &by()).await;
        let made = made.expect("created");
        numbers.push((subject.revision.number, made.revision.number));
        let before = records(&*two).await.len();
        let deleted = two.subjects().delete(&subject_id("b"), &by()).await;
        deleted.expect("deleted");
        let told = records(&*one).await;
        let told: Vec<_> = told[before..]
            .iter()
            .map(|record| (&*record.resource, &*record.name, record.action))
            .collect();
        let ended = |resource| (resource, "b", Action::Delete);
        assert_eq!(told, [ended("password"), ended("subject")]);
        let again = passwords.replace((*made).clone(), &by()).await;
        assert!(is_missing(again));
    }
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1),
        "{numbers:?}"
    );
    let subject = subject_named(&*one, "b").await;
    passwords
        .create(password("b", "c2FsdA"), &by())
        .await
        .expect("created");
    let gone_and_taken_back = vec![
        Change::Delete(subject_id("b"), Some(subject.revision)),
        Change::Delete(subject_id("b"), None),
    ];
    let refused = one.subjects().apply(gone_and_taken_back, &by()).await;
    assert!(is_missing(refused));
    let kept = two.passwords().get(&subject_id("b")).await;
    assert!(kept.expect("the store answers").is_some());
}

/// Law 14: that and when a password changed, and nothing of it.
pub async fn no_digest_is_in_a_record<S: Hooked>([store, _]: Two<S>) {
    subject_named(&*store, "b").await;
    let passwords = store.passwords();
    let created = passwords.create(password("b", "c2FsdA"), &by()).await;
    let changed = created.expect("created").changed(digest("c2FsdB"), at(1));
    let replaced = passwords.replace(changed, &by()).await;
    replaced.expect("replaced");
    let deleted = store.subjects().delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    let records = records(&*store).await;
    let text = serde_json::to_string(&records).expect("JSON");
    for secret in ["argon2", "c2FsdA", "c2FsdB", "aGFzaGhhc2"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let [_, create, replace, end, _] = <&[_; 5]>::try_from(&records[..]).expect("five records");
    assert_eq!(replace.before, create.after);
    assert_eq!(replace.after, end.before);
    let member = |name: &str| {
        replace
            .after
            .as_ref()
            .map(|document| document[name].clone())
    };
    assert_eq!(member("subject"), Some("b".into()));
    assert_eq!(member("changed_at"), Some(at(1).millis().into()));
}

/// A subject has as many passkeys as it likes, and each is one subject's.
pub async fn c092_a_passkey_is_one_subjects<S: Hooked>([one, two]: Two<S>) {
    let passkeys = one.passkeys();
    let made = || passkey("b", "b1", Algorithm::Es256);
    assert!(is_missing(passkeys.create(made(), &by()).await));
    for name in ["b", "a"] {
        subject_named(&*one, name).await;
    }
    let expected = made();
    let created = passkeys.create(expected.clone(), &by()).await;
    let created = created.expect("created");
    assert_eq!(*created, expected.with_revision(created.revision));
    for subject in ["a", "b"] {
        let again = passkey(subject, "b1", Algorithm::Ed25519);
        assert!(exists(two.passkeys().create(again, &by()).await));
    }
    for (subject, id, algorithm) in [
        ("b", "b2", Algorithm::Ed25519),
        ("b", "b0", Algorithm::Rs256),
        ("a", "a1", Algorithm::Es256),
    ] {
        let other = passkey(subject, id, algorithm);
        let other = two.passkeys().create(other, &by()).await;
        let other = other.expect("created");
        let found = one.passkeys().get(&other.credential).await;
        assert_eq!(found.expect("the store answers"), Some(other));
    }
    let of_subject = async |subject: &str| {
        let filter = PasskeyFilter::of(&subject_id(subject));
        let all = two.passkeys().all_of(&filter).await.expect("a list");
        let ids = all.iter().map(|one| one.credential.clone());
        ids.collect::<Vec<_>>()
    };
    let expected: Vec<_> = ["b0", "b1", "b2"].map(credential).into();
    assert_eq!(of_subject("b").await, expected);
    assert_eq!(of_subject("a").await, [credential("a1")]);
    assert!(of_subject("c").await.is_empty());
    let filter = PasskeyFilter::of(&subject_id("b"));
    let page = passkeys.page(&filter, None, 2).await.expect("a page");
    let next = page.next.expect("another page");
    let rest = two.passkeys().page(&filter, Some(&next), 2).await;
    assert_eq!(rest.expect("a page").items[0].credential, expected[2]);
    assert_eq!(passkeys.all().await.expect("a list").len(), 4);

    let phone = DisplayName::parse("phone").expect("a name");
    let renamed = created.renamed(phone.clone());
    let renamed = two.passkeys().replace(renamed, &by()).await;
    let renamed = renamed.expect("replaced");
    assert_eq!(
        (&renamed.name, renamed.revision),
        (&phone, created.revision.next())
    );
    let stale = passkeys.replace((*created).clone(), &by()).await;
    assert!(is_conflict(stale));
    let mut nobodys = (*renamed).clone();
    nobodys.subject = subject_id("nobody");
    assert!(is_missing(passkeys.replace(nobodys, &by()).await));
    let mut given = (*renamed).clone();
    given.subject = subject_id("a");
    let given = passkeys.replace(given, &by()).await.expect("replaced");
    let found = two.passkeys().get(&given.credential).await;
    assert_eq!(found.expect("the store answers"), Some(given.clone()));

    let deleted = two.passkeys().delete(&given.credential, &by()).await;
    deleted.expect("deleted");
    let again = passkeys.delete(&given.credential, &by()).await;
    assert!(is_missing(again));
    assert_eq!(of_subject("a").await, [credential("a1")]);
    let made = passkeys.create(made(), &by()).await.expect("created");
    assert!(made.revision.number > given.revision.number);
}

/// A later subject of the same name has none of them, and the ids are free.
pub async fn c055_passkeys_end_with_their_subject<S: Hooked>([one, two]: Two<S>) {
    subject_named(&*one, "a").await;
    let of_other = passkey("a", "a1", Algorithm::Es256);
    let of_other = one.passkeys().create(of_other, &by()).await;
    let of_other = of_other.expect("created");
    let mut last = of_other.revision.number;
    for _ in 0..3 {
        subject_named(&*one, "b").await;
        let filter = PasskeyFilter::of(&subject_id("b"));
        let none = two.passkeys().all_of(&filter).await;
        assert!(none.expect("a list").is_empty());
        for id in ["b1", "b2"] {
            let made = passkey("b", id, Algorithm::Es256);
            let made = one.passkeys().create(made, &by()).await;
            let number = made.expect("created").revision.number;
            assert!(number > last, "a number is never given again");
            last = number;
        }
        let before = records(&*two).await.len();
        let deleted = two.subjects().delete(&subject_id("b"), &by()).await;
        deleted.expect("deleted");
        let told = records(&*one).await;
        let told: Vec<_> = told[before..]
            .iter()
            .map(|record| (&*record.resource, &*record.name, record.action))
            .collect();
        let [first, second] = ["b1", "b2"].map(credential);
        let expected = [
            ("passkey", first.as_str(), Action::Delete),
            ("passkey", second.as_str(), Action::Delete),
            ("subject", "b", Action::Delete),
        ];
        assert_eq!(told, expected);
        let gone = one.passkeys().get(&first).await;
        assert_eq!(gone.expect("the store answers"), None);
    }
    let kept = two.passkeys().get(&of_other.credential).await;
    assert_eq!(kept.expect("the store answers"), Some(of_other));
}

/// M081: a passkey's key is told by its fingerprint.
pub async fn m081_no_key_of_a_passkey_is_in_a_record<S: Hooked>([store, _]: Two<S>) {
    subject_named(&*store, "b").await;
    let made = passkey("b", "b1", Algorithm::Es256);
    let created = store.passkeys().create(made.clone(), &by()).await;
    created.expect("created");
    let deleted = store.subjects().delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    let records = records(&*store).await;
    let text = serde_json::to_string(&records).expect("JSON");
    let jwk = made.key.jwk().to_object();
    for member in ["x", "y"] {
        let secret = jwk[member].as_str().expect("a coordinate");
        assert!(!text.contains(secret), "{member}: {text}");
    }
    let [_, create, end, _] = <&[_; 4]>::try_from(&records[..]).expect("four records");
    assert_eq!(create.name, made.credential.as_str());
    assert_eq!(create.after, Some(made.document()));
    assert_eq!(create.after, end.before);
    let document = made.document();
    let fingerprint = document["key"].as_str().expect("a fingerprint");
    assert_eq!(fingerprint, made.key.fingerprint());
    assert_eq!(fingerprint.len(), "sha256:".len() + 8);
}
