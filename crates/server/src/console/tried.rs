//! The page on which a JWT is tried: by an issuer, or by one trust. Nothing is used up, and the JWT
//! is kept nowhere and never comes back (M166).

use askama::Template;
use grantor::server::Body;
use http::Response;

use super::{
    Error, Shell, Summary, Typed, Visit,
    decisions::{
        rules::{Rules, TrustView},
        words as decisions,
    },
};
use crate::{
    admin::{jwt_body::TriedJwt, tried::Tried},
    pages::{Markup, words},
};

/// The field of the JWT.
pub const JWT: &str = "jwt";

words! {
    /// What the pages say on which a JWT is tried.
    pub struct Words;
    about: "Every rule and every trust is looked at. The JWT is not used up, kept nowhere and not shown again.", "Chaque règle et chaque confiance est examinée. Le JWT n'est pas consommé, n'est conservé nulle part et n'est pas réaffiché.";
    jwt: "JWT", "JWT";
    jwt_hint: "Three parts with dots between them, at most 16 KiB.", "Trois parties séparées par des points, au plus 16 Kio.";
    usage: "Used as", "Utilisé comme";
    usage_hint: "By itself a JWT is tried as its typ says.", "Sans indication, un JWT est essayé selon son typ.";
    by_type: "as its typ says", "selon son typ";
    grant: "grant", "octroi";
    client_authentication: "client authentication", "authentification de client";
    at: "As of", "À la date";
    at_hint: "Such as 2030-01-31T12:00:00Z. Now, if nothing is said.", "Par exemple 2030-01-31T12:00:00Z. Maintenant, si rien n'est dit.";
    test: "Test it", "Le tester";
    would_get: "It would get a token.", "Il obtiendrait un jeton.";
    would_get_nothing: "It would get nothing.", "Il n'obtiendrait rien.";
    what_to_do: "What to do", "Que faire";
    trusts: "Trusts", "Confiances";
    others(count: u32): "{count} other trusts of the issuer came less near.", "{count} autres confiances de l'émetteur étaient plus éloignées.";
}

/// Where a JWT is tried.
pub struct Trial {
    /// The pages above.
    pub trail: Vec<(String, String)>,
    /// What the page is called, without names.
    pub title: &'static str,
    /// And with them.
    pub heading: Markup,
    /// What was typed, of which the JWT is not shown.
    pub typed: Typed,
}

#[derive(Template)]
#[template(path = "console/tried.html")]
struct View {
    shell: Shell,
    words: decisions::Words,
    own: Words,
    summary: Option<Summary>,
    trial: Trial,
    typed: Typed,
    action: String,
    ticket: String,
    result: Option<Outcome>,
}

struct Outcome {
    tried: Tried,
    rules: Rules,
    trusts: Vec<TrustView>,
    others: Option<Markup>,
}

impl Outcome {
    fn of(visit: &Visit, tried: Tried) -> Self {
        let (own, words) = (Words(visit.language()), decisions::Words(visit.language()));
        let explanation = &tried.explanation;
        let trusts = explanation.trusts.iter();
        let others = Some(explanation.other_trusts).filter(|count| *count > 0);
        Self {
            rules: Rules::of(explanation, words),
            trusts: trusts
                .map(|check| TrustView::of(visit, words, check))
                .collect(),
            others: others.map(|count| own.others(count)),
            tried,
        }
    }
}

impl Trial {
    /// The page, with what came of a JWT.
    pub fn page(self, visit: &Visit, tried: Option<Tried>) -> Response<Body> {
        let typed = self.typed.clone();
        let view = View {
            words: decisions::Words(visit.language()),
            own: Words(visit.language()),
            summary: Summary::of(&typed),
            action: visit.here(),
            ticket: visit.ticket(),
            result: tried.map(|tried| Outcome::of(visit, tried)),
            shell: visit.shell(),
            typed: typed.clone(),
            trial: self,
        };
        visit.form(&typed, &view)
    }
}

/// The JWT that was typed, and as of when.
///
/// # Errors
/// What is wrong with it.
pub fn body(typed: &Typed) -> Result<TriedJwt, Error> {
    typed.members().text(JWT).text("use").text("at").body()
}
