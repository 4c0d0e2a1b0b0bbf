//! One single-threaded runtime for each core, among which connections are dealt out in turn: what a request touches stays in one
//! core's caches, and no core steals work from another.

use std::{future::Future, io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// The runtimes. They end when this is dropped, whatever still runs there.
pub(super) struct Workers {
    handles: Vec<Handle>,
    next: usize,
    /// Dropped with this, which the threads notice.
    _running: watch::Sender<()>,
}

impl Workers {
    /// Starts one for each core that this process may use.
    pub(super) fn start() -> io::Result<Self> {
        let (running, ended) = watch::channel(());
        let start = |number: usize| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let mut ended = ended.clone();
            thread::Builder::new().name(format!("http-{number}")).spawn(move || {
                // An error says that the sender is gone, which is what is waited for.
                let _ = runtime.block_on(ended.changed());
            })?;
            Ok(handle)
        };
        let handles = (0..thread::available_parallelism()?.get()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { handles, next: 0, _running: running })
    }

    /// Runs a task on the next one.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.handles[self.next].spawn(task);
        self.next = (self.next + 1) % self.handles.len();
    }
}
