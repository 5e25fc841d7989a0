//! Options of a build that depend on what the engine is: honoured where they can be, and refused in a sentence where
//! they cannot.

use longshore_tests::{LabEngine, StandaloneProject, digest_in_registry, lab_variable, statement_in_registry};
use serde_json::{Value, json};

use super::{build, forget_step, gcr_secret, image_of, in_image, inline, refusal_of};

/// The type of an in-toto statement that says what an image contains.
const SPDX: &str = "https://spdx.dev/Document";

on_both_engines! {
    annotations_lie_beside_the_image;
    two_platforms_make_one_image;
    the_time_that_is_given_is_the_images;
    how_it_was_built_is_kept_with_it;
    what_is_in_it_is_pushed_with_it;
    a_cache_in_a_registry_serves_who_has_none;
}

/// A build that needs no base image.
fn of_a_file(project: &StandaloneProject) -> Value {
    json!({"context": {"inline": {"Dockerfile": "FROM scratch\nCOPY own /own\nCMD [\"/own\"]\n", "own": project.name}}})
}

/// Honoured by the newer engine, refused by the older one in a sentence that names the field.
fn honoured_or_refused(project: &StandaloneProject, name: &str, wanted: &Value, field: &str) -> Option<String> {
    if project.engine == LabEngine::Engine29 {
        return Some(build(project, name, wanted));
    }
    let sentence = refusal_of(project, name, wanted);
    assert!(sentence.contains(field) && sentence.contains("20.10"), "{sentence}");
    None
}

async fn annotations_lie_beside_the_image(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = of_a_file(&project);
    wanted["annotations"] = json!({"com.example.team": "harbour"});
    if let Some(image) = honoured_or_refused(&project, "annotated", &wanted, "annotations") {
        let everything = engine.everything_of(&image);
        assert!(everything.replace(' ', "").contains("\"com.example.team\":\"harbour\""));
    }
}

async fn two_platforms_make_one_image(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = of_a_file(&project);
    wanted["platforms"] = json!(["linux/amd64", "linux/arm64"]);
    if let Some(image) = honoured_or_refused(&project, "platforms", &wanted, "platforms") {
        let everything = engine.everything_of(&image).replace(' ', "");
        for platform in ["amd64", "arm64"] {
            assert!(everything.contains(&format!("\"architecture\":\"{platform}\"")), "{platform}");
        }
    }
}

async fn the_time_that_is_given_is_the_images(engine: LabEngine) {
    let first = StandaloneProject::begin(engine);
    let second = StandaloneProject::begin(engine);
    let files = json!({"Dockerfile": "FROM busybox\nCOPY own /own\nRUN echo made > /made\n", "own": first.name});
    let wanted = json!({"context": {"inline": files}, "sourceDateEpoch": 1_000_000_000, "noCache": true});
    let Some(image) = honoured_or_refused(&first, "epoch", &wanted, "sourceDateEpoch") else {
        return;
    };
    let inspect = |format: &str, image: &str| engine.docker(&["image", "inspect", "--format", format, image]).unwrap();
    assert!(inspect("{{.Created}}", &image).starts_with("2001-09-09T01:46:40"));
    let times = in_image(&first, &image, &["stat", "-c", "%Y", "/own", "/made"]);
    assert_eq!(times, "1000000000\n1000000000");
    let same = build(&second, "epoch", &wanted);
    assert_eq!(inspect("{{.Id}}", &image), inspect("{{.Id}}", &same));
}

async fn how_it_was_built_is_kept_with_it(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = of_a_file(&project);
    wanted["attestations"] = json!({"provenance": "Max"});
    if let Some(image) = honoured_or_refused(&project, "provenance", &wanted, "attestations") {
        assert!(engine.everything_of(&image).contains("https://slsa.dev/provenance/"));
    }
}

async fn what_is_in_it_is_pushed_with_it(engine: LabEngine) {
    /// Of the line `hello`.
    const SHA256: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let project = StandaloneProject::begin(engine);
    let dockerfile = format!("FROM scratch\nCOPY greeting /{}\n", project.name);
    let wanted = json!({
        "context": {"inline": {"Dockerfile": dockerfile, "greeting": "hello\n"}},
        "attestations": {"sbom": {}},
    });
    if engine == LabEngine::Engine20 {
        let sentence = refusal_of(&project, "sbom", &wanted);
        let why = "cannot make attestations (attestations), since it keeps its images with a graph driver";
        assert!(sentence.contains("Docker Engine 20.10") && sentence.contains(why), "{sentence}");
        return;
    }
    let repository = format!("longshore-builds/{}", image_of(&project, "sbom"));
    let push = json!([{"to": format!("gcr.io/{repository}"), "secretRef": {"name": "gcr"}}]);
    let spec = json!({"image": {"name": image_of(&project, "sbom"), "build": wanted}, "push": push});
    let secret = gcr_secret(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
    project.up(&project.app("sbom", &spec, &[secret])).well();
    let sbom = statement_in_registry(&repository, "latest", SPDX).unwrap();
    let files = sbom["predicate"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 1, "{sbom}");
    assert_eq!(files[0]["fileName"], format!("./{}", project.name));
    let checksum = json!({"algorithm": "SHA256", "checksumValue": SHA256});
    assert!(files[0]["checksums"].as_array().unwrap().contains(&checksum), "{sbom}");
}

async fn a_cache_in_a_registry_serves_who_has_none(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let repository = format!("longshore-builds/{}", image_of(&project, "cache"));
    let reference = format!("gcr.io/{repository}:cache");
    // Nothing of the first stage is in the image, so only a cache of all stages has it.
    let step = format!("echo {} && cat /proc/sys/kernel/random/uuid > /own", project.name);
    let copy = format!("COPY --from=tools /own /own-of-{}", project.name);
    let own = format!("/own-of-{}", project.name);
    let dockerfile = format!("FROM busybox AS tools\nRUN {step}\nFROM busybox\n{copy}\n");
    let app_in = |project: &StandaloneProject, option: &str, value: Value| {
        let mut wanted = inline(&dockerfile);
        wanted[option] = value;
        let image = image_of(project, "cached");
        let spec = json!({"image": {"name": image, "build": wanted, "pullSecrets": [{"name": "gcr"}]}});
        project.app("cached", &spec, &[gcr_secret(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))])
    };
    let kept = json!({"type": "Registry", "reference": reference, "mode": "Max"});
    let said = project.up(&app_in(&project, "cacheTo", kept));
    if engine == LabEngine::Engine20 {
        let sentence = project.condition("cached", "Stalled")["message"].as_str().unwrap_or_default().to_owned();
        assert!(sentence.contains("cacheTo") && sentence.contains("20.10"), "{}", said.all());
        return;
    }
    said.well();
    let made = in_image(&project, &image_of(&project, "cached"), &["cat", &own]);
    assert!(digest_in_registry(&repository, "cache").is_some(), "the registry holds the cache");

    drop(project);
    forget_step(engine, &copy);
    forget_step(engine, &step);

    let later = StandaloneProject::begin(engine);
    later.up(&app_in(&later, "cacheFrom", json!([reference]))).well();
    assert_eq!(in_image(&later, &image_of(&later, "cached"), &["cat", &own]), made);
}
