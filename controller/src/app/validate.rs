//! From the raw resource to types that cannot hold a wrong value. Nothing after this can fail on a malformed spec.

use std::collections::BTreeMap;
use std::time::Duration;

use longshore_crds::{ContainerApp, ContainerAppSpec, Image, Push, Run, Strategy};

use super::run::{check_mounts, environment, expand, wanted_ports};
use super::validate_build::build_spec;
use super::{
    Block, Bounds, ContainerSpec, ContextInputs, Desired, Destination, HealthCheck, ImageReference, ImageSource,
    Inputs, Mount, Naming, OneShot, Owner, Part, Pull, PushRules, Reason, Repository, Rollout, RunSpec, Security,
    labels, probe,
};

const DEFAULT_TAG: &str = "latest";

/// How many superseded images a destination keeps at most.
const MOST_KEPT: usize = 100;

/// What the resource asks for, or the one sentence that says which field cannot be so.
///
/// A part whose inputs could not be had (a Secret that is not there yet) is not an error: it is a part that is
/// blocked, and the other parts go on.
pub fn validate(app: &ContainerApp, inputs: &Inputs) -> Result<Desired, Block> {
    let owner = owner_of(app, inputs);
    if let Some(refusal) = inputs.policy.refuses_namespace(&owner.namespace) {
        return Err(Block::terminal(Part::Container, Reason::PolicyRefused, refusal));
    }
    let spec = &app.spec;
    let (repository, references) = image_references(&spec.image)?;
    let image = references[0].clone();
    let source = image_source(&spec.image, inputs)?;
    Ok(Desired {
        tags: if spec.image.build.is_some() { references } else { Vec::new() },
        destinations: destinations(&spec.push, &spec.image, inputs)?,
        run: spec.run.as_ref().map(|run| run_spec(run, &spec.image, &owner, inputs)).transpose()?,
        revision_history_limit: usize::try_from(spec.revision_history_limit).unwrap_or(0),
        rollback_to: spec.rollback_to,
        progress_deadline: seconds(i64::from(spec.progress_deadline_seconds)),
        generation: app.metadata.generation.unwrap_or(0),
        engine: spec.engine.clone(),
        source_trouble: source_trouble(inputs),
        repository,
        owner,
        image,
        source,
    })
}

/// The owner of what is made for this resource.
pub fn owner_of(app: &ContainerApp, inputs: &Inputs) -> Owner {
    Owner {
        instance: inputs.instance.clone(),
        uid: app.metadata.uid.clone().unwrap_or_default(),
        namespace: app.metadata.namespace.clone().unwrap_or_default(),
        name: app.metadata.name.clone().unwrap_or_default(),
    }
}

pub(super) fn invalid(part: Part, field: &str, message: impl std::fmt::Display) -> Block {
    Block::terminal(part, Reason::InvalidSpec, format!("{field}: {message}"))
}

/// The repository of the image and the references that it gets there, or by which it is pulled.
pub(super) fn image_references(image: &Image) -> Result<(Repository, Vec<ImageReference>), Block> {
    let repository: Repository = image.name.parse().map_err(|error| invalid(Part::Image, "spec.image.name", error))?;
    if let Some(digest) = &image.digest {
        refuse_beside_a_digest(image)?;
        let digest = digest.parse().map_err(|error| invalid(Part::Image, "spec.image.digest", error))?;
        let pinned = repository.pinned(&digest);
        return Ok((repository, vec![pinned]));
    }
    let references =
        tagged(&repository, &image.tags).map_err(|error| invalid(Part::Image, "spec.image.tags", error))?;
    Ok((repository, references))
}

fn refuse_beside_a_digest(image: &Image) -> Result<(), Block> {
    let what = match (&image.build, image.tags.is_empty()) {
        (Some(_), _) => "is for an image that is pulled; leave it out, or the build section",
        (None, false) => "names the image already; leave it out, or spec.image.tags",
        (None, true) => return Ok(()),
    };
    Err(invalid(Part::Image, "spec.image.digest", what))
}

fn tagged(repository: &Repository, tags: &[String]) -> Result<Vec<ImageReference>, super::ReferenceError> {
    if tags.is_empty() {
        return Ok(vec![repository.tagged(DEFAULT_TAG)?]);
    }
    tags.iter().map(|tag| repository.tagged(tag)).collect()
}

/// Where the image comes from. What is written wrongly in the `build` section is told also while its context cannot be
/// had.
fn image_source(image: &Image, inputs: &Inputs) -> Result<Result<ImageSource, Block>, Block> {
    let (Some(build), Some(context)) = (&image.build, &inputs.context) else {
        let pull = pull(image)?;
        return Ok(inputs.pull_credentials.clone().map(|credentials| ImageSource::Pull(Pull { credentials, ..pull })));
    };
    Ok(match context {
        Ok(context) => Ok(ImageSource::Build(Box::new(build_spec(build, context.clone(), inputs)?))),
        Err(block) => {
            build_spec(build, ContextInputs::empty(), inputs)?;
            Err(block.clone())
        }
    })
}

fn pull(image: &Image) -> Result<Pull, Block> {
    let interval = super::validate_build::duration(image.interval.as_deref(), Pull::default().interval)
        .map_err(|message| invalid(Part::Image, "spec.image.interval", message))?;
    Ok(Pull {
        policy: image.pull_policy.unwrap_or_default(),
        interval,
        digest: image.digest.as_ref().and_then(|digest| digest.parse().ok()),
        platform: image.platform.clone(),
        credentials: None,
    })
}

fn source_trouble(inputs: &Inputs) -> Option<Block> {
    inputs.context.as_ref()?.as_ref().ok()?.trouble.clone()
}

/// Every reference in a registry that must hold the image.
pub(super) fn destination_references(spec: &ContainerAppSpec) -> Result<Vec<ImageReference>, Block> {
    let entries = spec.push.iter().enumerate();
    let references = entries.map(|(index, entry)| references_of(index, entry, &spec.image));
    Ok(references.collect::<Result<Vec<_>, _>>()?.concat())
}

fn references_of(index: usize, entry: &Push, image: &Image) -> Result<Vec<ImageReference>, Block> {
    let repository: Repository =
        entry.to.parse().map_err(|error| invalid(Part::Push, &format!("spec.push[{index}].to"), error))?;
    if entry.tags.is_empty() && image.digest.is_some() {
        let message = "are missing: an image that is named by its digest has no tag of its own";
        return Err(invalid(Part::Push, &format!("spec.push[{index}].tags"), message));
    }
    let tags = if entry.tags.is_empty() { &image.tags } else { &entry.tags };
    tagged(&repository, tags).map_err(|error| invalid(Part::Push, &format!("spec.push[{index}].tags"), error))
}

fn destinations(push: &[Push], image: &Image, inputs: &Inputs) -> Result<Vec<Destination>, Block> {
    let mut destinations = Vec::new();
    for (index, entry) in push.iter().enumerate() {
        let references = references_of(index, entry, image)?;
        let credentials = inputs.push_credentials.get(index).cloned().unwrap_or(Ok(None));
        let interval = super::validate_build::duration(entry.interval.as_deref(), PushRules::default().interval)
            .map_err(|message| invalid(Part::Push, &format!("spec.push[{index}].interval"), message))?;
        let keep = entry.keep.map(|keep| kept(index, keep)).transpose()?;
        let rules = PushRules { interval, drift: entry.drift, immutable_tags: entry.immutable_tags, keep };
        destinations.extend(references.into_iter().map(|reference| Destination {
            reference,
            credentials: credentials.clone(),
            rules: rules.clone(),
        }));
    }
    Ok(destinations)
}

fn kept(index: usize, keep: i32) -> Result<usize, Block> {
    let number = usize::try_from(keep).ok().filter(|keep| *keep <= MOST_KEPT);
    number.ok_or_else(|| {
        let message = format!("{keep} is not a number of images; write one from 0 to {MOST_KEPT}");
        invalid(Part::Push, &format!("spec.push[{index}].keep"), message)
    })
}

fn run_spec(run: &Run, image: &Image, owner: &Owner, inputs: &Inputs) -> Result<RunSpec, Block> {
    let ports = wanted_ports(&run.ports, &inputs.policy)?;
    let one_shot = OneShot::of(run)?;
    // What is written wrongly is told also while something that it refers to cannot be had.
    let static_part = ContainerSpec {
        ports,
        working_dir: run.working_dir.clone(),
        platform: image.platform.clone(),
        restart_policy: run.restart_policy,
        retries: one_shot.tries_by_the_engine(run.restart_policy),
        grace_period: seconds(run.termination_grace_period_seconds),
        stop_signal: run.lifecycle.as_ref().and_then(|lifecycle| lifecycle.stop_signal),
        labels: container_labels(run)?,
        naming: Naming::of(run)?,
        security: Security::of(run)?,
        bounds: Bounds::of(run)?,
        health_check: HealthCheck::of(run.readiness_probe.as_ref(), run.liveness_probe.as_ref()),
        ..ContainerSpec::default()
    };
    check_mounts(run)?;
    refuse_two_health_checks(run)?;
    refuse_two_listeners(run)?;
    refuse_two_writers(run)?;
    Ok(RunSpec {
        name: run.container_name.clone().unwrap_or_else(|| default_container_name(owner)),
        is_stopped: run.stopped,
        rollout: Rollout::of(run),
        one_shot,
        container: with_references(static_part, run, inputs, owner),
    })
}

/// The spec with what comes from Secrets and ConfigMaps.
fn with_references(spec: ContainerSpec, run: &Run, inputs: &Inputs, owner: &Owner) -> Result<ContainerSpec, Block> {
    let environment = environment(&run.env_from, &run.env, &inputs.referred, &owner.namespace)?;
    let expanded = |words: &[String]| words.iter().map(|word| expand(word, |name| environment.value(name))).collect();
    Ok(ContainerSpec {
        command: expanded(&run.command),
        args: expanded(&run.args),
        mounts: Mount::of(run, &inputs.referred, owner)?,
        env: environment.values,
        env_origins: environment.origins,
        ..spec
    })
}

fn container_labels(run: &Run) -> Result<BTreeMap<String, String>, Block> {
    if let Some(name) = run.labels.keys().find(|name| name.starts_with(labels::PREFIX)) {
        let message = format!("{name} begins with {}, which only Longshore writes", labels::PREFIX);
        return Err(invalid(Part::Container, "spec.run.labels", message));
    }
    Ok(run.labels.clone())
}

fn refuse_two_listeners(run: &Run) -> Result<(), Block> {
    match (run.strategy, run.ports.iter().find(|port| port.host_port != 0)) {
        (Strategy::Overlap, Some(port)) => {
            let message = format!(
                "with Overlap two containers run at the same time, and cannot both publish the hostPort {}: use Recreate, \
                 or leave hostPort out, and the engine chooses",
                port.host_port
            );
            Err(invalid(Part::Container, "spec.run.strategy", message))
        }
        _ => Ok(()),
    }
}

fn refuse_two_writers(run: &Run) -> Result<(), Block> {
    let is_written =
        |name: &str| run.volume_mounts.iter().any(|mount| mount.name == name && mount.read_only != Some(true));
    let written = run.volumes.iter().find(|volume| {
        let claim = volume.persistent_volume_claim.as_ref();
        claim.is_some_and(|claim| claim.read_only != Some(true)) && is_written(&volume.name)
    });
    match (run.strategy, written) {
        (Strategy::Overlap, Some(volume)) => {
            let message = format!(
                "with Overlap two containers run at the same time, and both would write to the volume {}: use Recreate, or \
                 mount it with readOnly: true",
                volume.name
            );
            Err(invalid(Part::Container, "spec.run.strategy", message))
        }
        _ => Ok(()),
    }
}

fn refuse_two_health_checks(run: &Run) -> Result<(), Block> {
    match (&run.readiness_probe, &run.liveness_probe) {
        (Some(readiness), Some(liveness)) => match probe::contradiction(readiness, liveness) {
            Some(message) => Err(invalid(Part::Container, "spec.run.livenessProbe", message)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn default_container_name(owner: &Owner) -> String {
    match owner.namespace.as_str() {
        "default" | "" => owner.name.clone(),
        namespace => format!("{namespace}.{}", owner.name),
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
