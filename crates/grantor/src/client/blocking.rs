//! Tokens for programs without tokio: a thread of its own asks for them.
//!
//! ```no_run
//! use grantor::client::blocking::TokenSource;
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let source = TokenSource::from_key_file("billing.json")?;
//! let token = source.token()?;
//! let request = http::Request::get("https://api.example/invoices").header("authorization", token.header_value());
//! # Ok(())
//! # }
//! ```

use std::{
    convert::Infallible,
    io,
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake},
    thread::{self, Thread},
};

use http::request;
use tokio::{
    runtime::{self, Handle},
    sync::oneshot,
};

use super::{AccessToken, KeySourceError, TokenError, Wanted};

/// Why there is no blocking source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The key file.
    #[error(transparent)]
    KeyFile(#[from] KeySourceError),
    /// The background thread could not be started.
    #[error("the thread that asks for tokens could not be started: {0}")]
    Thread(#[source] io::Error),
}

/// A [`TokenSource`](super::TokenSource) for plain threads, with all that it promises: tokens are
/// kept and refreshed ahead, and one request is made however many threads ask.
///
/// All clones share one background thread, which makes the requests and ends with the last of them.
/// (The operating system's name resolution takes a further one while it lasts.) A token that is at
/// hand is given without a word to that thread.
///
/// **Not within async code**: a call blocks its thread while a request is under way, and with it
/// every other task there. Nothing panics and nothing hangs for ever: a request that such a task
/// has begun is given up 5 s after its [time limit](super::RetryPolicy::timeout), and made again. But
/// [`TokenSource`](super::TokenSource) is for that.
#[derive(Clone, Debug)]
pub struct TokenSource {
    source: super::TokenSource,
    background: Arc<Background>,
}

/// The background thread's runtime. The thread ends when the sender is dropped.
#[derive(Debug)]
struct Background {
    runtime: Handle,
    _end: oneshot::Sender<Infallible>,
}

impl TokenSource {
    /// Gives the tokens of `source`. One that asynchronous code uses too is possible: they share
    /// the tokens.
    ///
    /// # Errors
    /// [`StartError::Thread`]
    pub fn new(source: super::TokenSource) -> Result<Self, StartError> {
        let background = Background::start().map_err(StartError::Thread)?;
        Ok(Self {
            source,
            background: Arc::new(background),
        })
    }

    /// From a key file, as [`TokenSource::from_key_file`](super::TokenSource::from_key_file).
    ///
    /// # Errors
    /// [`StartError`]
    pub fn from_key_file(path: impl AsRef<Path>) -> Result<Self, StartError> {
        Self::new(super::TokenSource::from_key_file(path)?)
    }

    /// A token for what the source is configured for.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn token(&self) -> Result<AccessToken, TokenError> {
        self.wait(self.source.token())
    }

    /// A token for something in particular. What `wanted` leaves open is what the source is
    /// configured for.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn token_for(&self, wanted: Wanted) -> Result<AccessToken, TokenError> {
        self.wait(self.source.token_for(wanted))
    }

    /// The source of tokens for something in particular; see
    /// [`TokenSource::wanting`](super::TokenSource::wanting). It shares the background thread
    /// too.
    #[must_use]
    pub fn wanting(&self, wanted: Wanted) -> Self {
        Self {
            source: self.source.wanting(wanted),
            background: Arc::clone(&self.background),
        }
    }

    /// Puts a token on a request, and answers which; see
    /// [`TokenSource::authorize`](super::TokenSource::authorize).
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn authorize(&self, request: &mut request::Parts) -> Result<AccessToken, TokenError> {
        self.wait(self.source.authorize(request))
    }

    /// Says that an API refused this token; see
    /// [`TokenSource::invalidate`](super::TokenSource::invalidate).
    pub fn invalidate(&self, token: &AccessToken) {
        self.source.invalidate(token);
    }

    /// Polls on this thread, which only waits for the request: that is a task of the background
    /// thread's runtime.
    fn wait<F: Future>(&self, future: F) -> F::Output {
        let _entered = self.background.runtime.enter();
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl Background {
    fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = oneshot::channel();
        let handle = runtime.handle().clone();
        let serve = move || {
            // Nothing is ever sent: it ends when the sender is gone.
            let _: Result<Infallible, _> = runtime.block_on(ended);
            // A name resolution that hangs is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("grantor-tokens".to_owned())
            .spawn(serve)?;
        Ok(Self {
            runtime: handle,
            _end: end,
        })
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;
    use crate::client::{NoneAuth, Server};

    #[test]
    fn the_thread_ends_with_the_last_clone() {
        let server = Server::at("https://as.example/token").expect("a URL");
        let source =
            super::super::TokenSource::client_credentials(server, NoneAuth::new("billing"))
                .build()
                .expect("a source");
        let source = TokenSource::new(source).expect("a thread");
        let (held, gone) = mpsc::channel::<Infallible>();
        source.background.runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        let clone = source.clone();
        drop(source);
        assert_eq!(
            gone.recv_timeout(Duration::from_millis(50)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        drop(clone);
        assert_eq!(
            gone.recv_timeout(Duration::from_secs(20)),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
    }
}
