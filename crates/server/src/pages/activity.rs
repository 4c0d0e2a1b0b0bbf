//! What was done in a person's name: the decisions about them, without private causes (C062).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use askama::Template;
use async_trait::async_trait;
use grantor::{
    admin::{Decisions, Error},
    clock::UnixTime,
    registry::{Client, Subject},
    server::{
        Answer, Context, Decision, Endpoint, Metadata, Outcome, Path, Refusal, Request, Route,
    },
    storage::{DecisionFilter, Start, StoreError},
    types::{ClientId, Rule},
};
use http::Method;

use super::{
    Named, Notice,
    desk::Desk,
    html::{self, Frame, apart},
    markup,
    me::{nobody, person, sign_in_first},
    refusal::refused,
    time::{distance, minute},
    views::ClientView,
    words::Words,
};

/// Decisions that a page shows.
const SHOWN: u32 = 100;
/// A client that acted no longer ago than this is on the person's page, also if it may act no more.
const LATELY: Duration = Duration::from_secs(30 * 86_400);
/// The form that ends all sessions but this one.
const NOT_ME: &str = "me/not-me";

/// The list of what was done.
pub struct ActivityPage(pub Arc<Desk>);

/// What a person does about something that was not them.
pub struct NotMePage(pub Arc<Desk>);

#[derive(Template)]
#[template(path = "activity.html")]
struct View {
    frame: Frame,
    words: Words,
    me: String,
    rows: Vec<Row>,
}

struct Row {
    at: String,
    ago: String,
    client: String,
    scope: String,
    is_granted: bool,
    not_me: String,
}

#[derive(Template)]
#[template(path = "not_me.html")]
struct NotMeView {
    frame: Frame,
    words: Words,
    /// What acted in the person's name; and where that is withdrawn, if it is the person's to end.
    client: Option<(ClientView, Option<String>)>,
    ticket: String,
    me: String,
}

impl Desk {
    /// What was decided about this person at the token endpoint, the newest last. What was decided
    /// about an earlier subject of the name is not theirs (C055).
    async fn decided(
        &self,
        subject: &Subject,
        filter: DecisionFilter,
    ) -> Result<Vec<Decision>, StoreError> {
        let mut filter = filter;
        filter.subject = Some(subject.id.to_string());
        filter.endpoint = Some("token".to_owned());
        filter.since = filter.since.max(subject.created_at);
        let decisions = Decisions::new(&*self.decisions);
        let page = decisions.page(&filter, Start::Last(SHOWN), SHOWN).await;
        let page = page.map_err(|error| match error {
            Error::Store(error) => error,
            error => StoreError::Failed(Box::new(error)),
        });
        Ok(page?.decisions)
    }

    /// When each client acted for this person last, of those that did it lately (C060).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn acted_lately(
        &self,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<BTreeMap<ClientId, UnixTime>, StoreError> {
        let mut filter = DecisionFilter::default();
        filter.since = Some(now.minus(LATELY));
        let decided = self.decided(subject, filter).await?;
        let granted = decided
            .into_iter()
            .filter(|decision| matches!(decision.outcome, Outcome::Granted));
        Ok(granted
            .filter_map(|decision| Some((decision.client?, decision.at)))
            .collect())
    }

    /// When a refresh token of this person was last sent twice (C064).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reused_at(&self, subject: &Subject) -> Result<Option<UnixTime>, StoreError> {
        let mut filter = DecisionFilter::default();
        filter.rule = Some(Rule::RefreshReuse.name().to_owned());
        let decided = self.decided(subject, filter).await?;
        Ok(decided.last().map(|decision| decision.at))
    }
}

#[async_trait]
impl Endpoint for ActivityPage {
    fn route(&self) -> Route {
        Route::query("activity", Path::Suffix("me/activity"))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        decision.waits();
        let visitor = desk.visitor(context, request.headers()).await?;
        let Some((subject, _)) = person(&visitor) else {
            return Ok(sign_in_first(desk));
        };
        decision.is_by(&subject.id);
        let frame = desk.frame(request, "me/activity");
        let (language, now) = (frame.language(), context.now());
        let decided = desk.decided(subject, DecisionFilter::default()).await?;
        let row = |decision: &Decision| {
            let client = decision.client.as_ref();
            let client = client.map(ToString::to_string).unwrap_or_default();
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client", &client)
                .finish();
            Row {
                at: minute(decision.at),
                ago: distance(decision.at, now, language),
                scope: decision
                    .scope
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                is_granted: matches!(decision.outcome, Outcome::Granted),
                not_me: format!("{}?{query}", desk.site.path(NOT_ME)),
                client,
            }
        };
        let view = View {
            words: frame.words(),
            me: desk.site.path("me"),
            rows: decided.iter().rev().map(row).collect(),
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

impl NotMePage {
    /// A client that did something in this person's name, and whether the person allowed it. Of any
    /// other client nothing is told (CA31).
    async fn acted(
        &self,
        context: &Context,
        subject: &Subject,
        client: Arc<Client>,
    ) -> Result<Option<(Arc<Client>, bool)>, StoreError> {
        let filter = DecisionFilter::default();
        let decided = self.0.decided(subject, filter).await?;
        let is_its = |decision: &Decision| decision.client.as_ref() == Some(client.id());
        if !decided.iter().any(is_its) {
            return Ok(None);
        }
        let permissions = context.permissions();
        let records = permissions.permissions_of(client.id(), &subject.id).await?;
        let is_allowed = records.person().is_some();
        Ok(Some((client, is_allowed)))
    }

    async fn show(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        decision.waits();
        let visitor = desk.visitor(context, request.headers()).await?;
        let Some((subject, secret)) = person(&visitor) else {
            return Ok(sign_in_first(desk));
        };
        decision.is_by(&subject.id);
        let name = request.query("client").unwrap_or_default();
        let client = match context.client(name).await? {
            Some(client) => self.acted(context, subject, client).await?,
            None => None,
        };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("client", name)
            .finish();
        let frame = desk.frame(request, NOT_ME);
        let view = NotMeView {
            words: frame.words(),
            client: client.map(|(client, is_allowed)| {
                let withdraw = format!("{}?{query}", desk.site.path("me/withdraw"));
                (ClientView::of(&client), is_allowed.then_some(withdraw))
            }),
            ticket: desk.ticket(context, NOT_ME, secret),
            me: desk.site.path("me"),
            frame,
        };
        Ok(Answer::new(apart(desk.page(request, &view))))
    }

    /// Ends every session of the person, and begins this one anew.
    async fn end_others(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        let desk = &self.0;
        let visitor = desk.visitor(context, request.headers()).await?;
        let session = visitor.session.as_ref().ok_or_else(nobody)?;
        desk.check_form(context, request, NOT_ME, &visitor)?;
        decision.is_by(&session.subject.id);
        let secret = desk.sessions.end_others(context, session).await?;
        let words = desk.frame(request, NOT_ME).words();
        let notice = Notice::of(markup(words.others_ended()));
        let place = notice.on(&desk.site.path("me"), context, &secret);
        let response = html::see_other(&place);
        let cookie = secret.set(&desk.site);
        Ok(Answer::new(html::with_cookie(response, cookie)))
    }
}

#[async_trait]
impl Endpoint for NotMePage {
    fn route(&self) -> Route {
        Route::page("not_me", Path::Suffix(NOT_ME))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<Answer, Refusal> {
        match request.method() == Method::POST {
            true => self.end_others(context, request, decision).await,
            false => self.show(context, request, decision).await,
        }
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
