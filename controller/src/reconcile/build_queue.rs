//! The builds of one engine, of which only so many go on at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// How many builds an engine does at once where nothing is said.
pub(super) const DEFAULT_LIMIT: usize = 2;

/// The builds of one engine that wait for their turn, in the order in which they came.
pub(super) struct BuildQueue {
    turns: Semaphore,
    next: AtomicU64,
    waiting: watch::Sender<VecDeque<u64>>,
}

/// A build's turn, until it is dropped.
pub(super) struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
}

/// A build's place in the queue, until it is dropped.
struct Place<'a> {
    id: u64,
    queue: &'a BuildQueue,
}

impl BuildQueue {
    pub(super) fn of(limit: usize) -> Self {
        Self { turns: Semaphore::new(limit), next: AtomicU64::new(0), waiting: watch::Sender::default() }
    }

    /// Waits for a turn. How many builds are before it is told at once, when it must wait, and whenever that changes.
    pub(super) async fn turn(&self, tell: impl Fn(usize)) -> Turn<'_> {
        let place = self.take_place();
        let mut changes = self.waiting.subscribe();
        let mut turn = std::pin::pin!(self.turns.acquire());
        loop {
            // A change that is lost is told by the next one, and a turn that is dropped goes to the next in the queue.
            tokio::select! {
                biased;
                permit = &mut turn => match permit {
                    Ok(permit) => return Turn { _permit: permit },
                    Err(closed) => unreachable!("nobody closes the queue: {closed}"),
                },
                () = async {
                    tell(place.ahead());
                    // The sender lives as long as the queue.
                    let _ = changes.changed().await;
                } => {}
            }
        }
    }

    fn take_place(&self) -> Place<'_> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.send_modify(|waiting| waiting.push_back(id));
        Place { id, queue: self }
    }
}

impl Place<'_> {
    /// How many wait before it.
    fn ahead(&self) -> usize {
        self.queue.waiting.borrow().iter().take_while(|id| **id != self.id).count()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.waiting.send_modify(|waiting| waiting.retain(|id| *id != self.id));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt;

    use super::*;

    fn told() -> (Arc<Mutex<Vec<usize>>>, impl Fn(usize)) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        (told, move |ahead| sink.lock().unwrap().push(ahead))
    }

    #[test]
    fn who_comes_first_has_its_turn_at_once_and_hears_nothing() {
        let queue = BuildQueue::of(1);
        let (heard, tell) = told();
        assert!(queue.turn(tell).now_or_never().is_some());
        assert!(heard.lock().unwrap().is_empty());
    }

    #[test]
    fn others_wait_in_order_and_hear_when_the_queue_moves() {
        let queue = BuildQueue::of(1);
        let first = queue.turn(|_| {}).now_or_never().unwrap();
        let mut second = Box::pin(queue.turn(|_| {}));
        assert!(second.as_mut().now_or_never().is_none());
        let (heard, tell) = told();
        let mut third = Box::pin(queue.turn(tell));
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(*heard.lock().unwrap(), [1]);
        drop(first);
        let second = second.now_or_never().unwrap();
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(*heard.lock().unwrap(), [1, 0]);
        drop(second);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_leaves_the_queue() {
        let queue = BuildQueue::of(1);
        let first = queue.turn(|_| {}).now_or_never().unwrap();
        let mut impatient = Box::pin(queue.turn(|_| {}));
        assert!(impatient.as_mut().now_or_never().is_none());
        drop(impatient);
        let mut patient = Box::pin(queue.turn(|_| {}));
        assert!(patient.as_mut().now_or_never().is_none());
        drop(first);
        assert!(patient.now_or_never().is_some());
    }
}
