"""google-auth: service account credentials from a key file made with `--format google`."""

from urllib.parse import parse_qs

from google.auth.exceptions import RefreshError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import Credentials

import scenario
from scenario import refused


class RecordingRequest(Request):
    """The transport, remembering the assertions it sends."""

    def __init__(self):
        super().__init__()
        self.assertions = []

    def __call__(self, url, method="GET", body=None, **options):
        self.assertions.append(parse_qs(body.decode())["assertion"][0])
        return super().__call__(url, method, body, **options)


def service_account(key_file, resource):
    credentials = Credentials.from_service_account_file(key_file, scopes=["invoices:read"])
    with AuthorizedSession(credentials) as session:
        response = session.get(resource)
    assert response.status_code == 200 and credentials.valid
    assert response.request.headers["Authorization"] == f"Bearer {credentials.token}"


def two_refreshes_in_one_second(key_file):
    """There is no jti, and RS256 is deterministic: the same bytes go out twice, and each time a token comes back."""
    credentials = Credentials.from_service_account_file(key_file, scopes=["invoices:read"])
    transport = RecordingRequest()
    for _ in range(5):
        credentials.refresh(transport)
        if transport.assertions[-2:-1] == transport.assertions[-1:]:
            return
    raise AssertionError("no two of five refreshes fell into the same second")


def with_subject(key_file, permitted, other):
    credentials = Credentials.from_service_account_file(key_file)
    credentials.with_subject(permitted).refresh(Request())
    with refused(RefreshError, "invalid_grant"):
        credentials.with_subject(other).refresh(Request())


def wider_scope_is_refused(key_file):
    credentials = Credentials.from_service_account_file(key_file, scopes=["invoices:write"])
    with refused(RefreshError, "invalid_scope"):
        credentials.refresh(Request())


if __name__ == "__main__":
    scenario.run(globals())
