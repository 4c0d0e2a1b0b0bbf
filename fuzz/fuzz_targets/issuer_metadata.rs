//! Metadata of issuers: keys are asked for where the metadata of this very issuer say, by https, and
//! nowhere else.

#![no_main]

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, LazyLock, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    clock::{SystemClock, UnixTime},
    keys::RemoteKeys,
    registry::{KeyOrigin, TrustedIssuer},
    remote::{Connect, FetchError, Outgoing, Resolve},
    types::{IssuerId, Name},
};
use http::{Request, Response};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

const ISS: &str = "https://ci.example";
const PLACES: [&str; 2] = [
    "https://ci.example/.well-known/openid-configuration",
    "https://ci.example/.well-known/oauth-authorization-server",
];

/// Answers the same to whatever it is asked, and remembers what that was.
#[derive(Default)]
struct Web {
    says: Mutex<Bytes>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Resolve for Web {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![[1, 1, 1, 1].into()])
    }
}

#[async_trait]
impl Connect for Web {
    async fn send(
        &self,
        request: Request<Bytes>,
        addresses: &[SocketAddr],
        _: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        assert!(!addresses.is_empty());
        let url = request.uri().to_string();
        self.asked.lock().expect("no panic").push(url);
        Ok(Response::new(self.says.lock().expect("no panic").clone()))
    }
}

struct World {
    web: Arc<Web>,
    keys: RemoteKeys,
    issuer: TrustedIssuer,
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let web = Arc::new(Web::default());
    let outgoing = Outgoing::new(web.clone(), web.clone());
    let keys = KeyOrigin::Discovery { metadata_url: None };
    let (id, name) = (IssuerId::parse(ISS), Name::parse("ci"));
    let at = UnixTime::from_millis(0);
    World {
        web,
        keys: RemoteKeys::new(outgoing, Arc::new(SystemClock)),
        issuer: TrustedIssuer::new(id.expect("an iss"), name.expect("a name"), keys, at),
        runtime: Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime"),
    }
});

fuzz_target!(|input: &[u8]| {
    let world = &*WORLD;
    *world.web.says.lock().expect("no panic") = Bytes::copy_from_slice(input);
    let checked = world.runtime.block_on(world.keys.check(&world.issuer));
    let asked = std::mem::take(&mut *world.web.asked.lock().expect("no panic"));
    assert_eq!(asked[0], PLACES[0]);
    let others: Vec<_> = asked
        .iter()
        .filter(|url| **url != PLACES[0] && **url != PLACES[1])
        .collect();
    if let [url] = others[..] {
        let document: Value = serde_json::from_slice(input).expect("JSON");
        assert_eq!(document["issuer"], ISS);
        let named = document["jwks_uri"].as_str().expect("a text");
        let named = url::Url::parse(named).expect("a URL");
        let mut without_fragment = named.clone();
        without_fragment.set_fragment(None);
        assert_eq!(without_fragment.as_str(), url);
        assert!(named.scheme() == "https" && named.username().is_empty());
    } else {
        // A document may name one of the places of the metadata.
        assert!(others.is_empty(), "{others:?}");
    }
    if let Ok(report) = checked {
        assert!(!report.keys.is_empty() && report.jwks_uri.is_some());
    }
});
