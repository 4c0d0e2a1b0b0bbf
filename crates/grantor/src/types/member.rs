//! The names of the members of an authorization server's metadata (RFC 8414 §2). The server writes
//! them; clients, guards and `grantor doctor` read them.

/// `issuer`
pub const ISSUER: &str = "issuer";
/// `authorization_endpoint`
pub const AUTHORIZATION_ENDPOINT: &str = "authorization_endpoint";
/// `token_endpoint`
pub const TOKEN_ENDPOINT: &str = "token_endpoint";
/// `introspection_endpoint`
pub const INTROSPECTION_ENDPOINT: &str = "introspection_endpoint";
/// `revocation_endpoint`
pub const REVOCATION_ENDPOINT: &str = "revocation_endpoint";
/// `jwks_uri`
pub const JWKS_URI: &str = "jwks_uri";
/// `grant_types_supported`
pub const GRANT_TYPES: &str = "grant_types_supported";
/// `response_types_supported`
pub const RESPONSE_TYPES: &str = "response_types_supported";
/// `code_challenge_methods_supported`
pub const CODE_CHALLENGE_METHODS: &str = "code_challenge_methods_supported";
/// `authorization_response_iss_parameter_supported` (RFC 9207 §3)
pub const AUTHORIZATION_RESPONSE_ISS: &str = "authorization_response_iss_parameter_supported";
/// `token_endpoint_auth_methods_supported`
pub const TOKEN_AUTH_METHODS: &str = "token_endpoint_auth_methods_supported";
/// `token_endpoint_auth_signing_alg_values_supported`
pub const TOKEN_AUTH_ALGORITHMS: &str = "token_endpoint_auth_signing_alg_values_supported";

/// Names the client authentication methods of an endpoint, which is named as its own member is.
pub fn auth_methods(endpoint: &str) -> String {
    format!("{endpoint}_auth_methods_supported")
}

/// Names the algorithms that client authentication at an endpoint takes.
pub fn auth_algorithms(endpoint: &str) -> String {
    format!("{endpoint}_auth_signing_alg_values_supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_the_token_endpoint_is_what_is_read() {
        assert_eq!(auth_methods(TOKEN_ENDPOINT), TOKEN_AUTH_METHODS);
        assert_eq!(auth_algorithms(TOKEN_ENDPOINT), TOKEN_AUTH_ALGORITHMS);
    }
}
