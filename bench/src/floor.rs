//! The floor: what HTTP and two signatures cost, and nothing else. Per request a bare hyper server
//! verifies one RS256 signature with a parsed key, signs one ES256 token and answers JSON. It reads
//! no form, no header and no claim, and remembers nothing: it is no authorization server.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc};

use aws_lc_rs::{
    rand::{self, SystemRandom},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use serde_json::Value;

use crate::{serve::serve, settings::Settings};

/// Serves until killed.
pub fn run(settings: &Settings) -> Result<Infallible, Box<dyn Error>> {
    let floor = Arc::new(Floor::new(
        &settings.clients[0].jwks["keys"][0],
        settings.address(),
    )?);
    serve(settings.address(), move |request| {
        let floor = floor.clone();
        async move { floor.respond(request).await }
    })
}

struct Floor {
    clients: ParsedPublicKey,
    own: EcdsaKeyPair,
    random: SystemRandom,
    address: SocketAddr,
}

impl Floor {
    fn new(jwk: &Value, address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let part = |name: &str| BASE64URL.decode(jwk[name].as_str().unwrap_or_default());
        let key = RsaPublicKeyComponents {
            n: part("n")?,
            e: part("e")?,
        };
        Ok(Self {
            clients: key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)?,
            own: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?,
            random: SystemRandom::new(),
            address,
        })
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let token = std::str::from_utf8(&body)
            .ok()
            .and_then(|form| self.token(form));
        let mut response = Response::new(Full::default());
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match token {
            Some(token) => {
                let json = format!(
                    r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#
                );
                *response.body_mut() = Full::from(json);
            }
            None => *response.status_mut() = StatusCode::BAD_REQUEST,
        }
        response
    }

    fn token(&self, form: &str) -> Option<String> {
        let (_, assertion) = form.rsplit_once('=')?;
        let (signed, signature) = assertion.rsplit_once('.')?;
        self.clients
            .verify_sig(signed.as_bytes(), &BASE64URL.decode(signature).ok()?)
            .ok()?;
        let mut id = [0; 16];
        rand::fill(&mut id).ok()?;
        let (issuer, id) = (self.address, BASE64URL.encode(id));
        let claims = format!(
            r#"{{"iss":"http://{issuer}","sub":"bench","client_id":"bench","aud":"http://{issuer}","iat":1800000000,"exp":1800003600,"jti":"{id}"}}"#
        );
        let header = BASE64URL.encode(
            r#"{"alg":"ES256","kid":"0123456789012345678901234567890123456789012","typ":"at+jwt"}"#,
        );
        let mut token = [header.as_str(), ".", &BASE64URL.encode(claims)].concat();
        let signature = self.own.sign(&self.random, token.as_bytes()).ok()?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Some(token)
    }
}
