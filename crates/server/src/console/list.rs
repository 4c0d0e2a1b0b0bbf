//! Lists: a page of them, links to the next, and all of them as a file (M118).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use grantor::{
    admin::{CountDocument, StatisticsDocument},
    clock::UnixTime,
    jose::json::Value,
    server::Body,
    types::{Scope, escaped, escaped_json},
};
use grantor_stores::aside;
use http::Response;
use http_body::Frame;
use serde::{Deserialize, Serialize};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::spawn,
};
use url::form_urlencoded;

use super::{Error, Visit, words::Words};
use crate::{
    admin::{Administration, Input, Listed, Operation, Portion, Recorded},
    pages::{Markup, html, time},
};

/// What every list understands beside its filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    /// Behind this cursor.
    pub after: Option<String>,
    /// Before this cursor, in lists of records.
    pub before: Option<String>,
    /// In which form: `csv` or `json`; a page if absent.
    pub format: Option<String>,
}

impl ListQuery {
    /// Which part of the list.
    pub fn portion(&self) -> Portion {
        Portion {
            after: self.after.clone(),
            before: self.before.clone(),
            ..Portion::default()
        }
    }
}

/// Links from a list: to its next page and its first, and to the same in other forms.
#[derive(Clone, Debug)]
pub struct Pager {
    pub next: Option<String>,
    pub first: Option<String>,
    /// The list without filters.
    pub all: String,
    pub csv: String,
    pub json: String,
}

impl Pager {
    /// The links of a list with these filters, of which this cursor leads on.
    pub fn of(visit: &Visit, filter: &impl Serialize, next: Option<&str>) -> Self {
        let with = |name: &str, value: &str| address(&visit.here(), filter, &[(name, value)]);
        Self {
            next: next.map(|cursor| with("after", cursor)),
            first: visit
                .list
                .after
                .is_some()
                .then(|| address(&visit.here(), filter, &[])),
            all: visit.here(),
            csv: with("format", "csv"),
            json: with("format", "json"),
        }
    }

    /// The links of records, the newest of which are on the first page.
    pub fn of_records<T>(visit: &Visit, filter: &impl Serialize, found: &Recorded<T>) -> Self {
        // Where there are fewer, there is nothing before.
        let is_full = found.items.len() >= Portion::USUAL as usize;
        let before = found.previous.as_deref().filter(|_| is_full);
        let with = |cursor| address(&visit.here(), filter, &[("before", cursor)]);
        let is_first = visit.list.before.is_none() && visit.list.after.is_none();
        Self {
            next: before.map(with),
            first: (!is_first).then(|| address(&visit.here(), filter, &[])),
            ..Self::of(visit, filter, None)
        }
    }
}

/// The address of a list with these filters, and more.
pub fn address(path: &str, filter: &impl Serialize, more: &[(&str, &str)]) -> String {
    let own = serde_html_form::to_string(filter).expect("filters are pairs of texts");
    let mut query = form_urlencoded::Serializer::new(own);
    query.extend_pairs(more);
    match &*query.finish() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// A list as a file: what it is called, and which members are columns.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Beginning of the file's name.
    pub name: &'static str,
    /// Members of the documents, by their names; those within others as in `outcome/rule`.
    pub columns: &'static [&'static str],
}

/// In which form a list is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

impl Format {
    fn named(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// An answer that is a part of a list.
pub trait InPortions: Send {
    /// What is in the list.
    type Item: Serialize + Send;

    /// What is in this part, and where the next one begins.
    fn portion(self) -> (Vec<Self::Item>, Option<String>);
}

impl<T: Serialize + Send> InPortions for Listed<T> {
    type Item = T;

    fn portion(self) -> (Vec<T>, Option<String>) {
        (self.items, self.next)
    }
}

impl<T: Serialize + Send> InPortions for Recorded<T> {
    type Item = T;

    fn portion(self) -> (Vec<T>, Option<String>) {
        (self.items, self.next.filter(|_| self.more))
    }
}

impl InPortions for StatisticsDocument {
    type Item = CountDocument;

    fn portion(self) -> (Vec<CountDocument>, Option<String>) {
        (self.counts, None)
    }
}

impl Visit {
    /// All of a list as a file, if the address asks for that. It is read in portions while it is
    /// sent, and each portion waits for its turn: nothing of its size is kept in memory, and tokens do
    /// not wait.
    ///
    /// # Errors
    /// [`Error::Filter`] for a form that there is not; as the operation.
    pub async fn download<O>(
        &self,
        path: O::Path,
        filter: &O::Query,
        table: &Table,
    ) -> Result<Option<Response<Body>>, Error>
    where
        O: Operation<Body = ()>,
        O::Path: Clone,
        O::Query: Clone,
        O::Answer: InPortions,
    {
        let Some(format) = &self.list.format else {
            return Ok(None);
        };
        let format = Format::named(format).ok_or(Error::Filter)?;
        let mut list = Rest::<O> {
            admin: self.admin.clone(),
            path,
            filter: filter.clone(),
            after: None,
        };
        let mut writer = Writer::new(format, table);
        let turns = self.console.long.clone();
        let first = {
            let _turn = turns.acquire().await;
            self.ask(list.input()).await?
        };
        let mut begun = writer.head();
        begun += &list.written(&mut writer, first);
        let day = time::day(self.now());
        let name = format!("{}-{day}.{}", table.name, format.extension());
        let body = match list.after {
            None => Body::from(begun + writer.tail()),
            Some(_) => list.streamed(begun, writer, turns),
        };
        Ok(Some(html::file(&name, format.media_type(), body)))
    }
}

/// What is left of a list.
struct Rest<O: Operation> {
    admin: Arc<Administration>,
    path: O::Path,
    filter: O::Query,
    after: Option<String>,
}

impl<O> Rest<O>
where
    O: Operation<Body = ()>,
    O::Path: Clone,
    O::Query: Clone,
    O::Answer: InPortions,
{
    /// Asks for the next portion.
    fn input(&self) -> Input<O> {
        Input {
            path: self.path.clone(),
            query: self.filter.clone(),
            portion: Portion {
                after: self.after.clone(),
                limit: Portion::MOST,
                last: O::ROUTE.is_record.then_some(u32::MAX),
                before: None,
            },
            body: (),
        }
    }

    /// A portion as text. What is left begins behind it.
    fn written(&mut self, writer: &mut Writer, answer: O::Answer) -> String {
        let (items, next) = answer.portion();
        self.after = next;
        items.iter().map(|item| writer.row(item)).collect()
    }

    /// The body that begins so, and goes on as long as there is more and it is read.
    fn streamed(mut self, begun: String, mut writer: Writer, turns: Arc<Semaphore>) -> Body {
        let (sender, parts) = mpsc::channel(1);
        spawn(async move {
            let mut text = begun;
            while self.after.is_some() {
                if sender.send(Ok(Bytes::from(text))).await.is_err() {
                    return;
                }
                let Ok(_turn) = turns.acquire().await else {
                    return;
                };
                let (here, admin, input) = (Handle::current(), self.admin.clone(), self.input());
                let asked = move || here.block_on(O::run(&admin, input));
                let answered = aside(asked).await;
                let answered = match answered {
                    Ok(Ok(answered)) => answered.document,
                    Ok(Err(error)) => return broken(&sender, error.into()).await,
                    Err(error) => return broken(&sender, error.into()).await,
                };
                text = self.written(&mut writer, answered);
            }
            text += writer.tail();
            // Nobody may read it any more.
            let _ = sender.send(Ok(Bytes::from(text))).await;
        });
        Body::stream(Parts(parts))
    }
}

/// A file that ends here is none: its reader sees the connection break.
async fn broken(sender: &mpsc::Sender<Part>, error: BoxError) {
    // Nobody may read it any more.
    let _ = sender.send(Err(error)).await;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Part = Result<Bytes, BoxError>;

/// A body that comes in parts.
struct Parts(mpsc::Receiver<Part>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// Writes rows.
struct Writer {
    format: Format,
    columns: &'static [&'static str],
    is_first: bool,
}

impl Writer {
    fn new(format: Format, table: &Table) -> Self {
        Self {
            format,
            columns: table.columns,
            is_first: true,
        }
    }

    fn head(&self) -> String {
        match self.format {
            Format::Csv => line(self.columns.iter().map(|column| column.replace('/', "."))),
            Format::Json => "[".to_owned(),
        }
    }

    fn row(&mut self, item: &impl Serialize) -> String {
        let item = serde_json::to_value(item).expect("documents are JSON");
        let is_first = std::mem::replace(&mut self.is_first, false);
        match self.format {
            Format::Csv => {
                let member = |column: &&str| item.pointer(&format!("/{column}"));
                line(self.columns.iter().map(member).map(text_of))
            }
            Format::Json => {
                let joint = if is_first { "\n" } else { ",\n" };
                format!("{joint}{}", escaped_json(&item.to_string()))
            }
        }
    }

    fn tail(&self) -> &'static str {
        match self.format {
            Format::Csv => "",
            Format::Json => "\n]\n",
        }
    }
}

/// Most scopes in a cell of a table.
const MOST_SCOPES: usize = 6;

/// Scopes as a cell of a table shows them: the first ones, and how many more there are.
pub struct FewScopes {
    pub first: String,
    pub more: Option<Markup>,
}

impl FewScopes {
    /// Of this scope.
    pub fn of(scope: &Scope, words: Words) -> Self {
        let first: Vec<_> = scope.tokens().take(MOST_SCOPES).collect();
        let more = scope.tokens().count() - first.len();
        Self {
            first: first.join(" "),
            more: (more > 0).then(|| words.and_more(more)),
        }
    }
}

/// A member as a cell shows it: a list of texts has them apart by blanks, what is deeper is JSON.
fn text_of(value: Option<&Value>) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) if values.iter().all(Value::is_string) => {
            let texts: Vec<_> = values.iter().filter_map(text).collect();
            texts.join(" ")
        }
        Some(value) => value.to_string(),
    }
}

/// A line of CSV (RFC 4180).
fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<_> = cells.map(|text| cell(&text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell. What a stranger chose begins no formula in any program that opens it, and hides nothing
/// (M161).
fn cell(text: &str) -> String {
    let shown = escaped(text);
    let begins_formula = |first: char| "=+-@\t\r＝＋－＠".contains(first);
    let guard = if shown.starts_with(begins_formula) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", shown.replace('"', "\"\""))
}

/// Days before or after the one that begins now (UTC). All day it is the same moment, so that the pages
/// of a list go on from one another.
pub fn days_from(now: UnixTime, days: i32) -> UnixTime {
    const DAY: i64 = 86_400_000;
    let midnight = now.millis() - now.millis().rem_euclid(DAY);
    UnixTime::from_millis(midnight.saturating_add(i64::from(days) * DAY))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn m118_pages_of_a_list_that_goes_by_days_go_on_from_one_another() {
        const HOUR: i64 = 3_600_000;
        let at = |hours: i64| UnixTime::from_millis(20_000 * 24 * HOUR + hours * HOUR);
        for days in [-90, 0, 31] {
            assert_eq!(days_from(at(1), days), days_from(at(23), days));
            assert_eq!(days_from(at(23), days), at(24 * i64::from(days)));
        }
        assert_ne!(days_from(at(23), 30), days_from(at(24), 30));
    }

    const TABLE: Table = Table {
        name: "things",
        columns: &["name", "scope", "outcome/rule", "enabled", "keys"],
    };

    fn written(format: Format, items: &[Value]) -> String {
        let mut writer = Writer::new(format, &TABLE);
        let mut text = writer.head();
        text.extend(items.iter().map(|item| writer.row(item)));
        text + writer.tail()
    }

    #[test]
    fn m118_a_list_is_written_as_csv_and_as_json() {
        let items = [
            json!({"name": "a, \"b\"", "scope": ["r", "w"], "outcome": {"rule": "aud"}, "enabled": true}),
            json!({"name": "é", "scope": null, "keys": [{"name": "k"}]}),
        ];
        let expected = "\"name\",\"scope\",\"outcome.rule\",\"enabled\",\"keys\"\r\n\
                        \"a, \"\"b\"\"\",\"r w\",\"aud\",\"true\",\"\"\r\n\
                        \"é\",\"\",\"\",\"\",\"[{\"\"name\"\":\"\"k\"\"}]\"\r\n";
        assert_eq!(written(Format::Csv, &items), expected);
        let read: Vec<Value> =
            serde_json::from_str(&written(Format::Json, &items)).expect("an array");
        assert_eq!(read, items);
        assert_eq!(written(Format::Json, &[]), "[\n]\n");
    }

    #[test]
    fn m161_a_cell_begins_no_formula_and_hides_nothing() {
        for (text, shown) in [
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
            ("\t=1", "\"\\u{9}=1\""),
            ("\r=1", "\"\\u{d}=1\""),
            ("＝1", "\"'＝1\""),
            ("a\u{202e}b\0", "\"a\\u{202e}b\\u{0}\""),
            ("a\"\n=1", "\"a\"\"\\u{a}=1\""),
            ("a=1", "\"a=1\""),
        ] {
            assert_eq!(cell(text), shown, "{text:?}");
        }
    }
}
