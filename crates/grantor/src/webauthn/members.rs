//! The members of what a browser sends (WebAuthn §5.1.8, `RegistrationResponseJSON` and
//! `AuthenticationResponseJSON`).

use grantor_jose::{base64url_decode, json::Object};
use serde_json::Value;

use super::WebauthnError;
use crate::registry::CredentialId;

/// The object, and the one in it that has what the authenticator said.
pub(super) fn response(credential: &Object) -> Result<&Object, WebauthnError> {
    let response = credential.get("response").and_then(Value::as_object);
    response.ok_or(WebauthnError::Malformed("response"))
}

/// The id of the credential, which is a public key's.
pub(super) fn credential_id(credential: &Object) -> Result<CredentialId, WebauthnError> {
    if text(credential, "type")? != "public-key" {
        return Err(WebauthnError::Malformed("type"));
    }
    let id = text(credential, "id")?;
    if credential.get("rawId").is_some_and(|raw| raw != id) {
        return Err(WebauthnError::Malformed("rawId"));
    }
    CredentialId::parse(id).map_err(|_| WebauthnError::Malformed("id"))
}

pub(super) fn text<'a>(object: &'a Object, name: &'static str) -> Result<&'a str, WebauthnError> {
    let text = object.get(name).and_then(Value::as_str);
    text.ok_or(WebauthnError::Malformed(name))
}

pub(super) fn octets(object: &Object, name: &'static str) -> Result<Vec<u8>, WebauthnError> {
    base64url_decode(text(object, name)?).ok_or(WebauthnError::Malformed(name))
}
