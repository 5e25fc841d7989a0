//! `longshore history`: the revisions of an app, and what has changed from one to the next.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use longshore_crds::{ContainerAppRevision, RevisionOutcome};

use super::failure::Failure;
use super::options::{EVERY_PROJECT, ProjectOptions};
use super::output;
use super::recorded::recorded;
use super::session::Session;
use crate::app::{changes, labels};

const EXAMPLES: &str = "\
Examples:
  longshore history my-app                    what was built, when, and what had changed
  longshore history my-app --project shop     of the project shop only
  longshore logs --build my-app               what the newest build printed
  longshore logs --build my-app --revision 2  what the build of revision 2 printed";

/// List the revisions of an app: what was built or pulled, when, and what had changed
///
/// CHANGED tells what differs from the revision above it. INPUTS is the beginning of the hash of everything that went
/// into a build: the same inputs are not built again. A failed build has a row too.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("project", |project| project.help(EVERY_PROJECT)))]
pub struct HistoryCommand {
    /// The app, NAME or NAMESPACE/NAME
    #[arg(value_name = "NAME")]
    name: String,

    /// File or folder of resources that name the project; default: every project that is remembered
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    project: ProjectOptions,
}

impl HistoryCommand {
    /// Lists and prints. No engine is asked.
    pub fn run(&self) -> Result<(), Failure> {
        let session = Session::open(&self.files, &self.project)?;
        let revisions = recorded(&session, &self.project, &self.files, &self.name)?;
        let headings = ["REVISION", "OUTCOME", "IMAGE", "INPUTS", "CREATED", "DURATION", "CHANGED"];
        Ok(output::result(&output::table(&headings, rows(&revisions, Timestamp::now())))?)
    }
}

/// The newest last, as a log reads.
fn rows(revisions: &[ContainerAppRevision], now: Timestamp) -> Vec<Vec<String>> {
    let before = std::iter::once(None).chain(revisions.iter().map(Some));
    revisions.iter().zip(before).map(|(revision, before)| row(revision, before, now)).collect()
}

fn row(revision: &ContainerAppRevision, before: Option<&ContainerAppRevision>, now: Timestamp) -> Vec<String> {
    let status = revision.status.as_ref();
    let outcome = match status.map(|status| status.outcome) {
        Some(RevisionOutcome::Succeeded) => "Succeeded",
        Some(RevisionOutcome::Failed) => "Failed",
        None => "",
    };
    let inputs = revision.metadata.labels.iter().find_map(|all| all.get(labels::INPUTS).cloned());
    let created = revision.metadata.creation_timestamp.as_ref();
    let began = status.and_then(|status| status.started_at.as_ref());
    let ended = status.and_then(|status| status.finished_at.as_ref());
    let duration = began.zip(ended).and_then(|(from, to)| to.0.duration_since(from.0).try_into().ok());
    vec![
        revision.spec.revision.to_string(),
        outcome.to_owned(),
        revision.spec.image.clone(),
        inputs.unwrap_or_default(),
        created.map(|then| format!("{} ago", output::age(then.0, now))).unwrap_or_default(),
        duration.map(output::took).unwrap_or_default(),
        before.map(|before| changes(&before.spec, &revision.spec).join(", ")).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn revision(number: i64, outcome: &str, files: &Value) -> ContainerAppRevision {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "ContainerAppRevision",
            "metadata": {
                "name": format!("my-app-{number}"),
                "labels": {"longshore.dev/inputs": format!("v1-{number}")},
                "creationTimestamp": "2026-11-01T12:00:00Z",
            },
            "spec": {
                "app": "my-app", "revision": number, "image": "node-app:0.1", "inputHash": format!("v1-{number}-long"),
                "inputs": {"dockerfile": "Dockerfile", "files": files},
            },
            "status": {
                "outcome": outcome, "startedAt": "2026-11-01T11:59:57Z", "finishedAt": "2026-11-01T12:00:00Z",
            },
        }))
        .unwrap()
    }

    #[test]
    fn each_revision_is_told_with_what_has_changed_since_the_one_before_it() {
        let revisions = [
            revision(1, "Succeeded", &json!({"app.js": "1", "Dockerfile": "1"})),
            revision(2, "Failed", &json!({"app.js": "2", "Dockerfile": "1"})),
        ];
        let rows = rows(&revisions, "2026-11-01T12:03:00Z".parse().unwrap());
        assert_eq!(rows[0], ["1", "Succeeded", "node-app:0.1", "v1-1", "3m ago", "3.0s", ""]);
        assert_eq!(rows[1], ["2", "Failed", "node-app:0.1", "v1-2", "3m ago", "3.0s", "context: app.js changed"]);
    }
}
