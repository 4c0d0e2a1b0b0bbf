//! What can be done about a JWT of an issuer that was refused, in one sentence: on the job's side, or
//! here.

use grantor::{
    admin::{self, Hints, IssuerDocument, Template, Templates},
    assertion::TrustCheck,
    types::Rule,
};

use super::{Administered, Failure, trust};

/// What is known of an issuer.
pub struct Advice {
    issuer: IssuerDocument,
    template: Option<&'static Template>,
    /// What `aud` is expected to be.
    audience: String,
}

impl Advice {
    /// Of the issuer with this `iss` or name, if there still is one.
    pub async fn of(admin: &Administered, reference: &str) -> Result<Option<Self>, Failure> {
        let issuer = match admin.issuers().get(reference).await {
            Ok(issuer) => issuer,
            Err(admin::Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let template = Templates::of(issuer.iss.as_str(), issuer.template.as_ref());
        let audience = issuer.audiences.first().cloned();
        let audience = audience.unwrap_or_else(|| admin.terms.issuer.to_string());
        Ok(Some(Self {
            issuer,
            template,
            audience,
        }))
    }

    /// What to do where this rule is broken, and its trusts made this of the JWT; nothing where it
    /// is no matter of the issuer.
    pub fn sentence(&self, rule: &Rule, trusts: &[TrustCheck]) -> Option<String> {
        let name = &self.issuer.name;
        let hints = self.hints();
        Some(match rule {
            Rule::Trust => {
                let advisor = trust::Advisor {
                    name: name.as_str(),
                    tenant_claims: &self.issuer.tenant_claims,
                    hints,
                };
                return advisor.sentence(trusts);
            }
            Rule::Issuer => format!(
                "Take its JWTs again with `grantor issuer enable {name}`, if they are to count."
            ),
            Rule::Key => format!(
                "Run `grantor issuer refresh {name}`: its keys may have changed; if the key is not among them then, somebody else signed."
            ),
            Rule::IssuerKeys => format!(
                "Run `grantor issuer refresh {name}`, which says why its keys cannot be had; the job may try again."
            ),
            Rule::Algorithm => format!(
                "Allow the algorithm with `grantor issuer update {name} --alg ALG`, naming those that are allowed too, or have the job ask for another."
            ),
            Rule::Signature => {
                "Have the job send the JWT as its platform gave it: one that was changed, or signed by somebody else, does not verify.".to_owned()
            }
            Rule::Type => format!(
                "Have the job send the JWT that is meant for other parties, or take this kind with `grantor issuer update {name} --typ TYP`."
            ),
            Rule::Audience => format!(
                "Have the job ask for an expected audience{}, or take what it sends with `grantor issuer update {name} --audience AUD`.",
                told(hints.map(|hints| hints.audience_of(&self.audience)).as_deref())
            ),
            Rule::Expiry | Rule::IssuedAt => format!(
                "Have the job get a JWT just before it asks, and compare the clocks; longer ones are taken with `grantor issuer update {name} --max-lifetime TIME`."
            ),
            Rule::TokenId => format!(
                "Its JWTs have no `jti`: run `grantor issuer update {name} --replay once-by-digest`, or `reusable` where its platform gives one JWT for many requests."
            ),
            Rule::Replay => format!(
                "Have the job get another JWT for each request{}; where its platform gives one for many requests, run `grantor issuer update {name} --replay reusable`.",
                told(hints.and_then(|hints| hints.once.as_deref()))
            ),
            _ => return None,
        })
    }

    fn hints(&self) -> Option<&'static Hints> {
        self.template.map(|template| &template.hints)
    }
}

/// What a template says, in brackets.
fn told(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| {
        format!(" ({})", hint.trim_end_matches('.'))
    })
}
