//! A person's page: who may act for them, and how to end it.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Client, ConsentPolicy, Origin, Permission, PermissionId, Subject},
    server::{
        Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route, authorization,
    },
    types::{ClientId, ErrorCode, GrantType, Rule},
};
use http::{Method, StatusCode};

use super::{
    BrowserSecret, DONE, Language, Named, Notice,
    desk::{Desk, Visitor},
    html::{self, Frame, apart},
    markup,
    refusal::refused,
    sign_out,
    time::{day, hour, minute},
    views::{ClientView, RecordView, ScopeView},
    words::Words,
};
use crate::person::Seen;

/// The form of putting a notice away.
const SEEN: &str = "seen";
/// The form of withdrawing.
const WITHDRAW: &str = "withdraw";

/// The list of who may act for a person.
pub struct OwnPage(pub Arc<Desk>);

/// The question before a client may no longer act, and the end of it.
pub struct WithdrawPage(pub Arc<Desk>);

/// Scopes that are seen before a list is opened, so that what ends it is found below.
const FEW: usize = 10;

#[derive(Template)]
#[template(path = "me.html")]
struct View {
    frame: Frame,
    words: Words,
    subject: String,
    signout: String,
    ticket: String,
    done: Option<Notice>,
    /// When a refresh token was sent twice, until the person says that they have seen it.
    reused: Option<(String, String)>,
    activity: String,
    ways: String,
    entries: Vec<EntryView>,
}

struct EntryView {
    client: ClientView,
    enabled: bool,
    records: Vec<RecordView>,
    withdraw: Option<String>,
    /// When it acted last, if it may act no more; and where it is allowed again.
    acted: Option<(String, Option<String>)>,
}

#[derive(Template)]
#[template(path = "withdraw.html")]
struct WithdrawView {
    frame: Frame,
    words: Words,
    client: ClientView,
    until: String,
    operator: bool,
    ticket: String,
    me: String,
}

/// Somebody who is signed in.
pub fn person(visitor: &Visitor) -> Option<(&Subject, &BrowserSecret)> {
    let (session, secret) = visitor.session.as_ref().zip(visitor.secret.as_ref())?;
    Some((&session.subject, secret))
}

/// On to where one signs in.
pub fn sign_in_first(desk: &Desk) -> Answer {
    Answer::new(html::see_other(&desk.site.path("signin")))
}

/// What was done, on top of the page that an action led to.
pub fn done(context: &Context, request: &Request, secret: &BrowserSecret) -> Option<Notice> {
    let sealed = request.query(DONE)?;
    Notice::open(context, secret, sealed)
}

/// Nobody is signed in at the browser that sent a form.
pub fn nobody() -> Refusal {
    Refusal::new(
        ErrorCode::ACCESS_DENIED,
        Rule::Session,
        "nobody is signed in here",
    )
    .with_status(StatusCode::FORBIDDEN)
}

/// What is not there, or somebody else's: it looks the same.
fn no_permission() -> Refusal {
    Refusal::new(
        ErrorCode::INVALID_REQUEST,
        Rule::Permission,
        "you have not allowed this program anything",
    )
    .with_status(StatusCode::NOT_FOUND)
}

impl OwnPage {
    /// One entry for each client that may act, in the order of their names.
    async fn entries(
        &self,
        context: &Context,
        subject: &Subject,
        language: Language,
    ) -> Result<Vec<EntryView>, Refusal> {
        let desk = &self.0;
        let now = context.now();
        let mut of_clients = BTreeMap::<ClientId, Vec<Arc<Permission>>>::new();
        for permission in desk
            .registry
            .of_subjects
            .permissions_for(&subject.id)
            .await?
        {
            if permission.is_in_force(now) {
                let records = of_clients.entry(permission.client.clone()).or_default();
                records.push(permission);
            }
        }
        let mut entries = Vec::new();
        for (id, permissions) in of_clients {
            let Some(client) = context.clients().client(&id).await? else {
                continue;
            };
            let mut records = Vec::new();
            for permission in &permissions {
                records.push(self.record(&client, permission, language).await?);
            }
            let is_own = permissions
                .iter()
                .any(|permission| permission.origin == Origin::Person);
            let place = desk.site.path("me/withdraw");
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client", id.as_str())
                .finish();
            entries.push(EntryView {
                client: ClientView::of(&client),
                enabled: client.metadata().enabled,
                records,
                withdraw: is_own.then(|| format!("{place}?{query}")),
                acted: None,
            });
        }
        entries.extend(self.acted(context, subject, &entries).await?);
        Ok(entries)
    }

    /// The clients that acted lately and may act no more (C060).
    async fn acted(
        &self,
        context: &Context,
        subject: &Subject,
        known: &[EntryView],
    ) -> Result<Vec<EntryView>, Refusal> {
        let mut acted = Vec::new();
        for (id, at) in self.0.acted_lately(subject, context.now()).await? {
            let Some(client) = context.clients().client(&id).await? else {
                continue;
            };
            if known.iter().any(|entry| entry.client.id == id.as_str()) {
                continue;
            }
            let asks = client.metadata().consent == ConsentPolicy::Ask;
            let again = || context.consent_link(&id, None, &subject.id);
            acted.push(EntryView {
                client: ClientView::of(&client),
                enabled: client.metadata().enabled,
                records: Vec::new(),
                withdraw: None,
                acted: Some((day(at), asks.then(again).flatten())),
            });
        }
        Ok(acted)
    }

    /// When a refresh token of the person was sent twice, with the ticket of the form that puts the
    /// notice away; `None` once it was put away (C064).
    async fn reused(
        &self,
        context: &Context,
        subject: &Subject,
        secret: &BrowserSecret,
    ) -> Result<Option<(String, String)>, Refusal> {
        let Some(at) = self.0.reused_at(subject).await? else {
            return Ok(None);
        };
        let seen = Seen::find(context.artifacts(), subject, context.now()).await?;
        if seen.is_some_and(|seen| seen >= at) {
            return Ok(None);
        }
        let ticket = self.0.ticket(context, SEEN, secret);
        Ok(Some((minute(at), ticket)))
    }

    /// Puts the notice away.
    async fn put_away(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let (subject, _) = person(&visitor).ok_or_else(nobody)?;
        desk.check_form(context, request, SEEN, &visitor)?;
        decision.is_by(&subject.id);
        Seen::keep(context.artifacts(), subject, context.now()).await?;
        Ok(Answer::new(html::see_other(&desk.site.path("me"))))
    }

    async fn record(
        &self,
        client: &Client,
        permission: &Permission,
        language: Language,
    ) -> Result<RecordView, Refusal> {
        let words = Words(language);
        let registered = &client.metadata().scope;
        let scope = match &permission.scope {
            Some(limit) => registered.intersection(limit),
            // Power over this server is named, or not given.
            None => registered.clone().without_reserved(),
        };
        let given = permission.created_at.map(day);
        let given = match (permission.origin, given) {
            (Origin::Person, Some(day)) => words.you_allowed_it_on(day.as_str()),
            (Origin::Person, None) => markup(words.you_allowed_it()),
            (Origin::Operator, Some(day)) => words.set_up_by_operator_on(day.as_str()),
            (Origin::Operator, None) => markup(words.set_up_by_operator()),
        };
        let when_absent = [GrantType::JWT_BEARER, GrantType::REFRESH_TOKEN];
        let acts_when_absent = when_absent
            .iter()
            .any(|grant| permission.grants.contains(grant));
        Ok(RecordView {
            scopes: ScopeView::all(&*self.0.registry.scope_texts, &scope, language).await?,
            absent: acts_when_absent,
            given,
            until: permission.expires_at.map(minute),
            used: permission.last_used_at.map(|at| hour(at, language)),
        })
    }
}

#[async_trait]
impl Endpoint for OwnPage {
    fn route(&self) -> Route {
        Route::page("me", Path::Suffix("me"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        if request.method() == Method::POST {
            return self.put_away(context, request, decision).await;
        }
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let Some((subject, secret)) = person(&visitor) else {
            decision.waits();
            return Ok(sign_in_first(desk));
        };
        decision.is_by(&subject.id);
        decision.waits();
        let frame = desk.frame(request, "me");
        let view = View {
            words: frame.words(),
            subject: subject.id.to_string(),
            signout: desk.site.path("signout"),
            ticket: desk.ticket(context, sign_out::ACTION, secret),
            done: done(context, request, secret),
            reused: self.reused(context, subject, secret).await?,
            activity: desk.site.path("me/activity"),
            ways: desk.site.path("me/signin"),
            entries: self.entries(context, subject, frame.language()).await?,
            frame,
        };
        Ok(Answer::new(apart(desk.page(request, &view))))
    }

    async fn refuse(
        &self,
        _: &Context,
        request: &Request,
        refusal: &Refusal,
        decision: &Decision,
    ) -> Answer {
        refused(&self.0, request, refusal, decision)
    }
}

impl WithdrawPage {
    /// The client that `client` names, and the person's record for it.
    async fn meant(
        &self,
        context: &Context,
        name: Option<&str>,
        subject: &Subject,
    ) -> Result<(Arc<Client>, Arc<Permission>), Refusal> {
        let client = context.client(name.unwrap_or_default()).await?;
        let client = client.ok_or_else(no_permission)?;
        let id = PermissionId::by_person(client.id().clone(), subject.id.clone());
        let permission = self.0.registry.permissions.get(&id).await?;
        Ok((client, permission.ok_or_else(no_permission)?))
    }

    async fn show(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let Some((subject, secret)) = person(visitor) else {
            decision.waits();
            return Ok(sign_in_first(desk));
        };
        decision.is_by(&subject.id);
        decision.waits();
        let name = request.query("client");
        let (client, _) = self.meant(context, name, subject).await?;
        let records = context.permissions();
        let records = records.permissions_of(client.id(), &subject.id).await?;
        let is_in_force = |record: &Arc<Permission>| record.is_in_force(context.now());
        let frame = desk.frame(request, "me/withdraw");
        let view = WithdrawView {
            words: frame.words(),
            frame,
            until: minute(self.last_end(context.now())),
            operator: records.operator().is_some_and(is_in_force),
            ticket: desk.ticket(context, WITHDRAW, secret),
            client: ClientView::of(&client),
            me: desk.site.path("me"),
        };
        Ok(Answer::new(apart(desk.page(request, &view))))
    }

    /// Ends the person's own record. With it ends everything that was given out under it: at
    /// introspection at once, at APIs that ask nobody when it expires (DC11).
    async fn withdraw(
        &self,
        context: &Context,
        request: &Request,
        visitor: &Visitor,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let (subject, secret) = person(visitor).ok_or_else(nobody)?;
        desk.check_form(context, request, WITHDRAW, visitor)?;
        decision.is_by(&subject.id);
        let name = request.parameter("client");
        let (client, permission) = self.meant(context, name, subject).await?;
        let actor = authorization::actor(request, subject, decision);
        let permissions = &desk.registry.permissions;
        permissions.delete(&permission.id(), &actor).await?;
        let words = desk.frame(request, "me/withdraw").words();
        let until = minute(self.last_end(context.now()));
        let name = Named(client.metadata().shown_name());
        let notice = Notice::of(words.no_longer_acts(name, &until));
        let place = notice.on(&desk.site.path("me"), context, secret);
        Ok(Answer::new(html::see_other(&place)))
    }

    /// When the last token that may have been given out ends.
    fn last_end(&self, now: UnixTime) -> UnixTime {
        now.plus(self.0.token_lifetime)
    }
}

#[async_trait]
impl Endpoint for WithdrawPage {
    fn route(&self) -> Route {
        Route::page("withdraw", Path::Suffix("me/withdraw"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let visitor = self.0.visitor(context, request.headers()).await?;
        match request.method() == Method::POST {
            true => self.withdraw(context, request, &visitor, decision).await,
            false => self.show(context, request, &visitor, decision).await,
        }
    }
}
