//! Token sources: one request however many ask, nobody waits for a refresh, and what happens when
//! the server fails.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::support::{Double, answer, clock, key, refusal, token, with_header};
use grantor::{
    client::{
        AccessToken, Builder, ClientSecretPost, JwtBearer, RetryPolicy,
        Server as AuthorizationServer, TokenError, TokenSource, Wanted,
    },
    clock::ManualClock,
    jose::Algorithm,
    remote::{FetchError, Forbidden, VettedFetch, Vetting},
    types::Scope,
};
use grantor_testkit::wait;
use serde_json::json;
use tokio::sync::Semaphore;

/// Tries without waiting, for tests that count requests.
const AT_ONCE: RetryPolicy = RetryPolicy {
    tries: 3,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(2),
    timeout: Duration::from_secs(20),
};

fn builder(server: &Double, clock: &Arc<ManualClock>) -> Builder {
    let (_, signer) = key(Algorithm::Es256);
    let server = AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer(&server.url);
    TokenSource::jwt_bearer(server, JwtBearer::new("billing", signer))
        .clock(clock.clone())
        .retry(AT_ONCE)
}

fn source(server: &Double, clock: &Arc<ManualClock>) -> TokenSource {
    builder(server, clock).build().expect("a source")
}

fn text(token: Result<AccessToken, TokenError>) -> String {
    token.expect("a token").expose().to_owned()
}

/// A server that gives a token for so many permits, and the gate that takes them.
async fn gated(permits: u32) -> (Arc<Semaphore>, Double) {
    let gate = Arc::new(Semaphore::new(0));
    let script_gate = Arc::clone(&gate);
    let server = Double::start(move |number, _| {
        let gate = Arc::clone(&script_gate);
        async move {
            gate.acquire_many(permits).await.expect("open").forget();
            token(&format!("token-{number}"), 3600)
        }
    });
    (gate, server.await)
}

/// T073, as for a guard.
#[tokio::test]
async fn a_client_can_be_kept_out_of_private_networks() {
    let server = Double::start(|_, _| async { token("token", 3600) }).await;
    let source = |vetting| {
        let fetch = Arc::new(VettedFetch::direct(vetting));
        let source = builder(&server, &clock()).fetch(fetch.clone()).build();
        (source.expect("a source"), fetch)
    };

    let (shut, fetch) = source(Vetting::new());
    let error = shut.token().await.expect_err("nothing is connected");
    let TokenError::Fetch(error) = error else {
        unreachable!("{error:?}")
    };
    let is_loopback = matches!(&*error, FetchError::Forbidden(Forbidden::Address { address, .. })
        if address.is_loopback());
    assert!(is_loopback, "{error}");
    assert_eq!((fetch.refused(), server.count()), (1, 0));

    let network = "127.0.0.1/32".parse().expect("a network");
    let (opened, fetch) = source(Vetting::new().allow_internal(network));
    assert_eq!(text(opened.token().await), "token");
    assert_eq!((fetch.refused(), server.count()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_of_a_cold_source_make_one_request() {
    // The server answers when all are there.
    let (gate, server) = gated(10_000).await;
    let source = source(&server, &clock());
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let (source, gate) = (source.clone(), Arc::clone(&gate));
            tokio::spawn(async move {
                gate.add_permits(1);
                source.token().await
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(text(caller.await.expect("no panic")), "token-0");
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_while_a_valid_token_is_refreshed() {
    let (gate, server) = gated(1).await;
    gate.add_permits(1);
    let clock = clock();
    let source = source(&server, &clock);
    assert_eq!(text(source.token().await), "token-0");
    clock.advance(Duration::from_secs(3000));
    assert_eq!(text(source.token().await), "token-0");
    assert_eq!(server.count(), 1, "not due yet");
    clock.advance(Duration::from_secs(400));
    // The server does not answer, and everybody gets the valid token without being suspended once.
    for _ in 0..1000 {
        let now = futures_poll_once(source.token());
        assert_eq!(text(now.expect("no waiting")), "token-0");
    }
    server.count_becomes(2).await;
    assert_eq!(
        text(futures_poll_once(source.token()).expect("no waiting")),
        "token-0"
    );
    gate.add_permits(1);
    wait::until("a new token", async || {
        text(source.token().await) != "token-0"
    })
    .await;
    assert_eq!(server.count(), 2);
}

/// What a future gives when polled once.
fn futures_poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// The cost of a call that finds its token, printed with `--nocapture`.
#[tokio::test]
async fn a_warm_call_costs_less_than_a_microsecond() {
    let server = Double::tokens().await;
    let (_, signer) = key(Algorithm::Es256);
    let at = AuthorizationServer::at(&server.token_endpoint())
        .expect("a URL")
        .with_issuer(&server.url);
    let source = TokenSource::jwt_bearer(at, JwtBearer::new("billing", signer))
        .build()
        .expect("a source");
    let wanted = Wanted::new()
        .subject("alice")
        .scope(Scope::parse("a b c").expect("a scope"));
    source.token().await.expect("a token");
    source.token_for(wanted.clone()).await.expect("a token");
    const CALLS: u32 = 100_000;
    let start = Instant::now();
    for _ in 0..CALLS {
        assert!(source.token().await.is_ok());
    }
    let default = start.elapsed() / CALLS;
    let start = Instant::now();
    for _ in 0..CALLS {
        assert!(source.token_for(wanted.clone()).await.is_ok());
    }
    let particular = start.elapsed() / CALLS;
    println!("a warm call: token() {default:?}, token_for() {particular:?}");
    // A debug build on a busy machine gets room.
    let limit = if cfg!(debug_assertions) {
        Duration::from_micros(50)
    } else {
        Duration::from_micros(1)
    };
    assert!(default < limit, "{default:?}");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn an_expired_token_is_never_given() {
    let server =
        Double::start(|number, _| async move { token(&format!("token-{number}"), 60) }).await;
    let clock = clock();
    let source = source(&server, &clock);
    assert_eq!(text(source.token().await), "token-0");
    clock.advance(Duration::from_secs(54));
    assert_eq!(
        text(source.token().await),
        "token-1",
        "its last tenth is for the way to the API"
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_far_ends_a_token_and_a_little_does_not() {
    let server = Double::tokens().await;
    let clock = clock();
    let source = source(&server, &clock);
    assert_eq!(text(source.token().await), "token-0");
    clock.set(grantor::clock::UnixTime::from_millis(
        (crate::support::NOW - 30) * 1000,
    ));
    assert_eq!(text(source.token().await), "token-0");
    clock.set(grantor::clock::UnixTime::from_millis(
        (crate::support::NOW - 3600) * 1000,
    ));
    assert_eq!(text(source.token().await), "token-1");
}

#[tokio::test]
async fn an_answer_without_expires_in_is_kept_for_the_assumed_time() {
    let server = Double::start(|number, _| async move {
        answer(
            200,
            &json!({"access_token": format!("token-{number}"), "token_type": "bearer"}),
        )
    })
    .await;
    let clock = clock();
    let source = builder(&server, &clock)
        .assumed_lifetime(Duration::from_secs(100))
        .build()
        .expect("a source");
    let first = source.token().await.expect("a token");
    assert_eq!((first.expose(), first.expires()), ("token-0", None));
    clock.advance(Duration::from_secs(60));
    assert_eq!(text(source.token().await), "token-0");
    clock.advance(Duration::from_secs(31));
    assert_eq!(text(source.token().await), "token-1");
}

#[tokio::test]
async fn each_try_has_a_new_assertion() {
    let server = Double::start(|number, _| async move {
        if number < 2 {
            refusal(503, "temporarily_unavailable")
        } else {
            token("token", 3600)
        }
    })
    .await;
    let source = source(&server, &clock());
    assert_eq!(text(source.token().await), "token");
    let jtis: HashSet<String> = server
        .asked()
        .iter()
        .map(|asked| asked.jwt("assertion").claim("jti").to_string())
        .collect();
    assert_eq!((server.count(), jtis.len()), (3, 3));
}

#[tokio::test]
async fn what_the_server_refuses_is_not_tried_again() {
    for status in [400, 401, 403, 404, 429] {
        let server = Double::always(status, json!({"error": "invalid_client"})).await;
        let error = source(&server, &clock())
            .token()
            .await
            .expect_err("a refusal");
        assert_eq!(error.oauth_code(), Some("invalid_client"), "{status}");
        assert_eq!(server.count(), 1, "{status}");
    }
    // The control: a failure of the server is.
    let server = Double::always(500, json!({"error": "server_error"})).await;
    assert!(source(&server, &clock()).token().await.is_err());
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn no_connection_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "http://{}/token",
        listener.local_addr().expect("an address")
    );
    let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let at = AuthorizationServer::at(&url).expect("a URL");
    let source = TokenSource::client_credentials(at, ClientSecretPost::new("billing", "secret"));
    let error = source
        .retry(AT_ONCE)
        .build()
        .expect("a source")
        .token()
        .await
        .expect_err("no answer");
    assert!(matches!(error, TokenError::Fetch(_)), "{error}");
    assert!(counted.load(Ordering::SeqCst) >= 3);
}

#[tokio::test]
async fn a_long_retry_after_is_not_waited_for_but_kept() {
    let server = Double::start(|number, _| async move {
        match number {
            0 => with_header(
                refusal(503, "temporarily_unavailable"),
                "retry-after",
                "120",
            ),
            _ => token("token", 3600),
        }
    })
    .await;
    let clock = clock();
    let source = source(&server, &clock);
    assert!(source.token().await.is_err());
    clock.advance(Duration::from_secs(119));
    assert!(source.token().await.is_err());
    assert_eq!(server.count(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(text(source.token().await), "token");
}

#[tokio::test]
async fn retry_after_zero_leaves_the_pause_as_it_is() {
    for status in [429, 503] {
        let server = Double::start(move |_, _| async move {
            with_header(refusal(status, "slow_down"), "retry-after", "0")
        })
        .await;
        let clock = clock();
        let retry = RetryPolicy {
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_millis(200),
            ..AT_ONCE
        };
        let source = builder(&server, &clock)
            .retry(retry)
            .build()
            .expect("a source");
        let start = Instant::now();
        for _ in 0..100 {
            assert!(source.token().await.is_err());
        }
        let tries = if status == 503 { 3 } else { 1 };
        assert_eq!(server.count(), tries, "{status}: the error is kept");
        assert!(
            start.elapsed() >= Duration::from_millis(100) * (tries as u32 - 1),
            "{status}: tried again without a wait"
        );
        clock.advance(Duration::from_millis(999));
        assert!(source.token().await.is_err());
        assert_eq!(server.count(), tries, "{status}: the pause is 1 s");
        clock.advance(Duration::from_millis(1));
        assert!(source.token().await.is_err());
        assert_eq!(
            server.count(),
            2 * tries,
            "{status}: the control: it is over"
        );
    }
}

#[tokio::test]
async fn a_token_that_has_ended_when_it_comes_is_not_asked_for_at_each_call() {
    let server =
        Double::start(|number, _| async move { token(&format!("token-{number}"), 0) }).await;
    let clock = clock();
    let source = source(&server, &clock);
    for _ in 0..100 {
        assert_eq!(text(source.token().await), "token-0");
    }
    clock.advance(Duration::from_millis(999));
    assert_eq!(
        (text(source.token().await), server.count()),
        ("token-0".to_owned(), 1)
    );
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        (text(source.token().await), server.count()),
        ("token-1".to_owned(), 2)
    );
}

#[tokio::test]
async fn a_failing_server_is_left_alone_for_longer_and_longer() {
    let server = Double::always(400, json!({"error": "invalid_grant"})).await;
    let clock = clock();
    let source = source(&server, &clock);
    for _ in 0..100 {
        assert!(source.token().await.is_err());
    }
    assert_eq!(server.count(), 1, "the error is kept");
    // In 10 minutes, asked every 100 ms: 1 s, 2 s, 4 s ... 60 s apart, cut by at most a half.
    for _ in 0..6000 {
        clock.advance(Duration::from_millis(100));
        assert!(source.token().await.is_err());
    }
    assert!((10..40).contains(&server.count()), "{}", server.count());
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_valid_token_in_use() {
    let server = Double::start(|number, _| async move {
        if number == 0 {
            token("token-0", 3600)
        } else {
            refusal(400, "invalid_grant")
        }
    })
    .await;
    let clock = clock();
    let source = source(&server, &clock);
    source.token().await.expect("a token");
    clock.advance(Duration::from_secs(3500));
    for _ in 0..100 {
        assert_eq!(text(source.token().await), "token-0");
    }
    server.count_becomes(2).await;
    for _ in 0..100 {
        assert_eq!(text(source.token().await), "token-0");
    }
    assert_eq!(server.count(), 2, "and the server is not asked each time");
    clock.advance(Duration::from_secs(100));
    let error = source.token().await.expect_err("it has ended");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_does_not_end_the_request_for_the_others() {
    let (gate, server) = gated(1).await;
    let source = source(&server, &clock());
    tokio::select! {
        biased;
        _ = source.token() => unreachable!("the server has not answered"),
        // It gives up.
        () = server.count_becomes(1) => {}
    }
    gate.add_permits(1);
    assert_eq!(text(source.token().await), "token-0");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_token_that_an_api_refused_is_replaced_once_however_many_say_so() {
    let server = Double::tokens().await;
    let clock = clock();
    let source = source(&server, &clock);
    let first = source.token().await.expect("a token");
    for _ in 0..100 {
        source.invalidate(&first);
    }
    let second = source.token().await.expect("a token");
    assert_eq!(second.expose(), "token-1");
    source.invalidate(&first);
    assert_eq!(
        text(source.token().await),
        "token-1",
        "what was refused was another token"
    );
    source.invalidate(&second);
    assert_eq!(
        text(source.token().await),
        "token-1",
        "a fresh replacement is not replaced: the token is not the reason"
    );
    clock.advance(Duration::from_secs(10));
    assert_eq!(text(source.token().await), "token-2");
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn each_scope_subject_and_resource_has_its_own_token() {
    let server = Double::tokens().await;
    let source = builder(&server, &clock())
        .scope("read".parse().expect("a scope"))
        .build()
        .expect("a source");
    let scope = |text: &str| text.parse::<Scope>().expect("a scope");
    let rows = [
        Wanted::new(),
        Wanted::new().scope(scope("write")),
        Wanted::new().subject("alice"),
        Wanted::new().resource("https://api.example"),
        Wanted::new()
            .subject("alice")
            .resource("https://api.example"),
    ];
    for (number, wanted) in rows.iter().enumerate() {
        for _ in 0..3 {
            assert_eq!(
                text(source.token_for(wanted.clone()).await),
                format!("token-{number}"),
                "{wanted:?}"
            );
        }
    }
    let alice = source.wanting(Wanted::new().subject("alice"));
    assert_eq!(text(alice.token().await), "token-2");
    assert_eq!(
        text(
            alice
                .wanting(Wanted::new().resource("https://api.example"))
                .token()
                .await
        ),
        "token-4"
    );
    assert_eq!(text(alice.wanting(Wanted::new()).token().await), "token-2");
    // Written otherwise, the same.
    assert_eq!(
        text(source.token_for(Wanted::new().scope(scope("read"))).await),
        "token-0"
    );
    assert_eq!(text(source.token().await), "token-0");
    assert_eq!(server.count(), rows.len());
    let asked = server.asked();
    let of = |number: usize, name: &str| asked[number].parameter(name);
    assert_eq!(
        (of(0, "scope"), of(1, "scope")),
        (Some("read".to_owned()), Some("write".to_owned()))
    );
    assert_eq!(of(4, "resource").as_deref(), Some("https://api.example"));
    assert_eq!(asked[0].jwt("assertion").claim("sub"), "billing");
    assert_eq!(asked[4].jwt("assertion").claim("sub"), "alice");
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let server = Double::tokens().await;
    let source = builder(&server, &clock())
        .capacity(10)
        .build()
        .expect("a source");
    for number in 0..200 {
        source
            .token_for(Wanted::new().subject(number.to_string()))
            .await
            .expect("a token");
    }
    for number in 0..200 {
        source
            .token_for(Wanted::new().subject(number.to_string()))
            .await
            .expect("a token");
    }
    assert!(
        server.count() > 380,
        "{} requests: more than ten tokens were kept",
        server.count()
    );
}

#[test]
fn without_a_runtime_only_a_kept_token_is_given() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Double::tokens());
    let source = source(&server, &clock());
    let cold = futures_poll_once(source.token()).expect("no waiting");
    assert!(matches!(cold, Err(TokenError::NoRuntime)));
    runtime.block_on(source.token()).expect("a token");
    assert_eq!(
        text(futures_poll_once(source.token()).expect("no waiting")),
        "token-0"
    );
}

#[test]
fn a_request_that_ended_with_its_runtime_is_made_again_on_another() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Double::start(|number, _| async move {
        if number == 0 {
            std::future::pending::<()>().await;
        }
        token(&format!("token-{number}"), 3600)
    }));
    let source = source(&server, &clock());
    let doomed = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let caller = source.clone();
    doomed.spawn(async move { caller.token().await });
    runtime.block_on(server.count_becomes(1));
    doomed.shutdown_background();
    assert_eq!(text(runtime.block_on(source.token())), "token-1");
}

/// Starts a request on a runtime that nobody drives once the server has it, and keeps that runtime.
fn stuck(source: &TokenSource, server: &Double, requests: usize) -> tokio::runtime::Runtime {
    let stuck = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let caller = source.clone();
    stuck.spawn(async move { caller.token().await });
    stuck.block_on(server.count_becomes(requests));
    stuck
}

/// Drives a runtime until nothing is left for it to do.
fn all_ends(runtime: &tokio::runtime::Runtime) {
    let metrics = runtime.metrics();
    let ends = async || metrics.num_alive_tasks() == 0;
    runtime.block_on(wait::until("all tasks end", ends));
}

/// The first request is never answered; the others give a token that is named by their number.
fn silent_at_first() -> (tokio::runtime::Runtime, Double) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Double::start(|number, _| async move {
        if number == 0 {
            std::future::pending::<()>().await;
        }
        token(&format!("token-{number}"), 3600)
    }));
    (runtime, server)
}

const SHORT: RetryPolicy = RetryPolicy {
    timeout: Duration::from_secs(3),
    ..AT_ONCE
};

#[test]
fn a_request_whose_runtime_nobody_drives_is_made_again_on_another() {
    let (runtime, server) = silent_at_first();
    let source = builder(&server, &clock())
        .retry(SHORT)
        .build()
        .expect("a source");
    let stuck = stuck(&source, &server, 1);
    let start = Instant::now();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let source = source.clone();
            runtime.spawn(async move { source.token().await })
        })
        .collect();
    for caller in callers {
        assert_eq!(text(runtime.block_on(caller).expect("no panic")), "token-1");
    }
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(server.count(), 2, "once for all of them");
    // Driven again, the first one times out: that is no failure of the source, which has a token.
    all_ends(&stuck);
    source.invalidate(&runtime.block_on(source.token()).expect("a token"));
    assert_eq!(text(runtime.block_on(source.token())), "token-2");
    assert_eq!(
        text(futures_poll_once(source.token()).expect("no waiting")),
        "token-2"
    );
}

#[test]
fn without_a_runtime_nobody_waits_for_a_request_of_another() {
    let (_runtime, server) = silent_at_first();
    let source = builder(&server, &clock())
        .retry(SHORT)
        .build()
        .expect("a source");
    let _stuck = stuck(&source, &server, 1);
    let cold = futures_poll_once(source.token()).expect("no waiting");
    assert!(matches!(cold, Err(TokenError::NoRuntime)));
}

#[test]
fn a_blocking_call_on_the_thread_that_should_make_the_request_returns() {
    let (_runtime, server) = silent_at_first();
    let source = builder(&server, &clock())
        .retry(SHORT)
        .build()
        .expect("a source");
    let own = stuck(&source, &server, 1);
    let blocking = grantor::client::blocking::TokenSource::new(source).expect("a thread");
    let start = Instant::now();
    let got = own.block_on(async { blocking.token() });
    assert_eq!(text(got), "token-1");
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn metadata_that_a_runtime_reads_which_nobody_drives_is_read_again() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Double::start(|number, asked| async move {
        let issuer = format!("http://{}", asked.headers["host"].to_str().expect("ASCII"));
        match (number, asked.uri.path()) {
            (0, _) => std::future::pending().await,
            (_, "/token") => token("token", 3600),
            _ => answer(
                200,
                &json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")}),
            ),
        }
    }));
    let at = AuthorizationServer::discover(&server.url).expect("an issuer");
    let source = TokenSource::jwt_bearer(at, JwtBearer::new("billing", key(Algorithm::Es256).1))
        .retry(AT_ONCE);
    let source = source.clock(clock()).build().expect("a source");
    let _stuck = stuck(&source, &server, 1);
    let start = Instant::now();
    let other = source.token_for(Wanted::new().subject("alice"));
    assert_eq!(
        text(runtime.block_on(other)),
        "token",
        "another token, whose request waits for the same metadata"
    );
    assert!(start.elapsed() < AT_ONCE.timeout, "{:?}", start.elapsed());
}
