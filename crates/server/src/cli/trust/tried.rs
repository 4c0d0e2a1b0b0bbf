//! `grantor trust test`, `grantor issuer test`

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use grantor::{
    assertion::{Assertion, Explanation, TrustCheck, Usage, Verdict},
    clock::{Clock, SystemClock, UnixTime},
    file,
    registry::Mode,
    types::{Name, Rule},
};
use serde_json::json;

use crate::{
    app,
    cli::{
        Administered, Failure, Output, advice::Refused, assertion::table, client::read_input,
        parse::instant,
    },
    config::Config,
    metrics::Metrics,
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
    pub async fn run(
        self,
        config: &Config,
        admin: &Administered,
        output: Output,
    ) -> Result<(), Failure> {
        let only = match &self.name {
            Some(name) => Some(admin.trusts().get(name).await?),
            None => None,
        };
        let mut when = self.when;
        // What one trust is for, it is tried for.
        if let Some(trust) = &only {
            when.client_auth |= trust.uses[..] == [Usage::ClientAuthentication];
        }
        let mut tried = Tried::of(config, admin, &self.file, &when).await?;
        if let Some(trust) = only {
            tried.keep(&trust.name)?;
        }
        tried.print(admin, output).await
    }
}

/// A JWT that was tried.
pub struct Tried {
    /// Its `iss`, as it says; of a SPIFFE JWT without one nothing.
    pub iss: Option<String>,
    explanation: Explanation,
    /// Whether it is one trust that is asked about.
    is_of_one: bool,
}

impl Tried {
    /// Tries the JWT in this file.
    pub async fn of(
        config: &Config,
        admin: &Administered,
        path: &std::path::Path,
        when: &When,
    ) -> Result<Self, Failure> {
        let jwt = read(path)?;
        let clock: Arc<dyn Clock> = match when.at {
            Some(at) => Arc::new(At(at)),
            None => Arc::new(SystemClock),
        };
        let server = app::build_server_by(config, &admin.store, Metrics::default(), clock);
        let server = server.map_err(Failure::usage)?;
        let usage = when.client_auth.then_some(Usage::ClientAuthentication);
        let explanation = server.explain(&jwt, usage).await?;
        let iss = Assertion::parse(&jwt).ok().and_then(|assertion| {
            let claims = assertion.dangerously_unverified_claims();
            claims.issuer.as_ref().map(ToString::to_string)
        });
        Ok(Self {
            iss,
            explanation,
            is_of_one: false,
        })
    }

    /// Leaves the rows of one trust.
    fn keep(&mut self, name: &Name) -> Result<(), Failure> {
        let trusts = &mut self.explanation.trusts;
        trusts.retain(|check| check.trust == *name);
        self.is_of_one = true;
        let is_reached = self.explanation.checks.iter().any(is_trust_row);
        match trusts.is_empty() && is_reached {
            true => Err(Failure::failed(format!(
                "trust {name} is for another issuer than that of the JWT{}",
                self.iss
                    .as_ref()
                    .map_or_else(String::new, |iss| format!(", {iss}"))
            ))),
            false => Ok(()),
        }
    }

    /// Why it would get nothing, if so.
    fn problem(&self) -> Option<String> {
        let cause = self.explanation.cause.as_ref();
        match (&self.explanation.trusts[..], cause) {
            ([one], _) if self.is_of_one => self.problem_of_one(one),
            (_, cause) => cause.cloned(),
        }
    }

    /// As [`Tried::problem`], by one trust: that none other takes it does not matter then, and a
    /// shadow may be asked about.
    fn problem_of_one(&self, one: &TrustCheck) -> Option<String> {
        let cause = self.explanation.cause.clone();
        let is_other_rule = self.broken().is_some_and(|rule| *rule != Rule::Trust);
        match () {
            () if is_other_rule => cause,
            () if !one.takes() => Some(format!("trust {} does not take it", one.trust)),
            () if one.mode == Mode::Off => Some(format!("trust {} is off", one.trust)),
            () if one.mode == Mode::Shadow => None,
            () => cause,
        }
    }

    /// The rule that is broken.
    fn broken(&self) -> Option<&Rule> {
        let mut checks = self.explanation.checks.iter();
        let failed = checks.find(|check| check.verdict == Verdict::Fail);
        failed.map(|check| &check.rule)
    }

    /// Why it would get nothing, as far as it depends on it what to do.
    fn refused(&self) -> Refused<'_> {
        let Explanation {
            usage,
            cause,
            trusts,
            ..
        } = &self.explanation;
        let takes = |check: &&TrustCheck| {
            check.takes() && check.set_aside.is_none() && check.mode == Mode::On
        };
        let mut taking = trusts.iter().filter(takes);
        let taken = taking.next().filter(|_| taking.next().is_none());
        Refused {
            rule: self.broken().unwrap_or(&Rule::Trust),
            cause: cause.as_deref().unwrap_or_default(),
            usage: *usage,
            issuer: None,
            claimed: self.iss.as_deref(),
            taken,
            trusts,
        }
    }

    /// Prints every rule and every trust, and what to do.
    pub async fn print(&self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let problem = self.problem();
        let advice = match &problem {
            Some(_) => self.refused().advice(admin).await?,
            None => None,
        };
        let said = advice
            .as_ref()
            .map(|advice| format!("\n\nWhat to do: {advice}"));
        let text = format!("{}{}", table(&self.explanation), said.unwrap_or_default());
        let document = json!({
            "granted": problem.is_none(),
            "cause": problem,
            "advice": advice,
            "explanation": self.explanation,
        });
        output.print(&document, text)?;
        match problem {
            None => Ok(()),
            Some(problem) => Err(Failure::failed(format!("would be refused: {problem}"))),
        }
    }
}

fn is_trust_row(check: &grantor::assertion::Check) -> bool {
    check.rule == Rule::Trust && check.verdict != Verdict::NotReached
}

/// The JWT in a file, or on standard input, without the line break behind it.
fn read(path: &std::path::Path) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::usage(format!("{}: {problem}", path.display()));
    let octets = read_input(path).map_err(|error| wrong(error.to_string()))?;
    let text = file::text(octets).map_err(|error| wrong(error.to_string()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A clock that stands.
#[derive(Clone, Copy, Debug)]
struct At(UnixTime);

impl Clock for At {
    fn now(&self) -> UnixTime {
        self.0
    }
}
