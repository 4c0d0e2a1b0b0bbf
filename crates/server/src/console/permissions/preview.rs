//! What a token request would get now, and why (M125).

use askama::Template;
use grantor::{
    admin::PreviewDocument,
    server::Body,
    types::{ClientId, GrantType},
};
use http::Response;
use serde::{Deserialize, Serialize};

use super::{list::path_of, words::Words};
use crate::{
    admin::{
        Input,
        clients::{PreviewClient, ShowClient},
    },
    cli::parse::short_name,
    console::{Error, Page, Pick, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Coded, Markup},
};

/// What a request would get.
pub struct PreviewPage;

/// The request that is thought of, as it is typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thought {
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

#[derive(Template)]
#[template(path = "console/permissions/preview.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    typed: Typed,
    grants: Vec<Pick>,
    outcome: Option<Outcome>,
}

/// What it would get.
struct Outcome {
    is_granted: bool,
    sentence: Markup,
    /// Where one can do something about it: path and text.
    links: Vec<(String, &'static str)>,
}

const GRANTS: [GrantType; 4] = [
    GrantType::JWT_BEARER,
    GrantType::CLIENT_CREDENTIALS,
    GrantType::AUTHORIZATION_CODE,
    GrantType::REFRESH_TOKEN,
];

impl Page for PreviewPage {
    type Path = ();
    type Query = Thought;

    const ROUTE: Route = Route::page("/permissions/preview", Section::Permissions);

    async fn show(visit: &Visit, (): (), thought: Thought) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let mut typed = Typed::of(
            &serde_html_form::to_string(&thought).expect("its members are pairs of texts"),
        );
        let outcome = match previewed(visit, &typed).await {
            Ok(outcome) => outcome,
            // It is a form that changes nothing: what is wrong with it is said at its fields.
            Err(error) if error.is_of_form() => {
                if let Some(problem) = error.problem() {
                    typed = typed.refused(problem, error.language());
                }
                None
            }
            Err(error) => return Err(error),
        };
        let typed = typed.filling("grant", short_name(&GrantType::JWT_BEARER));
        let grants = GRANTS.map(|grant| Pick::new(short_name(&grant), short_name(&grant)));
        let view = View {
            summary: Summary::of(&typed),
            trail: vec![(visit.at("/permissions", &[]), words.heading().to_owned())],
            grants: Pick::of(grants, typed.text("grant")),
            outcome,
            words,
            shell: visit.shell(),
            typed: typed.clone(),
        };
        Ok(visit.form(&typed, &view))
    }
}

async fn previewed(visit: &Visit, typed: &Typed) -> Result<Option<Outcome>, Error> {
    let words = Words(visit.language());
    let wrong = |detail: String| {
        let fault = grantor::admin::Fault::new("client", detail);
        crate::admin::Problem::at_fault(crate::admin::Slug::Invalid, vec![fault])
    };
    // A link may name a client before anything else is chosen.
    if typed.text("client").is_empty() || typed.value("grant").is_none() {
        return Ok(None);
    }
    let id = ClientId::parse(typed.text("client"));
    let id = id.map_err(|error| wrong(error.to_string()))?;
    let client = visit.find(Input::<ShowClient>::at(id.clone())).await?;
    if client.is_none() {
        let problem = wrong(words.no_such_client().to_owned());
        return Err(Error::worded(problem, visit.language()));
    }
    let named = |grant: &GrantType| short_name(grant) == typed.text("grant");
    let grant = GRANTS.into_iter().find(named);
    let grant = grant.map_or_else(|| typed.text("grant").to_owned(), |grant| grant.to_string());
    let members = typed
        .members()
        .with("grant", grant)
        .text("subject")
        .text("scope")
        .text("resource");
    let asked = visit.ask(Input::<PreviewClient>::with(id.clone(), members.body()?));
    Ok(Some(outcome(visit, &id, typed, &asked.await?)))
}

fn outcome(visit: &Visit, id: &ClientId, typed: &Typed, told: &PreviewDocument) -> Outcome {
    let words = Words(visit.language());
    let client = visit.at("/clients/{client}", &[id.as_str()]);
    let mut links = vec![(client, words.to_client())];
    let subject = typed.text("subject").parse();
    if let Ok(subject) = subject {
        links.push((path_of(visit, id, &subject), words.to_permission()));
    }
    let audience = told.audience.as_deref().unwrap_or_default();
    let sentence = match &told.scope {
        Some(scope) if scope.is_empty() => words.token_without(Coded(audience)),
        Some(scope) => words.token_with(Coded(&scope.to_string()), Coded(audience)),
        None => {
            let rule = told.rule.as_ref().map_or("", |rule| rule.name());
            words.refused_for(Coded(rule), told.refused.as_deref().unwrap_or_default())
        }
    };
    Outcome {
        is_granted: told.scope.is_some(),
        sentence,
        links,
    }
}
