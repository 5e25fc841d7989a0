//! What stands on an engine beside ours, and in the way of it by its name or its labels.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::super::*;
use crate::app::{Network, Volume};

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
pub(super) struct Kit {
    pub(super) desired: Desired,
    pub(super) input_hash: Option<String>,
    pub(super) spec_hash: Option<String>,
    pub(super) private: ImageReference,
    pub(super) public: Vec<ImageReference>,
    pub(super) near: Vec<ImageReference>,
    pub(super) kept: Vec<ImageReference>,
    pub(super) images: Vec<Image>,
    pub(super) container: Container,
}

impl Kit {
    pub(super) fn of(desired: Desired) -> Self {
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
pub(super) struct World {
    pub(super) observed: Observed,
    pub(super) containers: BTreeSet<ContainerId>,
    pub(super) volumes: BTreeSet<String>,
    pub(super) networks: BTreeSet<String>,
    pub(super) references: BTreeSet<ImageReference>,
}

impl World {
    /// How many things are not ours.
    pub(super) fn collisions(&self) -> usize {
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
    pub(super) fn generate(random: &mut StdRng, kit: &Kit) -> Self {
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
}
