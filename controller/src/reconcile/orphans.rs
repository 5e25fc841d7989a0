//! What is left on an engine on purpose, or because the engine does not answer: it is told, and written down.

use std::time::Duration;

use kube::ResourceExt;
use longshore_crds::{ContainerApp, FormerEngine, Tombstone};

use super::clearing::Clear;
use super::reconciler::Round;
use super::{AppKey, Event, EventKind, ReconcileError, Reconciler, ResourceError};
use crate::app::status::{places, time};
use crate::app::{Block, Owner, Reason};

/// How many tombstones an engine has at most, as its schema says.
const MOST_TOMBSTONES: usize = 256;

/// How many references a tombstone names at most, as its schema says.
const MOST_REFERENCES: usize = 64;

impl Reconciler {
    /// Whether an engine has been silent for so long that nobody waits for it any more.
    pub(super) fn has_waited_enough(&self, key: &AppKey, app: &ContainerApp, engine: &str) -> bool {
        let now = (self.clock)();
        let mut since = now;
        self.known.update(key, &app.uid().unwrap_or_default(), |known| {
            since = *known.silent_since.entry(engine.to_owned()).or_insert(now);
        });
        let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        self.engine_patience.is_some_and(|patience| waited >= patience)
    }

    /// Writes down at the engine what it still holds, and tells. An engine that nobody knows any more holds nothing that
    /// could ever be removed.
    pub(super) async fn bury(&self, clear: &Clear<'_>, why: &Block) -> Result<Round, ReconcileError> {
        let Clear { key, app, place, .. } = *clear;
        let failed = |error: ResourceError| ReconcileError::Failed(error.to_string());
        let engine = self.resources.engine(&place.name).await.map_err(failed)?;
        if let Some(engine) = &engine {
            let mut tombstones = engine.status.clone().unwrap_or_default().tombstones;
            let tombstone = self.tombstone(clear);
            tombstones.retain(|other| other.uid != tombstone.uid);
            if tombstones.len() >= MOST_TOMBSTONES {
                let message = format!(
                    "the ContainerEngine {} has {MOST_TOMBSTONES} tombstones already: let the engine answer, so that what \
                     they speak of is removed, or take away those that nobody will sweep any more",
                    place.name
                );
                return Err(ReconcileError::Failed(message));
            }
            tombstones.push(tombstone);
            match self.resources.write_tombstones(engine, tombstones).await {
                Ok(()) => {}
                Err(ResourceError::Conflict) => return Ok(Round::Again),
                Err(error) => return Err(failed(error)),
            }
        }
        let what_follows = if engine.is_some() {
            "it is removed when the engine answers again"
        } else {
            "nothing removes it any more"
        };
        let left = what_is_left(app, place, clear.with_volumes.then(|| self.owner_of(app)).as_ref());
        let note = format!("{left} is left on the engine {}, since {}; {what_follows}", place.name, why.message);
        self.publish(key, app, Event { kind: EventKind::Warning, reason: Reason::Orphaned.to_string(), note }).await;
        Ok(Round::Rest(Duration::ZERO))
    }

    fn tombstone(&self, clear: &Clear<'_>) -> Tombstone {
        let app = clear.app;
        let deleted_at = app.metadata.deletion_timestamp.as_ref().map(|deleted| deleted.0);
        let mut local_references = clear.place.local_references.clone();
        local_references.truncate(MOST_REFERENCES);
        Tombstone {
            uid: app.uid().unwrap_or_default(),
            namespace: app.namespace().unwrap_or_default(),
            name: app.name_any(),
            since: time(deleted_at.unwrap_or_else(|| (self.clock)())),
            instance: self.instance.as_str().to_owned(),
            engine_id: clear.place.id.clone(),
            grace_period_seconds: i64::try_from(super::removal::grace_period(app).as_secs()).unwrap_or(0),
            remove_volumes: clear.with_volumes,
            local_references,
        }
    }
}

/// The Event of a resource whose `deletionPolicy` leaves everything as it is. What is left is told from the status: the
/// engine need not answer.
pub(super) fn left_on_purpose(app: &ContainerApp, owner: &Owner) -> Event {
    let left = places(app)
        .iter()
        .map(|place| format!("{} is left on the engine {}", what_is_left(app, place, Some(owner)), place.name))
        .collect::<Vec<_>>()
        .join("; ");
    let note = format!("{left}, as deletionPolicy: Orphan asks");
    Event { kind: EventKind::Normal, reason: Reason::Orphaned.to_string(), note }
}

/// What a resource has made on an engine, in words; its volumes, where their owner is given.
fn what_is_left(app: &ContainerApp, place: &FormerEngine, of_volumes: Option<&Owner>) -> String {
    let status = app.status.as_ref();
    let is_here = status.and_then(|status| status.engine.as_ref()).is_none_or(|engine| engine.name == place.name);
    let container = status.and_then(|status| status.container.as_ref()).filter(|_| is_here);
    let run = app.spec.run.as_ref();
    let claims =
        run.into_iter().flat_map(|run| &run.volumes).filter_map(|volume| volume.persistent_volume_claim.as_ref());
    let volumes = of_volumes.into_iter().flat_map(|owner| {
        claims.clone().map(move |claim| format!("the volume {}", owner.volume_name(&claim.claim_name)))
    });
    let images = place.local_references.iter().map(|reference| format!("the image {reference}"));
    let containers = container.map(|container| format!("the container {}", container.name));
    let parts: Vec<String> = containers.into_iter().chain(volumes).chain(images).collect();
    if parts.is_empty() { "whatever it has made".to_owned() } else { parts.join(", ") }
}
