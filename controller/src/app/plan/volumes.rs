//! Volumes that stay: made before the first container that needs them, and never taken from others.

use super::{Observed, step};
use crate::app::{Action, Block, ContainerSpec, Desired, Mount, Part, Reason, Step, Volume, labels};

/// The steps that make the volumes which are missing, or the block of one that is another's.
pub(super) fn plan(desired: &Desired, observed: &Observed, spec: &ContainerSpec) -> Result<Vec<Step>, Block> {
    let mut steps: Vec<Step> = Vec::new();
    for name in spec.mounts.iter().filter_map(Mount::claim) {
        let action = Action::CreateVolume { name: name.to_owned() };
        match observed.volumes.iter().find(|volume| volume.name == name) {
            Some(volume) if desired.owner.has_volume(&volume.labels) => {}
            Some(foreign) => return Err(conflict(foreign)),
            None if steps.iter().any(|step| step.action == action) => {}
            None => steps.push(step(action, format!("the volume {name} is not on the engine yet"))),
        }
    }
    Ok(steps)
}

fn conflict(volume: &Volume) -> Block {
    let label = |label: &str| volume.labels.get(label).map(String::as_str);
    let whose = match (label(labels::INSTANCE), label(labels::NAMESPACE), label(labels::NAME)) {
        (Some(instance), Some(namespace), Some(name)) => format!("{namespace}/{name} of the installation {instance}"),
        _ => "somebody who is not Longshore".to_owned(),
    };
    let name = &volume.name;
    let message = format!(
        "the volume {name} was made by {whose}: choose another claimName, or remove that volume with docker volume rm \
         {name}"
    );
    Block::waiting(Part::Container, Reason::VolumeConflict, message)
}
