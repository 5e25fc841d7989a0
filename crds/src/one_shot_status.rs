//! What became of the runs of a one-shot: a part of the status of a `ContainerApp`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run of a one-shot: its first try, and those after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunStatus {
    /// What ran: the hash of the spec and the image's ID.
    pub revision: String,
    /// When it was due; absent without a `schedule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_time: Option<Time>,
    /// When its first try was started; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it ended for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// How many of its tries have failed. Those that the engine makes by itself, with `restartPolicy: OnFailure`, count when
    /// it has ended for good.
    #[serde(default)]
    pub failed: i32,
    /// How it ended; absent until it has ended for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// Why it failed, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a run has ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunOutcome {
    /// It has exited with 0.
    Succeeded,
    /// It has exited with another code than 0, and is not tried again.
    RunFailed,
    /// It has failed more often than `backoffLimit` allows.
    BackoffLimitExceeded,
    /// It took longer than `activeDeadlineSeconds`.
    DeadlineExceeded,
}

/// Where the schedule of a one-shot stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// The schedule that this is about.
    pub schedule: String,
    /// Its time zone, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Since when it counts: what was due before is not caught up.
    pub since: Time,
    /// When the run was due that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// When a run has exited with 0 last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Time>,
    /// When the next run is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,
    /// The last run, where it has failed and none has succeeded since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<RunStatus>,
}
