//! `longshore down`: removes what `up` has made, and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::drive::{End, Enough, drive};
use super::failure::Failure;
use super::options::{OutsideOptions, ProjectOptions};
use super::session::{Removal, Session};
use super::up::duration;
use super::{found, is_called, name_of, output, progress};
use crate::reconcile::AppKey;
use crate::standalone::{Images, Leaving, Runner, Standing};

/// Stop and remove the containers of apps, with --images their images, and with --volumes their volumes
#[derive(Clone, Debug, Args)]
pub struct DownCommand {
    /// The apps, NAME or NAMESPACE/NAME; default: those of the files
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<String>,

    /// Every app of the project, those that no file speaks of any more included
    #[arg(long)]
    all: bool,

    /// The images too
    #[arg(long)]
    images: bool,

    /// The volumes of claims too, with everything in them, which cannot be had back
    #[arg(long)]
    volumes: bool,

    /// File or folder of resources, - for standard input; may be given several times
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How long to wait at most, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    timeout: Duration,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    outside: OutsideOptions,
}

impl DownCommand {
    /// Runs until everything that was meant is gone.
    pub async fn run(self) -> Result<(), Failure> {
        if self.names.is_empty() && self.files.is_empty() && !self.all {
            return Err(Failure::BadInput(
                "nothing says what is to be removed; name the apps, or give their files with -f, or --all for every \
                 app of the project"
                    .to_owned(),
            ));
        }
        let session = Session::open(&self.files, &self.project)?;
        let leaving = self.chosen(&session).await?;
        if leaving.is_empty() {
            let project = session.project().name();
            output::note(&format!("there is nothing of the project {project}; --project names another one"));
            return Ok(());
        }
        self.remove(&session, &leaving).await
    }

    async fn chosen(&self, session: &Session) -> Result<Vec<Leaving>, Failure> {
        let project = session.project();
        let of_key = |key: AppKey| Leaving { uid: project.uid_of(&key), key };
        let in_files: Vec<Leaving> = session.resources.in_files().into_iter().map(of_key).collect();
        if self.names.is_empty() && !self.all {
            return Ok(in_files);
        }
        let left_behind = session.resources.left_behind()?.into_iter().map(of_key);
        let mut known: BTreeMap<String, Leaving> = BTreeMap::new();
        for leaving in in_files.into_iter().chain(left_behind).chain(on_engines(session).await?) {
            known.entry(leaving.uid.clone()).or_insert(leaving);
        }
        let known = known.into_values().collect();
        if self.all { Ok(known) } else { self.named(known, project.name()) }
    }

    fn named(&self, known: Vec<Leaving>, project: &str) -> Result<Vec<Leaving>, Failure> {
        let unknown = self.names.iter().find(|name| !known.iter().any(|leaving| is_called(&leaving.key, name)));
        if let Some(unknown) = unknown {
            let names: Vec<String> = known.iter().map(|leaving| name_of(&leaving.key)).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Failure::BadInput(format!(
                "\"{unknown}\" is not an app of the project {project}; its apps are: {names}"
            )));
        }
        let is_meant = |leaving: &Leaving| self.names.iter().any(|name| is_called(&leaving.key, name));
        Ok(known.into_iter().filter(is_meant).collect())
    }

    async fn remove(&self, session: &Session, leaving: &[Leaving]) -> Result<(), Failure> {
        let images = if self.images { Images::Go } else { Images::Stay };
        let now = Timestamp::now();
        for leaving in leaving {
            session.resources.take_away(leaving, images, now)?;
        }
        let keys: Vec<AppKey> = leaving.iter().map(|leaving| leaving.key.clone()).collect();
        let reporter = progress::reporter(&keys);
        let reconciler =
            session.reconciler(&self.outside, Arc::clone(&reporter) as _, Removal { images, volumes: self.volumes })?;
        let enough = Enough {
            is_settled: Box::new(|key| {
                let app = session.resources.current(key);
                app.is_none_or(|app| matches!(Standing::of(&app), Standing::Stalled(_)))
            }),
            timeout: Some(self.timeout),
        };
        let drive = drive(reconciler, &keys, Runner::DEFAULT_CONCURRENCY, enough).await?;
        reporter.finish();
        conclude(session, &keys, drive.end)
    }
}

async fn on_engines(session: &Session) -> Result<Vec<Leaving>, Failure> {
    let mut leaving = Vec::new();
    for engine in session.engines().await? {
        let (containers, images) = (engine.list_containers().await?, engine.list_images().await?);
        leaving.extend(found::leaving(session.project().instance(), &containers, &images));
    }
    Ok(leaving)
}

fn conclude(session: &Session, keys: &[AppKey], end: End) -> Result<(), Failure> {
    let mut is_well = true;
    for key in keys {
        let name = name_of(key);
        let line = match session.resources.current(key).map(|app| Standing::of(&app)) {
            None => format!("{name} removed"),
            Some(Standing::Working(message) | Standing::Stalled(message)) if !message.is_empty() => {
                format!("{name} not removed: {message}")
            }
            Some(_) if end == End::Interrupted => format!("{name} not removed: interrupted"),
            Some(_) => format!("{name} not removed in time; try again, or wait longer with --timeout"),
        };
        is_well &= session.resources.current(key).is_none();
        output::result(&line)?;
    }
    if is_well { Ok(()) } else { Err(Failure::Told) }
}
