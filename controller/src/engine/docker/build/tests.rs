//! The two readers, on what Docker Engine 20.10 and 29 really sent: a build of two stages on a fresh context, the same
//! again, and one whose command fails.

use std::time::Instant;

use base64::Engine as _;

use super::buildkit::BuildKitTrace;
use super::classic::{ClassicMessage, ClassicTrace};
use super::*;
use crate::engine::{Progress, StepState};

/// What was sent, and what was understood of it.
struct Recorded {
    told: Vec<Progress>,
    report: BuildReport,
    error: Option<EngineError>,
}

/// A line of a recording of BuildKit: its trace is in base64.
#[derive(serde::Deserialize)]
struct TraceLine {
    aux: Option<serde_json::Value>,
    #[serde(flatten)]
    message: ClassicMessage,
}

fn buildkit(recording: &str) -> Recorded {
    let mut trace = BuildKitTrace::default();
    let mut told = Vec::new();
    let mut failure = None;
    for line in recording.lines() {
        let line: TraceLine = serde_json::from_str(line).unwrap();
        failure = failure.or(line.message.error().map(str::to_owned));
        if let Some(serde_json::Value::String(aux)) = line.aux {
            let bytes = base64::engine::general_purpose::STANDARD.decode(aux).unwrap();
            told.extend(trace.read(&prost::Message::decode(bytes.as_slice()).unwrap()));
        }
    }
    told.extend(trace.finish());
    let report = trace.report();
    let error = failure.map(|message| trace.broken(|_| true).into_error(&message, &[], report.clone()));
    Recorded { told, report, error }
}

/// The recordings have a label, which the classic builder makes a step of.
fn classic(recording: &str) -> Recorded {
    let mut trace = ClassicTrace::new(true);
    let mut told = Vec::new();
    let mut failure = None;
    for line in recording.lines() {
        let message: ClassicMessage = serde_json::from_str(line).unwrap();
        failure = failure.or(message.error().map(str::to_owned));
        told.extend(trace.read(message, Instant::now()));
    }
    told.extend(trace.finish(failure.is_some(), Instant::now()));
    let report = trace.report();
    let error = failure.map(|message| trace.broken(&message).into_error(&message, &[], report.clone()));
    Recorded { told, report, error }
}

impl Recorded {
    /// The steps in the order in which they ended, each with its number, the number of all, and how it ended.
    fn ends(&self) -> Vec<(usize, usize, &str, &'static str)> {
        let ends = self.told.iter().filter_map(|progress| match progress {
            Progress::BuildStep { number, total, name, state } => {
                let end = match state {
                    StepState::Started => return None,
                    StepState::Cached => "cached",
                    StepState::Done { .. } => "done",
                    StepState::Failed => "failed",
                };
                Some((*number, *total, name.as_str(), end))
            }
            _ => None,
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_unstable();
        ends
    }

    fn lines(&self) -> Vec<&str> {
        let lines = self.told.iter().filter_map(|progress| match progress {
            Progress::BuildLog { line } => Some(line.as_str()),
            _ => None,
        });
        lines.collect()
    }

    fn failed(self) -> crate::engine::BuildFailed {
        match self.error {
            Some(EngineError::BuildFailed(failed)) => failed,
            other => panic!("a build that failed: {other:?}"),
        }
    }
}

/// Both stages begin with the same image, which BuildKit takes for one vertex: its step is told once.
#[test]
fn buildkit_numbers_the_steps_of_all_stages() {
    for (recording, first) in [
        (include_str!("recorded/engine20-buildkit-cold.jsonl"), "cached"),
        (include_str!("recorded/engine29-buildkit-cold.jsonl"), "cached"),
    ] {
        let recorded = buildkit(recording);
        let names: Vec<&str> = recorded.ends().iter().map(|end| end.2).collect();
        let expected = [
            "FROM busybox:latest",
            "WORKDIR /app",
            "ADD . /app",
            "RUN echo compiling && echo warning >&2",
            "WORKDIR /srv",
            "COPY --from=builder /app/own /srv/own",
        ];
        assert_eq!(names, expected);
        assert_eq!(recorded.ends()[0], (1, 7, "FROM busybox:latest", first));
        assert_eq!(recorded.ends()[3], (4, 7, expected[3], "done"));
        assert_eq!(recorded.report.steps, 6);
    }
}

#[test]
fn buildkit_finds_everything_of_the_same_build_in_its_cache() {
    for recording in
        [include_str!("recorded/engine20-buildkit-warm.jsonl"), include_str!("recorded/engine29-buildkit-warm.jsonl")]
    {
        let recorded = buildkit(recording);
        assert_eq!(recorded.report, BuildReport { steps: 6, cached_steps: 6, ..recorded.report.clone() });
    }
}

#[test]
fn what_a_command_prints_is_told_by_the_line() {
    for recorded in [
        buildkit(include_str!("recorded/engine20-buildkit-cold.jsonl")),
        buildkit(include_str!("recorded/engine29-buildkit-cold.jsonl")),
        classic(include_str!("recorded/engine20-classic-cold.jsonl")),
        classic(include_str!("recorded/engine29-classic-cold.jsonl")),
    ] {
        let mut lines = recorded.lines();
        lines.sort_unstable();
        assert_eq!(lines, ["compiling", "warning"]);
    }
}

#[test]
fn a_failing_command_is_told_the_same_by_every_builder() {
    for recorded in [
        buildkit(include_str!("recorded/engine20-buildkit-failing.jsonl")),
        buildkit(include_str!("recorded/engine29-buildkit-failing.jsonl")),
        classic(include_str!("recorded/engine20-classic-failing.jsonl")),
        classic(include_str!("recorded/engine29-classic-failing.jsonl")),
    ] {
        let instruction = "RUN echo reason && exit 7";
        assert_eq!(recorded.ends().last(), Some(&(3, 3, instruction, "failed")));
        let failed = recorded.failed();
        assert_eq!(failed.message, "the step \"RUN echo reason && exit 7\" exited with code 7");
        assert_eq!(failed.failure.step.as_deref(), Some(instruction));
        assert_eq!(failed.failure.exit_code, Some(7));
        assert_eq!(failed.failure.log_tail, "reason");
    }
}

/// The classic builder counts every instruction, and one more for the label, which nobody wrote.
#[test]
fn the_classic_builder_counts_what_the_dockerfile_has() {
    for recording in
        [include_str!("recorded/engine20-classic-warm.jsonl"), include_str!("recorded/engine29-classic-warm.jsonl")]
    {
        let recorded = classic(recording);
        assert_eq!(recorded.report, BuildReport { steps: 8, cached_steps: 8, ..recorded.report.clone() });
        assert_eq!(recorded.ends()[0], (1, 8, "FROM busybox:latest AS builder", "cached"));
        assert_eq!(recorded.ends()[7], (8, 8, "CMD [\"sh\"]", "cached"));
    }
}

/// A program may print what the builder prints: only the builder's next step is one.
#[test]
fn a_step_that_a_program_prints_is_only_a_line() {
    let mut trace = ClassicTrace::new(false);
    let now = Instant::now();
    let mut read = |text: &str| {
        let message = ClassicMessage { stream: Some(text.to_owned()), ..ClassicMessage::default() };
        trace.read(message, now)
    };
    read("Step 1/1 : RUN docker build .\n");
    read(" ---> Running in f00\n");
    let line = "Step 1/3 : FROM scratch".to_owned();
    assert_eq!(read("Step 1/3 : FROM scratch\n"), [Progress::BuildLog { line }]);
}

#[test]
fn a_dockerfile_that_does_not_parse_is_no_steps_fault() {
    for message in [
        "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 1: unknown instruction: FORM",
        // Of a front end that `# syntax=` names, in Docker Engine 20.10.
        "failed to solve with frontend dockerfile.v0: failed to solve with frontend gateway.v0: rpc error: code = Unknown desc = dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)",
        "dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)",
    ] {
        let trace = BuildKitTrace::default();
        let error = trace.broken(|_| true).into_error(message, &[], trace.report());
        let EngineError::BuildFailed(failed) = error else { panic!("a build that failed: {error:?}") };
        assert!(failed.message.starts_with("dockerfile parse error"), "{}", failed.message);
        assert_eq!(failed.failure.step, None);
    }
}
