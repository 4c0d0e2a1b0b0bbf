//! Third parties: issuers that are registered with an uploaded key, and the JWTs that they sign.

use std::sync::Arc;

use grantor::{
    registry::{Actor, Issuers, KeyOrigin, Pin, PinValue, Trust, TrustedIssuer, UploadedKey},
    storage::Registries as _,
    types::{AuthMethod, IssuerId, Name, Scope},
};

use crate::{
    forge::{Jwt, Key, keys, quote},
    world::{ISSUER, NOW, World, at, metadata, new_token_id},
};

/// An issuer, and the key that it signs with.
#[derive(Clone)]
pub struct ThirdParty {
    pub issuer: Arc<TrustedIssuer>,
    pub key: Arc<Key>,
}

impl ThirdParty {
    /// A good JWT of it: for us, of one minute, about `repo:acme/widgets`, of `acme`'s tenant `42`.
    pub fn jwt(&self) -> Jwt {
        let jwt = Jwt::default()
            .header("alg", quote(self.key.algorithm.name()))
            .header("kid", quote(self.key.key_id().unwrap_or_default()));
        jwt.claim("iat", NOW.to_string())
            .claim("exp", (NOW + 60).to_string())
            .text("jti", &new_token_id())
            .text("iss", self.issuer.id.as_str())
            .text("aud", ISSUER)
            .text("sub", "repo:acme/widgets")
            .text("tenant", "42")
            .text("ref", "refs/heads/main")
            .claim("run", "7".to_owned())
    }

    /// The same, signed.
    pub fn token(&self) -> String {
        self.jwt().sign(&self.key)
    }
}

impl World {
    /// Registers an issuer of this name, `https://NAME.example`, with the usual key.
    pub async fn third_party(
        &self,
        name: &str,
        change: impl FnOnce(&mut TrustedIssuer),
    ) -> ThirdParty {
        let key = keys::P256.clone();
        let id = IssuerId::parse(&format!("https://{name}.example")).expect("an issuer");
        let uploaded = UploadedKey::new(key.public().into(), at(0.0));
        let origin = KeyOrigin::Uploaded {
            keys: vec![uploaded],
        };
        let name = Name::parse(name).expect("a name");
        let mut issuer = TrustedIssuer::new(id, name, origin, at(0.0));
        change(&mut issuer);
        let registry = self.store.issuer_registry();
        let made = registry.create(issuer, &Actor::program("test")).await;
        ThirdParty {
            issuer: made.expect("a new issuer"),
            key,
        }
    }

    /// Registers a client that can do no more than what is given to it by trusts, scope `read
    /// write`.
    pub async fn trusted_client(&self, id: &str) {
        let metadata = metadata(id, AuthMethod::NONE);
        self.register(metadata, vec![], vec![]).await;
    }

    /// Registers a trust of this name that pins `tenant` to `42`, for this client, scope `read`.
    pub async fn trust(
        &self,
        from: &ThirdParty,
        name: &str,
        client: &str,
        change: impl FnOnce(&mut Trust),
    ) -> Arc<Trust> {
        let client = client.parse().expect("a client");
        let name = Name::parse(name).expect("a name");
        let mut trust = Trust::new(name, from.issuer.id.clone(), client, at(0.0));
        trust.pins = vec![pin("tenant", "42")];
        trust.scope = Scope::parse("read").expect("a scope");
        change(&mut trust);
        let registry = self.store.trust_registry();
        let made = registry.create(trust, &Actor::program("test")).await;
        made.expect("a new trust")
    }

    /// All issuers, as requests find them.
    pub async fn issuers(&self) -> Arc<Issuers> {
        use grantor::storage::IssuerSource;
        IssuerSource::issuers(&*self.store).await.expect("memory")
    }
}

/// A pin, in the words of operators.
pub fn pin(claim: &str, value: &str) -> Pin {
    Pin::new(claim.parse().expect("a claim"), PinValue::parse(value))
}
