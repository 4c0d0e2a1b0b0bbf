//! Public keys as they are pasted: a JWK, a JWK Set, or PEM.

use grantor::jose::{
    json::{self, Object, Value},
    public_key_from_pem,
};
use serde_json::json;

use crate::console::Typed;

/// The field with the keys, named as the member of documents.
pub const JWKS: &str = "jwks";
/// The field with the name of a key in PEM.
const KID: &str = "kid";

/// The JWK Set that was typed; `None` if nothing was.
///
/// # Errors
/// Why it is none. Which keys are taken, the use case decides.
pub fn typed_keys(typed: &Typed) -> Result<Option<Value>, String> {
    match typed.text(JWKS) {
        "" => Ok(None),
        pem if pem.starts_with("-----BEGIN ") => of_pem(pem, typed.text(KID)).map(Some),
        text => of_json(text).map(Some),
    }
}

/// A set without keys.
pub fn none() -> Value {
    json!({"keys": []})
}

/// The same form without a private key, if one was pasted: it is not sent back.
pub fn without_private(typed: Typed) -> Typed {
    let is_private = match typed.text(JWKS) {
        pem if pem.contains("PRIVATE KEY") => true,
        text => ["\"d\"", "\"k\"", "\"p\""]
            .iter()
            .any(|member| text.contains(member)),
    };
    match is_private {
        true => typed.dropping(&[JWKS]),
        false => typed,
    }
}

fn of_pem(pem: &str, kid: &str) -> Result<Value, String> {
    let key = public_key_from_pem(pem).map_err(|error| error.to_string())?;
    let kid = match kid {
        "" => key.thumbprint(),
        kid => kid.to_owned(),
    };
    Ok(json!({"keys": [key.with_key_id(kid).to_object()]}))
}

fn of_json(text: &str) -> Result<Value, String> {
    let object: Object = json::parse_object(text.as_bytes())
        .map_err(|error| format!("{error}; paste a JWK, a JWK Set or PEM"))?;
    Ok(match object.contains_key("keys") {
        true => Value::Object(object),
        false => json!({"keys": [object]}),
    })
}
