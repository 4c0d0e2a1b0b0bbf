//! What a client may do for a subject: both records, and what comes of them (M125).

use askama::Template;
use grantor::{
    admin::{ClientDocument, EffectiveDocument, GrantDocument, PermissionDocument},
    registry::{ConsentPolicy, Origin, Role},
    server::Body,
    types::{AuthMethod, ClientId, GrantType, SubjectId},
};
use http::Response;

use super::{list::Shown, words::Words};
use crate::{
    admin::{
        Input, NoQuery,
        clients::ShowClient,
        permissions::{AskBody, AskPermission, ShowPermission},
    },
    cli::parse::short_name,
    console::{
        Error, Page, Route, Section, Shell, Visit, address, changes,
        clients::{is_power, may_change, token_for},
    },
    pages::{Markup, Named},
};

/// What a client may do for a subject.
pub struct PermissionPage;

#[derive(Template)]
#[template(path = "console/permissions/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    title: String,
    heading: Markup,
    client: String,
    subject: String,
    records: Vec<Record>,
    grants: Vec<(String, Markup)>,
    /// Where an operator gives what none has given yet.
    give: Option<String>,
    /// The link at which the person is asked.
    ask: Option<(String, Markup)>,
    /// How the client asks for a token for the subject, with its key file.
    command: Option<String>,
    preview: String,
    decisions: String,
    changes: Vec<changes::Line>,
    /// Whether only an owner may change it.
    is_for_owners: bool,
}

/// A permission, with what may be done about it.
struct Record {
    shown: Shown,
    managed_by: Option<String>,
    edit: Option<String>,
    withdraw: Option<String>,
}

impl Page for PermissionPage {
    type Path = (ClientId, SubjectId);
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/permissions/{client}/{subject}", Section::Permissions);

    async fn show(
        visit: &Visit,
        (client_id, subject_id): (ClientId, SubjectId),
        _: NoQuery,
    ) -> Result<Response<Body>, Error> {
        let pair = (client_id, subject_id);
        let shown = visit.ask(Input::<ShowPermission>::at(pair.clone())).await?;
        let client = visit.ask(Input::<ShowClient>::at(pair.0.clone())).await?;
        let words = Words(visit.language());
        let names = [pair.0.as_str(), pair.1.as_str()];
        let may_change = may_change(visit, &client);
        let record = |permission: &PermissionDocument| record(visit, permission, may_change);
        let has_own = |origin| shown.records.iter().any(|record| record.origin == origin);
        let asks = client.consent == ConsentPolicy::Ask && visit.admin.has_people();
        let ask = match asks && !has_own(Origin::Person) {
            true => Some(ask(visit, &pair).await?),
            false => None,
        };
        let of_pair = [("client", names[0]), ("subject", names[1])];
        let view = View {
            trail: vec![(visit.at("/permissions", &[]), words.heading().to_owned())],
            title: format!("{} · {}", names[0], names[1]),
            heading: words.of_pair(Named(names[0]), Named(names[1])),
            client: visit.at("/clients/{client}", &names[..1]),
            subject: visit.at("/subjects/{subject}", &names[1..]),
            grants: grants(words, &shown),
            command: command(&client, &shown),
            give: (may_change && !has_own(Origin::Operator))
                .then(|| visit.at("/permissions/{client}/{subject}/edit", &names)),
            ask,
            preview: address(
                &visit.at("/permissions/preview", &[]),
                &NoQuery {},
                &of_pair,
            ),
            decisions: address(&visit.at("/decisions", &[]), &NoQuery {}, &of_pair),
            changes: changed(visit, names).await?,
            is_for_owners: visit.may_edit() && !may_change,
            records: shown.records.iter().map(record).collect(),
            words,
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

fn record(visit: &Visit, permission: &PermissionDocument, may_change: bool) -> Record {
    let names = [permission.client.as_str(), permission.subject.as_str()];
    let gives_power = permission.scope.as_ref().is_some_and(is_power);
    let may_change = may_change && (!gives_power || visit.may(Role::Owner));
    let is_own = permission.origin == Origin::Operator;
    let origin = permission.origin.as_str();
    Record {
        shown: Shown::of(visit, permission),
        managed_by: permission.managed_by.as_ref().map(ToString::to_string),
        edit: (may_change && is_own)
            .then(|| visit.at("/permissions/{client}/{subject}/edit", &names)),
        withdraw: may_change.then(|| {
            visit.at(
                "/permissions/{client}/{subject}/{origin}/withdraw",
                &[names[0], names[1], origin],
            )
        }),
    }
}

fn grants(words: Words, shown: &EffectiveDocument) -> Vec<(String, Markup)> {
    let told = |of: &GrantDocument| match (&of.scope, &of.refused) {
        (Some(scope), _) if scope.is_empty() => crate::pages::markup(words.a_token_without_scope()),
        (Some(scope), _) => crate::pages::markup(crate::pages::Coded(scope.to_string().as_str())),
        (None, why) => words.nothing(why.as_deref().unwrap_or_default()),
    };
    let row = |of: &GrantDocument| (short_name(&of.grant).to_owned(), told(of));
    shown.grants.iter().map(row).collect()
}

/// The command by which this client gets a token for the subject, if it signs with a key of its own.
fn command(client: &ClientDocument, shown: &EffectiveDocument) -> Option<String> {
    let is_allowed = |of: &GrantDocument| of.grant == GrantType::JWT_BEARER && of.scope.is_some();
    let has_key = client.token_endpoint_auth_method == AuthMethod::PRIVATE_KEY_JWT;
    (has_key && !client.federated && shown.grants.iter().any(is_allowed))
        .then(|| token_for(&client.client_id, &shown.subject))
}

/// The latest changes, by an operator or the person, the newest first.
async fn changed(visit: &Visit, names: [&str; 2]) -> Result<Vec<changes::Line>, Error> {
    let mut lines = Vec::new();
    for filter in changes::of_permission(names[0], names[1]) {
        lines.extend(changes::lines(visit, &filter).await?);
    }
    // Times are written so that their texts are in their order.
    lines.sort_by(|a, b| b.at.cmp(&a.at));
    Ok(lines)
}

async fn ask(visit: &Visit, pair: &(ClientId, SubjectId)) -> Result<(String, Markup), Error> {
    let input = Input::<AskPermission>::with(pair.clone(), AskBody::default());
    let link = visit.ask(input).await?.consent_uri;
    let hint = Words(visit.language()).ask_hint(Named(pair.1.as_str()));
    Ok((link, hint))
}
