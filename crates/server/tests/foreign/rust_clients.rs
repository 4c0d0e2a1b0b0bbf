//! OAuth clients in Rust that others wrote, against the real binary. What each one needs is in
//! docs/clients.md.

use std::convert::Infallible;

use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, RevocationUrl, Scope, TokenIntrospectionResponse as _,
    TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError},
};
use serde_json::Value;
use url::Url;

use crate::{
    browser::{ALICE, CODE_GRANT, Here},
    person::Person,
    support::Server,
};

/// A client with all the endpoints that this crate knows.
type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;

#[test]
fn c106_oauth2_redeems_codes_with_a_secret_and_as_a_public_client() {
    let here = Here::new();
    for (method, auth_type) in [
        ("client_secret_basic", AuthType::BasicAuth),
        ("client_secret_post", AuthType::RequestBody),
        ("none", AuthType::BasicAuth),
    ] {
        let client = client(&here.server, method).set_auth_type(auth_type);
        code_grant(&here.server, &client);
    }
}

/// From the authorization request to the end of the refresh token.
fn code_grant(server: &Server, client: &Client) {
    let http = |request| sent(server, request);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scope(Scope::new("invoices:read".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let answer = Person::at(server).visit(url.as_str());
    let answer = Url::parse(&answer).expect("a URL");
    assert_eq!(parameter(&answer, "state"), *state.secret());
    // The crate knows nothing of RFC 9207.
    assert_eq!(parameter(&answer, "iss"), server.issuer);
    let code = || AuthorizationCode::new(parameter(&answer, "code"));
    let secret = verifier.secret().clone();
    let token = client.exchange_code(code()).set_pkce_verifier(verifier);
    let token = token.request(&http).expect("a token");
    let scopes = token.scopes().expect("a scope");
    assert_eq!(scopes, &[Scope::new("invoices:read".to_owned())]);

    let first = token.refresh_token().expect("a refresh token");
    let refreshed = client.exchange_refresh_token(first).request(&http);
    let refreshed = refreshed.expect("another token");
    let next = refreshed.refresh_token().expect("its successor");
    assert_ne!(next.secret(), first.secret());

    let introspected = client.introspect(refreshed.access_token()).request(&http);
    if client.client_id().as_str() == "none" {
        refused(introspected, &BasicErrorResponseType::InvalidClient);
    } else {
        let introspected = introspected.expect("an answer");
        assert!(introspected.active());
        assert_eq!(introspected.sub(), Some(ALICE));
    }
    let revoked = client
        .revoke_token(next.clone().into())
        .expect("an https URL");
    revoked.request(&http).expect("an end");
    let ended = client.exchange_refresh_token(next).request(&http);
    refused(ended, &BasicErrorResponseType::InvalidGrant);

    let again = client.exchange_code(code());
    let again = again.set_pkce_verifier(PkceCodeVerifier::new(secret));
    refused(again.request(&http), &BasicErrorResponseType::InvalidGrant);
}

fn refused<T>(
    result: Result<T, BasicRequestTokenError<Infallible>>,
    expected: &BasicErrorResponseType,
) {
    match result {
        Err(RequestTokenError::ServerResponse(answer)) => assert_eq!(answer.error(), expected),
        Err(error) => unreachable!("{error}"),
        Ok(_) => unreachable!("not refused"),
    }
}

/// A client that is registered for this method.
fn client(server: &Server, method: &str) -> Client {
    let file = server.client(method, &[&["--auth", method], CODE_GRANT].concat());
    let at = |path: &str| format!("{}/{path}", server.issuer);
    let client = BasicClient::new(ClientId::new(method.to_owned()))
        .set_auth_uri(AuthUrl::new(at("authorize")).expect("a URL"))
        .set_token_uri(TokenUrl::new(at("token")).expect("a URL"))
        .set_introspection_url(IntrospectionUrl::new(at("introspect")).expect("a URL"))
        // It revokes at https only.
        .set_revocation_url(
            RevocationUrl::new(at("revoke").replace("http:", "https:")).expect("a URL"),
        )
        .set_redirect_uri(
            RedirectUrl::new("http://127.0.0.1:9/callback".to_owned()).expect("a URL"),
        );
    let Ok(file) = std::fs::read(file) else {
        return client;
    };
    let file: Value = serde_json::from_slice(&file).expect("a key file");
    let secret = file["client_secret"].as_str().expect("a secret");
    client.set_client_secret(ClientSecret::new(secret.to_owned()))
}

/// The crate's HTTP client: what it makes is sent as it is, in clear.
fn sent(server: &Server, request: HttpRequest) -> Result<HttpResponse, Infallible> {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")))
        .collect();
    let answer = server.send(
        request.method().as_str(),
        request.uri().path(),
        &headers,
        request.body(),
    );
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = answer.body.into_bytes();
    Ok(response.body(body).expect("an HTTP answer"))
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(known, _)| known == name);
    let (_, value) = found.unwrap_or_else(|| unreachable!("no {name}: {url}"));
    value.into_owned()
}
