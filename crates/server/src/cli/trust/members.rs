//! The members of a trust that flags give: the same for a new trust and for a change.

use std::time::Duration;

use clap::{Args, ValueEnum};
use grantor::{
    admin::{ClientAuth, CopyDocument, MatchDocument, Patch, PinDocument, TrustDocument},
    assertion::Usage,
    registry::{ClaimCopy, Match, Mode, Pin, SubjectMapping},
    types::{ClaimPath, ClientId, Scope},
};
use serde_json::json;

use crate::{
    admin::trusts::{claim_copy, claim_match, pin},
    cli::{
        Failure,
        parse::{duration, join},
    },
};

/// What is named replaces what is there, pins and the like claim by claim; a new trust has the
/// defaults otherwise.
#[derive(Debug, Args)]
pub struct Members {
    /// A claim and the value it has to have: text, int:20, bool:true, contains:x (a list that has
    /// it), or text:int:20 for the text itself. A claim is named, or reached by a JSON pointer:
    /// /kubernetes.io/namespace. May be repeated
    #[arg(long = "pin", value_name = "CLAIM=VALUE", value_parser = pin)]
    pins: Vec<Pin>,
    /// A claim and the glob that all of it has to match: * is one or more octets but / and :, ** is
    /// one or more of any. May be repeated
    #[arg(long = "match", value_name = "CLAIM=GLOB", value_parser = claim_match)]
    matches: Vec<Match>,
    /// What has to hold besides, in CEL over `assertion`, such as
    /// "assertion.ref_protected == 'true'"; '' for nothing
    #[arg(long, value_name = "CEL")]
    condition: Option<String>,
    /// The client that gets the token [a new trust: a new public client of the trust's name]
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
    /// Whom the token is about: fixed:SUBJECT, claim:CLAIM, template:TEXT with claims in braces, or
    /// existing:CLAIM, a registered subject for whom permissions apply [a new trust:
    /// template:NAME:{sub}]
    #[arg(long, value_name = "KIND:TEXT")]
    subject: Option<SubjectMapping>,
    /// Scope that tokens may have at most; may be repeated; '' for none [a new trust: none]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// What tokens may be for; may be repeated [a new trust: the server's default]
    #[arg(long = "resource", value_name = "URL")]
    resources: Vec<String>,
    /// How long tokens live at most, such as 15m; 0s for as long as the server's [a new trust: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lifetime: Option<Duration>,
    /// End tokens with the JWT that they were given for
    #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
    cap_to_assertion: Option<bool>,
    /// A claim of the JWT that tokens get, and its name there; may be repeated
    #[arg(long = "claim", value_name = "OUT=CLAIM", value_parser = claim_copy)]
    claims: Vec<ClaimCopy>,
    /// Whether the client has to authenticate besides [a new trust: optional]
    #[arg(long, value_enum, value_name = "NEED")]
    client_auth: Option<Need>,
    /// What a JWT is taken for; may be repeated [a new trust: grant]
    #[arg(long = "use", value_enum, value_name = "USE")]
    uses: Vec<UseName>,
    /// Only try it beside the others: it grants nothing, and `trust report` tells what it would have
    /// done
    #[arg(long)]
    shadow: bool,
    /// Overrule this warning, by the name that a refusal gives it; may be repeated
    #[arg(long = "allow", value_name = "LINT")]
    allowed_lints: Vec<String>,
}

/// What `--client-auth` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Need {
    Required,
    Optional,
}

/// What `--use` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UseName {
    Grant,
    ClientAuth,
}

/// What is taken away from a trust.
#[derive(Debug, Default, Args)]
pub struct Removed {
    /// Take the pins of this claim away; may be repeated
    #[arg(long = "unpin", value_name = "CLAIM", value_parser = ClaimPath::parse)]
    unpinned: Vec<ClaimPath>,
    /// Take the globs of this claim away; may be repeated
    #[arg(long = "unmatch", value_name = "CLAIM", value_parser = ClaimPath::parse)]
    unmatched: Vec<ClaimPath>,
    /// Copy this claim into tokens no more, by its name there; may be repeated
    #[arg(long = "unclaim", value_name = "OUT")]
    unclaimed: Vec<String>,
}

impl Members {
    /// The members that are named, with their values, of a new trust.
    pub fn of_new(&self) -> Result<Patch, Failure> {
        let mut patch = self.values()?;
        if !self.pins.is_empty() {
            patch = patch.with("pins", json!(pins(&self.pins)));
        }
        if !self.matches.is_empty() {
            patch = patch.with("matches", json!(matches(&self.matches)));
        }
        if !self.claims.is_empty() {
            patch = patch.with("claims", json!(copies(&self.claims)));
        }
        Ok(patch)
    }

    /// As [`Members::of_new`], of a change: a pin takes the place of those of the same claim, and
    /// the others stay.
    pub fn of_change(&self, before: &TrustDocument, removed: &Removed) -> Result<Patch, Failure> {
        let mut patch = self.values()?;
        let kept = |claim: &ClaimPath| {
            let is_new = self.pins.iter().any(|pin| pin.claim == *claim);
            !is_new && !removed.unpinned.contains(claim)
        };
        let mut pins = pins(&self.pins);
        if !pins.is_empty() || !removed.unpinned.is_empty() {
            let before = before.pins.iter().filter(|pin| kept(&pin.claim));
            pins.splice(0..0, before.cloned());
            patch = patch.with("pins", json!(pins));
        }
        let kept = |claim: &ClaimPath| {
            let is_new = self.matches.iter().any(|one| one.claim == *claim);
            !is_new && !removed.unmatched.contains(claim)
        };
        let mut matches = matches(&self.matches);
        if !matches.is_empty() || !removed.unmatched.is_empty() {
            let before = before.matches.iter().filter(|one| kept(&one.claim));
            matches.splice(0..0, before.cloned());
            patch = patch.with("matches", json!(matches));
        }
        let kept = |to: &String| {
            let is_new = self.claims.iter().any(|copy| copy.to == *to);
            !is_new && !removed.unclaimed.contains(to)
        };
        let mut copies = copies(&self.claims);
        if !copies.is_empty() || !removed.unclaimed.is_empty() {
            let before = before.claims.iter().filter(|copy| kept(&copy.to));
            copies.splice(0..0, before.cloned());
            patch = patch.with("claims", json!(copies));
        }
        Ok(patch)
    }

    /// The members that are no lists of claims.
    fn values(&self) -> Result<Patch, Failure> {
        let mut patch = Patch::default();
        if let Some(client) = &self.client {
            patch = patch.with("client", json!(client));
        }
        if let Some(condition) = &self.condition {
            let condition = Some(condition).filter(|text| !text.is_empty());
            // A member that is null has its default.
            patch = patch.with("condition", json!(condition));
        }
        if let Some(subject) = &self.subject {
            patch = patch.with("subject", json!(subject));
        }
        if !self.scopes.is_empty() {
            patch = patch.with("scope", json!(join(&self.scopes)?));
        }
        if !self.resources.is_empty() {
            let named = self.resources.iter().filter(|url| !url.is_empty());
            patch = patch.with("resources", json!(named.collect::<Vec<_>>()));
        }
        if let Some(lifetime) = self.lifetime {
            let seconds = Some(lifetime.as_secs()).filter(|seconds| *seconds > 0);
            patch = patch.with("lifetime", json!(seconds));
        }
        if let Some(caps) = self.cap_to_assertion {
            patch = patch.with("cap_to_assertion", caps);
        }
        if let Some(need) = self.client_auth {
            let need = match need {
                Need::Required => ClientAuth::Required,
                Need::Optional => ClientAuth::Optional,
            };
            patch = patch.with("client_auth", json!(need));
        }
        if !self.uses.is_empty() {
            let uses = self.uses.iter().map(|name| match name {
                UseName::Grant => Usage::Grant,
                UseName::ClientAuth => Usage::ClientAuthentication,
            });
            patch = patch.with("uses", json!(uses.collect::<Vec<_>>()));
        }
        if self.shadow {
            patch = patch.with("mode", json!(Mode::Shadow));
        }
        if !self.allowed_lints.is_empty() {
            patch = patch.with("allowed_lints", json!(self.allowed_lints));
        }
        Ok(patch)
    }
}

fn pins(pins: &[Pin]) -> Vec<PinDocument> {
    pins.iter().cloned().map(PinDocument::from).collect()
}

fn matches(matches: &[Match]) -> Vec<MatchDocument> {
    matches.iter().cloned().map(MatchDocument::from).collect()
}

fn copies(copies: &[ClaimCopy]) -> Vec<CopyDocument> {
    let copies = copies.iter().cloned();
    copies
        .map(|copy| CopyDocument::new(copy.to, copy.from))
        .collect()
}
