//! The containers of one engine, of which single ones are asked for anew.
//!
//! While many apps are brought up, something happens to one container after the other. What is done to one, by us or by
//! others, makes that one old and nothing else, so that not everybody's containers are listed for each.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use crate::app::{Container, ContainerId};
use crate::engine::{Engine, EngineError};

/// How many containers are asked for by themselves before listing everything is the better way.
const MOST_BY_THEMSELVES: usize = 16;

/// The list, and what of it may not be so any more.
#[derive(Default)]
pub(super) struct ContainerList {
    /// `None` when nothing is known, also while the engine is being asked: who is dropped meanwhile leaves it so.
    known: Mutex<Option<Arc<Vec<Container>>>>,
    old: std::sync::Mutex<Old>,
}

/// What of a list may not be so any more.
enum Old {
    Containers(BTreeSet<ContainerId>),
    Everything,
}

impl Default for Old {
    fn default() -> Self {
        Self::Containers(BTreeSet::new())
    }
}

impl ContainerList {
    /// From now on the next reader lists everything.
    pub(super) fn forget(&self) {
        *self.old() = Old::Everything;
    }

    /// From now on the next reader asks for this container, whether the list has it or not.
    pub(super) fn forget_one(&self, id: &ContainerId) {
        if let Old::Containers(ids) = &mut *self.old() {
            ids.insert(id.clone());
        }
    }

    /// The containers as they are, shared with whoever reads at the same time.
    pub(super) async fn read(&self, engine: &dyn Engine) -> Result<Arc<Vec<Container>>, EngineError> {
        let mut known = self.known.lock().await;
        // Taken before the engine is asked: what becomes old meanwhile is for the next reader.
        let old = mem::take(&mut *self.old());
        let fresh = fresh(engine, known.take(), old).await?;
        Ok(Arc::clone(known.insert(fresh)))
    }

    /// The list as it was read last, whether something has changed since or not.
    pub(super) async fn last(&self) -> Option<Arc<Vec<Container>>> {
        self.known.lock().await.clone()
    }

    /// The list as it was read last, unless it is known that something has changed since.
    pub(super) async fn peek(&self) -> Option<Arc<Vec<Container>>> {
        let known = self.known.lock().await;
        let is_held_for_true = matches!(&*self.old(), Old::Containers(ids) if ids.is_empty());
        known.clone().filter(|_| is_held_for_true)
    }

    /// A panic elsewhere leaves it whole: each change to it is a single one.
    fn old(&self) -> MutexGuard<'_, Old> {
        self.old.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fresh(
    engine: &dyn Engine,
    known: Option<Arc<Vec<Container>>>,
    old: Old,
) -> Result<Arc<Vec<Container>>, EngineError> {
    match (known, old) {
        (Some(known), Old::Containers(ids)) if ids.is_empty() => Ok(known),
        (Some(known), Old::Containers(ids)) if ids.len() <= MOST_BY_THEMSELVES => {
            let found = engine.find_containers(&ids).await?;
            Ok(Arc::new(amended(Arc::unwrap_or_clone(known), &ids, found)))
        }
        _ => engine.list_containers().await.map(Arc::new),
    }
}

/// The list with these containers as they were found now; those that were not found are gone.
fn amended(mut containers: Vec<Container>, ids: &BTreeSet<ContainerId>, found: Vec<Container>) -> Vec<Container> {
    containers.retain(|container| !ids.contains(&container.id));
    containers.extend(found);
    containers
}

#[cfg(test)]
#[path = "container_list_tests.rs"]
mod tests;
