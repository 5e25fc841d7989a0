//! How a container is stopped, and how much of its log is kept.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quantity;

/// What happens at the turns of a container's life, as core/v1's `Lifecycle`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// The signal that asks the program to end, instead of the image's `STOPSIGNAL`, or SIGTERM where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<StopSignal>,
}

/// The signals by which programs are asked to end, in core/v1's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// The terminal has hung up.
    SigHup,
    /// Ctrl-C.
    SigInt,
    /// Ctrl-\, which nginx takes for a graceful end.
    SigQuit,
    /// Abort.
    SigAbrt,
    /// The program's own.
    SigUsr1,
    /// The program's other own.
    SigUsr2,
    /// A timer has run out.
    SigAlrm,
    /// Please end.
    SigTerm,
    /// The window has changed, which Apache's httpd takes for a graceful end.
    SigWinch,
    /// The power fails.
    SigPwr,
    /// What systemd halts at.
    #[serde(rename = "SIGRTMIN+3")]
    SigRtMin3,
    /// At once, without a chance to tidy up.
    SigKill,
}

impl StopSignal {
    /// The signal's name, as core/v1 and engines write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SigHup => "SIGHUP",
            Self::SigInt => "SIGINT",
            Self::SigQuit => "SIGQUIT",
            Self::SigAbrt => "SIGABRT",
            Self::SigUsr1 => "SIGUSR1",
            Self::SigUsr2 => "SIGUSR2",
            Self::SigAlrm => "SIGALRM",
            Self::SigTerm => "SIGTERM",
            Self::SigWinch => "SIGWINCH",
            Self::SigPwr => "SIGPWR",
            Self::SigRtMin3 => "SIGRTMIN+3",
            Self::SigKill => "SIGKILL",
        }
    }
}

/// How much of a container's log the engine keeps. In core/v1 that is no matter of a Pod: the kubelet has it as
/// `containerLogMaxSize` and `containerLogMaxFiles`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.maxFiles) || has(self.maxSize)")
    .message("maxFiles says how many files of maxSize are kept: name maxSize too"))]
pub struct Logs {
    /// The size at which a file of the log is ended and the next one begun, such as `10Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Quantity>,
    /// How many files are kept, the one that grows included; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_files: Option<i32>,
}
