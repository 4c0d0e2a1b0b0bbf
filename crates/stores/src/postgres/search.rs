//! Searches of the registry: the names that may pass a filter, in order, without reading all of a
//! table for a page of it.
//!
//! Rows are looked through in the order of their names, by the index that leaves out most. That
//! stops after so many rows: what is rare is gathered by what it is rare by, and sorted. What is
//! neither found soon nor rare is looked for page by page. A look is a subquery with a limit, so
//! that the planner has nothing to guess: it cannot take another way to the rows.

use grantor::types::Name;
use tokio_postgres::types::ToSql;

use super::{
    error::Failure,
    log::numbered,
    registry::Stored,
    session::{Session, Value},
};

/// Rows that are looked through before what is rare is gathered.
const FIRST_LOOK: i64 = 1_000;
/// Rows that are looked through for a page.
const LOOKED_THROUGH: i64 = 5_000;
/// As before, where only the texts of rows are compared: a part of the time each.
const LOOK_FOR_PART: i64 = 20_000;
/// Most rows that are gathered and sorted.
const RARE: i64 = 4_000;
/// One row of so many is in the sample.
const SAMPLE: i64 = 1_024;
/// Most trigrams that the sample is asked about.
const TRIED: usize = 4;

/// A value in a condition.
pub(super) type Boxed = Box<dyn ToSql + Sync + Send>;

/// How a filter is asked of a table. Conditions name their columns with their tables, and have a
/// `?` for each value.
pub(super) struct Search {
    /// The table, or several that are joined.
    from: &'static str,
    /// The columns that make up the name.
    name: &'static [&'static str],
    /// Those of them that the rows are in the order of: the others are the same in all rows.
    order: &'static [&'static str],
    /// What the index is entered by.
    entry: Conditions,
    /// What else rows have to be.
    wanted: Conditions,
    /// How many rows are looked through.
    look: i64,
    /// Another way to the rows that are wanted, for when they are few.
    rare: Option<Rare>,
}

/// Conditions that all have to hold.
#[derive(Default)]
struct Conditions {
    /// Each behind an `AND`.
    text: String,
    values: Vec<Boxed>,
}

/// What rows are rare by.
struct Rare {
    /// It holds for those that are gathered. An index finds them by it.
    condition: Conditions,
    few: Few,
}

/// How to find out that rows are few.
enum Few {
    /// By the part of a text that they have.
    Text {
        part: String,
        texts: &'static [&'static str],
        /// Which rows are a sample of all: an index has them.
        sample: &'static str,
    },
    /// By a query for their names. The values are those of the condition.
    Names(&'static str),
}

/// Names that were found.
pub(super) struct Names<I> {
    /// In order. There may be others that do not pass.
    pub(super) ids: Vec<I>,
    /// Behind which name to go on, if that was not all.
    pub(super) next: Option<I>,
}

/// A value of a condition.
pub(super) fn boxed(value: impl ToSql + Sync + Send + 'static) -> Boxed {
    Box::new(value)
}

impl Search {
    /// All rows, in the order of these columns.
    pub(super) fn all(from: &'static str, name: &'static [&'static str]) -> Self {
        Self {
            from,
            name,
            order: name,
            entry: Conditions::default(),
            wanted: Conditions::default(),
            look: LOOK_FOR_PART,
            rare: None,
        }
    }

    /// Enters by an index that has the rows for which this holds, in the order of these columns of
    /// the name. The first condition that is named is taken.
    pub(super) fn enter(
        &mut self,
        order: &'static [&'static str],
        condition: &str,
        values: impl IntoIterator<Item = Boxed>,
    ) {
        self.look = LOOKED_THROUGH;
        match self.entry.text.is_empty() {
            true => {
                self.order = order;
                self.entry.add(condition, values);
            }
            false => self.wanted.add(condition, values),
        }
    }

    /// Leaves out rows for which this does not hold.
    pub(super) fn want(&mut self, condition: &str, values: impl IntoIterator<Item = Boxed>) {
        self.look = LOOKED_THROUGH;
        self.wanted.add(condition, values);
    }

    /// Leaves out rows that have this part in none of these texts, to the letter.
    pub(super) fn want_part(&mut self, part: Option<&String>, texts: &[&str]) {
        let Some(part) = part.filter(|part| !part.is_empty()) else {
            return;
        };
        // No text that is kept has such a letter, and none can be asked for.
        if part.contains('\0') {
            return self.wanted.add("false", []);
        }
        let each: Vec<_> = texts
            .iter()
            .map(|text| format!("strpos({text}, ?) > 0"))
            .collect();
        let values = texts.iter().map(|_| boxed(part.clone()));
        let condition = format!("({})", each.join(" OR "));
        self.wanted.add(&condition, values);
    }

    /// Leaves out rows whose document does not name this manager.
    pub(super) fn want_manager(&mut self, document: &str, manager: Option<&Name>) {
        if let Some(manager) = manager {
            let found = format!("json_or_null({document}) ->> 'managed_by'");
            self.want(&format!("{found} = ?"), [boxed(manager.to_string())]);
        }
    }

    /// Finds rows with this part by their trigrams, too. Each text has an index of them, and another
    /// has the texts of the rows that are the sample.
    pub(super) fn by_text(
        &mut self,
        part: Option<&String>,
        texts: &'static [&'static str],
        sample: &'static str,
    ) {
        let has_trigram = |part: &&String| !part.contains('\0') && !trigrams(part).is_empty();
        if let Some(part) = part.filter(has_trigram) {
            let few = Few::Text {
                part: part.clone(),
                texts,
                sample,
            };
            let condition = with_part(part, texts);
            self.rare = Some(Rare { condition, few });
        }
    }

    /// Finds rows by a query for their names, in a column `name`, too.
    pub(super) fn by_names(
        &mut self,
        query: &'static str,
        values: impl IntoIterator<Item = Boxed>,
    ) {
        let name = self.name[0];
        let is_one = format!("{name} IN (SELECT name FROM ({query} LIMIT {RARE}) AS few)");
        let mut condition = Conditions::default();
        condition.add(&is_one, values);
        let few = Few::Names(query);
        self.rare.get_or_insert(Rare { condition, few });
    }

    /// The names from behind this one on, at most `limit`.
    pub(super) async fn names<R: Stored>(
        &self,
        session: &Session,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Names<R::Id>, Failure> {
        let Some(rare) = &self.rare else {
            return self.look::<R>(session, after, self.look, limit).await;
        };
        let mut first = self.look::<R>(session, after, FIRST_LOOK, limit).await?;
        let found = u32::try_from(first.ids.len()).unwrap_or(u32::MAX);
        let Some(stopped) = first.next.take_if(|_| found < limit) else {
            return Ok(first);
        };
        if let Some(gathered) = self.gather::<R>(session, rare, after, limit).await? {
            return Ok(gathered);
        }
        let rest = self.look::<R>(session, Some(&stopped), self.look, limit - found);
        let rest = rest.await?;
        first.ids.extend(rest.ids);
        first.next = rest.next;
        Ok(first)
    }

    /// Looks through so many rows in order.
    async fn look<R: Stored>(
        &self,
        session: &Session,
        after: Option<&R::Id>,
        rows: i64,
        limit: u32,
    ) -> Result<Names<R::Id>, Failure> {
        let behind = self.behind::<R>(after);
        let most = boxed(i64::from(limit) + 1);
        let all = [&self.wanted, &self.entry, &behind];
        let query = self.looking(&behind, rows);
        let found = session.query(&query, &parameters(&all, &[&most])).await?;
        let mut names = Names {
            ids: Vec::new(),
            next: None,
        };
        for row in &found {
            if names.ids.len() == limit as usize {
                names.next = names.ids.last().cloned();
                break;
            }
            let id = R::name(row)?;
            let place = self.name.len();
            // The last of those that were looked through is there whether it is wanted or not.
            if row.get::<_, bool>(place) {
                names.next = Some(id.clone());
            }
            if row.get::<_, bool>(place + 1) {
                names.ids.push(id);
            }
        }
        Ok(names)
    }

    /// The query for the names of rows that are wanted, of so many that are looked through in order.
    fn looking(&self, behind: &Conditions, rows: i64) -> String {
        let order = self.order.join(", ");
        let [named, names, in_order] = self.names_and_aliases();
        let looking = format!(
            "SELECT {names}, place = {rows}, is_wanted FROM ( \
             SELECT {named}, row_number() OVER (ORDER BY {order}) AS place, \
             coalesce(true{}, false) AS is_wanted FROM {} WHERE true{}{} \
             ORDER BY {order} LIMIT {rows}) AS looked_through \
             WHERE is_wanted OR place = {rows} ORDER BY {in_order} LIMIT ?",
            self.wanted.text, self.from, self.entry.text, behind.text,
        );
        numbered(&looking, 1)
    }

    /// The columns of the name with other names, these, and those that rows are in the order of.
    fn names_and_aliases(&self) -> [String; 3] {
        let alias = |column: &str| column.replace('.', "_");
        let named = |column: &&str| format!("{column} AS {}", alias(column));
        let aliases = |columns: &[&str]| columns.iter().map(|column| alias(column)).collect();
        let [names, order]: [Vec<_>; 2] = [aliases(self.name), aliases(self.order)];
        let named: Vec<_> = self.name.iter().map(named).collect();
        [named, names, order].map(|columns| columns.join(", "))
    }

    /// The names of all rows, or of the first of them, if those that are rare are few.
    async fn gather<R: Stored>(
        &self,
        session: &Session,
        rare: &Rare,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Option<Names<R::Id>>, Failure> {
        if !self.is_rare(session, rare).await? {
            return Ok(None);
        }
        let behind = self.behind::<R>(after);
        let all = [&rare.condition, &self.entry, &self.wanted, &behind];
        let [named, names, in_order] = self.names_and_aliases();
        // Those in the subquery are found by what they are rare by, and not in order.
        let query = format!(
            "SELECT {names} FROM (SELECT {named} FROM {} WHERE true{} OFFSET 0) AS gathered \
             ORDER BY {in_order} LIMIT ?",
            self.from,
            Conditions::text(&all)
        );
        let most = boxed(i64::from(limit) + 1);
        let parameters = parameters(&all, &[&most]);
        let found = session.query(&numbered(&query, 1), &parameters).await?;
        let ids: Result<Vec<_>, Failure> = found.iter().map(R::name).collect();
        let mut ids = ids?;
        let has_more = ids.len() > limit as usize;
        ids.truncate(limit as usize);
        let next = ids.last().filter(|_| has_more).cloned();
        Ok(Some(Names { ids, next }))
    }

    /// Whether the rows are few.
    async fn is_rare(&self, session: &Session, rare: &Rare) -> Result<bool, Failure> {
        match rare.few {
            Few::Text {
                ref part,
                texts,
                sample,
            } => self.is_part_rare(session, part, texts, sample).await,
            Few::Names(query) => {
                let most = RARE + 1;
                let count = format!("SELECT count(*) FROM ({query} LIMIT {most}) AS few");
                let values = parameters(&[&rare.condition], &[]);
                let count = session.query_one(&numbered(&count, 1), &values).await?;
                Ok(count.get::<_, i64>(0) <= RARE)
            }
        }
    }

    /// Whether few rows have the rarest three letters of this part, as far as a sample tells.
    async fn is_part_rare(
        &self,
        session: &Session,
        part: &str,
        texts: &[&str],
        sample: &str,
    ) -> Result<bool, Failure> {
        let trigrams = trigrams(part);
        let has = |at: usize| {
            let each: Vec<_> = texts
                .iter()
                .map(|text| format!("strpos(lower({text}), ${}) > 0", at + 1))
                .collect();
            format!("count(*) FILTER (WHERE {})", each.join(" OR "))
        };
        let counts: Vec<_> = (0..trigrams.len()).map(has).collect();
        let query = format!(
            "SELECT least({}) FROM {} WHERE {sample}",
            counts.join(", "),
            self.from
        );
        let values: Vec<_> = trigrams
            .iter()
            .map(|text| text as &(dyn ToSql + Sync))
            .collect();
        let rows = session.query_one(&query, &values).await?;
        Ok(rows.get::<_, i64>(0) <= RARE / SAMPLE)
    }

    /// How rows have to stand to a name, if there is one.
    fn behind<R: Stored>(&self, id: Option<&R::Id>) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(id) = id {
            let column = |column: &&str| boxed(R::column(id, column));
            let values: Vec<_> = self.order.iter().map(column).collect();
            let order = self.order.join(", ");
            let places = vec!["?"; values.len()].join(", ");
            conditions.add(&format!("({order}) > ({places})"), values);
        }
        conditions
    }
}

impl Conditions {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Boxed>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }

    fn text(all: &[&Self]) -> String {
        all.iter().map(|some| &*some.text).collect()
    }
}

/// That one of these texts has this part, as an index of trigrams is asked.
fn with_part(part: &str, texts: &[&str]) -> Conditions {
    let mut pattern = String::from("%");
    for letter in part.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    let each: Vec<_> = texts.iter().map(|text| format!("{text} LIKE ?")).collect();
    let mut conditions = Conditions::default();
    let values = texts.iter().map(|_| boxed(pattern.clone()));
    conditions.add(&format!("({})", each.join(" OR ")), values);
    conditions
}

/// Some trigrams of a part that the index has whatever the locale: of ASCII letters and digits, each
/// once. Names differ more often at their ends, so those come first.
fn trigrams(part: &str) -> Vec<String> {
    let part = part.to_ascii_lowercase();
    let mut all: Vec<String> = Vec::new();
    for three in part.as_bytes().windows(3).rev() {
        let is_indexed = three.iter().all(u8::is_ascii_alphanumeric);
        if let Some(three) = std::str::from_utf8(three).ok().filter(|_| is_indexed)
            && !all.iter().any(|one| one == three)
        {
            all.push(three.to_owned());
        }
    }
    all.truncate(TRIED);
    all
}

/// The values of conditions, and then these.
fn parameters<'v>(conditions: &[&'v Conditions], last: &[&'v Boxed]) -> Vec<Value<'v>> {
    let values = conditions.iter().flat_map(|some| &some.values);
    values
        .chain(last.iter().copied())
        .map(as_parameter)
        .collect()
}

fn as_parameter(value: &Boxed) -> Value<'_> {
    &**value
}
