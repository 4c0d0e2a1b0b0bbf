"""PyJWT: signs assertions with keys of its own making or of ours, and validates tokens against /jwks.

joserfc makes the keys, as PyJWT makes none, and validates the tokens once more.
"""

import json
import time
from pathlib import Path
from uuid import uuid4

import jwt
import requests
from joserfc import jwt as second_opinion
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

import scenario
from scenario import CLIENT_ASSERTION, JWT_BEARER, read_key_file, refused

KEYS = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}


def make_keys(directory, *algorithms):
    """Keys as others make them: a JWK Set without kid or alg to register, and a PEM to keep."""
    for algorithm in algorithms:
        key = KEYS[algorithm]()
        Path(directory, f"{algorithm}-jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        Path(directory, f"{algorithm}.pem").write_bytes(key.as_pem(private=True))


def both_uses_with_own_keys(issuer, directory, *algorithms):
    """Each algorithm is the client of that name."""
    for algorithm in algorithms:
        both_uses(issuer, algorithm, algorithm, Path(directory, f"{algorithm}.pem").read_text())


def both_uses_with_key_files(*key_files):
    for key in map(read_key_file, key_files):
        # PyJWT knows Ed25519 by the name of RFC 8037 only.
        algorithm = "EdDSA" if key.alg == "Ed25519" else key.alg
        both_uses(key.issuer, key.client_id, algorithm, jwt.PyJWK(key.private_key, algorithm).key, key.private_key["kid"])


def both_uses(issuer, client_id, algorithm, key, kid=None):
    for form in [grant, client_authentication]:
        assertion = sign(issuer, client_id, algorithm, key, kid)
        answer = requests.post(f"{issuer}/token", data=form(assertion))
        assert answer.status_code == 200, f"{algorithm}, {form.__name__}: {answer.text}"
        check_token(issuer, client_id, answer.json()["access_token"])


def secret_authenticates_but_grants_nothing(key_file):
    """HS256 is for client_secret_jwt; a grant is signed with a private key."""
    key = read_key_file(key_file)
    for form, error in [(client_authentication, None), (grant, "invalid_grant")]:
        assertion = sign(key.issuer, key.client_id, "HS256", key.client_secret)
        answer = requests.post(key.token_endpoint, data=form(assertion)).json()
        assert answer.get("error") == error, answer


def sign(issuer, client_id, algorithm, key, kid=None):
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "iat": now, "exp": now + 60, "jti": str(uuid4())}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def grant(assertion):
    return {"grant_type": JWT_BEARER, "assertion": assertion}


def client_authentication(assertion):
    return {"grant_type": "client_credentials", "client_assertion_type": CLIENT_ASSERTION, "client_assertion": assertion}


def check_token(issuer, client_id, token):
    """The access token validates in two libraries that know nothing but the issuer."""
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    key = jwt.PyJWKClient(f"{issuer}/jwks").get_signing_key_from_jwt(token)
    required = {"require": ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"]}
    claims = jwt.decode(token, key, [key.algorithm_name], audience=issuer, issuer=issuer, options=required)
    assert claims["sub"] == claims["client_id"] == client_id, claims
    assert joserfc_claims(issuer, token) == claims


def joserfc_claims(issuer, token):
    keys = KeySet.import_key_set(requests.get(f"{issuer}/jwks").json())
    return second_opinion.decode(token, keys, algorithms=[jwt.get_unverified_header(token)["alg"]]).claims


def ed25519_by_its_new_name(key_file):
    """RFC 9864's name: joserfc knows it, PyJWT finds no key of that algorithm. With EdDSA both do."""
    key = read_key_file(key_file)
    assertion = sign(key.issuer, key.client_id, key.alg, jwt.PyJWK(key.private_key).key)
    token = requests.post(key.token_endpoint, data=grant(assertion)).json()["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == "Ed25519"
    assert joserfc_claims(key.issuer, token)["sub"] == key.client_id
    with refused(jwt.PyJWKSetError, "did not contain any usable keys"):
        jwt.PyJWKClient(f"{key.issuer}/jwks").get_signing_key_from_jwt(token)


if __name__ == "__main__":
    scenario.run(globals())
