//! What queries say: read strictly, and written by remote commands.

use grantor::admin::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::form_urlencoded;

use super::{Portion, Problem, Route, Slug};

/// What a query says.
pub trait Parameters:
    Serialize + DeserializeOwned + JsonSchema + Default + Send + Sync + 'static
{
}

impl<T: Serialize + DeserializeOwned + JsonSchema + Default + Send + Sync + 'static> Parameters
    for T
{
}

/// Nothing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// A query, read.
#[derive(Debug)]
pub struct Query<Q> {
    /// What the operation asks for.
    pub parameters: Q,
    /// Which part of a list.
    pub portion: Portion,
    /// Whether what a file manages is changed all the same.
    pub overrides: bool,
}

/// Where a cursor, a length and the word for managed resources stand.
const AFTER: &str = "after";
const LIMIT: &str = "limit";
const LAST: &str = "last";
const BEFORE: &str = "before";
const OVERRIDE: &str = "override";

impl<Q: Parameters> Query<Q> {
    /// Reads a query. What is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Slug::Malformed`]
    pub fn read(query: &str, route: &Route) -> Result<Self, Problem> {
        let mut portion = Portion::default();
        let mut overrides = false;
        let mut own = form_urlencoded::Serializer::new(String::new());
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(wrong(&name, "is there twice; keep one"));
            }
            match &*name {
                AFTER if route.is_list => portion.after = Some(value.into_owned()),
                LAST if route.is_record => portion.last = Some(last(&value)?),
                BEFORE if route.is_record => portion.before = Some(value.into_owned()),
                LIMIT if route.is_list => portion.limit = limit(&value)?,
                OVERRIDE if route.is_change => overrides = truth(&value)?,
                _ => {
                    own.append_pair(&name, &value);
                }
            }
            seen.push(name);
        }
        let parameters = serde_html_form::from_str(&own.finish())
            .map_err(|error| malformed(format!("the query: {error}")))?;
        Ok(Self {
            parameters,
            portion,
            overrides,
        })
    }
}

/// A query as it is sent.
pub fn written(parameters: &impl Parameters, portion: Option<&Portion>, overrides: bool) -> String {
    let own = serde_html_form::to_string(parameters).expect("parameters are pairs of texts");
    let mut query = form_urlencoded::Serializer::new(own);
    if let Some(Portion {
        after,
        limit,
        last,
        before,
    }) = portion
    {
        query.append_pair(LIMIT, &limit.to_string());
        if let Some(after) = after {
            query.append_pair(AFTER, after);
        }
        if let Some(last) = last {
            query.append_pair(LAST, &last.to_string());
        }
        if let Some(before) = before {
            query.append_pair(BEFORE, before);
        }
    }
    if overrides {
        query.append_pair(OVERRIDE, "true");
    }
    query.finish()
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=Portion::MOST).contains(limit))
        .ok_or_else(|| wrong(LIMIT, "is not between 1 and 200"))
}

fn last(text: &str) -> Result<u32, Problem> {
    text.parse()
        .map_err(|_| wrong(LAST, "is no whole number that fits"))
}

fn truth(text: &str) -> Result<bool, Problem> {
    text.parse()
        .map_err(|_| wrong(OVERRIDE, "is neither true nor false"))
}

fn wrong(name: &str, problem: &str) -> Problem {
    let shown = grantor::types::Shown::of(name);
    malformed(format!("query parameter {}: {problem}", shown.as_str()))
}

fn malformed(detail: String) -> Problem {
    Problem::at_fault(Slug::Malformed, vec![Fault::of_all(detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Wanted {
        q: Option<String>,
        enabled: Option<bool>,
    }

    const LIST: &Route = &Route::list("/things", "list_things", "List things");

    #[test]
    fn m008_a_query_is_read_as_it_was_written() {
        let wanted = Wanted {
            q: Some("a&b=%_'é".to_owned()),
            enabled: Some(false),
        };
        let portion = Portion {
            after: Some("x+y".to_owned()),
            limit: 7,
            ..Portion::default()
        };
        let text = written(&wanted, Some(&portion), false);
        let read = Query::<Wanted>::read(&text, LIST).expect("readable");
        assert_eq!((read.parameters, read.portion), (wanted, portion));
        let nothing = Query::<Wanted>::read("", LIST).expect("readable");
        assert_eq!(nothing.portion, Portion::default());
    }

    #[test]
    fn m009_ma13_what_is_unknown_twice_or_out_of_bounds_is_refused() {
        for wrong in [
            "limit=0",
            "limit=-1",
            "limit=201",
            "limit=1000000000",
            "limit=5&limit=6",
            "q=a&q=b",
            "enabled=yes",
            "colour=red",
            "override=true",
            "last=5",
            "before=x",
        ] {
            let problem = Query::<Wanted>::read(wrong, LIST).expect_err(wrong);
            assert_eq!(problem.slug, Slug::Malformed, "{wrong}");
        }
        for right in ["limit=1", "limit=200", "q=a", "enabled=true", "after=x"] {
            assert!(Query::<Wanted>::read(right, LIST).is_ok(), "{right}");
        }
    }
}
