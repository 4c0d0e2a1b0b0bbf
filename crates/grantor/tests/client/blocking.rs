//! Tokens for plain threads: the promises of a token source, without a runtime of the caller's.

use std::{sync::Arc, thread, time::Duration};

use crate::support::{Double, NOW, clock, key, refusal, token};
use grantor::{
    client::{
        JwtBearer, RetryPolicy, Server as AuthorizationServer, TokenSource, Wanted,
        blocking::{self, StartError},
    },
    clock::{Clock, ManualClock, UnixTime},
    jose::Algorithm,
};
use grantor_testkit::wait;
use tokio::{runtime::Runtime, sync::Semaphore};

/// A server on a runtime of its own, which the tests' threads are not in.
fn start<F, A>(script: F) -> (Runtime, Double)
where
    F: Fn(usize) -> A + Send + Sync + 'static,
    A: Future<Output = http::Response<crate::support::Body>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = runtime.block_on(Double::start(move |number, _| script(number)));
    (runtime, server)
}

fn source(server: &Double, clock: &Arc<ManualClock>) -> blocking::TokenSource {
    let (_, signer) = key(Algorithm::Es256);
    let server = AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer(&server.url);
    let source = TokenSource::jwt_bearer(server, JwtBearer::new("billing", signer));
    let retry = RetryPolicy {
        tries: 2,
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let source = source
        .clock(Arc::<ManualClock>::clone(clock))
        .retry(retry)
        .build()
        .expect("a source");
    blocking::TokenSource::new(source).expect("a thread")
}

fn text(source: &blocking::TokenSource) -> String {
    source.token().expect("a token").expose().to_owned()
}

#[test]
fn a_hundred_threads_make_one_request() {
    // The server answers when all are there.
    let there = Arc::new(Semaphore::new(0));
    let awaited = Arc::clone(&there);
    let (_runtime, server) = start(move |number| {
        let awaited = Arc::clone(&awaited);
        async move {
            awaited.acquire_many(100).await.expect("open").forget();
            token(&format!("token-{number}"), 3600)
        }
    });
    let source = source(&server, &clock());
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (source, there) = (source.clone(), Arc::clone(&there));
            thread::spawn(move || {
                there.add_permits(1);
                text(&source)
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.join().expect("no panic"), "token-0");
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn a_token_is_kept_refreshed_ahead_and_replaced_when_refused() {
    let (_runtime, server) = start(|number| async move { token(&format!("token-{number}"), 3600) });
    let clock = clock();
    let source = source(&server, &clock);
    assert_eq!(
        (text(&source), text(&source.clone())),
        ("token-0".to_owned(), "token-0".to_owned())
    );
    assert_eq!(server.count(), 1);
    // Due: the valid token is given at once, and replaced in the background, where nobody waits.
    clock.set(UnixTime::from_millis((NOW + 3500) * 1000));
    assert_eq!(text(&source), "token-0");
    wait::blocking::until("it is refreshed", || text(&source) != "token-0");
    assert_eq!((text(&source), server.count()), ("token-1".to_owned(), 2));
    source.invalidate(&source.token().expect("a token"));
    assert_eq!((text(&source), server.count()), ("token-2".to_owned(), 3));
    let other = source
        .token_for(Wanted::new().subject("alice"))
        .expect("a token");
    assert_eq!(
        (other.expose(), server.last().jwt("assertion").claim("sub")),
        ("token-3", &"alice".into())
    );
    assert_eq!(
        text(&source.wanting(Wanted::new().subject("alice"))),
        "token-3"
    );
    let (mut parts, ()) = http::Request::get("https://api.example")
        .body(())
        .expect("a request")
        .into_parts();
    source.authorize(&mut parts).expect("a token");
    assert_eq!(parts.headers["authorization"], "Bearer token-2");
    assert!(clock.now() > UnixTime::from_millis(NOW * 1000));
}

#[test]
fn a_failure_reaches_every_thread_and_waits_use_the_background_timer() {
    let (_runtime, server) = start(|number| async move {
        match number {
            0 => refusal(503, "temporarily_unavailable"),
            1 => token("token-1", 3600),
            _ => refusal(400, "invalid_grant"),
        }
    });
    let source = source(&server, &clock());
    assert_eq!(text(&source), "token-1", "tried again after a wait");
    let error = source
        .token_for(Wanted::new().subject("bob"))
        .expect_err("refused");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}

/// It is not for async code, but it neither panics there nor waits for ever.
#[test]
fn within_a_runtime_it_blocks_and_works() {
    let (_runtime, server) = start(|number| async move { token(&format!("token-{number}"), 3600) });
    let source = source(&server, &clock());
    let own = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    assert_eq!(own.block_on(async { text(&source) }), "token-0");
}

#[test]
fn a_key_file_that_is_not_there_is_named() {
    let error = blocking::TokenSource::from_key_file("nowhere.json").expect_err("no file");
    assert!(
        matches!(error, StartError::KeyFile(_)) && error.to_string().contains("nowhere.json"),
        "{error}"
    );
}
