//! Trusts: what a verified JWT of an issuer is worth.

use std::{borrow::Cow, collections::BTreeMap, fmt, time::Duration};

use grantor_jose::{Claims, json::Value};
use serde::{Deserialize, Serialize, Serializer};

use super::{Condition, Revision, TemplateRef, is_default};
use crate::{
    assertion::Usage,
    clock::UnixTime,
    types::{
        ClaimPath, ClientId, Glob, IdentifierError, IssuerId, Name, Scope, SubjectId, is_unseen,
    },
};

/// The value that a pinned claim has: of this type, and no other. A list never equals a scalar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PinValue {
    /// This string.
    Text(String),
    /// This number, written as an integer.
    Integer(i64),
    /// This boolean.
    Boolean(bool),
    /// A list of which one member is this string.
    Contains(String),
}

impl PinValue {
    /// Whether the claim has it.
    pub fn is_met_by(&self, claim: &Value) -> bool {
        match (self, claim) {
            (Self::Text(expected), Value::String(got)) => expected == got,
            (Self::Integer(expected), Value::Number(got)) => got.as_i64() == Some(*expected),
            (Self::Boolean(expected), Value::Bool(got)) => expected == got,
            (Self::Contains(expected), Value::Array(got)) => {
                got.iter().any(|member| member.as_str() == Some(expected))
            }
            _ => false,
        }
    }
}

/// As operators write it behind `CLAIM=`: `20` is text, `int:20`, `bool:true`, `contains:20`; and
/// `text:int:20` the text `int:20`.
impl fmt::Display for PinValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => match PinValue::parse(text) {
                Self::Text(same) if same == *text => f.write_str(text),
                _ => write!(f, "text:{text}"),
            },
            Self::Integer(integer) => write!(f, "int:{integer}"),
            Self::Boolean(boolean) => write!(f, "bool:{boolean}"),
            Self::Contains(text) => write!(f, "contains:{text}"),
        }
    }
}

impl PinValue {
    /// Reads what operators write; text is whatever is nothing else.
    pub fn parse(text: &str) -> Self {
        let of_type = |kind| text.strip_prefix(kind);
        if let Some(text) = of_type("text:") {
            return Self::Text(text.to_owned());
        }
        if let Some(text) = of_type("contains:") {
            return Self::Contains(text.to_owned());
        }
        if let Some(integer) = of_type("int:").and_then(|text| text.parse().ok()) {
            return Self::Integer(integer);
        }
        if let Some(boolean) = of_type("bool:").and_then(|text| text.parse().ok()) {
            return Self::Boolean(boolean);
        }
        Self::Text(text.to_owned())
    }
}

/// A claim and the value that it has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pin {
    /// The claim.
    pub claim: ClaimPath,
    /// Its value.
    #[serde(flatten)]
    pub value: PinValue,
}

impl Pin {
    /// This claim has this value.
    pub fn new(claim: ClaimPath, value: PinValue) -> Self {
        Self { claim, value }
    }

    /// Whether the claim has the value. A missing claim and null never do.
    pub fn holds(&self, claims: &Claims) -> bool {
        let found = self.claim.find(claims);
        found.is_some_and(|claim| self.value.is_met_by(&claim))
    }
}

/// A claim that is a string, and the glob that all of it has to match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Match {
    /// The claim.
    pub claim: ClaimPath,
    /// What it has to match.
    pub glob: Glob,
}

impl Match {
    /// This claim matches this glob.
    pub fn new(claim: ClaimPath, glob: Glob) -> Self {
        Self { claim, glob }
    }

    /// Whether the claim is a string that matches.
    pub fn holds(&self, claims: &Claims) -> bool {
        let found = self.claim.find(claims);
        found.is_some_and(|claim| claim.as_str().is_some_and(|text| self.glob.matches(text)))
    }
}

/// Why a claim makes no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmapped {
    /// There is no such claim, or it is null.
    #[error("claim {0} is missing")]
    Missing(ClaimPath),
    /// It is neither a string that has characters, nor an integer up to 2^53 - 1.
    #[error("claim {0} is neither a string that is not empty nor an integer below 2^53")]
    WrongType(ClaimPath),
    /// It has characters that nobody sees, or that move others: two subjects would look alike.
    #[error("claim {0} has control, direction or invisible characters")]
    Unseen(ClaimPath),
    /// What comes of it is no subject.
    #[error("the mapped subject {0}")]
    NotASubject(#[from] IdentifierError),
}

/// Which subject a JWT that a trust has taken is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectMapping {
    /// Always this one.
    Fixed(SubjectId),
    /// The value of this claim.
    Claim(ClaimPath),
    /// A text made of claims.
    Template(SubjectTemplate),
    /// The registered subject that this claim names: permissions for it apply, and so does whether
    /// it is enabled.
    Existing(ClaimPath),
}

impl SubjectMapping {
    /// `NAME:{sub}`, the default of a trust of this name.
    pub fn default_of(name: &Name) -> Self {
        let literal = format!("{name}:");
        Self::Template(SubjectTemplate {
            text: format!("{literal}{{sub}}"),
            parts: vec![TemplatePart {
                literal,
                claim: sub(),
            }],
            end: String::new(),
        })
    }

    /// The subject.
    ///
    /// # Errors
    /// [`Unmapped`]
    pub fn subject(&self, claims: &Claims) -> Result<SubjectId, Unmapped> {
        match self {
            Self::Fixed(subject) => Ok(subject.clone()),
            Self::Claim(claim) => Ok(SubjectId::parse(&seen_value_of(claim, claims)?)?),
            // Whoever is registered is who the operator says.
            Self::Existing(claim) => Ok(SubjectId::parse(&value_of(claim, claims)?)?),
            Self::Template(template) => template.subject(claims),
        }
    }

    /// Whether it names a registered subject.
    pub fn is_existing(&self) -> bool {
        matches!(self, Self::Existing(_))
    }

    /// The claims that it reads.
    pub fn claims(&self) -> Vec<&ClaimPath> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Claim(claim) | Self::Existing(claim) => vec![claim],
            Self::Template(template) => template.parts.iter().map(|part| &part.claim).collect(),
        }
    }
}

fn sub() -> ClaimPath {
    ClaimPath::parse("sub").expect("a claim's name")
}

/// The text of a claim in a mapping: a string with characters, or an integer up to 2^53 - 1.
fn value_of(claim: &ClaimPath, claims: &Claims) -> Result<String, Unmapped> {
    const LARGEST: u64 = (1 << 53) - 1;
    let wrong = || Unmapped::WrongType(claim.clone());
    match claim.find(claims).as_deref() {
        None | Some(Value::Null) => Err(Unmapped::Missing(claim.clone())),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(integer) if integer.unsigned_abs() <= LARGEST => Ok(integer.to_string()),
            _ => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// As [`value_of`], without characters that nobody sees.
fn seen_value_of(claim: &ClaimPath, claims: &Claims) -> Result<String, Unmapped> {
    let value = value_of(claim, claims)?;
    match value.chars().any(is_unseen) {
        true => Err(Unmapped::Unseen(claim.clone())),
        false => Ok(value),
    }
}

/// Why a text is no subject mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is of no known kind.
    #[error("expected fixed:SUBJECT, claim:CLAIM, template:TEXT or existing:CLAIM")]
    Kind,
    /// The fixed subject is none.
    #[error("the fixed subject {0}")]
    Subject(#[from] IdentifierError),
    /// The claim is none.
    #[error("the claim {0}")]
    Claim(#[from] crate::types::ClaimPathError),
    /// A template without claims.
    #[error("a template names at least one claim in braces: ci:{{sub}}")]
    NoClaim,
    /// A template that begins with a claim: its values could be anybody's name.
    #[error("a template begins with literal text, so that no claim can imitate another name")]
    NoLiteral,
    /// Two claims with nothing between them: two pairs of values would meet.
    #[error("a template has literal text between two claims")]
    Adjacent,
    /// A per cent sign behind a claim, which is how its value is escaped: two pairs of values would
    /// meet.
    #[error("the literal text behind a claim does not begin with %, by which values are escaped")]
    Escape,
    /// A brace that is not closed, or not opened.
    #[error("a template has a brace without its other half")]
    Braces,
}

/// A text with claims in braces: `ci:{repository_id}`. It begins with literal text. Values are put
/// in once, and never read as templates themselves. What is in a value before the last is escaped
/// where it could be taken for the text behind it, so that no two sets of values meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate {
    text: String,
    parts: Vec<TemplatePart>,
    end: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TemplatePart {
    literal: String,
    claim: ClaimPath,
}

impl SubjectTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((literal, behind)) = rest.split_once('{') {
            let (claim, behind) = behind.split_once('}').ok_or(TemplateError::Braces)?;
            match (literal, parts.is_empty()) {
                ("", true) => return Err(TemplateError::NoLiteral),
                ("", false) => return Err(TemplateError::Adjacent),
                _ if literal.contains('}') || claim.contains('{') => {
                    return Err(TemplateError::Braces);
                }
                (_, false) if literal.starts_with('%') => return Err(TemplateError::Escape),
                _ => parts.push(TemplatePart {
                    literal: literal.to_owned(),
                    claim: ClaimPath::parse(claim)?,
                }),
            }
            rest = behind;
        }
        match rest {
            _ if rest.contains('}') => Err(TemplateError::Braces),
            _ if parts.is_empty() => Err(TemplateError::NoClaim),
            _ => Ok(Self {
                text: text.to_owned(),
                parts,
                end: rest.to_owned(),
            }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn subject(&self, claims: &Claims) -> Result<SubjectId, Unmapped> {
        let mut subject = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            subject.push_str(&part.literal);
            let value = seen_value_of(&part.claim, claims)?;
            match self.parts.get(index + 1) {
                Some(next) => subject.push_str(&escaped(&value, &next.literal)),
                None => subject.push_str(&value),
            }
        }
        subject.push_str(&self.end);
        Ok(SubjectId::parse(&subject)?)
    }
}

/// The value without the character that the text behind it begins with: read from the left, it ends
/// where that comes.
fn escaped<'v>(value: &'v str, behind: &str) -> Cow<'v, str> {
    let Some(end) = behind.chars().next() else {
        return value.into();
    };
    if !value.contains([end, '%']) {
        return value.into();
    }
    let mut escaped = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        match character == end || character == '%' {
            true => {
                let mut octets = [0; 4];
                for octet in character.encode_utf8(&mut octets).bytes() {
                    escaped.push_str(&format!("%{octet:02X}"));
                }
            }
            false => escaped.push(character),
        }
    }
    escaped.into()
}

impl std::str::FromStr for SubjectMapping {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        match text.split_once(':') {
            Some(("fixed", subject)) => Ok(Self::Fixed(SubjectId::parse(subject)?)),
            Some(("claim", claim)) => Ok(Self::Claim(ClaimPath::parse(claim)?)),
            Some(("existing", claim)) => Ok(Self::Existing(ClaimPath::parse(claim)?)),
            Some(("template", text)) => Ok(Self::Template(SubjectTemplate::parse(text)?)),
            _ => Err(TemplateError::Kind),
        }
    }
}

impl fmt::Display for SubjectMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(subject) => write!(f, "fixed:{subject}"),
            Self::Claim(claim) => write!(f, "claim:{claim}"),
            Self::Existing(claim) => write!(f, "existing:{claim}"),
            Self::Template(template) => write!(f, "template:{}", template.text),
        }
    }
}

impl Serialize for SubjectMapping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubjectMapping {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A claim that is copied into access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClaimCopy {
    /// What the claim of the access token is called.
    pub to: String,
    /// The claim of the JWT.
    pub from: ClaimPath,
}

impl ClaimCopy {
    /// Copies this claim under this name.
    pub fn new(to: impl Into<String>, from: ClaimPath) -> Self {
        let to = to.into();
        Self { to, from }
    }
}

/// Whether a trust counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// It takes JWTs.
    #[default]
    On,
    /// It is tried beside the others, grants nothing, and what it would have done is recorded.
    Shadow,
    /// It is not looked at.
    Off,
}

/// What a verified JWT of an issuer is worth, if it has these claims.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trust {
    /// Its name.
    pub name: Name,
    /// The issuer whose JWTs it takes.
    pub issuer: IssuerId,
    /// The client that gets the token, or that the JWT authenticates.
    pub client: ClientId,
    /// What it takes a JWT for, at least one use.
    pub uses: Vec<Usage>,
    /// Claims with fixed values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// Claims that match globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Match>,
    /// What holds of the claims beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Whom the access token is about.
    pub subject: SubjectMapping,
    /// The widest scope.
    #[serde(default)]
    pub scope: Scope,
    /// What access tokens may be for; the server's default alone if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// How long access tokens live at most, in whole seconds; as long as the server's if absent.
    #[serde(
        with = "super::seconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub lifetime: Option<Duration>,
    /// Whether access tokens end with the JWT.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cap_to_assertion: bool,
    /// Claims that are copied into access tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimCopy>,
    /// Whether the client has to authenticate beside the JWT.
    #[serde(default, skip_serializing_if = "is_default")]
    pub needs_client_auth: bool,
    /// Whether it counts.
    #[serde(default)]
    pub mode: Mode,
    /// The template that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRef>,
    /// The warnings that its maker has overruled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_lints: Vec<String>,
    /// When it was registered.
    pub created_at: UnixTime,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// Which registration this is, and which state of it.
    #[serde(skip)]
    pub revision: Revision,
}

impl Trust {
    /// A new trust for grants that takes nothing yet: it has no pin, no match and no condition.
    pub fn new(name: Name, issuer: IssuerId, client: ClientId, created_at: UnixTime) -> Self {
        Self {
            subject: SubjectMapping::default_of(&name),
            name,
            issuer,
            client,
            uses: vec![Usage::Grant],
            pins: Vec::new(),
            matches: Vec::new(),
            condition: None,
            scope: Scope::default(),
            resources: Vec::new(),
            lifetime: None,
            cap_to_assertion: false,
            claims: Vec::new(),
            needs_client_auth: false,
            mode: Mode::default(),
            template: None,
            allowed_lints: Vec::new(),
            created_at,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// Whether it compares anything at all. One that does not takes nothing.
    pub fn compares(&self) -> bool {
        !self.pins.is_empty() || !self.matches.is_empty() || self.condition.is_some()
    }

    /// Whether it takes a JWT with these claims: every pin, match and condition holds, and there is
    /// at least one.
    pub fn takes(&self, claims: &Claims) -> bool {
        self.compares()
            && self.pins.iter().all(|pin| pin.holds(claims))
            && self.matches.iter().all(|one| one.holds(claims))
            && self
                .condition
                .as_ref()
                .is_none_or(|condition| condition.holds(claims) == Ok(true))
    }

    /// Whether a JWT with these claims is of its tenant, of an issuer that these claims tell the
    /// tenants of apart: one of them is pinned, and the pin holds.
    pub fn is_of_tenant(&self, tenant_claims: &[ClaimPath], claims: &Claims) -> bool {
        let mut pins = self.pins.iter();
        pins.any(|pin| tenant_claims.contains(&pin.claim) && pin.holds(claims))
    }

    /// How many pins and matches do not hold.
    pub fn differences(&self, claims: &Claims) -> usize {
        let pins = self.pins.iter().filter(|pin| !pin.holds(claims)).count();
        let matches = self.matches.iter().filter(|one| !one.holds(claims));
        pins + matches.count()
    }

    /// The one `sub` that it takes, if it pins one.
    pub fn pinned_sub(&self) -> Option<&str> {
        let mut pins = self.pins.iter();
        pins.find_map(|pin| match &pin.value {
            PinValue::Text(sub) if pin.claim.as_str() == "sub" => Some(&**sub),
            _ => None,
        })
    }

    /// Whether it has this use.
    pub fn is_for(&self, usage: Usage) -> bool {
        self.uses.contains(&usage)
    }

    /// The claims to copy, as they are in the JWT; those that are missing are left out.
    pub fn copied(&self, claims: &Claims) -> BTreeMap<String, Value> {
        let copies = self.claims.iter();
        copies
            .filter_map(|copy| Some((copy.to.clone(), copy.from.find(claims)?.into_owned())))
            .collect()
    }
}
