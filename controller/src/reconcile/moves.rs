//! A resource that was moved to another engine: once it is as asked on the new one, what is on the old one goes.

use std::time::Duration;

use super::clearing::{Clear, Clearing};
use super::reconciler::Round;
use super::{AppKey, ReconcileError, Reconciler};
use crate::app::plan::Removal;
use crate::app::status::without;

impl Reconciler {
    /// Removes what the resource has left on the engines where it was. Its volumes stay there: what is in them was not
    /// moved.
    pub(super) async fn leave_former_engines(
        &self,
        key: &AppKey,
        stays_on: &str,
        rest: Duration,
    ) -> Result<Round, ReconcileError> {
        let app = self.resources.app(key).await.map_err(|error| ReconcileError::Failed(error.to_string()))?;
        let Some(app) = app else { return Ok(Round::Again) };
        let status = app.status.clone().unwrap_or_default();
        let is_another = app.metadata.generation.unwrap_or(0) != status.observed_generation;
        let Some(place) = status.former_engines.first() else { return Ok(Round::Rest(rest)) };
        if is_another || app.metadata.deletion_timestamp.is_some() {
            return Ok(Round::Again);
        }
        let clear = Clear {
            key,
            app: &app,
            place,
            removal: Removal::Everything,
            with_volumes: false,
            stays_on: Some(stays_on),
        };
        match self.clear(&clear).await? {
            Clearing::Again => return Ok(Round::Again),
            Clearing::Waits => return Ok(Round::Rest(rest)),
            Clearing::Next(next) => {
                let first = next.steps.first();
                let wait = first.and_then(|first| next.observed.attempts.block(&first.action, (self.clock)()));
                return Ok(match wait {
                    Some(block) => Round::Rest(block.look_again.min(rest)),
                    None => self.remove(&clear, *next).await,
                });
            }
            Clearing::Away(block) if !self.has_waited_enough(key, &app, &place.name) => {
                return Ok(Round::Rest(block.look_again.min(rest)));
            }
            Clearing::Away(block) => {
                if let Round::Again = self.bury(&clear, &block).await? {
                    return Ok(Round::Again);
                }
            }
            Clearing::Done => {}
        }
        Self::after_write(self.resources.write_status(&app, &without(&status, &place.name)).await)
    }
}
