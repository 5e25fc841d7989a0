//! What BuildKit tells of a build: a graph of vertexes, some of which are the Dockerfile's steps.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use longshore_crds::BuildFailure;

use crate::engine::{BuildReport, Progress, StepState};

/// How much of a failing step's output is kept, in bytes.
const LOG_TAIL: usize = 2048;

/// The steps that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: BTreeMap<String, Step>,
    logs: BTreeMap<String, String>,
    failure: Option<BuildFailure>,
}

#[derive(Debug, Default)]
struct Step {
    number: usize,
    total: usize,
    name: String,
    was_started: bool,
    /// Whether it is over, and whether it came from the cache.
    ended: Option<bool>,
    /// Whether anything was transferred for it: a `FROM` for which nothing was is one whose image was there.
    has_transferred: bool,
}

impl Trace {
    /// Takes in what the engine has just told, and gives what is new in it.
    pub(super) fn take(&mut self, news: &StatusResponse) -> Vec<Progress> {
        let mut progress = Vec::new();
        for status in &news.statuses {
            if let Some(step) = self.steps.get_mut(&status.vertex) {
                step.has_transferred |= status.total > 0 || status.name.starts_with("extract");
            }
        }
        for log in &news.logs {
            let text = String::from_utf8_lossy(&log.msg);
            self.logs.entry(log.vertex.clone()).or_default().push_str(&text);
            let is_of_a_step = self.steps.contains_key(&log.vertex);
            progress
                .extend(text.lines().filter(|_| is_of_a_step).map(|line| Progress::BuildLog { line: line.to_owned() }));
        }
        for vertex in &news.vertexes {
            progress.extend(self.take_vertex(vertex));
        }
        progress
    }

    fn take_vertex(&mut self, vertex: &Vertex) -> Vec<Progress> {
        if !self.steps.contains_key(&vertex.digest) {
            match parse_name(&vertex.name) {
                Some(step) => self.steps.insert(vertex.digest.clone(), step),
                None => return Vec::new(),
            };
        }
        let Some(step) = self.steps.get_mut(&vertex.digest) else {
            return Vec::new();
        };
        let mut states = Vec::new();
        if vertex.started.is_some() && !step.was_started && !vertex.cached {
            step.was_started = true;
            states.push(StepState::Started);
        }
        let is_over = vertex.completed.is_some() || vertex.cached || !vertex.error.is_empty();
        if is_over && step.ended.is_none() {
            let is_at_hand = step.name.starts_with("FROM ") && !step.has_transferred;
            let is_cached = (vertex.cached || is_at_hand) && vertex.error.is_empty();
            step.ended = Some(is_cached);
            states.push(match (vertex.error.is_empty(), is_cached) {
                (false, _) => StepState::Failed,
                (true, true) => StepState::Cached,
                (true, false) => StepState::Done { duration: duration(vertex) },
            });
        }
        if !vertex.error.is_empty() && self.failure.is_none() {
            self.failure = Some(BuildFailure {
                step: Some(step.name.clone()),
                exit_code: exit_code(&vertex.error),
                log_tail: tail(self.logs.get(&vertex.digest).map_or("", String::as_str)),
            });
        }
        let (number, total, name) = (step.number, step.total, step.name.clone());
        states.into_iter().map(|state| Progress::BuildStep { number, total, name: name.clone(), state }).collect()
    }

    pub(super) fn report(&self) -> BuildReport {
        let cached = self.steps.values().filter(|step| step.ended == Some(true));
        BuildReport { steps: self.steps.len(), cached_steps: cached.count() }
    }

    /// The step that failed, if one did.
    pub(super) fn failure(&self) -> Option<&BuildFailure> {
        self.failure.as_ref()
    }
}

/// `[2/4] WORKDIR /app` or `[builder 2/4] …`; other names, such as `[internal] load …`, are not steps.
fn parse_name(name: &str) -> Option<Step> {
    let (bracket, rest) = name.strip_prefix('[')?.split_once(']')?;
    let (number, total) = bracket.split_whitespace().last()?.split_once('/')?;
    let step = rest.trim();
    // The base image's digest is worth nothing to whoever wrote the Dockerfile.
    let written = step
        .strip_prefix("FROM ")
        .map_or_else(|| step.to_owned(), |image| format!("FROM {}", image.split('@').next().unwrap_or(image)));
    Some(Step { number: number.parse().ok()?, total: total.parse().ok()?, name: written, ..Step::default() })
}

fn duration(vertex: &Vertex) -> Duration {
    let (Some(started), Some(completed)) = (&vertex.started, &vertex.completed) else {
        return Duration::ZERO;
    };
    let seconds = Duration::from_secs(u64::try_from(completed.seconds - started.seconds).unwrap_or(0));
    let nanoseconds = |nanos: i32| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    (seconds + nanoseconds(completed.nanos)).saturating_sub(nanoseconds(started.nanos))
}

/// `process "…" did not complete successfully: exit code: 7`
fn exit_code(error: &str) -> Option<i64> {
    let after = error.rsplit_once("exit code: ")?.1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The end of a text, from the beginning of a line where there is one.
pub(super) fn tail(text: &str) -> String {
    if text.len() <= LOG_TAIL {
        return text.to_owned();
    }
    let mut from = text.len() - LOG_TAIL;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = &text[from..];
    end.split_once('\n').map_or(end, |(_, lines)| lines).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(vertexes: Vec<Vertex>) -> StatusResponse {
        StatusResponse { vertexes, ..StatusResponse::default() }
    }

    fn vertex(digest: &str, name: &str) -> Vertex {
        Vertex { digest: digest.to_owned(), name: name.to_owned(), ..Vertex::default() }
    }

    fn started(mut vertex: Vertex) -> Vertex {
        vertex.started.get_or_insert_default().seconds = 1;
        vertex
    }

    fn completed(vertex: Vertex) -> Vertex {
        let mut vertex = started(vertex);
        vertex.completed.get_or_insert_default().seconds = 3;
        vertex
    }

    #[test]
    fn steps_are_counted_and_cached_ones_marked() {
        let mut trace = Trace::default();
        let told = trace.take(&news(vec![
            vertex("a", "[internal] load build definition from Dockerfile"),
            completed(vertex("b", "[1/3] FROM docker.io/library/node:6@sha256:1")),
            completed(Vertex { cached: true, ..vertex("c", "[2/3] WORKDIR /app") }),
            completed(vertex("d", "[3/3] ADD . /app")),
        ]));
        assert_eq!(trace.report(), BuildReport { steps: 3, cached_steps: 2 });
        let done = StepState::Done { duration: Duration::from_secs(2) };
        let name = "ADD . /app".to_owned();
        assert_eq!(told.last(), Some(&Progress::BuildStep { number: 3, total: 3, name, state: done }));
    }

    #[test]
    fn a_failing_step_names_itself_its_exit_code_and_its_last_words() {
        let mut trace = Trace::default();
        trace.take(&news(vec![started(vertex("a", "[ 2/10] RUN false"))]));
        let mut spoken = StatusResponse::default();
        spoken.logs.push(bollard::moby::buildkit::v1::VertexLog {
            vertex: "a".to_owned(),
            msg: b"last words\n".to_vec(),
            ..Default::default()
        });
        trace.take(&spoken);
        let error = "process \"/bin/sh -c false\" did not complete successfully: exit code: 7".to_owned();
        trace.take(&news(vec![completed(Vertex { error, ..vertex("a", "[ 2/10] RUN false") })]));
        let failure = trace.failure().unwrap();
        assert_eq!(failure.step.as_deref(), Some("RUN false"));
        assert_eq!((failure.exit_code, failure.log_tail.as_str()), (Some(7), "last words\n"));
    }
}
