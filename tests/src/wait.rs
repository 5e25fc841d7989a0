//! Waiting for what comes in its own time.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Waits until this is so, however long a slow machine takes; the limit only keeps a test that fails from hanging.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let poll = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_mins(1), poll).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}
