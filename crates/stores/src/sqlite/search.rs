//! Searches of the registry: the names that may pass a filter, in order, without reading all of a
//! table for a page of it.
//!
//! Rows are looked through in the order of their names, by the index that leaves out most. That
//! stops after so many rows: what is rare is gathered by what it is rare by, and sorted. What is
//! neither found soon nor rare is looked for page by page.

use grantor::types::Name;
use rusqlite::{Connection, params_from_iter, types::Value};

use super::{error::Failure, registry::Stored, trigrams};

/// Rows that are looked through before what is rare is gathered.
const FIRST_LOOK: u32 = 1_000;
/// Rows that are looked through for a page.
const LOOK: u32 = 5_000;
/// As before, of those that an index has as a whole: a tenth of the time each.
const LOOK_IN_INDEX: u32 = 50_000;
/// Most rows that are gathered and sorted.
const RARE: u32 = 4_000;

/// How a filter is asked of a table.
pub(super) struct Search {
    /// The table, with the index that gives its rows in order.
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
    look: u32,
    /// Another way to the rows that are wanted, for when they are few.
    rare: Option<Rare>,
}

/// Conditions that all have to hold.
#[derive(Default)]
struct Conditions {
    /// Each behind an `AND`.
    text: String,
    values: Vec<Value>,
}

/// What rows are rare by.
enum Rare {
    /// A part of a text.
    Text {
        /// The index of trigrams.
        index: &'static str,
        /// The table that its numbers are of.
        table: &'static str,
        part: String,
    },
    /// What a query for numbers of clients gives: at most so many, the last of its parameters.
    Numbers {
        query: &'static str,
        table: &'static str,
        values: Vec<Value>,
    },
}

/// Names that were found.
pub(super) struct Names<I> {
    /// In order. There may be others that do not pass.
    pub(super) ids: Vec<I>,
    /// Behind which name to go on, if that was not all.
    pub(super) next: Option<I>,
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
            look: LOOK_IN_INDEX,
            rare: None,
        }
    }

    /// Enters by an index that has the rows for which this holds, in the order of these columns of
    /// the name. The first index that is named is taken.
    pub(super) fn enter(
        &mut self,
        from: &'static str,
        order: &'static [&'static str],
        condition: &str,
        values: impl IntoIterator<Item = Value>,
    ) {
        self.look = LOOK;
        match self.entry.text.is_empty() {
            true => {
                (self.from, self.order) = (from, order);
                self.entry.add(condition, values);
            }
            false => self.wanted.add(condition, values),
        }
    }

    /// Leaves out rows for which this does not hold.
    pub(super) fn want(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.look = LOOK;
        self.wanted.add(condition, values);
    }

    /// Leaves out rows that have this part in none of these texts, which the index of all rows has.
    pub(super) fn want_part(&mut self, part: Option<&String>, texts: &[&str]) {
        let Some(part) = part.filter(|part| !part.is_empty()) else {
            return;
        };
        let each: Vec<_> = texts
            .iter()
            .map(|text| format!("instr({text}, ?) > 0"))
            .collect();
        let values = texts.iter().map(|_| Value::from(part.clone()));
        let condition = format!("({})", each.join(" OR "));
        self.wanted.add(&condition, values);
    }

    /// Leaves out rows whose document does not name this manager.
    pub(super) fn want_manager(&mut self, document: &str, manager: Option<&Name>) {
        if let Some(manager) = manager {
            let found = format!("iif(json_valid({document}), {document} ->> '$.managed_by', NULL)");
            self.want(&format!("{found} = ?"), [manager.to_string().into()]);
        }
    }

    /// Finds rows with this part by their trigrams, too.
    pub(super) fn by_text(
        &mut self,
        part: Option<&String>,
        index: &'static str,
        table: &'static str,
    ) {
        if let Some(part) = part.filter(|part| trigrams::has_any(part)) {
            let part = part.clone();
            self.rare = Some(Rare::Text { index, table, part });
        }
    }

    /// Finds rows by their numbers, too.
    pub(super) fn by_numbers(
        &mut self,
        table: &'static str,
        query: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) {
        let values = values.into_iter().collect();
        let numbers = Rare::Numbers {
            query,
            table,
            values,
        };
        self.rare.get_or_insert(numbers);
    }

    /// The names from behind this one on, at most `limit`.
    pub(super) fn names<R: Stored>(
        &self,
        connection: &Connection,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Names<R::Id>, Failure> {
        let Some(rare) = &self.rare else {
            return self.look::<R>(connection, after, self.look, limit);
        };
        let mut first = self.look::<R>(connection, after, FIRST_LOOK, limit)?;
        let found = first.ids.len() as u32;
        let Some(stopped) = first.next.take_if(|_| found < limit) else {
            return Ok(first);
        };
        if let Some(gathered) = self.gather::<R>(connection, rare, after, limit)? {
            return Ok(gathered);
        }
        let rest = self.look::<R>(connection, Some(&stopped), self.look, limit - found)?;
        first.ids.extend(rest.ids);
        first.next = rest.next;
        Ok(first)
    }

    /// Looks through so many rows in order.
    fn look<R: Stored>(
        &self,
        connection: &Connection,
        after: Option<&R::Id>,
        rows: u32,
        limit: u32,
    ) -> Result<Names<R::Id>, Failure> {
        // Where each row is wanted, the limit is enough.
        let end = match self.wanted.text.is_empty() {
            true => None,
            false => self.row_ahead::<R>(connection, after, rows)?,
        };
        let behind = self.compared::<R>(">", after);
        let until = self.compared::<R>("<=", end.as_ref());
        let all = [&self.entry, &self.wanted, &behind, &until];
        let query = self.in_order(&all);
        let mut ids = self.read::<R>(connection, &query, &all, limit.saturating_add(1))?;
        let next = match ids.len() > limit as usize {
            true => {
                ids.truncate(limit as usize);
                ids.last().cloned()
            }
            false => end,
        };
        Ok(Names { ids, next })
    }

    /// The query for names in order, with a limit.
    fn in_order(&self, all: &[&Conditions]) -> String {
        format!(
            "SELECT {} FROM {} WHERE 1{} ORDER BY {} LIMIT ?",
            self.name.join(", "),
            self.from,
            Conditions::text(all),
            self.order.join(", "),
        )
    }

    /// The name of the row so many ahead in order, if there is one behind it.
    fn row_ahead<R: Stored>(
        &self,
        connection: &Connection,
        after: Option<&R::Id>,
        rows: u32,
    ) -> Result<Option<R::Id>, Failure> {
        let behind = self.compared::<R>(">", after);
        let all = [&self.entry, &behind];
        let query = format!("{} OFFSET ?", self.in_order(&all)).replace("LIMIT ?", "LIMIT 1");
        Ok(self.read::<R>(connection, &query, &all, rows)?.pop())
    }

    /// The names of all rows, or of the first of them, if those that are rare are few.
    fn gather<R: Stored>(
        &self,
        connection: &Connection,
        rare: &Rare,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Option<Names<R::Id>>, Failure> {
        let Some((from, values)) = rare.rows(connection)? else {
            return Ok(None);
        };
        let own = Conditions {
            text: String::new(),
            values,
        };
        let behind = self.compared::<R>(">", after);
        let all = [&own, &self.entry, &self.wanted, &behind];
        let query = format!(
            "SELECT {} FROM {from}{} ORDER BY {} LIMIT ?",
            self.name.join(", "),
            Conditions::text(&all),
            self.order.join(", "),
        );
        let mut ids = self.read::<R>(connection, &query, &all, limit.saturating_add(1))?;
        let has_more = ids.len() > limit as usize;
        ids.truncate(limit as usize);
        let next = ids.last().filter(|_| has_more).cloned();
        Ok(Some(Names { ids, next }))
    }

    fn read<R: Stored>(
        &self,
        connection: &Connection,
        query: &str,
        conditions: &[&Conditions],
        last: u32,
    ) -> Result<Vec<R::Id>, Failure> {
        let last = Value::from(i64::from(last));
        let values = conditions.iter().flat_map(|some| &some.values);
        let mut statement = connection.prepare_cached(query)?;
        let mut rows = statement.query(params_from_iter(values.chain([&last])))?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(R::name(row)?);
        }
        Ok(ids)
    }

    /// How rows have to stand to a name, if there is one.
    fn compared<R: Stored>(&self, how: &str, id: Option<&R::Id>) -> Conditions {
        let mut conditions = Conditions::default();
        if let Some(id) = id {
            let values: Vec<_> = self
                .order
                .iter()
                .map(|column| Value::from(R::column(id, column)))
                .collect();
            let order = self.order.join(", ");
            let places = vec!["?"; values.len()].join(", ");
            conditions.add(&format!("({order}) {how} ({places})"), values);
        }
        conditions
    }
}

impl Conditions {
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }

    fn text(all: &[&Self]) -> String {
        all.iter().map(|some| &*some.text).collect()
    }
}

impl Rare {
    /// What gives the rows, up to and including a condition, and its values; `None` where they are
    /// too many.
    fn rows(&self, connection: &Connection) -> Result<Option<(String, Vec<Value>)>, Failure> {
        match self {
            Self::Text { index, table, part } => {
                let Some(of) = trigrams::rarest(connection, index, part, RARE)? else {
                    return Ok(None);
                };
                // The other way round each row would be looked up in the index.
                let from = format!(
                    "{index} CROSS JOIN {table} ON {table}.number = {index}.rowid WHERE {index} MATCH ?"
                );
                Ok(Some((from, vec![of.into()])))
            }
            Self::Numbers {
                query,
                table,
                values,
            } => {
                let count = format!(
                    "SELECT count(*) FROM (SELECT 1 FROM ({query}) LIMIT {})",
                    RARE + 1
                );
                let count: u32 = connection
                    .prepare_cached(&count)?
                    .query_row(params_from_iter(values), |row| row.get(0))?;
                let from = format!(
                    "({query}) AS rare CROSS JOIN {table} ON {table}.number = rare.number WHERE 1"
                );
                Ok((count <= RARE).then(|| (from, values.clone())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use grantor::registry::{
        Client, Passkey, Permission, Resource, ResourceId as _, ScopeText, Subject, Trust,
        TrustedIssuer,
    };
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::sqlite::open::migrate;

    fn plan(connection: &Connection, query: &str) -> String {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .expect("a query that can be answered");
        let none = vec![rusqlite::types::Null; statement.parameter_count()];
        let details = statement.query_map(params_from_iter(none), |row| row.get::<_, String>(3));
        let details: Vec<_> = details
            .expect("a plan")
            .map(|detail| detail.expect("a line"))
            .collect();
        details.join("; ")
    }

    /// How a page in the middle of a list is found.
    fn plan_of<R: Stored>(connection: &Connection, filter: Json, after: &str) -> String {
        let search = R::search(&serde_json::from_value(filter).expect("a filter"));
        let after = R::Id::from_text(after);
        let behind = search.compared::<R>(">", after.as_ref());
        let ahead = search.in_order(&[&search.entry, &behind]);
        let names = search.in_order(&[&search.entry, &search.wanted, &behind]);
        // The way there is by the same index, and needs nothing else.
        let way = plan(connection, &ahead);
        assert!(!way.contains("TEMP B-TREE"), "{ahead}: {way}");
        plan(connection, &names)
    }

    fn is_by_index<R: Stored>(filter: &Json, after: &str, index: &str) {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, Path::new("")).expect("today's schema");
        let plan = plan_of::<R>(&connection, filter.clone(), after);
        let is_searched = plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE");
        let kind = <R as Resource>::NAME;
        assert!(
            is_searched && plan.contains(index),
            "{kind} {filter}: {plan}"
        );
    }

    #[test]
    fn m008_a_page_is_found_in_order_by_an_index_and_not_by_sorting() {
        for (filter, index) in [
            (json!({}), "COVERING INDEX client_by_name (id>?)"),
            (json!({"q": "a"}), "client_by_name (id>?)"),
            (json!({"enabled": true}), "INDEX client_by_name (id>?)"),
            (json!({"enabled": false}), "INDEX client_disabled (id>?)"),
            (
                json!({"auth_method": "none"}),
                "client_by_method (auth_method=? AND id>?)",
            ),
            (
                json!({"audience_policy": "legacy"}),
                "client_by_policy (audience_policy=? AND id>?)",
            ),
            (
                json!({"consent": "ask"}),
                "client_by_consent (consent=? AND id>?)",
            ),
            (
                json!({"managed_by": "team"}),
                "client_by_manager (managed_by=? AND id>?)",
            ),
            (json!({"power": true}), "client_with_power (id>?)"),
            (
                json!({"enabled": false, "q": "a", "power": false}),
                "client_disabled (id>?)",
            ),
        ] {
            is_by_index::<Client>(&filter, "a", index);
        }
        for (filter, index) in [
            (json!({"q": "a"}), "COVERING INDEX subject_by_name (id>?)"),
            (json!({"enabled": false}), "subject_disabled (id>?)"),
            (
                json!({"managed_by": "team"}),
                "subject_by_manager (managed_by=? AND id>?)",
            ),
        ] {
            is_by_index::<Subject>(&filter, "a", index);
        }
        for (filter, index) in [
            (
                json!({}),
                "sqlite_autoindex_permission_1 ((client,subject,origin)>(?,?,?))",
            ),
            (
                json!({"client": "a"}),
                "sqlite_autoindex_permission_1 (client=? AND (subject,origin)>(?,?))",
            ),
            (
                json!({"subject": "a"}),
                "permission_by_subject (subject=? AND (client,origin)>(?,?))",
            ),
            (
                json!({"client": "a", "subject": "b"}),
                "permission_by_subject (subject=? AND client=? AND origin>?)",
            ),
            (
                json!({"origin": "person"}),
                "permission_by_origin (origin=? AND (client,subject)>(?,?))",
            ),
            (
                json!({"managed_by": "team"}),
                "permission_by_manager (managed_by=? AND (client,subject,origin)>(?,?,?))",
            ),
        ] {
            is_by_index::<Permission>(&filter, r#"["a","b"]"#, index);
        }
        is_by_index::<Passkey>(&json!({}), "Yg", "(credential>?)");
        let of_subject = "passkey_by_subject (subject=? AND credential>?)";
        is_by_index::<Passkey>(&json!({"subject": "a"}), "Yg", of_subject);
        is_by_index::<TrustedIssuer>(&json!({"q": "a"}), "a", "sqlite_autoindex_issuer_1 (iss>?)");
        is_by_index::<Trust>(&json!({"q": "a"}), "a", "sqlite_autoindex_trust_1 (name>?)");
        is_by_index::<ScopeText>(&json!({"q": "a"}), "a", "(name>?)");
    }
}
