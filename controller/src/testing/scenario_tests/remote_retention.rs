//! Superseded tags are deleted at their registry, and no other ones.

use super::*;
use crate::reconcile::{EventKind, ResourceError};
use crate::testing::{Deletes, ResourceOperation};

const REPOSITORY: &str = "gcr.io/my-project/node-app";

/// Both ways in which registries delete.
const BOTH_WAYS: [Deletes; 2] = [Deletes::Tags, Deletes::Manifests];

/// An app with this content, pushed under these tags, of which a number of superseded images is kept.
fn pushed(content: &str, tags: &[&str], keep: Option<i32>) -> ContainerApp {
    let mut app = node_app(content);
    app.spec.push[0].tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    app.spec.push[0].keep = keep;
    app
}

fn tag(name: &str) -> ImageReference {
    reference(&format!("{REPOSITORY}:{name}"))
}

/// The tags of the repository.
fn tags(world: &World) -> Vec<String> {
    let all = world.registry.tags("gcr.io");
    let here = all.iter().filter(|reference| reference.repository().to_string() == REPOSITORY);
    here.filter_map(|reference| reference.tag().map(str::to_owned)).collect()
}

/// The tags of the record in the status, and whether they are superseded.
fn recorded(world: &World) -> Vec<(String, bool)> {
    let references = world.status().remote_references;
    let short = |text: &str| text.rsplit_once(':').unwrap().1.to_owned();
    let mut tags: Vec<(String, bool)> =
        references.iter().map(|tag| (short(&tag.reference), tag.superseded_at.is_some())).collect();
    tags.sort();
    tags
}

/// Applies, and lets a process of its own do it. Between two of them some time passes, as between two deployments.
async fn deploy(world: &World, app: &ContainerApp) {
    world.resources.apply(app);
    world.live(&CrashPlan::none()).await;
    world.clock.advance(Duration::from_mins(1));
}

async fn deploy_versions(world: &World, versions: &[&str], keep: Option<i32>) {
    for version in versions {
        deploy(world, &pushed(version, &[version], keep)).await;
    }
}

fn world(deletes: Deletes) -> World {
    let world = World::new(ImageStore::GraphDriver);
    world.registry.set_deletes("gcr.io", deletes);
    world
}

fn events(world: &World, reason: &str) -> Vec<String> {
    let events = world.resources.events(&world.key);
    events.into_iter().filter(|event| event.reason == reason).map(|event| event.note).collect()
}

#[tokio::test]
async fn as_many_superseded_images_as_asked_for_stay_and_the_tags_of_older_ones_go() {
    for store in BOTH_STORES {
        for deletes in BOTH_WAYS {
            let world = World::new(store);
            world.registry.set_deletes("gcr.io", deletes);
            deploy_versions(&world, &["1", "2", "3", "4"], Some(1)).await;
            assert_eq!(tags(&world), ["3", "4"], "{store:?} {deletes:?}");
            assert_eq!(recorded(&world), [("3".to_owned(), true), ("4".to_owned(), false)]);
            assert_eq!(world.ready().0, "True");
            let told = events(&world, "TagDeleted");
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(told[0].contains("it is superseded, and 1 superseded image is kept in gcr.io/my-project/node-app"));
        }
    }
}

#[tokio::test]
async fn within_a_second_too_the_last_that_was_asked_for_is_the_last_to_go() {
    for deletes in BOTH_WAYS {
        let world = world(deletes);
        let versions = ["4", "1", "3", "2", "4", "1"];
        for version in versions {
            world.resources.apply(&pushed(version, &[version], Some(1)));
            world.live(&CrashPlan::none()).await;
        }
        assert_eq!(tags(&world), ["1", "4"], "{deletes:?}");
    }
}

#[tokio::test]
async fn nothing_is_deleted_where_nothing_is_asked_for() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1", "2", "3"], None).await;
    assert_eq!(tags(&world), ["1", "2", "3"]);
    assert_eq!(recorded(&world), []);
}

#[tokio::test]
async fn what_was_pushed_right_before_it_was_asked_for_counts_too() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1", "2"], None).await;
    deploy_versions(&world, &["3"], Some(0)).await;
    assert_eq!(tags(&world), ["1", "3"], "that 1 was pushed nobody remembers");
}

#[tokio::test]
async fn an_image_that_a_wanted_tag_holds_is_not_superseded() {
    for deletes in BOTH_WAYS {
        let world = world(deletes);
        for version in ["1", "2", "3"] {
            deploy(&world, &pushed("the same", &[version], Some(0))).await;
        }
        assert_eq!(tags(&world), ["1", "2", "3"], "{deletes:?}");
        deploy(&world, &pushed("another", &["4"], Some(0))).await;
        assert_eq!(tags(&world), ["4"], "{deletes:?}");
    }
}

#[tokio::test]
async fn a_tag_that_moves_along_stays_and_the_others_of_its_old_image_go() {
    for deletes in BOTH_WAYS {
        let world = world(deletes);
        for version in ["1", "2", "3"] {
            deploy(&world, &pushed(version, &["latest", version], Some(1))).await;
        }
        assert_eq!(tags(&world), ["2", "3", "latest"], "{deletes:?}");
    }
}

#[tokio::test]
async fn all_tags_of_an_old_image_go_together() {
    for deletes in BOTH_WAYS {
        let world = world(deletes);
        deploy(&world, &pushed("1", &["1", "1-slim"], Some(0))).await;
        deploy(&world, &pushed("2", &["2"], Some(0))).await;
        assert_eq!(tags(&world), ["2"], "{deletes:?}");
        assert_eq!(events(&world, "TagDeleted").len(), if deletes == Deletes::Tags { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_tag_that_somebody_has_moved_is_left_alone_and_forgotten() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1", "2"], Some(1)).await;
    world.registry.put(&tag("1"), &MemoryImage::new("somebody's"));
    deploy_versions(&world, &["3"], Some(1)).await;
    assert_eq!(tags(&world), ["1", "2", "3"]);
    assert_eq!(recorded(&world), [("2".to_owned(), true), ("3".to_owned(), false)]);
    assert_eq!(events(&world, "TagDeleted"), [""; 0]);
}

#[tokio::test]
async fn what_was_there_before_us_is_not_ours() {
    let world = world(Deletes::Tags);
    deploy(&world, &pushed("1", &["1"], Some(0))).await;
    let image = world.registry.tagged(&tag("1")).unwrap();
    // The same image under the next tag, which somebody has pushed already.
    world.registry.copy(&tag("1"), &tag("by-hand"));
    deploy(&world, &pushed("1", &["by-hand"], Some(0))).await;
    deploy(&world, &pushed("2", &["2"], Some(0))).await;
    assert_eq!(tags(&world), ["2", "by-hand"]);
    assert_eq!(world.registry.tagged(&tag("by-hand")), Some(image));
}

#[tokio::test]
async fn a_manifest_that_an_unknown_tag_needs_is_not_deleted_and_told_once() {
    let world = world(Deletes::Manifests);
    deploy(&world, &pushed("1", &["1"], Some(0))).await;
    world.registry.copy(&tag("1"), &tag("by-hand"));
    deploy_versions(&world, &["2", "3"], Some(0)).await;
    assert_eq!(tags(&world), ["1", "3", "by-hand"]);
    assert_eq!(events(&world, "TagShared").len(), 1);
    assert_eq!(recorded(&world), [("3".to_owned(), false)]);
}

#[tokio::test]
async fn what_another_resource_names_is_never_deleted() {
    for deletes in BOTH_WAYS {
        let world = world(deletes);
        let mut other = node_app("other");
        other.metadata.name = Some("other".to_owned());
        other.spec.push.clear();
        other.spec.run = None;
        other.spec.image.build = None;
        other.spec.image.name = REPOSITORY.to_owned();
        other.spec.image.tags = vec!["1".to_owned()];
        world.resources.apply(&other);
        deploy_versions(&world, &["1", "2", "3"], Some(0)).await;
        assert_eq!(tags(&world), ["1", "3"], "{deletes:?}");
        let key = AppKey { namespace: "default".to_owned(), name: "other".to_owned() };
        world.resources.delete(&key);
        world.live(&CrashPlan::none()).await;
        assert_eq!(tags(&world), ["3"], "{deletes:?}");
    }
}

#[tokio::test]
async fn nothing_is_deleted_while_the_other_resources_cannot_be_read() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1"], Some(0)).await;
    for _ in 0..3 {
        world.resources.fail_next(ResourceOperation::Others, ResourceError::Unavailable("away".to_owned()));
    }
    world.resources.apply(&pushed("2", &["2"], Some(0)));
    let process = world.process(&CrashPlan::none());
    settle(&process, &world.key, &world.clock).await;
    assert_eq!((tags(&world), world.ready().0.as_str()), (vec!["1".to_owned(), "2".to_owned()], "True"));
    world.clock.advance(AT_REST);
    for _ in 0..3 {
        settle(&process, &world.key, &world.clock).await;
    }
    assert_eq!(tags(&world), ["2"]);
}

#[tokio::test]
async fn a_registry_that_deletes_nothing_is_told_once_and_left_alone() {
    let world = world(Deletes::Nothing);
    deploy_versions(&world, &["1", "2"], Some(0)).await;
    let process = world.process(&CrashPlan::none());
    world.resources.apply(&pushed("3", &["3"], Some(0)));
    settle(&process, &world.key, &world.clock).await;
    let told = events(&world, "DeletionUnsupported");
    for _ in 0..24 {
        world.clock.advance(AT_REST);
        settle(&process, &world.key, &world.clock).await;
    }
    assert_eq!(events(&world, "DeletionUnsupported"), told);
    assert_eq!(told.len(), 2, "once by each process: {told:?}");
    assert!(told.iter().all(|note| note.contains("let the registry delete")), "{told:?}");
    assert_eq!((tags(&world).len(), world.ready().0.as_str()), (3, "True"));
    let pushed = world.status().conditions.into_iter().find(|condition| condition.type_ == "Pushed").unwrap();
    assert_eq!(pushed.status, "True", "{}", pushed.message);

    world.registry.set_deletes("gcr.io", Deletes::Manifests);
    world.clock.advance(Duration::from_hours(30));
    settle(&process, &world.key, &world.clock).await;
    assert_eq!(tags(&world), ["3"], "after a day it is tried again");
}

#[tokio::test]
async fn a_registry_that_is_away_is_asked_again() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1", "2"], Some(1)).await;
    let process = world.process(&CrashPlan::none());
    world.resources.apply(&pushed("3", &["3"], Some(1)));
    world.registry.fail_deletions("gcr.io", 3, "503 service unavailable");
    settle(&process, &world.key, &world.clock).await;
    assert_eq!(tags(&world), ["2", "3"]);
    let warned = world.resources.events(&world.key);
    let warned = warned.iter().filter(|event| event.kind == EventKind::Warning).count();
    assert_eq!(warned, 1, "the same trouble is told once");
    assert_eq!(world.registry.misdirected_credentials("gcr.io"), 0);
}

#[tokio::test]
async fn a_resource_that_is_deleted_leaves_what_it_has_pushed() {
    let world = world(Deletes::Tags);
    deploy_versions(&world, &["1", "2"], Some(1)).await;
    world.resources.delete(&world.key);
    world.live(&CrashPlan::none()).await;
    assert_eq!(tags(&world), ["1", "2"]);
}

#[tokio::test]
async fn a_process_may_die_at_any_effect_of_a_deployment_that_deletes_tags() {
    for store in BOTH_STORES {
        for deletes in BOTH_WAYS {
            let scenario = async |plan: &CrashPlan| {
                let world = World::new(store);
                world.registry.set_deletes("gcr.io", deletes);
                world.registry.put(&tag("by-hand"), &MemoryImage::new("somebody's"));
                deploy(&world, &pushed("1", &["1", "1-slim"], Some(1))).await;
                deploy_versions(&world, &["2"], Some(1)).await;
                world.resources.apply(&pushed("hello", &["3"], Some(1)));
                world.live(plan).await;
                world
            };
            dies_at_every_effect(scenario, |world, case| {
                assert_eq!(tags(world), ["2", "3", "by-hand"], "{case}");
                assert_eq!(recorded(world), [("2".to_owned(), true), ("3".to_owned(), false)], "{case}");
                assert_eq!(world.ready().0, "True", "{case}");
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_push_of_which_nobody_heard_is_ours_though_the_next_process_wants_another_tag() {
    for store in BOTH_STORES {
        let scenario = async |plan: &CrashPlan| {
            let world = World::new(store);
            deploy_versions(&world, &["1"], Some(0)).await;
            world.resources.apply(&pushed("2", &["2"], Some(0)));
            world.live(plan).await;
            world.resources.apply(&pushed("3", &["3"], Some(0)));
            world
        };
        let whole = CrashPlan::none();
        scenario(&whole).await;
        let number = whole.effects().iter().position(|effect| effect.starts_with("push image")).unwrap();
        let world = scenario(&CrashPlan::at(number, Moment::After)).await;
        assert_eq!(tags(&world), ["1", "2"]);
        world.live(&CrashPlan::none()).await;
        assert_eq!(tags(&world), ["3"]);
    }
}
