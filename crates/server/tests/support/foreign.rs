//! An authorization server that is not ours, and does what a test wants: right until told
//! otherwise.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use grantor::jose::{Algorithm, PrivateJwk, base64url_decode};
use serde_json::{Value, json};
use url::form_urlencoded;

/// A form, as it came.
pub type Form = BTreeMap<String, String>;

type Answer = Box<dyn Fn(&str, Form) -> (u16, Value) + Send + Sync>;

/// A running server. Its thread ends with the test program.
pub struct Foreign {
    pub issuer: String,
    asked: Arc<Mutex<Vec<(String, Form)>>>,
}

/// What a server says of itself and does. The keys of `documents` are paths.
pub struct Script {
    pub documents: BTreeMap<String, Value>,
    /// Answers what is at no document's path.
    pub answer: Answer,
    /// How far its clock is ahead, in seconds; `None` sends no `Date`.
    pub ahead: Option<i64>,
}

/// Where RFC 8414 looks.
pub const METADATA: &str = "/.well-known/oauth-authorization-server";

impl Script {
    /// A server without faults, which gives tokens to everybody.
    pub fn good(issuer: &str) -> Self {
        let metadata = json!({
            "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", "client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        });
        let key = PrivateJwk::generate(Algorithm::Es256)
            .expect("a key")
            .public()
            .with_key_id("first");
        let documents = [
            (METADATA.to_owned(), metadata),
            ("/jwks".to_owned(), json!({"keys": [key.to_object()]})),
        ];
        Self {
            documents: documents.into(),
            answer: Box::new(|_, _| granted()),
            ahead: Some(0),
        }
    }

    /// The metadata, to change.
    pub fn metadata(&mut self) -> &mut Value {
        self.documents.get_mut(METADATA).expect("metadata")
    }
}

/// A token.
pub fn granted() -> (u16, Value) {
    (
        200,
        json!({"access_token": "the-token", "token_type": "Bearer", "expires_in": 60}),
    )
}

/// A refusal.
pub fn refused(code: &str) -> (u16, Value) {
    (
        400,
        json!({"error": code, "error_description": "as scripted"}),
    )
}

impl Foreign {
    /// Starts a server that is right but for what `change` makes of it.
    pub fn start(change: impl FnOnce(&str, &mut Script)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let mut script = Script::good(&issuer);
        change(&issuer, &mut script);
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, &script, &log);
            }
        });
        Self { issuer, asked }
    }

    /// The forms that came to this path.
    pub fn forms(&self, path: &str) -> Vec<Form> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked
            .iter()
            .filter(|(asked, _)| asked == path)
            .map(|(_, form)| form.clone())
            .collect()
    }
}

/// The claims of an assertion.
pub fn claims(assertion: &str) -> Value {
    part(assertion, 1)
}

/// The header (0) or the claims (1) of an assertion.
pub fn part(assertion: &str, index: usize) -> Value {
    let octets = assertion
        .split('.')
        .nth(index)
        .and_then(base64url_decode)
        .expect("base64url");
    serde_json::from_slice(&octets).expect("JSON")
}

fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<(String, Form)>>) {
    let Some((path, body)) = read(&mut stream) else {
        return;
    };
    let form = form(&body);
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((path.clone(), form.clone()));
    let (status, answer) = match script.documents.get(&path) {
        Some(document) => (200, document.clone()),
        None if path == "/token" => (script.answer)(&path, form),
        None => (404, json!({})),
    };
    let date = script.ahead.map_or_else(String::new, |ahead| {
        let there = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there);
        format!("Date: {}\r\n", date.expect("a date"))
    });
    let body = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{date}Content-Type: application/json\r\nConnection: close\r\n"
    );
    // Who asked may be gone.
    let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
}

/// Path and body.
fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut text, mut octets) = (String::new(), [0; 4096]);
    loop {
        let length = stream.read(&mut octets).ok().filter(|length| *length > 0)?;
        text.push_str(std::str::from_utf8(&octets[..length]).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let expected = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if body.len() >= expected.unwrap_or(0) {
            return Some((head.split(' ').nth(1)?.to_owned(), body.to_owned()));
        }
    }
}

fn form(body: &str) -> Form {
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}
