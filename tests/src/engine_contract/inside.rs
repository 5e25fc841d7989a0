//! What a program in a container sees of what was asked for. The engine in memory runs no programs.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use longshore::app::{
    Bounds, Bytes, ContainerId, ContainerSpec, ContainerState, KeyOrigin, MilliCpu, Mount, MountSource, MountedFile,
    Naming, ObjectKind, Security, labels,
};
use longshore::engine::LogOptions;
use longshore_crds::StopSignal;

use super::scene::{Fixture, Scene, play, script, server};

/// Hostname, hosts and the resolver's settings.
pub async fn a_program_sees_its_names(fixture: Fixture) {
    play(fixture, async |scene| {
        let naming = Naming {
            hostname: Some("web".to_owned()),
            hosts: vec![("db".to_owned(), "10.7.7.7".parse().expect("an address"))],
            nameservers: vec!["10.7.7.53".parse().expect("an address")],
            searches: vec!["example.com".to_owned()],
            options: vec!["ndots:2".to_owned()],
        };
        let looks = "hostname; grep -c '^10.7.7.7.*db$' /etc/hosts; grep -v '^#' /etc/resolv.conf | grep .";
        let printed = printed(&scene, ContainerSpec { naming, ..script(looks) }).await;
        let mut lines = printed.lines();
        assert_eq!((lines.next(), lines.next()), (Some("web"), Some("1")), "{printed}");
        let resolver: BTreeSet<&str> = lines.collect();
        assert_eq!(resolver, BTreeSet::from(["nameserver 10.7.7.53", "options ndots:2", "search example.com"]));
    })
    .await;
}

/// User, groups, capabilities, a root that cannot be written to.
pub async fn a_program_has_no_more_rights_than_it_was_left(fixture: Fixture) {
    play(fixture, async |scene| {
        let security = Security {
            user: Some(1234),
            group: Some(2345),
            groups: BTreeSet::from([3456]),
            has_read_only_root: true,
            gains_no_privileges: true,
            dropped_capabilities: BTreeSet::from(["ALL".to_owned()]),
            sysctls: BTreeMap::from([(longshore_crds::SysctlName::IpUnprivilegedPortStart, "80".to_owned())]),
        };
        let looks = "id -u; id -G; sed -n 's/^\\(CapBnd\\|NoNewPrivs\\):\\s*//p' /proc/self/status; \
                     cat /proc/sys/net/ipv4/ip_unprivileged_port_start; touch /tmp/file 2>&1 | grep -c Read-only";
        let printed = printed(&scene, ContainerSpec { security, ..script(looks) }).await;
        assert_eq!(printed, "1234\n2345 3456\n0000000000000000\n1\n80\n1\n");
    })
    .await;
}

/// By the names that they have in the network, and by no others.
pub async fn a_program_finds_others_by_their_names(fixture: Fixture) {
    play(fixture, async |scene| {
        for network in ["net", "other-net"] {
            assert_eq!(scene.engine().create_network(&scene.name(network), &BTreeMap::new()).await, Ok(()));
        }
        let db = scene.create_in("net", "db", "db", server()).await;
        scene.engine().start_container(&db).await.expect("a start");
        let places = scene.inspect(&db).await.networks;
        let address = places[&scene.name("net")].address.clone().expect("an address");
        // The server's own address stands before the name that was asked for.
        let looks = "nslookup db 127.0.0.11 2>&1 | sed -n '/^Name:.*db/,$ s/^Address: *//p' | tail -n 1";
        for (network, found) in [("net", format!("{address}\n")), ("other-net", String::new())] {
            let asker = scene.create_in(network, "asker", &format!("asker-{network}"), script(looks)).await;
            scene.engine().start_container(&asker).await.expect("a start");
            scene.until(&asker, |container| container.state == ContainerState::Exited).await;
            let chunks = scene.engine().logs(&asker, &LogOptions::default()).try_collect::<Vec<_>>().await;
            let printed: Vec<u8> = chunks.expect("a log").iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
            assert_eq!(String::from_utf8_lossy(&printed), found, "{network}");
        }
    })
    .await;
}

/// What its kernel allows it. That of version 1 and of version 2 have other names.
pub async fn a_program_gets_no_more_than_its_bounds(fixture: Fixture) {
    play(fixture, async |scene| {
        let bounds = Bounds {
            memory: Some(Bytes(64 << 20)),
            cpu: Some(MilliCpu(500)),
            pids: Some(50),
            reserved_memory: Some(Bytes(32 << 20)),
            ..Bounds::default()
        };
        let looks = "cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes; \
                     cat pids.max 2>/dev/null || cat pids/pids.max";
        let printed = printed(&scene, ContainerSpec { bounds, ..script(looks) }).await;
        assert_eq!(printed, "67108864\n50\n");
    })
    .await;
}

/// Files and folders are there when it begins.
pub async fn a_program_finds_its_folders(fixture: Fixture) {
    play(fixture, async |scene| {
        let mount =
            |path: &str, is_read_only: bool, source: MountSource| Mount { path: path.to_owned(), is_read_only, source };
        let file = |path: &str, mode: u32| MountedFile {
            path: path.to_owned(),
            mode,
            content: format!("content of {path}\n").into_bytes(),
            origin: KeyOrigin { kind: ObjectKind::Secret, name: "s".to_owned(), key: path.to_owned() },
        };
        let mounts = vec![
            mount("/files", true, MountSource::Files(vec![file("a", 0o444), file("below/b", 0o400)])),
            mount("/none", true, MountSource::Files(Vec::new())),
            mount("/empty", false, MountSource::Empty),
            mount("/sealed", true, MountSource::Empty),
            mount("/memory", false, MountSource::Memory(Some(Bytes(1 << 20)))),
        ];
        let looks = "cat /files/a /files/below/b; stat -c %a /files/a /files/below/b /empty /memory; ls -A /none; \
                     touch /empty/file /memory/file; touch /files/file /sealed/file 2>&1 | grep -c Read-only; \
                     stat -f -c %T /memory";
        let printed = printed(&scene, ContainerSpec { mounts, ..script(looks) }).await;
        assert_eq!(printed, "content of a\ncontent of below/b\n444\n400\n777\n777\n2\ntmpfs\n");
    })
    .await;
}

/// What held the folders until the container was made is not left, whether it could be made or not.
pub async fn nothing_is_left_that_held_folders(fixture: Fixture) {
    play(fixture, async |scene| {
        let mounts = vec![Mount { path: "/empty".to_owned(), is_read_only: false, source: MountSource::Empty }];
        let spec = ContainerSpec { mounts, ..server() };
        scene.create("app", spec.clone()).await;
        let image = scene.base_image().await.id;
        scene.try_create("app", image, spec).await.expect_err("the name is taken");
        let containers = scene.engine().list_containers().await.expect("the containers");
        let of_ours = |label: &str| scene.name("app") == label;
        let left = containers.iter().filter_map(|container| container.labels.get(labels::FOLDERS_OF));
        assert_eq!(left.filter(|label| of_ours(label)).count(), 0);
    })
    .await;
}

/// The signal by which it is asked to end is the one that was named.
pub async fn a_program_is_stopped_by_its_signal(fixture: Fixture) {
    play(fixture, async |scene| {
        let spec = ContainerSpec {
            stop_signal: Some(StopSignal::SigUsr1),
            ..script("trap 'exit 7' USR1; echo ready; sleep 3600 & wait")
        };
        let id = scene.run("app", spec).await;
        // Until it is ready it heeds no signal.
        while said(&scene, &id).await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let stopped = scene.engine().stop_container(&id, std::time::Duration::from_secs(30)).await;
        assert_eq!(stopped, Ok(()));
        assert_eq!(scene.inspect(&id).await.detail.expect("a detail").exit_code, 7);
    })
    .await;
}

/// What a container prints until it ends.
async fn printed(scene: &Scene, spec: ContainerSpec) -> String {
    let id = scene.run("app", spec).await;
    scene.until(&id, |container| container.state == ContainerState::Exited).await;
    said(scene, &id).await
}

async fn said(scene: &Scene, id: &ContainerId) -> String {
    let chunks: Vec<_> = scene.engine().logs(id, &LogOptions::default()).try_collect().await.expect("a log");
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
