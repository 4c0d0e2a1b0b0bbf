//! What is known about platforms whose JWTs are trusted: which claims tell whose a JWT is, how an
//! issuer and a trust of a platform are made, and what is unsafe there. All of it is data, in one
//! file; changing it changes no trust that was made by it.

mod make;

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use grantor_jose::json::{Object, Value};
use serde::{Deserialize, Serialize};

pub use self::make::{MadeByTemplate, TemplateOptions};
use super::{Error, Fault, Named};
use crate::{
    registry::{AudienceMatch, ReplayPolicy, TemplateRef, TrustedIssuer, whole_seconds},
    types::ClaimPath,
};

/// The one file with all templates.
const FILE: &str = include_str!("templates.json");

static KNOWN: LazyLock<File> =
    LazyLock::new(|| serde_json::from_str(FILE).expect("the file of templates is tested"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Issuers that strangers share, of platforms without a template.
    shared_issuers: Vec<SharedIssuer>,
    templates: Vec<Template>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedIssuer {
    iss: String,
    title: String,
    tenant_claims: Vec<ClaimPath>,
}

/// All templates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Templates;

impl Templates {
    /// All, in the order of the file.
    pub fn all() -> &'static [Template] {
        &KNOWN.templates
    }

    /// The template of this name.
    ///
    /// # Errors
    /// [`Error::NotFound`]
    pub fn get(name: &str) -> Result<&'static Template, Error> {
        find(name).ok_or_else(|| Error::NotFound(Named::Template(name.to_owned())))
    }

    /// The template that an issuer was made by, or else that knows its `iss`.
    pub fn of(iss: &str, made_by: Option<&TemplateRef>) -> Option<&'static Template> {
        let made_by = made_by.and_then(|template| find(&template.name));
        made_by.or_else(|| of_iss(iss))
    }
}

fn find(name: &str) -> Option<&'static Template> {
    let mut templates = KNOWN.templates.iter();
    templates.find(|template| template.name == name)
}

/// The template that an issuer was made by, or that knows its `iss`.
pub(super) fn of_issuer(issuer: &TrustedIssuer) -> Option<&'static Template> {
    Templates::of(issuer.id.as_str(), issuer.template.as_ref())
}

/// The template that knows this `iss`, however an issuer is made.
pub(super) fn of_iss(iss: &str) -> Option<&'static Template> {
    let knows = |template: &&Template| {
        let mut others = template.also_known.iter();
        template.choice_of(iss).is_some()
            || template.refused_iss(iss).is_some()
            || others.any(|other| stands_for(other, iss))
    };
    KNOWN.templates.iter().find(knows)
}

/// The platform whose customers share this `iss`, and the claims of which any tells them apart.
pub(super) fn shared(iss: &str) -> Option<(&'static str, &'static [ClaimPath])> {
    let of_template = || {
        let template = of_iss(iss)?;
        let tenants = &*template.choice_of(iss)?.tenant_claims;
        (!tenants.is_empty()).then_some((&*template.title, tenants))
    };
    let mut others = KNOWN.shared_issuers.iter();
    let other = others.find(|other| other.iss == iss);
    let other = other.map(|other| (&*other.title, &*other.tenant_claims));
    other.or_else(of_template)
}

/// What is known about a platform.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Grows with each change of what it makes.
    pub version: u32,
    /// The platform.
    pub title: String,
    /// Where the platform documents its JWTs.
    pub docs: String,
    /// What its issuers are called: the first whose options are all given.
    pub issuers: Vec<IssuerChoice>,
    /// Other `iss` of the platform; `*` at an end stands for the rest.
    #[serde(default)]
    pub also_known: Vec<String>,
    /// The signature algorithms.
    pub algorithms: Vec<String>,
    /// The longest lifetime of its JWTs, in seconds.
    #[serde(with = "whole_seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub max_lifetime: Duration,
    /// How often a JWT may be used.
    pub replay: ReplayPolicy,
    /// How `aud` has the audience.
    #[serde(default)]
    pub audience_match: AudienceMatch,
    /// The audiences, with options in braces; this server's own if empty.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// What the operator names.
    pub options: Vec<TemplateOption>,
    /// Options of which at least one is needed.
    #[serde(default)]
    pub one_of: Vec<OneOf>,
    /// The condition that a trust has unless it is given another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The mapping of a trust, behind its name.
    pub subject: String,
    /// Names that are given again to others, and the ids that are not.
    #[serde(default)]
    pub mutable_names: Vec<MutableName>,
    /// Claims that the sender of a JWT writes as they like; `*` at an end stands for the rest.
    #[serde(default)]
    pub caller_written: Vec<String>,
    /// Claims of which a trust compares one, or else takes too much.
    #[serde(default)]
    pub narrowing: Vec<Narrowing>,
    /// JWTs that a trust takes only if it is told to.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// Audiences that no issuer may have.
    #[serde(default)]
    pub refused_audiences: Vec<Refused>,
    /// Issuers that are nobody's.
    #[serde(default)]
    pub refused_issuers: Vec<Refused>,
    /// All claims of a JWT, as far as they are known.
    pub example: Object,
    /// The options of the trust that takes the example.
    pub example_options: BTreeMap<String, String>,
    /// JWTs that are nearly the example, and that this trust does not take.
    pub near_misses: Vec<NearMiss>,
    /// What operators and users are told.
    pub hints: Hints,
}

/// What the issuers of a platform are called.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IssuerChoice {
    /// `iss`, with options in braces.
    pub iss: String,
    /// The flag by which it is chosen, if by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it is called here, with options in braces.
    pub name: String,
    /// Where the keys are, with options in braces; by discovery if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where the SPIFFE bundle is, with options in braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_bundle: Option<String>,
    /// The SPIFFE trust domain, with options in braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// Claims of which any tells the customers apart, of an issuer that they share.
    #[serde(default)]
    pub tenant_claims: Vec<ClaimPath>,
    /// The longest lifetime of its JWTs, if another than the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<u64>,
    /// Whether every `iss` of this form is one of the platform.
    #[serde(default)]
    pub is_telling: bool,
}

/// What an operator names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TemplateOption {
    /// Its name, as a flag has it.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Whether it is named without a value.
    #[serde(default)]
    pub is_flag: bool,
    /// Whether it is needed.
    #[serde(default)]
    pub required: bool,
    /// Options in place of which it is not needed.
    #[serde(default)]
    pub unless: Vec<String>,
    /// A value.
    #[serde(default)]
    pub example: String,
    /// What every value looks like, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// How it is found.
    #[serde(default)]
    pub find: String,
    /// The claims that it pins. A value with a star is a glob that they match, where `glob` says so.
    #[serde(default)]
    pub pins: Vec<ClaimPath>,
    /// Whether it may be a glob.
    #[serde(default)]
    pub glob: bool,
    /// Whether the value stays that of the same thing for ever: ids do, names may be given to
    /// others.
    #[serde(default)]
    pub immutable: bool,
    /// Lints that it overrules.
    #[serde(default)]
    pub allows: Vec<String>,
    /// Options of which one is needed beside it.
    #[serde(default)]
    pub with_one_of: Vec<String>,
    /// Claims that are not pinned then.
    #[serde(default)]
    pub leaves_out: Vec<ClaimPath>,
}

/// What all values of an option look like: what does not, no JWT ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// A number, in digits.
    Digits,
    /// In braces, which belong to it.
    Braced,
    /// A Git reference in full, or a glob of some.
    Ref,
    /// A host, perhaps with a port.
    Host,
}

impl Shape {
    /// Whether a value looks so.
    fn is_of(self, value: &str) -> bool {
        match self {
            Self::Digits => value.bytes().all(|octet| octet.is_ascii_digit()),
            Self::Braced => value.len() > 2 && value.starts_with('{') && value.ends_with('}'),
            Self::Ref => value.starts_with("refs/") || value.starts_with('*'),
            Self::Host => !value.contains(|one: char| "/@?#".contains(one) || one.is_whitespace()),
        }
    }

    /// As a sentence goes on behind "expected".
    fn expected(self) -> &'static str {
        match self {
            Self::Digits => "digits alone",
            Self::Braced => "one with its braces, which belong to the value",
            Self::Ref => "one in full, from refs/ on",
            Self::Host => "the host alone, without a scheme or slash",
        }
    }
}

/// Options of which at least one is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OneOf {
    /// The options.
    pub options: Vec<String>,
    /// Why.
    pub why: String,
}

/// A claim with a name that may be given to others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MutableName {
    /// The claim.
    pub claim: ClaimPath,
    /// Claims with ids, of which one is to be pinned beside it.
    pub ids: Vec<ClaimPath>,
}

/// Claims of which a trust compares one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Narrowing {
    /// The lint.
    pub lint: String,
    /// The claims.
    pub one_of: Vec<ClaimPath>,
    /// What a trust without them takes.
    pub why: String,
}

/// JWTs that a trust takes only if it is told to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Refusal {
    /// The lint.
    pub lint: String,
    /// The claim.
    pub claim: ClaimPath,
    /// The values of such JWTs.
    pub values: Vec<Value>,
    /// Whether a pin of the claim tells the trust to.
    #[serde(default)]
    pub by_pin: bool,
    /// Claims of which a pin or match is enough too.
    #[serde(default)]
    pub unless: Vec<ClaimPath>,
    /// What is wrong with them.
    pub why: String,
}

/// An audience or issuer that is refused; `*` at its end stands for the rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Refused {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Refused {
    fn is(&self, text: &str) -> bool {
        stands_for(&self.text, text)
    }
}

/// Whether a text is this one or, where that ends with a star, begins so.
fn stands_for(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => text == pattern,
    }
}

/// A JWT that is nearly the example.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NearMiss {
    /// What it is.
    pub what: String,
    /// The claims that differ: by their paths, null for one that is missing.
    pub change: BTreeMap<ClaimPath, Value>,
    /// What fails: the claim of a pin or match, or `condition`.
    pub fails: String,
}

/// What operators and users of a platform are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hints {
    /// How the platform gives another JWT, where each is for one use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
    /// How the audience is asked for, which `AUDIENCE` stands for.
    pub audience: String,
    /// What a job does to get its JWT, line by line; `AUDIENCE` stands for the audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// What is changed on the platform's side, by claim.
    #[serde(default)]
    pub claims: BTreeMap<ClaimPath, String>,
}

impl Hints {
    /// How this audience is asked for.
    pub fn audience_of(&self, audience: &str) -> String {
        self.audience.replace("AUDIENCE", audience)
    }

    /// What a job does to get a JWT for this audience, line by line, where that is known.
    pub fn job_of(&self, audience: &str) -> Option<String> {
        let job = self.job.as_ref()?;
        Some(job.replace("AUDIENCE", audience))
    }
}

impl Template {
    /// This version of it.
    pub fn reference(&self) -> TemplateRef {
        TemplateRef::new(&self.name, self.version)
    }

    /// Why an issuer of this platform may not have this audience.
    pub(super) fn refused_audience(&self, audience: &str) -> Option<&str> {
        let mut refused = self.refused_audiences.iter();
        let refused = refused.find(|refused| refused.is(audience))?;
        Some(&refused.why)
    }

    /// Why this `iss` may not be an issuer.
    pub(super) fn refused_iss(&self, iss: &str) -> Option<&str> {
        let mut refused = self.refused_issuers.iter();
        let refused = refused.find(|refused| refused.is(iss))?;
        Some(&refused.why)
    }

    /// Whether the sender of a JWT writes this claim as they like.
    pub(super) fn is_caller_written(&self, claim: &ClaimPath) -> bool {
        let mut written = self.caller_written.iter();
        written.any(|written| stands_for(written, claim.as_str()))
    }

    /// That an issuer of it lacks the place of its keys, which an option names.
    pub(super) fn fault_of_keys(&self) -> Option<Fault> {
        let mut choices = self.issuers.iter();
        let form = choices.find_map(|choice| {
            let place = choice.spiffe_bundle.as_ref();
            place.or(choice.jwks_uri.as_ref())
        })?;
        make::fault_of_place(self, form)
    }

    /// The options that make an issuer of this `iss`: flags with the empty text.
    pub fn options_of(&self, iss: &str) -> Option<BTreeMap<String, String>> {
        let of_choice = |choice: &IssuerChoice| {
            let whole = choice.iss.strip_prefix('{');
            let whole = whole.and_then(|rest| rest.strip_suffix('}'));
            let values = match whole.filter(|name| !name.contains('}')) {
                Some(name) => vec![(name, iss)],
                None => values_in(&choice.iss, iss)?,
            };
            let values = values.into_iter();
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let flag = choice.when.clone().map(|flag| (flag, String::new()));
            Some(values.chain(flag).collect::<BTreeMap<_, _>>())
        };
        let choices = self.issuers.iter();
        // One that tells is surer than one of which everything is open.
        let known = choices.filter_map(|choice| Some((!choice.is_telling, of_choice(choice)?)));
        let best = known.min_by_key(|(is_open, options)| (*is_open, options.len()));
        best.map(|(_, options)| options)
    }

    /// What an `iss` that is known is.
    fn choice_of(&self, iss: &str) -> Option<&IssuerChoice> {
        let telling = self.issuers.iter().filter(|choice| choice.is_telling);
        telling
            .into_iter()
            .find(|choice| has_form(&choice.iss, iss))
    }
}

/// Whether a text has this form: what is in braces there is one or more characters other than `/`.
fn has_form(form: &str, text: &str) -> bool {
    values_in(form, text).is_some()
}

/// What stands in a text of this form in the places of its options.
fn values_in<'t>(form: &'t str, text: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
    let Some((literal, rest)) = form.split_once('{') else {
        return (form == text).then(Vec::new);
    };
    let text = text.strip_prefix(literal)?;
    let (name, rest) = rest.split_once('}')?;
    let ends = text.char_indices().skip(1).map(|(end, _)| end);
    let ends = ends.chain([text.len()]);
    let fitting = ends.filter(|end| *end > 0 && !text[..*end].contains('/'));
    fitting.into_iter().find_map(|end| {
        let mut values = values_in(rest, &text[end..])?;
        values.insert(0, (name, &text[..end]));
        Some(values)
    })
}

#[cfg(test)]
mod tests;
