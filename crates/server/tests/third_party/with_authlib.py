"""Authlib: assertion sessions over requests and httpx2, and OAuth2Session with each client authentication method."""

import asyncio

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AssertionClient, AsyncAssertionClient
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import import_key

import scenario
from person import Person
from scenario import JWT_BEARER, read_key_file, refused

AUTHENTICATION = {"private_key_jwt": PrivateKeyJWT, "client_secret_jwt": ClientSecretJWT}


def grant_options(key, **more):
    """What an assertion session is told; its audience stays the default, the token endpoint."""
    header = {"alg": key.alg, "kid": key.private_key["kid"]}
    own = {"token_endpoint": key.token_endpoint, "issuer": key.client_id, "subject": key.client_id}
    return own | {"key": import_key(key.private_key), "header": header} | more


def oauth2_session(key, audience=None):
    """An OAuth2Session that authenticates as the key file says."""
    credential = import_key(key.private_key) if key.private_key else key.client_secret
    session = OAuth2Session(key.client_id, credential, token_endpoint_auth_method=key.auth_method)
    if key.auth_method in AUTHENTICATION:
        # The first parameter is named token_endpoint, but is the audience and nothing else.
        session.register_client_auth_method(AUTHENTICATION[key.auth_method](audience, alg=key.alg))
    return session


def client_credentials(session, key, **more):
    return session.fetch_token(key.token_endpoint, grant_type="client_credentials", **more)


def check_bearer(response, token):
    """The session put its token into the request for the resource."""
    assert response.status_code == 200, response.text
    assert response.request.headers["Authorization"] == f"Bearer {token['access_token']}"


def assertion_session(key_file, resource):
    key = read_key_file(key_file)
    with AssertionSession(**grant_options(key, scope="invoices:read")) as session:
        check_bearer(session.get(resource), session.token)
        first = session.token
        assert first["token_type"] == "Bearer" and first["scope"] == "invoices:read", first
        check_bearer(session.get(resource), first)
        session.token = first | {"expires_at": 1}
        check_bearer(session.get(resource), session.token)
        assert session.token["access_token"] != first["access_token"], "an expired token was not renewed"


def assertion_session_for_a_subject(key_file, permitted, other):
    key = read_key_file(key_file)
    AssertionSession(**grant_options(key, subject=permitted)).refresh_token()
    with refused(OAuth2Error, "invalid_grant", "may not act for this subject"):
        AssertionSession(**grant_options(key, subject=other)).refresh_token()


def shared_claims_are_a_replay(key_file):
    """Given a `claims` dict, Authlib writes the first jti into it and sends that for ever."""
    key = read_key_file(key_file)
    with AssertionSession(**grant_options(key, claims={"department": "sales"})) as session:
        session.refresh_token()
        with refused(OAuth2Error, "invalid_grant", "jti was used before"):
            session.refresh_token()


def httpx_assertion_client(key_file, resource):
    key = read_key_file(key_file)
    with AssertionClient(**grant_options(key)) as client:
        check_bearer(client.get(resource), client.token)


def httpx_async_assertion_client(key_file, resource):
    key = read_key_file(key_file)

    async def main():
        async with AsyncAssertionClient(**grant_options(key)) as client:
            # Without a lock, every one of these fetches a token, each with a jti of its own.
            await asyncio.gather(*(client.get(resource) for _ in range(8)))
            check_bearer(await client.get(resource), client.token)

    asyncio.run(main())


def client_authentication(scope, *key_files):
    """Every method, with the issuer as audience where there is one; twice, as each request needs a new assertion."""
    for key in map(read_key_file, key_files):
        session = oauth2_session(key, key.issuer)
        for _ in range(2):
            token = client_credentials(session, key, scope=scope)
            assert token["scope"] == scope, token
        answer = session.introspect_token(f"{key.issuer}/introspect", token=token["access_token"]).json()
        assert answer["active"] is True and answer["client_id"] == key.client_id, answer


def both_uses_in_one_request(*key_files):
    """A grant from a client that authenticates: two assertions by one key, the second without a kid."""
    for key in map(read_key_file, key_files):
        options = grant_options(key, audience=key.issuer)
        del options["token_endpoint"]
        assertion = AssertionSession.ASSERTION_METHODS[JWT_BEARER](**options)
        session = oauth2_session(key, key.issuer)
        token = session.fetch_token(key.token_endpoint, grant_type=JWT_BEARER, assertion=assertion)
        assert token["access_token"], key.alg


def default_audience_is_refused(*key_files):
    """Left alone, Authlib names the token endpoint; the answer says what to set, and with that set it works."""
    for key in map(read_key_file, key_files):
        with refused(OAuthError, "invalid_client", "issuer identifier as the sole value", "audience policy legacy"):
            client_credentials(oauth2_session(key), key)
        assert client_credentials(oauth2_session(key, key.issuer), key)["access_token"]


def default_audience_is_accepted(*key_files):
    for key in map(read_key_file, key_files):
        assert client_credentials(oauth2_session(key), key)["access_token"]


def replays_are_refused(key_file):
    """The very body that was answered with a token, posted again: for each use of an assertion."""
    key = read_key_file(key_file)
    sent = []

    def remember(response, **_):
        request = response.request
        sent.append({"data": request.body, "headers": request.headers})

    with AssertionSession(**grant_options(key)) as session:
        session.hooks["response"].append(remember)
        session.refresh_token()
    session = oauth2_session(key, key.issuer)
    session.hooks["response"].append(remember)
    client_credentials(session, key)
    for request, error in zip(sent, ["invalid_grant", "invalid_client"], strict=True):
        answer = requests.post(key.token_endpoint, **request)
        assert answer.status_code == 400 and answer.json()["error"] == error, answer.text
        assert "jti was used before" in answer.json()["error_description"], answer.text


VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636"


def asked_for(key, person):
    """A session, and where the client is told what the person said."""
    session = oauth2_session(key, key.issuer)
    session.redirect_uri, session.scope = "http://127.0.0.1:9/callback", "invoices:read"
    session.code_challenge_method = "S256"
    url, state = session.create_authorization_url(f"{key.issuer}/authorize", code_verifier=VERIFIER)
    answer = person.visit(url)
    redeem = {"authorization_response": answer, "state": state, "code_verifier": VERIFIER}
    return session, redeem, session.fetch_token(key.token_endpoint, **redeem)


def code_grant(username, password, *key_files):
    """The seed's own example: the authorization code grant, the client authenticated as it is registered, and a refresh."""
    for key in map(read_key_file, key_files):
        person = Person(key.issuer, username, password)
        session, redeem, token = asked_for(key, person)
        assert token["scope"] == "invoices:read" and token["refresh_token"], token
        renewed = session.refresh_token(key.token_endpoint, refresh_token=token["refresh_token"])
        assert renewed["access_token"] != token["access_token"], renewed
        with refused(OAuthError, "invalid_grant"):
            session.fetch_token(key.token_endpoint, **redeem)


def recovered(username, password, key_file, link):
    """A link to recover ends what others may have: sessions, the password, refresh tokens. What was allowed stays."""
    key = read_key_file(key_file)
    person = Person(key.issuer, username, password)
    session, _, token = asked_for(key, person)
    stolen = person.browser
    token = session.refresh_token(key.token_endpoint, refresh_token=token["refresh_token"])
    assert "Who may act for you" in stolen.get(f"{key.issuer}/me").text
    page = person.accept(link, "another battery of horses")
    assert "All other ways have ended" in page.text and "You allowed it on" in page.text, page.text
    assert "Sign in" in stolen.get(f"{key.issuer}/me").text, "a session outlived the recovery"
    with refused(OAuthError, "invalid_grant"):
        session.refresh_token(key.token_endpoint, refresh_token=token["refresh_token"])
    session, _, token = asked_for(key, Person(key.issuer, username, "another battery of horses"))
    assert session.refresh_token(key.token_endpoint, refresh_token=token["refresh_token"])
    with refused(AssertionError, "Name or password is wrong"):
        asked_for(key, Person(key.issuer, username, password))


if __name__ == "__main__":
    scenario.run(globals())
