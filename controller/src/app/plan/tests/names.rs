//! Who has our container's name.

use super::*;

#[test]
fn a_foreign_container_of_our_name_is_named_and_left_alone() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers = vec![foreign_container("my-app", &[])];
    let plan = plan(&desired, &observed, now());
    assert_eq!(plan.steps, Vec::new());
    assert_eq!(plan.blocks[0].reason, Reason::NameConflict);
    assert!(plan.blocks[0].message.contains("my-app, which is not Longshore's"), "{}", plan.blocks[0].message);
}

#[test]
fn the_holder_of_our_name_is_named_with_its_project_where_that_is_another() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    let mut message_when_held_by = |owner: &Owner| {
        observed.containers = vec![Container { labels: owner.labels(), ..foreign_container("my-app", &[]) }];
        plan(&desired, &observed, now()).blocks[0].message.clone()
    };
    let elsewhere = Owner { instance: Instance::new("shop"), ..owner() };
    let message = message_when_held_by(&elsewhere);
    let named = "the container my-app of the ContainerApp default/my-app of another project or installation, shop:";
    assert!(message.contains(named), "{message}");
    let neighbour = Owner { uid: "uid-2".to_owned(), name: "web".to_owned(), ..owner() };
    let message = message_when_held_by(&neighbour);
    assert!(message.contains("the container my-app of the ContainerApp default/web:"), "{message}");
}

#[test]
fn a_name_is_waited_for_while_the_engine_removes_the_container_that_has_it() {
    let desired = wanted();
    let image = built_image(&desired);
    let mut leaving = container(&desired, &image, "c1");
    leaving.state = ContainerState::Removing;
    let observed = Observed { containers: vec![leaving], images: vec![image.clone()], ..everything_well(&desired) };
    let waiting = plan(&desired, &observed, now());
    assert_eq!(actions(&waiting), [""; 0]);
    assert_eq!(waiting.blocks[0].reason, Reason::Starting);
    assert!(waiting.blocks[0].message.starts_with("the engine is removing the container my-app"));
    let observed = Observed { containers: Vec::new(), ..observed };
    assert_eq!(actions(&plan(&desired, &observed, now())), ["create container my-app", "start container my-app"]);
}
