//! From a request to its page: who comes, whether they may, and what is wrong with a form.

use std::sync::Arc;

use bytes::Bytes;
use grantor::{
    admin::{Expected, Fault, Rights},
    clock::Clock as _,
    registry::{Actor, Operator, Role, Way, Who},
    server::{Blame, Body, ErrorCode, Refusal, Retry, Sender},
    storage::StoreError,
    types::{CorrelationId, Rule},
};
use grantor_stores::aside;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use tokio::runtime::Handle;

use super::{
    Console, Done, Error, Typed, Visit,
    page::Leaf,
    problem::{Outside, Problem},
    typed::{OVERRIDE, REASON, STATE, TICKET},
    visit::frame,
    words::Words,
};
use crate::{
    admin::{self, Administration, CLOCK, Slug, name_of, revision_of},
    pages::{
        BrowserSecret, Choice, Coded, DONE, HELD, Language, Markup, Notice, TO, Visitor, Waiting,
        html, markup,
    },
};

/// The name of the console in decisions and metrics.
pub const NAME: &str = "console";

/// Largest form, in octets.
const LARGEST: usize = 64 * 1024;

type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Console {
    /// Whether this path is one of the console.
    pub fn is_at(&self, path: &str) -> bool {
        self.below(path).is_some()
    }

    /// What is behind `/console` in a path.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&*self.path)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// Answers a request.
    pub async fn respond<B>(self: &Arc<Self>, request: http::Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Error: Into<BodyError>,
    {
        let (head, body) = request.into_parts();
        let visitor = self.desk.visitor(self.server.context(), &head.headers);
        let mut response = match visitor.await {
            Ok(visitor) => match Box::pin(self.answer(&head, &visitor, body)).await {
                Ok(response) => response,
                Err(error) => self.reject(&head, error, None, blame_of(&visitor)),
            },
            Err(error) => self.reject(&head, error.into(), None, Blame::NoProof),
        };
        let choice = Choice::of(head.uri.query().unwrap_or_default());
        for cookie in choice.cookies(&self.desk.site) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    async fn answer<B>(
        self: &Arc<Self>,
        head: &Parts,
        visitor: &Visitor,
        body: B,
    ) -> Result<Response<Body>, Error>
    where
        B: http_body::Body + Send,
        B::Error: Into<BodyError>,
    {
        let below = self.below(head.uri.path()).unwrap_or_default();
        let found = self.routes.at(below).ok();
        let Some(found) = found else {
            return self.nothing_here(head, visitor).await;
        };
        let position = *found.value;
        let names = found.params.iter().map(|(_, value)| name_of(value));
        let names: Option<Vec<String>> = names.collect();
        let route = self.leaves[position].route();
        let is_post = match head.method {
            Method::GET | Method::HEAD => false,
            Method::POST if route.is_form => true,
            _ => return Err(Error::Method(route.methods())),
        };
        let body = match is_post {
            true => {
                // First: what another site sends is not kept for later either.
                self.desk.check_origin(&head.headers)?;
                form(head, body).await?
            }
            false => String::new(),
        };
        let leaf = &*self.leaves[position];
        let Some(entered) = self.enter(head, visitor, leaf, &body) else {
            let secret = visitor.secret.as_ref();
            let sent = is_post.then(|| Typed::of(&body).without(leaf.secret()));
            return Ok(self.sign_in_first(head, secret, sent, &Error::SignIn));
        };
        let asked = Asked {
            entered,
            names: names.ok_or(Error::NothingHere),
            position,
            is_post,
        };
        let console = self.clone();
        match route.is_long {
            false => Ok(console.done(head, asked).await),
            true => {
                let turn = self.long.clone().acquire_owned().await;
                let (here, head) = (Handle::current(), head.clone());
                let work = move || {
                    let _turn = turn;
                    here.block_on(console.done(&head, asked))
                };
                let done = aside(work).await;
                done.map_err(|_| admin::Problem::plain(Slug::Broken).into())
            }
        }
    }

    /// Lets an operator in who is signed in. Whether the operator may do what is asked is for
    /// [`Console::done`].
    fn enter(
        self: &Arc<Self>,
        head: &Parts,
        visitor: &Visitor,
        leaf: &dyn Leaf,
        body: &str,
    ) -> Option<Entered> {
        let context = self.server.context();
        let route = leaf.route();
        let (Some(session), Some(secret), Some(operator)) =
            (&visitor.session, &visitor.secret, &visitor.operator)
        else {
            return None;
        };
        let is_post = head.method == Method::POST;
        let query = Typed::of(head.uri.query().unwrap_or_default());
        let typed = match (is_post, leaf.query_fields()) {
            (true, _) => Typed::of(body),
            (false, None) => query.clone(),
            (false, Some(fields)) => {
                let held = held(self, head, secret, &query);
                held.unwrap_or_else(|| query.keeping(fields))
            }
        };
        let below = self.below(head.uri.path()).unwrap_or_default();
        let notice = query
            .value(DONE)
            .and_then(|text| Notice::open(context, secret, text));
        let mut actor = Actor::new(Who::Operator(operator.subject.clone()), Way::Console)
            .in_request(CorrelationId::new(CLOCK.now()).as_str());
        if let Some(Sender(address)) = head.extensions.get::<Sender>() {
            actor = actor.from_address(*address);
        }
        let reason = reason(&typed);
        actor.reason = reason.as_ref().ok().cloned().flatten();
        // Without a fresh proof an owner changes what an editor may: what has or gives power is
        // refused, whichever form it is in (M012, M112).
        let role = match session.is_fresh(CLOCK.now()) {
            true => operator.role,
            false => operator.role.min(Role::Editor),
        };
        let admin = Administration::new(
            self.config.clone(),
            self.store.clone(),
            rights(role, &typed),
            actor,
        );
        let visit = Visit {
            admin: Arc::new(admin.of_server(self.server.clone())),
            operator: Operator::clone(operator),
            console: self.clone(),
            secret: secret.clone(),
            session: session.clone(),
            route,
            below: below.to_owned(),
            frame: frame(self, &head.headers, &head.uri),
            notice,
            list: query.list(),
        };
        let ticket = match is_post {
            true => {
                let sent = typed.value(TICKET).filter(|_| !typed.is_double(TICKET));
                let here = visit.here();
                self.desk.check_ticket(context, sent, &here, visitor)
            }
            false => Ok(()),
        };
        Some(Entered {
            visit,
            typed,
            ticket,
            reason: reason.map(drop),
        })
    }

    /// On to where one signs in, and afterwards to what was asked for. A form comes back as it was
    /// typed, without what is secret in it (M111).
    fn sign_in_first(
        &self,
        head: &Parts,
        browser: Option<&BrowserSecret>,
        sent: Option<String>,
        error: &Error,
    ) -> Response<Body> {
        let context = self.server.context();
        let to = head.uri.path_and_query().map_or("", |path| path.as_str());
        let mut waiting = match sent {
            Some(form) => Waiting::page(head.uri.path()).with_form(form),
            None => Waiting::page(to),
        };
        if matches!(error, Error::Anew) {
            waiting = waiting.anew();
        }
        let secret = browser.cloned().unwrap_or_else(BrowserSecret::random);
        let place = self.desk.site.path(self.desk.sign_in());
        let sealed = waiting.sealed(context, &secret);
        let response = html::see_other(&format!("{place}?{TO}={sealed}"));
        match browser {
            Some(_) => response,
            None => html::with_cookie(response, secret.set(&self.desk.site)),
        }
    }

    /// Makes the page, or does what the form asks for; of a form that is refused, the form again. For
    /// an operator whose role suffices, and whose proof is fresh where it is grave.
    async fn done(self: Arc<Self>, head: &Parts, asked: Asked) -> Response<Body> {
        let Asked {
            entered,
            names,
            position,
            is_post,
        } = asked;
        let Entered {
            visit,
            typed,
            ticket,
            reason,
        } = entered;
        let leaf = &*self.leaves[position];
        let done = async {
            let route = leaf.route();
            if !visit.may(route.needs) {
                return Err(Error::Role(route.needs));
            }
            if let (true, Err(anew)) = (route.is_grave, visit.check_fresh()) {
                ticket?;
                return Err(anew);
            }
            let names = &names?;
            if !is_post {
                return leaf.get(&visit, names, &typed).await;
            }
            if let Err(refusal) = ticket {
                // Nothing is done; what was typed is not lost (M187).
                let kept = Typed::of(&typed.without(leaf.secret()));
                let kept = kept.told(visit.words().was_open_too_long(), visit.language());
                let mut page = leaf.get(&visit, names, &kept).await?;
                *page.status_mut() = StatusCode::FORBIDDEN;
                self.server
                    .record_refusal(NAME, &head.extensions, None, refusal);
                return Ok(page);
            }
            let posted = async {
                reason?;
                if route.shows_once {
                    let ticket = typed.value(TICKET).unwrap_or_default();
                    match self.desk.use_up(visit.context(), ticket).await {
                        Err(StoreError::Exists(_)) => return Err(Error::Shown),
                        used => used?,
                    }
                }
                let posted = leaf.post(&visit, names, &typed).await;
                posted.map_err(|error| visit.unless_anew(error))
            };
            match posted.await {
                Ok(Done::Answer(page)) => Ok(page),
                Ok(Done::Go(path, notice)) => Ok(go(&visit, &visit.secret, &path, &notice)),
                Ok(Done::GoAs(secret, path, notice)) => {
                    let response = go(&visit, &secret, &path, &notice);
                    let cookie = secret.set(&self.desk.site);
                    Ok(html::with_cookie(response, cookie))
                }
                Err(error) if error.is_of_form() => {
                    let again = refused(&visit, &typed, &error);
                    let mut page = leaf.get(&visit, names, &again).await?;
                    *page.status_mut() = status(&error);
                    Ok(page)
                }
                Err(error) => Err(error),
            }
        };
        match done.await {
            Ok(page) => page,
            Err(Error::Anew) => {
                let sent = is_post.then(|| typed.without(leaf.secret()));
                self.sign_in_first(head, Some(&visit.secret), sent, &Error::Anew)
            }
            Err(error) => self.reject(head, error, Some(&visit), Blame::None),
        }
    }

    /// Nothing is here for somebody who is signed in; who is not, is not told what there is.
    async fn nothing_here(&self, head: &Parts, visitor: &Visitor) -> Result<Response<Body>, Error> {
        if visitor.session.is_none() && [Method::GET, Method::HEAD].contains(&head.method) {
            let place = self.desk.site.path(self.desk.sign_in());
            return Ok(html::see_other(&place));
        }
        Err(Error::NothingHere)
    }

    /// Says why there is no page, and keeps it on record.
    fn reject(
        &self,
        head: &Parts,
        error: Error,
        visit: Option<&Visit>,
        blame: Blame,
    ) -> Response<Body> {
        let frame = frame(self, &head.headers, &head.uri);
        let words = Words(frame.language());
        let (heading, sentence) = told(words, &error);
        let language = language_of(words, &error);
        let mut status = status(&error);
        let methods = match error {
            Error::Method(methods) => Some(methods),
            _ => None,
        };
        // Back to the page whose form it was; else to the first one.
        let place = match (&error, visit) {
            (Error::Shown, Some(visit)) => visit.here(),
            _ => self.desk.site.path(super::PATH),
        };
        let refusal = refusal_of(error).blaming(blame);
        let recorded = self
            .server
            .record_refusal(NAME, &head.extensions, None, refusal);
        let (decision, refusal) = recorded;
        let decision = words.reason_found(Coded(decision.as_str()));
        let next = (place, words.start_again());
        let wait = match refusal.retry() {
            Some(Retry::TooMany(wait)) => Some(wait.as_secs() + 1),
            _ => None,
        };
        if wait.is_some() {
            status = StatusCode::TOO_MANY_REQUESTS;
        }
        let mut response = match visit {
            Some(visit) => visit.page(&Problem {
                heading,
                sentence,
                language,
                next,
                decision,
                shell: visit.shell(),
            }),
            None => html::apart(html::page(&Outside {
                frame,
                heading,
                sentence,
                language,
                next,
                decision,
            })),
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(methods) = methods {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Why, if it was typed: by the rule of every way (M061).
fn reason(typed: &Typed) -> Result<Option<String>, Error> {
    let text = Some(typed.text(REASON)).filter(|text| !text.trim().is_empty());
    text.map(Actor::reason).transpose().map_err(|error| {
        let fault = Fault::new(REASON, error.to_string());
        admin::Problem::at_fault(Slug::Invalid, vec![fault]).into()
    })
}

/// On to another page of the console, which says what happened to the browser with this secret.
fn go(visit: &Visit, secret: &BrowserSecret, path: &str, notice: &Notice) -> Response<Body> {
    html::see_other(&notice.on(path, visit.context(), secret))
}

/// What an operator is told: a heading and a sentence.
fn told(words: Words, error: &Error) -> (&'static str, Markup) {
    let did_not_work = words.broken();
    match error {
        Error::NothingHere => (words.nothing_here(), markup(words.nothing_of_name())),
        Error::Role(role) => (did_not_work, words.needs_role(Coded(role.as_str()))),
        Error::Form(refusal) if *refusal.rule() == Rule::Origin => {
            (did_not_work, markup(words.not_from_here()))
        }
        Error::Form(_) | Error::SignIn | Error::Anew => (did_not_work, markup(words.too_old())),
        Error::Told(problem, _) | Error::Worded(problem, _) if problem.slug != Slug::Broken => {
            (did_not_work, markup(problem.detail.as_str()))
        }
        Error::Shown => (
            words.was_shown(),
            markup(words.was_shown_and_kept_nowhere()),
        ),
        Error::Filter => (did_not_work, markup(words.no_such_filter())),
        Error::Unreadable(why) => (did_not_work, markup(*why)),
        Error::SlowDown(wait) => (did_not_work, words.slow_down(wait.as_secs() + 1)),
        Error::Method(_) | Error::Told(..) | Error::Worded(..) => {
            (did_not_work, markup(words.try_again()))
        }
    }
}

/// An operator who was let in, and what was typed.
struct Entered {
    visit: Visit,
    typed: Typed,
    /// Whether the form came from our page.
    ticket: Result<(), Refusal>,
    /// Whether the reason that it gives can be one.
    reason: Result<(), Error>,
}

/// A request of an operator who was let in.
struct Asked {
    entered: Entered,
    names: Result<Vec<String>, Error>,
    position: usize,
    is_post: bool,
}

/// Anybody can ask for what is not there.
fn blame_of(visitor: &Visitor) -> Blame {
    match visitor.session {
        Some(_) => Blame::None,
        None => Blame::NoProof,
    }
}

/// What the operator may change: by the role, in the state that the form was made from, and what files
/// manage only where that is asked for.
fn rights(role: Role, typed: &Typed) -> Rights {
    let mut rights = Rights::of(role);
    if let Some(state) = typed.value(STATE) {
        let states = revision_of(state).into_iter().collect();
        rights = rights.expecting(Expected::OneOf(states));
    }
    match typed.value(OVERRIDE) {
        Some("true") => rights.overriding(),
        _ => rights,
    }
}

/// The form that waited for its sender to sign in.
fn held(console: &Console, head: &Parts, secret: &BrowserSecret, query: &Typed) -> Option<Typed> {
    let waiting = Waiting::open(console.server.context(), secret, query.value(HELD)?)?;
    let form = waiting.form_of(head.uri.path())?;
    let words = Words(frame(console, &head.headers, &head.uri).language());
    Some(Typed::of(form).told(words.you_were_signed_out(), words.0))
}

/// The form as it was typed, with what is wrong.
fn refused(visit: &Visit, typed: &Typed, error: &Error) -> Typed {
    if let Error::SlowDown(wait) = error {
        let sentence = visit.words().slow_down(wait.as_secs() + 1);
        return typed.clone().told(sentence.0, visit.language());
    }
    let Some(problem) = error.problem() else {
        return typed.clone();
    };
    let refused = typed.clone().refused(problem, error.language());
    match problem.slug {
        Slug::Changed => refused.told(visit.words().somebody_was_faster(), visit.language()),
        Slug::LastOwner => refused.told(visit.words().last_owner(), visit.language()),
        _ => refused,
    }
}

/// The tag of the language of that sentence: what is no text of the console is in English.
fn language_of(words: Words, error: &Error) -> &'static str {
    let is_ours = match error {
        Error::Told(problem, _) => problem.slug == Slug::Broken,
        Error::Unreadable(_) => false,
        _ => true,
    };
    match is_ours {
        true => words.0.tag(),
        false => Language::English.tag(),
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NothingHere => StatusCode::NOT_FOUND,
        Error::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::Role(_) | Error::Form(_) | Error::SignIn | Error::Anew => StatusCode::FORBIDDEN,
        Error::Filter | Error::Unreadable(_) => StatusCode::BAD_REQUEST,
        Error::SlowDown(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Shown => StatusCode::CONFLICT,
        Error::Told(problem, _) | Error::Worded(problem, _) => problem.slug.status(),
    }
}

/// What the record of decisions says of it.
fn refusal_of(error: Error) -> Refusal {
    let status = status(&error);
    let (code, rule) = match &error {
        Error::SignIn | Error::Anew => (ErrorCode::ACCESS_DENIED, Rule::Session),
        Error::Role(_) => (ErrorCode::ACCESS_DENIED, Rule::Role),
        Error::SlowDown(_) => (ErrorCode::INVALID_REQUEST, Rule::Throttled),
        Error::Told(problem, _) | Error::Worded(problem, _) => match problem.slug {
            Slug::Broken => (ErrorCode::SERVER_ERROR, Rule::Defect),
            Slug::Busy => (ErrorCode::TEMPORARILY_UNAVAILABLE, Rule::Storage),
            _ => (ErrorCode::INVALID_REQUEST, Rule::Form),
        },
        _ => (ErrorCode::INVALID_REQUEST, Rule::Form),
    };
    let refusal = Refusal::new(code, rule, "a page of the console was refused").with_status(status);
    match error {
        Error::Form(refusal) => *refusal,
        Error::SlowDown(wait) => refusal.retrying(Retry::TooMany(wait)),
        Error::Told(_, Some(cause)) => refusal.because(*cause),
        _ => refusal,
    }
}

/// Whether a media type is that of a form, whatever its parameters.
fn is_form(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a form.
async fn form<B>(head: &Parts, body: B) -> Result<String, Error>
where
    B: http_body::Body + Send,
    B::Error: Into<BodyError>,
{
    let mut media_types = head.headers.get_all(header::CONTENT_TYPE).iter();
    let is_sent_so = match (media_types.next(), media_types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_form),
        _ => false,
    };
    if !is_sent_so || head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Error::Unreadable("This is not sent as a form."));
    }
    let body = std::pin::pin!(Limited::new(body, LARGEST)).collect().await;
    let body: Bytes = body
        .map_err(|_| Error::Unreadable("The form did not come whole, or has more than 64 KiB."))?
        .to_bytes();
    String::from_utf8(body.into()).map_err(|_| Error::Unreadable("This is not sent as a form."))
}
