//! Long steps, done beside the reconciles of their resource: at most one for each resource.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::app::Action;

/// The long steps that are under way, by the UID of their resource.
#[derive(Default)]
pub(super) struct Tasks(Mutex<HashMap<String, Task>>);

struct Task {
    action: Action,
    /// Whether the step is done, though its task may have a last word to say.
    is_done: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

impl Task {
    fn is_under_way(&self) -> bool {
        !self.is_done.load(Ordering::SeqCst) && !self.handle.is_finished()
    }
}

impl Tasks {
    /// What is being done for this resource.
    pub(super) fn action(&self, uid: &str) -> Option<Action> {
        let tasks = self.lock();
        tasks.get(uid).filter(|task| task.is_under_way()).map(|task| task.action.clone())
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.lock().values().filter(|task| task.is_under_way()).count()
    }

    /// Does a step beside everything else, and calls back once it is no longer under way: whoever is woken by that
    /// must not find it still there, and wait for an end that has come.
    pub(super) fn spawn(
        &self,
        uid: &str,
        action: Action,
        work: impl Future<Output = ()> + Send + 'static,
        call_back: impl FnOnce() + Send + 'static,
    ) {
        let is_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&is_done);
        let handle = tokio::spawn(async move {
            work.await;
            done.store(true, Ordering::SeqCst);
            call_back();
        });
        self.lock().insert(uid.to_owned(), Task { action, is_done, handle });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ImageReference;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_is_called_back_finds_the_step_done() {
        let tasks = Arc::new(Tasks::default());
        let reference: ImageReference = "app:1".parse().unwrap();
        for _ in 0..100 {
            let (told, hears) = tokio::sync::oneshot::channel();
            let observer = Arc::clone(&tasks);
            let call_back = move || told.send(observer.action("uid")).unwrap();
            tasks.spawn("uid", Action::PullImage { reference: reference.clone(), platform: None }, async {}, call_back);
            assert_eq!(hears.await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_step_is_under_way_until_it_is_done_or_cancelled() {
        let tasks = Tasks::default();
        let action = Action::PullImage { reference: "app:1".parse().unwrap(), platform: None };
        tasks.spawn("uid", action.clone(), std::future::pending(), || panic!("it is never done"));
        assert_eq!((tasks.action("uid"), tasks.len()), (Some(action), 1));
        tasks.cancel("uid").await;
        assert_eq!((tasks.action("uid"), tasks.len()), (None, 0));
    }
}
