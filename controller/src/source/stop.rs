//! Work on threads that ends when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SourceError;

/// Whether work should stop. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// An error once the work should stop.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        if self.is_set() { Err(SourceError::stopped()) } else { Ok(()) }
    }

    #[cfg(test)]
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct SetOnDrop(Stop);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Does work that blocks. When the future is dropped, the work is told to stop.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce(Stop) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let stop = SetOnDrop(Stop::default());
    let for_work = stop.0.clone();
    match tokio::task::spawn_blocking(move || work(for_work)).await {
        Ok(result) => result,
        // A panic in a library that reads a stranger's data is no reason to end the process.
        Err(_) => Err(SourceError::Invalid("what the server sent could not be read".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_stops() {
        let (ended, is_ended) = mpsc::channel();
        let work = blocking(move |stop| {
            while !stop.is_set() {
                std::thread::sleep(Duration::from_millis(1));
            }
            ended.send(stop.check().is_err()).map_err(SourceError::store)
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        let told = tokio::task::spawn_blocking(move || is_ended.recv_timeout(Duration::from_secs(10)));
        assert_eq!(told.await.unwrap(), Ok(true));
    }
}
