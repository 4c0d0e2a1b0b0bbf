//! What pages rely on: challenges, whose passkeys are, counters, the last way in.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use grantor::{
    clock::ManualClock,
    jose::{Algorithm, base64url_decode},
    registry::{PasswordDigest, Role},
    server::{
        Answer, AuthorizationServer, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
    },
    storage::{MemoryStore, Registries as _},
    types::SubjectId,
    webauthn::WebauthnError,
};
use grantor_testkit::{Authenticator, forge::authenticator::Ceremony};
use http::StatusCode;

use super::*;
use crate::{
    pages::{Language, Words},
    person::{Proof, Proofs, SessionKind},
};

const ORIGIN: &str = "https://as.example";
const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

type Doing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
type Work = Box<dyn for<'a> FnOnce(&'a World, &'a Context) -> Doing<'a> + Send>;

/// With the subjects `alice` and `bob`.
struct World {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    passkeys: Passkeys,
    browser: BrowserSecret,
}

/// An endpoint that does what a test says, as pages do.
struct Pages {
    world: World,
    work: Mutex<Option<Work>>,
}

#[async_trait]
impl Endpoint for Pages {
    fn route(&self) -> Route {
        Route::page("pages", Path::Suffix("pages"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        _: &Request,
        _: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let work = self
            .work
            .lock()
            .expect("nothing panics while it is held")
            .take();
        work.expect("it is asked once")(&self.world, context).await;
        Ok(Answer::json(StatusCode::OK, &json!({})))
    }
}

fn registries(store: &Arc<MemoryStore>) -> Registries {
    Registries {
        operators: store.clone(),
        passwords: store.clone(),
        passkeys: store.clone(),
        batch: store.clone(),
        permissions: store.clone(),
        of_subjects: store.clone(),
        scope_texts: store.clone(),
    }
}

fn by() -> Actor {
    Actor::program("test")
}

/// Does this within a server.
async fn within(work: impl for<'a> FnOnce(&'a World, &'a Context) -> Doing<'a> + Send + 'static) {
    let issuer = Issuer::parse(ORIGIN).expect("an issuer");
    let store = Arc::new(MemoryStore::new());
    for name in ["alice", "bob"] {
        let subject = Subject::new(SubjectId::parse(name).expect("a subject"));
        let made = store.subjects().create(subject, &by()).await;
        made.expect("registered");
    }
    let clock = Arc::new(ManualClock::new(NOW));
    let passkeys = Passkeys::at(&issuer, ORIGIN, registries(&store));
    let world = World {
        store: store.clone(),
        clock: clock.clone(),
        passkeys: passkeys.expect("a host with a name"),
        browser: BrowserSecret::random(),
    };
    let pages = Pages {
        world,
        work: Mutex::new(Some(Box::new(work))),
    };
    let server = AuthorizationServer::builder(issuer)
        .store(store)
        .clock(clock)
        .standard()
        .endpoint(pages)
        .build()
        .expect("a server");
    let request = http::Request::get("/pages").body(String::new());
    let answer = server.respond(request.expect("a request")).await;
    assert_eq!(answer.status(), StatusCode::OK, "what was done has failed");
}

impl World {
    async fn subject(&self, name: &str) -> Subject {
        let id = SubjectId::parse(name).expect("a subject");
        let found = self.store.subjects().get(&id).await.expect("it answers");
        Arc::unwrap_or_clone(found.expect("the subject"))
    }

    fn page<'a>(&'a self, context: &'a Context) -> Page<'a> {
        let browser = &self.browser;
        Page { context, browser }
    }

    /// What an authenticator says that makes a passkey for somebody.
    async fn made(&self, context: &Context, name: &str) -> (Authenticator, Ceremony) {
        let subject = self.subject(name).await;
        let page = self.page(context);
        let options = self.passkeys.creation_options(&page, &subject).await;
        let options = options.expect("the store answers");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut authenticator = Authenticator::new(Algorithm::Es256);
        let handle = base64url_decode(text(&options["user"]["id"]));
        authenticator.user_handle = handle.expect("base64url");
        let party = text(&options["rp"]["id"]);
        let said = authenticator.create(&text(&options["challenge"]), ORIGIN, &party);
        (authenticator, said)
    }

    async fn register(
        &self,
        context: &Context,
        name: &str,
        said: &Ceremony,
    ) -> Result<Arc<Passkey>, PasskeyError> {
        let (subject, page) = (self.subject(name).await, self.page(context));
        let sent = said.registration().to_string();
        let new = New {
            subject: &subject,
            name: DisplayName::parse("laptop").expect("a name"),
            sent: &sent,
        };
        let checked = self.passkeys.check(&page, new).await?;
        let by = by();
        self.passkeys.register(context, checked, None, &by).await
    }

    /// A passkey that somebody has.
    async fn with_passkey(&self, context: &Context, name: &str) -> (Authenticator, Arc<Passkey>) {
        let (authenticator, said) = self.made(context, name).await;
        let passkey = self.register(context, name, &said).await;
        (authenticator, passkey.expect("made"))
    }

    /// What an authenticator says that is asked for this purpose.
    fn used(&self, page: &Page<'_>, purpose: Purpose, authenticator: &Authenticator) -> Ceremony {
        let options = self.passkeys.request_options(page, purpose);
        assert_eq!(options["allowCredentials"], json!([]), "whoever it is");
        let challenge = options["challenge"].as_str().expect("a text");
        let party = options["rpId"].as_str().expect("a text");
        authenticator.get(challenge, ORIGIN, party)
    }

    async fn signed_in(&self, page: &Page<'_>, said: &Ceremony) -> Result<Owner, PasskeyError> {
        let sent = said.assertion().to_string();
        self.passkeys.prove(page, Purpose::SignIn, &sent).await
    }
}

#[tokio::test]
async fn c090_browsers_are_asked_for_passkeys_as_the_rules_want_them() {
    within(|world, context| {
        Box::pin(async move {
            let (_, passkey) = world.with_passkey(context, "alice").await;
            let alice = world.subject("alice").await;
            let page = world.page(context);
            let asked = world.passkeys.creation_options(&page, &alice).await;
            let asked = asked.expect("the store answers");
            assert_eq!(asked["attestation"], "none");
            let how = &asked["authenticatorSelection"];
            assert_eq!(how["residentKey"], "required");
            assert_eq!(how["userVerification"], "required");
            let algorithms = asked["pubKeyCredParams"].as_array().expect("a list");
            let algorithms = algorithms.iter().map(|one| one["alg"].as_i64());
            let expected = [-7, -8, -257].map(Some);
            assert_eq!(algorithms.collect::<Vec<_>>(), expected);
            let id = passkey.credential.as_str();
            let known = json!([{"type": "public-key", "id": id}]);
            assert_eq!(asked["excludeCredentials"], known);
            let anew = world.passkeys.recovery_options(&page, &alice);
            assert_eq!(anew["excludeCredentials"], json!([]), "they end (C083)");
            assert_eq!(anew["user"], asked["user"]);
            assert_eq!(asked["rp"]["id"], "as.example");
            assert_eq!(asked["user"]["name"], "alice");
            // Nothing at the authenticator tells who it is.
            let bob = world.subject("bob").await;
            let other = world.passkeys.creation_options(&page, &bob).await;
            let other = other.expect("the store answers");
            assert_ne!(asked["user"]["id"], other["user"]["id"]);
            assert_ne!(asked["challenge"], other["challenge"]);
        })
    })
    .await;
}

#[tokio::test]
async fn c090_a_passkey_is_made_and_signs_its_owner_in() {
    within(|world, context| {
        Box::pin(async move {
            let (authenticator, made) = world.with_passkey(context, "alice").await;
            let page = world.page(context);
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            let owner = world.signed_in(&page, &said).await.expect("alice");
            assert_eq!(owner.subject.id.as_str(), "alice");
            assert_eq!(owner.passkey, made);

            let alice = world.subject("alice").await;
            let own = world.passkeys.of(context, &alice).await;
            let own = own.expect("it answers");
            assert_eq!((&own[0].passkey, own[0].used_at), (&made, Some(NOW)));
        })
    })
    .await;
}

#[tokio::test]
async fn ca40_a_challenge_is_good_once_in_time_for_its_browser_and_its_purpose() {
    within(|world, context| {
        Box::pin(async move {
            let (authenticator, _) = world.with_passkey(context, "alice").await;
            let page = world.page(context);
            let refused = async |page: &Page<'_>, said: &Ceremony| {
                let refused = world.signed_in(page, said).await.expect_err("refused");
                let PasskeyError::Challenge(why) = refused else {
                    panic!("{refused}")
                };
                why
            };
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            let other = BrowserSecret::random();
            let elsewhere = Page {
                browser: &other,
                ..page
            };
            let not_ours = "is none of this browser's";
            assert_eq!(refused(&elsewhere, &said).await, not_ours);
            for purpose in [Purpose::Confirm, Purpose::Make] {
                let said = world.used(&page, purpose, &authenticator);
                assert_eq!(refused(&page, &said).await, not_ours);
            }
            let invented = said.but(|it| it.client_data["challenge"] = "AAAA".into());
            assert_eq!(refused(&page, &invented).await, not_ours);
            world.clock.advance(challenge::LIFETIME);
            assert_eq!(refused(&page, &said).await, "has ended");
            world
                .clock
                .set(NOW.plus(challenge::LIFETIME - Duration::from_millis(1)));
            // The control, and that it was used.
            world.signed_in(&page, &said).await.expect("alice");
            assert_eq!(refused(&page, &said).await, "was used");
            world.clock.set(NOW.minus(Duration::from_secs(120)));
            assert_eq!(refused(&page, &said).await, "has ended");
        })
    })
    .await;
}

#[tokio::test]
async fn ca40_the_challenge_of_a_new_passkey_is_good_once() {
    within(|world, context| {
        Box::pin(async move {
            let (_, said) = world.made(context, "alice").await;
            let failed = said.but(|it| it.flags &= !4);
            let failed = world.register(context, "alice", &failed).await;
            let failed = failed.expect_err("nobody was verified");
            let is_expected = matches!(
                failed,
                PasskeyError::Ceremony(WebauthnError::UserVerification)
            );
            assert!(is_expected, "{failed}");
            // What has failed uses nothing up.
            let made = world.register(context, "alice", &said).await.expect("made");
            let gone = world.store.passkeys().delete(&made.credential, &by()).await;
            gone.expect("deleted");
            let again = world.register(context, "alice", &said).await;
            assert!(matches!(again, Err(PasskeyError::Challenge("was used"))));
        })
    })
    .await;
}

#[tokio::test]
async fn c092_a_credential_id_is_one_persons() {
    within(|world, context| {
        Box::pin(async move {
            let (alices, _) = world.with_passkey(context, "alice").await;
            for name in ["alice", "bob"] {
                let (_, said) = world.made(context, name).await;
                let same = said.but(|it| {
                    it.id = alices.id.clone();
                    it.attested_id = Some(alices.id.clone());
                });
                let taken = world.register(context, name, &same).await;
                assert!(matches!(taken, Err(PasskeyError::Taken)), "{name}");
            }
            world.with_passkey(context, "bob").await;
        })
    })
    .await;
}

#[tokio::test]
async fn c091_nobody_signs_in_by_the_passkey_of_another() {
    within(|world, context| {
        Box::pin(async move {
            let (alices, _) = world.with_passkey(context, "alice").await;
            let (bobs, _) = world.with_passkey(context, "bob").await;
            let page = world.page(context);
            let said = world.used(&page, Purpose::SignIn, &alices);
            for wrong in [
                said.but(|it| it.user_handle = bobs.user_handle.clone()),
                said.but(|it| it.user_handle = b"alice".to_vec()),
            ] {
                let refused = world.signed_in(&page, &wrong).await.expect_err("refused");
                let is_expected =
                    matches!(refused, PasskeyError::Ceremony(WebauthnError::UserHandle));
                assert!(is_expected, "{refused}");
            }
            let named = said.but(|it| it.id = bobs.id.clone());
            let refused = world.signed_in(&page, &named).await.expect_err("refused");
            let is_expected = matches!(refused, PasskeyError::Ceremony(WebauthnError::UserHandle));
            assert!(is_expected, "{refused}");
            let unknown = said.but(|it| it.id = vec![1, 2, 3]);
            let refused = world.signed_in(&page, &unknown).await;
            assert!(matches!(refused, Err(PasskeyError::Unknown)));
            world.signed_in(&page, &said).await.expect("alice");

            // To confirm who is there, it has to be the person who is signed in.
            let alice = world.subject("alice").await;
            for (authenticator, is_alice) in [(&bobs, false), (&alices, true)] {
                let said = world.used(&page, Purpose::Confirm, authenticator);
                let sent = said.assertion().to_string();
                let confirmed = world.passkeys.confirm(&page, &alice, &sent).await;
                assert_eq!(confirmed.is_ok(), is_alice);
            }
        })
    })
    .await;
}

#[tokio::test]
async fn c099_who_is_disabled_or_gone_signs_in_no_more() {
    within(|world, context| {
        Box::pin(async move {
            let (authenticator, passkey) = world.with_passkey(context, "alice").await;
            let page = world.page(context);
            let subjects = world.store.subjects();
            let alice = world.subject("alice").await;
            let disabled = subjects.replace(alice.clone().disabled(), &by()).await;
            let disabled = disabled.expect("disabled");
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            let refused = world.signed_in(&page, &said).await;
            assert!(matches!(refused, Err(PasskeyError::Disabled)));
            let enabled = Arc::unwrap_or_clone(disabled).enabled();
            subjects.replace(enabled, &by()).await.expect("enabled");
            world.signed_in(&page, &said).await.expect("the control");
            // C055: a later subject of the same name is somebody else.
            subjects.delete(&alice.id, &by()).await.expect("deleted");
            let again = Subject::new(alice.id.clone());
            subjects.create(again, &by()).await.expect("created");
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            let refused = world.signed_in(&page, &said).await;
            assert!(matches!(refused, Err(PasskeyError::Unknown)));
            let moved = world
                .store
                .passkeys()
                .create((*passkey).clone(), &by())
                .await;
            moved.expect("the same key, by a mistake of an operator");
            let refused = world.signed_in(&page, &said).await;
            let refused = refused.expect_err("the authenticator names the other");
            let is_expected = matches!(refused, PasskeyError::Ceremony(WebauthnError::UserHandle));
            assert!(is_expected, "{refused}");
        })
    })
    .await;
}

#[tokio::test]
async fn ca41_a_counter_is_remembered_from_the_first_on() {
    within(|world, context| {
        Box::pin(async move {
            let (mut authenticator, said) = world.made(context, "alice").await;
            let counting = said.but(|it| it.counter = 5);
            let made = world.register(context, "alice", &counting).await;
            let made = made.expect("made");
            let page = world.page(context);
            for (counter, is_good) in [(5, false), (6, true), (6, false), (0, false), (9, true)] {
                authenticator.counter = counter;
                let said = world.used(&page, Purpose::SignIn, &authenticator);
                let result = world.signed_in(&page, &said).await;
                assert_eq!(result.is_ok(), is_good, "{counter}");
                if let Err(refused) = result {
                    let cause = matches!(
                        refused,
                        PasskeyError::Ceremony(WebauthnError::Counter { .. })
                    );
                    assert!(cause, "{refused}");
                }
            }
            // Another passkey counts for itself, also under the same id.
            let gone = world.store.passkeys().delete(&made.credential, &by()).await;
            gone.expect("deleted");
            let (_, said) = world.made(context, "alice").await;
            let same = said.but(|it| {
                it.id = authenticator.id.clone();
                it.attested_id = Some(authenticator.id.clone());
                it.spki = authenticator.key.spki();
            });
            world.register(context, "alice", &same).await.expect("made");
            authenticator.counter = 1;
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            world.signed_in(&page, &said).await.expect("alice");
        })
    })
    .await;
}

#[tokio::test]
async fn ca41_of_two_uses_at_once_one_counts() {
    within(|world, context| {
        Box::pin(async move {
            let (mut authenticator, made) = world.with_passkey(context, "alice").await;
            let alice = world.subject("alice").await;
            authenticator.counter = 1;
            // Both have read the counter before either writes it.
            let artifacts = context.artifacts();
            let read = async || {
                LastUse::of(artifacts, &made, NOW)
                    .await
                    .expect("it answers")
            };
            let (one, two) = (read().await, read().await);
            let first = one.followed_by(artifacts, &made, &alice, 1, NOW).await;
            first.expect("kept");
            let second = two.followed_by(artifacts, &made, &alice, 1, NOW).await;
            assert!(matches!(second, Err(StoreError::Conflict(_))));
            let page = world.page(context);
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            world
                .signed_in(&page, &said)
                .await
                .expect_err("it stands at 1");
            authenticator.counter = 2;
            let said = world.used(&page, Purpose::SignIn, &authenticator);
            world.signed_in(&page, &said).await.expect("the control");
        })
    })
    .await;
}

#[tokio::test]
async fn c093_the_last_way_in_is_not_removed() {
    within(|world, context| {
        Box::pin(async move {
            let (alice, bob) = (world.subject("alice").await, world.subject("bob").await);
            let (_, one) = world.with_passkey(context, "alice").await;
            let remove = async |subject: &Subject, passkey: &Passkey| {
                let (passkeys, by) = (&world.passkeys, by());
                passkeys.remove(subject, &passkey.credential, &by).await
            };
            let last = remove(&alice, &one).await;
            assert!(matches!(last, Err(PasskeyError::LastWay)));
            let (_, two) = world.with_passkey(context, "alice").await;
            // CA31: of another person there is nothing.
            let others = remove(&bob, &one).await;
            assert!(matches!(others, Err(PasskeyError::Unknown)));
            remove(&alice, &one).await.expect("another is left");
            let again = remove(&alice, &one).await;
            assert!(matches!(again, Err(PasskeyError::Unknown)));
            let last = remove(&alice, &two).await;
            assert!(matches!(last, Err(PasskeyError::LastWay)));
            let digest = PasswordDigest::parse(DIGEST).expect("a digest");
            let password = Password::new(alice.id.clone(), digest, NOW);
            let set = world.store.passwords().create(password, &by()).await;
            set.expect("set");
            remove(&alice, &two).await.expect("the password is left");
        })
    })
    .await;
}

#[tokio::test]
async fn c083_a_passkey_that_is_made_while_the_session_ends_goes_again() {
    within(|world, context| {
        Box::pin(async move {
            let alice = world.subject("alice").await;
            let ten_minutes = Duration::from_secs(600);
            let proofs = Proofs {
                passwords: world.store.clone(),
                passkeys: world.store.clone(),
                operators: world.store.clone(),
            };
            let sessions = Sessions::new(SessionKind::Person, ten_minutes, ten_minutes, proofs);
            let make = async |browser: &BrowserSecret| {
                let page = Page { context, browser };
                let options = world.passkeys.creation_options(&page, &alice).await;
                let options = options.expect("it answers");
                let challenge = options["challenge"].as_str().expect("a text");
                let said = Authenticator::new(Algorithm::Es256);
                let said = said.create(challenge, ORIGIN, "as.example");
                let sent = said.registration().to_string();
                let new = New {
                    subject: &alice,
                    name: DisplayName::parse("laptop").expect("a name"),
                    sent: &sent,
                };
                let (passkeys, by) = (&world.passkeys, by());
                passkeys.make_in_session(&page, &sessions, new, &by).await
            };
            let ended = make(&world.browser).await;
            assert!(matches!(ended, Err(PasskeyError::Overtaken(_))));
            let left = world.store.passkeys().all().await.expect("a list");
            assert!(left.is_empty());
            // The control, and a session that ends with the passkey that it was begun with.
            let (_, first) = world.with_passkey(context, "alice").await;
            let proof = Proof::passkey(&first);
            let begun = sessions.begin(context, None, &alice, proof).await;
            let begun = begun.expect("a session");
            make(&begun).await.expect("made");
            let passkeys = world.store.passkeys();
            let gone = passkeys.delete(&first.credential, &by()).await;
            gone.expect("deleted");
            let found = sessions.find(context, &begun, Presence::Person).await;
            assert!(found.expect("it answers").is_none());
            let ended = make(&begun).await;
            assert!(matches!(ended, Err(PasskeyError::Overtaken(_))));
            assert_eq!(passkeys.all().await.expect("a list").len(), 1);
        })
    })
    .await;
}

#[tokio::test]
async fn m012_a_passkey_is_made_for_the_role_that_was_looked_at() {
    within(|world, context| {
        Box::pin(async move {
            let bob = world.subject("bob").await;
            let operator = Operator::new(bob.id.clone(), Role::Reader);
            let given = world.store.operators().create(operator, &by()).await;
            let given = given.expect("given");
            let (_, said) = world.made(context, "bob").await;
            let page = world.page(context);
            let sent = said.registration().to_string();
            let make = async |role: Option<&Operator>, sent: &str| {
                let new = New {
                    subject: &bob,
                    name: DisplayName::parse("laptop").expect("a name"),
                    sent,
                };
                let checked = world.passkeys.check(&page, new).await?;
                let by = by();
                world.passkeys.register(context, checked, role, &by).await
            };
            // It had none when the invitation was looked at.
            let overtaken = make(None, &sent).await;
            assert!(matches!(overtaken, Err(PasskeyError::Overtaken(_))));
            let (_, said) = world.made(context, "bob").await;
            let sent = said.registration().to_string();
            make(Some(&given), &sent).await.expect("the control");
        })
    })
    .await;
}

#[tokio::test]
async fn a_person_has_so_many_passkeys_and_no_more() {
    within(|world, context| {
        Box::pin(async move {
            for _ in 0..MOST {
                world.with_passkey(context, "alice").await;
            }
            let (_, said) = world.made(context, "alice").await;
            let refused = world.register(context, "alice", &said).await;
            assert!(matches!(refused, Err(PasskeyError::TooMany)));
            world.with_passkey(context, "bob").await;
        })
    })
    .await;
}

#[test]
fn ca40_whatever_is_wrong_is_told_in_one_text_at_sign_in() {
    let refusal = |error: PasskeyError| {
        let refusal = error.at_sign_in();
        (refusal.public_text().to_owned(), refusal.rule().clone())
    };
    let unknown = refusal(PasskeyError::Unknown);
    assert_eq!(unknown.1, grantor::types::Rule::Passkey);
    for error in [
        PasskeyError::Challenge("was used"),
        PasskeyError::Disabled,
        PasskeyError::OtherPerson,
        PasskeyError::Ceremony(WebauthnError::Signature),
        PasskeyError::Ceremony(WebauthnError::Counter { known: 2, got: 1 }),
    ] {
        let shown = error.to_string();
        assert_eq!(refusal(error), unknown, "{shown}");
    }
}

#[test]
fn c092_whose_a_passkey_is_already_is_told_to_nobody() {
    let words = Words(Language::English);
    let text = |error: PasskeyError| error.at_change(words).public_text().to_owned();
    let failed = text(PasskeyError::Ceremony(WebauthnError::Challenge));
    assert_eq!(text(PasskeyError::Taken), failed);
    assert_eq!(text(PasskeyError::Unknown), failed);
    // The controls: what the person can do something about.
    assert!(text(PasskeyError::TooMany).contains("remove one first"));
    assert!(text(PasskeyError::LastWay).contains("add another one first"));
}

#[test]
fn dc8_where_the_host_is_an_address_there_are_no_passkeys() {
    let at = |issuer| {
        let store = Arc::new(MemoryStore::new());
        let issuer = Issuer::parse(issuer).expect("an issuer");
        Passkeys::at(&issuer, issuer.origin(), registries(&store)).is_some()
    };
    assert!(!at("http://127.0.0.1:8080"));
    assert!(at("http://localhost:8080"));
}
