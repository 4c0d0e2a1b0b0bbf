//! An answer of the token endpoint, and what must be true of every one of them.

use grantor::{
    assertion::Verdict,
    jose::base64url_decode,
    server::{Body, Decision, Outcome},
};
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::Form;

/// Status, headers, JSON body, and the decision behind them.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub decision: Decision,
    /// Whether `invalid_client` is answered with a challenge: to an Authorization header (RFC 6749
    /// §5.2), and at introspection.
    is_challenged: bool,
}

impl Answer {
    /// Reads an answer to `form` and checks what holds for all: one decision, JSON, never stored,
    /// and of the input nothing.
    pub async fn read(form: &Form, response: Response<Body>, decisions: Vec<Decision>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let text = std::str::from_utf8(&body).expect("UTF-8").to_owned();
        let [decision] = <[Decision; 1]>::try_from(decisions).expect("exactly one decision");
        let answer = Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_str(&text).expect("JSON"),
            decision,
            is_challenged: form.is_challenged() || form.uri == "/introspect",
        };
        answer.is_never_stored();
        answer.has_a_small_record_without_credentials(form);
        answer.is_explained_by_one_row();
        if answer.status != StatusCode::OK {
            answer.says_fixed_words_only();
            // The link is made of what was asked for.
            let text = match answer.consent_uri() {
                Some(link) => text.replace(link, ""),
                None => text,
            };
            answer.repeats_nothing_of(form, &text);
        }
        answer
    }

    /// A token was issued (RFC 6749 §5.1), and no refresh token: answers it.
    #[track_caller]
    pub fn granted(&self, row: &str) -> &str {
        assert_eq!(self.body.get("refresh_token"), None, "{row}");
        self.issued(row)
    }

    /// A token was issued, and a refresh token: answers both.
    #[track_caller]
    pub fn granted_both(&self, row: &str) -> (String, String) {
        let access = self.issued(row).to_owned();
        let refresh = self.body["refresh_token"].as_str();
        (access, refresh.expect(row).to_owned())
    }

    #[track_caller]
    fn issued(&self, row: &str) -> &str {
        assert_eq!(self.decision.outcome, Outcome::Granted, "{row}");
        assert_eq!(self.status, StatusCode::OK, "{row}");
        assert_eq!(self.body["token_type"], "Bearer", "{row}");
        assert!(
            self.body["expires_in"]
                .as_u64()
                .is_some_and(|seconds| seconds > 0),
            "{row}: {}",
            self.body
        );
        self.body["access_token"].as_str().expect("an access token")
    }

    /// The request was refused with this error code, and for this private reason.
    #[track_caller]
    pub fn refused(&self, row: &str, error: &str, rule: &str, cause: &str) {
        let (logged, broken, told) = match &self.decision.outcome {
            Outcome::Refused { error, rule, cause } => {
                (error.as_str(), rule.name(), cause.as_str())
            }
            Outcome::Granted | Outcome::Undecided => ("granted", "no rule", ""),
        };
        assert_eq!((logged, broken), (error, rule), "{row}: {told}");
        assert!(
            told.contains(cause),
            "{row}: expected {cause:?} in {told:?}"
        );
        assert_eq!(self.body["error"], error, "{row}");
        assert_eq!(self.status, self.expected_status(error, rule), "{row}");
        let challenge = self
            .headers
            .get(header::WWW_AUTHENTICATE)
            .map(|value| value.to_str().expect("ASCII"));
        match self.status {
            StatusCode::UNAUTHORIZED => assert!(
                challenge.is_some_and(|text| text.starts_with("Basic realm=")),
                "{row}"
            ),
            _ => assert_eq!(challenge, None, "{row}"),
        }
    }

    /// Where the person can be asked, of a refusal for want of consent.
    pub fn consent_uri(&self) -> Option<&str> {
        self.body.get("consent_uri")?.as_str()
    }

    /// What the public may read, without the correlation id.
    pub fn description(&self) -> &str {
        let text = self.body["error_description"]
            .as_str()
            .expect("a description");
        text.split(" (decision ")
            .next()
            .expect("split has a first part")
    }

    fn expected_status(&self, error: &str, rule: &str) -> StatusCode {
        match error {
            "invalid_client" if self.is_challenged => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            "temporarily_unavailable" if rule == "replay_quota" => StatusCode::TOO_MANY_REQUESTS,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The record is what the database and the log get.
    fn has_a_small_record_without_credentials(&self, form: &Form) {
        let record = serde_json::to_string(&self.decision).expect("JSON");
        let explained = self.decision.explanation.as_ref();
        let is_long = explained.is_some_and(|explanation| explanation.trusts.len() > 2);
        let kept = self.decision.record();
        assert!(is_long || record == kept, "nothing has to be left out");
        let record = kept;
        assert!(
            record.len() <= Decision::MAX_BYTES,
            "{} octets: {record}",
            record.len()
        );
        let credentials = [
            "assertion",
            "client_assertion",
            "client_secret",
            "code",
            "code_verifier",
            "refresh_token",
            "token",
        ];
        let is_credential = |name: &str| credentials.contains(&name);
        for (_, value) in form
            .pairs
            .iter()
            .filter(|(name, value)| is_credential(name) && value.len() >= 20)
        {
            assert!(!record.contains(value.as_str()), "{record} holds {value}");
        }
    }

    /// A refusal that is explained is explained by exactly one failing row, that of its rule.
    fn is_explained_by_one_row(&self) {
        let Some(explanation) = &self.decision.explanation else {
            return;
        };
        let broken = match &self.decision.outcome {
            Outcome::Refused { rule, .. } => Some(rule),
            Outcome::Granted | Outcome::Undecided => None,
        };
        let failed: Vec<_> = explanation
            .checks
            .iter()
            .filter(|check| check.verdict == Verdict::Fail)
            .map(|check| &check.rule)
            .collect();
        assert_eq!(failed, Vec::from_iter(broken), "{explanation:?}");
    }

    fn is_never_stored(&self) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(self.headers[header::PRAGMA], "no-cache");
    }

    /// RFC 6749 §5.2: no other characters than these; and the correlation id under which the cause
    /// is logged.
    fn says_fixed_words_only(&self) {
        assert_eq!(self.body.get("access_token"), None);
        let members: Vec<_> = self.body.as_object().expect("an object").keys().collect();
        match self.body["error"] == "consent_required" {
            true => assert_eq!(members, ["consent_uri", "error", "error_description"]),
            false => assert_eq!(members, ["error", "error_description"]),
        }
        for member in ["error", "error_description"] {
            let text = self.body[member].as_str().expect("a text");
            let allowed = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(text.bytes().all(allowed), "{text}");
        }
        let description = self.body["error_description"].as_str().expect("a text");
        assert!(
            description.ends_with(&format!("(decision {})", self.decision.id)),
            "{description}"
        );
    }

    fn repeats_nothing_of(&self, form: &Form, body: &str) {
        let headers: Vec<_> = self
            .headers
            .values()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let answer = format!("{body}\n{}", headers.join("\n"));
        let own_type = |value: &String| value.starts_with("application/x-www-form-urlencoded");
        let sent = form
            .pairs
            .iter()
            .map(|(_, value)| value)
            .chain(form.headers.iter().map(|(_, value)| value));
        for value in sent.filter(|value| !own_type(value)) {
            for text in std::iter::once(value.clone())
                .chain(texts_of_jws(value))
                .filter(|text| text.len() >= 6)
            {
                assert!(!answer.contains(&text), "{answer} repeats {text}");
            }
        }
    }
}

/// The strings inside a JWS, if it is one.
fn texts_of_jws(token: &str) -> Vec<String> {
    let segments = token.split('.').filter_map(base64url_decode);
    let values = segments.filter_map(|octets| serde_json::from_slice::<Value>(&octets).ok());
    let mut texts = Vec::new();
    for value in values {
        collect(&value, &mut texts);
    }
    texts
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}
