//! What is told of a build while it goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{AppKey, Reconciler};
use crate::app::BuildStage;
use crate::engine::{Progress, ProgressSink, StepState};

/// How long news of a build are gathered before the status tells them: steps from the cache come in bursts.
const GATHERING: Duration = Duration::from_secs(1);

impl Reconciler {
    /// A sink that notes how far a build is, and passes everything on.
    pub(super) fn noting_stages(self: &Arc<Self>, key: &AppKey, uid: &str, inner: ProgressSink) -> ProgressSink {
        let (this, key, uid) = (Arc::downgrade(self), key.clone(), uid.to_owned());
        Arc::new(move |progress| {
            if let (Some(this), Some(stage)) = (this.upgrade(), stage_of(&progress)) {
                this.note_stage(&key, &uid, stage);
            }
            inner(progress);
        })
    }

    /// Notes how far a build is; the status tells it soon.
    pub(super) fn note_stage(self: &Arc<Self>, key: &AppKey, uid: &str, stage: BuildStage) {
        let mut is_first = false;
        self.known.update(key, uid, |known| {
            is_first = !std::mem::replace(&mut known.has_news, true);
            known.stage = Some(stage);
        });
        if !is_first {
            return;
        }
        let (this, key, uid) = (Arc::downgrade(self), key.clone(), uid.to_owned());
        tokio::spawn(async move {
            sleep(GATHERING).await;
            let Some(this) = this.upgrade() else { return };
            let mut goes_on = false;
            this.known.update(&key, &uid, |known| {
                known.has_news = false;
                goes_on = known.stage.is_some();
            });
            if goes_on {
                this.wake(&key);
            }
        });
    }
}

/// A build that goes on; whatever its end, nothing is told of it any more.
pub(super) struct OngoingBuild {
    reconciler: Arc<Reconciler>,
    key: AppKey,
    uid: String,
}

impl OngoingBuild {
    pub(super) fn of(reconciler: &Arc<Reconciler>, key: &AppKey, uid: &str) -> Self {
        Self { reconciler: Arc::clone(reconciler), key: key.clone(), uid: uid.to_owned() }
    }
}

impl Drop for OngoingBuild {
    fn drop(&mut self) {
        self.reconciler.known.update(&self.key, &self.uid, |known| known.stage = None);
    }
}

fn stage_of(progress: &Progress) -> Option<BuildStage> {
    match progress {
        Progress::BuildStep { number, total, name, state: StepState::Started } => {
            Some(BuildStage::Step { number: *number, total: *total, instruction: name.clone() })
        }
        _ => None,
    }
}
