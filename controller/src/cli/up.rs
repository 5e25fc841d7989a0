//! `longshore up`: makes what the files ask for so, and keeps it so while it is attached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use longshore_crds::ContainerApp;

use super::drive::{Drive, End, Enough, drive};
use super::failure::Failure;
use super::options::{OutsideOptions, ProjectOptions};
use super::session::{Removal, Session};
use super::{name_of, output, progress};
use crate::reconcile::AppKey;
use crate::standalone::{Runner, Standing};

/// What to know of schedules when nobody is there to follow them.
const NOBODY_IS_THERE: &str = "A schedule needs somebody who follows it, and nothing starts its runs now: keep longshore up \
                               attached, without -d, or use the controller in a cluster.";

const EXAMPLES: &str = "\
Examples:
  longshore up -f app.yaml                    build and run it, and repair what breaks until Ctrl-C
  longshore up -d -f app.yaml                 return once it runs; nothing is repaired then
  longshore up -d --timeout 10m -f apps/      wait ten minutes at most, for every app of a folder
  longshore plan -f app.yaml                  what up would do, and why
  longshore down -f app.yaml                  remove the containers again";

/// Build, push and run what the files ask for, and keep it so
///
/// Attached, it repairs whatever differs, and builds anew when a folder that an image is built from is edited, until
/// Ctrl-C, which leaves the containers running. The files of -f themselves are read once: after an edit of these, run it
/// again. With -d it returns once everything is ready (exit code 0) or something will not get ready by itself (exit
/// code 1).
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UpCommand {
    /// File or folder of resources, - for standard input; may be given several times
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Return once everything is ready, or something will not get ready by itself
    #[arg(short, long)]
    detach: bool,

    /// With -d: how long to wait at most, such as 90s or 10m; default: without end
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "detach")]
    timeout: Option<Duration>,

    /// How many apps are worked on at once
    #[arg(long, value_name = "NUMBER", default_value_t = Runner::DEFAULT_CONCURRENCY)]
    concurrency: usize,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    outside: OutsideOptions,
}

impl UpCommand {
    /// Runs until everything is ready, or until it is interrupted.
    pub async fn run(self) -> Result<(), Failure> {
        let session = Session::open(&self.files, &self.project)?;
        let keys = session.resources.in_files();
        if keys.is_empty() {
            return Err(Failure::BadInput("the files hold no ContainerApp; there is nothing to bring up".to_owned()));
        }
        session.resources.take(&keys, Timestamp::now())?;
        let reporter = progress::reporter(&keys);
        let reconciler = session.reconciler(&self.outside, Arc::clone(&reporter) as _, Removal::OF_NONE)?;
        let app_of = |key: &AppKey| session.resources.current(key);
        let detach = self.detach;
        let is_settled = move |key: &AppKey| {
            app_of(key).is_some_and(
                |app| {
                    if detach { Standing::of(&app).is_settled() } else { Standing::is_over(&app) }
                },
            )
        };
        let enough = Enough { is_settled: Box::new(is_settled), timeout: self.timeout };
        let begun = Instant::now();
        let drive = drive(reconciler, &keys, self.concurrency, enough).await?;
        reporter.finish();
        self.conclude(&session, &keys, &drive, begun.elapsed())
    }

    fn conclude(&self, session: &Session, keys: &[AppKey], drive: &Drive, took: Duration) -> Result<(), Failure> {
        let apps: Vec<(AppKey, ContainerApp)> =
            keys.iter().filter_map(|key| Some((key.clone(), session.resources.current(key)?))).collect();
        if drive.end == End::Interrupted && !self.detach {
            output::note(&self.farewell(session));
            return Ok(());
        }
        let rows = apps.iter().map(|(key, app)| {
            let took = drive.settled_after.get(key).copied().unwrap_or(took);
            summary(key, app, took)
        });
        output::result(&output::table(&["NAME", "STATE", "URL", "TIME"], rows.collect()))?;
        if self.detach && apps.iter().any(|(_, app)| Standing::comes_back(app)) {
            output::note(NOBODY_IS_THERE);
        }
        let is_well = |app: &ContainerApp| matches!(Standing::of(app), Standing::Ready(_) | Standing::Suspended);
        if apps.iter().all(|(_, app)| is_well(app)) { Ok(()) } else { Err(Failure::Told) }
    }

    /// What to know when the repairing has ended.
    fn farewell(&self, session: &Session) -> String {
        let files: Vec<String> = self.files.iter().map(|file| format!(" -f {}", file.display())).collect();
        let what = if self.files.iter().any(|file| file.as_os_str() == "-") {
            format!(" --all --project {}", session.project().name())
        } else {
            files.concat()
        };
        format!(
            "\nNothing is repaired any more; the containers go on running. To stop and remove them:\n  longshore down{what}"
        )
    }
}

fn summary(key: &AppKey, app: &ContainerApp, took: Duration) -> Vec<String> {
    let state = match Standing::of(app) {
        Standing::Ready(message) => format!("Ready: {message}"),
        Standing::Stalled(message) => format!("Stalled: {message}"),
        Standing::Working(message) if message.is_empty() => "not ready".to_owned(),
        Standing::Working(message) => format!("not ready: {message}"),
        Standing::Suspended => "suspended".to_owned(),
    };
    let container = app.status.as_ref().and_then(|status| status.container.as_ref());
    let is_running = container.is_some_and(|container| container.state == "running");
    let ports = container.filter(|_| is_running).map(|container| container.ports.as_slice()).unwrap_or_default();
    let urls: Vec<String> = ports.iter().filter_map(|port| url(port)).collect();
    vec![name_of(key), state, urls.join(" "), output::took(took)]
}

/// Where a published port answers, if it is TCP: `0.0.0.0:8080->80/tcp` is `http://localhost:8080`.
fn url(port: &str) -> Option<String> {
    let (host, _) = port.strip_suffix("/tcp")?.split_once("->")?;
    let (address, number) = host.rsplit_once(':')?;
    // A range is no address to open.
    let number: u16 = number.parse().ok()?;
    let address = if matches!(address, "0.0.0.0" | "[::]") { "localhost" } else { address };
    Some(format!("http://{address}:{number}"))
}

/// A duration as people write it: `90s`, `10m`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "write a time such as 90s, 10m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_port_is_told_as_its_address() {
        assert_eq!(url("0.0.0.0:4000->80/tcp").as_deref(), Some("http://localhost:4000"));
        assert_eq!(url("127.0.0.1:4000->80/tcp").as_deref(), Some("http://127.0.0.1:4000"));
        assert_eq!(url("[::1]:4000->80/tcp").as_deref(), Some("http://[::1]:4000"));
        assert_eq!(url("0.0.0.0:53->53/udp"), None);
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert!(duration("soon").is_err());
        assert!(duration("-5s").is_err());
    }
}
