//! A server with its admin API, a client for each role there, and what every refusal of the API is
//! held against.

use std::{collections::HashMap, fs, sync::Mutex};

use grantor_testkit::binary::database::number;
use serde_json::{Value, json};

use crate::support::{Answer, Server};

/// The clients with a role are named as it, and these are their scopes.
pub const ROLES: [(&str, &str); 3] = [
    ("reader", "grantor:read"),
    ("editor", "grantor:write"),
    ("owner", "grantor:admin"),
];

/// A server, and who may administer it.
pub struct Office {
    pub server: Server,
    /// The secrets of clients, by their names.
    secrets: Mutex<HashMap<String, String>>,
    tokens: Mutex<HashMap<String, String>>,
}

/// A request to the API: who sends it, and what is in it.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub by: &'a str,
    pub method: &'a str,
    /// Below `/admin/v1`.
    pub path: &'a str,
}

impl Office {
    pub fn open() -> Self {
        Self::open_with("[person]")
    }

    /// With this configuration.
    pub fn open_with(configuration: &str) -> Self {
        let office = Self {
            server: Server::start_with(configuration),
            secrets: Mutex::default(),
            tokens: Mutex::default(),
        };
        for (name, scope) in ROLES {
            office.hire(name, scope);
        }
        office
    }

    /// Registers a client with this scope on the machine, by a secret.
    pub fn hire(&self, name: &str, scope: &str) {
        let auth = ["--auth", "client_secret_post", "--scope", scope];
        let grants = ["--grant", "client-credentials"];
        let file = self.server.directory().join("hired.json");
        let out = file.to_string_lossy().into_owned();
        let create = ["client", "create", name, "--out", &out];
        self.server.ok(&[&create[..], &auth, &grants].concat());
        let made: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
        fs::remove_file(file).expect("it is there");
        let secret = made["client_secret"].as_str().expect("a secret");
        self.learn(name, secret);
    }

    /// Keeps the secret of a client.
    pub fn learn(&self, name: &str, secret: &str) {
        let mut secrets = self.secrets.lock().expect("no test fails in between");
        secrets.insert(name.to_owned(), secret.to_owned());
    }

    /// The secret of a client.
    pub fn secret(&self, client: &str) -> String {
        self.secrets.lock().expect("no test fails in between")[client].clone()
    }

    /// Every secret of a client with a role.
    pub fn secrets(&self) -> Vec<String> {
        let secrets = self.secrets.lock().expect("no test fails in between");
        secrets.values().cloned().collect()
    }

    /// What this client gets for this scope at the API.
    pub fn ask_for_token(&self, client: &str, scope: &str) -> Answer {
        let secret = self.secret(client);
        let resource = format!("{}/admin/v1", self.server.issuer);
        self.server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", &secret),
            ("scope", scope),
            ("resource", &resource),
        ])
    }

    /// A new token of a client for this scope.
    pub fn token_for(&self, client: &str, scope: &str) -> String {
        let answer = self.ask_for_token(client, scope);
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| unreachable!("{client} {scope}: {answer:?}"))
    }

    /// The token of one of [`ROLES`].
    pub fn token(&self, role: &str) -> String {
        let mut tokens = self.tokens.lock().expect("no test fails in between");
        if let Some(token) = tokens.get(role) {
            return token.clone();
        }
        let (_, scope) = ROLES
            .into_iter()
            .find(|(name, _)| *name == role)
            .expect("a role");
        let token = self.token_for(role, scope);
        tokens.insert(role.to_owned(), token.clone());
        token
    }

    /// Asks as one of [`ROLES`]; null is no body.
    pub fn ask(&self, by: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_saying(by, method, path, body, &[])
    }

    /// The same with further headers.
    pub fn ask_saying(
        &self,
        by: &str,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.ask_as(&self.token(by), method, path, body, headers)
    }

    /// The same with this token.
    pub fn ask_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut all = vec![("Authorization", &*bearer)];
        let text = match body {
            Value::Null => String::new(),
            body => {
                all.push(("Content-Type", "application/json"));
                body.to_string()
            }
        };
        all.extend(headers);
        let path = format!("/admin/v1{path}");
        self.server.send(method, &path, &all, text.as_bytes())
    }

    /// It is done, whatever the status of success is.
    #[track_caller]
    pub fn done(&self, by: &str, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.ask(by, method, path, body);
        let is_done = (200..300).contains(&answer.status);
        assert!(
            is_done,
            "control: {method} {path} {body} by {by}: {answer:?}"
        );
        answer
    }

    /// It is refused with this status for this kind of problem, and nothing is changed.
    #[track_caller]
    pub fn refused(&self, ask: Ask<'_>, body: &Value, status: u16, slug: &str) -> Answer {
        let Ask { by, method, path } = ask;
        let row = format!("{method} {path} {body} by {by}");
        let before = self.last_change();
        let answer = self.ask(by, method, path, body);
        self.judge(&row, &answer, status, slug);
        assert_eq!(self.last_change(), before, "{row}: something was changed");
        answer
    }

    /// The oracle of refusals: a problem of this kind that nobody stores, no other origin reads, and
    /// that is found in the record of decisions.
    #[track_caller]
    pub fn judge(&self, row: &str, answer: &Answer, status: u16, slug: &str) {
        let problem = answer.json();
        assert_eq!(answer.status, status, "{row}: {answer:?}");
        let page = format!("{}/admin/v1/problems/{slug}", self.server.issuer);
        assert_eq!(problem["type"], page, "{row}: {answer:?}");
        assert_eq!(problem["status"], status, "{row}: {answer:?}");
        for (header, value) in [
            ("Content-Type", "application/problem+json"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ] {
            assert_eq!(answer.header(header), Some(value), "{row}: {answer:?}");
        }
        for absent in [
            "Access-Control-Allow-Origin",
            "Set-Cookie",
            "ETag",
            "Location",
        ] {
            assert_eq!(answer.header(absent), None, "{row}: {answer:?}");
        }
        match status {
            401 => {
                let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
                let is_bare = ["Bearer", "Bearer error=\"invalid_token\""].contains(&challenge);
                assert!(is_bare, "M015 {row}: {answer:?}");
            }
            403 => {
                let needed = problem["needed"].as_str().expect("a scope");
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
                let told = answer.header("WWW-Authenticate");
                assert_eq!(told, Some(&*challenge), "M015 {row}");
            }
            _ => assert_eq!(answer.header("WWW-Authenticate"), None, "{row}"),
        }
        let instance = problem["instance"].as_str().unwrap_or_default();
        let id = instance.strip_prefix("urn:grantor:decision:");
        let id = id.unwrap_or_else(|| unreachable!("{row}: {answer:?}"));
        // Of those who ask too often not each is kept.
        if status != 429 {
            self.server.decision(id);
        }
    }

    /// It needs an owner, whom the caller is none.
    #[track_caller]
    pub fn needs_owner(&self, ask: Ask<'_>, body: &Value) {
        let answer = self.refused(ask, body, 403, "insufficient_scope");
        assert_eq!(answer.json()["needed"], "grantor:admin", "{answer:?}");
    }

    /// The id of the latest change of what is registered, by whomever.
    pub fn last_change(&self) -> i64 {
        let newest = "SELECT coalesce(max(sequence), 0) FROM change_record";
        number(&self.server.data(), newest)
    }

    /// The file of the database.
    pub fn database(&self) -> std::path::PathBuf {
        self.server.data().join("grantor.db")
    }

    /// The records of changes behind this one, the oldest first.
    pub fn changes_since(&self, id: i64) -> Vec<Value> {
        let listed = self
            .server
            .ok(&["changes", "list", "--limit", "1000", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).expect("a list");
        let is_newer = |change: &Value| change["id"].as_i64().is_some_and(|one| one > id);
        listed.into_iter().filter(is_newer).collect()
    }
}

/// A client that is to be registered, with these members beside.
pub fn client(name: &str, members: Value) -> Value {
    let mut client = json!({
        "client_id": name,
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "scope": "read",
    });
    for (member, value) in members.as_object().into_iter().flatten() {
        client[member] = value.clone();
    }
    client
}
