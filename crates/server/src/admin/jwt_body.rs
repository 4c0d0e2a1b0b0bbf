//! A JWT that is looked at: it is kept nowhere, and neither logged nor answered.

use std::fmt;

use grantor::{
    assertion::Usage,
    clock::{UnixTime, rfc3339},
};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Content, Problem, content};

/// Longest body in octets: a JWT of 16 KiB, and what is around it.
const LARGEST: usize = 16 * 1024 + 256;
const JWT: &str = "jwt";
const USE: &str = "use";
const AT: &str = "at";

/// A JWT, and as what it is looked at.
pub struct JwtBody {
    /// The JWT.
    pub jwt: Zeroizing<String>,
    /// What it would be used for; as its `typ` says if not named.
    pub usage: Option<Usage>,
}

impl fmt::Debug for JwtBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("JwtBody");
        shown.field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl JwtBody {
    fn take(members: &mut content::Members) -> (Option<Zeroizing<String>>, Option<Usage>) {
        let text = |jwt: &Value| jwt.as_str().map(|jwt| Zeroizing::new(jwt.to_owned()));
        let jwt = members.need(JWT, "a text: a JWT", text);
        let usage = members.take(USE, "grant or client_authentication", |usage| {
            serde_json::from_value(usage.clone()).ok()
        });
        (jwt, usage)
    }

    fn made(
        members: content::Members,
        (jwt, usage): (Option<Zeroizing<String>>, Option<Usage>),
    ) -> Result<Self, Problem> {
        members.end()?;
        let jwt = jwt.unwrap_or_default();
        Ok(Self { jwt, usage })
    }

    fn json(&self) -> Value {
        let mut body = json!({JWT: *self.jwt});
        if let Some(usage) = self.usage {
            body[USE] = json!(usage);
        }
        body
    }
}

fn members(schemas: &mut SchemaGenerator) -> Value {
    json!({
        "type": "object",
        "required": [JWT],
        "additionalProperties": false,
        "properties": {
            JWT: {"type": "string", "description": "The JWT. It is not used up, and kept nowhere."},
            USE: content::or_null(schemas.subschema_for::<Usage>()),
        },
    })
}

impl Content for JwtBody {
    const LARGEST: usize = LARGEST;

    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut members = content::Members::read(octets)?;
        let taken = Self::take(&mut members);
        Self::made(members, taken)
    }

    fn to_json(&self) -> Option<String> {
        Some(self.json().to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        members(schemas).try_into().ok()
    }
}

/// A JWT that is tried, as of some time.
#[derive(Debug)]
pub struct TriedJwt {
    /// The JWT.
    pub jwt: JwtBody,
    /// The time; now if not named.
    pub at: Option<UnixTime>,
}

impl Content for TriedJwt {
    const LARGEST: usize = LARGEST;

    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut members = content::Members::read(octets)?;
        let taken = JwtBody::take(&mut members);
        let at = members.take(AT, "a time such as 2030-01-31T12:00:00Z", |at| {
            rfc3339::read(at).ok()
        });
        let jwt = JwtBody::made(members, taken)?;
        Ok(Self { jwt, at })
    }

    fn to_json(&self) -> Option<String> {
        let mut body = self.jwt.json();
        if let Some(at) = self.at {
            body[AT] = grantor::clock::time_text(at).into();
        }
        Some(body.to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let mut schema = members(schemas);
        schema["properties"][AT] = content::or_null(json!({
            "type": "string",
            "format": "date-time",
            "description": "As of this time (RFC 3339); now if left out.",
        }));
        schema.try_into().ok()
    }
}
