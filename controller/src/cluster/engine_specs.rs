//! Tells when what an administrator has written about an engine has changed: then its users are looked at.

use std::collections::HashMap;
use std::future::ready;

use futures::{Stream, StreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use longshore_crds::ContainerEngine;
use tracing::warn;

type Engine = PartialObjectMeta<ContainerEngine>;

/// Yields whenever an engine has come, gone, or has another spec. Our own status writes do not change the generation
/// and so wake nobody.
///
/// It does not say which engine: specs change rarely, and a resource on another engine that is looked at in vain costs
/// one read.
pub(super) fn engine_specs_changed(client: Client) -> impl Stream<Item = ()> + Send {
    watcher(Api::<Engine>::all(client), watcher::Config::default())
        .default_backoff()
        .scan(Specs::default(), |specs, event| {
            ready(Some(match event {
                Ok(event) => specs.changed_by(&event),
                Err(error) => {
                    warn!("the watch of ContainerEngines is interrupted: {error}");
                    false
                }
            }))
        })
        .filter_map(|has_changed| ready(has_changed.then_some(())))
}

/// The UID and generation of each engine.
#[derive(Default)]
struct Specs {
    known: HashMap<String, (String, i64)>,
    /// Those from before a list that has not been confirmed yet by it.
    unconfirmed: HashMap<String, (String, i64)>,
}

impl Specs {
    fn changed_by(&mut self, event: &watcher::Event<Engine>) -> bool {
        match event {
            watcher::Event::Init => {
                self.unconfirmed = std::mem::take(&mut self.known);
                false
            }
            watcher::Event::InitApply(engine) => {
                let before = self.unconfirmed.remove(&engine.name_any());
                let now = spec_of(engine);
                self.known.insert(engine.name_any(), now.clone());
                before != Some(now)
            }
            watcher::Event::InitDone => {
                let gone = !self.unconfirmed.is_empty();
                self.unconfirmed.clear();
                gone
            }
            watcher::Event::Apply(engine) => {
                let now = spec_of(engine);
                self.known.insert(engine.name_any(), now.clone()) != Some(now)
            }
            watcher::Event::Delete(engine) => self.known.remove(&engine.name_any()).is_some(),
        }
    }
}

fn spec_of(engine: &Engine) -> (String, i64) {
    (engine.uid().unwrap_or_default(), engine.metadata.generation.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::{ObjectMeta, PartialObjectMetaExt};
    use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

    fn engine(name: &str, generation: i64) -> Engine {
        ObjectMeta {
            name: Some(name.to_owned()),
            uid: Some(format!("uid-of-{name}")),
            generation: Some(generation),
            ..ObjectMeta::default()
        }
        .into_response_partial()
    }

    fn changes(events: impl IntoIterator<Item = watcher::Event<Engine>>) -> Vec<bool> {
        let mut specs = Specs::default();
        events.into_iter().map(|event| specs.changed_by(&event)).collect()
    }

    #[test]
    fn a_new_engine_is_a_change_and_a_new_status_is_none() {
        assert_eq!(
            changes([Init, InitDone, Apply(engine("big", 1)), Apply(engine("big", 1)), Apply(engine("big", 2))]),
            [false, false, true, false, true]
        );
    }

    #[test]
    fn an_engine_that_goes_is_a_change() {
        assert_eq!(
            changes([Init, InitApply(engine("big", 1)), InitDone, Delete(engine("big", 1))]),
            [false, true, false, true]
        );
    }

    #[test]
    fn what_happened_while_the_watch_was_interrupted_is_found() {
        let before = [Init, InitApply(engine("big", 1)), InitApply(engine("small", 1)), InitDone];
        let unchanged = [Init, InitApply(engine("big", 1)), InitApply(engine("small", 1)), InitDone];
        let one_is_gone = [Init, InitApply(engine("big", 1)), InitDone];
        let all = changes(before.into_iter().chain(unchanged).chain(one_is_gone));
        assert_eq!(all[4..8], [false, false, false, false]);
        assert_eq!(all[8..], [false, false, true]);
    }
}
