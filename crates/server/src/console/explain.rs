//! Explaining a JWT that is pasted: every rule, without using it up and without keeping it (M126,
//! M166).

mod words;

use askama::Template;
use grantor::{
    admin::Fault,
    assertion::{Explanation, Usage},
    server::Body,
    types::Rule,
};
use http::Response;
use zeroize::Zeroizing;

use self::words::Words;
use super::decisions::{Rules, TrustView, Words as DecisionWords, failed, with_code, wrong};
use crate::{
    admin::{
        Input, Problem, Slug,
        explain::{Explain, Explained},
        jwt_body::JwtBody,
        remedy::Remedy,
    },
    console::{Done, Error, Form, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Link, Markup, Tag, markup},
};

/// The page into which a JWT is pasted.
pub struct ExplainPage;

const JWT: &str = "jwt";
const USE: &str = "use";
/// Longest JWT in octets (M166).
const LONGEST: usize = 16 * 1024;

#[derive(Template)]
#[template(path = "console/explain.html")]
struct View {
    shell: Shell,
    said: Words,
    words: DecisionWords,
    summary: Option<Summary>,
    action: String,
    ticket: String,
    typed: Typed,
    told: Option<Told>,
}

/// What would be decided about a JWT.
struct Told {
    result: Tag,
    heading: Markup,
    usable: Markup,
    advice: Option<&'static str>,
    meant: Option<Markup>,
    rules: Rules,
    trusts: Vec<TrustView>,
}

impl Told {
    fn advice(&self) -> Option<Markup> {
        self.advice.map(with_code)
    }
}

impl Form for ExplainPage {
    type Path = ();

    const ROUTE: Route = Route::form("/explain", Section::Explain)
        .for_readers()
        .long();
    const SECRET: &'static [&'static str] = &[JWT];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        Ok(visit.form(typed, &view(visit, typed, None)))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let input = Input::<Explain>::with((), body(visit, typed)?);
        let told = Told::of(visit, &visit.ask(input).await?);
        Ok(Done::Answer(visit.page(&view(visit, typed, Some(told)))))
    }
}

fn view(visit: &Visit, typed: &Typed, told: Option<Told>) -> View {
    View {
        said: Words(visit.language()),
        words: DecisionWords(visit.language()),
        summary: Summary::of(typed),
        action: visit.here(),
        ticket: visit.ticket(),
        // What was pasted never comes back.
        typed: typed.dropping(&[JWT]),
        told,
        shell: visit.shell(),
    }
}

/// What was pasted, without the blanks around it.
fn body(visit: &Visit, typed: &Typed) -> Result<JwtBody, Error> {
    let words = Words(visit.language());
    let jwt = Zeroizing::new(typed.text(JWT).to_owned());
    let fault = match jwt.len() {
        0 => words.nothing_pasted(),
        1..=LONGEST => {
            let usage = match typed.text(USE) {
                "grant" => Some(Usage::Grant),
                "client_authentication" => Some(Usage::ClientAuthentication),
                _ => None,
            };
            return Ok(JwtBody { jwt, usage });
        }
        _ => words.too_long(),
    };
    let problem = Problem::at_fault(Slug::Invalid, vec![Fault::new(JWT, fault)]);
    Err(Error::worded(problem, visit.language()))
}

impl Told {
    fn of(visit: &Visit, explained: &Explained) -> Self {
        let Explained {
            explanation,
            nearest_client,
        } = explained;
        let (said, words) = (Words(visit.language()), DecisionWords(visit.language()));
        let failed = failed(explanation);
        let meant = nearest_client.as_ref().map(|client| {
            let to = visit.at("/clients/{client}", &[client.as_str()]);
            words.meant(Link::to(&to, client.as_str()))
        });
        let trusts = explanation.trusts.iter();
        let remedy = failed.and_then(|check| Remedy::of(&check.rule));
        Self {
            result: match failed {
                Some(_) => Tag::bad(said.would_be_refused()),
                None => Tag::good(said.would_be_accepted()),
            },
            heading: match failed {
                Some(check) => wrong(&check.rule, words),
                None => markup(said.keeps_all_rules()),
            },
            usable: usable(explanation, said, words),
            advice: remedy.map(|remedy| remedy.advice.of(visit.language())),
            meant,
            rules: Rules::of(explanation, words),
            trusts: trusts
                .map(|check| TrustView::of(visit, words, check))
                .collect(),
        }
    }
}

/// Whether whoever has the JWT can still use it, and for how long.
fn usable(explanation: &Explanation, said: Words, words: DecisionWords) -> Markup {
    let left = explanation.clock.and_then(|clock| clock.until_expiry);
    let time = words.seconds(left.unwrap_or_default());
    let rule = failed(explanation).map(|check| &check.rule);
    match (rule, left) {
        (None, Some(left)) if left > 0.0 => said.usable_for(&time),
        (None, _) => markup(said.usable()),
        (Some(Rule::Replay), _) => markup(said.used_up()),
        (Some(_), Some(left)) if left > 0.0 => said.lasts(&time),
        (Some(_), Some(_)) => said.ended(&time),
        (Some(_), None) => markup(said.no_end()),
    }
}
