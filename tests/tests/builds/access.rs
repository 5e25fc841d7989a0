//! What a build is given that is not everybody's: secrets, keys, base images behind a password.

use longshore_tests::{LabEngine, SshServer, StandaloneProject, lab_variable, unique_name};
use serde_json::json;

use super::{app_of, gcr_secret, image_of, in_image, inline, secret};

on_both_engines! {
    a_step_reads_a_secret_of_the_files;
    a_step_logs_in_with_a_key_of_the_files;
    a_private_base_image_wants_credentials;
    a_private_program_that_makes_sboms_wants_credentials;
}

async fn a_step_reads_a_secret_of_the_files(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let mut wanted = inline(&format!(
        "FROM busybox\nRUN --mount=type=secret,id=npm test $(cat /run/secrets/npm) = {0}-token && echo {0} > /read\n",
        project.name
    ));
    wanted["secrets"] = json!([{"id": "npm", "secretKeyRef": {"name": "npm", "key": "token"}}]);

    let file = app_of(&project, "secret", &wanted, &[]);
    let said = project.run(&["up", "-d", "--timeout", "3s", "-f", &file]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let ready = project.condition("secret", "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("SecretNotFound")), "{ready}");
    assert!(said.result.contains("npm"), "{}", said.all());

    let token = format!("{}-token", project.name);
    let file = app_of(&project, "secret", &wanted, &[secret("npm", "Opaque", &[("token", &token)])]);
    project.up(&file).well();
    assert_eq!(in_image(&project, &image_of(&project, "secret"), &["cat", "/read"]), project.name);
}

async fn a_step_logs_in_with_a_key_of_the_files(engine: LabEngine) {
    let project = StandaloneProject::begin(engine);
    let server = SshServer::start(engine.host_address(), &format!("#!/bin/sh\necho 'Welcome, {}'\n", project.name));
    let dockerfile = format!(
        "FROM ssh-client\nCOPY known_hosts /root/.ssh/\nRUN --mount=type=ssh ssh -p {} git@{} > /welcome\n",
        server.port(),
        engine.host_address()
    );
    let wanted = json!({
        "context": {"inline": {"Dockerfile": dockerfile, "known_hosts": server.known_hosts()}},
        "ssh": [{"secretRef": {"name": "deploy"}}],
    });
    let key = secret("deploy", "kubernetes.io/ssh-auth", &[("ssh-privatekey", &server.private_key())]);
    project.up(&app_of(&project, "ssh", &wanted, &[key])).well();
    assert_eq!(server.logins(), 1, "{}", server.log());
    let welcome = in_image(&project, &image_of(&project, "ssh"), &["cat", "/welcome"]);
    assert_eq!(welcome, format!("Welcome, {}", project.name));
}

async fn a_private_base_image_wants_credentials(engine: LabEngine) {
    let base = PrivateImage::pushed(engine, "FROM busybox\nRUN echo private > /private\n");
    let project = StandaloneProject::begin(engine);
    let build = inline(&format!("FROM {}\nRUN cp /private /copy\n", base.0));
    let file = app_of(&project, "private", &build, &[]);
    let said = project.run(&["up", "-d", "--timeout", "5s", "-f", &file]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let ready = project.condition("private", "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("AuthenticationRequired")), "{ready}");
    let sentence = ready["message"].as_str().unwrap();
    assert!(sentence.contains(&base.0) && sentence.contains("pullSecrets"), "{sentence}");
    assert!(said.result.contains(sentence), "{}", said.all());

    // Somebody else's credentials are no better, and are not told.
    let with = |password: &str| {
        let image = json!({
            "name": image_of(&project, "private"), "build": build, "pullSecrets": [{"name": "gcr"}],
        });
        project.app("private", &json!({"image": image}), &[gcr_secret(password)])
    };
    let wrong = unique_name("wrong");
    let said = project.run(&["up", "-d", "--timeout", "5s", "-f", &with(&wrong)]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    assert!(!said.all().contains(&wrong), "{}", said.all());

    project.up(&with(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"))).well();
    assert_eq!(in_image(&project, &image_of(&project, "private"), &["cat", "/copy"]), "private");
}

async fn a_private_program_that_makes_sboms_wants_credentials(engine: LabEngine) {
    if engine == LabEngine::Engine20 {
        // It makes no SBOM: what_is_in_it_is_pushed_with_it.
        return;
    }
    let generator = PrivateImage::pushed(engine, "FROM docker/buildkit-syft-scanner:stable-1\n");
    let project = StandaloneProject::begin(engine);
    let mut build = inline(&format!("FROM scratch\nCOPY Dockerfile /{}\n", project.name));
    build["attestations"] = json!({"sbom": {"generator": generator.0}});
    let said = project.run(&["up", "-d", "--timeout", "3s", "-f", &app_of(&project, "sbom", &build, &[])]);
    assert_eq!(said.exit_code, Some(1), "{}", said.all());
    let ready = project.condition("sbom", "Ready");
    let sentence = ready["message"].as_str().unwrap();
    let why = format!("the image {}, which makes the SBOM (attestations.sbom), cannot be had", generator.0);
    assert!(sentence.contains(&why) && sentence.contains("spec.image.pullSecrets"), "{sentence}");

    let image = json!({"name": image_of(&project, "sbom"), "build": build, "pullSecrets": [{"name": "gcr"}]});
    let secret = gcr_secret(&lab_variable("LONGSHORE_LAB_GCR_PASSWORD"));
    project.up(&project.app("sbom", &json!({"image": image}), &[secret])).well();
    let everything = engine.everything_of(&image_of(&project, "sbom"));
    assert!(everything.contains(&format!("\"fileName\":\"./{}\"", project.name)), "{everything}");
}

/// An image that only the lab's gcr.io holds.
struct PrivateImage(String);

impl PrivateImage {
    fn pushed(engine: LabEngine, dockerfile: &str) -> Self {
        let reference = format!("gcr.io/longshore-builds/{}:1", unique_name("private"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        engine.build(&["--tag", &reference, folder.path().to_str().unwrap()]).unwrap();
        engine.push_to_gcr(&reference);
        engine.docker(&["rmi", &reference]).unwrap();
        Self(reference)
    }
}
