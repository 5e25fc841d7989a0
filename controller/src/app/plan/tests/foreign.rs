//! Whatever stands beside ours on an engine, by whatever name and with whatever labels: no step touches it.
//!
//! The world says of each thing whose it is when it makes it, and is never asked through the code that is tested.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::*;
use crate::app::{Mount, MountSource, Network, Volume};

/// How many foreign things there are in all worlds together, each in the way of ours by its name or its labels;
/// `LONGSHORE_COLLISIONS` asks for another number.
const COLLISIONS: u64 = 100_000;

/// How many there are in a world at least, on average.
const IN_A_WORLD: u64 = 4;

const INSTANCES: [&str; 6] = ["test", "test-2", "tes", "", "Test", "other"];
const UIDS: [&str; 7] = ["uid-1", "uid-2", "uid-10", "uid", "", "UID-1", "uid-1 "];
const NAMESPACES: [&str; 3] = ["default", "shop", ""];
const NAMES: [&str; 4] = ["my-app", "my-app-2", "app", "default.my-app"];
const CONTAINER_NAMES: [&str; 8] = [
    "my-app",
    "my-app.next",
    "my-app.previous",
    "my-app.folders",
    "default.my-app",
    "my-app-2",
    "my-app.next.next",
    "test",
];
const VOLUME_NAMES: [&str; 5] = ["my-app.data", "my-app.cache", "default.my-app.data", "my-app-2.data", "data"];
const NETWORK_NAMES: [&str; 4] =
    ["longshore.test.default", "longshore.test-2.default", "longshore.test.default.default", "bridge"];
const IMAGES: [&str; 5] = ["built", "older", "oldest", "pulled", "foreign"];
const TAGS: [&str; 6] =
    ["node-app:0.1", "node-app:0.2", "node-app", "hello-world", "shop/node-app:0.1", "node-app-2:0.1"];
const STATES: [ContainerState; 7] = [
    ContainerState::Created,
    ContainerState::Running,
    ContainerState::Restarting,
    ContainerState::Exited,
    ContainerState::Paused,
    ContainerState::Removing,
    ContainerState::Dead,
];

/// A resource and what worlds for it are made of: all of it is the same in every world, and hashes take their time.
struct Kit {
    desired: Desired,
    input_hash: Option<String>,
    spec_hash: Option<String>,
    private: ImageReference,
    public: Vec<ImageReference>,
    near: Vec<ImageReference>,
    kept: Vec<ImageReference>,
    images: Vec<Image>,
    container: Container,
}

impl Kit {
    fn of(desired: Desired) -> Self {
        let parsed = |text: String| text.parse::<ImageReference>().unwrap();
        let key = desired.image_key().unwrap().as_tag().to_owned();
        let near = ["longshore.local/test/uid-10", "longshore.local/test-2/uid-1", "longshore.local/test/uid-1/uid-1"];
        let images = IMAGES.map(|name| image(name, &[]));
        let spec = desired.run.as_ref().and_then(|run| run.container.as_ref().ok());
        Self {
            input_hash: desired.input_hash().map(|hash| hash.as_str().to_owned()),
            spec_hash: spec.map(|spec| spec.hash().as_str().to_owned()),
            private: desired.owner.private_reference(&desired.image_key().unwrap()),
            public: TAGS.map(|tag| parsed(tag.to_owned())).to_vec(),
            near: near.map(|path| parsed(format!("{path}:{key}"))).to_vec(),
            kept: IMAGES.map(|name| parsed(format!("longshore.local/test/uid-1:v1-{name}"))).to_vec(),
            container: container(&wanted(), &images[0], "c"),
            images: images.to_vec(),
            desired,
        }
    }
}

/// What is on an engine, and what of it is ours.
#[derive(Debug, Default)]
struct World {
    observed: Observed,
    containers: BTreeSet<ContainerId>,
    volumes: BTreeSet<String>,
    networks: BTreeSet<String>,
    references: BTreeSet<ImageReference>,
}

impl World {
    /// How many things are not ours.
    fn collisions(&self) -> usize {
        let references: usize = self.observed.images.iter().map(|image| image.references.len()).sum();
        let observed = &self.observed;
        let things = observed.containers.len() + observed.volumes.len() + observed.networks.len() + references;
        things - self.containers.len() - self.volumes.len() - self.networks.len() - self.references.len()
    }
}

/// A value of these, but not this one.
fn another<'a>(random: &mut StdRng, values: &[&'a str], than: &str) -> &'a str {
    let others: Vec<&str> = values.iter().copied().filter(|value| *value != than).collect();
    others.choose(random).copied().unwrap()
}

fn any<T: Clone>(random: &mut StdRng, values: &[T]) -> T {
    values.choose(random).cloned().unwrap()
}

/// Labels that look like ours and are not: one of those that matter is another's, or missing, or misspelt.
fn labels_nearly_ours(random: &mut StdRng, that_matter: &[&str]) -> BTreeMap<String, String> {
    let mut labels = owner().labels();
    labels.insert(labels::SPEC_HASH.to_owned(), "v1-older".to_owned());
    let wrong = any(random, that_matter);
    let right = labels.remove(wrong).unwrap();
    match random.random_range(0..4) {
        0 => {}
        1 => drop(labels.insert(format!("{wrong} "), right)),
        2 => drop(labels.insert(wrong.replace("longshore.dev", "longshore.example"), right)),
        _ => {
            let values: &[&str] = match wrong {
                labels::INSTANCE => &INSTANCES,
                labels::OWNER_UID => &UIDS,
                labels::NAMESPACE => &NAMESPACES,
                _ => &NAMES,
            };
            labels.insert(wrong.to_owned(), another(random, values, &right).to_owned());
        }
    }
    if random.random_bool(0.1) {
        labels.clear();
    }
    labels
}

impl World {
    fn generate(random: &mut StdRng, kit: &Kit) -> Self {
        let mut world = Self::default();
        for number in 0..IMAGES.len() {
            if random.random_bool(0.5) {
                world.add_image(random, kit, number);
            }
        }
        world.observed.memory.claims.extend(world.references.iter().filter(|one| !Owner::is_private(one)).cloned());
        for number in 0..random.random_range(0..7) {
            world.add_container(random, kit, number);
        }
        for name in VOLUME_NAMES {
            if random.random_bool(0.4) {
                world.add_volume(random, name);
            }
        }
        for name in NETWORK_NAMES {
            if random.random_bool(0.3) {
                world.add_network(random, name);
            }
        }
        world.observed.memory.container = random.random_bool(0.5).then(|| "my-app".to_owned());
        world.observed.containers.shuffle(random);
        world.observed.images.shuffle(random);
        world
    }

    fn add_image(&mut self, random: &mut StdRng, kit: &Kit, number: usize) {
        let is_current = random.random_bool(0.5);
        let is_kept = IMAGES[number] != "foreign" && random.random_bool(0.5);
        let is_free = |world: &Self, reference: &ImageReference| world.observed.image(reference).is_none();
        let mut references = Vec::new();
        let private = if is_current { &kit.private } else { &kit.kept[number] };
        let is_ours = is_kept && is_free(self, private);
        if is_ours {
            self.references.insert(private.clone());
            references.push(private.clone());
        }
        for near in &kit.near {
            if random.random_bool(0.3) && is_free(self, near) {
                references.push(near.clone());
            }
        }
        for public in &kit.public {
            if random.random_bool(0.3) && is_free(self, public) {
                if is_ours && random.random_bool(0.5) {
                    self.references.insert(public.clone());
                }
                references.push(public.clone());
            }
        }
        let mut image = Image { references, ..kit.images[number].clone() };
        if is_current || random.random_bool(0.3) {
            let hash = kit.input_hash.clone();
            image.labels.extend(hash.map(|hash| (labels::INPUT_HASH.to_owned(), hash)));
        }
        // An image may carry whatever its author wrote, the labels of a container that it was committed from included.
        if random.random_bool(0.2) {
            image.labels.extend(owner().labels());
        }
        if random.random_bool(0.5) {
            let repository = kit.public[3].repository().clone();
            image.manifests.insert((repository, ManifestDigest(image.id.to_string().parse().unwrap())));
        }
        self.observed.images.push(image);
    }

    fn add_container(&mut self, random: &mut StdRng, kit: &Kit, number: usize) {
        let name = any(random, &CONTAINER_NAMES);
        if self.observed.containers.iter().any(|container| container.name == name) {
            return;
        }
        let is_ours = random.random_bool(0.4);
        let image = self.observed.images.choose(random).map_or(&kit.images[0].id, |image| &image.id).clone();
        let mut made = Container {
            id: ContainerId(format!("c{number}")),
            name: name.to_owned(),
            image,
            state: any(random, &STATES),
            ports: if random.random_bool(0.3) { vec![port(4000)] } else { Vec::new() },
            labels: owner().labels(),
            ..kit.container.clone()
        };
        if is_ours {
            let hash = kit.spec_hash.clone().filter(|_| random.random_bool(0.5));
            made.labels.insert(labels::SPEC_HASH.to_owned(), hash.unwrap_or_else(|| "v1-older".to_owned()));
            self.containers.insert(made.id.clone());
        } else {
            made.labels = labels_nearly_ours(random, &[labels::INSTANCE, labels::OWNER_UID]);
        }
        if let Some(detail) = &mut made.detail {
            detail.exit_code = any(random, &[0, 0, 1, 128, 137]);
        }
        self.observed.containers.push(made);
    }

    fn add_volume(&mut self, random: &mut StdRng, name: &str) {
        let labels = if random.random_bool(0.4) {
            self.volumes.insert(name.to_owned());
            owner().labels()
        } else {
            labels_nearly_ours(random, &[labels::INSTANCE, labels::NAMESPACE, labels::NAME])
        };
        self.observed.volumes.push(Volume { name: name.to_owned(), labels });
    }

    fn add_network(&mut self, random: &mut StdRng, name: &str) {
        let id = format!("id of {name}");
        let is_ours = name == owner().network_name() && random.random_bool(0.5);
        let labels = if is_ours {
            self.networks.insert(id.clone());
            owner().network_labels()
        } else {
            labels_nearly_ours(random, &[labels::INSTANCE, labels::NAMESPACE])
        };
        self.observed.networks.push(Network { id, name: name.to_owned(), labels, created_at: now() });
    }

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
