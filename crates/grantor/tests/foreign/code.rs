//! A person at a browser, and our client of the code grant at node-oidc-provider.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use grantor::{
    client::{
        AnswerError, CodeClient, RefreshTokenInMemory, RefreshTokenStore as _, Server,
        StartedAuthorization,
    },
    jose::Algorithm,
    remote::{Fetch as _, HttpFetch},
    types::{ErrorCode, GrantType},
};
use http::{Request, Response, header};
use serde_json::json;
use url::{Url, form_urlencoded};

use crate::{
    client::{Client, scope},
    process::Process,
};

const CALLBACK: &str = "https://billing.example/callback";

/// A server with a client that asks people, by a key.
fn place() -> (Process, CodeClient) {
    let client = Client::signing("billing", Algorithm::Es256);
    let grants = [GrantType::AUTHORIZATION_CODE, GrantType::REFRESH_TOKEN];
    let mut registration = client.registration(&grants);
    registration["redirect_uris"] = json!([CALLBACK]);
    registration["response_types"] = json!(["code"]);
    let settings = json!({"clients": [registration], "path": "", "people": true});
    let server = Process::oidc_provider(&settings);
    let at = Server::discover(&server.at.issuer).expect("a loopback URL");
    let callback = CALLBACK.parse().expect("a redirect URI");
    let client = CodeClient::builder(at, "billing", callback, client.auth());
    (server, client.build().expect("a client"))
}

async fn started(client: &CodeClient) -> StartedAuthorization {
    let request = client.request().scope(scope("invoices:read"));
    request
        .login_hint("alice")
        .start()
        .await
        .expect("a request")
}

/// Follows redirects as far as the callback, and does with each page what it is told to.
struct Browser {
    fetch: HttpFetch,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        Self {
            fetch: HttpFetch::new().expect("an HTTP client"),
            cookies: BTreeMap::new(),
        }
    }

    /// Goes to `url`, and answers the query that the callback gets.
    async fn goes(&mut self, url: &Url, answer: impl Fn(&str) -> Request<Bytes>) -> String {
        let mut request = get(url.as_str());
        for _ in 0..20 {
            let here = Url::parse(&request.uri().to_string()).expect("a URL");
            let page = self.send(request).await;
            let Some(place) = page.headers().get(header::LOCATION) else {
                request = answer(std::str::from_utf8(page.body()).expect("UTF-8"));
                continue;
            };
            let place = here.join(place.to_str().expect("ASCII")).expect("a URL");
            if let Some(query) = place.as_str().strip_prefix(CALLBACK) {
                return query.trim_start_matches('?').to_owned();
            }
            request = get(place.as_str());
        }
        unreachable!("it does not end")
    }

    async fn send(&mut self, mut request: Request<Bytes>) -> Response<Bytes> {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ").parse().expect("a header value");
        request.headers_mut().insert(header::COOKIE, cookies);
        let answer = self.fetch.fetch(request, 1 << 20).await.expect("an answer");
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("ASCII");
            let cookie = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='));
            let (name, value) = cookie.expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).expect("a request")
}

/// What stands between these two in a page.
fn between<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let found = page
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after));
    found
        .map(|(found, _)| found)
        .unwrap_or_else(|| unreachable!("no {before}: {page}"))
}

/// Sends the form of a page: whoever it is signs in, and says yes.
fn yes(page: &str) -> Request<Bytes> {
    let prompt = between(page, "name=\"prompt\" value=\"", "\"");
    let form = [("prompt", prompt), ("login", "alice"), ("password", "x")];
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    Request::post(between(page, "action=\"", "\""))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into())
        .expect("a request")
}

/// Follows the link with which a person leaves.
fn no(page: &str) -> Request<Bytes> {
    let links = page
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default());
    let abort = links.into_iter().find(|link| link.ends_with("/abort"));
    get(abort.unwrap_or_else(|| unreachable!("no way out: {page}")))
}

/// C105
#[tokio::test]
async fn oidc_provider_gives_a_code_a_token_and_one_refresh_token_after_the_other() {
    let (server, client) = place();
    let started = started(&client).await;
    let query = Browser::new().goes(&started.url, yes).await;
    let code = started.pending.answer(&query).expect("a code");
    let redeemed = client.redeem(code).await.expect("a token");
    assert_eq!(redeemed.token.scope(), Some(&scope("invoices:read")));
    let first = redeemed.refresh_token.expect("a refresh token");
    assert_eq!(first.issuer(), server.at.issuer);

    let kept = Arc::new(RefreshTokenInMemory::new(first.clone()));
    let source = || client.tokens(kept.clone()).build().expect("a source");
    let mut seen = vec![first.clone()];
    for _ in 0..3 {
        let token = source().token().await.expect("a token");
        assert_ne!(token.expose(), redeemed.token.expose());
        let now = kept.load().await.expect("a store").expect("a token");
        assert!(!seen.contains(&now), "each is another");
        seen.push(now);
    }
    kept.save(&first).await.expect("kept");
    let error = source().token().await.expect_err("used before");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}

#[tokio::test]
async fn oidc_provider_says_that_a_person_said_no_and_answers_nobody_else() {
    let (server, client) = place();
    let [one, other] = [started(&client).await, started(&client).await];
    let query = Browser::new().goes(&one.url, no).await;
    let answer = one.pending.answer(&query).expect_err("no code");
    let AnswerError::Refused(refusal) = &answer else {
        unreachable!("{answer}")
    };
    assert_eq!(refusal.code, ErrorCode::ACCESS_DENIED);
    let answer = other.pending.answer(&query).expect_err("another's answer");
    assert_eq!(answer, AnswerError::State);
    let without: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.starts_with("iss="))
        .collect();
    let answer = one.pending.answer(&without.join("&"));
    let expected = AnswerError::Issuer {
        expected: server.at.issuer.clone(),
        got: None,
    };
    assert_eq!(answer.expect_err("nobody's answer"), expected);
}

#[tokio::test]
async fn oidc_provider_takes_a_code_with_its_verifier_only_and_once() {
    let (_server, client) = place();
    let mut browser = Browser::new();
    let [one, other] = [started(&client).await, started(&client).await];
    let query = browser.goes(&one.url, yes).await;
    let taken = between(&query, "code=", "&");
    // The code of one request in the answer to another.
    let query = browser.goes(&other.url, yes).await;
    let mixed = query.replace(between(&query, "code=", "&"), taken);
    let mixed = other.pending.answer(&mixed).expect("a code");
    let error = client.redeem(mixed).await.expect_err("another verifier");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
    let code = || other.pending.answer(&query).expect("a code");
    client.redeem(code()).await.expect("the control");
    let error = client.redeem(code()).await.expect_err("used before");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}
