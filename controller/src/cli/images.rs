//! `longshore images`: the images that apps keep.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::failure::Failure;
use super::found::{self, Whose};
use super::options::{EVERY_PROJECT, ProjectOptions};
use super::output;
use super::session::Session;
use crate::app::{Container, Image, labels};
use crate::engine::Engine;

/// What stands where an image has no public name.
const NONE: &str = "<none>";

/// List the images that apps keep
#[derive(Clone, Debug, Args)]
#[command(mut_arg("project", |project| project.help(EVERY_PROJECT)))]
pub struct ImagesCommand {
    /// File or folder of resources that name the project and its engines; default: every project on the engine
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    project: ProjectOptions,
}

impl ImagesCommand {
    /// Lists and prints.
    pub async fn run(self) -> Result<(), Failure> {
        let session = Session::open(&self.files, &self.project)?;
        let whose = super::whose(&session, &self.project, &self.files);
        let remembered = remembered_names(&session)?;
        let mut rows = Vec::new();
        for engine in session.engines().await? {
            rows.extend(rows_of(engine.as_ref(), &whose, &remembered, Timestamp::now()).await?);
        }
        rows.sort();
        let headings = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "APPS"];
        Ok(output::result(&output::table(&headings, rows))?)
    }
}

/// The names of the project's apps by their UIDs: an image tells its keeper's UID only.
fn remembered_names(session: &Session) -> Result<BTreeMap<String, String>, Failure> {
    let keys = session.resources.in_files().into_iter().chain(session.resources.left_behind()?);
    Ok(keys.map(|key| (session.project().uid_of(&key), super::name_of(&key))).collect())
}

async fn rows_of(
    engine: &dyn Engine,
    whose: &Whose,
    remembered: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Vec<Vec<String>>, Failure> {
    let containers = engine.list_containers().await?;
    let mut names = remembered.clone();
    names.extend(names_by_uid(&containers));
    let images = engine.list_images().await?;
    Ok(images.iter().flat_map(|image| rows_of_image(image, whose, &names, now)).collect())
}

/// The containers of other projects tell their apps' names.
fn names_by_uid(containers: &[Container]) -> impl Iterator<Item = (String, String)> {
    containers
        .iter()
        .filter_map(|container| Some((container.labels.get(labels::OWNER_UID)?.clone(), found::app_of(container)?)))
}

/// One row for each public name, none for an image that is not kept by any of these apps.
fn rows_of_image(image: &Image, whose: &Whose, names: &BTreeMap<String, String>, now: Timestamp) -> Vec<Vec<String>> {
    let keepers: BTreeSet<&str> =
        image.references.iter().filter_map(|reference| whose.keeper(reference)).map(|(_, uid)| uid).collect();
    if keepers.is_empty() {
        return Vec::new();
    }
    let apps: Vec<String> =
        keepers.into_iter().map(|uid| names.get(uid).cloned().unwrap_or_else(|| NONE.to_owned())).collect();
    let created = image.created_at.map(|then| format!("{} ago", output::age(then, now)));
    let facts = [
        image.id.short().to_owned(),
        created.unwrap_or_default(),
        output::size(u64::try_from(image.size).unwrap_or(0)),
        apps.join(", "),
    ];
    let row = |repository: String, tag: &str| [repository, tag.to_owned()].into_iter().chain(facts.clone()).collect();
    let references = found::public_references(image);
    if references.is_empty() {
        return vec![row(NONE.to_owned(), NONE)];
    }
    references.iter().map(|reference| row(reference.repository().familiar(), reference.version())).collect()
}
