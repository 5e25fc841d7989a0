//! What BuildKit tells of a build: a trace of vertexes, of which some are steps of the Dockerfile.
//!
//! A step's vertex is called `[2/4] WORKDIR /app`, with the stage's name before the number where there are several:
//! `[builder 2/3] RUN make`. Others, `[internal] load build context` or `exporting to image`, are BuildKit's own.
//! Instructions that change no files, such as `EXPOSE` and `CMD`, have no vertex and are not counted.

use std::collections::HashMap;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::{StatusResponse, Vertex, VertexWarning};

use super::super::outcome::{Broken, exit_code};
use super::super::tail::Output;
use crate::app::ImageReference;
use crate::engine::{BuildReport, Progress, ResolvedImage, StepDuration, StepState};

const METADATA_OF_BASE_IMAGE: &str = "[internal] load metadata for ";
/// What the vertex is called that looks for the image of a front end, or of the program that makes an SBOM.
const METADATA_OF_PROGRAM: &str = "resolve image config for ";

/// How many warnings are kept, and the longest of them in characters.
const MOST_WARNINGS: usize = 50;
const LONGEST_WARNING: usize = 500;
/// How many base images are kept.
const MOST_BASE_IMAGES: usize = 100;

/// What was understood of a trace so far.
#[derive(Debug, Default)]
pub(in super::super) struct BuildKitTrace {
    stages: Vec<Stage>,
    vertexes: HashMap<String, KnownVertex>,
    order: Vec<String>,
    warnings: Vec<String>,
    base_images: Vec<ResolvedImage>,
}

/// A stage of the Dockerfile. Its steps are numbered on from those of the stages before it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stage {
    name: String,
    steps: usize,
}

#[derive(Debug, Default)]
struct KnownVertex {
    name: String,
    step: Option<Step>,
    told: Option<StepState>,
    error: String,
    output: Output,
    is_transferring: bool,
}

/// A step, as the name of its vertex tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    stage: String,
    number: usize,
    total: usize,
    instruction: String,
}

impl BuildKitTrace {
    /// Takes a piece of the trace and gives what is new.
    pub(in super::super) fn read(&mut self, status: &StatusResponse) -> Vec<Progress> {
        // Which layers of a base image are on their way must be known before its step is called cached.
        for transfer in &status.statuses {
            if let Some(vertex) = self.vertexes.get_mut(&transfer.vertex) {
                vertex.is_transferring |= is_transfer(&transfer.id, &transfer.name);
            }
        }
        self.introduce_stages(&status.vertexes);
        let mut told = Vec::new();
        for vertex in &status.vertexes {
            told.extend(self.read_vertex(vertex));
            self.note_base_image(&vertex.name);
        }
        for warning in &status.warnings {
            self.note_warning(warning);
        }
        for log in &status.logs {
            let output = &mut self.vertexes.entry(log.vertex.clone()).or_default().output;
            told.extend(output.push(&log.msg).into_iter().map(|line| Progress::BuildLog { line }));
        }
        told
    }

    /// What was printed last without a line's end.
    pub(in super::super) fn finish(&mut self) -> Vec<Progress> {
        let vertexes = self.vertexes.values_mut();
        vertexes.filter_map(|vertex| vertex.output.finish()).map(|line| Progress::BuildLog { line }).collect()
    }

    /// How many steps there were, and how many came from the cache.
    pub(in super::super) fn report(&self) -> BuildReport {
        let steps = || self.vertexes.values().filter(|vertex| vertex.step.is_some());
        BuildReport {
            steps: steps().count(),
            cached_steps: steps().filter(|vertex| vertex.told == Some(StepState::Cached)).count(),
            warnings: self.warnings.clone(),
            base_images: self.base_images.clone(),
            durations: self.durations(),
            ..BuildReport::default()
        }
    }

    /// What each step took, in the order in which BuildKit named them.
    fn durations(&self) -> Vec<StepDuration> {
        let vertexes = self.order.iter().filter_map(|digest| self.vertexes.get(digest));
        let durations = vertexes.filter_map(|vertex| match (&vertex.step, vertex.told) {
            (Some(step), Some(StepState::Done { duration })) => {
                Some(StepDuration { step: step.instruction.clone(), duration })
            }
            _ => None,
        });
        durations.collect()
    }

    fn note_warning(&mut self, warning: &VertexWarning) {
        let text = String::from_utf8_lossy(&warning.short);
        let line = warning.ranges.first().and_then(|range| range.start.as_ref()).map(|start| start.line);
        let text: String = text.chars().take(LONGEST_WARNING).collect();
        // BuildKit's newer checks name the line themselves.
        let text = match line {
            Some(line) if !text.contains("(line ") => format!("{text} (line {line})"),
            _ => text,
        };
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// The name of a base image's vertex has the digest, where BuildKit asked a registry or the store for it.
    fn note_base_image(&mut self, vertex_name: &str) {
        let image = vertex_name.split_once("] FROM ").and_then(|(_, image)| image.split_whitespace().next());
        let reference = image.and_then(|image| image.parse::<ImageReference>().ok());
        let Some(digest) = reference.as_ref().and_then(ImageReference::digest) else {
            return;
        };
        let resolved = ResolvedImage { reference: familiar(image.unwrap_or_default()), digest: digest.to_string() };
        if self.base_images.len() < MOST_BASE_IMAGES && !self.base_images.contains(&resolved) {
            self.base_images.push(resolved);
        }
    }

    /// Where the build stood when it failed; what is a front end must be said, because BuildKit calls the look for one
    /// and for the program that makes an SBOM the same. A vertex that was only stopped because another failed says `canceled`.
    pub(in super::super) fn broken(&self, is_front_end: impl Fn(&str) -> bool) -> Broken {
        let failed = || {
            self.order
                .iter()
                .filter_map(|digest| self.vertexes.get(digest))
                .filter(|vertex| !vertex.error.is_empty() && !vertex.error.contains("context canceled"))
        };
        let Some(vertex) = failed()
            .find(|vertex| exit_code(&vertex.error).is_some())
            .or_else(|| failed().find(|vertex| vertex.step.is_some()))
            .or_else(|| failed().next())
        else {
            return Broken::default();
        };
        let step = vertex.step.as_ref().map(|step| step.instruction.clone());
        let named_by_metadata = vertex.name.strip_prefix(METADATA_OF_BASE_IMAGE).map(familiar);
        let named_by_step = step.as_deref().and_then(|step| step.strip_prefix("FROM ").map(str::to_owned));
        let program = vertex
            .name
            .strip_prefix(METADATA_OF_PROGRAM)
            .map(|image| familiar(image.strip_prefix("docker-image://").unwrap_or(image)));
        let is_front_end = program.as_deref().is_some_and(is_front_end);
        Broken {
            frontend: program.clone().filter(|_| is_front_end),
            generator: program.filter(|_| !is_front_end),
            base_image: named_by_metadata.or(named_by_step),
            cause: Some(vertex.error.clone()),
            log_tail: vertex.output.tail().to_owned(),
            step,
        }
    }

    fn read_vertex(&mut self, vertex: &Vertex) -> Option<Progress> {
        if !self.vertexes.contains_key(&vertex.digest) {
            self.order.push(vertex.digest.clone());
        }
        let known = self.vertexes.entry(vertex.digest.clone()).or_default();
        known.name.clone_from(&vertex.name);
        if !vertex.error.is_empty() {
            known.error.clone_from(&vertex.error);
        }
        if known.step.is_none() {
            known.step = Step::parse(&vertex.name);
        }
        let step = known.step.clone()?;
        let state = state(vertex, step.is_base_image() && !known.is_transferring);
        let is_new = state.is_some() && known.told != state;
        // Once it was done a step is not begun again: a vertex is told anew when another build shares it.
        let is_over = known.told.is_some_and(|told| told != StepState::Started);
        let (number, total) = self.place(&step);
        let state = state.filter(|_| is_new && !is_over)?;
        self.vertexes.entry(vertex.digest.clone()).or_default().told = Some(state);
        Some(Progress::BuildStep { number, total, name: step.instruction, state })
    }

    /// Gives the stages that are new their places. BuildKit names vertexes in any order; a stage that takes something
    /// from another stands behind it, as it must in the Dockerfile.
    fn introduce_stages(&mut self, vertexes: &[Vertex]) {
        let stage_of: HashMap<&str, Stage> = vertexes
            .iter()
            .filter_map(|vertex| Some((vertex.digest.as_str(), Step::parse(&vertex.name)?)))
            .map(|(digest, step)| (digest, Stage { name: step.stage, steps: step.total }))
            .collect();
        let mut waiting: Vec<&Stage> = Vec::new();
        for stage in vertexes.iter().filter_map(|vertex| stage_of.get(vertex.digest.as_str())) {
            if !self.stages.contains(stage) && !waiting.contains(&stage) {
                waiting.push(stage);
            }
        }
        let takes_from = |stage: &Stage, other: &Stage| {
            let is_in = |digest: &str, stage: &Stage| stage_of.get(digest) == Some(stage);
            let vertexes = vertexes.iter().filter(|vertex| is_in(&vertex.digest, stage));
            vertexes.flat_map(|vertex| &vertex.inputs).any(|input| is_in(input, other))
        };
        while !waiting.is_empty() {
            let is_next = |stage: &&Stage| waiting.iter().all(|other| stage == other || !takes_from(stage, other));
            let next = waiting.iter().position(is_next).unwrap_or_default();
            self.stages.push(waiting.remove(next).clone());
        }
    }

    /// The number of a step among those of all stages, and how many there are.
    fn place(&self, step: &Step) -> (usize, usize) {
        let before = self.stages.iter().take_while(|stage| stage.name != step.stage);
        let number = before.map(|stage| stage.steps).sum::<usize>() + step.number;
        (number, self.stages.iter().map(|stage| stage.steps).sum())
    }
}

/// Where a step is; `None` while it waits. A base image that nothing was fetched for was there already, which BuildKit
/// does not call cached.
fn state(vertex: &Vertex, is_base_image_that_was_there: bool) -> Option<StepState> {
    let started = vertex.started.as_ref()?;
    let Some(completed) = vertex.completed.as_ref() else {
        return Some(StepState::Started);
    };
    if !vertex.error.is_empty() {
        return Some(StepState::Failed);
    }
    if vertex.cached || is_base_image_that_was_there {
        return Some(StepState::Cached);
    }
    let nanoseconds =
        i128::from(completed.seconds - started.seconds) * 1_000_000_000 + i128::from(completed.nanos - started.nanos);
    let duration = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default());
    Some(StepState::Done { duration })
}

/// Whether a status of a vertex is that of a layer which is fetched or unpacked. `resolve …` alone is only a look.
fn is_transfer(id: &str, name: &str) -> bool {
    let is_layer = |text: &str| text.starts_with("sha256:") || text.starts_with("extracting ");
    is_layer(id) || is_layer(name)
}

impl Step {
    fn parse(name: &str) -> Option<Self> {
        let (place, instruction) = name.strip_prefix('[')?.split_once("] ")?;
        let (stage, numbers) = place.rsplit_once(' ').unwrap_or(("", place));
        let (number, total) = numbers.split_once('/')?;
        Some(Self {
            stage: stage.trim().to_owned(),
            number: number.parse().ok()?,
            total: total.parse().ok()?,
            instruction: as_written(instruction),
        })
    }

    fn is_base_image(&self) -> bool {
        self.instruction.starts_with("FROM ")
    }
}

/// The instruction as the Dockerfile has it: BuildKit writes a `FROM`'s image in full and with its digest.
fn as_written(instruction: &str) -> String {
    match instruction.strip_prefix("FROM ") {
        Some(image) => format!("FROM {}", familiar(image)),
        None => instruction.to_owned(),
    }
}

/// An image as people write it: `docker.io/library/node:6@sha256:…` is `node:6`.
fn familiar(image: &str) -> String {
    let tagged = image.split('@').next().unwrap_or(image);
    tagged.parse::<ImageReference>().map_or_else(|_| tagged.to_owned(), |reference| reference.to_string())
}
