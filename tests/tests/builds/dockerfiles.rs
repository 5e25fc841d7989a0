//! What a Dockerfile says is what is built, and where it fails, everything is told that helps.

use longshore_tests::{LabEngine, StandaloneProject, unique_name};
use serde_json::json;

use super::{app_of, build, image_of, in_image, inline, refusal_of};

on_both_engines! {
    a_stage_is_built_with_what_it_copies_from_another;
    here_documents_are_built_or_the_error_names_a_front_end;
    the_front_end_that_a_dockerfile_names_is_pulled_and_builds_here_documents;
    the_front_end_that_a_dockerfile_names_says_what_is_wrong_with_it;
    a_front_end_that_is_nowhere_is_named_and_waited_for;
    a_front_end_that_is_not_allowed_is_refused;
    a_failing_step_is_told_with_its_exit_code_and_its_whole_log;
    a_dockerfile_may_be_written_in_the_resource;
}

async fn a_stage_is_built_with_what_it_copies_from_another(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let dockerfile = "ARG BASE=nowhere.example/nothing:1\n\
                      FROM ${BASE} AS tools\n\
                      ARG MAKER\n\
                      RUN echo \"made by $MAKER\" > /made\n\
                      FROM busybox AS release\n\
                      COPY --from=tools /made /made\n\
                      FROM busybox AS debug\n\
                      RUN exit 9\n";
    let mut wanted = inline(dockerfile);
    wanted["target"] = json!("release");
    wanted["args"] = json!({"BASE": "busybox", "MAKER": project.name});
    let image = build(&project, "stages", &wanted);
    assert_eq!(in_image(&project, &image, &["cat", "/made"]), format!("made by {}", project.name));
}

async fn here_documents_are_built_or_the_error_names_a_front_end(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let wanted = inline("FROM busybox\nRUN <<EOF\necho one > /here\necho two >> /here\nEOF\n");
    if engine == LabEngine::Engine29 {
        let image = build(&project, "here", &wanted);
        assert_eq!(in_image(&project, &image, &["cat", "/here"]), "one\ntwo");
    } else {
        let sentence = refusal_of(&project, "here", &wanted);
        assert!(sentence.contains("# syntax=docker/dockerfile:1"), "{sentence}");
    }
}

async fn the_front_end_that_a_dockerfile_names_is_pulled_and_builds_here_documents(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let dockerfile = format!(
        "# syntax=docker/dockerfile:1\n\
         FROM busybox\n\
         RUN <<EOF\necho one > /here\necho {0} >> /here\nEOF\n\
         COPY <<EOF /page\nFROM nowhere.example/{0}\nEOF\n",
        project.name
    );
    let image = build(&project, "here", &inline(&dockerfile));
    assert_eq!(in_image(&project, &image, &["cat", "/here"]), format!("one\n{}", project.name));
    assert_eq!(in_image(&project, &image, &["cat", "/page"]), format!("FROM nowhere.example/{}", project.name));
}

async fn the_front_end_that_a_dockerfile_names_says_what_is_wrong_with_it(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let sentence = refusal_of(&project, "broken", &inline("# syntax=docker/dockerfile:1\nFORM busybox\n"));
    let (_, cause) = sentence.split_once(": ").unwrap();
    assert!(cause.starts_with("dockerfile parse error on line 2: unknown instruction: FORM"), "{sentence}");
    let step = format!("RUN <<EOF\necho {}\nexit 7\nEOF", project.name);
    let failing = inline(&format!("# syntax=docker/dockerfile:1\nFROM busybox\n{step}\n"));
    let sentence = refusal_of(&project, "failing", &failing);
    assert!(sentence.contains("the step \"RUN <<EOF") && sentence.contains("exited with code 7"), "{sentence}");
}

async fn a_front_end_that_is_nowhere_is_named_and_waited_for(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let front_end = format!("docker/dockerfile:{}", unique_name("nowhere"));
    let wanted = inline(&format!("# syntax={front_end}\nFROM busybox\n"));
    let said = project.run(&["up", "-d", "--timeout", "3s", "-f", &app_of(&project, "nowhere", &wanted, &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let ready = project.condition("nowhere", "Ready");
    let sentence = ready["message"].as_str().unwrap();
    assert!(sentence.contains(&format!("the front end {front_end}, which the Dockerfile's # syntax=")), "{sentence}");
    assert_ne!(ready["reason"], "BuildFailed", "it is not the Dockerfile's fault, and may come yet");
}

async fn a_front_end_that_is_not_allowed_is_refused(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let by_dockerfile = inline("# syntax=evil.example/dockerfile:1\nFROM busybox\n");
    let mut by_argument = inline("FROM busybox\n");
    by_argument["args"] = json!({"BUILDKIT_SYNTAX": "evil.example/dockerfile:1"});
    for (name, wanted) in [("dockerfile", by_dockerfile), ("argument", by_argument)] {
        let sentence = refusal_of(&project, name, &wanted);
        assert!(sentence.contains("evil.example/dockerfile:1 asks for a front end that is not allowed"), "{sentence}");
        assert!(sentence.contains("use docker/dockerfile"), "{sentence}");
    }
}

async fn a_failing_step_is_told_with_its_exit_code_and_its_whole_log(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let word = unique_name("line");
    let step = format!("for number in $(seq 500); do echo {word} $number; done; exit 7");
    let file = app_of(&project, "failing", &inline(&format!("FROM busybox\nRUN {step}\n")), &[]);
    let said = project.up(&file);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    // The step, its exit code and its last lines, without a look at anything else.
    let failed = said.progress.lines().find(|line| line.contains("FAILED")).unwrap_or_default();
    assert!(said.all().contains("seq 500") && said.all().contains("exit code"), "{}", said.all());
    assert!(failed.contains('7'), "{}", said.all());
    assert!(said.all().contains(&format!("{word} 500")), "{}", said.all());
    let failure = &project.status("failing")["build"]["failure"];
    assert_eq!(failure["exitCode"], 7, "{failure}");
    assert!(failure["step"].as_str().unwrap().contains("seq 500"), "{failure}");
    let tail = failure["logTail"].as_str().unwrap();
    assert!(tail.contains(&format!("{word} 500")) && tail.len() <= 2048, "{failure}");

    // The morning after.
    let log = project.longshore(&["logs", "--build", "failing"]).unwrap();
    for number in 1..=500 {
        assert!(log.lines().any(|line| line.ends_with(&format!("{word} {number}"))), "line {number} of\n{log}");
    }
    let history = project.longshore(&["history", "failing"]).unwrap();
    let row: Vec<&str> = history.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(row[..2], ["1", "Failed"], "{history}");

    // Nothing has changed, and it is told again; an edit helps.
    assert_eq!(project.up(&file).exit_code, Some(1));
    app_of(&project, "failing", &inline("FROM busybox\nRUN true\n"), &[]);
    project.up(&file).well();
    let history = project.longshore(&["history", "failing"]).unwrap();
    assert!(history.lines().nth(2).is_some_and(|row| row.contains("Succeeded")), "{history}");
    assert!(engine.images().contains(&format!("{}:latest", image_of(&project, "failing"))));
}

async fn a_dockerfile_may_be_written_in_the_resource(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let wanted = json!({
        "context": {"inline": {"page": project.name}},
        "dockerfileInline": "FROM busybox\nCOPY page /page\n",
    });
    let image = build(&project, "inline", &wanted);
    assert_eq!(in_image(&project, &image, &["cat", "/page"]), project.name);
}
