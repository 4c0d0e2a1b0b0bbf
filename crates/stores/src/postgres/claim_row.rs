//! A claim as a row.

use std::{collections::HashMap, error::Error, time::Duration};

use bytes::{BufMut as _, BytesMut};
use grantor::{clock::UnixTime, storage::ReplayKey};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use super::{error::Failure, session::Session};

/// How long after its end a claim may still be answered as a replay.
const REPLAYED_BEYOND_END: Duration = Duration::from_secs(60);

/// Whether a claim that ended then may be made anew.
pub(super) fn is_over(until: UnixTime, now: UnixTime) -> bool {
    until < ended_before(now)
}

/// Claims that ended before that may be made anew.
pub(super) fn ended_before(now: UnixTime) -> UnixTime {
    now.minus(REPLAYED_BEYOND_END)
}

/// What a use is found by, in the order in which groups record them: the issuer's tag, and 128 bits
/// of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Short {
    pub(crate) issuer: i64,
    pub(crate) name: Name,
}

impl Short {
    pub(crate) fn of(key: ReplayKey) -> Self {
        let octets = key.as_bytes();
        Self {
            issuer: i64::from_be_bytes(key.issuer()),
            name: Name(octets[8..24].try_into().expect("16 octets")),
        }
    }
}

/// A value of type `uuid`: 16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name([u8; 16]);

impl Name {
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl ToSql for Name {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Name {
    fn from_sql(_: &Type, octets: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(octets.try_into()?))
    }

    accepts!(UUID);
}

/// When those of them end that are recorded.
pub(super) async fn ends(
    session: &Session,
    shorts: &[Short],
) -> Result<HashMap<Short, UnixTime>, Failure> {
    let select = "SELECT claim.issuer, claim.name, claim.until \
        FROM unnest($1::bigint[], $2::uuid[]) AS given (issuer, name) \
        JOIN claim ON claim.issuer = given.issuer AND claim.name = given.name";
    let issuers: Vec<i64> = shorts.iter().map(|short| short.issuer).collect();
    let names: Vec<Name> = shorts.iter().map(|short| short.name).collect();
    let rows = session.query(select, &[&issuers, &names]).await?;
    let end = |row: &tokio_postgres::Row| {
        let (issuer, name) = (row.get(0), row.get(1));
        (Short { issuer, name }, UnixTime::from_millis(row.get(2)))
    };
    Ok(rows.iter().map(end).collect())
}
