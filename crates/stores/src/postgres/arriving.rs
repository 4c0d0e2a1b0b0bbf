//! All rows of another engine, taken in one transaction: what is there when it ends was read back
//! before.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::{
    OpenError, Options, Target,
    connect::Connector,
    error::Failure,
    fence::Fence,
    meta,
    open::{BEGIN, prepare},
    session::Session,
    signing_key,
};
use crate::{
    MasterKey,
    transfer::{CLAIMS, Row, TABLES, Table, Value},
};

/// How long a statement may take: a thousand rows, or the end of all.
const STATEMENT: Duration = Duration::from_secs(600);
/// The other engine may take its time, and the transaction is as long as all of it.
const LIMITS_OF_A_MOVE: &str = "SET idle_in_transaction_session_timeout = '60s'; \
    SELECT set_config('transaction_timeout', '0', false) FROM pg_settings WHERE name = 'transaction_timeout'";
/// Others that change the registry or the logs wait, as for any change.
const LOCKS: &str = "SELECT pg_advisory_xact_lock(7523, 2), pg_advisory_xact_lock(7523, 3), pg_advisory_xact_lock(7523, 4)";
/// Under which name it is kept which move all this came by.
const MOVED_BY: &str = "moved_by";

/// The open transaction.
pub(crate) struct Arriving {
    session: Session,
    master_key: MasterKey,
}

impl Arriving {
    /// Connects, and makes the tables, in a transaction that is left open.
    pub(crate) async fn begin(target: &Target, options: &Options) -> Result<Self, OpenError> {
        let session = Connector::new(target)?.connect(STATEMENT).await?;
        session.batch(LIMITS_OF_A_MOVE).await?;
        session.batch(BEGIN).await?;
        let master_key = prepare(&session, target, options).await?;
        session.query(LOCKS, &[]).await?;
        Ok(Self {
            session,
            master_key,
        })
    }

    /// The move by which all came, if one has ended.
    pub(crate) async fn moved_by(&self) -> Result<Option<String>, Failure> {
        meta::get(&self.session, MOVED_BY).await
    }

    /// The first table in which something is.
    pub(crate) async fn used(&self) -> Result<Option<&'static str>, Failure> {
        for table in TABLES.iter().chain([&CLAIMS]) {
            let any = format!("SELECT FROM {} WHERE {} LIMIT 1", table.name, table.only);
            let is_mark = table.name == "meta";
            if !is_mark && self.session.query_opt(&any, &[]).await?.is_some() {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Writes rows.
    pub(crate) async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), Failure> {
        let columns = table.columns;
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let arrays: Vec<_> = (1..)
            .zip(columns)
            .map(|(number, column)| format!("${number}::{}[]", column.kind.sql()))
            .collect();
        let insert = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
            table.name,
            names.join(", "),
            arrays.join(", ")
        );
        let values: Vec<Vec<&Value>> = (0..columns.len())
            .map(|column| rows.iter().map(|row| &row[column]).collect())
            .collect();
        let values: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|column| column as &(dyn ToSql + Sync))
            .collect();
        self.session.execute(&insert, &values).await.map(drop)
    }

    /// The next rows behind a row, at most so many.
    pub(crate) async fn rows(
        &self,
        table: &Table,
        behind: Option<&Row>,
        most: usize,
    ) -> Result<Vec<Row>, Failure> {
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let key = names[..table.key].join(", ");
        let marks: Vec<_> = (1..=table.key).map(|number| format!("${number}")).collect();
        let further = match behind {
            Some(_) => format!("AND ({key}) > ({})", marks.join(", ")),
            None => String::new(),
        };
        let select = format!(
            "SELECT {} FROM {} WHERE {} {further} ORDER BY {key} LIMIT {most}",
            names.join(", "),
            table.name,
            table.only,
        );
        let key = behind.map_or(&[][..], |row| &row[..table.key]);
        let key: Vec<_> = key
            .iter()
            .map(|value| value as &(dyn ToSql + Sync))
            .collect();
        let rows = self.session.query(&select, &key).await?;
        let values = |row: &tokio_postgres::Row| {
            let values = (0..names.len()).map(|column| row.try_get(column));
            values.collect::<Result<Row, _>>()
        };
        Ok(rows.iter().map(values).collect::<Result<_, _>>()?)
    }

    /// Sees to it that no number up to this one, or that of a row, is given again.
    pub(crate) async fn go_on_from(&self, table: &Table, number: i64) -> Result<(), Failure> {
        let (name, column) = (table.name, table.columns[0].name);
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), last) \
             FROM (SELECT greatest($1::bigint, (SELECT max({column}) FROM {name})) AS last) AS numbers WHERE last > 0"
        );
        self.session.query(&set, &[&number]).await.map(drop)
    }

    /// Notes by which move all came, and which server it is, before [`Arriving::commit`].
    pub(crate) async fn complete(
        &self,
        id: &str,
        target: &Target,
        options: &Options,
    ) -> Result<(), OpenError> {
        let (algorithm, now) = (options.signing_algorithm, options.clock.now());
        signing_key::ensure(&self.session, &self.master_key, algorithm, now).await?;
        Fence::load(&self.session, target.durability, options).await?;
        Ok(meta::put(&self.session, MOVED_BY, id).await?)
    }

    /// Ends the transaction. Where the answer is lost, all may be there.
    pub(crate) async fn commit(self) -> Result<(), Failure> {
        self.session.batch("COMMIT").await
    }
}
