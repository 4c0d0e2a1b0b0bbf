//! Operations of the keys that the server signs with.

use std::time::Duration;

use grantor::{
    admin::{Error, SigningKeyDocument, WhileSigning},
    jose::Algorithm,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Administration, Answered, Content, Input, Listed, NoQuery, Operation, Problem, Route, content,
};
use crate::backend::Nodes;

/// Lists the keys that are published.
pub struct ListSigningKeys;

impl Operation for ListSigningKeys {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = Listed<SigningKeyDocument>;

    const ROUTE: Route = Route::list(
        "/signing-keys",
        "list_signing_keys",
        "List the keys that are published, the newest first",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let keys = admin.signing_keys().list().await?;
        Ok(Listed::of_all(keys, |key| &key.kid, &input.portion)?.into())
    }
}

/// Makes a new key, which signs soon.
pub struct RotateSigningKey;

/// How a new key is made.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Its algorithm; the configuration's if not named.
    pub alg: Option<Algorithm>,
    /// How long it is published before it signs.
    pub ahead: Duration,
}

impl Rotation {
    /// As long as APIs usually cache the key set.
    pub const AHEAD: Duration = Duration::from_secs(120);
    /// The least where nodes share the database: each publishes a key before any signs with it (S039).
    pub const LEAST_OF_MANY: Duration = Duration::from_secs(10);
    const ALG: &str = "alg";
    const AHEAD_MEMBER: &str = "ahead";
}

impl Content for Rotation {
    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut members = content::Members::read(octets)?;
        let alg = members.take(Self::ALG, "the name of a signature algorithm", |name| {
            Algorithm::from_name(name.as_str()?)
        });
        let expected = "seconds: a whole number that is not negative";
        let ahead = members.take(Self::AHEAD_MEMBER, expected, |seconds| {
            seconds.as_u64().map(Duration::from_secs)
        });
        members.end()?;
        Ok(Self {
            alg,
            ahead: ahead.unwrap_or(Self::AHEAD),
        })
    }

    fn to_json(&self) -> Option<String> {
        let mut body = json!({Self::AHEAD_MEMBER: self.ahead.as_secs()});
        if let Some(alg) = self.alg {
            body[Self::ALG] = alg.name().into();
        }
        Some(body.to_string())
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        let schema = json!({
            "type": "object",
            "properties": {
                "alg": content::algorithm_schema("Its algorithm; the configuration's if left out."),
                "ahead": content::or_null(json!({
                    "type": "integer",
                    "minimum": 0,
                    "maximum": grantor::admin::SigningKeys::MAX_AHEAD.as_secs(),
                    "default": Self::AHEAD.as_secs(),
                    "description": "For so many seconds it is published before it signs; at least 10 where nodes share the database.",
                })),
            },
            "additionalProperties": false,
        });
        schema.try_into().ok()
    }
}

impl Operation for RotateSigningKey {
    type Path = ();
    type Query = NoQuery;
    type Body = Rotation;
    type Answer = SigningKeyDocument;

    const ROUTE: Route = Route::create(
        "/signing-keys",
        "rotate_signing_key",
        "Make a new key: published now, signing soon",
    )
    .for_owners();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Rotation { alg, ahead } = input.body;
        let ahead = match admin.store.nodes_at_most() {
            Nodes::One => ahead,
            Nodes::Many => ahead.max(Rotation::LEAST_OF_MANY),
        };
        let keys = admin.signing_keys();
        Ok(keys.rotate(alg, ahead, admin.actor()).await?.into())
    }
}

/// Withdraws a key, with every token that it signed.
pub struct RevokeSigningKey;

/// Whether the key that signs is meant too.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RevocationQuery {
    /// Withdraw the key also if it signs now: the next one signs at once, or a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_signing: Option<bool>,
}

/// The keys that are left.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeysLeft {
    /// The key that was withdrawn.
    pub revoked: String,
    /// The others, the newest first.
    pub keys: Vec<SigningKeyDocument>,
}

impl Operation for RevokeSigningKey {
    type Path = String;
    type Query = RevocationQuery;
    type Body = ();
    type Answer = KeysLeft;

    const ROUTE: Route = Route::delete(
        "/signing-keys/{kid}",
        "revoke_signing_key",
        "Withdraw a key at once: its tokens end here, and at APIs that read the key set again",
    )
    .for_owners()
    .without_state();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let kid = input.path;
        let signing = match input.query.while_signing {
            Some(true) => WhileSigning::Replace,
            _ => WhileSigning::Refuse,
        };
        let keys = admin.signing_keys();
        let keys = keys.revoke(&kid, signing, admin.actor()).await?;
        Ok(KeysLeft { revoked: kid, keys }.into())
    }
}
