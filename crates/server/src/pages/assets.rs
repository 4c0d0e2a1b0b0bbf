//! What pages load: each file under a name made from what is in it, so that browsers keep it for ever.

use std::sync::LazyLock;

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    jose::{base64url_encode, crypto::sha256},
    server::{Answer, Body, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route},
};
use http::{HeaderValue, Response, header};

use super::html;

/// A file that pages load.
pub struct Asset {
    /// Its name in decisions and metrics.
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    /// Its path below the issuer.
    path: LazyLock<String>,
}

/// The one style sheet.
pub static STYLE: Asset = Asset {
    name: "style",
    media_type: "text/css; charset=utf-8",
    content: include_str!("../../templates/pages.css"),
    path: LazyLock::new(|| path_of(&STYLE, "css")),
};

/// The one script.
pub static SCRIPT: Asset = Asset {
    name: "script",
    media_type: "text/javascript; charset=utf-8",
    content: include_str!("../../templates/pages.js"),
    path: LazyLock::new(|| path_of(&SCRIPT, "js")),
};

/// What browsers show in tabs.
pub static ICON: Asset = Asset {
    name: "icon",
    media_type: "image/svg+xml",
    content: include_str!("../../templates/icon.svg"),
    path: LazyLock::new(|| path_of(&ICON, "svg")),
};

/// All of them.
pub static ALL: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

fn path_of(asset: &Asset, extension: &str) -> String {
    let digest = base64url_encode(sha256(&[asset.content.as_bytes()]));
    format!("assets/{}-{}.{extension}", asset.name, &digest[..16])
}

impl Asset {
    /// Its path below the issuer.
    pub fn path(&'static self) -> &'static str {
        &self.path
    }

    /// Whether an endpoint of this name is a file that pages load.
    pub fn is_named(name: &str) -> bool {
        ALL.iter().any(|asset| asset.name == name)
    }
}

/// Where a file is.
pub struct AssetEndpoint(pub &'static Asset);

#[async_trait]
impl Endpoint for AssetEndpoint {
    fn route(&self) -> Route {
        Route::document(self.0.name, Path::Suffix(self.0.path()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(&self, _: &Context, _: &Request, _: &mut Decision) -> Result<Answer, Refusal> {
        let content = Bytes::from_static(self.0.content.as_bytes());
        let mut response = Response::new(Body::from(content));
        let headers = response.headers_mut();
        html::guard(headers);
        let media_type = HeaderValue::from_static(self.0.media_type);
        headers.insert(header::CONTENT_TYPE, media_type);
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        Ok(Answer::new(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m100_the_script_has_at_most_8_kib() {
        let octets = SCRIPT.content.len();
        assert!(octets <= 8 * 1024, "{octets} octets");
    }
}
