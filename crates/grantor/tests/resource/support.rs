//! What the resource role's tests share: where the tokens are for, and what came of one.

use std::sync::Arc;

use grantor::resource::{SourceError, ValidatedToken, ValidationError};
pub(crate) use grantor_testkit::{
    Jwt, Key, NOW, at,
    double::{
        Publisher, Reply,
        publisher::{AUDIENCE, INTROSPECT, JWKS, METADATA, good_token, key_set, parsed_key_set},
    },
    keys, quote,
};

#[track_caller]
pub(crate) fn accepted(
    row: &str,
    result: Result<ValidatedToken, ValidationError>,
) -> ValidatedToken {
    result.unwrap_or_else(|error| unreachable!("{row}: {error}"))
}

/// The private reason.
#[track_caller]
pub(crate) fn refused(row: &str, result: Result<ValidatedToken, ValidationError>) -> String {
    match result {
        Ok(token) => unreachable!("{row}: accepted as {token:?}"),
        Err(error) => error.to_string(),
    }
}

/// Why the authorization server's documents are not there.
#[track_caller]
pub(crate) fn unavailable(
    row: &str,
    result: Result<ValidatedToken, ValidationError>,
) -> Arc<SourceError> {
    match result {
        Err(ValidationError::Unavailable(source)) => source,
        other => unreachable!("{row}: {other:?}"),
    }
}
