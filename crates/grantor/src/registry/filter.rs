//! Which resources of a kind are asked for. A filter is all of what is set in it, and nothing set
//! is everything.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    AudiencePolicy, Client, ClientKey, ClientSecret, ConsentPolicy, Mode, Operator, Origin,
    Passkey, Password, Permission, Role, ScopeText, Subject, TemplateRef, Trust, TrustedIssuer,
};
use crate::{
    clock::{UnixTime, rfc3339},
    types::{AuthMethod, ClientId, DisplayName, IssuerId, Name, Scope, ScopeToken, SubjectId},
};

/// Chooses resources of one kind.
pub trait Filter<R>:
    Clone + fmt::Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Whether this resource is asked for.
    fn passes(&self, resource: &R) -> bool;
}

/// Which clients are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ClientFilter {
    /// Those with this in their ids or names, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those that are enabled, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Those that authenticate so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<AuthMethod>,
    /// Those with this policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience_policy: Option<AudiencePolicy>,
    /// Those whose people are asked so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentPolicy>,
    /// Those with a key or a secret that ends before this time, or has ended.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub ends_before: Option<UnixTime>,
    /// Those that may get this scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeToken>,
    /// Those that may get scopes of the server's own, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<bool>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl ClientFilter {
    /// Whether a key or a secret of this client ends as early as is asked for.
    fn ends(&self, client: &Client) -> bool {
        let is_early = |end: Option<UnixTime>| end.is_some_and(|end| Some(end) < self.ends_before);
        let of_key = |key: &ClientKey| is_early(key.expires_at);
        let of_secret = |secret: &ClientSecret| is_early(secret.expires_at);
        client.keys().iter().any(of_key) || client.secrets().iter().any(of_secret)
    }
}

impl Filter<Client> for ClientFilter {
    fn passes(&self, client: &Client) -> bool {
        let metadata = client.metadata();
        let name = metadata.display_name.as_ref().map(DisplayName::as_str);
        let texts = [metadata.id.as_str(), name.unwrap_or_default()];
        has_part(&self.q, &texts)
            && is(&self.enabled, &metadata.enabled)
            && is(&self.auth_method, &metadata.auth_method)
            && is(&self.audience_policy, &metadata.audience_policy)
            && is(&self.consent, &metadata.consent)
            && (self.ends_before.is_none() || self.ends(client))
            && (self.scope.as_ref()).is_none_or(|one| metadata.scope.has(one.as_str()))
            && is(&self.power, &has_power(&metadata.scope))
            && is_managed(&self.managed_by, &metadata.managed_by)
    }
}

/// Whether it holds a scope of the server's own.
fn has_power(scope: &Scope) -> bool {
    scope.reserved_tokens().next().is_some()
}

/// Which subjects are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SubjectFilter {
    /// Those with this in their ids or names, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those that are enabled, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl Filter<Subject> for SubjectFilter {
    fn passes(&self, subject: &Subject) -> bool {
        let name = subject.display_name.as_ref().map(DisplayName::as_str);
        has_part(&self.q, &[subject.id.as_str(), name.unwrap_or_default()])
            && is(&self.enabled, &subject.enabled)
            && is_managed(&self.managed_by, &subject.managed_by)
    }
}

/// Which permissions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PermissionFilter {
    /// Those of this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Those for this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// Those of this party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Those that were not given, and by which nothing was granted, since the hour of this time, as
    /// far as it is known.
    #[serde(with = "rfc3339::exact", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub unused_since: Option<UnixTime>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl PermissionFilter {
    /// From when on a use counts: uses are known to the hour.
    pub fn unused_from(&self) -> Option<UnixTime> {
        self.unused_since.map(UnixTime::start_of_hour)
    }
}

impl Filter<Permission> for PermissionFilter {
    fn passes(&self, permission: &Permission) -> bool {
        let last = permission.last_used_at.max(permission.created_at);
        is(&self.client, &permission.client)
            && is(&self.subject, &permission.subject)
            && is(&self.origin, &permission.origin)
            && self.unused_from().is_none_or(|since| last < Some(since))
            && is_managed(&self.managed_by, &permission.managed_by)
    }
}

/// Which issuers are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IssuerFilter {
    /// Those with this in `iss` or name, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those that are enabled, or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Those that were made by this template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl Filter<TrustedIssuer> for IssuerFilter {
    fn passes(&self, issuer: &TrustedIssuer) -> bool {
        has_part(&self.q, &[issuer.id.as_str(), issuer.name.as_str()])
            && is(&self.enabled, &issuer.enabled)
            && is_of(&self.template, issuer.template.as_ref())
            && is_managed(&self.managed_by, &issuer.managed_by)
    }
}

/// Which trusts are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TrustFilter {
    /// Those with this in their names, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those of this issuer: its `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// Those of this client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Those that count so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Those that were made by this template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl Filter<Trust> for TrustFilter {
    fn passes(&self, trust: &Trust) -> bool {
        has_part(&self.q, &[trust.name.as_str()])
            && is(&self.issuer, &trust.issuer)
            && is(&self.client, &trust.client)
            && is(&self.mode, &trust.mode)
            && is_of(&self.template, trust.template.as_ref())
            && is_managed(&self.managed_by, &trust.managed_by)
    }
}

/// Which scopes of the catalogue are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ScopeFilter {
    /// Those with this in their names, to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Those that files of this name manage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
}

impl Filter<ScopeText> for ScopeFilter {
    fn passes(&self, text: &ScopeText) -> bool {
        has_part(&self.q, &[text.name.as_str()]) && is_managed(&self.managed_by, &text.managed_by)
    }
}

/// Which operators are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OperatorFilter {
    /// Those with exactly this role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

impl Filter<Operator> for OperatorFilter {
    fn passes(&self, operator: &Operator) -> bool {
        is(&self.role, &operator.role)
    }
}

/// Which passkeys are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PasskeyFilter {
    /// Those of this subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
}

impl PasskeyFilter {
    /// Those of one subject.
    pub fn of(subject: &SubjectId) -> Self {
        Self {
            subject: Some(subject.clone()),
        }
    }
}

impl Filter<Passkey> for PasskeyFilter {
    fn passes(&self, passkey: &Passkey) -> bool {
        is(&self.subject, &passkey.subject)
    }
}

/// Which passwords are asked for: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PasswordFilter {}

impl Filter<Password> for PasswordFilter {
    fn passes(&self, _: &Password) -> bool {
        true
    }
}

/// Whether one of these texts has this part; every one has, if none is asked for.
fn has_part(part: &Option<String>, texts: &[&str]) -> bool {
    let part = part.as_deref();
    part.is_none_or(|part| texts.iter().any(|text| text.contains(part)))
}

fn is<T: PartialEq>(wanted: &Option<T>, found: &T) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == found)
}

fn is_managed(wanted: &Option<Name>, found: &Option<Name>) -> bool {
    wanted.is_none() || wanted == found
}

fn is_of(wanted: &Option<String>, template: Option<&TemplateRef>) -> bool {
    wanted.is_none() || wanted.as_ref() == template.map(|template| &template.name)
}
