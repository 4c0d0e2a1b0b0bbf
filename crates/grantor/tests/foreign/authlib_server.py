"""An authorization server, and an API, made of Authlib and Flask as Authlib's documentation shows it.

One line of JSON on standard input says how it is to be, one on standard output where it is. It ends when standard input does.
"""

import json
import os
import sys
import threading

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.oauth2.rfc6749 import ClientMixin, list_to_scope, scope_to_list
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify
from joserfc.jwk import ECKey, KeySet, OctKey
from werkzeug.serving import WSGIRequestHandler, make_server

METHODS = ["client_secret_basic", "client_secret_post", "client_assertion_jwt"]
ASSERTION_METHODS = ["private_key_jwt", "client_secret_jwt"]

settings = json.loads(sys.stdin.readline())
app = Flask(__name__)


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


http = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
issuer = f"http://127.0.0.1:{http.port}"
token_endpoint = f"{issuer}/oauth/token"
# What it takes as its own name in an assertion.
audiences = {"issuer": [issuer], "token_endpoint": [token_endpoint]}[settings["audience"]]
app.config["OAUTH2_SCOPES_SUPPORTED"] = ["invoices:read", "invoices:write"]


class Client(ClientMixin):
    """A client as it was registered (RFC 7591)."""

    def __init__(self, metadata):
        self.metadata = metadata
        self.client_id = metadata["client_id"]

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        allowed = self.metadata["scope"].split()
        return list_to_scope([value for value in scope_to_list(scope or "") if value in allowed])

    def check_client_secret(self, client_secret):
        return self.metadata.get("client_secret") == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        registered = self.metadata["token_endpoint_auth_method"]
        # Authlib has one name for both methods by assertion.
        return registered in ASSERTION_METHODS if method == "client_assertion_jwt" else registered == method

    def check_grant_type(self, grant_type):
        return grant_type in self.metadata["grant_types"]

    def keys(self):
        if self.metadata["token_endpoint_auth_method"] == "client_secret_jwt":
            return OctKey.import_key(self.metadata["client_secret"])
        return KeySet.import_key_set(self.metadata["jwks"])


class User(str):
    def get_user_id(self):
        return str(self)


clients = {metadata["client_id"]: Client(metadata) for metadata in settings["clients"]}
# Who may act for whom, beside themselves.
permissions = settings["permissions"]
used, used_lock, tokens = set(), threading.Lock(), {}


def is_new(issuer, jti):
    """Whether this `jti` was not used before; it is now."""
    with used_lock:
        known = (issuer, jti) in used
        used.add((issuer, jti))
        return not known


class ClientAssertion(JWTBearerClientAssertion):
    def get_audiences(self):
        return audiences

    def validate_jti(self, claims, jti):
        return is_new(claims["sub"], jti)

    def resolve_client_public_key(self, client):
        return client.keys()


class ClientCredentials(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


class Assertion(JWTBearerGrant):
    def get_audiences(self):
        return audiences

    def resolve_issuer_client(self, issuer):
        return clients.get(issuer)

    def resolve_client_public_key(self, client):
        return client.keys()

    def authenticate_user(self, subject):
        users = set(clients).union(*permissions.values())
        return User(subject) if subject in users else None

    def has_granted_permission(self, client, user):
        return user == client.client_id or user in permissions.get(client.client_id, [])

    def process_assertion_claims(self, assertion):
        """Authlib leaves the replay of a grant to the application."""
        claims = super().process_assertion_claims(assertion)
        if not is_new(claims["iss"], claims.get("jti")):
            raise InvalidGrantError(description="JWT ID is used before.")
        return claims


class JwtTokens(JWTBearerTokenGenerator):
    """Access tokens of RFC 9068."""

    key = ECKey.generate_key("P-256", auto_kid=True)

    def get_jwks(self):
        return KeySet([self.key])

    def get_audiences(self, client, user, scope):
        return "https://api.example"


class Stored:
    """An opaque token that was given."""

    def __init__(self, token, request):
        self.client_id = request.client.client_id
        self.user = request.user
        self.scope = token.get("scope", "")

    def is_expired(self):
        return False

    def is_revoked(self):
        return False

    def get_scope(self):
        return self.scope


class StoredTokens(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return tokens.get(token_string)


server = AuthorizationServer(
    app, clients.get, lambda token, request: tokens.update({token["access_token"]: Stored(token, request)})
)
server.register_client_auth_method("client_assertion_jwt", ClientAssertion())
server.register_grant(ClientCredentials)
server.register_grant(Assertion)
if settings["tokens"] == "jwt":
    server.register_token_generator("default", JwtTokens(issuer, alg="ES256"))
protected = ResourceProtector()
protected.register_token_validator(StoredTokens())


@app.post("/oauth/token")
def token():
    return server.create_token_response()


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return jsonify(
        issuer=issuer,
        token_endpoint=token_endpoint,
        jwks_uri=f"{issuer}/jwks",
        response_types_supported=[],
        grant_types_supported=[ClientCredentials.GRANT_TYPE, Assertion.GRANT_TYPE],
        token_endpoint_auth_methods_supported=[*METHODS[:2], *ASSERTION_METHODS],
        token_endpoint_auth_signing_alg_values_supported=["RS256", "ES256", "HS256"],
    )


@app.get("/jwks")
def jwks():
    return jsonify(KeySet([JwtTokens.key]).as_dict(private=False))


@app.get("/whoami")
@protected()
def whoami():
    """What an API learns from a token."""
    return jsonify(client_id=current_token.client_id, sub=current_token.user, scope=current_token.scope)


def end_with_standard_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_standard_input, daemon=True).start()
print(json.dumps({"issuer": issuer, "token_endpoint": token_endpoint}), flush=True)
http.serve_forever()
