//! One single-threaded runtime for each core, to the least busy of which a connection is dealt:
//! what a request touches stays in one core's caches, and no core steals work from another.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use grantor_stores::deliver_answers;
use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// The runtimes. They end when this is dropped, whatever still runs there.
pub struct Workers {
    workers: Vec<Worker>,
    next: usize,
    /// Dropped with this, which the threads notice.
    _running: watch::Sender<()>,
}

struct Worker {
    handle: Handle,
    /// The connections that it serves.
    open: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts one for each core that this process may use.
    ///
    /// # Errors
    /// No thread or no runtime can be had.
    pub fn start() -> io::Result<Self> {
        Self::start_number(thread::available_parallelism()?.get())
    }

    fn start_number(number: usize) -> io::Result<Self> {
        let (running, ended) = watch::channel(());
        let start = |number: usize| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let mut ended = ended.clone();
            thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || {
                    runtime.block_on(async {
                        // Tasks, for these have their turn sooner than what is blocked on.
                        tokio::spawn(deliver_answers());
                        tokio::spawn(tick());
                        // An error says that the sender is gone, which is what is waited for.
                        let _ = ended.changed().await;
                    });
                })?;
            Ok(Worker {
                handle,
                open: Arc::default(),
            })
        };
        let workers = (0..number).map(start).collect::<io::Result<_>>()?;
        Ok(Self {
            workers,
            next: 0,
            _running: running,
        })
    }

    /// Runs a task on the one with the fewest, of several on the next in turn: in turn alone,
    /// whoever closes every second of its connections would have all the others on one core.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let count = self.workers.len();
        let in_turn = (0..count).map(|step| (self.next + step) % count);
        let Some(chosen) =
            in_turn.min_by_key(|&index| self.workers[index].open.load(Ordering::Relaxed))
        else {
            return;
        };
        let worker = &self.workers[chosen];
        let open = Open::count(&worker.open);
        // On the heap: what is awaited by value is in memory twice, for as long as a connection
        // lasts.
        let task = Box::pin(task);
        worker.handle.spawn(async move {
            task.await;
            drop(open);
        });
        self.next = (chosen + 1) % count;
    }
}

/// Less than the timeouts that each request sets anew.
const TICK: Duration = Duration::from_millis(500);

/// Keeps a timer set that ends soon. For a timer that ends before all others, the runtime wakes its
/// own thread by a call of the kernel. While all requests wait for the database no other timer is
/// set, and the timeout of each new request would be such a one.
async fn tick() {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
    }
}

/// A connection that is counted while it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::sync::oneshot;

    use super::*;

    /// Opens two, closes every second, again and again: what stays open is spread over all cores.
    #[test]
    fn connections_cannot_be_aimed_at_one_core() {
        let mut workers = Workers::start_number(2).expect("threads");
        let mut kept = Vec::new();
        let connect = |workers: &mut Workers| {
            let (end, ended) = oneshot::channel::<()>();
            workers.spawn(async move { drop(ended.await) });
            end
        };
        let total = |workers: &Workers| {
            workers
                .workers
                .iter()
                .map(|worker| worker.open.load(Ordering::Relaxed))
                .sum::<usize>()
        };
        for round in 1..=20 {
            kept.push(connect(&mut workers));
            drop(connect(&mut workers));
            let started = Instant::now();
            while total(&workers) > round {
                assert!(
                    started.elapsed() < Duration::from_secs(10),
                    "what was closed is still counted"
                );
                thread::yield_now();
            }
        }
        let open: Vec<_> = workers
            .workers
            .iter()
            .map(|worker| worker.open.load(Ordering::Relaxed))
            .collect();
        assert_eq!(open, [10, 10]);
    }
}
