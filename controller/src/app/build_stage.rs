//! How far a build is, as a status tells it.

use std::fmt;

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStage {
    /// It waits for its turn on the engine.
    Waiting {
        /// How many builds that wait have their turn before it.
        ahead: usize,
    },
    /// It does a step of the Dockerfile.
    Step {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        total: usize,
        /// As it is written in the Dockerfile.
        instruction: String,
    },
}

/// As it stands at the end of a sentence: `step 3 of 5: ADD . /app`.
impl fmt::Display for BuildStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { ahead: 0 } => {
                formatter.write_str("it is the next when the engine has finished another build")
            }
            Self::Waiting { ahead: 1 } => formatter.write_str("it waits for its turn, with 1 build before it"),
            Self::Waiting { ahead } => write!(formatter, "it waits for its turn, with {ahead} builds before it"),
            Self::Step { number, total, instruction } => write!(formatter, "step {number} of {total}: {instruction}"),
        }
    }
}
