//! Where the server asks for the keys of issuers and clients, and by which way.

use ipnet::IpNet;
use url::Url;

use super::{ConfigError, proxy::network, raw, value_of};

/// What holds for every document that a registration or a stranger's document names.
#[derive(Clone, Debug, Default)]
pub struct OutgoingConfig {
    /// Internal networks where such documents may be, beside those of a single issuer.
    pub allow_internal: Vec<IpNet>,
    /// The proxy that fetches them. It resolves names, and guards where they lead.
    pub proxy: Option<Url>,
}

/// Reads the section `[outgoing]`.
pub fn outgoing(raw: raw::Outgoing) -> Result<OutgoingConfig, ConfigError> {
    let networks = raw.allow_internal.iter();
    let allow_internal = networks
        .map(|text| network("outgoing.allow_internal", text))
        .collect::<Result<_, _>>()?;
    Ok(OutgoingConfig {
        allow_internal,
        proxy: raw.proxy.as_deref().map(proxy).transpose()?,
    })
}

/// The URL of a proxy. What stands in it beside host and port may be a secret, and is not quoted.
fn proxy(text: &str) -> Result<Url, ConfigError> {
    let wrong = |problem| super::value("outgoing.proxy", problem);
    let url: Url = text
        .parse()
        .map_err(|_| wrong("is no URL; expected one such as http://proxy.example:3128"))?;
    match url.scheme() {
        "http" | "https" if url.host().is_some() => Ok(url),
        other => Err(value_of(
            "outgoing.proxy",
            other,
            "is no scheme of a proxy; expected http or https, such as http://proxy.example:3128",
        )),
    }
}
