//! `grantor template`

use clap::{Args, Subcommand};
use grantor::{
    admin::{Template, TemplateOption, Templates},
    types::ClaimPath,
};

use super::{Failure, Global, Output, output::table};
use crate::admin::{NoQuery, advice::quoted, templates::ListTemplates};

/// Show what is known about the JWTs of CI systems, clouds and others
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor template list
  grantor template show github-actions
  grantor trust create ci --template github-actions --owner-id 123456 --repository-id 456789 --ref refs/heads/main")]
pub enum TemplateCommand {
    /// List all templates
    List,
    /// Show one: its options, what it pins, how its claims are found, and a JWT
    Show(Named),
}

/// The template a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the template
    name: String,
}

impl TemplateCommand {
    /// Here they are part of the program, with or without a database.
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let output = global.output();
        let elsewhere = match global.is_here() {
            true => None,
            false => {
                let server = global.connect().await?;
                Some(server.every::<ListTemplates, _>((), NoQuery {}).await?)
            }
        };
        let templates = elsewhere.as_deref().unwrap_or(Templates::all());
        match self {
            Self::List => list(templates, output),
            Self::Show(Named { name }) => {
                let template = one_of(templates, &name)?;
                output.print(template, text(template))
            }
        }
    }
}

/// The template of this name; of an unknown one, the failure says which is perhaps meant.
pub fn named(name: &str) -> Result<&'static Template, Failure> {
    one_of(Templates::all(), name)
}

fn one_of<'t>(templates: &'t [Template], name: &str) -> Result<&'t Template, Failure> {
    let mut all = templates.iter();
    all.find(|template| template.name == name).ok_or_else(|| {
        let near = templates.iter().map(|template| &*template.name);
        let near = near
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(similar, _)| *similar > 0.7)
            .max_by(|one, other| one.0.total_cmp(&other.0));
        match near {
            Some((_, near)) => Failure::usage(format!(
                "there is no template {name}; did you mean {near}? See: grantor template list"
            )),
            None => Failure::usage(format!(
                "there is no template {name}; see: grantor template list"
            )),
        }
    })
}

fn list(templates: &[Template], output: Output) -> Result<(), Failure> {
    let head = ["TEMPLATE", "VERSION", "FOR", "OPTIONS"];
    output.print_list(templates, &head, |template| {
        let needed = template.options.iter().filter(|option| option.required);
        let needed: Vec<_> = needed.map(flag).collect();
        vec![
            template.name.clone(),
            template.version.to_string(),
            template.title.clone(),
            needed.join(" "),
        ]
    })
}

/// An option as the command line has it.
fn flag(option: &TemplateOption) -> String {
    match option.is_flag {
        true => format!("--{}", option.name),
        false => format!(
            "--{} {}",
            option.name,
            option.name.to_uppercase().replace('-', "_")
        ),
    }
}

fn text(template: &Template) -> String {
    let mut parts = vec![format!(
        "{} (template {}, version {})\n{}",
        template.title, template.name, template.version, template.docs
    )];
    parts.push(issuers(template));
    let head = ["OPTION", "", "PINS", "WHAT IT IS"];
    parts.push(table(&template.options, &head, |option| {
        vec![
            flag(option),
            need(template, option),
            claims(&option.pins),
            described(option),
        ]
    }));
    parts.extend(needs_one_of(template));
    if let Some(condition) = &template.condition {
        parts.push(format!(
            "Condition, unless --condition says another: {condition}"
        ));
    }
    parts.extend(refusals(template));
    parts.extend(hints(template));
    parts.push(format!("A JWT: {}", serde_json::json!(template.example)));
    parts.push(example(template));
    parts.join("\n\n")
}

fn issuers(template: &Template) -> String {
    let shared = |claims: &[ClaimPath]| match claims {
        [] => String::new(),
        some => format!(
            " (shared by strangers, told apart by {})",
            names(some, " or ")
        ),
    };
    let issuers = template
        .issuers
        .iter()
        .map(|choice| format!("issuer  {}{}", choice.iss, shared(&choice.tenant_claims)));
    issuers.collect::<Vec<_>>().join("\n")
}

/// Whether an option is needed, in a word.
fn need(template: &Template, option: &TemplateOption) -> String {
    let mut one_of = template.one_of.iter();
    match (&option.unless[..], option.required) {
        ([], true) => "needed".to_owned(),
        (unless, true) => format!("needed, or --{}", unless.join(", or --")),
        _ if one_of.any(|one_of| one_of.options.contains(&option.name)) => {
            "one of several".to_owned()
        }
        _ => String::new(),
    }
}

fn claims(claims: &[ClaimPath]) -> String {
    names(claims, " ")
}

fn names(claims: &[ClaimPath], between: &str) -> String {
    let names: Vec<_> = claims.iter().map(ClaimPath::as_str).collect();
    names.join(between)
}

/// What it is, an example, and how it is found.
fn described(option: &TemplateOption) -> String {
    let example = Some(&option.example).filter(|example| !example.is_empty());
    let example = example.map(|example| format!(", such as {example}"));
    let find = Some(&option.find).filter(|find| !find.is_empty());
    let find = find.map(|find| format!(": {find}"));
    [Some(option.what.clone()), example, find]
        .into_iter()
        .flatten()
        .collect()
}

fn needs_one_of(template: &Template) -> Option<String> {
    let lines = template.one_of.iter().map(|one_of| {
        format!(
            "One of --{} is needed: {}",
            one_of.options.join(", --"),
            one_of.why
        )
    });
    joined(lines)
}

fn refusals(template: &Template) -> Option<String> {
    let lines = template.refusals.iter().map(|refusal| {
        let values: Vec<_> = refusal.values.iter().map(ToString::to_string).collect();
        format!(
            "Refused unless --allow {}: {} {} ({})",
            refusal.lint,
            refusal.claim,
            values.join(", "),
            refusal.why
        )
    });
    joined(lines)
}

fn hints(template: &Template) -> Option<String> {
    let hints = &template.hints;
    let audience = format!("Audience: {}", hints.audience);
    let once = hints.once.iter().map(|once| format!("Another JWT: {once}"));
    let claims = hints.claims.iter();
    let claims = claims.map(|(claim, hint)| format!("Claim {claim}: {hint}"));
    joined([audience].into_iter().chain(once).chain(claims))
}

fn joined(lines: impl Iterator<Item = String>) -> Option<String> {
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// A command that makes a trust by it.
fn example(template: &Template) -> String {
    let options = template
        .example_options
        .iter()
        .map(|(name, value)| match &**value {
            "" => format!(" --{name}"),
            value => format!(" --{name} {}", quoted(value)),
        });
    format!(
        "Example: grantor trust create ci --template {}{}",
        template.name,
        options.collect::<String>()
    )
}
