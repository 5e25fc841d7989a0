//! What the files' resources do between runs.

use std::path::Path;

use longshore_crds::RemoteReference;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn key() -> AppKey {
    AppKey { namespace: "default".to_owned(), name: "web".to_owned() }
}

/// A run of the project `shop` with one app that has this tag, remembering in this folder.
fn run(base: &Path, tag: &str) -> FileResources {
    let file = base.join("app.yaml");
    let text = format!(
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerApp\nmetadata: {{name: web}}\n\
         spec: {{image: {{name: a, tags: [\"{tag}\"]}}}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let manifests = Manifests::load(&[file]).unwrap_or_else(|error| panic!("{error}"));
    with(base, manifests)
}

fn with(base: &Path, manifests: Manifests) -> FileResources {
    let state = StateFolder::of_project("shop", Some(&base.join("state"))).unwrap();
    FileResources::new(Project::named("shop"), state, manifests, Endpoint::default())
}

/// A run of the same project against another engine.
fn elsewhere(base: &Path) -> FileResources {
    let state = StateFolder::of_project("shop", Some(&base.join("state"))).unwrap();
    let endpoint = "tcp://other:2375".parse().unwrap();
    FileResources::new(Project::named("shop"), state, Manifests::default(), endpoint)
}

fn taken(base: &Path, tag: &str) -> (FileResources, ContainerApp) {
    let resources = run(base, tag);
    resources.take(&[key()], NOW).unwrap();
    let app = resources.current(&key()).unwrap();
    (resources, app)
}

fn leaving() -> Leaving {
    Leaving { uid: Project::named("shop").uid_of(&key()), key: key() }
}

fn status(generation: i64) -> ContainerAppStatus {
    ContainerAppStatus { observed_generation: generation, ..ContainerAppStatus::default() }
}

#[tokio::test]
async fn the_same_files_are_the_same_generation_and_keep_their_status() {
    let base = tempfile::tempdir().unwrap();
    let (resources, first) = taken(base.path(), "0.1");
    assert_eq!(first.metadata.generation, Some(1));
    resources.write_status(&first, &status(1)).await.unwrap();
    drop(resources);

    let (_resources, second) = taken(base.path(), "0.1");
    assert_eq!(second.metadata.generation, Some(1));
    assert_eq!(second.metadata.uid, first.metadata.uid);
    assert_eq!(second.status, Some(status(1)));
}

#[test]
fn an_edited_spec_is_the_next_generation() {
    let base = tempfile::tempdir().unwrap();
    drop(taken(base.path(), "0.1"));
    let (_resources, app) = taken(base.path(), "0.2");
    assert_eq!(app.metadata.generation, Some(2));
}

#[test]
fn without_its_memory_an_app_is_still_the_same() {
    let base = tempfile::tempdir().unwrap();
    let (_, first) = taken(base.path(), "0.1");
    std::fs::remove_dir_all(base.path().join("state")).unwrap();
    let (_, second) = taken(base.path(), "0.1");
    assert_eq!(second.metadata.uid, first.metadata.uid);
}

#[tokio::test]
async fn a_write_from_an_old_look_is_a_conflict() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    resources.hold(&app).await.unwrap();
    assert_eq!(resources.write_status(&app, &status(1)).await, Err(ResourceError::Conflict));
    let app = resources.current(&key()).unwrap();
    assert_eq!(app.finalizers(), [FINALIZER]);
    resources.write_status(&app, &status(1)).await.unwrap();
}

#[tokio::test]
async fn an_app_that_is_released_is_forgotten() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    resources.release(&app).await.unwrap();
    assert!(resources.current(&key()).is_none());
    drop(resources);
    let without_files = with(base.path(), Manifests::default());
    assert_eq!(without_files.left_behind().unwrap(), []);
}

#[test]
fn an_app_that_is_not_in_the_files_any_more_can_be_taken_away() {
    let base = tempfile::tempdir().unwrap();
    let (resources, first) = taken(base.path(), "0.1");
    drop(resources);

    let resources = with(base.path(), Manifests::default());
    assert_eq!(resources.left_behind().unwrap(), [key()]);
    resources.take_away(&leaving(), Images::Go, NOW).unwrap();
    let app = resources.current(&key()).unwrap();
    assert_eq!(app.metadata.uid, first.metadata.uid);
    assert_eq!(app.spec, first.spec);
    assert!(app.metadata.deletion_timestamp.is_some());
}

#[tokio::test]
async fn when_images_stay_it_stays_remembered_which_they_are_and_nothing_else() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    let mut told = status(1);
    told.local_references = vec!["a:0.1".to_owned()];
    let pushed = RemoteReference { reference: "gcr.io/p/a:0.1".to_owned(), digest: None, superseded_at: None };
    told.remote_references = vec![pushed.clone()];
    told.rolled_back = Some("something".to_owned());
    resources.write_status(&app, &told).await.unwrap();
    drop(resources);

    let resources = with(base.path(), Manifests::default());
    resources.take_away(&leaving(), Images::Stay, NOW).unwrap();
    resources.release(&resources.current(&key()).unwrap()).await.unwrap();
    drop(resources);

    let (_resources, again) = taken(base.path(), "0.1");
    let status = again.status.unwrap();
    assert_eq!((status.local_references, status.remote_references), (vec!["a:0.1".to_owned()], vec![pushed]));
    assert_eq!(status.rolled_back, None);
    assert_eq!(again.metadata.deletion_timestamp, None);
}

#[test]
fn looking_at_an_app_writes_nothing_and_is_in_nobodys_way() {
    let base = tempfile::tempdir().unwrap();
    let resources = run(base.path(), "0.1");
    resources.look_at(&[key()], NOW).unwrap();
    assert!(resources.current(&key()).is_some());
    assert!(!base.path().join("state").exists());
    let (_other, _) = taken(base.path(), "0.1");
    resources.look_at(&[key()], NOW).unwrap();
}

#[tokio::test]
async fn an_app_is_not_looked_for_on_another_engine_than_the_one_that_it_is_on() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    resources.hold(&app).await.unwrap();
    drop(resources);

    let resources = elsewhere(base.path());
    let error = resources.take_away(&leaving(), Images::Go, NOW).unwrap_err().to_string();
    assert!(error.contains("brought up on the engine at unix:///var/run/docker.sock"), "{error}");
    assert!(resources.current(&key()).is_none());
}

#[test]
fn an_app_that_has_made_nothing_yet_may_go_to_any_engine() {
    let base = tempfile::tempdir().unwrap();
    drop(taken(base.path(), "0.1"));
    elsewhere(base.path()).take_away(&leaving(), Images::Go, NOW).unwrap();
}

#[test]
fn an_app_of_which_only_labels_are_left_can_be_taken_away() {
    let base = tempfile::tempdir().unwrap();
    let resources = with(base.path(), Manifests::default());
    resources.take_away(&leaving(), Images::Go, NOW).unwrap();
    let app = resources.current(&key()).unwrap();
    assert_eq!(app.metadata.uid, Some(Project::named("shop").uid_of(&key())));
    assert_eq!(app.finalizers(), [FINALIZER]);
}

#[tokio::test]
async fn the_default_engine_is_the_endpoint_unless_the_files_say_otherwise() {
    let base = tempfile::tempdir().unwrap();
    let resources = run(base.path(), "0.1");
    let engine = resources.engine("default").await.unwrap().unwrap();
    assert_eq!(engine.spec.endpoint, "unix:///var/run/docker.sock");
    assert_eq!(resources.engine("other").await.unwrap(), None);

    let file = base.path().join("engine.yaml");
    std::fs::write(
        &file,
        "apiVersion: longshore.dev/v1alpha1\nkind: ContainerEngine\nmetadata: {name: default}\n\
         spec: {endpoint: \"tcp://engine:2375\"}\n",
    )
    .unwrap();
    let manifests = Manifests::load(&[file]).unwrap_or_else(|error| panic!("{error}"));
    let engine = with(base.path(), manifests).engine("default").await.unwrap().unwrap();
    assert_eq!(engine.spec.endpoint, "tcp://engine:2375");
}

fn revision(app: &ContainerApp, number: i64, log: &str) -> ContainerAppRevision {
    let owner = crate::app::Owner {
        instance: Project::named("shop").instance().clone(),
        uid: app.uid().unwrap(),
        namespace: "default".to_owned(),
        name: "web".to_owned(),
    };
    let spec = serde_json::json!({"app": "web", "revision": number, "image": "a:0.1"});
    let status = serde_json::json!({"outcome": "Succeeded", "log": log});
    let record = crate::app::RevisionRecord {
        owner_uid: owner.uid.clone(),
        spec: serde_json::from_value(spec).unwrap(),
        status: serde_json::from_value(status).unwrap(),
    };
    record.to_resource(&owner)
}

fn logs(revisions: &[ContainerAppRevision]) -> Vec<(i64, &str)> {
    let mut logs: Vec<(i64, &str)> = revisions
        .iter()
        .map(|revision| (revision.spec.revision, revision.status.as_ref().unwrap().log.as_str()))
        .collect();
    logs.sort_unstable();
    logs
}

#[tokio::test]
async fn records_of_revisions_are_kept_between_runs_and_replaced_as_a_whole() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    for (number, log) in [(1, "one"), (2, "two"), (2, "again")] {
        resources.write_revision(&app, &revision(&app, number, log)).await.unwrap();
    }
    drop(resources);

    let (resources, app) = taken(base.path(), "0.1");
    let revisions = resources.revisions(&app).await.unwrap();
    assert_eq!(logs(&revisions), [(1, "one"), (2, "again")]);
    assert!(revisions.iter().all(|revision| revision.metadata.creation_timestamp.is_some()));
    resources.remove_revision(&app, "web-1").await.unwrap();
    resources.remove_revision(&app, "web-1").await.unwrap();
    assert_eq!(logs(&resources.revisions(&app).await.unwrap()), [(2, "again")]);
}

#[tokio::test]
async fn the_records_of_an_app_that_is_removed_go_and_those_of_images_that_stay_do_not() {
    let base = tempfile::tempdir().unwrap();
    for (images, left) in [(Images::Stay, 1), (Images::Go, 0)] {
        let (resources, app) = taken(base.path(), "0.1");
        resources.write_revision(&app, &revision(&app, 1, "one")).await.unwrap();
        let told = ContainerAppStatus { local_references: vec!["a:0.1".to_owned()], ..status(1) };
        resources.write_status(&app, &told).await.unwrap();
        drop(resources);
        let resources = with(base.path(), Manifests::default());
        resources.take_away(&leaving(), images, NOW).unwrap();
        let leaving = resources.current(&key()).unwrap();
        resources.release(&leaving).await.unwrap();
        assert_eq!(resources.revisions(&leaving).await.unwrap().len(), left, "{images:?}");
        let late = resources.write_revision(&leaving, &revision(&leaving, 2, "late")).await;
        assert_eq!(late, Err(ResourceError::Conflict), "{images:?}");
    }
}

#[tokio::test]
async fn looking_at_an_app_reads_its_records() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    resources.write_revision(&app, &revision(&app, 1, "one")).await.unwrap();
    let looking = run(base.path(), "0.1");
    looking.look_at(&[key()], NOW).unwrap();
    let seen = looking.current(&key()).unwrap();
    assert_eq!(looking.revisions(&seen).await.unwrap().len(), 1);
}

#[tokio::test]
async fn other_apps_are_those_of_the_files_and_those_that_any_project_looks_after() {
    let base = tempfile::tempdir().unwrap();
    let (resources, app) = taken(base.path(), "0.1");
    let beside = async |app: &ContainerApp| {
        let others = resources.others(app).await.unwrap();
        others.iter().map(ResourceExt::name_any).collect::<Vec<String>>()
    };
    let named = |name: &str| AppKey { namespace: "default".to_owned(), name: name.to_owned() };
    assert_eq!(beside(&app).await, [""; 0], "it is no other");
    assert_eq!(beside(&tombstone(&named("other"))).await, ["web"]);
    let blog = StateFolder::of_project("blog", Some(&base.path().join("state"))).unwrap();
    let mut remembered = tombstone(&named("blog"));
    blog.write(&named("blog"), &remembered).unwrap();
    assert_eq!(beside(&app).await, [""; 0], "only its images are left");
    remembered.metadata.uid = Some("uid of the blog".to_owned());
    remembered.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    blog.write(&named("blog"), &remembered).unwrap();
    assert_eq!(beside(&app).await, ["blog"]);
}
