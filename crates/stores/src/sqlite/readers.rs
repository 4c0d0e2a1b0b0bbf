//! Reads that the cache could not answer, on connections of their own.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use grantor::storage::StoreError;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    error::{Failure, failed},
    open::connect_to_read,
};
use crate::aside;

/// Connections that are free. One is opened when none is, and kept up to [`KEPT`].
#[derive(Clone)]
pub(super) struct Readers {
    path: PathBuf,
    free: Arc<Mutex<Vec<Connection>>>,
}

const KEPT: usize = 8;
/// Lists that are read at a time: what is asked by operators leaves threads, connections and cores
/// to requests for tokens.
const LISTS: usize = 2;

/// Reads of many rows, at most [`LISTS`] at a time, and behind requests: the others wait for their
/// turn.
pub(super) struct Lists {
    readers: Readers,
    turns: Arc<Semaphore>,
}

impl Lists {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            readers: Readers::new(path),
            turns: Arc::new(Semaphore::new(LISTS)),
        }
    }

    /// Where the database is.
    pub(super) fn path(&self) -> &Path {
        &self.readers.path
    }

    /// Reads when it is its turn, of one state of the database.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|closed| StoreError::Failed(Box::new(closed)))?;
        // The turn ends with the read, also where nobody waits for it any more.
        let readers = self.readers.clone();
        let read = move || {
            let _turn = turn;
            readers.read_here(|connection| query(&*connection.unchecked_transaction()?))
        };
        let read = aside(read).await;
        read.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
    }
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            free: Arc::default(),
        }
    }

    /// The database.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads on a thread where it may take its time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.clone();
        let finished = tokio::task::spawn_blocking(move || readers.read_here(query)).await;
        finished.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
    }

    /// Reads on this thread: for a row or two by their primary key, which takes less time than the
    /// way to another thread and back.
    pub(super) fn read_here<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let connection = self.take()?;
        let outcome = query(&connection)?;
        self.give_back(connection);
        Ok(outcome)
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match free {
            Some(connection) => Ok(connection),
            None => connect_to_read(&self.path).map_err(failed),
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::*;

    /// However many lists are asked for, and whether or not anybody still waits for them.
    #[tokio::test]
    async fn m016_lists_are_read_two_at_a_time_and_other_reads_do_not_wait() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("grantor.db");
        drop(Connection::open(&path).expect("a database"));
        let (lists, readers) = (Arc::new(Lists::new(path.clone())), Readers::new(path));
        let (now, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let held = Arc::new(Barrier::new(LISTS + 1));
        let read = |holds: bool| {
            let (now, most, held) = (now.clone(), most.clone(), held.clone());
            let lists = lists.clone();
            let query = move |_: &Connection| {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                if holds {
                    held.wait();
                }
                now.fetch_sub(1, SeqCst);
                Ok(())
            };
            async move { lists.read(query).await }
        };
        let held_up: Vec<_> = (0..LISTS).map(|_| tokio::spawn(read(true))).collect();
        while now.load(SeqCst) < LISTS {
            tokio::task::yield_now().await;
        }
        held_up[0].abort();
        let behind: Vec<_> = (0..20).map(|_| tokio::spawn(read(false))).collect();
        for _ in 0..20 {
            let answer = readers.read(|_| Ok(1)).await;
            assert_eq!(answer.expect("a read for a request"), 1);
        }
        assert!(behind.iter().all(|list| !list.is_finished()));
        held.wait();
        for list in behind {
            list.await.expect("no panic").expect("read in its turn");
        }
        assert_eq!(most.load(SeqCst), LISTS);
    }
}
