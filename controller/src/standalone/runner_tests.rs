//! How apps are driven. Time stands still in these tests but where the runner waits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::*;

const LATER: Duration = Duration::from_mins(5);

fn key(name: &str) -> AppKey {
    AppKey { namespace: "default".to_owned(), name: name.to_owned() }
}

/// A reconciler that notes its passes and answers as it is told.
#[derive(Default)]
struct Scripted {
    passes: Mutex<Vec<AppKey>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
    failures: Mutex<BTreeMap<AppKey, usize>>,
    wake_during_first_pass: Mutex<Option<mpsc::UnboundedSender<AppKey>>>,
}

impl Scripted {
    fn passes_of(&self, name: &str) -> usize {
        let passes = self.passes.lock().unwrap();
        passes.iter().filter(|pass| pass.name == name).count()
    }
}

#[async_trait]
impl Reconcile for Scripted {
    async fn reconcile(&self, key: &AppKey) -> Result<LookAgain, ReconcileError> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.passes.lock().unwrap().push(key.clone());
        if let Some(wakes) = self.wake_during_first_pass.lock().unwrap().take() {
            wakes.send(key.clone()).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        let mut failures = self.failures.lock().unwrap();
        match failures.get_mut(key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(ReconcileError::Failed("not now".to_owned()))
            }
            _ => Ok(LookAgain(LATER)),
        }
    }
}

/// Settled when every app was looked at so often.
struct AfterPasses<'a>(&'a Scripted, usize, Mutex<Vec<String>>);

impl Overseer for AfterPasses<'_> {
    fn is_settled(&self, key: &AppKey) -> bool {
        self.0.passes_of(&key.name) >= self.1
    }

    fn failed(&self, _key: &AppKey, error: &ReconcileError) {
        self.2.lock().unwrap().push(error.to_string());
    }
}

async fn drive(scripted: &Arc<Scripted>, names: &[&str], concurrency: usize, passes: usize) -> Vec<String> {
    let overseer = AfterPasses(scripted, passes, Mutex::default());
    let runner = Runner::new(Arc::clone(scripted) as Arc<dyn Reconcile>, concurrency);
    let keys = names.iter().map(|name| key(name));
    runner.run(keys, stream::pending(), &overseer).await;
    overseer.2.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_app_is_looked_at_at_once() {
    let scripted = Arc::new(Scripted::default());
    drive(&scripted, &["a", "b", "c"], 16, 1).await;
    assert_eq!(scripted.most_at_once.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_apps_are_looked_at_at_once_than_allowed() {
    let scripted = Arc::new(Scripted::default());
    drive(&scripted, &["a", "b", "c", "d", "e"], 2, 1).await;
    assert_eq!(scripted.most_at_once.load(Ordering::SeqCst), 2);
    assert_eq!(scripted.passes.lock().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_app_is_looked_at_again_when_its_time_has_come() {
    let scripted = Arc::new(Scripted::default());
    let start = Instant::now();
    drive(&scripted, &["a"], 16, 2).await;
    assert!(start.elapsed() >= LATER);
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_during_a_pass_is_followed_by_another_pass() {
    let (wakes, receiver) = mpsc::unbounded_channel();
    let scripted = Arc::new(Scripted { wake_during_first_pass: Mutex::new(Some(wakes)), ..Scripted::default() });
    let overseer = AfterPasses(&scripted, 2, Mutex::default());
    let runner = Runner::new(Arc::clone(&scripted) as Arc<dyn Reconcile>, 16);
    let start = Instant::now();
    runner.run([key("a")], UnboundedReceiverStream::new(receiver), &overseer).await;
    assert!(start.elapsed() < LATER);
    assert_eq!(scripted.most_at_once.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_fails_is_tried_again_and_told() {
    let scripted = Arc::new(Scripted { failures: Mutex::new(BTreeMap::from([(key("a"), 2)])), ..Scripted::default() });
    let start = Instant::now();
    let told = drive(&scripted, &["a", "b"], 16, 1).await;
    assert_eq!(told, ["not now"]);
    let told = drive(&scripted, &["a"], 16, 4).await;
    assert_eq!(told, ["not now"]);
    assert!(start.elapsed() < LATER * 2);
}

#[tokio::test(start_paused = true)]
async fn waits_after_failures_grow_and_have_an_end() {
    let mut queue = Queue::new([key("a")], Instant::now());
    let waits: Vec<Duration> = (0..40).map(|_| queue.failed(&key("a"))).collect();
    assert_eq!(waits[..3], [FIRST_BACKOFF, FIRST_BACKOFF * 2, FIRST_BACKOFF * 4]);
    assert_eq!(waits[39], LONGEST_BACKOFF);
    queue.succeeded(&key("a"), LATER);
    assert_eq!(queue.failed(&key("a")), FIRST_BACKOFF);
}
