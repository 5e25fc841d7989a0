//! The records of an app's revisions, as the folder of state holds them.

use std::path::PathBuf;

use longshore_crds::ContainerAppRevision;

use super::failure::Failure;
use super::is_called;
use super::options::ProjectOptions;
use super::session::Session;
use crate::reconcile::AppKey;
use crate::standalone::StateFolder;

/// The revisions of the app of this name, the oldest first; never none. It is looked for in the project that is named
/// or meant by files, and else in every one.
pub fn recorded(
    session: &Session,
    options: &ProjectOptions,
    files: &[PathBuf],
    name: &str,
) -> Result<Vec<ContainerAppRevision>, Failure> {
    let base = options.state_dir.as_deref();
    let folders = if options.project.is_some() || !files.is_empty() {
        let project = session.project().name();
        vec![(project.to_owned(), StateFolder::of_project(project, base)?)]
    } else {
        StateFolder::of_every_project(base)?
    };
    let mut found: Vec<(String, StateFolder, AppKey)> = Vec::new();
    for (project, folder) in folders {
        let called_so = folder.with_revisions()?.into_iter().filter(|key| is_called(key, name));
        found.extend(called_so.map(|key| (project.clone(), folder.clone(), key)));
    }
    match found.as_slice() {
        [] => Err(Failure::Failed(format!(
            "nothing is recorded of an app \"{name}\"; a revision is recorded when up has built or pulled its image"
        ))),
        [(_, folder, key)] => {
            let mut revisions = folder.revisions(key)?;
            revisions.sort_by_key(|revision| revision.spec.revision);
            Ok(revisions)
        }
        several => {
            let places: Vec<String> =
                several.iter().map(|(project, _, key)| format!("{key} of the project {project}")).collect();
            Err(Failure::BadInput(format!(
                "\"{name}\" is several apps: {}; choose one with --project, or as NAMESPACE/NAME",
                places.join(", ")
            )))
        }
    }
}

/// The log of the build of this revision, or of the newest one.
pub fn build_log(revisions: &[ContainerAppRevision], name: &str, number: Option<i64>) -> Result<String, Failure> {
    let wanted = match number {
        Some(number) => revisions.iter().find(|revision| revision.spec.revision == number),
        None => revisions.last(),
    };
    let Some(revision) = wanted else {
        let numbers: Vec<String> = revisions.iter().map(|revision| revision.spec.revision.to_string()).collect();
        return Err(Failure::BadInput(format!(
            "{name} has no revision {}; it has {}",
            number.unwrap_or_default(),
            numbers.join(", ")
        )));
    };
    let log = revision.status.as_ref().map(|status| status.log.clone()).unwrap_or_default();
    if !log.is_empty() {
        return Ok(log);
    }
    let number = revision.spec.revision;
    Err(Failure::Failed(if revision.spec.input_hash.is_none() {
        format!("revision {number} of {name} has no log: its image was pulled, not built")
    } else {
        format!(
            "revision {number} of {name} has no log: its image was on the engine already, or the process that built it \
             ended before it could be recorded"
        )
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn revision(number: i64, log: &str) -> ContainerAppRevision {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerAppRevision",
            "metadata": {"name": format!("web-{number}")},
            "spec": {"app": "web", "revision": number, "image": "web:1", "inputHash": "v1-1"},
            "status": {"outcome": "Succeeded", "log": log},
        }))
        .unwrap()
    }

    fn told(number: Option<i64>) -> String {
        let revisions = [revision(1, "one\n"), revision(2, ""), revision(4, "four\n")];
        build_log(&revisions, "web", number).unwrap_or_else(|failure| failure.to_string())
    }

    #[test]
    fn the_newest_log_is_told_unless_another_is_named() {
        assert_eq!(told(None), "four\n");
        assert_eq!(told(Some(1)), "one\n");
    }

    #[test]
    fn a_revision_that_is_not_there_is_answered_with_those_that_are() {
        assert_eq!(told(Some(3)), "web has no revision 3; it has 1, 2, 4");
    }

    #[test]
    fn why_there_is_no_log_is_told() {
        assert!(told(Some(2)).contains("was on the engine already"), "{}", told(Some(2)));
    }
}
