//! The environment of a container: `envFrom`, then `env`, with what they refer to.

use std::collections::BTreeMap;

use longshore_crds::{EnvFromSource, EnvVar, EnvVarSource, KeySelector, ObjectSelector};

use super::expansion::expand;
use super::referred::{KeyOrigin, ObjectKind, Referred};
use crate::app::{Block, Part};

/// The variables of a container, and where their values come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) values: BTreeMap<String, String>,
    /// Of those variables whose value is that of a key.
    pub(crate) origins: BTreeMap<String, KeyOrigin>,
}

impl Environment {
    /// The value of a variable, for what is expanded.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The last one counts.
    fn set(&mut self, name: String, value: String, origin: Option<KeyOrigin>) {
        self.origins.remove(&name);
        self.origins.extend(origin.map(|origin| (name.clone(), origin)));
        self.values.insert(name, value);
    }
}

/// The environment that is asked for, or the block of the first value that cannot be had.
pub(crate) fn environment(
    sources: &[EnvFromSource],
    variables: &[EnvVar],
    referred: &Referred,
    namespace: &str,
) -> Result<Environment, Block> {
    let mut environment = Environment::default();
    for source in sources {
        add_all(&mut environment, source, referred, namespace)?;
    }
    for variable in variables {
        match &variable.value_from {
            None => {
                let value = expand(variable.value.as_deref().unwrap_or_default(), |name| environment.value(name));
                environment.set(variable.name.clone(), value, None);
            }
            Some(source) => {
                if let Some((value, origin)) = value_from(&variable.name, source, referred, namespace)? {
                    environment.set(variable.name.clone(), value, Some(origin));
                }
            }
        }
    }
    Ok(environment)
}

/// Every key of an object as a variable.
fn add_all(
    environment: &mut Environment,
    source: &EnvFromSource,
    referred: &Referred,
    namespace: &str,
) -> Result<(), Block> {
    let selected = [(ObjectKind::Secret, &source.secret_ref), (ObjectKind::ConfigMap, &source.config_map_ref)];
    for (kind, selector) in selected {
        let Some(ObjectSelector { name, optional }) = selector else {
            continue;
        };
        let Some(object) = referred.object(kind, name) else {
            if optional.unwrap_or(false) {
                continue;
            }
            return Err(missing_object(kind, name, namespace));
        };
        for (key, bytes) in object {
            let variable = format!("{}{key}", source.prefix.as_deref().unwrap_or_default());
            let origin = KeyOrigin { kind, name: name.clone(), key: key.clone() };
            match std::str::from_utf8(bytes) {
                Ok(value) => environment.set(variable, value.to_owned(), Some(origin)),
                // core/v1 takes `data` alone of a ConfigMap; what is no text lies in its `binaryData`.
                Err(_) if kind == ObjectKind::ConfigMap => {}
                Err(_) => return Err(not_text(&origin, &variable)),
            }
        }
    }
    Ok(())
}

/// The value of a variable that is read from a key; `None` when it is optional and the key does not exist.
fn value_from(
    variable: &str,
    source: &EnvVarSource,
    referred: &Referred,
    namespace: &str,
) -> Result<Option<(String, KeyOrigin)>, Block> {
    let (kind, selector) = match (&source.secret_key_ref, &source.config_map_key_ref) {
        (Some(selector), _) => (ObjectKind::Secret, selector),
        (None, Some(selector)) => (ObjectKind::ConfigMap, selector),
        (None, None) => return Ok(None),
    };
    let KeySelector { name, key, optional } = selector;
    let object = referred.object(kind, name);
    match object.and_then(|object| object.get(key)) {
        Some(bytes) => {
            let origin = KeyOrigin { kind, name: name.clone(), key: key.clone() };
            let value = std::str::from_utf8(bytes).map_err(|_| not_text(&origin, variable))?;
            Ok(Some((value.to_owned(), origin)))
        }
        None if optional.unwrap_or(false) => Ok(None),
        None if object.is_some() => {
            let message = format!("the {kind} {name} has no key {key}, which the variable {variable} needs");
            Err(Block::waiting(Part::Container, kind.missing(), message))
        }
        None => Err(missing_object(kind, name, namespace)),
    }
}

fn not_text(origin: &KeyOrigin, variable: &str) -> Block {
    let message = format!("{origin} is not text, so it cannot be the value of the variable {variable}");
    Block::waiting(Part::Container, origin.kind.missing(), message)
}

/// The block of a container that waits for an object.
pub(super) fn missing_object(kind: ObjectKind, name: &str, namespace: &str) -> Block {
    let message = format!(
        "the {kind} {name} does not exist in the namespace {namespace}: create it, and it is read within seconds"
    );
    Block::waiting(Part::Container, kind.missing(), message)
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
