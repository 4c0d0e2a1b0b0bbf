//! What the tests of the code grant start from: a client that people are asked for.

use grantor::{
    registry::{Actor, ClientMetadata, ClientSecret, ConsentPolicy, ScopeText, Subject},
    storage::Registry,
    types::{AuthMethod, Description, GrantType, RedirectUri, Scope, ScopeToken, SubjectId},
};
use grantor_testkit::{
    Authorize, Browser, CALLBACK, Form, Page, Sessions, VERIFIER, World, keys, metadata,
    new_token_id, quote, readable, with_client_assertion,
};

/// A client that asks people for `read` and `write`, by whichever grant.
pub const APP: &str = "app";
/// A person.
pub const ANNA: &str = "anna";

/// The secret of clients that have one.
const SECRET: &str = "a secret of the tests";

/// A server, the client [`APP`] with a secret, and [`ANNA`] signed in at a browser.
pub struct Place {
    pub world: World,
    pub sessions: Sessions,
}

impl Place {
    pub async fn new() -> Self {
        let place = Self::empty();
        place
            .client(APP, AuthMethod::CLIENT_SECRET_POST, |_| ())
            .await;
        place.person(ANNA).await;
        place
    }

    pub fn empty() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(change: impl FnOnce(grantor::server::Builder) -> grantor::server::Builder) -> Self {
        let (world, sessions) = World::with_people(change);
        Self { world, sessions }
    }

    /// Registers a client that asks people.
    pub async fn client(
        &self,
        id: &str,
        method: AuthMethod,
        change: impl FnOnce(&mut ClientMetadata),
    ) {
        let (keys, secrets) = match method.as_str() {
            "private_key_jwt" => (vec![keys::P256.public().into()], vec![]),
            "client_secret_jwt" => (vec![], vec![readable(keys::SECRET.text(), None)]),
            "none" => (vec![], vec![]),
            _ => (vec![], vec![ClientSecret::digest(SECRET, None)]),
        };
        let mut metadata = metadata(id, method);
        metadata.grant_types = vec![GrantType::AUTHORIZATION_CODE, GrantType::JWT_BEARER];
        metadata.redirect_uris = vec![RedirectUri::parse(CALLBACK).expect("a redirect URI")];
        metadata.consent = ConsentPolicy::Ask;
        change(&mut metadata);
        self.world.register(metadata, keys, secrets).await;
    }

    pub async fn person(&self, subject: &str) {
        let subject = Subject::new(SubjectId::parse(subject).expect("a subject"));
        let registry: &dyn Registry<Subject> = &*self.world.store;
        let created = registry.create(subject, &Actor::program("test")).await;
        created.expect("a new name");
    }

    /// Writes what a scope means.
    pub async fn text(&self, name: &str, change: impl FnOnce(&mut ScopeText)) {
        let mut text = ScopeText::new(ScopeToken::parse(name).expect("a scope"));
        text.en = Some(Description::parse("It does something.").expect("a text"));
        change(&mut text);
        let registry: &dyn Registry<ScopeText> = &*self.world.store;
        let created = registry.create(text, &Actor::program("test")).await;
        created.expect("a new name");
    }

    /// A browser of its own, at which nobody is signed in.
    pub fn browser(&self, session: &str) -> Browser<'_> {
        Browser {
            world: &self.world,
            sessions: self.sessions.clone(),
            session: session.to_owned(),
        }
    }

    /// A browser at which [`ANNA`] has just signed in.
    pub fn annas(&self) -> Browser<'_> {
        let browser = self.browser("annas");
        browser.sign_in(ANNA, 0);
        browser
    }

    /// A code for the client, after a yes if one is needed.
    pub async fn code(&self, asked: &Authorize) -> String {
        let browser = self.annas();
        let page = browser.asked(asked).await;
        match page.told("code") {
            Some(code) => code,
            None => browser.allow(&page).await.code(),
        }
    }

    /// What the person has allowed: scope and grants.
    pub async fn allowed(&self, client: &str, subject: &str) -> Option<(String, Vec<GrantType>)> {
        let id = grantor::registry::PermissionId::by_person(
            client.parse().expect("a client"),
            subject.parse().expect("a subject"),
        );
        let registry: &dyn Registry<grantor::registry::Permission> = &*self.world.store;
        let known = registry.get(&id).await.expect("a registry");
        known.map(|known| {
            let scope = known.scope.clone().expect("a person allows a list");
            (scope.to_string(), known.grants.clone())
        })
    }

    /// Changes a registration.
    pub async fn change(&self, client: &str, change: impl Fn(&mut ClientMetadata)) {
        let registry: &dyn Registry<grantor::registry::Client> = &*self.world.store;
        let id = client.parse().expect("a client");
        let changed = |known: &grantor::registry::Client| {
            let mut metadata = known.metadata().clone();
            change(&mut metadata);
            let parts = (known.keys().to_vec(), known.secrets().to_vec());
            let changed = known.changed(metadata, parts.0, parts.1);
            Ok::<_, grantor::storage::StoreError>(changed.expect("a client that makes sense"))
        };
        let changed = registry.change(&id, &Actor::program("test"), changed).await;
        changed.expect("a known client");
    }
}

/// Redeems a code as a client that authenticates by this method.
pub fn redeem(code: &str, client: &str, method: &AuthMethod) -> Form {
    let form = Form::new("authorization_code")
        .with("code", code)
        .with("code_verifier", VERIFIER)
        .with("redirect_uri", CALLBACK);
    authenticated(form, client, method)
}

/// As this client, by this method.
pub fn authenticated(form: Form, client: &str, method: &AuthMethod) -> Form {
    let assertion = |key: &grantor_testkit::Key| {
        let jwt = grantor_testkit::Jwt::default()
            .header("alg", quote(key.algorithm.name()))
            .header("typ", quote("JWT"))
            .claim("iat", grantor_testkit::NOW.to_string())
            .claim("exp", (grantor_testkit::NOW + 300).to_string())
            .text("jti", &new_token_id())
            .text("iss", client)
            .text("sub", client)
            .text("aud", grantor_testkit::ISSUER);
        jwt.sign(key)
    };
    match method.as_str() {
        "private_key_jwt" => with_client_assertion(form, &assertion(&keys::P256)),
        "client_secret_jwt" => with_client_assertion(form, &assertion(&keys::SECRET)),
        "client_secret_basic" => form.basic(client, SECRET),
        "client_secret_post" => form.with("client_id", client).with("client_secret", SECRET),
        _ => form.with("client_id", client),
    }
}

/// The usual way to redeem a code of [`APP`].
pub fn redeem_as_app(code: &str) -> Form {
    redeem(code, APP, &AuthMethod::CLIENT_SECRET_POST)
}

pub fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

/// The names in a list of a page.
pub fn listed(page: &Page, list: &str) -> Vec<String> {
    let page = page.json();
    let names = page[list].as_array().expect("a list").iter();
    names
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}
