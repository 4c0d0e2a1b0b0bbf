//! Clients that authenticate by the JWTs of an issuer: a client, and the trust that names it.

use super::{Error, Fault, MadeTrust, MatchDocument, Named, PinDocument, TrustDocument, Trusts};
use crate::{
    admin::{ClientDocument, NewClient, issuers},
    assertion::Usage,
    registry::{Actor, Client, PinValue},
    types::{AuthMethod, ClaimPath, Glob, Name},
};

/// The `sub` by which a client authenticates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FederatedSub {
    /// This one, which is no other client's: with it the client is found without `client_id`.
    Exactly(String),
    /// One that matches: the client sends `client_id` with each request.
    Matching(Glob),
}

/// A client that is to be registered and authenticates by an issuer's JWTs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewFederatedClient {
    /// The client. It is registered as federated, with the method `private_key_jwt`; it has keys of
    /// its own only if they are in the document.
    pub client: ClientDocument,
    /// The issuer: its `iss` or its name.
    pub issuer: String,
    /// The `sub` of its JWTs.
    pub sub: FederatedSub,
    /// What is pinned beside: on an issuer that strangers share, the claim that tells them apart.
    pub pins: Vec<PinDocument>,
    /// Lints that are overruled.
    pub allowed_lints: Vec<String>,
    /// What the trust is called: as the client, if its id is such a name.
    pub trust: Option<Name>,
}

impl NewFederatedClient {
    /// This client, by the JWTs of this issuer with this `sub`.
    pub fn new(client: ClientDocument, issuer: impl Into<String>, sub: FederatedSub) -> Self {
        Self {
            client,
            issuer: issuer.into(),
            sub,
            pins: Vec::new(),
            allowed_lints: Vec::new(),
            trust: None,
        }
    }
}

impl Trusts<'_> {
    /// Registers a client, and in the same commit the trust by which an issuer's JWTs authenticate
    /// it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the issuer; [`Error::Invalid`] with all faults; [`Error::Exists`] also
    /// for a `sub` that authenticates another client; [`Error::Conflict`]; [`Error::Store`]
    pub async fn create_federated(
        &self,
        new: NewFederatedClient,
        by: &Actor,
    ) -> Result<MadeTrust, Error> {
        let issuer = issuers::find(&self.stores, &new.issuer).await?;
        let issuer = issuer.ok_or_else(|| Error::NotFound(Named::Issuer(new.issuer.clone())))?;
        let client = self.federated_client(&new)?;
        let name = match new.trust {
            Some(name) => name,
            None => Name::parse(client.id().as_str()).map_err(|error| {
                Fault::new(
                    "trust",
                    format!(
                        "client {} {error}; say what its trust is called",
                        client.id()
                    ),
                )
            })?,
        };
        let mut document = TrustDocument::new(name, issuer.id.clone());
        document.client = Some(client.id().clone());
        document.uses = vec![Usage::ClientAuthentication];
        let sub = ClaimPath::parse("sub").expect("a claim's name");
        match new.sub {
            FederatedSub::Exactly(text) => {
                let pin = PinDocument::new(sub, PinValue::Text(text));
                document.pins.push(pin);
            }
            FederatedSub::Matching(glob) => document.matches.push(MatchDocument::new(sub, glob)),
        }
        document.pins.extend(new.pins);
        document.allowed_lints = new.allowed_lints;
        let trust = document.trust(issuer.id.clone(), client.id().clone(), self.now);
        if self.stores.trusts.get(&trust.name).await?.is_some() {
            return Err(Error::Exists(Named::Trust(trust.name)));
        }
        self.check(&issuer, &client, &trust, None).await?;
        self.make(None, Some(client), trust, by).await
    }

    fn federated_client(&self, new: &NewFederatedClient) -> Result<Client, Error> {
        let mut document = new.client.clone();
        document.federated = true;
        document.token_endpoint_auth_method = AuthMethod::PRIVATE_KEY_JWT;
        let prepared = NewClient::new(document).prepare(self.terms, self.now)?;
        let client = prepared.into_client();
        Ok(client.ok_or_else(|| Fault::of_all("no client was made"))?)
    }
}
