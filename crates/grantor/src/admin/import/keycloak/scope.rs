//! Client scopes. Those that do no more than add claims to tokens have no meaning here, and neither
//! have those that Keycloak makes itself.

use std::collections::HashSet;

use grantor_jose::json::Object;

use super::Import;
use crate::{
    admin::import::{LeftOut, part::Part},
    types::{Description, Scope},
};

/// The client scopes of the realm.
#[derive(Default)]
pub(super) struct KnownScopes<'e> {
    kept: HashSet<&'e str>,
    /// Those of which was said already that they are left out.
    left_out: HashSet<&'e str>,
}

/// The client scopes that Keycloak makes in each realm.
const BUILT_IN: [&str; 14] = [
    "acr",
    "address",
    "basic",
    "email",
    "microprofile-jwt",
    "offline_access",
    "organization",
    "phone",
    "profile",
    "role_list",
    "roles",
    "saml_organization",
    "service_account",
    "web-origins",
];

/// What became of a scope that a client names.
pub(super) enum Found {
    Kept,
    LeftOut,
    Unknown,
}

impl KnownScopes<'_> {
    pub fn find(&self, name: &str) -> Found {
        match name {
            _ if self.kept.contains(name) => Found::Kept,
            _ if BUILT_IN.contains(&name) || self.left_out.contains(name) => Found::LeftOut,
            _ => Found::Unknown,
        }
    }
}

impl<'e> Import<'e> {
    pub(super) fn scopes(&mut self, parts: &[Part<'e>]) {
        let (mut built_in, mut mappers) = (0, 0);
        for part in parts {
            match part.text("name") {
                Ok(Some(name)) if BUILT_IN.contains(&name) => built_in += 1,
                Ok(Some(name)) => {
                    mappers += part.items("protocolMappers").map_or(0, |items| items.len());
                    self.scope(part, name);
                }
                Ok(None) => self.made.leave_out(part.left_out("name", "has no name")),
                Err(wrong) => self.made.leave_out(wrong),
            }
        }
        let counted = [
            (
                built_in,
                "that Keycloak makes itself: claims are not asked for by scope here",
            ),
            (
                mappers,
                "protocol mappers in the others: which claims tokens have is not configured",
            ),
        ];
        for (count, what) in counted.into_iter().filter(|(count, _)| *count > 0) {
            let why = format!("{count} {what}");
            self.made.leave_out(LeftOut::new("/clientScopes", why));
        }
    }

    fn scope(&mut self, part: &Part<'e>, name: &'e str) {
        let is_made = match made(part, name) {
            Ok((object, notes)) => {
                let is_made = self.made.scope(part, name, object);
                let notes = notes.into_iter().filter(|_| is_made);
                notes.for_each(|note| self.made.leave_out(note.called(name)));
                is_made
            }
            Err(wrong) => {
                self.made.leave_out(wrong.called(name));
                false
            }
        };
        if is_made {
            self.scopes.kept.insert(name);
        } else if !self.scopes.kept.contains(name) {
            self.scopes.left_out.insert(name);
        }
    }
}

fn made(part: &Part<'_>, name: &str) -> Result<(Object, Vec<LeftOut>), LeftOut> {
    let refused = |why: &str| Err(LeftOut::new(&*part.pointer, why));
    if !matches!(part.text("protocol")?, None | Some("openid-connect")) {
        return refused("is of another protocol than OpenID Connect, which is not spoken here");
    }
    let scope = Scope::parse(name);
    if scope.is_ok_and(|scope| scope.reserved_tokens().next().is_some()) {
        return refused(
            "begins as the scopes of this server's own API do; an import gives no power over it",
        );
    }
    let attributes = part.object("attributes")?;
    if attributes.setting("include.in.token.scope")?.as_deref() == Some("false") {
        return refused("is not in the scope of tokens there: it only adds claims");
    }
    let mut object = Object::new();
    object.insert("name".to_owned(), name.into());
    let mut notes = Vec::new();
    let texts = [
        (
            attributes.place("consent.screen.text"),
            attributes.text("consent.screen.text")?,
        ),
        (part.place("description"), part.text("description")?),
    ];
    // A text in braces is a name in Keycloak's catalogue of messages.
    let mut shown = texts
        .into_iter()
        .filter_map(|(place, text)| Some((place, text?)));
    if let Some((place, text)) = shown.find(|(_, text)| !text.starts_with("${")) {
        match Description::parse(text) {
            Ok(_) => drop(object.insert("en".to_owned(), text.into())),
            Err(error) => notes.push(LeftOut::new(place, format!("this description {error}"))),
        }
    }
    Ok((object, notes))
}
