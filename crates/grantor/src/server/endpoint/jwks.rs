//! The server's JWK Set: the public halves of its signing keys (RFC 7517 §5, RFC 8414 §2
//! `jwks_uri`).

use grantor_jose::Jwk;
use serde::Serialize;

use crate::keys::KeyRing;

#[derive(Serialize)]
pub(super) struct JwkSetDocument<'a> {
    keys: &'a [Jwk],
}

pub(super) fn document(ring: &KeyRing) -> JwkSetDocument<'_> {
    JwkSetDocument {
        keys: ring.published(),
    }
}
