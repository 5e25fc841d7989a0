//! `longshore ps`: the containers of apps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::failure::Failure;
use super::found::{self, Whose};
use super::options::{EVERY_PROJECT, ProjectOptions};
use super::output;
use super::session::Session;
use crate::app::{Container, ContainerState, EngineImageId, Image, compact, labels};
use crate::engine::Engine;

/// List the containers of apps
#[derive(Clone, Debug, Args)]
#[command(mut_arg("project", |project| project.help(EVERY_PROJECT)))]
pub struct PsCommand {
    /// Those that have ended too
    #[arg(short, long)]
    all: bool,

    /// File or folder of resources that name the project and its engines; default: every project on the engine
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    project: ProjectOptions,
}

impl PsCommand {
    /// Lists and prints.
    pub async fn run(self) -> Result<(), Failure> {
        let session = Session::open(&self.files, &self.project)?;
        let whose = super::whose(&session, &self.project, &self.files);
        let mut rows = Vec::new();
        for engine in session.engines().await? {
            rows.extend(rows_of(engine.as_ref(), &whose, self.all, Timestamp::now()).await?);
        }
        rows.sort();
        let headings = ["NAME", "PROJECT", "CONTAINER", "IMAGE", "STATUS", "PORTS", "AGE"];
        Ok(output::result(&output::table(&headings, rows))?)
    }
}

async fn rows_of(engine: &dyn Engine, whose: &Whose, all: bool, now: Timestamp) -> Result<Vec<Vec<String>>, Failure> {
    let images = engine.list_images().await?;
    let names = image_names(&images);
    let mut rows = Vec::new();
    for container in engine.list_containers().await? {
        let is_listed = whose.includes(&container) && (all || is_up(container.state));
        if !is_listed {
            continue;
        }
        // Only an inspection tells how a container has ended.
        let inspected = if is_up(container.state) { None } else { engine.inspect_container(&container.id).await? };
        rows.push(row(&inspected.unwrap_or(container), &names, now));
    }
    Ok(rows)
}

fn is_up(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Restarting | ContainerState::Paused)
}

fn image_names(images: &[Image]) -> BTreeMap<&EngineImageId, String> {
    let name = |image: &Image| found::public_references(image).first().map(ToString::to_string);
    images.iter().filter_map(|image| Some((&image.id, name(image)?))).collect()
}

fn row(container: &Container, images: &BTreeMap<&EngineImageId, String>, now: Timestamp) -> Vec<String> {
    let image = images.get(&container.image).cloned().unwrap_or_else(|| container.image.short().to_owned());
    vec![
        found::app_of(container).unwrap_or_default(),
        container.labels.get(labels::INSTANCE).cloned().unwrap_or_default(),
        container.name.clone(),
        image,
        status(container, now),
        compact(&container.ports).join(", "),
        output::age(container.created_at, now),
    ]
}

/// `running`, `exited (0) 3m ago`.
fn status(container: &Container, now: Timestamp) -> String {
    match (&container.detail, container.state) {
        (Some(detail), ContainerState::Exited) => {
            let ago = detail.finished_at.map(|then| format!(" {} ago", output::age(then, now)));
            format!("exited ({}){}", detail.exit_code, ago.unwrap_or_default())
        }
        (_, state) => state.to_string(),
    }
}
