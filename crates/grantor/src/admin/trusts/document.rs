//! A trust as operators see it, in the words of the command line.

use std::time::Duration;

use grantor_jose::json::{Object, Value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    admin::{
        Error, Fault, Patch,
        document::{Document, time},
    },
    assertion::Usage,
    clock::UnixTime,
    registry::{
        ClaimCopy, Condition, Match, Mode, Pin, PinValue, Revision, SubjectMapping, TemplateRef,
        Trust, seconds,
    },
    types::{ClaimPath, ClientId, IssuerId, Name, Scope},
};

/// What is registered about a trust: what `trust show` prints, and what a trust is read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TrustDocument {
    /// Its name.
    pub name: Name,
    /// The issuer whose JWTs it takes: its `iss` or, where one is registered, its name.
    pub issuer: IssuerId,
    /// The client that gets the token. Where none is named, a trust is registered together with a
    /// client of its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// What it takes a JWT for: `grant`, `client_authentication`.
    #[serde(default = "grant")]
    pub uses: Vec<Usage>,
    /// Claims with fixed values.
    #[serde(default)]
    pub pins: Vec<PinDocument>,
    /// Claims that match globs.
    #[serde(default)]
    pub matches: Vec<MatchDocument>,
    /// What holds of the claims beside, in CEL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Whom the access token is about. [`TrustDocument::parse`] makes one of the name:
    /// `template:NAME:{sub}`.
    pub subject: SubjectMapping,
    /// The widest scope.
    #[serde(default)]
    pub scope: Scope,
    /// What access tokens may be for; the server's default alone if empty.
    #[serde(default)]
    pub resources: Vec<String>,
    /// How long access tokens live at most, in seconds; as long as the server's if absent.
    #[serde(with = "seconds", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub lifetime: Option<Duration>,
    /// Whether access tokens end with the JWT.
    #[serde(default)]
    pub cap_to_assertion: bool,
    /// Claims that are copied into access tokens.
    #[serde(default)]
    pub claims: Vec<CopyDocument>,
    /// Whether the client authenticates beside the JWT.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whether it counts: `on`, `shadow` or `off`.
    #[serde(default)]
    pub mode: Mode,
    /// The template that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// Lints that are overruled.
    #[serde(default)]
    pub allowed_lints: Vec<String>,
    /// When it was registered (RFC 3339). Not read.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub created_at: Option<UnixTime>,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

fn grant() -> Vec<Usage> {
    vec![Usage::Grant]
}

/// Whether the client of a trust authenticates beside the JWT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// It may: what it sends is checked.
    #[default]
    Optional,
    /// It has to.
    Required,
}

/// A claim and the value that it has to have: `equals` a string, an integer or a boolean, or
/// `contains` a string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "RawPin", try_from = "RawPin")]
#[non_exhaustive]
pub struct PinDocument {
    /// The claim: its name, or a JSON pointer.
    pub claim: ClaimPath,
    /// Its value.
    pub value: PinValue,
}

impl PinDocument {
    /// This claim has this value.
    pub fn new(claim: ClaimPath, value: PinValue) -> Self {
        Self { claim, value }
    }
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct RawPin {
    claim: ClaimPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
}

impl From<PinDocument> for RawPin {
    fn from(pin: PinDocument) -> Self {
        let (equals, contains) = match pin.value {
            PinValue::Text(text) => (Some(json!(text)), None),
            PinValue::Integer(integer) => (Some(json!(integer)), None),
            PinValue::Boolean(boolean) => (Some(json!(boolean)), None),
            PinValue::Contains(text) => (None, Some(text)),
        };
        Self {
            claim: pin.claim,
            equals,
            contains,
        }
    }
}

impl TryFrom<RawPin> for PinDocument {
    type Error = String;

    fn try_from(raw: RawPin) -> Result<Self, String> {
        let expected = |claim: &ClaimPath| {
            format!(
                "pin of {claim}: expected either \"equals\" with a string, an integer or a \
                 boolean, or \"contains\" with a string"
            )
        };
        let value = match (raw.equals, raw.contains) {
            (Some(Value::String(text)), None) => PinValue::Text(text),
            (Some(Value::Bool(boolean)), None) => PinValue::Boolean(boolean),
            (Some(Value::Number(number)), None) => match number.as_i64() {
                Some(integer) => PinValue::Integer(integer),
                None => return Err(expected(&raw.claim)),
            },
            (None, Some(text)) => PinValue::Contains(text),
            _ => return Err(expected(&raw.claim)),
        };
        Ok(Self::new(raw.claim, value))
    }
}

impl From<Pin> for PinDocument {
    fn from(pin: Pin) -> Self {
        Self::new(pin.claim, pin.value)
    }
}

/// A claim that is a string, and the glob that all of it has to match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MatchDocument {
    /// The claim: its name, or a JSON pointer.
    pub claim: ClaimPath,
    /// The glob.
    pub glob: crate::types::Glob,
}

impl MatchDocument {
    /// This claim matches this glob.
    pub fn new(claim: ClaimPath, glob: crate::types::Glob) -> Self {
        Self { claim, glob }
    }
}

impl From<Match> for MatchDocument {
    fn from(one: Match) -> Self {
        Self::new(one.claim, one.glob)
    }
}

/// A claim that is copied into access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CopyDocument {
    /// What it is called in access tokens.
    pub to: String,
    /// The claim of the JWT: its name, or a JSON pointer.
    pub from: ClaimPath,
}

impl CopyDocument {
    /// Copies this claim under this name.
    pub fn new(to: impl Into<String>, from: ClaimPath) -> Self {
        let to = to.into();
        Self { to, from }
    }
}

impl Document for TrustDocument {
    fn least() -> Object {
        Object::from_iter([
            ("name".to_owned(), json!("x")),
            ("issuer".to_owned(), json!("x")),
            ("subject".to_owned(), json!("fixed:x")),
        ])
    }

    fn complete(object: &mut Object) {
        if object.contains_key("subject") {
            return;
        }
        let name = object.get("name").and_then(Value::as_str);
        let name = name.and_then(|name| Name::parse(name).ok());
        // Without a name there is a fault already.
        let subject = name.map_or_else(
            || "fixed:x".to_owned(),
            |name| SubjectMapping::default_of(&name).to_string(),
        );
        object.insert("subject".to_owned(), json!(subject));
    }
}

impl TrustDocument {
    /// A trust with the defaults of [`Trust::new`], which compares nothing yet.
    pub fn new(name: Name, issuer: IssuerId) -> Self {
        Self {
            subject: SubjectMapping::default_of(&name),
            name,
            issuer,
            client: None,
            uses: grant(),
            pins: Vec::new(),
            matches: Vec::new(),
            condition: None,
            scope: Scope::default(),
            resources: Vec::new(),
            lifetime: None,
            cap_to_assertion: false,
            claims: Vec::new(),
            client_auth: ClientAuth::default(),
            mode: Mode::default(),
            template: None,
            allowed_lints: Vec::new(),
            created_at: None,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// What is registered about this trust.
    #[must_use]
    pub fn of(trust: &Trust) -> Self {
        let Trust {
            name,
            issuer,
            client,
            uses,
            pins,
            matches,
            condition,
            subject,
            scope,
            resources,
            lifetime,
            cap_to_assertion,
            claims,
            needs_client_auth,
            mode,
            template,
            allowed_lints,
            created_at,
            managed_by,
            revision,
        } = trust.clone();
        let copies = claims.into_iter();
        Self {
            name,
            issuer,
            client: Some(client),
            uses,
            pins: pins.into_iter().map(PinDocument::from).collect(),
            matches: matches.into_iter().map(MatchDocument::from).collect(),
            condition,
            subject,
            scope,
            resources,
            lifetime,
            cap_to_assertion,
            claims: copies
                .map(|copy| CopyDocument::new(copy.to, copy.from))
                .collect(),
            client_auth: match needs_client_auth {
                true => ClientAuth::Required,
                false => ClientAuth::Optional,
            },
            mode,
            template,
            allowed_lints,
            created_at: Some(created_at),
            managed_by,
            revision,
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// This document with the members that the patch names; one that is null there has its default.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn with(&self, patch: &Patch) -> Result<Self, Error> {
        Ok(self.patched(patch)?)
    }

    /// The trust that it registers, of this issuer and for the client that it names or else this
    /// one.
    pub(in crate::admin) fn trust(
        self,
        issuer: IssuerId,
        client: ClientId,
        created_at: UnixTime,
    ) -> Trust {
        let client = self.client.unwrap_or(client);
        let mut trust = Trust::new(self.name, issuer, client, created_at);
        let pins = self.pins.into_iter();
        trust.pins = pins.map(|pin| Pin::new(pin.claim, pin.value)).collect();
        let matches = self.matches.into_iter();
        trust.matches = matches.map(|one| Match::new(one.claim, one.glob)).collect();
        let copies = self.claims.into_iter();
        trust.claims = copies
            .map(|copy| ClaimCopy::new(copy.to, copy.from))
            .collect();
        trust.uses = self.uses;
        trust.condition = self.condition;
        trust.subject = self.subject;
        trust.scope = self.scope;
        trust.resources = self.resources;
        trust.lifetime = self.lifetime;
        trust.cap_to_assertion = self.cap_to_assertion;
        trust.needs_client_auth = self.client_auth == ClientAuth::Required;
        trust.mode = self.mode;
        trust.template = self.template;
        trust.allowed_lints = self.allowed_lints;
        trust.managed_by = self.managed_by;
        trust
    }

    /// The members in which this document differs from the one before it, and must not.
    pub(in crate::admin) fn faults_as_successor_of(&self, before: &Self) -> Vec<Fault> {
        let seconds = |at: Option<UnixTime>| at.map(UnixTime::seconds);
        let members = [
            ("name", self.name == before.name),
            ("issuer", self.issuer == before.issuer),
            ("template", self.template == before.template),
            ("managed_by", self.managed_by == before.managed_by),
            (
                "created_at",
                seconds(self.created_at) == seconds(before.created_at),
            ),
        ];
        let changed = members.into_iter().filter(|(_, is_same)| !is_same);
        changed
            .map(|(member, _)| Fault::new(member, "does not change; leave it out"))
            .collect()
    }
}
