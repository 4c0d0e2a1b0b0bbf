"""idpyoidc: private_key_jwt and client_secret_jwt. It sends its audience as a one-element array."""

import logging

from cryptojwt import KeyJar
from idpyoidc.client.oauth2 import Client

import scenario
from scenario import read_key_file

# It complains of the content type of every answer, right or wrong.
logging.disable(logging.CRITICAL)


def client_authentication(*key_files):
    """With the issuer as audience there is a token; left alone, it names the token endpoint and is told what to set."""
    for key in map(read_key_file, key_files):
        client = oauth2_client(key)
        options = {"authn_method": key.auth_method, "algorithm": key.alg}
        granted = client.do_request("client_credentials", audience=key.issuer, **options)
        assert "access_token" in granted, granted
        refused = client.do_request("client_credentials", **options)
        assert refused["error"] == "invalid_client", refused
        assert "issuer identifier as the sole value" in refused["error_description"], refused


def oauth2_client(key):
    keys = KeyJar()
    if key.private_key:
        keys.import_jwks({"keys": [key.private_key]}, "")
    configuration = {
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "client_authn_methods": [key.auth_method],
        "provider_info": {
            "issuer": key.issuer,
            "token_endpoint": key.token_endpoint,
            "token_endpoint_auth_signing_alg_values_supported": [key.alg],
        },
    }
    services = {"client_credentials": {"class": "idpyoidc.client.oauth2.client_credentials.CCAccessTokenRequest"}}
    return Client(config=configuration, keyjar=keys, services=services)


if __name__ == "__main__":
    scenario.run(globals())
