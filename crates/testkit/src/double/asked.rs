//! What a client sent.

use std::collections::BTreeMap;

use grantor::jose::{PrivateJwk, Unverified, VerificationKey, base64url_decode};
use http::{HeaderMap, Uri};
use serde_json::Value;
use url::form_urlencoded;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    /// The form; that no parameter is there twice is checked.
    pub fn form(&self) -> BTreeMap<String, String> {
        let mut form = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.body.as_bytes()) {
            let earlier = form.insert(name.to_string(), value.into_owned());
            assert!(earlier.is_none(), "{name} twice");
        }
        form
    }

    /// A form parameter.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.form().remove(name)
    }

    /// The assertion in this parameter.
    pub fn jwt(&self, name: &str) -> ReadJwt {
        let Some(text) = self.parameter(name) else {
            unreachable!("no {name}: {}", self.body)
        };
        ReadJwt::read(&text)
    }

    pub fn authorization(&self) -> Option<&str> {
        let value = self.headers.get("authorization")?;
        Some(value.to_str().expect("ASCII"))
    }
}

/// A JWT taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadJwt {
    pub text: String,
    pub header: Value,
    pub claims: Value,
}

impl ReadJwt {
    pub fn read(text: &str) -> Self {
        let json = |part| {
            let part = text.split('.').nth(part).and_then(base64url_decode);
            serde_json::from_slice(&part.expect("base64url")).expect("JSON")
        };
        Self {
            text: text.to_owned(),
            header: json(0),
            claims: json(1),
        }
    }

    pub fn claim(&self, name: &str) -> &Value {
        &self.claims[name]
    }

    /// Asserts that `key` signed it.
    pub fn is_by(&self, key: &PrivateJwk) {
        let public = VerificationKey::from_jwk(key.public()).expect("a public key");
        Unverified::parse(&self.text)
            .and_then(|jws| jws.verify(&public))
            .expect("a signature by the key");
    }
}
