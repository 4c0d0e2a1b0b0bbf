//! How a job gets a token by a trust: what it asks its platform for, and the request that it sends.

use grantor::{
    admin::{IssuerDocument, Template, Templates, TrustDocument},
    assertion::Usage,
};

use crate::{console::Visit, pages::shell::quoted};

/// What a job does.
pub struct Job {
    /// The platform, where that is known.
    pub platform: Option<String>,
    /// What it asks its platform for, line by line, where that is known.
    pub asks: Option<String>,
    /// How the audience is said there, in English.
    pub hint: Option<String>,
    /// The audience.
    pub audience: String,
    /// The request that it sends.
    pub sends: String,
}

impl Job {
    /// The job of this trust; `None` if its JWTs are for client authentication only.
    pub fn of(visit: &Visit, issuer: &IssuerDocument, trust: &TrustDocument) -> Option<Self> {
        if !trust.uses.contains(&Usage::Grant) {
            return None;
        }
        let made_by = trust.template.as_ref().or(issuer.template.as_ref());
        let template = Templates::of(issuer.iss.as_str(), made_by);
        let server = &visit.admin.config.issuer;
        let audience = issuer.audiences.first().cloned();
        let audience = audience.unwrap_or_else(|| server.as_str().to_owned());
        let asks = template.and_then(|template| template.hints.job_of(&audience));
        let hint = |template: &Template| template.hints.audience_of(&audience);
        Some(Self {
            platform: template.map(|template| template.title.clone()),
            hint: template.filter(|_| asks.is_none()).map(hint),
            asks,
            sends: request(&server.endpoint("token"), trust),
            audience,
        })
    }
}

/// The request, for a shell.
fn request(endpoint: &str, trust: &TrustDocument) -> String {
    let mut lines = vec![
        format!("curl {}", quoted(endpoint)),
        "-d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
    ];
    let client = trust.client.as_ref();
    lines.extend(
        client.map(|client| format!("--data-urlencode client_id={}", quoted(client.as_str()))),
    );
    let resource = trust.resources.first();
    lines
        .extend(resource.map(|resource| format!("--data-urlencode resource={}", quoted(resource))));
    lines.push("-d assertion=\"$JWT\"".to_owned());
    lines.join(" \\\n  ")
}
