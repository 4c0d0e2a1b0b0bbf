//! `grantor trust test`, `grantor issuer test`

use std::path::{Path, PathBuf};

use clap::Args;
use grantor::{assertion::Usage, clock::UnixTime, file, types::Name};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    admin::{
        Input,
        jwt_body::{JwtBody, TriedJwt},
        tried::{TestJwt, TestTrust, Tried},
    },
    cli::{Connection, Failure, Output, assertion::table, client::read_input, parse::instant},
};

/// Say of every rule and every trust whether a JWT keeps it, without using it up
///
/// Exit code 0 if it would get something, by the trust that is named if one is; else 1.
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "Examples:
  grantor trust test job.jwt                        by any trust of its issuer
  grantor trust test ci job.jwt                     by this one, also while it is a shadow
  grantor trust test ci job.jwt --at 2027-01-15T08:00:00Z
  curl -sH \"Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN\" \"$ACTIONS_ID_TOKEN_REQUEST_URL\" | jq -r .value | grantor trust test ci -"
)]
pub struct Test {
    /// Name of the trust [default: all of the issuer]
    #[arg(value_name = "NAME")]
    name: Option<Name>,
    /// File with the JWT; - is standard input
    #[arg(value_name = "FILE.jwt")]
    file: PathBuf,
    #[command(flatten)]
    when: When,
}

/// When and as what a JWT is tried.
#[derive(Debug, Args)]
pub struct When {
    /// As of this time, such as 2027-01-15T08:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<UnixTime>,
    /// As client authentication [default: if its typ says so or the trust is for nothing else, else
    /// as a grant]
    #[arg(long)]
    client_auth: bool,
}

impl Test {
    pub async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let jwt = tried_jwt(&self.file, &self.when)?;
        let tried = match self.name {
            Some(name) => server.call(Input::<TestTrust>::with(name, jwt)).await?,
            None => server.call(Input::<TestJwt>::with((), jwt)).await?,
        };
        print_tried(&tried, output)
    }
}

/// The JWT in a file, and when and as what it is tried.
pub fn tried_jwt(path: &Path, when: &When) -> Result<TriedJwt, Failure> {
    let usage = when.client_auth.then_some(Usage::ClientAuthentication);
    let jwt = Zeroizing::new(read(path)?);
    Ok(TriedJwt {
        jwt: JwtBody { jwt, usage },
        at: when.at,
    })
}

/// Prints every rule and every trust, and what to do.
pub fn print_tried(tried: &Tried, output: Output) -> Result<(), Failure> {
    let said = tried
        .advice
        .as_ref()
        .map(|advice| format!("\n\nWhat to do: {advice}"));
    let text = format!("{}{}", table(&tried.explanation), said.unwrap_or_default());
    output.print(&json!(tried), text)?;
    match &tried.cause {
        None => Ok(()),
        Some(cause) => Err(Failure::failed(format!("would be refused: {cause}"))),
    }
}

/// The JWT in a file, or on standard input, without the line break behind it.
fn read(path: &Path) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::usage(format!("{}: {problem}", path.display()));
    let octets = read_input(path).map_err(|error| wrong(error.to_string()))?;
    let text = file::text(octets).map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
