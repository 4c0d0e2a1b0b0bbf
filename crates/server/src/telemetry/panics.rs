//! What a panic, which is always a defect of ours, does: a log line, and for a request the answer
//! 500. The process goes on.

use std::{
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    pin::pin,
    task::Poll,
    thread,
};

/// Has panics logged from now on, once logging has started. Until then they are printed as Rust
/// does.
pub fn log() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if tracing::dispatcher::has_been_set() {
            line(panic);
        } else {
            print(panic);
        }
    }));
}

/// Where it happened, and its message if that is a literal: a formatted one may quote a request.
fn line(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(tracing::field::display);
    let message = panic.payload().downcast_ref::<&'static str>();
    tracing::error!(
        location,
        message,
        thread = thread::current().name(),
        "panic: a defect of this program"
    );
}

/// What `future` answers; `None` if it panics.
pub async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        // What the future left half-done is dropped with it.
        match panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(answer)) => Poll::Ready(Some(answer)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_future_is_caught_and_an_answer_goes_through() {
        let answer = caught(async {
            tokio::task::yield_now().await;
            7
        });
        assert_eq!(answer.await, Some(7));
        let defect = caught(async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2, "a defect");
        });
        assert_eq!(defect.await, None);
    }
}
