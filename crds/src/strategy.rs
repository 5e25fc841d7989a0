//! How a new container takes over from the old one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a new container takes over from the old one. Either way the old one is kept until the new one is ready, and comes
/// back when it fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// The new one is made, the old one is stopped, and the new one is started: the gap is one stop and one start.
    #[default]
    Recreate,
    /// The new one runs beside the old one until it is ready, and then the old one is stopped: there is no gap. It is
    /// refused where both would publish the same `hostPort`; those that the engine chooses differ.
    Overlap,
}
