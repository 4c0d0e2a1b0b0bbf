//! A subject: how it signs in, who may act for it, what was done in its name.

use askama::Template;
use grantor::{
    admin::{PermissionDocument, PermissionFilter, SubjectDocument},
    registry::{Origin, Role},
    server::{Body, Decision, Outcome},
    storage::DecisionFilter,
    types::{self, SubjectId},
};
use http::Response;

use super::{SUBJECT, SUBJECTS, TAKE_PASSKEY, may_change, words::Words};
use crate::{
    admin::{
        Input, NoQuery, Operation, Portion,
        decisions::ListDecisions,
        permissions::ListPermissions,
        subjects::{ListOpen, PasskeyEntry, PasswordEntry, ShowCredentials, ShowSubject},
    },
    console::{Error, FewScopes, Page, Route, Section, Shell, Visit, address, changes},
    pages::{Language, Link, Markup, Named, time},
    person::{Invitation, OpenSession},
};

/// A subject.
pub struct SubjectPage;

/// How many permissions, decisions and changes are shown here; the rest is on pages of their own.
const FEW: u32 = 10;

#[derive(Template)]
#[template(path = "console/subjects/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    id: String,
    is_enabled: bool,
    role: Option<&'static str>,
    made: Option<String>,
    /// What it is called, and its language, where that is said.
    addressed: Vec<Markup>,
    managed_by: Option<String>,
    /// Why nothing can be changed here, if an owner could.
    only_owners: Option<Markup>,
    actions: Option<Actions>,
    change_role: Option<String>,
    give_permission: Option<String>,
    password: Option<Markup>,
    passkeys: Vec<PasskeyRow>,
    invitations: Vec<Markup>,
    sessions: Vec<SessionRow>,
    permissions: Vec<PermissionRow>,
    all_permissions: String,
    decisions: Vec<DecisionRow>,
    all_decisions: String,
    changes: Vec<changes::Line>,
    all_changes: String,
}

/// What may be done about it: paths.
struct Actions {
    edit: String,
    switch: String,
    delete: String,
    invite: String,
    recover: String,
    end_invitation: String,
    end_credentials: String,
    end_sessions: String,
}

struct PasskeyRow {
    name: String,
    made: String,
    used: String,
    take: String,
}

struct SessionRow {
    opens: &'static str,
    signed_in: String,
    used: String,
    ends: String,
}

struct PermissionRow {
    client: String,
    path: String,
    scope: Option<FewScopes>,
    given_by: &'static str,
    used: String,
}

struct DecisionRow {
    path: String,
    at: String,
    ago: String,
    what: String,
    client: Option<String>,
    /// Whether it was granted, or refused, and by which rule.
    outcome: Result<bool, String>,
}

impl Page for SubjectPage {
    type Path = SubjectId;
    type Query = NoQuery;

    const ROUTE: Route = Route::page(SUBJECT, Section::Subjects);

    async fn show(visit: &Visit, id: SubjectId, _: NoQuery) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let state = visit.ask(Input::<ShowSubject>::at(id.clone())).await?;
        let name = id.as_str();
        let subject = &state.subject;
        let at = |template: &str| visit.at(template, &[name]);
        let mut permissions = PermissionFilter::default();
        permissions.subject = Some(id.clone());
        let mut decisions = DecisionFilter::default();
        decisions.subject = Some(id.to_string());
        decisions.since = subject.created_at;
        let changes = changes::of("subject", name);
        let can_change = may_change(visit, state.role);
        let ways = visit.ask(Input::<ShowCredentials>::at(id.clone())).await?;
        let operators = visit.at(Section::Operators.path(), &[]);
        let operators = Link::to(&operators, words.operators());
        let view = View {
            words,
            trail: vec![(visit.at(SUBJECTS, &[]), words.heading().to_owned())],
            id: id.to_string(),
            is_enabled: subject.enabled,
            role: state.role.map(|role| visit.words().role(role)),
            made: subject.created_at.map(time::minute),
            addressed: addressed(words, subject),
            managed_by: subject.managed_by.as_ref().map(ToString::to_string),
            only_owners: (visit.may_edit() && !can_change).then(|| words.only_owners(operators)),
            actions: can_change.then(|| Actions {
                edit: at("/subjects/{subject}/edit"),
                switch: at("/subjects/{subject}/switch"),
                delete: at("/subjects/{subject}/delete"),
                invite: at("/subjects/{subject}/invite"),
                recover: at("/subjects/{subject}/recover"),
                end_invitation: at("/subjects/{subject}/invitations"),
                end_credentials: at("/subjects/{subject}/credentials"),
                end_sessions: at("/subjects/{subject}/sessions"),
            }),
            change_role: visit
                .may(Role::Owner)
                .then(|| at("/operators/{subject}/role")),
            give_permission: can_change.then(|| {
                let subject = [("subject", name)];
                address(&visit.at("/permissions/new", &[]), &(), &subject)
            }),
            password: ways.password.map(|set| password(visit, words, &set)),
            passkeys: ways
                .passkeys
                .iter()
                .map(|passkey| passkey_row(visit, words, &id, passkey))
                .collect(),
            invitations: invitations(visit, words, &id).await?,
            sessions: sessions(visit, words, &id).await?,
            permissions: few::<ListPermissions>(visit, permissions.clone())
                .await?
                .items
                .iter()
                .map(|permission| permission_row(visit, words, permission))
                .collect(),
            all_permissions: address(&visit.at("/permissions", &[]), &permissions, &[]),
            decisions: few::<ListDecisions>(visit, decisions.clone())
                .await?
                .items
                .iter()
                .rev()
                .map(|kept| decision_row(visit, &kept.0))
                .collect(),
            all_decisions: {
                decisions.since = None;
                address(&visit.at("/decisions", &[]), &decisions, &[])
            },
            changes: changes::lines(visit, &changes).await?,
            all_changes: changes::all(visit, &changes),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

/// What a subject is called, and its language.
fn addressed(words: Words, subject: &SubjectDocument) -> Vec<Markup> {
    let name = subject.display_name.as_ref();
    let name = name.map(|name| words.is_called(Named(name.as_str())));
    let language = subject.language.map(types::Language::as_str);
    let language = language.and_then(Language::of_tag);
    let language = language.map(|language| words.reads(language.tag(), language.name()));
    name.into_iter().chain(language).collect()
}

/// The first of a list, or the last of records.
async fn few<O>(visit: &Visit, filter: O::Query) -> Result<O::Answer, Error>
where
    O: Operation<Path = (), Body = ()>,
{
    let input = Input::<O> {
        path: (),
        query: filter,
        portion: Portion {
            limit: FEW,
            ..Portion::default()
        },
        body: (),
    };
    visit.ask(input).await
}

fn password(visit: &Visit, words: Words, password: &PasswordEntry) -> Markup {
    let at = password.changed_at;
    let ago = time::distance(at, visit.now(), visit.language());
    words.password_since(&time::day(at), &ago)
}

fn passkey_row(visit: &Visit, words: Words, id: &SubjectId, passkey: &PasskeyEntry) -> PasskeyRow {
    let names = [id.as_str(), passkey.credential.as_str()];
    PasskeyRow {
        name: passkey.name.clone(),
        made: time::day(passkey.created_at),
        used: match passkey.used_at {
            Some(used) => time::distance(used, visit.now(), visit.language()),
            None => words.not_used().to_owned(),
        },
        take: visit.at(TAKE_PASSKEY, &names),
    }
}

async fn invitations(visit: &Visit, words: Words, id: &SubjectId) -> Result<Vec<Markup>, Error> {
    let input = Input::<ListOpen<Invitation>>::at(id.clone());
    let open = visit.ask(input).await?;
    let far = |at| time::distance(at, visit.now(), visit.language());
    let open = open.items.iter().map(|invitation| {
        let [made, ends] = [invitation.created_at, invitation.expires_at].map(far);
        match invitation.recover {
            true => words.recovery_open(&made, &ends),
            false => words.invitation_open(&made, &ends),
        }
    });
    Ok(open.collect())
}

async fn sessions(visit: &Visit, words: Words, id: &SubjectId) -> Result<Vec<SessionRow>, Error> {
    let input = Input::<ListOpen<OpenSession>>::at(id.clone());
    let open = visit.ask(input).await?;
    let far = |at| time::distance(at, visit.now(), visit.language());
    let row = open.items.iter().map(|session| SessionRow {
        opens: words.session(session.kind),
        signed_in: time::minute(session.signed_in_at),
        used: far(session.used_at),
        ends: far(session.expires_at),
    });
    Ok(row.collect())
}

fn permission_row(visit: &Visit, words: Words, permission: &PermissionDocument) -> PermissionRow {
    let names = [permission.client.as_str(), permission.subject.as_str()];
    PermissionRow {
        client: permission.client.to_string(),
        path: visit.at("/permissions/{client}/{subject}", &names),
        scope: permission
            .scope
            .as_ref()
            .map(|scope| FewScopes::of(scope, visit.words())),
        given_by: match permission.origin {
            Origin::Person => words.by_person(),
            Origin::Operator => words.by_operator(),
        },
        used: match permission.last_used_at {
            Some(at) => time::distance(at, visit.now(), visit.language()),
            None => words.not_used().to_owned(),
        },
    }
}

fn decision_row(visit: &Visit, decision: &Decision) -> DecisionRow {
    let client = decision.client.as_ref().map(ToString::to_string);
    let claimed = decision.claimed_client.as_ref().map(ToString::to_string);
    let grant = decision.grant_type.as_ref().map(ToString::to_string);
    DecisionRow {
        path: visit.at("/decisions/{decision}", &[decision.id.as_str()]),
        at: time::minute(decision.at),
        ago: time::distance(decision.at, visit.now(), visit.language()),
        what: grant.unwrap_or_else(|| decision.endpoint.to_string()),
        client: client.or(claimed),
        outcome: match &decision.outcome {
            Outcome::Granted => Ok(true),
            Outcome::Undecided => Ok(false),
            Outcome::Refused { rule, .. } => Err(rule.name().to_owned()),
        },
    }
}
