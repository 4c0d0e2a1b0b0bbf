//! Everything that is fetched because a registration names it goes out here: by whose terms, and how
//! much of it at once.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use ipnet::IpNet;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use url::{Origin, Url};
use zeroize::Zeroizing;

use super::{Connect, Fetch, FetchError, Ports, Resolve, VettedFetch, Vetting};
use crate::file;

/// How many fetches are under way at once, over all parties.
const AT_ONCE: usize = 8;

/// How many of these are by parties whose last fetch had no answer: servers that hang leave room for
/// the others.
const UNANSWERED_AT_ONCE: usize = 4;

/// How long a fetch waits for its place.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way out for all that registrations and their documents name: each party's fetches are
/// vetted by its own terms, and all of them share eight places and the counters.
///
/// A party has one fetch under way, because one caller at a time asks for its documents.
#[derive(Clone)]
pub struct Outgoing {
    internal: Vec<IpNet>,
    way: Way,
    shared: Arc<Shared>,
}

#[derive(Clone)]
enum Way {
    Direct {
        resolver: Arc<dyn Resolve>,
        connector: Arc<dyn Connect>,
    },
    #[cfg(feature = "reqwest")]
    Proxy(Url),
}

struct Shared {
    places: Semaphore,
    unanswered: Semaphore,
    fetches: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
}

/// By what terms one party's documents are fetched.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FetchTerms {
    /// Which ports URLs may name.
    pub ports: Ports,
    /// Internal networks that are open to this party, beside those that are open to all.
    pub allow_internal: Vec<IpNet>,
    /// Certificate authorities in PEM that are trusted beside those of the system.
    pub authorities: Option<String>,
    /// A token for its own server.
    pub bearer: Option<BearerFile>,
}

/// A file with a bearer token, and the one origin that it is sent to.
#[derive(Clone, Debug)]
pub struct BearerFile {
    path: PathBuf,
    origin: Origin,
}

impl BearerFile {
    /// The token in the file at `path`, read again for each request to the origin of `url`.
    pub fn new(path: impl Into<PathBuf>, url: &Url) -> Self {
        Self {
            path: path.into(),
            origin: url.origin(),
        }
    }
}

/// How many fetches there were since the start, over all parties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchCounts {
    /// All of them.
    pub fetches: u64,
    /// Those without an answer of status 200.
    pub failures: u64,
    /// Of the failures, those that were refused for their URL or an address. Nothing was connected.
    pub refused: u64,
}

impl Outgoing {
    /// Resolves and connects by these.
    pub fn new(resolver: Arc<dyn Resolve>, connector: Arc<dyn Connect>) -> Self {
        Self::by(Way::Direct {
            resolver,
            connector,
        })
    }

    /// Resolves by the operating system, and connects by reqwest.
    #[cfg(feature = "reqwest")]
    pub fn direct() -> Self {
        Self::new(
            Arc::new(super::SystemResolver),
            Arc::new(super::pinned::PinnedHttp::default()),
        )
    }

    /// Sends everything through the proxy at this URL, which resolves names and so has to guard
    /// where they lead; URLs and the addresses in them are vetted here.
    #[cfg(feature = "reqwest")]
    pub fn through(proxy: Url) -> Self {
        Self::by(Way::Proxy(proxy))
    }

    fn by(way: Way) -> Self {
        Self {
            internal: Vec::new(),
            way,
            shared: Arc::new(Shared {
                places: Semaphore::new(AT_ONCE),
                unanswered: Semaphore::new(UNANSWERED_AT_ONCE),
                fetches: AtomicU64::new(0),
                failures: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            }),
        }
    }

    /// Opens the addresses of `network` to all parties, as [`Vetting::allow_internal`].
    #[must_use]
    pub fn allow_internal(mut self, network: IpNet) -> Self {
        self.internal.push(network);
        self
    }

    /// How many fetches there were.
    pub fn counts(&self) -> FetchCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        FetchCounts {
            fetches: read(&self.shared.fetches),
            failures: read(&self.shared.failures),
            refused: read(&self.shared.refused),
        }
    }

    /// What one party's documents are fetched by.
    ///
    /// # Errors
    /// [`FetchError::Authorities`]
    pub fn fetch_by(&self, terms: FetchTerms) -> Result<Arc<dyn Fetch>, FetchError> {
        let networks = self.internal.iter().chain(&terms.allow_internal);
        let vetting = networks.fold(Vetting::new().ports(terms.ports), |vetting, network| {
            vetting.allow_internal(*network)
        });
        let authorities = terms.authorities.as_deref();
        let vetted = match &self.way {
            Way::Direct {
                resolver,
                connector,
            } => {
                let connector = match authorities {
                    Some(authorities) => connector.trusting(authorities)?,
                    None => connector.clone(),
                };
                VettedFetch::new(vetting, resolver.clone(), connector)
            }
            #[cfg(feature = "reqwest")]
            Way::Proxy(proxy) => {
                let proxy = super::HttpFetch::through_trusting(proxy, authorities)?;
                VettedFetch::through(vetting, Arc::new(proxy))
            }
        };
        Ok(Arc::new(PartyFetch {
            vetted,
            bearer: terms.bearer,
            unanswered: AtomicBool::new(false),
            shared: self.shared.clone(),
        }))
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("internal", &self.internal)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

struct PartyFetch {
    vetted: VettedFetch,
    bearer: Option<BearerFile>,
    /// The last one had no answer.
    unanswered: AtomicBool,
    shared: Arc<Shared>,
}

#[async_trait]
impl Fetch for PartyFetch {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let _places = self.places().await?;
        let answer = match self.with_bearer(request).await {
            Ok(request) => self.vetted.fetch(request, limit).await,
            Err(error) => Err(error),
        };
        self.count(&answer);
        answer
    }
}

impl PartyFetch {
    /// A place among all, and one among those without an answer, if this party had none. To wait in vain for one
    /// is no failure of its server.
    async fn places(
        &self,
    ) -> Result<(Option<SemaphorePermit<'_>>, SemaphorePermit<'_>), FetchError> {
        let places = async {
            let unanswered = match self.unanswered.load(Ordering::Relaxed) {
                true => Some(self.shared.unanswered.acquire().await),
                false => None,
            };
            Ok::<_, tokio::sync::AcquireError>((
                unanswered.transpose()?,
                self.shared.places.acquire().await?,
            ))
        };
        let places = timeout(PATIENCE, places).await;
        places
            .map_err(|_| FetchError::TimedOut)?
            .map_err(|closed| FetchError::transport(&closed))
    }

    /// The request, with the bearer token if it goes to its origin.
    async fn with_bearer(&self, mut request: Request<Bytes>) -> Result<Request<Bytes>, FetchError> {
        let goes_to = Url::parse(&request.uri().to_string()).map(|url| url.origin());
        let own = self.bearer.as_ref();
        if let Some(bearer) = own.filter(|bearer| Ok(&bearer.origin) == goes_to.as_ref()) {
            let path = bearer.path.clone();
            let value = tokio::task::spawn_blocking(move || authorization(&path)).await;
            let value = value.map_err(|error| FetchError::transport(&error))??;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    fn count(&self, answer: &Result<Response<Bytes>, FetchError>) {
        let failed = !matches!(answer, Ok(answer) if answer.status() == StatusCode::OK);
        let refused = matches!(answer, Err(FetchError::Url(_) | FetchError::Forbidden(_)));
        self.unanswered.store(answer.is_err(), Ordering::Relaxed);
        for (counter, counts) in [
            (&self.shared.fetches, true),
            (&self.shared.failures, failed),
            (&self.shared.refused, refused),
        ] {
            counter.fetch_add(u64::from(counts), Ordering::Relaxed);
        }
    }
}

/// `Authorization`, with the token in the file at `path`.
fn authorization(path: &Path) -> Result<HeaderValue, FetchError> {
    let failed = |error| FetchError::BearerToken {
        path: path.to_owned(),
        error,
    };
    let token = file::read_text(path, file::KEY_BYTES).map_err(failed)?;
    let value = Zeroizing::new(format!("Bearer {}", token.trim()));
    let no_token = || failed(std::io::Error::other("it holds no bearer token"));
    if token.trim().is_empty() {
        return Err(no_token());
    }
    let mut value = HeaderValue::from_str(&value).map_err(|_| no_token())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(all(test, feature = "reqwest"))]
mod tests;
