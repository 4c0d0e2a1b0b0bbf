//! The admin API of a running server, as a client with a role there calls it.

use std::fs;

use serde_json::Value;

use super::{Answer, Server};

/// A client with a token for the admin API.
pub struct Operator<'s> {
    server: &'s Server,
    token: String,
}

impl Server {
    /// A new client with this scope, and its token for the admin API.
    pub fn operator(&self, scope: &str) -> Operator<'_> {
        let id = format!("by-{}", scope.replace(':', "-"));
        let out = self.directory().join(format!("{id}.json"));
        let path = out.to_string_lossy().into_owned();
        let command = ["client", "create", &id, "--auth", "client_secret_post"];
        self.ok(&[&command[..], &["--scope", scope, "--out", &path]].concat());
        let file = fs::read(out).expect("a key file");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let secret = file["client_secret"].as_str().expect("a secret");
        let resource = format!("{}/admin/v1", self.issuer);
        let answer = self.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", secret),
            ("scope", scope),
            ("resource", &resource),
        ]);
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        Operator {
            server: self,
            token: token.expect("a token for the admin API"),
        }
    }
}

impl Operator<'_> {
    /// The header with the token.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Asks below `/admin/v1`, with a body of JSON unless that is null.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        match body {
            Value::Null => self.send(method, path, &[], b""),
            body => {
                let headers = [("Content-Type", "application/json")];
                self.send(method, path, &headers, body.to_string().as_bytes())
            }
        }
    }

    /// Asks below `/admin/v1`, with exactly these headers beside the token.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let token = format!("Bearer {}", self.token);
        let authorization = [("Authorization", token.as_str())];
        let all = [&authorization[..], headers].concat();
        let path = format!("/admin/v1{path}");
        self.server.send(method, &path, &all, body)
    }
}
