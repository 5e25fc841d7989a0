//! The probes of a container, in core/v1's names and shapes.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How it is found out whether the program in the container is well. It becomes the engine's health check: the engine
/// runs the command in the container, first `periodSeconds` after the start and then after each of them. One success is
/// enough to be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The command that is run in the container: it is well when the command exits with 0.
    pub exec: ExecAction,
    /// For how many seconds after the start a failure does not count; the health check's start period.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 3600))]
    pub initial_delay_seconds: i32,
    /// After how many seconds the command is run again; the health check's interval.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 3600))]
    pub period_seconds: i32,
    /// How many seconds the command may take; the health check's timeout.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i32,
    /// How many failures in a row it takes to be unwell; the health check's retries.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: i32,
}

/// A command that is run in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExecAction {
    /// The program and its arguments. No shell is involved unless it is named: `["sh", "-c", "…"]`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 4096)))]
    pub command: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
const fn is_zero(value: &i32) -> bool {
    *value == 0
}

const fn one() -> i32 {
    1
}

const fn three() -> i32 {
    3
}

const fn ten() -> i32 {
    10
}
