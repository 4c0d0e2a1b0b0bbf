//! How a template makes an issuer and a trust of what an operator names.

use std::collections::BTreeMap;

use grantor_jose::Algorithm;

use super::{IssuerChoice, Template, TemplateOption};
use crate::{
    admin::{
        BundleDocument, Error, Fault, IssuerDocument, KeysDocument, NewTrust, PinDocument,
        TrustDocument, error::none_of, issuers::name_of, trusts::MatchDocument,
    },
    registry::{Condition, PinValue, SubjectMapping},
    types::{Glob, IssuerId, Name},
};

/// What an operator names: options of a template by their names, flags with the empty text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateOptions(BTreeMap<String, String>);

impl TemplateOptions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names an option.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Names a flag.
    #[must_use]
    pub fn with_flag(self, name: impl Into<String>) -> Self {
        self.with(name, "")
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl FromIterator<(String, String)> for TemplateOptions {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

/// An issuer and a trust that a template has made: documents, which may be completed before they are
/// registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MadeByTemplate {
    /// The issuer, which is registered if there is none of its `iss`.
    pub issuer: IssuerDocument,
    /// The trust.
    pub trust: TrustDocument,
}

impl From<MadeByTemplate> for NewTrust {
    fn from(made: MadeByTemplate) -> Self {
        let mut new = Self::new(made.trust);
        new.issuer = Some(made.issuer);
        new
    }
}

fn fault(option: &str, detail: impl Into<String>) -> Fault {
    Fault::new("options", detail).at(option)
}

impl Template {
    /// Makes an issuer, and a trust of this name.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all faults: options that are unknown, missing or wrong, each by the
    /// pointer `/options/NAME`.
    pub fn make(&self, name: &Name, options: &TemplateOptions) -> Result<MadeByTemplate, Error> {
        let mut faults = self.faults_of_options(options);
        let choice = self.choose(options);
        let mut trust = match choice {
            Ok((_, ref iss)) => self.trust(name, iss, options, &mut faults),
            Err(_) => None,
        };
        let issuer = match choice {
            Ok((choice, iss)) => self.issuer(choice, iss, options, &mut faults),
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        none_of(faults)?;
        match (issuer, trust.take()) {
            (Some(issuer), Some(trust)) => Ok(MadeByTemplate { issuer, trust }),
            _ => Err(Fault::of_all("no issuer and trust can be made of it").into()),
        }
    }

    fn faults_of_options(&self, options: &TemplateOptions) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, value) in &options.0 {
            let Some(option) = self.options.iter().find(|option| option.name == *name) else {
                let known: Vec<_> = self.options.iter().map(|one| &*one.name).collect();
                let detail = format!(
                    "template {} has no option {name}; it has {}",
                    self.name,
                    known.join(", ")
                );
                faults.push(fault(name, detail));
                continue;
            };
            let problem = match option.is_flag {
                true if !value.is_empty() => Some("takes no value".to_owned()),
                false if value.trim().is_empty() => {
                    Some(format!("is empty; expected {}", option.expected()))
                }
                _ => option.misshapen(value),
            };
            faults.extend(problem.map(|problem| fault(name, format!("{name} {problem}"))));
            if !option.with_one_of.is_empty()
                && !option.with_one_of.iter().any(|other| options.has(other))
            {
                let detail = format!(
                    "{name} needs another restriction beside it: {}",
                    option.with_one_of.join(" or ")
                );
                faults.push(fault(name, detail));
            }
        }
        for option in self.options.iter().filter(|option| option.required) {
            let is_given = options.has(&option.name);
            if !is_given && !option.unless.iter().any(|other| options.has(other)) {
                let unless = match option.unless.is_empty() {
                    true => String::new(),
                    false => format!(" (or {})", option.unless.join(", ")),
                };
                let detail = format!(
                    "template {} needs {}: {}{unless}",
                    self.name,
                    option.name,
                    option.expected()
                );
                faults.push(fault(&option.name, detail));
            }
        }
        for one_of in &self.one_of {
            if !one_of.options.iter().any(|option| options.has(option)) {
                let detail = format!(
                    "template {} needs one of {}: {}",
                    self.name,
                    one_of.options.join(", "),
                    one_of.why
                );
                faults.push(fault(
                    one_of.options.first().map_or("", |first| first),
                    detail,
                ));
            }
        }
        faults
    }

    /// The issuer of these options: the first whose options are all given.
    fn choose(&self, options: &TemplateOptions) -> Result<(&IssuerChoice, IssuerId), Fault> {
        let is_meant = |choice: &&IssuerChoice| {
            let flag = choice.when.as_deref();
            flag.is_none_or(|flag| options.has(flag))
        };
        let filled = self.issuers.iter().filter(is_meant).find_map(|choice| {
            let iss = filled(&choice.iss, options)?;
            Some((choice, iss))
        });
        let Some((choice, iss)) = filled else {
            let ways = self.issuers.iter().map(|choice| names_in(&choice.iss));
            let ways: Vec<_> = ways.collect();
            let first = ways.iter().flatten().next().copied().unwrap_or_default();
            let ways: Vec<_> = ways.iter().map(|names| names.join(" and ")).collect();
            let detail = format!("say which issuer it is: {}", ways.join("; or "));
            return Err(fault(first, detail));
        };
        let wrong = |error| fault("iss", format!("the issuer {iss} {error}"));
        Ok((choice, IssuerId::parse(&iss).map_err(wrong)?))
    }

    fn issuer(
        &self,
        choice: &IssuerChoice,
        iss: IssuerId,
        options: &TemplateOptions,
        faults: &mut Vec<Fault>,
    ) -> Option<IssuerDocument> {
        let mut url = |form: &str| {
            let text = filled(form, options)?;
            let name = names_in(form).first().copied().unwrap_or("iss");
            let url = text.parse();
            url.map_err(|_| faults.push(fault(name, format!("{text} is no URL; expected one"))))
                .ok()
        };
        let keys = match (&choice.jwks_uri, &choice.spiffe_bundle) {
            (Some(form), _) => url(form).map(KeysDocument::jwks_uri),
            (None, Some(form)) => {
                url(form).map(|url| KeysDocument::spiffe_bundle(BundleDocument::Url(url)))
            }
            (None, None) => Some(KeysDocument::discovery(None)),
        };
        // Where the place is not named, it may be added to what was made.
        let keys = keys.unwrap_or_default();
        let name = filled(&choice.name, options).as_deref().and_then(name_of);
        let mut issuer = IssuerDocument::new(iss, name, keys);
        let algorithms = self.algorithms.iter();
        issuer.algorithms = algorithms
            .filter_map(|name| Algorithm::from_name(name))
            .collect();
        issuer.max_lifetime = choice
            .max_lifetime
            .map_or(self.max_lifetime, std::time::Duration::from_secs);
        issuer.replay = self.replay;
        issuer.audience_match = self.audience_match;
        let audiences = self.audiences.iter();
        issuer.audiences = audiences.filter_map(|form| filled(form, options)).collect();
        issuer.trust_domain = choice
            .trust_domain
            .as_ref()
            .and_then(|form| filled(form, options));
        issuer.tenant_claims.clone_from(&choice.tenant_claims);
        issuer.template = Some(self.reference());
        Some(issuer)
    }

    fn trust(
        &self,
        name: &Name,
        iss: &IssuerId,
        options: &TemplateOptions,
        faults: &mut Vec<Fault>,
    ) -> Option<TrustDocument> {
        let mut trust = TrustDocument::new(name.clone(), iss.clone());
        let given = self.options.iter().filter(|one| options.has(&one.name));
        let left_out: Vec<_> = given.flat_map(|option| &option.leaves_out).collect();
        for option in &self.options {
            let Some(value) = options.0.get(&option.name) else {
                continue;
            };
            for claim in option.pins.iter().filter(|claim| !left_out.contains(claim)) {
                match option.glob && value.contains('*') {
                    false => {
                        let pin = PinDocument::new(claim.clone(), PinValue::Text(value.clone()));
                        trust.pins.push(pin);
                    }
                    true => match Glob::parse(value) {
                        Ok(glob) => trust.matches.push(MatchDocument::new(claim.clone(), glob)),
                        Err(error) => {
                            faults.push(fault(&option.name, format!("{value} {error}")));
                        }
                    },
                }
            }
            trust.allowed_lints.extend(option.allows.iter().cloned());
        }
        if let Some(text) = &self.condition {
            let parsed = Condition::parse(text);
            let wrong = |error| Fault::new("condition", format!("{text}: {error}"));
            trust.condition = parsed.map_err(|error| faults.push(wrong(error))).ok();
        }
        let subject: Result<SubjectMapping, _> =
            format!("template:{name}:{}", self.subject).parse();
        let wrong = |error| Fault::new("subject", format!("{}: {error}", self.subject));
        trust.subject = subject.map_err(|error| faults.push(wrong(error))).ok()?;
        trust.template = Some(self.reference());
        Some(trust)
    }
}

/// That the option of this form is needed: it says where the keys are.
pub(super) fn fault_of_place(template: &Template, form: &str) -> Option<Fault> {
    let name = *names_in(form).first()?;
    let mut options = template.options.iter();
    let option = options.find(|option| option.name == name)?;
    let detail = format!(
        "template {} needs {name} to make the issuer: {}; or register the issuer first, with its \
         keys",
        template.name,
        option.expected()
    );
    Some(fault(name, detail))
}

impl TemplateOption {
    /// What is wrong with a value that no JWT can have.
    fn misshapen(&self, value: &str) -> Option<String> {
        let shape = self.shape.filter(|shape| !shape.is_of(value))?;
        let wanted = shape.expected();
        Some(format!(
            "is {value}; expected {wanted}: {}",
            self.expected()
        ))
    }

    /// What it is, with an example and where it is found.
    fn expected(&self) -> String {
        let example = match self.example.is_empty() {
            true => String::new(),
            false => format!(", such as {}", self.example),
        };
        let find = match self.find.is_empty() {
            true => String::new(),
            false => format!("; {}", self.find),
        };
        format!("{}{example}{find}", self.what)
    }
}

/// The options in braces in a form.
fn names_in(form: &str) -> Vec<&str> {
    let parts = form.split('{').skip(1);
    parts.filter_map(|part| part.split('}').next()).collect()
}

/// A form with the values of its options; `None` if one is not given.
fn filled(form: &str, options: &TemplateOptions) -> Option<String> {
    let mut parts = form.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}')?;
        text.push_str(options.0.get(name)?);
        text.push_str(rest);
    }
    Some(text)
}
