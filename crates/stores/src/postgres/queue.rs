//! What waits goes in groups: a task takes what has come, has it done as one group, and takes what
//! has come meanwhile. Nothing waits for others to gather (S012): the way to the server gathers them.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// How long something waits for groups before it. Behind it, whoever asked is told to come back.
const QUEUED_WITHIN: Duration = Duration::from_millis(1_500);

/// What waits in a queue.
pub(super) trait Queued: Send + 'static {
    /// What many of them are called.
    const NAME: &'static str;

    /// Since when it waits.
    fn since(&self) -> Instant;

    /// It has waited for too long, and was not sent.
    fn give_up(self);
}

/// Has `group` do what comes, at most so many at once, until nobody can send any more.
pub(super) async fn take_in_groups<W: Queued, G: Future<Output = ()> + Send + 'static>(
    mut queue: mpsc::Receiver<W>,
    most: usize,
    group: impl Fn(Vec<W>) -> G,
) {
    let mut waiting = Vec::with_capacity(most);
    while queue.recv_many(&mut waiting, most).await > 0 {
        for late in waiting.extract_if(.., |one| one.since().elapsed() > QUEUED_WITHIN) {
            late.give_up();
        }
        let taken = std::mem::replace(&mut waiting, Vec::with_capacity(most));
        // In a task of its own: a panic, which is a defect of ours, costs its group.
        if tokio::spawn(group(taken)).await.is_err() {
            tracing::error!("a panic in a group of {}: it is not answered", W::NAME);
        }
    }
}
