//! What superseded tags hold at their registries, and who else names them: asked only of those that may have to go.

use futures::future::join_all;
use longshore_crds::ContainerApp;
use tracing::warn;

use super::Reconciler;
use super::engine_store::EngineStore;
use crate::app::plan::{Observed, superseded};
use crate::app::{Desired, Uses};

impl Reconciler {
    pub(super) async fn observe_superseded_tags(
        &self,
        desired: &Desired,
        app: &ContainerApp,
        store: &EngineStore,
        observed: &mut Observed,
    ) {
        let now = (self.clock)();
        let tags = superseded(desired, observed, now);
        if tags.is_empty() {
            return;
        }
        let looks = tags.into_iter().filter_map(|reference| {
            let destination = desired.destination_to_delete_in(reference.repository())?;
            let credentials = destination.credentials.as_ref().ok()?.clone();
            Some(async move {
                let mut credentials = credentials;
                let look = store.remotes.look_up(&reference, &mut credentials, destination.rules.interval, now).await;
                (reference, look)
            })
        });
        observed.remotes.extend(join_all(looks).await);
        match self.resources.others(app).await {
            Ok(others) => observed.uses = Some(Uses::of(&others)),
            Err(error) => warn!("no tag is deleted while the other resources cannot be read: {error}"),
        }
    }
}
