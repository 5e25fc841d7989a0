//! What keeps a resource from being ready, when it is not simply work that goes on.

use std::time::Duration;

use longshore_crds::BuildFailure;

use super::Reason;

/// The part of a resource that a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The build's context: `SourceReady`.
    Source,
    /// The image on the engine: `Built`.
    Image,
    /// The destinations in registries: `Pushed`.
    Push,
    /// The container: `Running`.
    Container,
}

impl Part {
    /// The condition's type.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Source => "SourceReady",
            Self::Image => "Built",
            Self::Push => "Pushed",
            Self::Container => "Running",
        }
    }
}

/// Why a part cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which part.
    pub part: Part,
    /// The stable word.
    pub reason: Reason,
    /// A sentence: what is missing, why, and what the reader can do.
    pub message: String,
    /// Whether it is called stalled at once: it does not pass, only a person lifts it.
    pub is_terminal: bool,
    /// After what time it is worth another look.
    pub look_again: Duration,
    /// What failed in a build.
    pub build_failure: Option<BuildFailure>,
}

/// How often something that another resource or a person may mend is looked at.
pub(super) const LOOK_FOR_HELP: Duration = Duration::from_secs(10);

impl Block {
    /// A block that someone else may lift without touching the resource.
    pub fn waiting(part: Part, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            part,
            reason,
            message: message.into(),
            is_terminal: false,
            look_again: LOOK_FOR_HELP,
            build_failure: None,
        }
    }

    /// A block that only a change of the resource lifts.
    pub fn terminal(part: Part, reason: Reason, message: impl Into<String>) -> Self {
        Self { is_terminal: true, ..Self::waiting(part, reason, message) }
    }
}
