//! An authorization server that is not ours, for commands that are run in a process of their own:
//! right until told otherwise.

use std::collections::BTreeMap;

use grantor::jose::{Algorithm, PrivateJwk};
use http::{Response, header::DATE};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::{Value, json};

use super::{Body, Dates, Double, answer, publisher::METADATA, reply, token};

/// A form, as it came.
pub type Form = BTreeMap<String, String>;

/// A running server. Its thread ends with the test program.
pub struct Foreign {
    pub issuer: String,
    double: Double,
}

/// What a server says of itself and does. The keys of `documents` are paths.
pub struct Script {
    pub documents: BTreeMap<String, Value>,
    /// Answers what comes to `/token`, if no document does.
    pub token: Box<dyn Fn(Form) -> Response<Body> + Send + Sync>,
    /// How far its clock is ahead, in seconds; `None` sends no `Date`.
    pub ahead: Option<i64>,
}

impl Script {
    /// A server without faults, which gives a token to every client.
    pub fn good(issuer: &str) -> Self {
        let metadata = json!({
            "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        });
        let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
        let key = key.public().with_key_id("first");
        let documents = [
            (METADATA.to_owned(), metadata),
            ("/jwks".to_owned(), json!({"keys": [key.to_object()]})),
        ];
        Self {
            documents: documents.into(),
            token: Box::new(|_| granted()),
            ahead: Some(0),
        }
    }

    /// The metadata, to change.
    pub fn metadata(&mut self) -> &mut Value {
        self.documents.get_mut(METADATA).expect("metadata")
    }

    fn answer(&self, path: &str, form: impl FnOnce() -> Form) -> Response<Body> {
        let mut response = match self.documents.get(path) {
            Some(document) => answer(200, document),
            None if path == "/token" => (self.token)(form()),
            None => answer(404, &json!({})),
        };
        if let Some(ahead) = self.ahead {
            let there = Timestamp::now() + SignedDuration::from_secs(ahead);
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&there);
            let date = date.expect("a date").parse().expect("a header value");
            response.headers_mut().insert(DATE, date);
        }
        response
    }
}

impl Foreign {
    /// Starts a server that is right but for what `change` makes of it.
    pub fn start(change: impl FnOnce(&str, &mut Script)) -> Self {
        let (double, listener) = Double::bind();
        let mut script = Script::good(&double.url);
        change(&double.url, &mut script);
        double
            .clone()
            .serve_apart(listener, Dates::Scripted, move |_, asked| {
                let answer = script.answer(asked.uri.path(), || asked.form());
                async move { answer }
            });
        Self {
            issuer: double.url.clone(),
            double,
        }
    }

    /// How much it was asked so far.
    pub fn count(&self) -> usize {
        self.double.count()
    }

    /// The forms that came to this path.
    pub fn forms(&self, path: &str) -> Vec<Form> {
        let asked = self.double.asked_at(path);
        asked.iter().map(super::Asked::form).collect()
    }
}

/// A token for a minute.
pub fn granted() -> Response<Body> {
    token("the-token", 60)
}

/// A refusal with status 400.
pub fn refused(code: &str) -> Response<Body> {
    reply::refusal(400, code)
}
