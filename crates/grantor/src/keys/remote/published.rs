//! The keys of one registration, as they are fetched: from where, by which terms, and for how long
//! they are used.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use url::Url;

use super::{
    HeldKeys, KeyOwner, KeyReport, KeysObserver,
    kept::{Kept, write_behind},
    report,
};
use crate::{
    clock::Clock,
    registry::{KeyOrigin, TrustedIssuer},
    remote::{
        BearerFile, DiscoveryError, Fetch, FetchTerms, KeySetError, Outgoing, Ports, Whereabouts,
        key_set::{KeySet, SetKind, load},
        refreshing::{Crowd, Held, Lives, Load, Loaded, StaleAfter},
    },
    storage::{Artifacts, StoreError},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Of the key sets of OpenID providers and clients.
const KEY_SET_LIVES: Lives = Lives {
    minimum: MINUTE,
    maximum: DAY,
    usual: HOUR,
    stale: DAY,
    stale_after: StaleAfter::AnyFailure,
    cooldown: Duration::from_secs(30),
    pause: Duration::from_secs(5),
    longest_pause: Duration::from_secs(300),
    // Metadata and keys, each of which takes 5 s at most, after a place was found for them.
    timeout: Duration::from_secs(10),
    crowd: Crowd {
        without: 256,
        strangers: 64,
    },
};

/// Of SPIFFE bundles (SPIFFE Trust Domain and Bundle §4.1.2).
const BUNDLE_LIVES: Lives = Lives {
    maximum: HOUR,
    usual: Duration::from_secs(300),
    stale: HOUR,
    ..KEY_SET_LIVES
};

/// What all fetches share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Option<Arc<dyn KeysObserver>>,
    pub(super) artifacts: Option<Arc<dyn Artifacts>>,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            observer: None,
            artifacts: None,
        }
    }
}

/// Loads the keys of one registration.
pub(super) struct Published {
    owner: KeyOwner,
    at: At,
    kind: SetKind,
    stale: Duration,
    fetch: Arc<dyn Fetch>,
    shared: Arc<Shared>,
    /// Where the metadata said last that the keys are.
    named: Mutex<Option<Url>>,
}

enum At {
    Url(Url),
    Metadata(Whereabouts),
}

impl Published {
    /// The keys at the `jwks_uri` of a client. The client has named it, so that it leads to the port
    /// of https only.
    pub(super) fn of_client(
        owner: &KeyOwner,
        url: &Url,
        outgoing: &Outgoing,
        shared: &Arc<Shared>,
    ) -> Result<(Self, Lives), KeySetError> {
        let terms = FetchTerms {
            ports: Ports::Https,
            ..FetchTerms::default()
        };
        let at = (At::Url(url.clone()), SetKind::NeverEmpty);
        Self::new(owner, at, terms, outgoing, shared)
    }

    /// The keys of an issuer whose keys are fetched.
    pub(super) fn of_issuer(
        owner: &KeyOwner,
        issuer: &TrustedIssuer,
        outgoing: &Outgoing,
        shared: &Arc<Shared>,
    ) -> Result<(Self, Lives), KeySetError> {
        let (iss, fetching) = (issuer.id.as_str(), &issuer.fetching);
        let (at, kind) = match &issuer.keys {
            KeyOrigin::JwksUri { url } => (At::Url(url.clone()), SetKind::NeverEmpty),
            KeyOrigin::SpiffeBundle { url } => (At::Url(url.clone()), SetKind::SpiffeBundle),
            KeyOrigin::Discovery { metadata_url } => {
                let whereabouts = Whereabouts::new(iss, metadata_url.as_ref()).map_err(Arc::new)?;
                (At::Metadata(whereabouts), SetKind::NeverEmpty)
            }
            KeyOrigin::Uploaded { .. } | KeyOrigin::UploadedSpiffeBundle { .. } => {
                return Err(KeySetError::Uploaded);
            }
        };
        let bearer = fetching.bearer_token_file.as_ref();
        let terms = FetchTerms {
            ports: Ports::Any,
            allow_internal: fetching.allow_internal.clone(),
            authorities: fetching.ca.clone(),
            bearer: match bearer {
                Some(path) => Some(BearerFile::new(path, &at.own_server()?)),
                None => None,
            },
        };
        Self::new(owner, (at, kind), terms, outgoing, shared)
    }

    fn new(
        owner: &KeyOwner,
        (at, kind): (At, SetKind),
        terms: FetchTerms,
        outgoing: &Outgoing,
        shared: &Arc<Shared>,
    ) -> Result<(Self, Lives), KeySetError> {
        let lives = match kind {
            SetKind::SpiffeBundle => BUNDLE_LIVES,
            _ => KEY_SET_LIVES,
        };
        let published = Self {
            owner: owner.clone(),
            at,
            kind,
            stale: lives.stale,
            fetch: outgoing.fetch_by(terms).map_err(KeySetError::Terms)?,
            shared: shared.clone(),
            named: Mutex::default(),
        };
        Ok((published, lives))
    }

    /// What a fetch finds now.
    pub(super) async fn report(&self) -> Result<KeyReport, KeySetError> {
        let (asked, url) = match &self.at {
            At::Url(url) => (Vec::new(), url.clone()),
            At::Metadata(whereabouts) => {
                let (place, url) = whereabouts.ask(&*self.fetch).await.map_err(Arc::new)?;
                let places = whereabouts.places();
                let last = places.iter().position(|asked| asked == place);
                (places[..=last.unwrap_or_default()].to_vec(), url)
            }
        };
        let set = load(&*self.fetch, &url, self.kind, None).await?.document;
        Ok(KeyReport {
            asked,
            jwks_uri: Some(url),
            keys: report::usable(&set),
            skipped: set.skipped().to_vec(),
        })
    }

    /// Where the keys are now.
    async fn url(&self) -> Result<Url, KeySetError> {
        let whereabouts = match &self.at {
            At::Url(url) => return Ok(url.clone()),
            At::Metadata(whereabouts) => whereabouts,
        };
        let (_, url) = whereabouts.ask(&*self.fetch).await.map_err(Arc::new)?;
        let before = self.named().replace(url.clone());
        let before = match before {
            Some(before) => Some(before),
            None => self.kept().await.and_then(|kept| kept.jwks_uri),
        };
        if let Some(before) = before.filter(|before| *before != url) {
            self.moved(&before, &url);
        }
        Ok(url)
    }

    fn named(&self) -> MutexGuard<'_, Option<Url>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of these keys, if that can be told.
    async fn kept(&self) -> Option<Kept> {
        let artifacts = self.shared.artifacts.as_deref()?;
        let now = self.shared.clock.now();
        let kept = Kept::read(artifacts, &self.owner, &self.place(), now).await;
        kept.unwrap_or_else(|error| {
            tracing::warn!(owner = %self.owner, %error, "kept keys could not be read");
            None
        })
    }

    /// What is kept of these keys, as operators see it.
    pub(super) async fn shown(&self) -> Result<Option<HeldKeys>, StoreError> {
        let Some(artifacts) = self.shared.artifacts.as_deref() else {
            return Ok(None);
        };
        let now = self.shared.clock.now();
        let kept = Kept::read(artifacts, &self.owner, &self.place(), now).await?;
        Ok(kept.and_then(|kept| kept.shown()))
    }

    /// Where the keys come from, in words.
    fn place(&self) -> String {
        match &self.at {
            At::Url(url) => format!("{:?} {url}", self.kind),
            At::Metadata(whereabouts) => format!("metadata {}", whereabouts.places().join(" ")),
        }
    }

    fn moved(&self, before: &Url, now: &Url) {
        tracing::warn!(owner = %self.owner, %before, %now, "an issuer's keys are at another place now");
        if let Some(observer) = &self.shared.observer {
            observer.jwks_uri_changed(&self.owner, before, now);
        }
    }
}

impl At {
    /// The server that is configured.
    fn own_server(&self) -> Result<Url, KeySetError> {
        match self {
            Self::Url(url) => Ok(url.clone()),
            Self::Metadata(whereabouts) => {
                let place = whereabouts.places().first().map_or("", String::as_str);
                let no_url = |_| Arc::new(DiscoveryError::Issuer(place.to_owned()));
                Ok(Url::parse(place).map_err(no_url)?)
            }
        }
    }
}

#[async_trait]
impl Load for Published {
    type Document = KeySet;
    type Error = KeySetError;

    async fn load(&self, previous: Option<&Arc<KeySet>>) -> Result<Loaded<KeySet>, KeySetError> {
        let url = self.url().await?;
        load(&*self.fetch, &url, self.kind, previous).await
    }

    async fn recall(&self) -> Option<Held<KeySet>> {
        self.kept().await?.held()
    }

    fn succeeded(&self, held: &Held<KeySet>) {
        if let Some(artifacts) = self.shared.artifacts.clone() {
            let named = self.named().clone();
            let kept = Kept::new(&self.place(), named, held, self.stale);
            write_behind(kept, artifacts, self.owner.clone());
        }
        if let Some(observer) = &self.shared.observer {
            observer.fetched(&self.owner, held.document.jwks().count());
        }
    }

    fn failed(&self, error: &KeySetError) {
        tracing::warn!(owner = %self.owner, %error, "keys could not be fetched");
        if let Some(observer) = &self.shared.observer {
            observer.failed(&self.owner, error);
        }
    }
}
