//! A grant and a client authentication method of an embedder's own that verify an assertion: the
//! decision explains a refusal row by row, as it does for the server's own.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use grantor::{
    assertion::{Check, Party as Signer, Verdict},
    registry::Client,
    server::{
        Attempt, Authorization, Caller, ClientAuthError, ClientAuthRequirement,
        ClientAuthentication, Context, Decision, Grant, GrantError, Mechanism, Presented, Refusal,
        Request, Throttle,
    },
    types::{AuthMethod, ErrorCode, GrantType, Rule},
};
use grantor_testkit::{Answer, Form, Jwt, Party, Use, World, keys, with_client_assertion};

const TICKET: GrantType = GrantType::from_static("https://as.example/grants/ticket");
static TICKET_TYPES: [Cow<'static, str>; 1] = [Cow::Borrowed("ticket+jwt")];

/// A ticket is an assertion of a type of its own, with a seat.
struct Ticket {
    of_any_issuer: bool,
}

#[async_trait]
impl Grant for Ticket {
    fn grant_type(&self) -> GrantType {
        TICKET
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        ClientAuthRequirement::optional()
    }

    async fn authorize(
        &self,
        context: &Context,
        request: &Request,
        caller: &Caller,
        decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let presented = Presented::grant(request.required("ticket")?, caller)
            .expecting(|expectation| expectation.typ = &TICKET_TYPES);
        let presented = match self.of_any_issuer {
            true => presented.of_any_issuer(),
            false => presented,
        };
        let ticket = context.verify(presented, decision).await?;
        let seat = request.required("seat")?;
        if ticket.claims().other.get("seat").and_then(|it| it.as_str()) != Some(seat) {
            let rule = Rule::named("seat");
            return Err(Refusal::new(ErrorCode::INVALID_GRANT, rule, "not this seat").into());
        }
        assert_eq!(ticket.header().typ(), Some("ticket+jwt"));
        let Signer::Client(client) = ticket.party() else {
            return Err(GrantError::NotAllowed);
        };
        assert_eq!(ticket.subject().as_str(), client.id().as_str());
        Authorization::for_client(client.clone(), &TICKET)
    }
}

/// The row that failed. Those before it passed, and those behind it were not reached.
#[track_caller]
fn failed(answer: &Answer) -> Check {
    let explanation = answer.decision.explanation.as_ref().expect("a table");
    let rows = &explanation.checks;
    let of = |verdict| rows.iter().filter(move |row| row.verdict == verdict);
    let passed = of(Verdict::Pass).count();
    assert_eq!(of(Verdict::Fail).count(), 1, "{rows:?}");
    assert_eq!(rows[passed].verdict, Verdict::Fail, "{rows:?}");
    rows[passed].clone()
}

/// How many rules passed before.
fn passed(answer: &Answer) -> usize {
    let rows = answer.decision.explanation.iter().flat_map(|it| &it.checks);
    rows.filter(|row| row.verdict == Verdict::Pass).count()
}

fn allows_tickets(client: &mut grantor::registry::ClientMetadata) {
    client.grant_types.push(TICKET);
}

fn ticket(party: &Party) -> Jwt {
    party
        .jwt()
        .header("typ", "\"ticket+jwt\"")
        .text("seat", "4A")
}

fn form(token: &str) -> Form {
    Form::new(TICKET.as_str())
        .with("ticket", token)
        .with("seat", "4A")
}

#[tokio::test]
async fn an_assertion_of_a_custom_grant_is_explained_row_by_row() {
    let world = World::with(|builder| {
        builder.grant(Ticket {
            of_any_issuer: false,
        })
    });
    let party = world.party_with(Use::Grant, keys::P256.clone(), allows_tickets);
    let party = party.await;
    let good = || ticket(&party).sign(&party.key);
    world.send(&form(&good())).await.granted("a good ticket");

    type Change = fn(Jwt) -> Jwt;
    let rows: [(Change, &str, &str, &str); 4] = [
        (
            |jwt| jwt.header("typ", "\"JWT\""),
            "typ",
            "none or ticket+jwt",
            "\"JWT\"",
        ),
        (
            |jwt| jwt.text("aud", "https://other.example"),
            "aud",
            "https://as.example or https://as.example/token as sole value",
            "\"https://other.example\"",
        ),
        (
            |jwt| jwt.text("iss", "nobody"),
            "issuer",
            "a registered party",
            "\"nobody\"",
        ),
        (|jwt| jwt.claim("exp", "\"soon\""), "claims", "", ""),
    ];
    for (change, rule, expected, got) in rows {
        let answer = world
            .send(&form(&change(ticket(&party)).sign(&party.key)))
            .await;
        answer.refused(rule, "invalid_grant", rule, "");
        let row = failed(&answer);
        let row = (row.rule.name(), &*row.expected, &*row.got);
        assert_eq!(row, (rule, expected, got));
    }
    let used = form(&good());
    world.send(&used).await.granted("once");
    let answer = world.send(&used).await;
    answer.refused("twice", "invalid_grant", "replay", "used before");
    assert_eq!(failed(&answer).rule, Rule::Replay);

    // What the grant finds wrong afterwards stands behind all that had held.
    let proven = passed(&answer) + 1;
    for (form, error, rule) in [
        (form(&good()).without("seat"), "invalid_request", "form"),
        (form(&good()).set("seat", "4B"), "invalid_grant", "seat"),
        (
            form(&good()).with("scope", "administrate"),
            "invalid_scope",
            "scope",
        ),
    ] {
        let answer = world.send(&form).await;
        answer.refused(rule, error, rule, "");
        assert_eq!(failed(&answer).rule.name(), rule);
        assert!(passed(&answer) >= proven, "{rule}");
    }
    let other = world.party(Use::Grant).await;
    let answer = world.send(&form(&ticket(&other).sign(&other.key))).await;
    answer.refused(
        "no tickets",
        "unauthorized_client",
        "grant",
        "not registered",
    );
    assert_eq!(failed(&answer).rule, Rule::Grant);

    // Without an assertion there is nothing to explain.
    let answer = world.send(&form(&good()).without("ticket")).await;
    answer.refused("no ticket", "invalid_request", "form", "ticket is missing");
    assert_eq!(answer.decision.explanation, None);
}

#[tokio::test]
async fn a_custom_grant_takes_the_callers_own_assertion_unless_it_says_otherwise() {
    for of_any_issuer in [false, true] {
        let world = World::with(|builder| builder.grant(Ticket { of_any_issuer }));
        let party = world.party_with(Use::Grant, keys::P256.clone(), allows_tickets);
        let (party, caller) = (party.await, world.party(Use::PrivateKeyJwt).await);
        let sent_by = |caller: &Party| {
            let form = form(&ticket(&party).sign(&party.key));
            with_client_assertion(form, &caller.jwt().sign(&caller.key))
        };
        world.send(&sent_by(&party)).await.granted("its own");
        let answer = world.send(&sent_by(&caller)).await;
        if of_any_issuer {
            answer.granted("another's");
            continue;
        }
        answer.refused("another's", "invalid_grant", "caller", "is not the issuer");
        let row = failed(&answer);
        assert_eq!(
            (row.rule.name(), row.expected, row.got),
            (
                "caller",
                format!("the issuer {:?}", party.id),
                format!("{:?}", caller.id)
            )
        );
    }
}

/// T024: a trust wants its own client to authenticate, and no other.
#[tokio::test]
async fn t024_a_grant_that_takes_any_issuer_has_the_client_of_the_trust_authenticate() {
    let of_any_issuer = true;
    let world = World::with(|builder| builder.grant(Ticket { of_any_issuer }));
    let idp = world.third_party("idp", |_| ()).await;
    let (owner, other) = (
        world.party(Use::PrivateKeyJwt).await,
        world.party(Use::PrivateKeyJwt).await,
    );
    let trust = world.trust(&idp, "ci", &owner.id, |trust| {
        trust.needs_client_auth = true;
    });
    trust.await;
    let sent_by = |caller: &Party| {
        let ticket = idp.jwt().header("typ", "\"ticket+jwt\"").text("seat", "4A");
        let form = form(&ticket.sign(&idp.key));
        with_client_assertion(form, &caller.jwt().sign(&caller.key))
    };
    let answer = world.send(&sent_by(&other)).await;
    let cause = "wants its client to authenticate";
    answer.refused("another", "invalid_client", "client", cause);
    // As far as the grant itself, which wants the ticket of a client.
    let answer = world.send(&sent_by(&owner)).await;
    answer.refused("control", "unauthorized_client", "grant", "");
}

/// Client authentication by an assertion in a field of the head.
struct InHeader;

static IN_HEADER: [AuthMethod; 1] = [AuthMethod::from_static("jwt_in_header")];

#[async_trait]
impl ClientAuthentication for InHeader {
    fn methods(&self) -> &[AuthMethod] {
        &IN_HEADER
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Assertion
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.headers().contains_key("client-jwt")
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let token = request.headers().get("client-jwt");
        let token = token.and_then(|token| token.to_str().ok());
        let token = token.ok_or(ClientAuthError::Missing)?;
        let presented = Presented::client_authentication(token);
        let proven = context.verify(presented, decision).await?;
        let Signer::Client(client) = proven.party() else {
            return Err(ClientAuthError::DisabledClient);
        };
        // A client whose registered method this is not may not use it, whatever it proves.
        let own = client.id().as_str().ends_with("/own");
        let method = if own {
            client.metadata().auth_method.clone()
        } else {
            IN_HEADER[0].clone()
        };
        Ok((client.clone(), method))
    }
}

#[tokio::test]
async fn an_assertion_of_a_custom_client_authentication_is_explained_row_by_row() {
    let world = World::with(|builder| {
        builder
            .client_auth(InHeader)
            .keep_header("client-jwt".parse().expect("a name"))
    });
    let own = world.party_with(Use::PrivateKeyJwt, keys::P256.clone(), |client| {
        client.id = "https://client.example/own".parse().expect("a name");
    });
    let (own, other) = (own.await, world.party(Use::PrivateKeyJwt).await);
    let form = |token: &str| Form::new("client_credentials").header("client-jwt", token);
    let sent = async |party: &Party, jwt: Jwt| world.send(&form(&jwt.sign(&party.key))).await;
    sent(&own, own.jwt()).await.granted("its own method");
    let answer = sent(&own, own.jwt().text("aud", "https://other.example")).await;
    answer.refused("another aud", "invalid_client", "aud", "expected one of");
    assert_eq!(failed(&answer).got, "\"https://other.example\"");

    let answer = sent(&other, other.jwt()).await;
    answer.refused(
        "another method",
        "invalid_client",
        "method",
        "used jwt_in_header",
    );
    let row = failed(&answer);
    let explanation = answer.decision.explanation.as_ref().expect("a table");
    assert_eq!(explanation.checks.last(), Some(&row), "every rule had held");
    assert_eq!(
        (&*row.expected, &*row.got),
        ("private_key_jwt", "jwt_in_header")
    );
}

/// When a throttle was told which name, and whether that was read for it.
type Noted = (&'static str, String, bool);

/// Notes which names it is told.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<Noted>>>);

impl Noting {
    fn note(&self, when: &'static str, attempt: &Attempt<'_>) {
        let name = attempt.claimed_party().expect("a name");
        let is_read_for_it = matches!(name, Cow::Owned(_));
        let noted = (when, name.into_owned(), is_read_for_it);
        self.0.lock().expect("no panic").push(noted);
    }
}

impl Throttle for Noting {
    fn wait(&self, attempt: &Attempt<'_>) -> Option<Duration> {
        self.note("wait", attempt);
        None
    }

    fn failed(&self, attempt: &Attempt<'_>) {
        self.note("failed", attempt);
    }

    fn succeeded(&self, attempt: &Attempt<'_>) {
        self.note("succeeded", attempt);
    }
}

#[tokio::test]
async fn a_throttle_is_told_the_name_that_the_stage_has_read() {
    for usage in Use::ALL {
        let noting = Noting::default();
        let world = World::with(|builder| builder.throttle(noting.clone()));
        let (party, stranger) = (world.party(usage).await, world.party(usage).await);
        let noted = async |form: &Form| {
            world.send(form).await;
            std::mem::take(&mut *noting.0.lock().expect("no panic"))
        };
        let name = || party.id.clone();
        let expected =
            |then, is_read_again| vec![("wait", name(), true), (then, name(), is_read_again)];
        assert_eq!(
            noted(&party.good_form()).await,
            expected("succeeded", false)
        );
        let forged = party.form(
            &party
                .jwt()
                .text("aud", "https://other.example")
                .sign(&party.key),
        );
        assert_eq!(noted(&forged).await, expected("failed", false));
        // The name is that of the standard's parameter, whatever else the request presents.
        let grant = Party {
            usage: Use::Grant,
            ..stranger.clone()
        };
        if usage != Use::Grant {
            let both = with_client_assertion(grant.good_form(), &party.jwt().sign(&party.key));
            assert_eq!(noted(&both).await[0], ("wait", name(), true));
        }
    }
    let noting = Noting::default();
    let world = World::with(|builder| {
        builder
            .grant(Ticket {
                of_any_issuer: false,
            })
            .throttle(noting.clone())
    });
    let party = world.party_with(Use::Grant, keys::P256.clone(), allows_tickets);
    let (party, stranger) = (party.await, world.party(Use::Grant).await);
    let stray = stranger.jwt().sign(&stranger.key);
    let form = form(&ticket(&party).sign(&party.key)).with("assertion", &stray);
    world
        .send(&form)
        .await
        .granted("a ticket beside a stray assertion");
    let noted = std::mem::take(&mut *noting.0.lock().expect("no panic"));
    let told = |when| (when, stranger.id.clone(), true);
    assert_eq!(
        noted,
        [told("wait"), told("succeeded")],
        "one name for both"
    );
}
