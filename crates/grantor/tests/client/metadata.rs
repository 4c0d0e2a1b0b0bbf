//! When the metadata of the server is read, and how long it is used.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::{Double, answer, clock, key, token};
use grantor::{
    client::{
        AccessToken, JwtBearer, Server as AuthorizationServer, TokenError, TokenSource, Wanted,
    },
    clock::ManualClock,
    jose::Algorithm,
    remote::DiscoveryError,
};
use serde_json::json;

/// What the server says at its well-known places.
const GOOD: usize = 0;
const BROKEN: usize = 1;
const OF_ANOTHER: usize = 2;

struct World {
    server: Double,
    says: Arc<AtomicUsize>,
    clock: Arc<ManualClock>,
    source: TokenSource,
}

impl World {
    async fn new() -> Self {
        let says = Arc::new(AtomicUsize::new(GOOD));
        let script = Arc::clone(&says);
        let server = Double::start(move |_, asked| {
            let says = script.load(Ordering::SeqCst);
            async move {
                let issuer = format!("http://{}", asked.headers["host"].to_str().expect("ASCII"));
                let endpoint = format!("{issuer}/token");
                match (asked.uri.path(), says) {
                    ("/token", _) => token("token", 3600),
                    (_, BROKEN) => answer(503, &json!({})),
                    (_, OF_ANOTHER) => answer(
                        200,
                        &json!({"issuer": "https://evil.example", "token_endpoint": endpoint}),
                    ),
                    _ => answer(200, &json!({"issuer": issuer, "token_endpoint": endpoint})),
                }
            }
        })
        .await;
        let clock = clock();
        let at = AuthorizationServer::discover(&server.url).expect("an issuer");
        let grant = JwtBearer::new("billing", key(Algorithm::Es256).1);
        let source = TokenSource::jwt_bearer(at, grant).clock(clock.clone());
        Self {
            source: source.build().expect("a source"),
            server,
            says,
            clock,
        }
    }

    /// A token for a subject of its own, which needs a request.
    async fn token(&self, subject: impl Into<String>) -> Result<AccessToken, TokenError> {
        self.source.token_for(Wanted::new().subject(subject)).await
    }

    /// How often metadata was asked for.
    fn reads(&self) -> usize {
        let asked = self.server.asked();
        asked
            .iter()
            .filter(|asked| asked.uri.path() != "/token")
            .count()
    }

    /// Asks for new tokens until what comes of one is `good` or not.
    async fn becomes(&self, name: &str, good: bool) -> Result<AccessToken, TokenError> {
        let start = Instant::now();
        for number in 0.. {
            let token = self.token(format!("{name}-{number}")).await;
            if token.is_ok() == good {
                return token;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{token:?}");
        }
        unreachable!("there are more numbers")
    }
}

#[tokio::test]
async fn tokens_that_are_wanted_at_once_share_one_read_of_the_metadata() {
    let world = Arc::new(World::new().await);
    let callers: Vec<_> = (0..20)
        .map(|number| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.token(format!("subject-{number}")).await })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("a token");
    }
    assert_eq!((world.reads(), world.server.count()), (1, 21));
}

#[tokio::test]
async fn metadata_is_used_on_while_there_is_no_answer_and_not_after_that_of_another() {
    let world = World::new().await;
    world.token("first").await.expect("a token");
    world.clock.advance(Duration::from_secs(44 * 60));
    world.says.store(OF_ANOTHER, Ordering::SeqCst);
    world.token("within the hour").await.expect("a token");
    assert_eq!(world.reads(), 1);

    world.says.store(BROKEN, Ordering::SeqCst);
    for hours in [2, 24, 240] {
        world.clock.advance(Duration::from_secs(hours * 3600));
        let token = world.token(format!("{hours} hours later")).await;
        token.expect("the endpoint of before is used on");
    }
    assert!(world.reads() > 1, "it was asked again");

    world.says.store(OF_ANOTHER, Ordering::SeqCst);
    let error = world.becomes("evil", false).await.expect_err("refused");
    assert!(
        matches!(&error, TokenError::Discovery(error)
            if matches!(**error, DiscoveryError::OtherIssuer { .. })),
        "{error}"
    );

    world.says.store(GOOD, Ordering::SeqCst);
    world.becomes("good", true).await.expect("the control");
}
