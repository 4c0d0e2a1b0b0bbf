//! Getting access tokens from any authorization server, with a key or a secret.
