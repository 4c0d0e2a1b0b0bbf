//! Many rows of a registry and its log, written by SQL: a million clients in a minute. Of each kind
//! nearly all are alike, and few are not.

use std::path::Path;

use grantor::jose::{Algorithm, PrivateJwk};
use rusqlite::Connection;

/// A connection that writes many rows to a database of `grantor-stores` fast.
///
/// # Panics
/// If there is none.
pub fn connect(database: &Path) -> Connection {
    let connection = Connection::open(database).expect("a connection");
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536")
        .expect("settings");
    connection
}

/// Runs statements for the numbers `?1` to `?2`, of 0 to `count`, in commits of some thousands.
/// `{numbers}` is where they are `n`, `{name}` the name of a client, `{key}` a public key.
///
/// # Panics
/// If a statement fails.
pub fn fill(connection: &Connection, count: u32, statements: &[&str]) {
    const PORTION: u32 = 20_000;
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = serde_json::to_string(&key.public()).expect("JSON");
    for first in (0..count).step_by(PORTION as usize) {
        let last = (first + PORTION).min(count) - 1;
        let transaction = connection.unchecked_transaction().expect("begun");
        for statement in statements {
            let statement = statement.replace(
                "{numbers}",
                "WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)",
            );
            let statement = statement.replace("{key}", &key).replace("{name}", NAME);
            transaction
                .execute(&statement, (first, last))
                .expect("written");
        }
        transaction.commit().expect("committed");
    }
}

/// Nine of ten names are nearly alike.
const NAME: &str = "CASE n % 10 WHEN 0 THEN printf('%s-%07d', CASE n % 3 WHEN 0 THEN 'billing' WHEN 1 THEN 'report' ELSE 'été%_\"\\' END, n) \
    ELSE printf('client-%07d', n) END";
/// `client-0000001` and so on, with a key each.
pub const CLIENTS: &[&str] = &[
    "INSERT INTO party (name, kind) {numbers} SELECT {name}, 'client' FROM numbers",
    r#"INSERT INTO client (id, metadata, keys) {numbers} SELECT {name}, json_patch(json_object(
        'id', {name}, 'auth_method', CASE n % 1000 WHEN 1 THEN 'none' ELSE 'private_key_jwt' END,
        'grant_types', json_array('urn:ietf:params:oauth:grant-type:jwt-bearer'),
        'scope', CASE n % 100000 WHEN 11 THEN 'grantor:read read' ELSE 'read write' END,
        'audience_policy', CASE n % 5000 WHEN 3 THEN 'legacy' ELSE 'strict' END,
        'enabled', json(CASE n % 10000 WHEN 7 THEN 'false' ELSE 'true' END),
        'created_at', 1800000000000
    ), json_object(
        'display_name', CASE n % 20 WHEN 0 THEN 'The accounts of ' || n END,
        'consent', CASE n % 2000 WHEN 5 THEN 'ask' END,
        'managed_by', CASE n % 100 WHEN 9 THEN 'team-' || (n % 700) END
    )), CASE n % 1000 WHEN 1 THEN '[]' ELSE json_array(json_object('jwk', json('{key}'), 'expires_at',
        CASE n % 40 WHEN 0 THEN 1800000000000 + 86400000 * (n / 40 % 365) END)) END FROM numbers"#,
];
/// `person-0000000` and so on.
pub const SUBJECTS: &[&str] = &[
    "INSERT INTO party (name, kind) {numbers} SELECT printf('person-%07d', n), 'subject' FROM numbers",
    "INSERT INTO subject (id, enabled, created_at) {numbers} SELECT printf('person-%07d', n), n % 5000 <> 3, 1800000000000 FROM numbers",
];
/// A permission of each subject for a client.
pub const PERMISSIONS: &[&str] = &[
    "INSERT INTO permission (client, subject, origin, scope, created_at) {numbers}
        SELECT (SELECT id FROM client WHERE number = n % 1000 + 1), printf('person-%07d', n),
            CASE n % 3000 WHEN 4 THEN 'operator' ELSE 'person' END, 'read', 1700000000000 FROM numbers",
    "INSERT INTO permission_use (number, used_at) {numbers}
        SELECT number, 1800000000000 FROM numbers JOIN permission ON subject = printf('person-%07d', n) WHERE n % 7000 <> 1",
];
/// Decisions whose documents hold little but their ids.
pub const DECISIONS: &[&str] = &[
    "INSERT INTO decision (id, at, refused, rule, party, client, issuer, claimed_issuer, trust, subject, endpoint, record, total) {numbers}
        SELECT 'd' || n, 1800000000000 + 1000 * n, n % 50 = 0, CASE n % 50 WHEN 0 THEN 'signature' END, printf('client-%07d', n % 5000),
            printf('client-%07d', n % 5000), CASE n % 3 WHEN 0 THEN 'github' END, 'https://idp.example/' || (n % 100),
            CASE n % 3 WHEN 0 THEN 'trust-' || (n % 300) END, printf('person-%07d', n % 9000), CASE n % 9 WHEN 0 THEN 'introspect' ELSE 'token' END,
            json_object('id', 'd' || n, 'filler', hex(randomblob(600))), 1300 * n FROM numbers",
];
