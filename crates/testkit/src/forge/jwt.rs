//! A JWT as text: every member of header and claims is JSON as written, so that a test can say
//! `1e400`, or say a thing twice.

use grantor::jose::base64url_encode;

use super::Key;

/// Header and claims, each a list of names and JSON texts; with the key that signs, or without.
#[derive(Clone, Debug)]
pub struct Jwt<K = ()> {
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    key: K,
}

impl<K> Jwt<K> {
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

    /// This claim in front of all others, once more.
    #[must_use]
    pub fn claim_before(mut self, name: &str, json: impl Into<String>) -> Self {
        self.claims.insert(0, (name.to_owned(), json.into()));
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

    /// Signed by this key, whatever the header says.
    #[must_use]
    pub fn by(self, key: &Key) -> Jwt<&Key> {
        Jwt {
            header: self.header,
            claims: self.claims,
            key,
        }
    }

    pub fn header_text(&self) -> String {
        object(&self.header)
    }

    pub fn payload_text(&self) -> String {
        object(&self.claims)
    }

    /// The first two segments.
    pub fn signing_input(&self) -> String {
        let header = base64url_encode(self.header_text());
        format!("{header}.{}", base64url_encode(self.payload_text()))
    }
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            header: Vec::new(),
            claims: Vec::new(),
            key: (),
        }
    }
}

impl Jwt {
    /// Signed with the key's own algorithm, whatever the header says.
    pub fn sign(&self, key: &Key) -> String {
        key.jws(&self.header_text(), self.payload_text().as_bytes())
    }
}

impl<'k> Jwt<&'k Key> {
    /// Without any member.
    pub fn new(key: &'k Key) -> Self {
        Jwt::default().by(key)
    }

    /// As [`Jwt::by`], the header naming the key's algorithm, and no `kid`.
    #[must_use]
    pub fn openly_by(self, key: &'k Key) -> Self {
        self.header("alg", quote(key.algorithm.name()))
            .without_header("kid")
            .by(key)
    }

    /// A compact JWS.
    pub fn sign(&self) -> String {
        self.with_signature(|signature| signature)
    }

    /// A compact JWS with what is made of its signature.
    pub fn with_signature(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let input = self.signing_input();
        let signature = change(self.key.sign(input.as_bytes()));
        format!("{input}.{}", base64url_encode(signature))
    }

    /// A compact JWS over this text in place of the header.
    pub fn with_header_octets(&self, header: impl AsRef<[u8]>) -> String {
        self.seal(
            base64url_encode(header),
            base64url_encode(self.payload_text()),
        )
    }

    /// A compact JWS over these octets in place of the claims.
    pub fn with_payload_octets(&self, payload: impl AsRef<[u8]>) -> String {
        self.key.jws(&self.header_text(), payload.as_ref())
    }

    /// A compact JWS over these two segments, as they are.
    pub fn seal(&self, header: String, payload: String) -> String {
        self.key.seal(&format!("{header}.{payload}"))
    }
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The three segments of a compact JWS.
pub fn segments(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("three segments")
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
