//! What is moved: each table with its columns, in an order in which references are kept, and values
//! that both engines write and read.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// The type of a column in PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Number,
    Octets,
    Small,
    Text,
    Uuid,
}

impl Kind {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "bigint",
            Self::Octets => "bytea",
            Self::Small => "smallint",
            Self::Text => "text",
            Self::Uuid => "uuid",
        }
    }
}

/// A column, and what it is in SQLite.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) from: &'static str,
}

/// A table. Its first columns are the key, by which rows are in order.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The table in SQLite.
    pub(crate) from: &'static str,
    pub(crate) key: usize,
    /// Whether the first column is a number that is never given again.
    pub(crate) is_numbered: bool,
    /// Which rows are moved, in the words of both engines.
    pub(crate) only: &'static str,
    pub(crate) columns: &'static [Column],
}

const fn column(name: &'static str, kind: Kind) -> Column {
    made(name, kind, name)
}

const fn made(name: &'static str, kind: Kind, from: &'static str) -> Column {
    Column { name, kind, from }
}

const fn number(name: &'static str) -> Column {
    column(name, Kind::Number)
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn octets(name: &'static str) -> Column {
    column(name, Kind::Octets)
}

const fn flag(name: &'static str) -> Column {
    column(name, Kind::Boolean)
}

const fn table(name: &'static str, key: usize, columns: &'static [Column]) -> Table {
    Table {
        name,
        from: name,
        key,
        is_numbered: false,
        only: "true",
        columns,
    }
}

const fn numbered(name: &'static str, columns: &'static [Column]) -> Table {
    Table {
        is_numbered: true,
        ..table(name, 1, columns)
    }
}

/// Whether a decision granted something, of which SQLite keeps no column.
const GRANTED: &str =
    "iif(json_valid(record), coalesce(record ->> '$.outcome.outcome' = 'granted', 0), 0)";

/// All tables but that of claims, which SQLite keeps in another form.
pub(crate) const TABLES: &[Table] = &[
    table("party", 1, &[text("name"), text("kind")]),
    numbered(
        "client",
        &[
            number("number"),
            text("id"),
            text("metadata"),
            text("keys"),
            number("version"),
        ],
    ),
    table(
        "client_secret",
        2,
        &[
            text("client"),
            number("position"),
            text("kind"),
            octets("value"),
            number("expires_at"),
        ],
    ),
    numbered(
        "subject",
        &[
            number("number"),
            text("id"),
            flag("enabled"),
            number("version"),
            number("created_at"),
            text("managed_by"),
            text("display_name"),
            text("language"),
        ],
    ),
    numbered(
        "operator",
        &[
            number("number"),
            number("subject"),
            text("role"),
            number("version"),
        ],
    ),
    numbered(
        "password",
        &[
            number("number"),
            number("subject"),
            octets("digest"),
            number("changed_at"),
            number("version"),
        ],
    ),
    numbered(
        "passkey",
        &[
            number("number"),
            number("subject"),
            text("credential"),
            text("key"),
            text("name"),
            number("created_at"),
            number("version"),
        ],
    ),
    numbered(
        "scope_text",
        &[
            number("number"),
            text("name"),
            text("document"),
            number("version"),
        ],
    ),
    numbered(
        "permission",
        &[
            number("number"),
            text("client"),
            text("subject"),
            text("origin"),
            text("scope"),
            text("grants"),
            number("version"),
            number("created_at"),
            number("expires_at"),
            text("text_version"),
            text("managed_by"),
        ],
    ),
    table("permission_use", 1, &[number("number"), number("used_at")]),
    numbered(
        "issuer",
        &[
            number("number"),
            text("iss"),
            text("name"),
            text("trust_domain"),
            text("document"),
            number("version"),
        ],
    ),
    numbered(
        "trust",
        &[
            number("number"),
            text("name"),
            number("issuer"),
            number("client"),
            text("document"),
            number("version"),
        ],
    ),
    numbered(
        "signing_key",
        &[
            number("position"),
            text("kid"),
            octets("sealed"),
            number("created_at"),
            number("signs_from"),
            number("signs_until"),
            number("retires_at"),
        ],
    ),
    table("withdrawn_key", 1, &[text("kid"), number("withdrawn_at")]),
    table(
        "artifact",
        2,
        &[
            octets("digest"),
            text("kind"),
            number("created_at"),
            number("expires_at"),
            number("owner"),
            octets("family"),
            octets("group_id"),
            number("version"),
            text("document"),
        ],
    ),
    numbered(
        "decision",
        &[
            number("sequence"),
            number("at"),
            number("total"),
            made("octets", Kind::Integer, "octet_length(record)"),
            flag("refused"),
            made("granted", Kind::Boolean, GRANTED),
            text("id"),
            text("rule"),
            text("party"),
            text("client"),
            text("issuer"),
            text("claimed_issuer"),
            text("trust"),
            text("subject"),
            text("endpoint"),
            text("trusts"),
        ],
    ),
    Table {
        from: "decision",
        ..table("decision_record", 1, &[number("sequence"), text("record")])
    },
    numbered(
        "change_record",
        &[
            number("sequence"),
            number("at"),
            text("actor"),
            text("resource"),
            text("name"),
            text("record"),
        ],
    ),
    table(
        "statistic",
        5,
        &[
            column("span", Kind::Small),
            number("start"),
            text("endpoint"),
            text("outcome"),
            text("rule"),
            number("count"),
        ],
    ),
    Table {
        only: "name IN ('fence', 'token_fence', 'sealed_since', 'swept_to')",
        ..table(
            "meta",
            1,
            &[
                text("name"),
                made("value", Kind::Text, "CAST(value AS TEXT)"),
            ],
        )
    },
];

/// Claims, as PostgreSQL has them.
pub(crate) const CLAIMS: Table = table(
    "claim",
    2,
    &[
        number("issuer"),
        column("name", Kind::Uuid),
        number("until"),
    ],
);

/// A value of a row. What is a boolean in PostgreSQL is 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Nothing,
    Number(i64),
    Text(String),
    Octets(Vec<u8>),
}

/// The values of all columns.
pub(crate) type Row = Vec<Value>;

impl Value {
    /// Octets by which values are told apart.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (tag, octets): (u8, &[u8]) = match self {
            Self::Nothing => (0, &[]),
            Self::Number(number) => (1, &number.to_be_bytes()),
            Self::Text(text) => (2, text.as_bytes()),
            Self::Octets(octets) => (3, octets),
        };
        out.push(tag);
        out.extend((octets.len() as u64).to_be_bytes());
        out.extend(octets);
    }
}

impl rusqlite::types::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Nothing => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Nothing,
            ValueRef::Integer(number) => Self::Number(number),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(octets) => Self::Octets(octets.to_owned()),
            ValueRef::Real(_) => return Err(rusqlite::types::FromSqlError::InvalidType),
        })
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Nothing => return Ok(IsNull::Yes),
            Self::Number(number) => match *of {
                Type::BOOL => out.put_u8(u8::from(*number != 0)),
                Type::INT2 => out.put_i16(i16::try_from(*number)?),
                Type::INT4 => out.put_i32(i32::try_from(*number)?),
                _ => out.put_i64(*number),
            },
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Octets(octets) => out.put_slice(octets),
        }
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        IS_OURS.contains(of)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(of: &Type, octets: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *of {
            Type::BOOL => Self::Number(i64::from(bool::from_sql(of, octets)?)),
            Type::INT2 => Self::Number(i16::from_sql(of, octets)?.into()),
            Type::INT4 => Self::Number(i32::from_sql(of, octets)?.into()),
            Type::INT8 => Self::Number(i64::from_sql(of, octets)?),
            Type::TEXT => Self::Text(String::from_sql(of, octets)?),
            _ => Self::Octets(octets.to_owned()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Nothing)
    }

    fn accepts(of: &Type) -> bool {
        IS_OURS.contains(of)
    }
}

/// The types of [`Kind`].
const IS_OURS: &[Type] = &[
    Type::BOOL,
    Type::INT2,
    Type::INT4,
    Type::INT8,
    Type::TEXT,
    Type::BYTEA,
    Type::UUID,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::{Options, SqliteStore};

    /// What is not moved, or is moved in another form: see the module above.
    const OTHERS: &[&str] = &[
        "change",
        "change_hour",
        "client.kind",
        "client_key_end",
        "client_text",
        "meta",
        "recording",
        "replay",
        "sqlite_sequence",
        "subject.kind",
        "subject_text",
    ];

    #[test]
    fn each_table_and_each_column_is_moved_or_named_as_one_that_is_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        drop(SqliteStore::open(directory.path(), &Options::default()).expect("it opens"));
        let database = Connection::open(directory.path().join("grantor.db")).expect("it opens");
        // Neither columns that are computed nor the tables of a search index.
        let query = "SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c \
            WHERE t.type IN ('table', 'virtual') AND t.schema = 'main' AND t.name <> 'sqlite_schema' \
                AND c.hidden = 0";
        let mut statement = database.prepare(query).expect("a query");
        let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let columns = columns.expect("columns").map(|column| column.expect("one"));
        let is_moved = |table: &str, name: &str| {
            let of = |moved: &Table| moved.from == table;
            let columns = TABLES.iter().filter(|moved| of(moved));
            let mut columns = columns.flat_map(|moved| moved.columns);
            columns.any(|column| column.from == name)
        };
        let left: BTreeSet<String> = columns
            .filter(|(table, name): &(String, String)| !is_moved(table, name))
            .map(
                |(table, name)| match TABLES.iter().any(|moved| moved.from == table) {
                    true if table != "meta" => format!("{table}.{name}"),
                    _ => table,
                },
            )
            .collect();
        assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), OTHERS);
    }
}
