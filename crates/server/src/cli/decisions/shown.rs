//! One decision as people read it: what happened, the rules, and what to do.

use std::fmt;

use grantor::{
    admin::DecisionDocument,
    server::{Decision, Outcome},
    types::{Rule, Scope, escaped},
};

use super::{table, time};
use crate::{admin::decisions::ExplainedDecision, cli::trust::Tables};

/// A decision in lines.
pub struct Shown<'a>(pub &'a ExplainedDecision);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExplainedDecision { document, advice } = self.0;
        let DecisionDocument {
            decision,
            nearest_client,
            ..
        } = document;
        let lines = facts(decision)
            .into_iter()
            .filter_map(|(name, fact)| Some(format!("{name:9}  {}", escaped(&fact?))));
        write!(f, "{}", lines.collect::<Vec<_>>().join("\n"))?;
        if let Some(explanation) = &decision.explanation {
            write!(f, "\n\n{}", table(explanation))?;
        }
        // Of a refusal the explanation has the trusts that were asked.
        let taken = decision.trust.as_slice();
        if !taken.is_empty() {
            write!(f, "\n\n{}", Tables(taken))?;
        }
        if !decision.shadows.is_empty() {
            write!(f, "\n\n{}", Tables(&decision.shadows))?;
        }
        if let Some(nearest) = nearest_client {
            write!(f, "\nnearest client: {nearest}")?;
        }
        match &decision.outcome {
            Outcome::Refused { rule, .. } => match advice.as_deref().or(remedy(rule)) {
                Some(advice) => write!(f, "\n\nWhat to do: {advice}"),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// What is known, by name. `--json` has the rest, such as the digest of the `jti`.
fn facts(decision: &Decision) -> Vec<(&'static str, Option<String>)> {
    let (outcome, rule, cause) = match &decision.outcome {
        Outcome::Refused { error, rule, cause } => (
            format!("refused: {error}"),
            Some(rule.to_string()),
            Some(cause.clone()),
        ),
        Outcome::Granted => ("granted".to_owned(), None, None),
        Outcome::Undecided => ("undecided: the request was cut off".to_owned(), None, None),
    };
    let by = decision.auth_method.as_ref();
    let by = by.map_or_else(String::new, |method| format!(", by {method}"));
    let client = decision
        .client
        .as_ref()
        .map(|client| format!("{client}{by}"));
    let unproven = |name: &dyn fmt::Display| format!("{name}, not proven");
    let claimed_client = decision
        .claimed_client
        .as_ref()
        .filter(|_| client.is_none());
    let claimed_issuer = decision
        .claimed_issuer
        .as_ref()
        .filter(|_| client.is_none());
    let key_id = decision.key_id.as_ref();
    let key_id = key_id.map_or_else(String::new, |key_id| format!(" (kid {key_id:?})"));
    vec![
        ("decision", Some(decision.id.to_string())),
        ("time", Some(time(decision.at))),
        ("outcome", Some(outcome)),
        ("rule", rule),
        ("cause", cause),
        ("endpoint", Some(decision.endpoint.to_string())),
        (
            "grant",
            decision.grant_type.as_ref().map(ToString::to_string),
        ),
        (
            "client",
            client.or_else(|| claimed_client.map(|name| unproven(name))),
        ),
        (
            "issuer",
            match &decision.issuer {
                Some(name) => Some(match &decision.claimed_issuer {
                    Some(iss) => format!("{name}, {iss}"),
                    None => name.to_string(),
                }),
                None => claimed_issuer.map(|name| unproven(name)),
            },
        ),
        (
            "trust",
            decision.trust.as_ref().map(|check| check.trust.to_string()),
        ),
        (
            "subject",
            decision.subject.as_ref().map(ToString::to_string),
        ),
        (
            "key",
            decision
                .key_source
                .as_ref()
                .map(|source| format!("{source}{key_id}")),
        ),
        ("scope", decision.scope.as_ref().map(Scope::to_string)),
        (
            "audience",
            decision.audience.as_ref().map(ToString::to_string),
        ),
        ("from", decision.sender.map(|sender| sender.to_string())),
    ]
}

/// What the operator can do about a broken rule, in one sentence; nothing about a rule of an
/// extension.
fn remedy(rule: &Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::Throttled => {
            "Find what fails with `grantor decisions list --refused --party CLIENT`; the answer said when the client is heard again (Retry-After)."
        }
        Rule::Form => "Have the sender write the request as the cause says.",
        Rule::Client => {
            "Compare the client's method and credential with `grantor client show CLIENT`; `grantor doctor --key FILE` tries a key file."
        }
        Rule::Caller => {
            "Have the client that issued the assertion send it, or leave client authentication out."
        }
        Rule::Jws => "Have the sender send the whole assertion: three parts, no white space.",
        Rule::Claims => {
            "Have the sender put one JSON object into the assertion, with claims of the types of RFC 7519 §4.1."
        }
        Rule::Issuer => {
            "Register the client with `grantor client create`, accept it again with `grantor client enable`, or have the sender correct `iss`."
        }
        Rule::Method => {
            "Have the client authenticate as `grantor client show CLIENT` says, or register it with `--auth private_key_jwt`."
        }
        Rule::Key => {
            "Add the key that signs with `grantor client add-key`, or have the sender sign with a registered one and name its `kid`."
        }
        Rule::Algorithm => {
            "Have the sender sign with the expected algorithm, or register a key for the other one."
        }
        Rule::Signature => {
            "Have the sender sign with the private half of the registered key, or add the key that it has with `grantor client add-key`."
        }
        Rule::Type => "Have the sender leave `typ` out, or set an expected one.",
        Rule::Confirmation => {
            "Have the sender send a JWT without `cnf`: one that is bound to a key is no bearer token."
        }
        Rule::IssuerClaim => "Have the sender set `iss` to the client's identifier.",
        Rule::SubjectClaim => "Have the sender set `sub` as expected.",
        Rule::Audience => {
            "Have the sender set `aud` to this server's issuer identifier, and nothing else."
        }
        Rule::Expiry => {
            "Have the sender sign a new assertion for each request, for no longer than allowed, by a clock that is right."
        }
        Rule::NotBefore => "Have the sender set its clock right, or send the assertion later.",
        Rule::IssuedAt => {
            "Have the sender set its clock right, and sign a new assertion for each request."
        }
        Rule::TokenId => "Have the sender put a `jti` into each assertion, another one each time.",
        Rule::Fence => {
            "Have the sender sign a new assertion: those signed before the database was restored are refused."
        }
        Rule::Replay => {
            "Have the sender sign a new assertion for each request; if it does, somebody else sent a copy of this one."
        }
        Rule::ReplayQuota => {
            "Have the client keep its tokens instead of asking for each request, or raise `limits.replay_entries_per_issuer`."
        }
        Rule::Trust => {
            "Compare the JWT with the trusts of its issuer: `grantor trust test FILE.jwt` shows each, claim by claim."
        }
        Rule::MappedSubject => {
            "Have the job send the claim that `grantor trust show NAME` names under `subject`, or map another: `grantor trust update NAME --subject KIND:TEXT`."
        }
        Rule::IssuerKeys => {
            "Run `grantor issuer refresh ISSUER`: it says why its keys cannot be had; the sender may try again."
        }
        Rule::ScopeClaim => {
            "Have the sender write the `scope` claim as names with one space between."
        }
        Rule::Subject => {
            "Register the subject with `grantor subject create`, accept it again with `grantor subject enable`, or have the sender correct `sub`."
        }
        Rule::Permission => {
            "Let the client act for the subject with `grantor permission create CLIENT SUBJECT`."
        }
        Rule::Grant => {
            "Allow the client this grant with `grantor client update CLIENT --grant NAME`, or have it use one that it is registered for."
        }
        Rule::RedirectUri => {
            "Register the address with `grantor client update CLIENT --redirect-uri URI`, or have the client send the registered one to the letter."
        }
        Rule::Pkce => {
            "Have the client send a `code_challenge` by S256 with each request, and its `code_verifier` with the code."
        }
        Rule::Ticket => {
            "Have the person begin again: a page is good for 15 minutes, in one browser."
        }
        Rule::Origin => {
            "The form came from another place than this server: if honest people see this, compare the issuer with the address in their browser."
        }
        Rule::Session => "Have the person sign in.",
        Rule::Passkey => {
            "Have the person try another passkey, or send a new link: `grantor subject invite SUBJECT`."
        }
        Rule::Password => {
            "If the person cannot sign in any more, send a new link: `grantor subject invite SUBJECT --recover`."
        }
        Rule::Invitation => "Send a new link: `grantor subject invite SUBJECT`.",
        Rule::Consent => {
            "Have the person open the link of `grantor permission ask CLIENT SUBJECT`, and say yes; `grantor permission show` says what there is."
        }
        Rule::Code => {
            "Have the client redeem each code once, within its lifetime, and begin again where that failed."
        }
        Rule::RefreshToken => {
            "Have the client ask the person anew: the token has expired, was given back, or is another client's."
        }
        Rule::RefreshReuse => {
            "Ask the person and the client's operator who else has the token; if the client sends old ones itself, have it keep the newest. It asks the person anew."
        }
        Rule::AccessToken => {
            "Have the sender get a new token, with `resource` set to the API's name; one that ended with its client, subject or permission comes back with none of them."
        }
        Rule::Role => {
            "Have an owner do it, or give more: the client's scope names `grantor:write` or `grantor:admin`, and so does the subject's role."
        }
        Rule::Resource => {
            "Have the client name a resource of `token.resources`, or add this one there."
        }
        Rule::Scope => {
            "Have the client ask for less, or allow it more: `grantor client update CLIENT --scope SCOPE`, and the scope of its permission."
        }
        Rule::Issue => {
            "Read the server's log of this time; of a quota, have the client keep its tokens, or raise `limits.tokens_per_client`."
        }
        Rule::Storage => {
            "Look at the disk, at `grantor health` and at the server's log of this time; the sender may try again."
        }
        Rule::Defect => "Report this defect of the server, with its log of this time.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_of_this_program_has_a_sentence_of_its_own() {
        let sentences: BTreeSet<_> = Rule::ALL
            .iter()
            .map(|rule| remedy(rule).expect("a sentence for each rule"))
            .collect();
        assert_eq!(sentences.len(), Rule::ALL.len());
        assert_eq!(remedy(&Rule::named("binding")), None);
    }
}
