//! What is sent to register a client: its document, and what the server is to make for it.

use std::time::Duration;

use grantor::{
    admin::{
        ClientDocument, Error, Fault, FederatedSub, NewClient, NewFederatedClient, PinDocument,
        problem,
    },
    jose::{
        Algorithm,
        json::{Object, Value},
    },
    types::{Glob, Name},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::{Content, Problem, Slug, content};

/// A client that is to be registered.
#[derive(Clone, Debug)]
pub struct ClientBody {
    /// What is registered.
    pub document: ClientDocument,
    /// Makes a key pair for this algorithm.
    pub generate: Option<Algorithm>,
    /// How long its keys live; for ever if not set.
    pub key_lifetime: Option<Duration>,
    /// How long the secret lives that is made where the method needs one; for ever if not set.
    pub secret_lifetime: Option<Duration>,
    /// Makes the trust by which it authenticates, too.
    pub trust: Option<FederatedTrust>,
}

/// The trust by which a federated client authenticates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FederatedTrust {
    /// The issuer of its JWTs: `iss` or name.
    pub issuer: String,
    /// Their `sub`, to the letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// A glob that the whole `sub` matches; the client has to send client_id then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_glob: Option<Glob>,
    /// Claims and their values besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinDocument>,
    /// Lints that are overruled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// What the trust is called; as the client if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

impl ClientBody {
    /// For which nothing is made.
    pub fn new(document: ClientDocument) -> Self {
        Self {
            document,
            generate: None,
            key_lifetime: None,
            secret_lifetime: None,
            trust: None,
        }
    }

    /// Succeeds if all of it goes together: a client that authenticates by a trust has no keys and
    /// secrets made, nor an end of any.
    ///
    /// # Errors
    /// All faults.
    pub fn check(&self) -> Result<(), Error> {
        let others = [
            (GENERATE, self.generate.is_some()),
            (KEY_LIFETIME, self.key_lifetime.is_some()),
            (SECRET_LIFETIME, self.secret_lifetime.is_some()),
        ];
        let others = others.into_iter().filter(|(_, is_there)| *is_there);
        let faults = others
            .map(|(member, _)| Fault::new(member, "does not go with trust; leave one of them out"));
        let faults: Vec<_> = faults.collect();
        match self.trust.is_some() && !faults.is_empty() {
            true => Err(faults.into()),
            false => Ok(()),
        }
    }

    /// The registration.
    pub fn client(self) -> NewClient {
        let mut new = NewClient::new(self.document);
        new.generate = self.generate;
        new.key_lifetime = self.key_lifetime;
        new.secret_lifetime = self.secret_lifetime;
        new
    }
}

impl FederatedTrust {
    /// This client, with its trust.
    pub fn client(self, document: ClientDocument) -> Result<NewFederatedClient, Fault> {
        let sub = match (self.sub, self.sub_glob) {
            (Some(text), None) => FederatedSub::Exactly(text),
            (None, Some(glob)) => FederatedSub::Matching(glob),
            _ => return Err(Fault::new(TRUST, "name either sub or sub_glob")),
        };
        let mut new = NewFederatedClient::new(document, self.issuer, sub);
        new.pins = self.pins;
        new.allowed_lints = self.allow;
        new.trust = self.name;
        Ok(new)
    }
}

/// The members beside those of the document.
const GENERATE: &str = "generate";
const KEY_LIFETIME: &str = "key_lifetime";
const SECRET_LIFETIME: &str = "secret_lifetime";
const TRUST: &str = "trust";

impl Content for ClientBody {
    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut object: Object = content::object(octets)?;
        let mut faults = Vec::new();
        let mut take = |member: &str| object.remove(member).filter(|value| !value.is_null());
        let generate = take(GENERATE).map(|name| content::algorithm(GENERATE, &name));
        let lifetimes = [KEY_LIFETIME, SECRET_LIFETIME].map(|member| seconds(member, take(member)));
        let trust = take(TRUST).map(|trust| {
            let trust = serde_json::from_value(trust);
            trust.map_err(|error| Fault::new(TRUST, problem(&error)))
        });
        let mut keep =
            |result: Result<_, Vec<Fault>>| result.map_err(|more| faults.extend(more)).ok();
        let [key_lifetime, secret_lifetime] =
            lifetimes.map(|lifetime| keep(lifetime.map_err(|one| vec![one])).flatten());
        let document: Result<ClientDocument, _> = content::document(object);
        let generate = generate
            .transpose()
            .map_err(|problem| faults.extend(problem.errors));
        let trust = trust.transpose().map_err(|fault| faults.push(fault));
        let document = document.map_err(|problem| faults.extend(problem.errors));
        match (document, generate, trust) {
            (Ok(document), Ok(generate), Ok(trust)) if faults.is_empty() => Ok(Self {
                document,
                generate,
                key_lifetime,
                secret_lifetime,
                trust,
            }),
            _ => Err(Problem::at_fault(Slug::Invalid, faults)),
        }
    }

    fn to_json(&self) -> Option<String> {
        let mut document = serde_json::to_value(&self.document).ok()?;
        if let Some(algorithm) = self.generate {
            document[GENERATE] = algorithm.name().into();
        }
        for (member, lifetime) in [
            (KEY_LIFETIME, self.key_lifetime),
            (SECRET_LIFETIME, self.secret_lifetime),
        ] {
            if let Some(lifetime) = lifetime {
                document[member] = lifetime.as_secs().into();
            }
        }
        if let Some(trust) = &self.trust {
            document[TRUST] = serde_json::to_value(trust).ok()?;
        }
        Some(document.to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let mut schema = ClientDocument::json_schema(schemas);
        let lifetime = |what| {
            let seconds = json!({"type": "integer", "minimum": 0, "description": what});
            content::or_null(seconds)
        };
        let trust = schemas.subschema_for::<FederatedTrust>();
        let members = schema.get_mut("properties")?.as_object_mut()?;
        for (member, schema) in [
            (
                GENERATE,
                content::algorithm_schema("Makes a key pair for this algorithm."),
            ),
            (
                KEY_LIFETIME,
                lifetime("How long its keys live, in seconds."),
            ),
            (
                SECRET_LIFETIME,
                lifetime("How long the secret lives that is made, in seconds."),
            ),
            (TRUST, content::or_null(trust)),
        ] {
            members.insert(member.to_owned(), schema);
        }
        Some(schema)
    }
}

/// A length of time.
fn seconds(member: &str, value: Option<Value>) -> Result<Option<Duration>, Fault> {
    let wrong = || Fault::new(member, "expected a number of seconds");
    let read = |value: Value| value.as_u64().map(Duration::from_secs).ok_or_else(wrong);
    value.map(read).transpose()
}
