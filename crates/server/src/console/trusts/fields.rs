//! The fields of a trust: the same for a new one and for a change.

use grantor::{
    admin::{ClientAuth, CopyDocument, MatchDocument, PinDocument, TrustDocument, lint_names},
    assertion::Usage,
};

use crate::{
    admin::trusts::{claim_copy, claim_match, pin},
    console::{Members, Typed},
};

/// The fields with what is registered.
pub fn filled(typed: Typed, trust: &TrustDocument) -> Typed {
    let lines = |lines: Vec<String>| lines.join("\n");
    let pins = trust.pins.iter();
    let pins = pins
        .map(|pin| format!("{}={}", pin.claim, pin.value))
        .collect();
    let matches = trust.matches.iter();
    let matches = matches
        .map(|one| format!("{}={}", one.claim, one.glob.as_str()))
        .collect();
    let copies = trust.claims.iter();
    let copies = copies
        .map(|copy| format!("{}={}", copy.to, copy.from))
        .collect();
    let client = trust.client.as_ref().map(ToString::to_string);
    let condition = trust.condition.as_ref().map(|condition| condition.as_str());
    let lifetime = trust
        .lifetime
        .map(|lifetime| lifetime.as_secs().to_string());
    let typed = typed
        .filling("pins", lines(pins))
        .filling("matches", lines(matches))
        .filling("condition", condition.unwrap_or_default())
        .filling("client", client.unwrap_or_default())
        .filling("subject", trust.subject.to_string())
        .filling("scope", trust.scope.to_string())
        .filling("resources", trust.resources.join("\n"))
        .filling("lifetime", lifetime.unwrap_or_default())
        .filling("claims", lines(copies))
        .filling_all("uses", trust.uses.iter().map(|usage| word_of(*usage)))
        .filling_all(
            "allowed_lints",
            trust.allowed_lints.iter().map(String::as_str),
        );
    let boxes = [
        ("cap_to_assertion", trust.cap_to_assertion),
        ("client_auth", trust.client_auth == ClientAuth::Required),
    ];
    boxes
        .into_iter()
        .filter(|(_, is_ticked)| *is_ticked)
        .fold(typed, |typed, (name, _)| typed.filling(name, "true"))
}

/// What a JWT is taken for, as members have it.
pub fn word_of(usage: Usage) -> &'static str {
    match usage {
        Usage::Grant => "grant",
        Usage::ClientAuthentication => "client_authentication",
    }
}

/// The members that are wanted.
pub fn members<'t>(members: Members<'t>, wants: impl Fn(&str) -> bool) -> Members<'t> {
    type Add = for<'t> fn(Members<'t>, &str) -> Members<'t>;
    let add: [(&str, Add); 13] = [
        ("pins", |members, name| {
            members.lines_as(name, |line| pin(line).map(PinDocument::from))
        }),
        ("matches", |members, name| {
            members.lines_as(name, |line| claim_match(line).map(MatchDocument::from))
        }),
        ("condition", |members, name| members.text_or_null(name)),
        ("client", |members, name| members.text(name)),
        ("subject", |members, name| members.text_or_null(name)),
        ("scope", |members, name| members.text_or_null(name)),
        ("resources", |members, name| members.lines(name)),
        ("lifetime", |members, name| members.number_or_null(name)),
        ("claims", |members, name| {
            members.lines_as(name, |line| {
                claim_copy(line).map(|copy| CopyDocument::new(copy.to, copy.from))
            })
        }),
        ("uses", |members, name| members.ticked(name)),
        ("allowed_lints", |members, name| members.ticked(name)),
        ("cap_to_assertion", |members, name| members.truth(name)),
        ("client_auth", |members, name| {
            let needs = match members.is_ticked(name) {
                true => "required",
                false => "optional",
            };
            members.with(name, needs)
        }),
    ];
    let wanted = add.into_iter().filter(|(name, _)| wants(name));
    wanted.fold(members, |members, (name, add)| add(members, name))
}

/// The warnings that a form offers to overrule: those that refused it, and those that are overruled.
pub fn lints(typed: &Typed) -> Vec<&'static str> {
    let is_told = |lint: &str| {
        let end = format!("; or allow {lint}");
        typed.faults().any(|(_, detail)| detail.ends_with(&end))
    };
    let known = lint_names().into_iter();
    known
        .filter(|lint| typed.has("allowed_lints", lint) || is_told(lint))
        .collect()
}
