//! A plan as people read it.

use anstyle::{AnsiColor, Style};
use grantor::{
    admin::{Action, Difference, Kind, Plan, Step, Summary},
    types::escaped,
};
use serde_json::Value;

use super::secrets::SecretFiles;

/// What would be done, and what is so already.
pub fn plan(plan: &Plan) -> String {
    let mut lines: Vec<_> = plan.steps.iter().map(step).collect();
    lines.push(match plan.summary.is_change() {
        true => format!("to do: {}", counts(plan.summary)),
        false => nothing(plan.summary),
    });
    lines.join("\n")
}

/// What was done.
pub fn done(plan: &Plan, secrets: &SecretFiles) -> String {
    if !plan.summary.is_change() {
        return nothing(plan.summary);
    }
    let changed = plan.steps.iter().filter(|step| step.action != Action::Same);
    let mut lines: Vec<_> = changed.map(step).collect();
    let secrets = secrets.iter().map(|(client, path)| {
        let file = path.display().to_string();
        format!("the key file of client {client} is {}", escaped(&file))
    });
    lines.extend(secrets);
    lines.push(format!("done: {}", counts(plan.summary)));
    lines.join("\n")
}

fn nothing(summary: Summary) -> String {
    format!("nothing to do: {} as they are", summary.same)
}

fn counts(summary: Summary) -> String {
    format!(
        "{} new, {} changed, {} removed, {} as they were",
        summary.create, summary.update, summary.delete, summary.same
    )
}

/// A registration, and below it its members before and after.
fn step(step: &Step) -> String {
    let (sign, color) = match step.action {
        Action::Create => ("+", AnsiColor::Green.on_default()),
        Action::Update => ("~", AnsiColor::Yellow.on_default()),
        Action::Delete => ("-", AnsiColor::Red.on_default()),
        _ => ("=", Style::new()),
    };
    let name = name(step);
    let mut lines = vec![format!("{color}{sign}{color:#} {} {name}", step.resource)];
    let member =
        |one: &Difference| format!("    {}: {}", escaped(&one.member), values(step.action, one));
    lines.extend(step.differences.iter().map(member));
    lines.join("\n")
}

fn name(step: &Step) -> String {
    let parts: Option<Vec<String>> = match step.resource {
        Kind::Permission => serde_json::from_str(&step.name).ok(),
        _ => None,
    };
    match parts.as_deref() {
        Some([client, subject]) => escaped(&format!("{client} for {subject}")),
        Some([client, subject, origin]) => escaped(&format!("{client} for {subject} ({origin})")),
        _ => escaped(&step.name),
    }
}

/// What it is or was, or both.
fn values(action: Action, difference: &Difference) -> String {
    match action {
        Action::Create => value(&difference.after),
        Action::Delete => value(&difference.before),
        _ => format!(
            "{} -> {}",
            value(&difference.before),
            value(&difference.after)
        ),
    }
}

/// Text bare, everything else as JSON.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}
