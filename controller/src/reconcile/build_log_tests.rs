//! How a build's log reads, what is cut and what is masked.

use std::time::Duration;

use secrecy::SecretString;

use super::*;

const CANARY: &str = "canary-in-a-coal-mine";

fn log() -> BuildLog {
    let values = [SecretString::from(CANARY.to_owned())];
    BuildLog::new(Arc::new(Masker::of(&values)))
}

fn step(number: usize, name: &str, state: StepState) -> Progress {
    Progress::BuildStep { number, total: 3, name: name.to_owned(), state }
}

fn output(line: &str) -> Progress {
    Progress::BuildLog { line: line.to_owned() }
}

fn text(told: impl IntoIterator<Item = Progress>, failure: Option<&str>) -> String {
    let mut log = log();
    for progress in told {
        log.take(progress);
    }
    log.finish(failure).to_string()
}

#[test]
fn steps_and_their_output_are_plain_lines() {
    let done = StepState::Done { duration: Duration::from_millis(300) };
    let told = [
        step(1, "FROM node:6", StepState::Cached),
        step(2, "WORKDIR /app", StepState::Started),
        step(2, "WORKDIR /app", done),
        step(3, "RUN make", StepState::Started),
        output("compiling"),
        output("\u{1b}[31mbroken\u{1b}[0m"),
        step(3, "RUN make", StepState::Failed),
    ];
    assert_eq!(
        text(told, Some("the step failed")),
        "#1 [1/3] FROM node:6\n#1 CACHED\n#2 [2/3] WORKDIR /app\n#2 DONE 0.3s\n#3 [3/3] RUN make\n#3   compiling\n\
         #3   broken\n#3 ERROR\nERROR: the step failed\n"
    );
}

#[test]
fn output_is_of_a_step_only_when_that_is_certain() {
    let told =
        [output("before"), step(1, "RUN a", StepState::Started), step(2, "RUN b", StepState::Started), output("whose")];
    assert_eq!(text(told, None), "#    before\n#1 [1/3] RUN a\n#2 [2/3] RUN b\n#    whose\n");
}

#[test]
fn secrets_are_masked_in_everything_that_is_told_and_kept() {
    let mut log = log();
    let told = [
        log.take(output(&format!("token {CANARY}"))),
        log.take(step(1, &format!("RUN echo {CANARY}"), StepState::Started)),
        log.take(Progress::Message { line: format!("pulled with {CANARY}") }),
    ];
    assert!(!format!("{told:?}").contains(CANARY), "{told:?}");
    let kept = log.finish(Some(&format!("cannot use {CANARY}")));
    assert_eq!(kept.matches("***").count(), 4, "{kept}");
    assert!(!kept.contains(CANARY), "{kept}");
}

#[test]
fn a_secret_between_control_sequences_is_masked() {
    let (begin, end) = CANARY.split_at(6);
    assert_eq!(text([output(&format!("{begin}\u{1b}[1m{end}"))], None), "#    ***\n");
}

#[test]
fn a_secret_across_two_pieces_of_an_endless_line_is_masked() {
    let (begin, end) = CANARY.split_at(9);
    let piece = format!("{}{begin}", "x".repeat(PIECE));
    let mut log = log();
    let told = [log.take(output(&piece)), log.take(output(&format!("{end} and on")))];
    let kept = log.finish(None);
    for part in [begin, &end[1..]] {
        assert!(!kept.contains(part) && !format!("{told:?}").contains(part), "{part}: {kept}");
    }
    assert!(kept.ends_with("*** and on\n"), "{kept}");
}

#[test]
fn long_lines_are_cut_and_say_so() {
    let kept = text([output(&"é".repeat(5_000))], None);
    assert!(kept.len() <= LONGEST_LINE + 1, "{}", kept.len());
    assert!(kept.ends_with(" bytes more\n"), "{kept}");
}

#[test]
fn of_a_long_log_beginning_and_end_are_kept() {
    let lines = (0..20_000).map(|number| output(&format!("line {number} {}", "y".repeat(50))));
    let kept = text(lines, None);
    assert!(kept.len() <= LONGEST_LOG && kept.len() > LONGEST_LOG - 1024, "{}", kept.len());
    assert!(kept.starts_with("#    line 0 "));
    assert!(kept.trim_end().rsplit('\n').next().unwrap().starts_with("#    line 19999 "));
    let note = kept.lines().find(|line| line.starts_with('…')).unwrap();
    let numbers: Vec<usize> = note.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let whole: usize = (0..20_000).map(|number| format!("#    line {number} {}\n", "y".repeat(50)).len()).sum();
    assert_eq!(numbers[0] + kept.lines().count() - 1, 20_000);
    assert_eq!(numbers[1] + kept.len() - note.len() - 1, whole);
}

#[test]
fn a_short_log_is_whole() {
    let kept = text((0..100).map(|number| output(&format!("line {number}"))), None);
    assert_eq!(kept.lines().count(), 100);
    assert!(!kept.contains('…'));
}
