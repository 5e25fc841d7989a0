//! Whatever stands beside ours on an engine, by whatever name and with whatever labels: no step touches it.
//!
//! The world says of each thing whose it is when it makes it, and is never asked through the code that is tested.

mod world;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::*;
use crate::app::{Mount, MountSource};
use world::{Kit, World};

/// How many foreign things there are in all worlds together, each in the way of ours by its name or its labels;
/// `LONGSHORE_COLLISIONS` asks for another number.
const COLLISIONS: u64 = 100_000;

/// How many there are in a world at least, on average.
const IN_A_WORLD: u64 = 4;

impl World {
    /// Why a step would touch what is not ours; nothing when it does not.
    fn objection(&self, kit: &Kit, action: &Action) -> Option<String> {
        let container = |id: &ContainerId| (!self.containers.contains(id)).then(|| format!("container {id}"));
        let name = |name: &String| {
            let holder = self.observed.containers.iter().find(|container| container.name == *name);
            holder.and_then(|holder| container(&holder.id))
        };
        let network = |name: &String| self.observed.networks.iter().find(|network| network.name == *name);
        match action {
            Action::StopContainer { id, .. }
            | Action::RemoveContainer { id, .. }
            | Action::AdjustContainer { id, .. }
            | Action::UnpauseContainer { id, .. } => container(id),
            Action::StartContainer { id, .. } => id.as_ref().and_then(container),
            // A name that is taken is refused by the engine: whoever has it keeps it.
            Action::RenameContainer { id, .. } => id.as_ref().and_then(container),
            Action::CreateContainer { name: wanted, .. } => name(wanted),
            Action::RemoveVolume { name } => (!self.volumes.contains(name)).then(|| format!("volume {name}")),
            Action::CreateVolume { name } => {
                let is_there = self.observed.volumes.iter().any(|volume| volume.name == *name);
                is_there.then(|| format!("volume {name}"))
            }
            Action::RemoveNetwork { id, .. } => (!self.networks.contains(id)).then(|| format!("network {id}")),
            Action::CreateNetwork { name } => network(name).map(|holder| format!("network {}", holder.id)),
            Action::ConnectNetwork { id, network: name, .. } => {
                let foreign = network(name).filter(|holder| !self.networks.contains(&holder.id));
                container(id).or_else(|| foreign.map(|holder| format!("network {}", holder.id)))
            }
            Action::RemoveImage { reference } => {
                (!self.references.contains(reference)).then(|| format!("reference {reference}"))
            }
            Action::TagImage { reference, .. } | Action::BuildImage { reference, .. } => {
                let holder = self.observed.image(reference)?;
                // What we keep, another may have named: whoever names it anew has asked for the name as well.
                let may_move = self.references.contains(reference)
                    || holder.references.iter().any(|other| self.references.contains(other));
                (!may_move || !is_asked_for(kit, reference)).then(|| format!("reference {reference}"))
            }
            Action::PullImage { .. }
            | Action::PushImage { .. }
            | Action::DeleteTag { .. }
            | Action::RecordRevision { .. }
            | Action::RemoveRevision { .. } => None,
        }
    }
}

fn is_asked_for(kit: &Kit, reference: &ImageReference) -> bool {
    kit.desired.tags.contains(reference) || *reference == kit.private
}

/// Resources that differ in what they make of what is there.
fn kits() -> Vec<Kit> {
    let with_run = |change: &dyn Fn(&mut RunSpec)| {
        let mut desired = wanted();
        change(desired.run.as_mut().unwrap());
        desired
    };
    let claim =
        Mount { path: "/data".to_owned(), is_read_only: false, source: MountSource::Claim("my-app.data".to_owned()) };
    let resources = vec![
        wanted(),
        one_shot(),
        with_run(&|run| run.is_stopped = true),
        with_run(&|run| run.rollout.strategy = longshore_crds::Strategy::Overlap),
        with_run(&|run| run.container = Ok(ContainerSpec { mounts: vec![claim.clone()], ..spec(&[]) })),
        Desired { run: None, ..wanted() },
        Desired { revision_history_limit: 0, ..wanted() },
        Desired { revision_history_limit: 0, run: None, ..one_shot() },
    ];
    resources.into_iter().map(Kit::of).collect()
}

fn collisions() -> u64 {
    std::env::var("LONGSHORE_COLLISIONS").ok().and_then(|number| number.parse().ok()).unwrap_or(COLLISIONS)
}

fn worlds() -> u64 {
    collisions() / IN_A_WORLD
}

/// How often steps of each kind were planned in these worlds, and how many things were in the way. It fails when a step
/// touches what is not ours.
fn play(seeds: impl Iterator<Item = u64>, kits: &[Kit]) -> BTreeMap<&'static str, u64> {
    let mut planned = BTreeMap::new();
    for seed in seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let kit = kits.choose(&mut random).unwrap();
        let world = World::generate(&mut random, kit);
        *planned.entry("collision").or_default() += world.collisions() as u64;
        let steps = plan(&kit.desired, &world.observed, now()).steps;
        let removal = plan_removal(&owner(), &world.observed, Removal::Everything, Duration::from_secs(1));
        for step in steps.iter().chain(&removal) {
            *planned.entry(kind_of(&step.action)).or_default() += 1;
            if let Some(what) = world.objection(kit, &step.action) {
                panic!("world {seed}: {} touches the foreign {what} in {world:#?}", step.action);
            }
        }
    }
    planned
}

#[test]
fn no_step_touches_a_foreign_thing_in_generated_collisions() {
    let kits = kits();
    let mut planned = BTreeMap::<&str, u64>::new();
    std::thread::scope(|scope| {
        let threads = [0, 1, 2, 3].map(|first| {
            scope.spawn({
                let kits = &kits;
                move || play((first..worlds()).step_by(4), kits)
            })
        });
        for thread in threads {
            for (kind, times) in thread.join().expect("no step touches a foreign thing") {
                *planned.entry(kind).or_default() += times;
            }
        }
    });
    let met = planned.get("collision").copied().unwrap_or_default();
    assert!(met >= collisions(), "{met} collisions only");
    // A test in which nothing is done proves nothing.
    let kinds = [
        "create",
        "start",
        "stop",
        "remove",
        "rename",
        "remove image",
        "tag",
        "volume",
        "remove volume",
        "network",
        "connect",
        "remove network",
    ];
    for kind in kinds {
        let times = planned.get(kind).copied().unwrap_or_default();
        assert!(times >= worlds() / 200, "{kind} was planned {times} times only: {planned:?}");
    }
}

#[test]
fn everything_that_is_ours_goes_in_generated_collisions() {
    let kit = Kit::of(wanted());
    for seed in 0..worlds() / 5 {
        let world = World::generate(&mut StdRng::seed_from_u64(seed), &kit);
        let steps = plan_removal(&owner(), &world.observed, Removal::Everything, Duration::from_secs(1));
        let removed: BTreeSet<String> = steps.iter().map(|step| step.action.to_string()).collect();
        for container in &world.observed.containers {
            let is_to_go = world.containers.contains(&container.id) && container.state != ContainerState::Removing;
            let is_removed = removed.contains(&format!("remove container {}", container.name));
            assert_eq!(is_removed, is_to_go, "world {seed}: {container:?}");
        }
        for volume in &world.volumes {
            assert!(removed.contains(&format!("remove volume {volume}")), "world {seed}: {volume}");
        }
    }
}

fn kind_of(action: &Action) -> &'static str {
    match action {
        Action::PullImage { .. } => "pull",
        Action::BuildImage { .. } => "build",
        Action::TagImage { .. } => "tag",
        Action::PushImage { .. } => "push",
        Action::CreateVolume { .. } => "volume",
        Action::RemoveVolume { .. } => "remove volume",
        Action::CreateNetwork { .. } => "network",
        Action::ConnectNetwork { .. } => "connect",
        Action::RemoveNetwork { .. } => "remove network",
        Action::CreateContainer { .. } => "create",
        Action::StartContainer { .. } => "start",
        Action::StopContainer { .. } => "stop",
        Action::RenameContainer { .. } => "rename",
        Action::AdjustContainer { .. } => "adjust",
        Action::UnpauseContainer { .. } => "unpause",
        Action::RemoveContainer { .. } => "remove",
        Action::RemoveImage { .. } => "remove image",
        Action::DeleteTag { .. } => "delete tag",
        Action::RecordRevision { .. } | Action::RemoveRevision { .. } => "record",
    }
}
