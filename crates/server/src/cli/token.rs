//! `grantor token`

use std::{path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, ValueEnum};
use grantor::{
    assertion::{CLIENT_ASSERTION_TYPE, Usage},
    client::{Credential, KeyFile},
    types::{AuthMethod, GrantType, Scope},
};
use serde_json::Value;

use super::{Failure, Global, assertion::sign};
use crate::http::{Client, escape};

/// How long the assertions made here are valid.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);

/// Get an access token with a key file
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor token --key billing.json
  grantor token --key billing.json --sub alice@example.com --scope 'invoices:read'
  curl -H \"Authorization: Bearer $(grantor token --key billing.json)\" https://api.example/invoices")]
pub struct Token {
    /// Key file of the client
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Grant [default: jwt-bearer with a private key, client-credentials with a secret]
    #[arg(long, value_enum, value_name = "GRANT")]
    grant: Option<GrantName>,
    /// Subject [default: the client itself]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// Scope to ask for [default: all that is allowed]
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
}

/// What `--grant` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GrantName {
    JwtBearer,
    ClientCredentials,
}

impl Token {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let key = KeyFile::read(&self.key).map_err(Failure::usage)?;
        let grant = self.grant.unwrap_or(match key.credential {
            Credential::PrivateKey(_) => GrantName::JwtBearer,
            Credential::Secret(_) => GrantName::ClientCredentials,
        });
        let mut form = Vec::new();
        let mut authorization = None;
        match grant {
            GrantName::JwtBearer => {
                let scope = None;
                let assertion = sign(&key, Usage::Grant, self.sub.as_deref(), None, scope, ASSERTION_LIFETIME)?;
                form.push(("grant_type", GrantType::JWT_BEARER.to_string()));
                form.push(("assertion", assertion));
            }
            GrantName::ClientCredentials if self.sub.is_some() => {
                return Err(Failure::usage("--sub: client-credentials is for the client itself; use --grant jwt-bearer"));
            }
            GrantName::ClientCredentials => {
                form.push(("grant_type", GrantType::CLIENT_CREDENTIALS.to_string()));
                authorization = authenticate(&key, &mut form)?;
            }
        }
        form.extend(self.scope.map(|scope| ("scope", scope.to_string())));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, answer) = Client::new()
            .post_form(&key.token_endpoint, &form, authorization.as_deref())
            .await
            .map_err(|error| Failure::failed(format!("{}: {error}", key.token_endpoint)))?;
        if !status.is_success() {
            return Err(refusal(status, &answer));
        }
        global.output().print(&answer, bearer(&answer)?);
        Ok(())
    }
}

/// RFC 6749 §7.1: a token of a type that is not understood is not used.
fn bearer(answer: &Value) -> Result<&str, Failure> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    match (text("access_token"), text("token_type")) {
        (Some(token), Some(kind)) if kind.eq_ignore_ascii_case("bearer") => Ok(token),
        (_, kind) => Err(Failure::failed(format!("expected a Bearer token in the answer, got token_type {kind:?}"))),
    }
}

/// Adds client authentication to the form; answers the Authorization header for Basic.
fn authenticate(key: &KeyFile, form: &mut Vec<(&'static str, String)>) -> Result<Option<String>, Failure> {
    let secret = match &key.credential {
        Credential::Secret(secret) if key.auth_method != AuthMethod::CLIENT_SECRET_JWT => secret,
        Credential::Secret(_) | Credential::PrivateKey(_) => {
            let assertion = sign(key, Usage::ClientAuthentication, None, None, None, ASSERTION_LIFETIME)?;
            form.push(("client_assertion_type", CLIENT_ASSERTION_TYPE.to_owned()));
            form.push(("client_assertion", assertion));
            return Ok(None);
        }
    };
    if key.auth_method == AuthMethod::CLIENT_SECRET_POST {
        form.push(("client_id", key.client_id.to_string()));
        form.push(("client_secret", secret.to_string()));
        return Ok(None);
    }
    let credentials = format!("{}:{}", escape(key.client_id.as_str()), escape(secret));
    Ok(Some(format!("Basic {}", STANDARD.encode(credentials))))
}

/// The server's own words, which name the decision to look up.
fn refusal(status: http::StatusCode, answer: &Value) -> Failure {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or("(none)").to_owned();
    Failure::failed(format!("refused with {status}: {}: {}", text("error"), text("error_description")))
}
