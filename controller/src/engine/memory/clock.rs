//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// A clock that a test sets. Clones show the same time.
#[derive(Clone, Debug)]
pub struct TestClock {
    now: Arc<watch::Sender<Timestamp>>,
}

impl TestClock {
    /// A clock that shows this time.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Arc::new(watch::Sender::new(now)) }
    }

    /// The time that it shows.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Moves it forward.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = after(*now, duration));
    }

    /// The clock as a function, the shape in which a reconciler takes it.
    pub fn reader(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Hears of every time that it is set to.
    pub(crate) fn changes(&self) -> watch::Receiver<Timestamp> {
        self.now.subscribe()
    }
}

/// Shows the Unix epoch plus 2 000 000 000 seconds, 2033-05-18T03:33:20Z: far from any real "now" and easy to know
/// again in a failure's text.
impl Default for TestClock {
    fn default() -> Self {
        Self::at(after(Timestamp::UNIX_EPOCH, Duration::from_secs(2_000_000_000)))
    }
}

/// A time so much later; the last one there is when there is none so late.
pub(super) fn after(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}
