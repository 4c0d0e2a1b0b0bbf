//! The server that a command is about: that of the database on this machine or, by `--as`, one
//! elsewhere. Commands ask for operations, and do not know which it is.

use std::{path::Path, sync::Arc};

use grantor::{
    admin::Error, client::TokenSource, credential::KeyFile, remote::HttpFetch, types::Issuer,
};

use super::{
    Failure,
    credential::{BareKey, ClientCredential},
};
use crate::admin::{
    Administration, Input, Listed, Operation, Portion, Remote, RemoteError, Seen, Slug, State,
};

/// Says what an operation warned of.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// Where operations are done.
pub enum Connection {
    /// On the database of this machine.
    Here(Box<Administration>),
    /// At a server elsewhere.
    There(Box<Remote>),
}

impl Connection {
    /// Does an operation.
    ///
    /// # Errors
    /// Why it was not done: the same words and exit code, wherever it was asked for.
    pub async fn call<O: Operation>(&self, input: Input<O>) -> Result<O::Answer, Failure> {
        match self {
            Self::Here(admin) => Ok(O::run(admin, input).await?.document),
            Self::There(remote) => Ok(remote.call(&input).await?),
        }
    }

    /// As [`Connection::call`], of what is in this state: with the state that the answer shows. A
    /// command that shows or reads something before it changes it sends what it has seen (M006).
    ///
    /// # Errors
    /// As [`Connection::call`]; also where it is in another state.
    pub async fn call_at<O: Operation>(
        &self,
        input: Input<O>,
        state: &State,
    ) -> Result<Seen<O::Answer>, Failure> {
        match self {
            Self::Here(admin) => {
                let admin = admin.expecting(state.expected());
                let answered = O::run(&admin, input).await?;
                Ok(Seen {
                    state: State::of(answered.revision),
                    document: answered.document,
                })
            }
            Self::There(remote) => Ok(remote.call_at(&input, state).await?),
        }
    }

    /// As [`Connection::call`], with the state that the answer shows.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn look<O: Operation>(&self, input: Input<O>) -> Result<Seen<O::Answer>, Failure> {
        self.call_at(input, &State::default()).await
    }

    /// As [`Connection::call`]; `None` where there is nothing of the name.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn find<O: Operation>(&self, input: Input<O>) -> Result<Option<O::Answer>, Failure> {
        match self {
            Self::Here(admin) => match O::run(admin, input).await {
                Ok(answered) => Ok(Some(answered.document)),
                Err(Error::NotFound(_)) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::There(remote) => match remote.call(&input).await {
                Ok(answer) => Ok(Some(answer)),
                Err(RemoteError::Problem(problem)) if problem.slug == Slug::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The issuer of the server.
    ///
    /// # Errors
    /// The key file names none.
    pub fn issuer(&self) -> Result<Issuer, Failure> {
        match self {
            Self::Here(admin) => Ok(admin.config.issuer.clone()),
            Self::There(remote) => remote.issuer().parse().map_err(Failure::usage),
        }
    }

    /// All items of a list, portion by portion.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn every<O, T>(&self, path: O::Path, query: O::Query) -> Result<Vec<T>, Failure>
    where
        O: Operation<Answer = Listed<T>, Body = ()>,
        O::Path: Clone,
        O::Query: Clone,
    {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let input = Input {
                path: path.clone(),
                query: query.clone(),
                portion: Portion {
                    after,
                    limit: Portion::MOST,
                    ..Portion::default()
                },
                body: (),
            };
            let Listed { items, next } = self.call::<O>(input).await?;
            all.extend(items);
            match next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }
}

/// The server of a key file, elsewhere; its interface is at an origin of its own where one is named.
pub fn elsewhere(path: &Path, origin: Option<&str>) -> Result<Remote, Failure> {
    let credential = ClientCredential::read(path, BareKey::default())?;
    let file = credential.file().ok_or_else(|| {
        Failure::usage(format!(
            "--as {}: a private key alone names no server; name the key file of a client with a role",
            path.display()
        ))
    })?;
    let tokens = tokens(file, &credential)?;
    let fetch = HttpFetch::new().map_err(Failure::failed)?;
    Ok(Remote::new(&file.issuer, origin, tokens, Arc::new(fetch)))
}

/// Tokens by client credentials: with `private_key_jwt`, or what the file says.
fn tokens(file: &KeyFile, credential: &ClientCredential) -> Result<TokenSource, Failure> {
    let server = file.server().map_err(Failure::usage)?;
    let client_auth = credential.client_auth(&credential.auth_method(), None)?;
    let source = TokenSource::client_credentials(server, client_auth);
    source.build().map_err(Failure::usage)
}
