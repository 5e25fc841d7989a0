//! What becomes of a container that is not well: the way back, or a restart by its liveness probe, with a growing wait.
//! And how one that keeps ending has ended last.

use std::time::Duration;

use jiff::Timestamp;

use super::container::{ContainerPlan, Situation, start, stop};
use crate::app::{Block, Container, ContainerState, LivenessRestarts, Part, Reason};

/// How long after its start a container is restarted at the earliest that was restarted once before. It doubles with
/// every restart, up to the longest, as the kubelet does.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Whoever has been well for so long is not held for one that keeps failing any more, as with the kubelet.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

impl<'a> Situation<'a> {
    /// What becomes of a container that runs and is not well.
    pub(super) fn unhealthy(&self, container: &'a Container, why: &str) -> ContainerPlan<'a> {
        if let Some(back) = self.go_back(Some(why.to_owned())) {
            return back;
        }
        let before = self.liveness_restarts(container);
        let message = format!("{} is not healthy: {why}", container.name);
        let report = container.detail.as_ref().and_then(|detail| detail.health.as_ref());
        let has_failed = |threshold| report.is_some_and(|report| report.failing_streak >= threshold);
        if !self.run.rollout.liveness_failures.is_some_and(has_failed) {
            let interval = report.map_or(LONGEST_BACKOFF, |report| report.interval);
            let block = Block::waiting(Part::Container, Reason::Unhealthy, message);
            let look_again = interval.min(block.look_again);
            return ContainerPlan::blocked(Some(container), Block { look_again, ..block });
        }
        let (reason, message) = match before.as_ref().map_or(0, |before| before.count) {
            0 => (Reason::Unhealthy, message),
            count => (Reason::CrashLoopBackOff, format!("{message}. It was restarted {} already", times(count))),
        };
        let block = Block::waiting(Part::Container, reason, message);
        match self.wait_until_restart(container, before.as_ref()) {
            Some(wait) => ContainerPlan::blocked(Some(container), Block { look_again: wait, ..block }),
            None => self.restart(container, before.as_ref(), why, block),
        }
    }

    fn restart(
        &self,
        container: &'a Container,
        before: Option<&LivenessRestarts>,
        why: &str,
        block: Block,
    ) -> ContainerPlan<'a> {
        let of_run = run_of(container).unwrap_or(self.now);
        let count = match before {
            // This process, or the one before it, has begun with it already.
            Some(before) if before.of_run == of_run => before.count,
            _ => before.map_or(0, |before| before.count) + 1,
        };
        let steps = vec![stop(self, container, why), start(self, container, why)];
        ContainerPlan {
            blocks: vec![block],
            liveness: Some(LivenessRestarts { id: container.id.clone(), count, of_run }),
            ..ContainerPlan::working(Some(container), steps)
        }
    }

    /// How long still until it may be restarted; `None` when it may, or when that has begun.
    fn wait_until_restart(&self, container: &Container, before: Option<&LivenessRestarts>) -> Option<Duration> {
        let before = before?;
        let of_run = run_of(container)?;
        if before.of_run == of_run {
            return None;
        }
        let doublings = before.count.saturating_sub(1).min(16);
        let backoff = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
        let up = Duration::try_from(self.now.duration_since(of_run)).unwrap_or(backoff);
        backoff.checked_sub(up).filter(|wait| !wait.is_zero())
    }

    fn liveness_restarts(&self, container: &Container) -> Option<LivenessRestarts> {
        self.observed.memory.liveness.clone().filter(|restarts| restarts.id == container.id)
    }

    /// Whether this process, or the one before it, has begun to restart the container, whose last run that was.
    pub(super) fn is_being_restarted(&self, container: &Container) -> bool {
        let restarts = self.liveness_restarts(container);
        restarts.is_some_and(|restarts| Some(restarts.of_run) == run_of(container))
    }

    /// That the restarts of a container count no more; `None` while they do, or where there were none.
    pub(super) fn well_for_long(&self, container: &Container) -> Option<LivenessRestarts> {
        let restarts = self.liveness_restarts(container)?;
        let up = Duration::try_from(self.now.duration_since(run_of(container)?)).ok()?;
        (up >= FORGIVEN_AFTER).then_some(LivenessRestarts { count: 0, ..restarts })
    }

    /// How a container has ended last, as a phrase after "keeps ending"; empty when nobody has seen it.
    pub(super) fn last_end(&self, container: &Container) -> String {
        let detail = container.detail.as_ref();
        // What runs again shows no more how it had ended.
        let now = detail.filter(|_| container.state != ContainerState::Running);
        let seen = now.map(|detail| (detail.exit_code, detail.oom_killed));
        let remembered = self.observed.memory.last_end.as_ref().filter(|end| end.id == container.id);
        match seen.or(remembered.map(|end| (end.exit_code, end.oom_killed))) {
            Some((code, true)) => format!(", last for want of memory (OOMKilled, exit code {code})"),
            Some((code, false)) => format!(", last with exit code {code}"),
            None => String::new(),
        }
    }
}

/// When its run began, in whole seconds, as a status has it.
fn run_of(container: &Container) -> Option<Timestamp> {
    let started_at = container.detail.as_ref()?.started_at?;
    Timestamp::from_second(started_at.as_second()).ok()
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
