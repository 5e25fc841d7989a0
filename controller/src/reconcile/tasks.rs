//! Long steps, done beside the reconciles of their resource: at most one for each resource.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::app::Action;

/// The long steps that are under way, by the UID of their resource.
#[derive(Default)]
pub(super) struct Tasks(Mutex<HashMap<String, Task>>);

struct Task {
    action: Action,
    handle: JoinHandle<()>,
}

impl Tasks {
    /// What is being done for this resource.
    pub(super) fn action(&self, uid: &str) -> Option<Action> {
        let tasks = self.lock();
        tasks.get(uid).filter(|task| !task.handle.is_finished()).map(|task| task.action.clone())
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.lock().values().filter(|task| !task.handle.is_finished()).count()
    }

    /// Does a step beside everything else.
    pub(super) fn spawn(&self, uid: &str, action: Action, work: impl Future<Output = ()> + Send + 'static) {
        let task = Task { action, handle: tokio::spawn(work) };
        self.lock().insert(uid.to_owned(), task);
    }

    /// Ends what is being done for this resource, and waits until it has ended. Dropping the call ends it at the
    /// engine as well.
    pub(super) async fn cancel(&self, uid: &str) {
        let task = self.lock().remove(uid);
        if let Some(task) = task {
            task.handle.abort();
            // The only outcomes are that it was cancelled and that it had just ended; both are what is wanted.
            let _ = task.handle.await;
        }
    }

    /// Ends everything that is under way.
    pub(super) fn abort_all(&self) {
        for (_, task) in self.lock().drain() {
            task.handle.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
