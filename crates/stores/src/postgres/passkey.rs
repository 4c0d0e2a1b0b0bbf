//! Passkeys in PostgreSQL.

use grantor::{
    registry::{CredentialId, Passkey, PasskeyFilter},
    types::SubjectId,
};
use tokio_postgres::Row;

use super::{
    error::Failure,
    registry::{Changing, Stored, expect_new},
    revision,
    search::{Search, boxed},
    session::{Session, Values},
    subject,
};
use crate::{
    MasterKey,
    form::passkey::{PasskeyRow, key},
};

macro_rules! select_passkey {
    ($which:literal) => {
        concat!(
            "SELECT credential, subject.id, key, name, passkey.created_at, passkey.number, passkey.version ",
            "FROM passkey JOIN subject ON subject.number = passkey.subject ",
            $which
        )
    };
}

impl Stored for Passkey {
    async fn insert(&self, changing: &Changing) -> Result<(), Failure> {
        let subject = subject::number(changing.session(), &self.subject).await?;
        let insert = "INSERT INTO passkey (subject, credential, key, name, created_at) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let values: &Values<'_> = &[
            &subject,
            &self.credential.as_str(),
            &key(self),
            &self.name.as_str(),
            &self.created_at.millis(),
        ];
        expect_new(changing.session().execute(insert, values).await?, "passkey")
    }

    async fn update(&self, changing: &Changing) -> Result<u64, Failure> {
        let subject = subject::number(changing.session(), &self.subject).await?;
        let update = "UPDATE passkey SET subject = $3, key = $4, name = $5, created_at = $6, \
            version = version + 1 WHERE number = $1 AND version = $2";
        let (number, version) = revision::columns(self.revision);
        let values: &Values<'_> = &[
            &number,
            &version,
            &subject,
            &key(self),
            &self.name.as_str(),
            &self.created_at.millis(),
        ];
        changing.session().execute(update, values).await
    }

    async fn delete(changing: &Changing, id: &CredentialId) -> Result<u64, Failure> {
        let delete = "DELETE FROM passkey WHERE credential = $1";
        changing.session().execute(delete, &[&id.as_str()]).await
    }

    async fn find_all(
        session: &Session,
        _: &MasterKey,
        ids: &[CredentialId],
    ) -> Result<Vec<Self>, Failure> {
        let select = select_passkey!("WHERE credential = ANY($1)");
        let ids: Vec<&str> = ids.iter().map(CredentialId::as_str).collect();
        let rows = session.query(select, &[&ids]).await?;
        rows.iter().map(passkey).collect()
    }

    fn search(filter: &PasskeyFilter) -> Search {
        let name = &["passkey.credential"];
        let mut search = Search::all("passkey", name);
        if let Some(subject) = &filter.subject {
            let of_subject = "passkey.subject = (SELECT number FROM subject WHERE id = ?)";
            search.enter(name, of_subject, [boxed(subject.to_string())]);
        }
        search
    }
}

/// All passkeys of a subject, in the order of their names.
pub(super) async fn of_subject(session: &Session, id: &SubjectId) -> Result<Vec<Passkey>, Failure> {
    let which = select_passkey!("WHERE subject.id = $1 ORDER BY credential");
    let rows = session.query(which, &[&id.as_str()]).await?;
    rows.iter().map(passkey).collect()
}

fn passkey(row: &Row) -> Result<Passkey, Failure> {
    let row = PasskeyRow {
        credential: row.get(0),
        subject: row.get(1),
        key: row.get(2),
        name: row.get(3),
        created_at: row.get(4),
        revision: revision::read(row, 5),
    };
    Ok(row.read()?)
}
