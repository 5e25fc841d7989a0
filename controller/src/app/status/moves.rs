//! Where a resource was before it was moved to another engine, until nothing of it is left there.

use longshore_crds::{ContainerApp, ContainerAppStatus, EngineReference, FormerEngine};

/// The engines on which something may be left once the resource is on the engine of this name.
///
/// They are written down before anything is made on the new one, so that a process that dies in between, or another move
/// that comes in between, forgets none.
pub(super) fn former_engines(old: &ContainerAppStatus, engine: &str) -> Vec<FormerEngine> {
    let left = old.engine.iter().map(|before| as_former(before, &old.local_references));
    let known = old.former_engines.iter().cloned();
    let mut former: Vec<FormerEngine> = Vec::new();
    for place in known.chain(left).filter(|place| place.name != engine) {
        match former.iter_mut().find(|other| other.name == place.name) {
            // It was left, gone back to and left again, before anything was removed.
            Some(other) => other.local_references.extend(place.local_references),
            None => former.push(place),
        }
    }
    for place in &mut former {
        place.local_references.sort();
        place.local_references.dedup();
    }
    former
}

/// Every engine on which something of a resource may be: the one where it is, the one where it should be, and those where
/// it was.
pub fn places(app: &ContainerApp) -> Vec<FormerEngine> {
    let status = app.status.clone().unwrap_or_default();
    let asked = FormerEngine { name: app.spec.engine.clone(), id: String::new(), local_references: Vec::new() };
    let here = status.engine.as_ref().map(|engine| as_former(engine, &status.local_references));
    let mut places: Vec<FormerEngine> = Vec::new();
    for place in here.into_iter().chain([asked]).chain(status.former_engines) {
        if !places.iter().any(|other| other.name == place.name) {
            places.push(place);
        }
    }
    places
}

/// The status of a resource of which nothing is left on the engine of this name.
pub fn without(status: &ContainerAppStatus, engine: &str) -> ContainerAppStatus {
    let mut status = status.clone();
    status.former_engines.retain(|former| former.name != engine);
    status
}

fn as_former(engine: &EngineReference, references: &[String]) -> FormerEngine {
    FormerEngine { name: engine.name.clone(), id: engine.id.clone(), local_references: references.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(engine: &str, former: &[&str], reference: &str) -> ContainerAppStatus {
        let former = former.iter().map(|name| FormerEngine {
            name: (*name).to_owned(),
            id: String::new(),
            local_references: vec![format!("{name}:1")],
        });
        ContainerAppStatus {
            engine: Some(EngineReference { name: engine.to_owned(), id: String::new() }),
            former_engines: former.collect(),
            local_references: vec![reference.to_owned()],
            ..ContainerAppStatus::default()
        }
    }

    fn told(former: &[FormerEngine]) -> Vec<String> {
        former.iter().map(|place| format!("{} {}", place.name, place.local_references.join(","))).collect()
    }

    #[test]
    fn an_engine_that_is_left_is_remembered_with_what_was_made_there() {
        assert_eq!(told(&former_engines(&on("a", &[], "web:1"), "b")), ["a web:1"]);
        assert_eq!(told(&former_engines(&on("a", &[], "web:1"), "a")), [""; 0]);
    }

    #[test]
    fn two_moves_in_a_row_forget_neither_engine() {
        assert_eq!(told(&former_engines(&on("b", &["a"], "web:1"), "c")), ["a a:1", "b web:1"]);
    }

    #[test]
    fn an_engine_that_is_gone_back_to_is_left_no_more() {
        assert_eq!(told(&former_engines(&on("b", &["a"], "web:1"), "a")), ["b web:1"]);
    }

    #[test]
    fn a_deletion_looks_wherever_something_may_be() {
        let spec = serde_json::from_value(serde_json::json!({"image": {"name": "a"}, "engine": "c"})).unwrap();
        let mut app = ContainerApp::new("web", spec);
        app.status = Some(on("b", &["a"], "web:1"));
        assert_eq!(told(&places(&app)), ["b web:1", "c ", "a a:1"]);
    }
}
