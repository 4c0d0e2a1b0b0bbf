//! The page that shows a new key or secret once, and how the client gets its first token with it (M115,
//! M116).

use askama::Template;
use grantor::{
    admin::ClientDocument,
    credential::{Credential, KeyFile},
    jose::{PrivateJwk, json::Value},
    server::Body,
    types::Needs,
};
use http::Response;
use zeroize::Zeroizing;

use super::{
    about::{page_of, trail},
    snippets::{Snippet, snippets},
    words::Words,
};
use crate::{
    admin::NoQuery,
    console::{Shell, ShownFile, Visit, address},
    pages::{Coded, Markup, html::safe_name},
};

/// What was made for a client.
pub struct Made {
    pub client: ClientDocument,
    /// The private key (a JWK).
    pub private_key: Option<Value>,
    pub client_secret: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

#[derive(Template)]
#[template(path = "console/clients/made.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    title: &'static str,
    heading: Markup,
    hint: Option<Markup>,
    file: Option<ShownFile>,
    snippets: Vec<Snippet>,
    warnings: Vec<String>,
    permission: String,
    next: String,
}

impl Made {
    /// Shows it, under this title and heading.
    pub fn page(self, visit: &Visit, title: &'static str, heading: Markup) -> Response<Body> {
        let words = Words(visit.language());
        let id = &self.client.client_id;
        let name = safe_name(&format!("{id}.json"));
        let file = self.key_file(visit);
        let method = &self.client.token_endpoint_auth_method;
        let hint = match method.needs().is_some_and(Needs::is_secret) {
            true => words.secret_file_hint(Coded(&name)),
            false => words.key_file_hint(Coded(&name)),
        };
        let issuer = &visit.admin.config.issuer;
        let view = View {
            trail: trail(visit, &self.client),
            title,
            heading,
            hint: file.is_some().then_some(hint),
            snippets: snippets(words, issuer, &self.client, &name),
            file: file.map(|text| ShownFile::new(visit, name, text)),
            warnings: self.warnings,
            permission: address(
                &visit.at("/permissions/new", &[]),
                &NoQuery {},
                &[("client", id.as_str())],
            ),
            next: page_of(visit, id),
            words,
            shell: visit.shell(),
        };
        visit.page(&view)
    }

    /// The key file with the key or the secret, if one was made.
    fn key_file(&self, visit: &Visit) -> Option<String> {
        let credential = match (&self.private_key, &self.client_secret) {
            (Some(key), _) => {
                let key = Zeroizing::new(key.to_string());
                let key = PrivateJwk::parse(key.as_bytes(), None);
                Credential::PrivateKey(key.expect("a key that was made is one"))
            }
            (None, Some(secret)) => Credential::Secret(Zeroizing::new(secret.clone())),
            (None, None) => return None,
        };
        let (id, method) = (
            self.client.client_id.clone(),
            self.client.token_endpoint_auth_method.clone(),
        );
        let file = KeyFile::new(&visit.admin.config.issuer, id, method, credential);
        file.to_text().map(|text| text.to_string())
    }
}
