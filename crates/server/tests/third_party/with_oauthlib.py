"""oauthlib: ServiceApplicationClient posted by hand, and BackendApplicationClient through requests-oauthlib."""

import json
import os
from pathlib import Path
from uuid import uuid4

import requests
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, ServiceApplicationClient
from requests_oauthlib import OAuth2Session

import scenario
from scenario import read_key_file, refused


def service_application(key_file, scope):
    """The key is a PEM and RS256, as a service-account file has it; the audience is required, the jti is up to the caller."""
    key = json.loads(Path(key_file).read_text())
    client = ServiceApplicationClient(key["client_id"], private_key=key["private_key"])
    body = client.prepare_request_body(
        issuer=key["client_id"], subject=key["client_id"], audience=key["token_uri"], scope=scope, jwt_id=str(uuid4())
    )
    answer = post(key["token_uri"], body)
    assert client.parse_request_body_response(answer.text)["access_token"], answer.text
    with refused(InvalidGrantError, "jti was used before"):
        client.parse_request_body_response(post(key["token_uri"], body).text)


def post(url, body):
    return requests.post(url, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


def backend_application(key_file, scope):
    """client_secret_basic, the default of requests-oauthlib."""
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain http, on loopback only
    key = read_key_file(key_file)
    session = OAuth2Session(client=BackendApplicationClient(key.client_id, scope=scope))
    assert session.fetch_token(key.token_endpoint, client_id=key.client_id, client_secret=key.client_secret)["access_token"]


if __name__ == "__main__":
    scenario.run(globals())
