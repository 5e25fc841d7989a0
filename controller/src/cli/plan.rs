//! `longshore plan`: what `up` would do, and why, without doing it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::failure::Failure;
use super::options::{OutsideOptions, ProjectOptions};
use super::session::{Removal, Session};
use super::{name_of, output};
use crate::app::Action;
use crate::app::{Block, Owner, Plan, Step};
use crate::reconcile::NoReporter;

/// The exit code that says that there is something to do.
const SOMETHING_TO_DO: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  longshore plan -f app.yaml              each step that up would take, with its cause
  longshore plan --exit-code -f app.yaml  for scripts: 0 when nothing is to be done, 3 when something is";

/// Show what up would do, and why, without doing it
///
/// Nothing changes on the engine, in registries or in the state. Git repositories, archives and the digests of base
/// images are asked for, as up would.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PlanCommand {
    /// File or folder of resources, - for standard input; may be given several times
    #[arg(short, long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Exit with 3 when there is something to do or to wait for, with 0 when there is not
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    outside: OutsideOptions,
}

impl PlanCommand {
    /// Plans and prints. Nothing on any engine, in any registry or in the folder of state changes.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::open(&self.files, &self.project)?;
        let keys = session.resources.in_files();
        session.resources.look_at(&keys, Timestamp::now())?;
        let (reconciler, _wakes) = session.reconciler(&self.outside, Arc::new(NoReporter), Removal::OF_NONE)?;
        let mut is_fulfilled = true;
        for key in &keys {
            let planned = reconciler.plan(key).await;
            let planned = planned.map_err(|error| Failure::Failed(format!("{}: {error}", name_of(key))))?;
            is_fulfilled &= planned.as_ref().is_ok_and(|plan| plan.steps.is_empty() && plan.blocks.is_empty());
            output::result(&told(&name_of(key), &planned))?;
        }
        let something_to_do = self.exit_code && !is_fulfilled;
        Ok(if something_to_do { ExitCode::from(SOMETHING_TO_DO) } else { ExitCode::SUCCESS })
    }
}

fn told(name: &str, planned: &Result<Plan, Block>) -> String {
    let (steps, blocks) = match planned {
        Ok(plan) => (plan.steps.as_slice(), plan.blocks.as_slice()),
        Err(block) => (&[][..], std::slice::from_ref(block)),
    };
    if steps.is_empty() && blocks.is_empty() {
        return format!("{name}: nothing to do");
    }
    let steps = steps.iter().map(|step| format!("\n  {}", sentence(step)));
    let blocks = blocks.iter().map(|block| format!("\n  waits: {} ({})", block.message, block.reason));
    format!("{name}:{}", steps.chain(blocks).collect::<String>())
}

fn sentence(step: &Step) -> String {
    let what = match &step.action {
        // The private tag's own name tells a person nothing.
        Action::TagImage { reference, .. } if Owner::is_private(reference) => "keep the image".to_owned(),
        action => action.to_string(),
    };
    format!("{what}, because {}", step.cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Part, Reason};

    #[test]
    fn what_is_as_it_should_be_has_nothing_to_do() {
        assert_eq!(told("web", &Ok(Plan::default())), "web: nothing to do");
    }

    #[test]
    fn steps_are_told_with_their_causes_and_then_what_is_waited_for() {
        let reference = "hello-world".parse().unwrap();
        let plan = Plan {
            steps: vec![Step {
                action: Action::PullImage { reference, platform: None },
                cause: "the engine does not hold it".to_owned(),
            }],
            blocks: vec![Block::waiting(Part::Container, Reason::PortConflict, "port 4000 is another's")],
            ..Plan::default()
        };
        assert_eq!(
            told("web", &Ok(plan)),
            "web:\n  pull image hello-world:latest, because the engine does not hold it\n  waits: port 4000 is \
             another's (PortConflict)"
        );
    }
}
