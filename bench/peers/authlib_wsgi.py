"""A token endpoint made of Authlib and Flask as Authlib's documentation shows it, for gunicorn: RFC 7523 grants in, RFC 9068 tokens out.

`SETTINGS` names a JSON file with the issuer and the clients. Keys are parsed once, before gunicorn forks (`--preload`). Used `jti` are
kept in SQLite if the settings name a file, else in each worker's memory.
"""

import json
import os
import sqlite3
import threading

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc.jwk import ECKey, KeySet

with open(os.environ["SETTINGS"], encoding="utf-8") as file:
    settings = json.load(file)
issuer = settings["issuer"]
used, local = set(), threading.local()


def is_new(issuer, jti):
    """Whether this `jti` was not used before; it is now."""
    if not settings["replay"]:
        is_known = (issuer, jti) in used
        used.add((issuer, jti))
        return not is_known
    if not hasattr(local, "database"):
        local.database = sqlite3.connect(settings["replay"], isolation_level=None)
        local.database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        local.database.execute("CREATE TABLE IF NOT EXISTS used (issuer, jti, PRIMARY KEY (issuer, jti)) WITHOUT ROWID")
    return local.database.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (issuer, jti)).rowcount == 1


class Client(ClientMixin):
    def __init__(self, metadata):
        self.client_id = metadata["client_id"]
        self.keys = KeySet.import_key_set(metadata["jwks"])

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        return ""

    def check_grant_type(self, grant_type):
        return grant_type == JWTBearerGrant.GRANT_TYPE


class User(str):
    def get_user_id(self):
        return str(self)


clients = {metadata["client_id"]: Client(metadata) for metadata in settings["clients"]}


class Assertion(JWTBearerGrant):
    def get_audiences(self):
        return [issuer]

    def resolve_issuer_client(self, issuer):
        return clients.get(issuer)

    def resolve_client_public_key(self, client):
        return client.keys

    def authenticate_user(self, subject):
        return User(subject) if subject in clients else None

    def has_granted_permission(self, client, user):
        return user == client.client_id

    def process_assertion_claims(self, assertion):
        """Authlib leaves the replay of a grant to the application."""
        claims = super().process_assertion_claims(assertion)
        if not is_new(claims["iss"], claims["jti"]):
            raise InvalidGrantError(description="JWT ID is used before.")
        return claims


class Tokens(JWTBearerTokenGenerator):
    keys = KeySet([ECKey.generate_key("P-256", auto_kid=True)])

    def get_jwks(self):
        return self.keys

    def get_audiences(self, client, user, scope):
        return issuer


app = Flask(__name__)
server = AuthorizationServer(app, clients.get, lambda token, request: None)
server.register_grant(Assertion)
server.register_token_generator("default", Tokens(issuer, alg="ES256"))


@app.post("/token")
def token():
    return server.create_token_response()
