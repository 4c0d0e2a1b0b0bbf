//! What can be done about a JWT that was refused, in one sentence: on the job's side, or here.

mod of_trusts;

use grantor::{
    admin::{
        BundleDocument, ClientDocument, Error, Hints, IssuerDocument, Template, Templates,
        TrustDocument,
    },
    assertion::{TrustCheck, Usage},
    registry::SubjectMapping,
    types::{ClientId, Rule, Scope},
};

use self::of_trusts::Advisor;
pub use self::of_trusts::quoted;
use super::Administration;

/// A refusal, as far as it depends on it what can be done.
pub struct Refused<'a> {
    /// The broken rule.
    pub rule: &'a Rule,
    /// The private cause.
    pub cause: &'a str,
    /// What the JWT was used for.
    pub usage: Usage,
    /// The issuer that has signed it, by name.
    pub issuer: Option<&'a str>,
    /// Whom else the JWT says that it is of: an `iss`, or a client.
    pub claimed: Option<&'a str>,
    /// The trust that took it.
    pub taken: Option<&'a TrustCheck>,
    /// What the trusts of its issuer made of it.
    pub trusts: &'a [TrustCheck],
}

impl Refused<'_> {
    /// What to do; nothing where it is no matter of an issuer or trust.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn advice(&self, admin: &Administration) -> Result<Option<String>, Error> {
        if let Some(taken) = self.taken
            && let Some(sentence) = self.taken_by(admin, taken).await?
        {
            return Ok(Some(sentence));
        }
        let Some(party) = self.issuer.or(self.claimed) else {
            return Ok(None);
        };
        let advice = Advice::of(admin, party).await?;
        let client = match self.issuer {
            Some(_) => None,
            None => client(admin, party).await?,
        };
        // The name of a client may be what operators call an issuer.
        let is_issuer = |advice: &Advice| client.is_none() || advice.issuer.iss.as_str() == party;
        Ok(match (advice.filter(is_issuer), client) {
            (Some(advice), _) => advice.sentence(self),
            (None, Some(client)) => self.of_client(&client),
            (None, None) if *self.rule == Rule::Issuer => Some(unregistered(admin, party).await?),
            (None, None) => None,
        })
    }

    /// The JWT is of a client.
    fn of_client(&self, client: &ClientDocument) -> Option<String> {
        let id = quoted(client.client_id.as_str());
        match (self.rule, &client.jwks_uri) {
            (Rule::Key, Some(url)) => Some(format!(
                "Client {id} publishes its keys at {url}: have the key that signs published there, with its `kid`, or have the sender sign with one that is there."
            )),
            (Rule::IssuerKeys, Some(url)) => Some(format!(
                "Client {id} publishes its keys at {url}, and the cause says why they cannot be had: mend that, or register another place with `grantor client update {id} --jwks-uri URL`; the sender may try again."
            )),
            (Rule::Issuer, _) if !client.enabled => Some(format!(
                "Accept the client again with `grantor client enable {id}`, if it is to count."
            )),
            _ => None,
        }
    }

    /// A trust took it, and what that gives was not enough.
    async fn taken_by(
        &self,
        admin: &Administration,
        taken: &TrustCheck,
    ) -> Result<Option<String>, Error> {
        let client_id = quoted(taken.client.as_str());
        if *self.rule == Rule::Grant && self.cause.ends_with("is disabled") {
            return Ok(Some(format!(
                "The client of trust {} is disabled: run `grantor client enable {client_id}`, if it is to get tokens.",
                taken.trust
            )));
        }
        let Some(trust) = found(admin.trusts().get(&taken.trust).await)? else {
            return Ok(None);
        };
        Ok(match self.rule {
            Rule::Scope => {
                let client = client(admin, taken.client.as_str()).await?;
                self.wider(&trust, client.as_ref())
            }
            Rule::Resource if self.usage == Usage::Grant => self.also_for(&trust),
            Rule::MappedSubject => self.of_taken_subject(&trust),
            _ => None,
        })
    }

    /// More scope is asked for than there is.
    fn wider(&self, trust: &TrustDocument, client: Option<&ClientDocument>) -> Option<String> {
        let (_, beyond) = self.cause.split_once("requested also \"")?;
        let beyond = Scope::parse(beyond.strip_suffix('"')?).ok()?;
        let wider = |what: &str, name: &str, scope: &Scope| {
            let all = quoted(&scope.union(&beyond).to_string());
            let name = quoted(name);
            (!beyond.is_subset(scope))
                .then(|| format!("`grantor {what} update {name} --scope {all}`"))
        };
        let of_trust = match self.usage {
            Usage::Grant => wider("trust", trust.name.as_str(), &trust.scope),
            Usage::ClientAuthentication => None,
        };
        let of_client =
            client.and_then(|client| wider("client", client.client_id.as_str(), &client.scope));
        let commands: Vec<_> = of_trust.into_iter().chain(of_client).collect();
        (!commands.is_empty()).then(|| {
            format!(
                "Have the job ask for less, or allow more with {}.",
                commands.join(" and ")
            )
        })
    }

    /// A token for something else is asked for.
    fn also_for(&self, trust: &TrustDocument) -> Option<String> {
        let (_, asked) = self.cause.split_once("resource \"")?;
        let (asked, _) = asked.split_once("\" is not served")?;
        let all = trust
            .resources
            .iter()
            .map(String::as_str)
            .chain([plain(asked, "URL")]);
        let flags: String = all
            .map(|url| format!(" --resource {}", quoted(url)))
            .collect();
        let name = &trust.name;
        let default = match trust.resources.is_empty() {
            true => {
                " (so far its tokens are for the server's default; name that too, if it is still wanted)"
            }
            false => "",
        };
        Some(format!(
            "Have the job ask for another resource, or none, or take this one with `grantor trust update {name}{flags}`{default}."
        ))
    }

    /// The subject that the trust finds is somebody else.
    fn of_taken_subject(&self, trust: &TrustDocument) -> Option<String> {
        let name = &trust.name;
        self.cause.contains("is the name of a client or subject").then(|| {
            let claim = match &trust.subject {
                SubjectMapping::Claim(claim) => claim.as_str(),
                _ => "CLAIM",
            };
            format!(
                "Its subject is registered already: if that subject is meant, run `grantor trust update {name} --subject {}`, and permissions for it apply; else map to another, such as `--subject {}`.",
                quoted(&format!("existing:{claim}")),
                quoted(&format!("template:{name}:{{sub}}"))
            )
        })
    }
}

/// A name as a command has it, or what stands for it where it is not shown as it is.
fn plain<'a>(text: &'a str, stand_in: &'a str) -> &'a str {
    let is_plain = text.len() <= 512 && text.bytes().all(|octet| octet.is_ascii_graphic());
    match is_plain && !text.contains(['\\', '`']) {
        true => text,
        false => stand_in,
    }
}

/// What is there, or nothing.
fn found<D>(got: Result<D, Error>) -> Result<Option<D>, Error> {
    match got {
        Ok(document) => Ok(Some(document)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn client(admin: &Administration, id: &str) -> Result<Option<ClientDocument>, Error> {
    match ClientId::parse(id) {
        Ok(id) => found(admin.clients().get(&id).await),
        Err(_) => Ok(None),
    }
}

/// Neither an issuer nor a client is registered with this `iss`.
async fn unregistered(admin: &Administration, iss: &str) -> Result<String, Error> {
    let issuers = admin.every_issuer().await?;
    let bare = |iss: &str| iss.trim_end_matches('/').to_lowercase();
    let near = issuers
        .iter()
        .find(|issuer| bare(issuer.iss.as_str()) == bare(iss));
    let named = quoted(plain(iss, "ISS"));
    if let Some(IssuerDocument { iss, name, .. }) = near {
        return Ok(format!(
            "Issuer {name} is registered as {iss}, which is not the same to the letter: have the platform send that, or register what it sends with `grantor issuer create {named} ...`, and trusts for it."
        ));
    }
    let by_template = Templates::of(iss, None).map(|template| {
        let name = &template.name;
        format!(", or both with `grantor trust create NAME --template {name} ...`")
    });
    Ok(match iss.contains([':', '/']) {
        true => format!(
            "Register the issuer with `grantor issuer create {named} ...`, and say what its JWTs are worth with `grantor trust create`{}; or have the sender correct `iss`.",
            by_template.unwrap_or_default()
        ),
        false => format!(
            "Register the client with `grantor client create {named} ...`, or the issuer with `grantor issuer create {named} ...`; or have the sender correct `iss`."
        ),
    })
}

/// What is known of an issuer.
struct Advice {
    issuer: IssuerDocument,
    template: Option<&'static Template>,
    /// What `aud` is expected to be.
    audience: String,
}

impl Advice {
    /// Of the issuer with this `iss` or name, if there still is one.
    async fn of(admin: &Administration, reference: &str) -> Result<Option<Self>, Error> {
        let Some(issuer) = found(admin.issuers().get(reference).await)? else {
            return Ok(None);
        };
        let template = Templates::of(issuer.iss.as_str(), issuer.template.as_ref());
        let audience = issuer.audiences.first().cloned();
        let audience = audience.unwrap_or_else(|| admin.terms().issuer.to_string());
        Ok(Some(Self {
            issuer,
            template,
            audience,
        }))
    }

    /// What to do; nothing where it is no matter of the issuer.
    fn sentence(&self, refused: &Refused<'_>) -> Option<String> {
        let name = &self.issuer.name;
        let hints = self.hints();
        Some(match refused.rule {
            Rule::Trust => {
                let advisor = Advisor {
                    name: name.as_str(),
                    tenant_claims: &self.issuer.tenant_claims,
                    hints,
                    cause: refused.cause,
                };
                return advisor.sentence(refused.trusts);
            }
            Rule::Issuer => format!(
                "Take its JWTs again with `grantor issuer enable {name}`, if they are to count."
            ),
            Rule::Key if self.upload().is_some() => format!(
                "Its keys were uploaded: if the key that signed is its, add it with `grantor issuer update {name} {} FILE --add`; if not, somebody else signed.",
                self.upload().unwrap_or_default()
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

    /// The flag by which keys are uploaded, where they are.
    fn upload(&self) -> Option<&'static str> {
        let keys = &self.issuer.keys;
        match &keys.spiffe_bundle {
            Some(BundleDocument::Bundle(_)) => Some("--spiffe-bundle"),
            Some(_) => None,
            None => (keys.jwks.is_some() || keys.pem.is_some()).then_some("--jwks"),
        }
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
