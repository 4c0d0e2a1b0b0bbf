//! Answers that cross threads. To wake a thread that sleeps costs a call of the kernel. Where a
//! thread serves many requests, the answers that come to it at once wake it once.

use std::cell::RefCell;

use tokio::sync::{mpsc, oneshot};

/// Hands one answer to the task that waits for it.
type Delivery = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The way to what delivers on this thread.
    static HERE: RefCell<Option<mpsc::UnboundedSender<Delivery>>> = const { RefCell::new(None) };
}

/// Delivers the answers of stores to this thread's tasks while it is polled, so that answers that come
/// together wake the thread once. It is for a runtime of one thread that serves many requests. Without
/// it answers come all the same. It never ends; a second one on a thread does nothing.
pub async fn deliver_answers() {
    if HERE.with_borrow(Option::is_some) {
        return std::future::pending().await;
    }
    let (here, deliveries) = mpsc::unbounded_channel();
    HERE.set(Some(here));
    let mut delivering = Delivering(deliveries);
    while let Some(deliver) = delivering.0.recv().await {
        deliver();
    }
}

/// What delivers on this thread. Dropped, it delivers what is still there.
struct Delivering(mpsc::UnboundedReceiver<Delivery>);

impl Drop for Delivering {
    fn drop(&mut self) {
        // At the end of a thread there may be nothing any more that could be cleared.
        let _ = HERE.try_with(|here| here.borrow_mut().take());
        self.0.close();
        while let Ok(deliver) = self.0.try_recv() {
            deliver();
        }
    }
}

/// The way of one answer to a task of the thread that made it.
pub(crate) struct Answer<T> {
    to: oneshot::Sender<T>,
    by: Option<mpsc::UnboundedSender<Delivery>>,
}

/// The way of one answer to this task, and its end.
pub(crate) fn channel<T>() -> (Answer<T>, oneshot::Receiver<T>) {
    let (to, answered) = oneshot::channel();
    let by = HERE.with_borrow(Clone::clone);
    (Answer { to, by }, answered)
}

impl<T: Send + 'static> Answer<T> {
    /// Answers the task, which may have gone away.
    pub(crate) fn send(self, answer: T) {
        let Self { to, by } = self;
        let deliver = move || drop(to.send(answer));
        let Some(by) = by else { return deliver() };
        if let Err(refused) = by.send(Box::new(deliver)) {
            (refused.0)();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Wake, Waker},
    };

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn answers_that_come_together_wake_their_thread_once() {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut delivering = Box::pin(deliver_answers());
        assert!(delivering.as_mut().poll(&mut context).is_pending());
        let (answers, mut answered): (Vec<_>, Vec<_>) =
            (0..100).map(|_| channel::<usize>()).unzip();
        let sender = std::thread::spawn(|| {
            for (number, answer) in answers.into_iter().enumerate() {
                answer.send(number);
            }
        });
        sender.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(answered[0].try_recv().is_err(), "not before it is polled");
        assert!(delivering.as_mut().poll(&mut context).is_pending());
        for (number, answered) in answered.iter_mut().enumerate() {
            assert_eq!(answered.try_recv(), Ok(number));
        }
    }

    #[test]
    fn an_answer_comes_where_nothing_delivers_or_not_any_more() {
        let (early, mut answered) = channel();
        early.send(1);
        assert_eq!(answered.try_recv(), Ok(1));
        let mut delivering = Box::pin(deliver_answers());
        let mut context = Context::from_waker(Waker::noop());
        assert!(delivering.as_mut().poll(&mut context).is_pending());
        let (waiting, mut waited) = channel();
        let (late, mut answered) = channel();
        waiting.send(4);
        drop(delivering);
        assert_eq!(waited.try_recv(), Ok(4), "it was sent before");
        late.send(2);
        assert_eq!(answered.try_recv(), Ok(2));
        let (afterwards, mut answered) = channel();
        afterwards.send(3);
        assert_eq!(answered.try_recv(), Ok(3));
    }

    #[test]
    fn a_second_one_on_a_thread_leaves_the_first_alone() {
        let mut context = Context::from_waker(Waker::noop());
        let mut first = Box::pin(deliver_answers());
        assert!(first.as_mut().poll(&mut context).is_pending());
        let mut second = Box::pin(deliver_answers());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(second);
        let (sent, mut answered) = channel();
        sent.send(1);
        assert!(answered.try_recv().is_err(), "it is the first's to deliver");
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert_eq!(answered.try_recv(), Ok(1));
    }
}
