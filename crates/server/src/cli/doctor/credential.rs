//! A client's key against a server: does the server take its method and algorithm, and which
//! audience.

use grantor::{
    client::{RetryPolicy, TokenError, TokenSource},
    credential::{Audience, KeyFileForm, Server},
    jose::Algorithm,
    remote::checked_url,
    types::{AuthMethod, GrantType, Scope, member},
};

use super::{Report, metadata::Metadata, obstacle};
use crate::cli::{Failure, credential::ClientCredential, token::GrantName};

/// A key, and the server it is held against.
pub struct Examination<'a> {
    pub key: &'a ClientCredential,
    pub issuer: &'a str,
    pub metadata: &'a Metadata,
    pub grant: Option<GrantName>,
}

/// What became of the tries with one grant.
enum Outcome {
    /// There is a token; with what is said here.
    Token(String),
    /// There would be with the token endpoint's URL as audience.
    OtherAudience { refusal: TokenError, works: String },
    /// The client is not allowed this grant, or the server does not have it.
    NotAllowed(TokenError),
    /// Refused, whatever the audience.
    Refused(Vec<(String, TokenError)>),
}

impl Examination<'_> {
    pub async fn run(
        &self,
        sub: Option<&str>,
        scope: Option<&Scope>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        self.compare_with_file(report);
        self.method(report);
        self.algorithm(report)?;
        if self.metadata.is_there() && !self.metadata.is_of_issuer {
            report.note(
                "token",
                "no token was asked for: the metadata is not this issuer's",
                "See above.",
            );
            return Ok(());
        }
        // What is signed for one server is not sent to another.
        if self
            .key
            .file()
            .is_some_and(|file| file.form == KeyFileForm::Grantor && file.issuer != self.issuer)
        {
            report.note(
                "token",
                "no token was asked for: the key file is for another issuer",
                "See above.",
            );
            return Ok(());
        }
        let Some(endpoint) = self.endpoint() else {
            report.note(
                "token",
                "no token was asked for: there is no token endpoint to ask",
                "See above.",
            );
            return Ok(());
        };
        let mut outcomes = Vec::new();
        for grant in self.grants() {
            // A subject is for the one grant that knows one.
            let sub = sub.filter(|_| grant == GrantName::JwtBearer);
            outcomes.push((grant, self.attempt(grant, &endpoint, sub, scope).await?));
        }
        tell(&outcomes, report);
        Ok(())
    }

    /// What the key file says about the server, against what the server says.
    fn compare_with_file(&self, report: &mut Report) {
        // The issuer in a service account's file is derived, and its endpoint is fixed by the form.
        let Some(file) = self
            .key
            .file()
            .filter(|file| file.form == KeyFileForm::Grantor)
        else {
            return;
        };
        if file.issuer != self.issuer {
            let message = format!(
                "the key file is for the issuer {:?}, not {:?}",
                file.issuer, self.issuer
            );
            report.wrong(
                "key file",
                message,
                "Names are compared to the letter: take the file for this server, or say the other --issuer.",
            );
        }
        match self.metadata.text(member::TOKEN_ENDPOINT) {
            Some(got) if got != file.token_endpoint => {
                let message = format!(
                    "the key file's token_endpoint is {:?}, the metadata's is {got:?}",
                    file.token_endpoint
                );
                report.wrong(
                    "key file",
                    message,
                    "Correct the key file, unless it is the metadata that is wrong.",
                );
            }
            _ => {}
        }
    }

    fn method(&self, report: &mut Report) {
        const MEMBER: &str = member::TOKEN_AUTH_METHODS;
        let method = self.key.auth_method();
        match self.metadata.names(MEMBER) {
            _ if !self.metadata.is_there() => {}
            Some(methods) if methods.contains(&method.as_str()) => {
                report.ok("client auth", format!("the server takes {method}"));
            }
            Some(methods) => {
                let message = format!(
                    "the server takes {methods:?} as client authentication, and not {method}"
                );
                // A grant assertion needs none.
                match self.key.has_private_key() {
                    true => report.note(
                        "client auth",
                        message,
                        "The key is of use for the jwt-bearer grant only.",
                    ),
                    false => report.wrong(
                        "client auth",
                        message,
                        "Register the client for one of those methods.",
                    ),
                }
            }
            None if method == AuthMethod::CLIENT_SECRET_BASIC => {
                report.ok(
                    "client auth",
                    "the server takes client_secret_basic, the default (RFC 8414 §2)",
                );
            }
            None => {
                let message = format!(
                    "the metadata has no {MEMBER}, which means client_secret_basic only (RFC 8414 §2)"
                );
                report.note(
                    "client auth",
                    message,
                    format!("If the server takes {method}, it should say so."),
                );
            }
        }
    }

    fn algorithm(&self, report: &mut Report) -> Result<(), Failure> {
        const MEMBER: &str = member::TOKEN_AUTH_ALGORITHMS;
        let Some(algorithm) = self.key.algorithm()? else {
            return Ok(());
        };
        let fits = |name: &&str| {
            Algorithm::from_name(name).is_some_and(|supported| supported.is_same_as(algorithm))
        };
        match self.metadata.names(MEMBER) {
            _ if !self.metadata.is_there() => {}
            Some(names) if names.iter().any(fits) => {
                report.ok("algorithm", format!("the server takes {algorithm}"));
            }
            Some(names) => {
                let message =
                    format!("the key signs with {algorithm}, and the server takes {names:?}");
                report.wrong(
                    "algorithm",
                    message,
                    "Make and register a key for one of those.",
                );
            }
            None => {
                let remedy = "Servers that take assertions as client authentication have to list it (RFC 8414 §2); RS256 is the most common.";
                report.note("algorithm", format!("the metadata has no {MEMBER}"), remedy);
            }
        }
        Ok(())
    }

    /// What is configured wins over what is discovered.
    fn endpoint(&self) -> Option<String> {
        let configured = self.key.file().map(|file| file.token_endpoint.as_str());
        let configured = configured
            .map(|endpoint| Some(endpoint).filter(|endpoint| checked_url(endpoint).is_ok()));
        configured
            .unwrap_or_else(|| self.metadata.endpoint(member::TOKEN_ENDPOINT))
            .map(str::to_owned)
    }

    /// The grants to try: what was asked for, or what key and server both have.
    fn grants(&self) -> Vec<GrantName> {
        if let Some(grant) = self.grant {
            return vec![grant];
        }
        let supported = self.metadata.names(member::GRANT_TYPES);
        let has = |grant: &GrantType| {
            supported
                .as_ref()
                .is_none_or(|names| names.contains(&grant.as_str()))
        };
        let jwt_bearer = self.key.has_private_key() && has(&GrantType::JWT_BEARER);
        let grants = [
            jwt_bearer.then_some(GrantName::JwtBearer),
            has(&GrantType::CLIENT_CREDENTIALS).then_some(GrantName::ClientCredentials),
        ];
        grants.into_iter().flatten().collect()
    }

    /// Asks for a token with each audience that is possible, the issuer identifier first.
    async fn attempt(
        &self,
        grant: GrantName,
        endpoint: &str,
        sub: Option<&str>,
        scope: Option<&Scope>,
    ) -> Result<Outcome, Failure> {
        let mut refused = Vec::new();
        for audience in self.audiences(endpoint) {
            let server = Server::at(endpoint)
                .map_err(Failure::failed)?
                .with_issuer(self.issuer);
            let chosen = audience
                .clone()
                .map(|audience| Audience::Exactly(audience.into()));
            let source = match grant {
                GrantName::JwtBearer => {
                    TokenSource::jwt_bearer(server, self.key.jwt_bearer(chosen)?)
                }
                GrantName::ClientCredentials => TokenSource::client_credentials(
                    server,
                    self.key.client_auth(&self.key.auth_method(), chosen)?,
                ),
            };
            let source = sub
                .into_iter()
                .fold(source, |source, sub| source.subject(sub));
            let source = scope
                .into_iter()
                .fold(source, |source, scope| source.scope(scope.clone()));
            let retry = RetryPolicy {
                tries: 1,
                ..RetryPolicy::default()
            };
            let token = source
                .retry(retry)
                .build()
                .map_err(Failure::usage)?
                .token()
                .await;
            let audience = audience.unwrap_or_default();
            match (token, refused.pop()) {
                (Ok(_), None) => return Ok(Outcome::Token(audience)),
                (Ok(_), Some((_, refusal))) => {
                    return Ok(Outcome::OtherAudience {
                        refusal,
                        works: audience,
                    });
                }
                (Err(error), None) if is_not_allowed(&error) => {
                    return Ok(Outcome::NotAllowed(error));
                }
                // Another audience changes nothing about these.
                (Err(error), None) if !is_about_the_assertion(&error) => {
                    return Ok(Outcome::Refused(vec![(audience, error)]));
                }
                (Err(error), before) => {
                    refused.extend(before.into_iter().chain([(audience, error)]));
                }
            }
        }
        Ok(Outcome::Refused(refused))
    }

    /// `None` where no audience is signed. A URL that only the metadata names is signed for if it
    /// is on the issuer's own origin: a server must not collect assertions for others
    /// (CVE-2025-27370).
    fn audiences(&self, endpoint: &str) -> Vec<Option<String>> {
        let signs = self
            .key
            .algorithm()
            .is_ok_and(|algorithm| algorithm.is_some());
        let configured = self.key.file().is_some();
        let form = self.key.file().map(|file| file.form);
        let origin = |url: &str| checked_url(url).ok().map(|url| url.origin());
        match (signs, form) {
            (false, _) => vec![None],
            // The form fixes it, whatever issuer it is held against.
            (true, Some(KeyFileForm::ServiceAccount)) => vec![Some(endpoint.to_owned())],
            _ if configured || origin(endpoint) == origin(self.issuer) => {
                vec![Some(self.issuer.to_owned()), Some(endpoint.to_owned())]
            }
            _ => vec![Some(self.issuer.to_owned())],
        }
    }
}

fn is_not_allowed(error: &TokenError) -> bool {
    matches!(
        error.oauth_code(),
        Some("unauthorized_client" | "unsupported_grant_type")
    )
}

fn is_about_the_assertion(error: &TokenError) -> bool {
    matches!(
        error.oauth_code(),
        Some("invalid_client" | "invalid_grant" | "invalid_request")
    )
}

fn tell(outcomes: &[(GrantName, Outcome)], report: &mut Report) {
    let any = outcomes
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Token(_) | Outcome::OtherAudience { .. }));
    if outcomes.is_empty() {
        let remedy = "Say --grant to try nevertheless.";
        report.wrong(
            "token",
            "the server says that it has no grant that this key could use",
            remedy,
        );
    }
    for (grant, outcome) in outcomes {
        let name = match grant {
            GrantName::JwtBearer => "jwt-bearer",
            GrantName::ClientCredentials => "client-credentials",
        };
        match outcome {
            Outcome::Token(audience) if audience.is_empty() => {
                report.ok("token", format!("{name}: a token was issued"));
            }
            Outcome::Token(audience) => {
                report.ok(
                    "token",
                    format!(
                        "{name}: a token was issued for an assertion with the audience {audience:?}"
                    ),
                );
            }
            Outcome::OtherAudience { refusal, works } => {
                let message = format!(
                    "{name}: the server refuses its issuer identifier as audience ({refusal}), and takes {works:?}"
                );
                let remedy = format!(
                    "Set the audience to {works:?}: `--aud` of `grantor token`, `Audience::TokenEndpoint` in the library. RFC 10070 \
                     wants the issuer identifier; ask the server's operator when it will be taken."
                );
                report.wrong("audience", message, remedy);
            }
            Outcome::NotAllowed(error) if any => {
                report.note("token", format!("{name}: {error}"), "Use the other grant.");
            }
            Outcome::NotAllowed(error) => {
                report.wrong(
                    "token",
                    format!("{name}: {error}"),
                    "Let the server's operator allow this grant to the client.",
                );
            }
            Outcome::Refused(tries) => {
                let remedy = remedy(tries);
                let tries: Vec<_> = tries
                    .iter()
                    .map(|(audience, error)| attempt(audience, error))
                    .collect();
                let message = format!("{name}: {}", tries.join("; "));
                match any {
                    true => report.note(
                        "token",
                        message,
                        "Use the other grant, if it need not be this one.",
                    ),
                    false => report.wrong("token", message, remedy),
                }
            }
        }
    }
}

fn remedy(tries: &[(String, TokenError)]) -> String {
    let registered = "Is the client registered under this name with this key, and enabled? A Grantor server says more: `grantor \
                      decisions show ID`, with the id in its answer.";
    match tries {
        [(_, error)] if is_about_the_assertion(error) => registered.to_owned(),
        [(_, TokenError::Fetch(error))] => obstacle::remedy(error, "Is the server running, and can it be reached from here?"),
        [(_, TokenError::Refused(_))] => {
            "Ask for what the server's operator allows to the client, or let the operator allow it.".to_owned()
        }
        [_] => "That is no answer of a token endpoint (RFC 6749 §5): is it the right URL, and the server well?".to_owned(),
        _ => format!("It is hardly the audience, for neither is taken. {registered}"),
    }
}

fn attempt(audience: &str, error: &TokenError) -> String {
    if audience.is_empty() {
        error.to_string()
    } else {
        format!("with the audience {audience:?} {error}")
    }
}
