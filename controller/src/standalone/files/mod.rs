//! The resources of standalone mode, read from YAML files with the rules that an API server has.
//!
//! # Guarantees
//! Every mistake in every file is found at once and told with its place. What is loaded has its defaults, and follows
//! the schema and the rules of the CRDs and of the domain.

mod kinds;
mod problem;
mod schema;
mod sources;
#[cfg(test)]
mod tests;
mod words;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use kube::api::ObjectMeta;
use longshore_crds::{ContainerApp, ContainerEngine};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{BuildAccess, ContextInputs, Inputs, Instance, Policy, Reason, Referred, validate};
use crate::reconcile::{AppKey, ConfigMapData, SecretData};

use kinds::Kind;
use sources::Source;
use yaml::{Document, Node};

pub use problem::{BadFiles, Place, Problem};

/// The namespace of objects that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// What the files hold.
#[derive(Clone, Default)]
pub struct Manifests {
    /// The apps.
    pub apps: BTreeMap<AppKey, LoadedApp>,
    /// The engines by their names.
    pub engines: BTreeMap<String, ContainerEngine>,
    /// The Secrets by namespace and name.
    pub secrets: BTreeMap<(String, String), SecretData>,
    /// The ConfigMaps by namespace and name.
    pub config_maps: BTreeMap<(String, String), ConfigMapData>,
    /// Lines for the user about what was left out.
    pub warnings: Vec<String>,
}

/// A `ContainerApp` as it stands in a file, with its defaults and its namespace.
#[derive(Clone, Debug)]
pub struct LoadedApp {
    /// The resource, without UID and generation.
    pub app: ContainerApp,
    /// The folder to which `build.context.path` is relative.
    pub folder: PathBuf,
}

impl Manifests {
    /// Reads what `-f` names: files with any number of documents, folders (their `*.yaml` and `*.yml`, not what is in
    /// folders inside), and `-` for the standard input.
    pub fn load(arguments: &[PathBuf]) -> Result<Self, BadFiles> {
        let sources = sources::read(arguments).map_err(BadFiles)?;
        Self::from_sources(&sources)
    }

    fn from_sources(sources: &[Source]) -> Result<Self, BadFiles> {
        let mut loader = Loader::default();
        for source in sources {
            loader.load(source);
        }
        if loader.problems.is_empty() { Ok(loader.manifests) } else { Err(BadFiles(loader.problems)) }
    }
}

#[derive(Default)]
struct Loader {
    manifests: Manifests,
    problems: Vec<Problem>,
    places: BTreeMap<(Kind, String, String), Place>,
}

impl Loader {
    fn load(&mut self, source: &Source) {
        match yaml::parse(&source.name, &source.text) {
            Ok(documents) => documents.iter().for_each(|document| self.load_document(document, source)),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn load_document(&mut self, document: &Document, source: &Source) {
        if is_list(&document.root) {
            for item in document.root.get("items").map(Node::elements).unwrap_or_default() {
                self.load_document(&Document { root: item.clone(), ..document.clone() }, source);
            }
            return;
        }
        match kinds::kind_of(document) {
            Ok(Some(kind)) => self.load_kind(kind, document, source),
            Ok(None) => self.leave_out(document),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn leave_out(&mut self, document: &Document) {
        let text = |path: &str| document.root.get(path).and_then(Node::text).unwrap_or_default();
        let name = document.root.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::text);
        self.manifests.warnings.push(format!(
            "{}: {} {} is left out: standalone mode reads ContainerApp, ContainerEngine, Secret and ConfigMap",
            document.place(document.root.location),
            text("kind"),
            name.unwrap_or("without a name"),
        ));
    }

    fn load_kind(&mut self, kind: Kind, document: &Document, source: &Source) {
        let problems = kinds::check(kind, document, &source.text);
        if !problems.is_empty() {
            self.problems.extend(problems);
            return;
        }
        let (namespace, name) = identity(kind, document);
        if self.is_second(kind, &namespace, &name, document) {
            return;
        }
        if let Err(problems) = self.add(kind, namespace, name, document, source) {
            self.problems.extend(problems);
        }
    }

    fn is_second(&mut self, kind: Kind, namespace: &str, name: &str, document: &Document) -> bool {
        let place = document.place(document.root.locate("metadata.name"));
        let key = (kind, namespace.to_owned(), name.to_owned());
        if let Some(first) = self.places.get(&key) {
            let whole = if kind.is_namespaced() { format!("{namespace}/{name}") } else { name.to_owned() };
            let message = format!(
                "metadata.name: the {} {whole} stands in {first} already; remove one of the two or give it another name",
                kind.name()
            );
            self.problems.push(Problem { place, message });
            return true;
        }
        self.places.insert(key, place);
        false
    }

    fn add(
        &mut self,
        kind: Kind,
        namespace: String,
        name: String,
        document: &Document,
        source: &Source,
    ) -> Result<(), Vec<Problem>> {
        let manifests = &mut self.manifests;
        match kind {
            Kind::ContainerApp => {
                let app = container_app(document, &namespace)?;
                let loaded = LoadedApp { app, folder: source.folder.clone() };
                manifests.apps.insert(AppKey { namespace, name }, loaded);
            }
            Kind::ContainerEngine => {
                let engine: ContainerEngine = typed(document)?;
                follow_rules(kind, document, &engine)?;
                manifests.engines.insert(name, engine);
            }
            Kind::Secret => {
                manifests.secrets.insert((namespace, name), kinds::secret_data(document)?);
            }
            Kind::ConfigMap => {
                manifests.config_maps.insert((namespace, name), kinds::config_map_data(document)?);
            }
        }
        Ok(())
    }
}

/// Whether it is what `kubectl get -o yaml` prints for several objects.
fn is_list(root: &Node) -> bool {
    let has = |path: &str, value: &str| root.get(path).and_then(Node::text) == Some(value);
    has("apiVersion", "v1") && has("kind", "List")
}

/// The namespace, empty for a kind without, and the name.
fn identity(kind: Kind, document: &Document) -> (String, String) {
    let metadata = document.root.get("metadata");
    let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::text);
    let namespace = if kind.is_namespaced() { text("namespace").unwrap_or(DEFAULT_NAMESPACE) } else { "" };
    (namespace.to_owned(), text("name").unwrap_or_default().to_owned())
}

fn container_app(document: &Document, namespace: &str) -> Result<ContainerApp, Vec<Problem>> {
    let mut app: ContainerApp = typed(document)?;
    follow_rules(Kind::ContainerApp, document, &app)?;
    app.metadata = ObjectMeta { namespace: Some(namespace.to_owned()), ..authored(app.metadata) };
    app.status = None;
    is_understood(document, &app)?;
    Ok(app)
}

/// What is the author's own: the rest is what an API server had written into an exported object.
fn authored(metadata: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        labels: metadata.labels,
        annotations: metadata.annotations,
        ..ObjectMeta::default()
    }
}

/// The value of the document; the schema has been checked, so this finds only what a schema cannot say.
fn typed<T: DeserializeOwned>(document: &Document) -> Result<T, Vec<Problem>> {
    serde_json::from_value(document.root.to_json()).map_err(|error| {
        let place = document.place(document.root.location);
        vec![Problem { place, message: format!("the resource cannot be understood: {error}") }]
    })
}

/// Reports the rules of the CRD that are broken, each at the field that it belongs to.
fn follow_rules<T: Serialize>(kind: Kind, document: &Document, resource: &T) -> Result<(), Vec<Problem>> {
    let resource = serde_json::to_value(resource).expect("a resource is plain data");
    let Err(errors) = kinds::follow_rules(kind, &resource) else { return Ok(()) };
    Err(errors
        .into_vec()
        .into_iter()
        .map(|error| {
            // Of what lies outside spec and status, rules see the name only.
            let path = match error.field_path.trim_start_matches('.') {
                "" => "metadata.name",
                path => path,
            };
            let place = document.place(document.root.locate(path));
            Problem { place, message: format!("{path}: {}", error.message) }
        })
        .collect())
}

/// Checks what only the domain knows, such as the grammar of image references, before anything is begun.
fn is_understood(document: &Document, app: &ContainerApp) -> Result<(), Vec<Problem>> {
    let block = match validate(app, &anything_goes()) {
        Err(block) if block.reason == Reason::InvalidSpec => block,
        _ => return Ok(()),
    };
    let path = block.message.split(':').next().unwrap_or_default();
    let place = document.place(document.root.locate(path));
    Err(vec![Problem { place, message: block.message }])
}

/// Inputs that stand in nobody's way: what is referred to is looked for later, and what an engine allows is its own
/// matter.
fn anything_goes() -> Inputs {
    Inputs {
        instance: Instance::new(""),
        context: Some(Ok(ContextInputs::empty())),
        build_access: Ok(BuildAccess::default()),
        pull_credentials: Ok(None),
        push_credentials: Vec::new(),
        referred: Referred::default(),
        policy: Policy {
            host_ports: Some(vec![longshore_crds::HostPortRange { from: 1, to: 65535 }]),
            ..Policy::default()
        },
    }
}
