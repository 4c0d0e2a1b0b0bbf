//! What a person has allowed a client, and what has to be asked for.

use std::{sync::Arc, time::Duration};

use grantor_jose::{base64url_encode, crypto};
use serde::{Deserialize, Serialize};

use super::{
    AuthorizationError, AuthorizationRequest, People, SignedIn,
    sign_in::{Anew, Present},
};
use crate::{
    clock::UnixTime,
    registry::{
        Client, ConsentPolicy, Permission, PermissionNumbers, Permissions, Revision, ScopeText,
        Subject,
    },
    server::{Context, SealKind, consent_link::CONSENT, policy},
    types::{AuthMethod, GrantType, Scope, Shown},
};

/// How long ago a person may have signed in who lets a client do something sensitive while nobody is
/// there.
const RECENTLY: Duration = Duration::from_secs(300);
/// The grants by which a client acts for somebody.
const FOR_SOMEBODY: [GrantType; 3] = [
    GrantType::AUTHORIZATION_CODE,
    GrantType::REFRESH_TOKEN,
    GrantType::JWT_BEARER,
];

/// A person who is present allows this. Holding one is the proof that nobody has to be asked.
#[derive(Debug)]
pub(super) struct Consented {
    pub(super) present: Present,
    /// What of the request is allowed.
    pub(super) scope: Scope,
    /// By which records.
    pub(super) records: PermissionNumbers,
}

/// What is known about a person's consent to a request.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is there.
    Consented(Box<Consented>),
    /// The person has to be asked.
    Ask(Box<ConsentRequest>),
    /// The person has to sign in again before.
    SignIn(Anew),
}

/// How a request stands with the person who is present.
pub(super) async fn standing(
    context: &Context,
    people: &People,
    request: &AuthorizationRequest,
    present: Present,
) -> Result<Standing, AuthorizationError> {
    let (client, subject) = (request.client(), &present.subject.id);
    let permissions = context.permissions_of(client, subject).await?;
    let policy = client.metadata().consent;
    if policy == ConsentPolicy::Off {
        let consented = by_operator(context, request, present, &permissions)?;
        return Ok(Standing::Consented(Box::new(consented)));
    }
    let texts = Texts::read(people, request.scope()).await?;
    if policy == ConsentPolicy::Implied && is_confidential(client) && !texts.has_sensitive() {
        let consented = implied(context, request, present, &permissions);
        return Ok(Standing::Consented(Box::new(consented)));
    }
    let asked = Asked {
        request,
        permissions: &permissions,
        now: context.now(),
    };
    let missing = asked.missing();
    let is_open = match request.is_answered() {
        // What the person left out stays out.
        true => !missing.is_subset(&texts.optional()),
        false => {
            request.wanted().prompt.consent
                || is_asked_always(request)
                || !(missing.is_empty() || asked.left_out(people, &missing).await?)
        }
    };
    if !is_open && asked.is_covered() {
        return Ok(Standing::Consented(Box::new(asked.consented(present))));
    }
    if request.wanted().prompt.none {
        return Err(AuthorizationError::ConsentRequired);
    }
    let consent = ConsentRequest::new(people, &asked, present).await?;
    let is_recent = request.has_signed_in_within(&consent.signed_in, RECENTLY, context.now());
    if consent.acts_when_absent() && consent.asks_for_sensitive() && !is_recent {
        return Ok(Standing::SignIn(Anew::TooLongAgo));
    }
    Ok(Standing::Ask(Box::new(consent)))
}

/// Of a client that asks nobody: only what an operator permitted counts. No scope asked for is all
/// of that.
fn by_operator(
    context: &Context,
    request: &AuthorizationRequest,
    present: Present,
    permissions: &Permissions,
) -> Result<Consented, AuthorizationError> {
    let limit = permissions
        .covering(&GrantType::AUTHORIZATION_CODE, context.now())
        .ok_or_else(|| {
            let subject = present.subject.id.as_str();
            AuthorizationError::NoPermission(Shown::known(subject, Shown::MAX_BYTES))
        })?;
    let permitted = limit.within(request.scope());
    if request.wanted().scope.is_some() {
        policy::within(request.scope(), &permitted)?;
    }
    Ok(Consented {
        scope: permitted,
        records: limit.numbers(),
        present,
    })
}

/// An organisation's own client, and the person is there. The records are told where they allow all
/// of it: so much it may do when nobody is there.
fn implied(
    context: &Context,
    request: &AuthorizationRequest,
    present: Present,
    permissions: &Permissions,
) -> Consented {
    let limit = permissions.covering(&GrantType::AUTHORIZATION_CODE, context.now());
    let limit = limit.filter(|limit| limit.within(request.scope()) == *request.scope());
    Consented {
        scope: request.scope().clone(),
        records: limit.map(|limit| limit.numbers()).unwrap_or_default(),
        present,
    }
}

fn is_confidential(client: &Client) -> bool {
    client.metadata().auth_method != AuthMethod::NONE
}

/// A public client on the person's own machine can be any program there (RFC 8252 §8.6).
fn is_asked_always(request: &AuthorizationRequest) -> bool {
    let is_native = request.target().is_some_and(|target| target.is_native());
    is_native && !is_confidential(request.client())
}

/// The grants by which a client may act for somebody.
fn grants_of(client: &Client) -> Vec<GrantType> {
    let may_use = |grant: &GrantType| client.may_use(grant);
    FOR_SOMEBODY.into_iter().filter(may_use).collect()
}

/// What is asked for, beside what is allowed.
struct Asked<'a> {
    request: &'a AuthorizationRequest,
    permissions: &'a Permissions,
    now: UnixTime,
}

impl Asked<'_> {
    /// By which grants it has to be allowed: a code is for the code grant, a link is for all.
    fn needed(&self) -> Vec<GrantType> {
        match self.request.target() {
            Some(_) => vec![GrantType::AUTHORIZATION_CODE],
            None => grants_of(self.request.client()),
        }
    }

    /// What of this scope the records allow by each of these grants; `None` if they do not know one.
    fn allowed(&self, scope: &Scope, grants: &[GrantType]) -> Option<Scope> {
        let within = |allowed: Scope, grant: &GrantType| {
            let limit = self.permissions.covering(grant, self.now)?;
            Some(limit.within(&allowed))
        };
        grants.iter().try_fold(scope.clone(), within)
    }

    /// Whether there is a record for each grant that is needed.
    fn is_covered(&self) -> bool {
        self.allowed(&Scope::default(), &self.needed()).is_some()
    }

    /// What is asked for and not allowed yet.
    fn missing(&self) -> Scope {
        let allowed = self.allowed(self.request.scope(), &self.needed());
        self.request.scope().without(&allowed.unwrap_or_default())
    }

    /// Whether the person has read all this as it reads now, and left `missing` out.
    async fn left_out(&self, people: &People, missing: &Scope) -> Result<bool, AuthorizationError> {
        let record = self.permissions.person();
        let Some(record) = record.filter(|record| record.is_in_force(self.now)) else {
            return Ok(false);
        };
        let kept = record.scope.clone().unwrap_or_default();
        let texts = Texts::read(people, &self.request.scope().union(&kept)).await?;
        Ok(missing.is_subset(&texts.optional()) && record.text_version == Some(texts.version()))
    }

    fn consented(&self, present: Present) -> Consented {
        let needed = self.needed();
        let limit = self
            .permissions
            .covering(&GrantType::AUTHORIZATION_CODE, self.now);
        Consented {
            present,
            scope: self
                .allowed(self.request.scope(), &needed)
                .unwrap_or_default(),
            records: limit.map(|limit| limit.numbers()).unwrap_or_default(),
        }
    }
}

/// The question to a person: what a consent page shows, and what is recorded of the answer.
#[derive(Clone, Debug)]
pub struct ConsentRequest {
    request: AuthorizationRequest,
    subject: Subject,
    signed_in: SignedIn,
    scopes: Vec<AskedScope>,
    shown: ShownConsent,
}

/// A scope on a consent page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AskedScope {
    /// Its name.
    pub name: String,
    /// What it means; `None` if nobody has written that.
    pub text: Option<Arc<ScopeText>>,
    /// How it is asked for.
    pub part: AskedPart,
}

/// How a scope is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedPart {
    /// It comes with the yes.
    Needed,
    /// The person chooses; it is off at first.
    Optional,
    /// It is allowed already.
    Allowed,
}

/// What was shown, and so what a yes means: in the ticket of the page's form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ShownConsent {
    pub(super) needed: Scope,
    pub(super) optional: Scope,
    pub(super) grants: Vec<GrantType>,
    pub(super) text_version: String,
    /// The record that the answer is about, as it was: number and version.
    pub(super) record: Option<(u64, u64)>,
    /// What of that record stays as it is.
    pub(super) kept: Scope,
    /// Whether a yes changes what the client may do.
    pub(super) is_new: bool,
    /// For one yes.
    pub(super) nonce: [u8; 16],
}

impl ConsentRequest {
    async fn new(
        people: &People,
        asked: &Asked<'_>,
        present: Present,
    ) -> Result<Self, AuthorizationError> {
        let grants = grants_of(asked.request.client());
        let record = asked.permissions.person();
        let in_force = record.filter(|record| record.is_in_force(asked.now));
        let of_record = in_force.and_then(|record| record.scope.clone());
        let of_record = of_record.unwrap_or_default();
        // What was allowed by fewer grants is asked for again: by these it is new.
        let is_as_wide = |record: &&Arc<Permission>| grants.iter().all(|grant| record.lists(grant));
        let (kept, again) = match in_force.filter(is_as_wide) {
            Some(_) => (of_record, Scope::default()),
            None => (
                Scope::default(),
                of_record.intersection(&asked.request.client().metadata().scope),
            ),
        };
        let known = asked.allowed(asked.request.scope(), &grants);
        let new = asked
            .request
            .scope()
            .without(&known.clone().unwrap_or_default());
        let new = new.union(&again);
        let texts = Texts::read(people, &new.union(&kept).union(asked.request.scope())).await?;
        let optional = new.intersection(&texts.optional());
        let needed = new.without(&optional);
        let part = |name: &str| match name {
            _ if needed.has(name) => AskedPart::Needed,
            _ if optional.has(name) => AskedPart::Optional,
            _ => AskedPart::Allowed,
        };
        let shown = ShownConsent {
            text_version: texts.version(),
            record: record.map(|record| (record.revision.number, record.revision.version)),
            is_new: known.is_none() || !new.is_empty(),
            needed: needed.clone(),
            optional: optional.clone(),
            grants,
            kept,
            nonce: crypto::random_bytes(),
        };
        let scopes = texts.0.into_iter().map(|(name, text)| AskedScope {
            part: part(&name),
            name,
            text,
        });
        Ok(Self {
            request: asked.request.clone(),
            scopes: scopes.collect(),
            subject: present.subject,
            signed_in: present.signed_in,
            shown,
        })
    }

    /// What is asked for, and by which client.
    pub fn request(&self) -> &AuthorizationRequest {
        &self.request
    }

    /// The person who is asked.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The scopes, those of the record that are allowed already among them.
    pub fn scopes(&self) -> &[AskedScope] {
        &self.scopes
    }

    /// By which grants the client may act, after a yes.
    pub fn grants(&self) -> &[GrantType] {
        &self.shown.grants
    }

    /// Whether the client may act when the person is not there, after a yes.
    pub fn acts_when_absent(&self) -> bool {
        let when_absent = [GrantType::JWT_BEARER, GrantType::REFRESH_TOKEN];
        when_absent
            .iter()
            .any(|grant| self.grants().contains(grant))
    }

    /// Where the person goes afterwards: the host of the redirect URI, or its private scheme; `None`
    /// for a consent link.
    pub fn place(&self) -> Option<String> {
        let target = self.request.target()?;
        Some(super::hand_over::place(target.uri()))
    }

    /// The ticket of the page's form, as its field `t`: good for one yes, in this session of this
    /// person, for 15 minutes. What is on the page is what it stands for.
    pub fn ticket(&self, context: &Context) -> String {
        let holder = self.signed_in.holder();
        self.request
            .sealed(context, SealKind::CONSENT, &holder, &self.shown)
    }

    /// The place of its own where this question is asked.
    pub(super) fn location(&self, context: &Context) -> String {
        let holder = self.signed_in.holder();
        let ticket = self
            .request
            .sealed(context, SealKind::QUESTION, &holder, ());
        let page = context.identity().issuer().endpoint(CONSENT);
        format!("{page}?t={ticket}")
    }

    fn asks_for_sensitive(&self) -> bool {
        let is_new = |scope: &&AskedScope| scope.part != AskedPart::Allowed;
        let is_sensitive = |text: &Arc<ScopeText>| text.sensitive;
        self.scopes
            .iter()
            .filter(is_new)
            .any(|scope| scope.text.as_ref().is_some_and(is_sensitive))
    }
}

impl ShownConsent {
    /// The permission that a yes to these scopes gives. `known` is the record that was there.
    pub(super) fn permission(
        &self,
        client: &Client,
        subject: &Subject,
        chosen: &Scope,
        now: UnixTime,
    ) -> Permission {
        let scope = self.kept.union(&self.needed).union(chosen);
        let lifetime = client.metadata().permission_lifetime;
        Permission::consented(
            client.id().clone(),
            subject.id.clone(),
            scope,
            self.grants.clone(),
        )
        .given_at(now)
        .until(lifetime.map(|lifetime| now.plus(lifetime)))
        .with_text_version(self.text_version.clone())
    }

    /// The record that was there when the page was shown.
    pub(super) fn revision(&self) -> Option<Revision> {
        let (number, version) = self.record?;
        Some(Revision::new(number, version))
    }
}

/// Scopes with their texts, in alphabetical order.
struct Texts(Vec<(String, Option<Arc<ScopeText>>)>);

impl Texts {
    async fn read(people: &People, scope: &Scope) -> Result<Self, AuthorizationError> {
        let mut texts = Vec::new();
        for name in scope.tokens() {
            texts.push((name.to_owned(), people.scope_text(name).await?));
        }
        Ok(Self(texts))
    }

    fn has_sensitive(&self) -> bool {
        let mut texts = self.0.iter().filter_map(|(_, text)| text.as_ref());
        texts.any(|text| text.sensitive)
    }

    fn optional(&self) -> Scope {
        let is_optional =
            |text: &Option<Arc<ScopeText>>| text.as_ref().is_some_and(|text| text.optional);
        let named = self.0.iter().filter(|(_, text)| is_optional(text));
        let named = named.map(|(name, _)| name.as_str());
        Scope::parse(&named.collect::<Vec<_>>().join(" ")).unwrap_or_default()
    }

    /// Tells these texts from others.
    fn version(&self) -> String {
        let texts = self.0.iter().map(|(name, text)| (name, text.as_deref()));
        let texts = serde_json::to_vec(&texts.collect::<Vec<_>>()).expect("texts are JSON");
        base64url_encode(&crypto::sha256(&[&texts])[..12])
    }
}
