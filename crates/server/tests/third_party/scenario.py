"""What the scenarios share: how one is run, what a key file holds, and how a refusal must look."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def run(scenarios):
    """Runs the function that the first argument names, with the other arguments."""
    name, *arguments = sys.argv[1:]
    scenarios[name](*arguments)


def read_key_file(path):
    """The members of a key file, by name; those it lacks are None."""
    members = dict.fromkeys(("private_key", "client_secret", "alg", "issuer", "token_endpoint", "client_id"))
    return SimpleNamespace(**members | json.loads(Path(path).read_text()))


@contextmanager
def refused(exception, *words):
    """Passes if and only if the block raises `exception` with all `words` in its text."""
    try:
        yield
    except exception as error:
        text = f"{error} {error.args}"
        missing = [word for word in words if word not in text]
        assert not missing, f"the refusal does not say {missing}: {text}"
    else:
        raise AssertionError(f"not refused; expected {exception.__name__} with {words}")
