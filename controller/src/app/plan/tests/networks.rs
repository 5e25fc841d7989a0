//! The network of a namespace: made once, put right, and removed with the last container.

use super::*;

fn ours() -> String {
    owner().network_name()
}

/// A container of another resource of the namespace.
fn neighbour() -> Container {
    let other = Owner { uid: "uid-2".to_owned(), name: "db".to_owned(), ..owner() };
    Container { labels: other.labels(), ..foreign_container("db", &[]) }
}

fn steps(desired: &Desired, observed: &Observed) -> Vec<(String, String)> {
    let plan = plan(desired, observed, now());
    assert_eq!(plan.blocks, []);
    plan.steps.into_iter().map(|step| (step.action.to_string(), step.cause)).collect()
}

fn refusal(desired: &Desired, observed: &Observed) -> Block {
    let plan = plan(desired, observed, now());
    assert_eq!(plan.steps, []);
    plan.blocks.first().cloned().unwrap()
}

#[test]
fn it_is_made_before_the_first_container() {
    let desired = wanted();
    let observed = Observed { images: vec![built_image(&desired)], ..Observed::default() };
    let steps = steps(&desired, &observed);
    let cause = "the namespace default has no network on the engine yet".to_owned();
    assert_eq!(steps[0], (format!("create network {}", ours()), cause));
    assert_eq!(steps[1].0, "create container my-app");
}

#[test]
fn one_that_is_there_is_not_made_again() {
    let desired = wanted();
    let observed = Observed { images: vec![built_image(&desired)], ..engine() };
    assert_eq!(steps(&desired, &observed)[0].0, "create container my-app");
}

#[test]
fn a_foreign_one_is_named_and_left_alone() {
    let desired = wanted();
    let foreign = Network { labels: BTreeMap::new(), ..network("n1") };
    let observed =
        Observed { images: vec![built_image(&desired)], networks: vec![foreign.clone()], ..Observed::default() };
    let block = refusal(&desired, &observed);
    assert_eq!(block.reason, Reason::NetworkConflict);
    let name = ours();
    let sentence = format!(
        "the network {name} was made by somebody who is not Longshore: remove it with docker network rm {name}"
    );
    assert_eq!(block.message, sentence);
    // Nor is it removed with the resource.
    assert_eq!(plan_removal(&owner(), &observed, Removal::Containers, Duration::ZERO), []);
}

#[test]
fn a_container_that_is_not_in_it_is_connected_and_not_replaced() {
    let desired = wanted();
    for networks in [BTreeMap::new(), BTreeMap::from([("bridge".to_owned(), NetworkPlace::default())])] {
        let mut observed = everything_well(&desired);
        observed.containers[0].networks = networks;
        let cause = format!("it is not connected to the network {}", ours());
        let connect = format!("connect container my-app to network {}", ours());
        assert_eq!(steps(&desired, &observed), [(connect, cause)]);
    }
}

#[test]
fn a_container_that_has_lost_its_ports_with_its_network_is_not_replaced_for_it() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].networks.clear();
    observed.containers[0].ports.clear();
    assert_eq!(steps(&desired, &observed).len(), 1);
}

#[test]
fn a_stopped_container_whose_network_was_made_anew_is_connected_before_its_start() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    observed.containers[0].state = ContainerState::Exited;
    observed.networks = vec![network("n2")];
    assert_eq!(steps(&desired, &observed)[0].0, format!("connect container my-app to network {}", ours()));
    observed.networks.clear();
    let first = steps(&desired, &observed).remove(0).0;
    assert_eq!(first, format!("create network {}", ours()));
}

#[test]
fn of_two_of_the_name_the_younger_one_goes() {
    let desired = wanted();
    let younger = Network { created_at: now() + Duration::from_secs(1), ..network("n0") };
    let observed =
        Observed { images: vec![built_image(&desired)], networks: vec![younger, network("n1")], ..Observed::default() };
    let first = plan(&desired, &observed, now()).steps.remove(0);
    assert_eq!(first.action, Action::RemoveNetwork { id: "n0".to_owned(), name: ours() });
}

#[test]
fn it_goes_after_the_last_container() {
    let observed = everything_well(&wanted());
    let removal = |observed: &Observed| {
        let steps = plan_removal(&owner(), observed, Removal::Containers, Duration::ZERO);
        steps.iter().map(|step| step.action.to_string()).collect::<Vec<_>>()
    };
    let network = format!("remove network {}", ours());
    assert_eq!(removal(&observed), ["stop container my-app", "remove container my-app", &network]);
    let mut observed = Observed { containers: vec![neighbour()], ..observed };
    assert_eq!(removal(&observed), [""; 0]);
    // Somebody has put a container of their own into it.
    observed.containers[0].labels.clear();
    assert_eq!(removal(&observed), [""; 0]);
    observed.containers[0].networks.clear();
    assert_eq!(removal(&observed), [network]);
}

#[test]
fn it_goes_with_the_run_section() {
    let desired = wanted();
    let mut observed = everything_well(&desired);
    let without_run = Desired { run: None, ..desired };
    let last = steps(&without_run, &observed).pop().unwrap();
    assert_eq!(last.0, format!("remove network {}", ours()));
    // A resource that never had a container leaves it alone.
    observed.containers.clear();
    assert_eq!(steps(&without_run, &observed), []);
}

#[test]
fn one_that_the_engine_does_not_let_go_of_keeps_no_resource_from_its_end() {
    let mut observed = engine();
    let refused = Failure {
        count: 1,
        last: now(),
        part: Part::Container,
        reason: Reason::EngineError,
        message: "has active endpoints".to_owned(),
        retry: Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&Action::RemoveNetwork { id: "n1".to_owned(), name: ours() }, refused);
    assert_eq!(plan_removal(&owner(), &observed, Removal::Containers, Duration::ZERO), []);
}

#[test]
fn a_lack_of_addresses_stands_in_the_way_under_its_own_reason() {
    let desired = wanted();
    let mut observed = Observed { images: vec![built_image(&desired)], ..Observed::default() };
    let failure = Failure {
        count: 1,
        last: now(),
        part: Part::Container,
        reason: Reason::NetworkPoolExhausted,
        message: "no addresses are left".to_owned(),
        retry: Retry::SOON,
        build_failure: None,
    };
    observed.attempts.failed(&Action::CreateNetwork { name: ours() }, failure);
    assert_eq!(refusal(&desired, &observed).reason, Reason::NetworkPoolExhausted);
}
