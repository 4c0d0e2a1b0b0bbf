//! `grantor token`

mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use grantor::{
    client::{AccessToken, Audience, Builder, Server, TokenError, TokenSource},
    types::{AuthMethod, Scope},
};
use serde_json::{Value, json};

use super::{
    Failure, Global,
    credential::{BareKey, ClientCredential},
    doctor::remedy,
    parse::methods,
};

/// Get an access token with a key file, from any authorization server
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  grantor token --key billing.json
  grantor token --key billing.json --sub alice@example.com --scope 'invoices:read'
  grantor token --key key.pem --alg RS256 --kid 2026-01 --iss billing --issuer https://login.example/realms/a --grant client-credentials
  curl -H \"Authorization: Bearer $(grantor token --key billing.json)\" https://api.example/invoices
  grantor token list --trust ci"
)]
pub struct Token {
    #[command(subcommand)]
    command: Option<TokenCommand>,
    /// Key file of the client; or its private key alone (PEM or JWK), with --iss and --issuer; -
    /// is standard input
    #[arg(long, value_name = "FILE", required = true)]
    key: Option<PathBuf>,
    #[command(flatten)]
    bare: BareKey,
    #[command(flatten)]
    asking: Asking,
}

/// What is done with tokens of this server.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// List what is stored here of tokens: opaque access tokens, and families of refresh tokens
    List(list::List),
}

/// What is asked for, and how.
#[derive(Debug, Args)]
struct Asking {
    /// Grant [default: jwt-bearer with a private key, client-credentials with a secret]
    #[arg(long, value_enum, value_name = "GRANT")]
    grant: Option<GrantName>,
    /// How the client authenticates [default: for client-credentials the key file's, for jwt-bearer
    /// not at all]
    #[arg(long, value_name = "METHOD", value_parser = methods())]
    client_auth: Option<AuthMethod>,
    /// Audience of what is signed [default: the issuer identifier; of a service account's grant,
    /// the token endpoint]
    #[arg(long, value_name = "AUD")]
    aud: Option<String>,
    /// Subject [default: the client itself]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// Scope to ask for [default: all that is allowed]
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
    /// The API that the token is for (RFC 8707)
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
}

/// What `--grant` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GrantName {
    JwtBearer,
    ClientCredentials,
}

impl Token {
    /// Whether it may be done at a server elsewhere: what is stored is listed there.
    pub fn may_be_elsewhere(&self) -> bool {
        self.command.is_some()
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if let Some(TokenCommand::List(command)) = self.command {
            return command.run(global).await;
        }
        Global::start_log()?;
        let key = self
            .key
            .ok_or_else(|| Failure::usage("name a key file with --key"))?;
        let key = ClientCredential::read(&key, self.bare)?;
        let (server, asked) = server(&key, global)?;
        let subject = self.asking.sub.clone();
        let source = self.asking.source(&key, server)?;
        let token = source.build().map_err(Failure::usage)?.token().await;
        let token = token.map_err(|error| failure(asked, subject.as_deref(), error))?;
        global.output().print(&answer(&token), token.expose())
    }
}

/// The server to ask, and the name it is told by if it does not answer.
fn server<'a>(key: &'a ClientCredential, global: &'a Global) -> Result<(Server, &'a str), Failure> {
    match (&global.issuer, key.file()) {
        // The file says more about its server than the name does.
        (issuer, Some(file)) if issuer.as_ref().is_none_or(|issuer| *issuer == file.issuer) => {
            Ok((file.server().map_err(Failure::usage)?, &file.token_endpoint))
        }
        // The metadata of any other names the token endpoint.
        (Some(issuer), _) => {
            let server = Server::discover(issuer)
                .map_err(|error| Failure::usage(format!("--issuer {error}")))?;
            Ok((server, issuer))
        }
        (None, _) => Err(Failure::usage(
            "a private key alone does not name its server; say --issuer URL",
        )),
    }
}

impl Asking {
    fn source(self, key: &ClientCredential, server: Server) -> Result<Builder, Failure> {
        let audience = self.aud.map(|audience| Audience::Exactly(audience.into()));
        let default = if key.has_private_key() {
            GrantName::JwtBearer
        } else {
            GrantName::ClientCredentials
        };
        let mut source = match self.grant.unwrap_or(default) {
            GrantName::JwtBearer => {
                let source = TokenSource::jwt_bearer(server, key.jwt_bearer(audience.clone())?);
                match self.client_auth {
                    Some(method) => source.client_auth(key.client_auth(&method, audience)?),
                    None => source,
                }
            }
            GrantName::ClientCredentials if self.sub.is_some() => {
                return Err(Failure::usage(
                    "--sub: client-credentials is for the client itself; use --grant jwt-bearer",
                ));
            }
            GrantName::ClientCredentials => {
                let method = self.client_auth.unwrap_or_else(|| key.auth_method());
                TokenSource::client_credentials(server, key.client_auth(&method, audience)?)
            }
        };
        if let Some(subject) = self.sub {
            source = source.subject(subject);
        }
        if let Some(scope) = self.scope {
            source = source.scope(scope);
        }
        if let Some(resource) = self.resource {
            source = source.resource(resource);
        }
        Ok(source)
    }
}

/// The answer as the server gave it, but for what is not understood of it: a refresh token.
fn answer(token: &AccessToken) -> Value {
    let mut answer: serde_json::Map<_, _> = token
        .members()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    answer.insert("access_token".to_owned(), token.expose().into());
    answer.insert("token_type".to_owned(), token.token_type().scheme().into());
    answer.extend(
        token
            .lifetime()
            .map(|lifetime| ("expires_in".to_owned(), json!(lifetime.as_secs()))),
    );
    answer.extend(
        token
            .scope()
            .map(|scope| ("scope".to_owned(), json!(scope.to_string()))),
    );
    answer.into()
}

/// The server's own words, which name the decision to look up; or who was asked, and what came of
/// it.
fn failure(asked: &str, subject: Option<&str>, error: TokenError) -> Failure {
    match error {
        TokenError::Refused(error) => Failure::failed(error),
        TokenError::ConsentRequired { uri, error } => {
            let person = subject.unwrap_or("the person");
            // The link stands last, so that nothing sticks to it where it is copied.
            Failure::failed(error).and(format_args!(
                "have {person} allow it here, then run this again: {uri}"
            ))
        }
        TokenError::Config(error) => Failure::usage(error),
        // RFC 6749 §7.1: a token of a type that is not understood is not used.
        TokenError::TokenType(_)
        | TokenError::Member {
            member: "token_type",
            ..
        } => Failure::failed(format!(
            "expected a Bearer token in the answer of {asked}: {error}"
        )),
        TokenError::Fetch(cause) if cause.obstacle().is_some() => {
            Failure::failed(format!("{asked}: {cause}")).and(remedy(&cause, ""))
        }
        error => Failure::failed(format!("{asked}: {error}")),
    }
}
