//! The network that the containers of one namespace of one installation share on an engine.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Container, Owner, labels};

/// A network on an engine, ours or anyone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its ID. Docker Engine before 25 lets several networks have one name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The place that a container gets in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The network's name.
    pub network: String,
    /// The name by which the others in it find the container while it runs, beside the container's own.
    pub alias: String,
}

/// The place that a container has in a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPlace {
    /// The network's ID; absent until the container is started for the first time. A network that was made anew under its
    /// name is another one.
    pub network_id: Option<String>,
    /// The container's address in it, while it runs.
    pub address: Option<String>,
}

impl Owner {
    /// The engine's name of the network that the containers of this owner's namespace share:
    /// `longshore.<instance>.<namespace>`. Neither part has a dot in it, so no two namespaces of any installations
    /// share one.
    pub fn network_name(&self) -> String {
        let namespace = if self.namespace.is_empty() { "default" } else { &self.namespace };
        format!("longshore.{}.{namespace}", self.instance)
    }

    /// The labels of that network.
    pub fn network_labels(&self) -> BTreeMap<String, String> {
        let labels = [(labels::INSTANCE, self.instance.as_str()), (labels::NAMESPACE, self.namespace.as_str())];
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// The place of this owner's container in it.
    pub fn attachment(&self) -> Attachment {
        Attachment { network: self.network_name(), alias: self.name.clone() }
    }

    /// Whether this is the network of this owner's namespace, made by its installation.
    pub fn has_network(&self, network: &Network) -> bool {
        network.name == self.network_name() && self.is_of_the_namespace(&network.labels)
    }

    /// Whether this container is of this owner's installation and namespace.
    pub fn is_neighbour_of(&self, container: &Container) -> bool {
        self.is_of_the_namespace(&container.labels)
    }

    fn is_of_the_namespace(&self, labels: &BTreeMap<String, String>) -> bool {
        let is = |label: &str, value: &str| labels.get(label).is_some_and(|found| found == value);
        is(labels::INSTANCE, self.instance.as_str()) && is(labels::NAMESPACE, &self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::Instance;

    #[test]
    fn no_two_namespaces_of_any_installations_share_a_network() {
        let words = ["a", "b", "a-b", "b-a", "longshore", "default"];
        let pairs = words.iter().flat_map(|instance| words.iter().map(move |namespace| (instance, namespace)));
        let names: BTreeSet<String> = pairs
            .map(|(instance, namespace)| {
                let owner = Owner {
                    instance: Instance::new(instance),
                    uid: String::new(),
                    namespace: (*namespace).to_owned(),
                    name: "web".to_owned(),
                };
                owner.network_name()
            })
            .collect();
        assert_eq!(names.len(), words.len() * words.len());
    }
}
