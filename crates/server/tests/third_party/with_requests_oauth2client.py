"""requests-oauth2client (with jwskate): every client authentication method, and its jwt_bearer grant."""

import time
from uuid import uuid4

from jwskate import Jwk, Jwt
from requests_oauth2client import (
    ClientSecretBasic, ClientSecretJwt, ClientSecretPost, InvalidClient, OAuth2Client, PrivateKeyJwt,
)

import scenario
from person import Person
from scenario import read_key_file, refused


def authentication(key, audience=None):
    match key.auth_method:
        case "private_key_jwt":
            return PrivateKeyJwt(key.client_id, Jwk(key.private_key), alg=key.alg, aud=audience)
        case "client_secret_jwt":
            return ClientSecretJwt(key.client_id, key.client_secret, aud=audience)
        case "client_secret_basic":
            return ClientSecretBasic(key.client_id, key.client_secret)
        case "client_secret_post":
            return ClientSecretPost(key.client_id, key.client_secret)


def oauth2_client(key, audience=None, **more):
    """A client from the server's metadata. Endpoints must be https, but for `testing`."""
    url = f"{key.issuer}/.well-known/oauth-authorization-server"
    return OAuth2Client.from_discovery_endpoint(
        url, issuer=key.issuer, auth=authentication(key, audience), testing=True, **more
    )


def client_authentication(scope, *key_files):
    for key in map(read_key_file, key_files):
        token = oauth2_client(key, key.issuer).client_credentials(scope=scope)
        assert token.scope == scope and not token.is_expired(), token


def jwt_bearer(key_file):
    key = read_key_file(key_file)
    now = int(time.time())
    claims = {"iss": key.client_id, "sub": key.client_id, "aud": key.issuer, "iat": now, "exp": now + 60, "jti": str(uuid4())}
    assertion = Jwt.sign(claims, Jwk(key.private_key), alg=key.alg)
    assert oauth2_client(key, key.issuer).jwt_bearer(assertion).access_token


def default_audience_is_refused(key_file):
    key = read_key_file(key_file)
    with refused(InvalidClient, "issuer identifier as the sole value", "audience policy legacy"):
        oauth2_client(key).client_credentials()


def default_audience_is_accepted(key_file):
    assert oauth2_client(read_key_file(key_file)).client_credentials().access_token


def code_grant(username, password, *key_files):
    """With its defaults: PKCE, state, iss, and the code for a token and a refreshed one."""
    for key in map(read_key_file, key_files):
        client = oauth2_client(key, key.issuer, redirect_uri="http://127.0.0.1:9/callback")
        request = client.authorization_request(scope="invoices:read")
        answer = Person(key.issuer, username, password).visit(request.uri)
        token = client.authorization_code(request.validate_callback(answer))
        assert token.scope == "invoices:read" and token.refresh_token, token
        assert client.refresh_token(token).access_token != token.access_token


if __name__ == "__main__":
    scenario.run(globals())
