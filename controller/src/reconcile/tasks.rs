//! Long steps, done beside the reconciles of their resource.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;

use crate::app::Action;

/// The long steps that are under way, by the UID of their resource.
#[derive(Default)]
pub(super) struct Tasks(Mutex<HashMap<String, Vec<Task>>>);

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
    pub(super) fn actions(&self, uid: &str) -> Vec<Action> {
        let tasks = self.lock();
        let under_way = tasks.get(uid).into_iter().flatten().filter(|task| task.is_under_way());
        under_way.map(|task| task.action.clone()).collect()
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.lock().values().flatten().filter(|task| task.is_under_way()).count()
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
        let mut tasks = self.lock();
        let of_this_one = tasks.entry(uid.to_owned()).or_default();
        of_this_one.retain(Task::is_under_way);
        of_this_one.push(Task { action, is_done, handle });
    }

    /// Ends everything that is being done for this resource, and waits until it has ended. Dropping a call ends it at
    /// the engine as well.
    pub(super) async fn cancel(&self, uid: &str) {
        let tasks = self.lock().remove(uid).unwrap_or_default();
        Self::end(tasks).await;
    }

    /// The same for some of what is being done.
    pub(super) async fn cancel_only(&self, uid: &str, actions: &[Action]) {
        let tasks = {
            let mut tasks = self.lock();
            let Some(of_this_one) = tasks.get_mut(uid) else {
                return;
            };
            of_this_one.extract_if(.., |task| actions.contains(&task.action)).collect()
        };
        Self::end(tasks).await;
    }

    async fn end(tasks: Vec<Task>) {
        for task in &tasks {
            task.handle.abort();
        }
        for task in tasks {
            // The only outcomes are that it was cancelled and that it had just ended; both are what is wanted.
            let _ = task.handle.await;
        }
    }

    /// Ends everything that is under way.
    pub(super) fn abort_all(&self) {
        for task in self.lock().drain().flat_map(|(_, tasks)| tasks) {
            task.handle.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Task>>> {
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
            let call_back = move || told.send(observer.actions("uid")).unwrap();
            tasks.spawn("uid", Action::PullImage { reference: reference.clone(), platform: None }, async {}, call_back);
            assert_eq!(hears.await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn a_step_is_under_way_until_it_is_done_or_cancelled() {
        let tasks = Tasks::default();
        let action = Action::PullImage { reference: "app:1".parse().unwrap(), platform: None };
        tasks.spawn("uid", action.clone(), std::future::pending(), || panic!("it is never done"));
        assert_eq!((tasks.actions("uid"), tasks.len()), (vec![action], 1));
        tasks.cancel("uid").await;
        assert_eq!((tasks.actions("uid"), tasks.len()), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn one_of_several_steps_is_cancelled_and_the_others_go_on() {
        let tasks = Tasks::default();
        let push = |reference: &str| Action::PushImage {
            reference: reference.parse().unwrap(),
            image: crate::app::ImageTarget::Pending,
        };
        for reference in ["one.example/app", "two.example/app"] {
            tasks.spawn("uid", push(reference), std::future::pending(), || panic!("it is never done"));
        }
        assert_eq!(tasks.len(), 2);
        tasks.cancel_only("uid", &[push("one.example/app")]).await;
        assert_eq!(tasks.actions("uid"), [push("two.example/app")]);
    }
}
