//! Why a registry refused an engine, asked of the registry itself where the engine's words leave a doubt.
//!
//! One look, with the same credentials. What follows from its answer is decided in [`RegistryError::weighed`].

use std::sync::Arc;

use super::execute::Executor;
use super::remote_store::RemoteStore;
use crate::app::{Action, Credentials, ImageReference, Purpose, RegistryError};
use crate::engine::EngineError;

/// What is needed to ask the registry of an action.
pub(super) struct Explanation {
    remotes: Arc<RemoteStore>,
    credentials: Vec<Credentials>,
    subject: Option<(ImageReference, Purpose)>,
}

impl Explanation {
    pub(super) fn of(action: &Action, executor: &Executor) -> Self {
        let desired = executor.desired.as_ref();
        let (subject, credentials) = match action {
            Action::PullImage { reference, .. } => (
                Some((reference.clone(), Purpose::Pull)),
                desired.and_then(|desired| desired.credentials_to_pull()).cloned().into_iter().collect(),
            ),
            Action::PushImage { reference, .. } => (
                Some((reference.clone(), Purpose::Push)),
                desired.and_then(|desired| desired.credentials_to_push(reference)).cloned().into_iter().collect(),
            ),
            // Which of its images a build could not get, its failure tells.
            _ => (None, desired.map_or_else(Vec::new, |desired| desired.credentials_to_build().to_vec())),
        };
        Self { remotes: Arc::clone(&executor.remotes), credentials, subject }
    }

    /// The same error, or what it comes to by the registry's own words.
    pub(super) async fn of_error(&self, error: EngineError) -> EngineError {
        match (error, &self.subject) {
            (EngineError::Registry(error), _) if !error.is_clear => {
                let Some(reference) = error.request.reference.clone() else {
                    return EngineError::Registry(error);
                };
                let own = self.ask(&reference).await;
                EngineError::Registry(error.weighed(own))
            }
            (EngineError::Other(words), Some((reference, purpose))) => {
                let own = self.ask(reference).await;
                RegistryError::found(own, *purpose, &words).map_or(EngineError::Other(words), EngineError::Registry)
            }
            (error, _) => error,
        }
    }

    /// What a registry was shown.
    pub(super) fn shown_to(&self, host: &str) -> Option<&Credentials> {
        self.credentials.iter().find(|credentials| credentials.host == host)
    }

    async fn ask(&self, reference: &ImageReference) -> Option<RegistryError> {
        self.remotes.objection(reference, self.shown_to(reference.host())).await
    }
}
