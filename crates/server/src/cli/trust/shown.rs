//! A trust as people read it.

use grantor::{
    admin::{ClientAuth, TrustDocument},
    assertion::Usage,
    registry::Mode,
    types::ClientId,
};

use crate::cli::output::{table, time};

/// All that is registered, a line each.
pub fn text(trust: &TrustDocument) -> String {
    let rows: Vec<_> = facts(trust)
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name, value)))
        .collect();
    table(&rows, &[""; 2], |(name, value)| {
        vec![(*name).to_owned(), value.clone()]
    })
}

/// What is known, by name: nothing, one value, or one for each line.
fn facts(trust: &TrustDocument) -> Vec<(&'static str, Vec<String>)> {
    let one = |value: String| vec![value];
    let pins = trust.pins.iter();
    let matches = trust.matches.iter();
    let claims = trust.claims.iter();
    let template = trust.template.iter();
    vec![
        ("trust", one(trust.name.to_string())),
        ("issuer", one(trust.issuer.to_string())),
        (
            "client",
            trust.client.iter().map(ClientId::to_string).collect(),
        ),
        ("mode", one(mode(trust.mode).to_owned())),
        (
            "for",
            one(trust.uses.iter().map(usage).collect::<Vec<_>>().join(", ")),
        ),
        (
            "pin",
            pins.map(|pin| format!("{}={}", pin.claim, pin.value))
                .collect(),
        ),
        (
            "match",
            matches
                .map(|one| format!("{}={}", one.claim, one.glob))
                .collect(),
        ),
        (
            "condition",
            trust.condition.iter().map(ToString::to_string).collect(),
        ),
        ("subject", one(trust.subject.to_string())),
        (
            "scope",
            match trust.scope.is_empty() {
                true => Vec::new(),
                false => one(trust.scope.to_string()),
            },
        ),
        ("resource", trust.resources.clone()),
        (
            "lifetime",
            trust
                .lifetime
                .map(|lifetime| format!("{} s", lifetime.as_secs()))
                .into_iter()
                .chain(
                    trust
                        .cap_to_assertion
                        .then(|| "as long as the JWT, at most".to_owned()),
                )
                .collect(),
        ),
        (
            "claim",
            claims
                .map(|copy| format!("{}={}", copy.to, copy.from))
                .collect(),
        ),
        (
            "client authentication",
            (trust.client_auth == ClientAuth::Required)
                .then(|| "required".to_owned())
                .into_iter()
                .collect(),
        ),
        (
            "template",
            template
                .map(|template| format!("{}, version {}", template.name, template.version))
                .collect(),
        ),
        ("allowed", trust.allowed_lints.clone()),
        ("created", trust.created_at.map(time).into_iter().collect()),
    ]
}

/// Whether it counts, in a word.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::On => "on",
        Mode::Shadow => "shadow",
        Mode::Off => "off",
        _ => "unknown",
    }
}

fn usage(usage: &Usage) -> &'static str {
    match usage {
        Usage::Grant => "grant",
        Usage::ClientAuthentication => "client authentication",
    }
}
