//! `grantor token list`

use clap::Args;
use grantor::{
    admin::{TokenDocument, TokenKind},
    types::{Name, SubjectId},
};

use crate::{
    admin::{
        Input,
        tokens::{ListTokens, TokenQuery},
    },
    cli::{Failure, Global, output::time},
};

/// List what is stored here of tokens, the newest first
///
/// That is opaque access tokens by a trust or for a registered subject, and families of refresh
/// tokens. Of access tokens that are JWTs nothing is stored: `grantor issuer disable ISS
/// --revoke-tokens` ends those too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor token list --from github
  grantor token list --trust ci
  grantor token list --subject alice@example.com --json")]
#[group(id = "which", required = true, multiple = true, args = ["from", "trust", "subject"])]
pub struct List {
    /// Those given for JWTs of this issuer, by `iss` or name
    #[arg(long, value_name = "ISS")]
    from: Option<String>,
    /// Those given by this trust
    #[arg(long, value_name = "NAME")]
    trust: Option<Name>,
    /// Those about this subject
    #[arg(long, value_name = "SUB")]
    subject: Option<SubjectId>,
    /// Most tokens
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u32,
}

impl List {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = global.connect().await?;
        let query = TokenQuery {
            issuer: self.from,
            trust: self.trust,
            subject: self.subject,
            limit: Some(self.limit),
        };
        let input = Input::<ListTokens>::at(()).asking(query);
        let found = server.call(input).await?.items;
        let head = [
            "KIND", "CLIENT", "SUBJECT", "SCOPE", "TRUST", "ISSUED", "UNTIL", "STATE",
        ];
        global.output().print_list(&found, &head, row)
    }
}

fn row(token: &TokenDocument) -> Vec<String> {
    let kind = match token.kind {
        TokenKind::AccessToken => "access token",
        TokenKind::RefreshTokens => "refresh tokens",
        _ => "other",
    };
    let trust = token.trust.as_ref();
    vec![
        kind.to_owned(),
        token.client.to_string(),
        token.subject.to_string(),
        token.scope.to_string(),
        trust.map_or_else(String::new, Name::to_string),
        token.issued_at.map(time).unwrap_or_default(),
        token.expires_at.map(time).unwrap_or_default(),
        match token.in_force {
            true => "in force".to_owned(),
            false => "ended by its issuer or trust".to_owned(),
        },
    ]
}
