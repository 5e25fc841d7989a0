//! How the engine in memory builds.

mod configuration;
mod failure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::api::Cancellation;
use super::context::{Context, Selection};
use super::dockerfile::{Dockerfile, Instruction, expand};
use super::images::{Images, Origin};
use super::program::{End, Program};
use super::{MemoryEngine, Operation};
use crate::app::{Credentials, Digest, ImageReference};
use crate::engine::{BuildReport, BuildRequest, EngineError, Progress, ProgressSink, StepState, frontend};
use crate::registry::memory::{MemoryImage, MemoryLayer, MemoryRegistry};

use failure::broken;

impl MemoryEngine {
    pub(super) async fn build(
        &self,
        request: BuildRequest,
        progress: &ProgressSink,
    ) -> Result<BuildReport, EngineError> {
        let subject = request.reference.to_string();
        self.enter(Operation::BuildImage, &subject).await?;
        frontend::check(&request)?;
        let mut cancellation = Cancellation::of(self, Operation::BuildImage, &subject);
        let context = Context::receive(Arc::clone(&request.context)).await;
        cancellation.rule_out();
        let context = context?;
        let inputs = Inputs { context, request: &request, registry: &self.registry };
        let (result, told) = self.build_from(&inputs);
        for progress_so_far in told {
            progress(progress_so_far);
        }
        result
    }

    /// The build, and what it has told on its way: no sink is called while the engine is locked.
    fn build_from(&self, inputs: &Inputs<'_>) -> (Result<BuildReport, EngineError>, Vec<Progress>) {
        let now = self.clock.now();
        let BuildRequest { labels, reference, shared_key, .. } = inputs.request;
        self.change(|state| {
            let sent = state.contexts.insert(shared_key.clone(), inputs.context.digests()).unwrap_or_default();
            let bytes_sent = inputs.context.bytes_beyond(&sent);
            let mut build = Build::new(inputs, &state.images, &mut state.build_cache, bytes_sent);
            let outcome = build.run();
            let (told, report) = (build.told, build.report);
            let result = outcome.and_then(|mut image| {
                image.labels.extend(labels.clone());
                let id = state.images.add(image, Origin::Build, now);
                state.images.tag(&id, reference)?;
                state.events.tell_of_tag(reference, &id);
                Ok(report)
            });
            (result, told)
        })
    }
}

/// What a build is made from.
struct Inputs<'a> {
    context: Context,
    request: &'a BuildRequest,
    registry: &'a MemoryRegistry,
}

/// A build under way.
struct Build<'a> {
    inputs: &'a Inputs<'a>,
    images: &'a Images,
    cache: &'a mut BTreeSet<Digest>,
    /// How many steps were begun.
    number: usize,
    report: BuildReport,
    told: Vec<Progress>,
}

/// A stage so far.
#[derive(Clone)]
struct Built {
    image: MemoryImage,
    /// The digest of everything that led here.
    key: Digest,
    variables: BTreeMap<String, String>,
    has_command: bool,
}

impl<'a> Build<'a> {
    fn new(inputs: &'a Inputs<'a>, images: &'a Images, cache: &'a mut BTreeSet<Digest>, bytes_sent: u64) -> Self {
        Self {
            inputs,
            images,
            cache,
            number: 0,
            report: BuildReport { bytes_sent, ..BuildReport::default() },
            told: vec![Progress::ContextSent { bytes: bytes_sent }],
        }
    }

    fn run(&mut self) -> Result<MemoryImage, EngineError> {
        let text = String::from_utf8_lossy(self.inputs.request.context.dockerfile().text());
        let dockerfile = Dockerfile::parse(&text).map_err(|cause| broken(&cause))?;
        let target = dockerfile.target(self.inputs.request.target.as_deref()).map_err(|cause| broken(&cause))?;
        let arguments = self.arguments(&dockerfile.arguments);
        let needed = dockerfile.needed_for(target);
        self.report.steps = needed.iter().map(|stage| steps_of(&dockerfile, *stage, &arguments)).sum();
        let mut built: BTreeMap<usize, Built> = BTreeMap::new();
        for stage in needed {
            let done = self.stage(&dockerfile, stage, &arguments, &built)?;
            built.insert(stage, done);
        }
        built.remove(&target).map(|built| built.image).ok_or_else(|| broken("the target was not built"))
    }

    /// The values of `ARG`s.
    fn arguments(&self, declarations: &[Instruction]) -> BTreeMap<String, String> {
        let mut arguments = BTreeMap::new();
        for declaration in declarations {
            self.declare(&declaration.rest, &BTreeMap::new(), &mut arguments);
        }
        arguments
    }

    /// One `ARG`: the given value, its default, or the value of an `ARG` of this name before the first stage.
    fn declare(&self, declaration: &str, outer: &BTreeMap<String, String>, variables: &mut BTreeMap<String, String>) {
        let (name, default) = match declaration.split_once('=') {
            Some((name, default)) => (name, Some(default.trim_matches('"').to_owned())),
            None => (declaration, None),
        };
        let given = self.inputs.request.args.get(name).cloned();
        if let Some(value) = given.or(default).or_else(|| outer.get(name).cloned()) {
            variables.insert(name.to_owned(), value);
        }
    }

    fn stage(
        &mut self,
        dockerfile: &Dockerfile,
        index: usize,
        arguments: &BTreeMap<String, String>,
        done: &BTreeMap<usize, Built>,
    ) -> Result<Built, EngineError> {
        let stage = &dockerfile.stages[index];
        let base = expand(&stage.base, arguments);
        let source = |name: &str| dockerfile.stage_before(index, name).and_then(|index| done.get(&index));
        let mut built = match source(&base) {
            Some(built) => built.clone(),
            None => self.base_image(&base, &stage.from)?,
        };
        built.has_command = false;
        for instruction in &stage.instructions {
            if instruction.is_step() {
                let from = instruction.source_stage().map(|name| match source(name) {
                    Some(built) => built.key.clone(),
                    None => Digest::of(name),
                });
                self.step(instruction, from, &mut built)?;
            } else if instruction.keyword == "ARG" {
                self.declare(&expand(&instruction.rest, &built.variables), arguments, &mut built.variables);
            } else {
                configuration::set(instruction, &mut built);
            }
        }
        Ok(built)
    }

    /// The image that a stage begins with: the engine's, or else the registry's. It is cached when it is here.
    fn base_image(&mut self, base: &str, from: &Instruction) -> Result<Built, EngineError> {
        if base == "scratch" {
            return Ok(Built::on(MemoryImage::default()));
        }
        let reference: ImageReference =
            base.parse().map_err(|error: crate::app::ReferenceError| broken(&error.to_string()))?;
        let number = self.begin(from);
        let local = self.images.find(&reference).and_then(|id| self.images.content(id));
        let built = if let Some(image) = local {
            Built::on(image.clone())
        } else {
            let credentials = self.credentials(reference.host());
            match self.inputs.registry.fetch(&reference, credentials) {
                Ok(published) => Built::on(published.image),
                Err(refusal) => {
                    let error = failure::without_base(&reference, refusal, credentials);
                    self.tell(number, from, StepState::Failed);
                    return Err(error);
                }
            }
        };
        let is_here = local.is_some() || self.cache.contains(&built.key);
        self.finish(number, from, &built.key, is_here);
        Ok(built)
    }

    /// The credentials for exactly this host.
    fn credentials(&self, host: &str) -> Option<&'a Credentials> {
        self.inputs.request.credentials.iter().find(|credentials| credentials.host == host)
    }

    fn step(&mut self, instruction: &Instruction, from: Option<Digest>, built: &mut Built) -> Result<(), EngineError> {
        let number = self.begin(instruction);
        let text = expand(&instruction.rest, &built.variables);
        let selection = match (instruction.keyword.as_str(), &from) {
            ("COPY" | "ADD", None) => self.files(instruction, &text, number)?,
            _ => None,
        };
        let variables = if instruction.keyword == "RUN" { built.variables.clone() } else { BTreeMap::new() };
        let files = selection.as_ref().map(|selection| selection.digest.clone()).or(from);
        let key = Digest::of(format!("{}\n{} {text}\n{files:?}\n{variables:?}", built.key, instruction.keyword));
        let is_cached = self.cache.contains(&key) && !self.inputs.request.no_cache;
        if instruction.keyword == "RUN" && !is_cached {
            self.run_program(instruction, &text, number)?;
        }
        self.finish(number, instruction, &key, is_cached);
        built.image.history.push(format!("{} {text}", instruction.keyword));
        built
            .image
            .layers
            .push(MemoryLayer { digest: key.clone(), size: selection.map_or(0, |selection| selection.size) });
        built.key = key;
        Ok(())
    }

    /// The files that `COPY` or `ADD` takes from the context; `None` when it takes none, as of a URL.
    fn files(
        &mut self,
        instruction: &Instruction,
        text: &str,
        number: usize,
    ) -> Result<Option<Selection>, EngineError> {
        let words = text.split_whitespace().skip_while(|word| word.starts_with("--"));
        let words: Vec<&str> = words.collect();
        let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
        let mut all: Option<Selection> = None;
        for source in sources.iter().filter(|source| !source.contains("://")) {
            let Some(selection) = self.inputs.context.select(source) else {
                self.tell(number, instruction, StepState::Failed);
                let cause = format!("failed to compute cache key: \"/{source}\": not found");
                return Err(failure::refused(instruction, &cause, &self.report));
            };
            all = Some(match all {
                None => selection,
                Some(others) => Selection {
                    digest: Digest::of(format!("{}{}", others.digest, selection.digest)),
                    size: others.size + selection.size,
                },
            });
        }
        Ok(all)
    }

    fn run_program(&mut self, instruction: &Instruction, script: &str, number: usize) -> Result<(), EngineError> {
        let program = Program::of_step(script);
        let mut printed = String::new();
        for line in &program.lines {
            printed.push_str(&line.text);
            printed.push('\n');
            self.told.push(Progress::BuildLog { line: line.text.clone() });
        }
        match program.end {
            Some(End { exit_code, .. }) if exit_code != 0 => {
                self.tell(number, instruction, StepState::Failed);
                Err(failure::exited(instruction, exit_code, &printed, &self.report))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, instruction: &Instruction) -> usize {
        self.number += 1;
        self.tell(self.number, instruction, StepState::Started);
        self.number
    }

    fn finish(&mut self, number: usize, instruction: &Instruction, key: &Digest, is_cached: bool) {
        self.cache.insert(key.clone());
        let state = if is_cached {
            self.report.cached_steps += 1;
            StepState::Cached
        } else {
            StepState::Done { duration: Duration::ZERO }
        };
        self.tell(number, instruction, state);
    }

    fn tell(&mut self, number: usize, instruction: &Instruction, state: StepState) {
        self.told.push(Progress::BuildStep { number, total: self.report.steps, name: instruction.text.clone(), state });
    }
}

impl Built {
    fn on(image: MemoryImage) -> Self {
        Self {
            key: Digest::of(format!("FROM {}", image.config())),
            variables: image.env.clone(),
            has_command: false,
            image,
        }
    }
}

/// How many steps a stage has: its base, where that is an image, and what makes layers.
fn steps_of(dockerfile: &Dockerfile, index: usize, arguments: &BTreeMap<String, String>) -> usize {
    let stage = &dockerfile.stages[index];
    let base = expand(&stage.base, arguments);
    let has_base = base != "scratch" && dockerfile.stage_before(index, &base).is_none();
    let steps = stage.instructions.iter().filter(|instruction| instruction.is_step());
    usize::from(has_base) + steps.count()
}
