//! What a token request of a client would get.

use grantor::{
    admin::{Error, PreviewDocument, PreviewRequest, Served},
    types::ClientId,
};

use crate::admin::{
    Administration, Answered, Input, NoQuery, Operation, PATH, Route, content::bodies,
};

bodies!(PreviewRequest);

/// Tells what a token request would get now, or which rule refuses it.
pub struct PreviewClient;

impl Operation for PreviewClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = PreviewRequest;
    type Answer = PreviewDocument;

    const ROUTE: Route = Route::try_out(
        "/clients/{client}/preview",
        "preview_client",
        "Tell what a token request would get now, or which rule refuses it; nothing is used up",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (id, request) = (input.path, input.body);
        let role = match request.other_than(&id) {
            Some(subject) => admin.role_of(subject).await?,
            None => None,
        };
        let (issuer, token) = (&admin.config.issuer, &admin.config.token);
        let usual = token.audience.as_deref().unwrap_or(issuer.as_str());
        let api = issuer.endpoint(PATH);
        let served = Served::new(usual, &token.resources, &api);
        let effective = admin.effective();
        let preview = effective.preview(&id, &request, served, role);
        Ok(preview.await?.into())
    }
}
