//! A JWT as text: every member of header and claims is JSON as written, so that a test can say
//! `1e400`, or say it twice.

use super::Key;

/// Header and claims, each a list of names and JSON texts.
#[derive(Clone, Debug, Default)]
pub struct Jwt {
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
}

impl Jwt {
    /// This claim and no other of the name.
    #[must_use]
    pub fn claim(mut self, name: &str, json: impl Into<String>) -> Self {
        put(&mut self.claims, name, json.into());
        self
    }

    /// As [`Jwt::claim`], the value being a text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.claim(name, quote(value))
    }

    /// This claim once more, whatever else there is.
    #[must_use]
    pub fn claim_again(mut self, name: &str, json: impl Into<String>) -> Self {
        self.claims.push((name.to_owned(), json.into()));
        self
    }

    /// Without this claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.retain(|(known, _)| known != name);
        self
    }

    /// This header parameter and no other of the name.
    #[must_use]
    pub fn header(mut self, name: &str, json: impl Into<String>) -> Self {
        put(&mut self.header, name, json.into());
        self
    }

    /// This header parameter once more.
    #[must_use]
    pub fn header_again(mut self, name: &str, json: impl Into<String>) -> Self {
        self.header.push((name.to_owned(), json.into()));
        self
    }

    /// Without this header parameter.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.retain(|(known, _)| known != name);
        self
    }

    /// Signed with the key's own algorithm, whatever the header says.
    pub fn sign(&self, key: &Key) -> String {
        key.jws(&object(&self.header), object(&self.claims).as_bytes())
    }
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn put(members: &mut Vec<(String, String)>, name: &str, json: String) {
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = json,
        None => members.push((name.to_owned(), json)),
    }
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, json)| format!("{}:{json}", quote(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}
