//! Published ports: what is asked for is what answers at the host, and what cannot be is told. On both engines, by
//! `longshore up`.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore_tests::{ENGINES, LabEngine, StandaloneProject, unique_name};
use serde_json::{Value, json};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// An app whose page is served on ports of the container.
struct App {
    project: StandaloneProject,
    name: String,
}

impl App {
    fn on(engine: LabEngine) -> Self {
        Self { project: StandaloneProject::begin(engine), name: unique_name("ports") }
    }

    fn file(&self, page: &str, ports: &Value, others: &Value) -> String {
        let serve = format!(
            "mkdir -p /www && echo {page} > /www/index.html && for port in 80 81 82; do httpd -p [::]:$port -h /www; done; \
             exec sleep 3600"
        );
        let mut run = json!({"command": ["sh", "-c", serve], "terminationGracePeriodSeconds": 0, "ports": ports});
        run.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        self.project.app(&self.name, &json!({"image": {"name": "busybox"}, "run": run}), &[])
    }

    fn up(&self, ports: &Value) -> String {
        self.project.up(&self.file("page", ports, &json!({}))).well().all()
    }

    /// What the status says is published.
    fn published(&self) -> Vec<String> {
        serde_json::from_value(self.project.status(&self.name)["container"]["ports"].clone()).unwrap()
    }

    fn message(&self) -> String {
        self.project.condition(&self.name, "Ready")["message"].as_str().unwrap().to_owned()
    }

    fn id(&self) -> String {
        self.project.engine.docker(&["inspect", "--format", "{{.Id}}", &self.name]).unwrap()
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port()
}

/// The first of three ports of which none is taken.
fn three_free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    loop {
        let first = free_port();
        if first < 65_000 && is_free(first + 1) && is_free(first + 2) {
            return first;
        }
    }
}

/// The page that is served at an address.
fn page_at(address: IpAddr, port: u16) -> Option<String> {
    let address = SocketAddr::new(address, port);
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.trim().to_owned())
}

fn until_there_is_a_page(address: IpAddr, port: u16) {
    for _ in 0..300 {
        if page_at(address, port).as_deref() == Some("page") {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("there is no page at {address}, port {port}");
}

/// The host port in `0.0.0.0:32768->80/tcp`.
fn host_port(published: &str) -> u16 {
    published.split_once("->").unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap()
}

#[test]
fn a_port_that_the_engine_chooses_is_told_and_may_change_with_a_restart() {
    for engine in ENGINES {
        let app = App::on(engine);
        let ports = json!([{"containerPort": 80}]);
        let said = app.up(&ports);
        let [port] = &app.published()[..] else { panic!("{:?}", app.published()) };
        assert!(port.starts_with("0.0.0.0:") && port.ends_with("->80/tcp"), "{port}");
        assert!(app.message().contains(port), "{}", app.message());
        assert!(said.contains(&format!("http://localhost:{}", host_port(port))), "{said}");
        assert!(app.project.longshore(&["ps"]).unwrap().contains(port));
        until_there_is_a_page(LOCALHOST, host_port(port));

        // Another port is no reason for another container.
        let before = app.id();
        engine.docker(&["restart", "--time", "0", &app.name]).unwrap();
        app.up(&ports);
        let [now] = &app.published()[..] else { panic!("{:?}", app.published()) };
        let told = engine.docker(&["port", &app.name, "80/tcp"]).unwrap();
        assert_eq!(told.trim(), now.split_once("->").unwrap().0);
        assert_eq!(app.id(), before);
        until_there_is_a_page(LOCALHOST, host_port(now));
    }
}

#[test]
fn a_range_is_published_whole_and_told_as_one() {
    for engine in ENGINES {
        let app = App::on(engine);
        let first = three_free_ports();
        app.up(&json!([{"hostPort": first, "containerPort": 80, "endPort": 82}]));
        let told = format!("0.0.0.0:{first}-{}->80-82/tcp", first + 2);
        assert_eq!(app.published(), std::slice::from_ref(&told));
        assert!(app.message().contains(&told), "{}", app.message());
        for port in first..first + 3 {
            until_there_is_a_page(LOCALHOST, port);
        }
    }
}

#[test]
fn a_port_is_published_on_several_ports_and_addresses() {
    for engine in ENGINES {
        let app = App::on(engine);
        let (one, two) = (free_port(), free_port());
        app.up(&json!([
            {"hostPort": one, "containerPort": 80},
            {"hostPort": one, "containerPort": 80, "hostIP": "::"},
            {"hostPort": two, "containerPort": 80, "hostIP": "::1"},
        ]));
        let mut expected =
            [format!("0.0.0.0:{one}->80/tcp"), format!("[::]:{one}->80/tcp"), format!("[::1]:{two}->80/tcp")];
        let mut told = app.published();
        expected.sort();
        told.sort();
        assert_eq!(told, expected);
        until_there_is_a_page(LOCALHOST, one);
        until_there_is_a_page(LOCALHOST6, one);
        until_there_is_a_page(LOCALHOST6, two);
        assert_eq!(page_at(LOCALHOST, two), None, "it is published on ::1 alone");
    }
}

#[test]
fn a_port_of_udp_is_published_beside_the_same_one_of_tcp() {
    for engine in ENGINES {
        let app = App::on(engine);
        let port = free_port();
        let ports = json!([
            {"hostPort": port, "containerPort": 80},
            {"hostPort": port, "containerPort": 80, "protocol": "UDP", "hostIP": "127.0.0.1"},
        ]);
        app.up(&ports);
        let mut told = app.published();
        told.sort();
        assert_eq!(told, [format!("0.0.0.0:{port}->80/tcp"), format!("127.0.0.1:{port}->80/udp")]);
        // The image has no program that answers UDP: nobody else can listen there, and can on another address.
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_err(), "{engine:?}");
        assert!(UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), port)).is_ok(), "{engine:?}");
    }
}

#[test]
fn an_address_that_the_host_does_not_have_is_told_and_another_helps() {
    for engine in ENGINES {
        let app = App::on(engine);
        let port = free_port();
        let with = |address: &str| json!([{"hostPort": port, "containerPort": 80, "hostIP": address}]);
        let others = json!({});
        let file = app.file("page", &with("192.0.2.77"), &others);
        let said = app.project.longshore(&["up", "-d", "--timeout", "10s", "-f", &file]).unwrap_err();
        assert!(said.contains("the engine's host has no address 192.0.2.77: choose another hostIP"), "{said}");
        assert_eq!(app.project.condition(&app.name, "Ready")["reason"], "HostIPNotFound");
        app.up(&with("127.0.0.1"));
        until_there_is_a_page(LOCALHOST, port);
    }
}

#[test]
fn the_holder_of_one_port_of_a_range_is_named() {
    for engine in ENGINES {
        let app = App::on(engine);
        let first = three_free_ports();
        let holder = unique_name("holder");
        let publish = format!("127.0.0.1:{}:53/udp", first + 1);
        engine.docker(&["run", "-d", "--name", &holder, "-p", &publish, "busybox", "sleep", "3600"]).unwrap();
        let range =
            |protocol: &str| json!([{"hostPort": first, "containerPort": 80, "endPort": 82, "protocol": protocol}]);
        let plan = app.project.longshore(&["plan", "-f", &app.file("page", &range("UDP"), &json!({}))]).unwrap();
        let told = format!("UDP port {} is held by the container {holder}, which is not Longshore's", first + 1);
        assert!(plan.contains(&told), "{plan}");
        // It holds none of TCP.
        app.up(&range("TCP"));
        engine.remove_by_hand(&holder);
    }
}

#[test]
fn a_process_that_listens_on_the_port_is_named() {
    for engine in ENGINES {
        let app = App::on(engine);
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports = json!([{"hostPort": port, "containerPort": 80}]);
        let file = app.file("page", &ports, &json!({}));
        let said = app.project.longshore(&["up", "-d", "--timeout", "10s", "-f", &file]).unwrap_err();
        let ready = app.project.condition(&app.name, "Ready");
        assert_eq!(ready["reason"], "PortConflict", "{said}");
        let process = format!("(PID {}), a process on the engine's host", std::process::id());
        assert!(app.message().contains(&process), "{}", app.message());
        drop(listener);
        app.up(&ports);
        until_there_is_a_page(LOCALHOST, port);
    }
}

#[test]
fn a_container_whose_ports_are_others_than_the_specs_is_replaced() {
    for engine in ENGINES {
        let app = App::on(engine);
        let (asked, other) = (free_port(), free_port());
        let ports = json!([{"hostPort": asked, "containerPort": 80}]);
        app.up(&ports);
        // Somebody makes it anew by hand, with all that makes it ours and another port.
        let inspected = |format: &str| engine.docker(&["inspect", "--format", format, &app.name]).unwrap();
        let labels = inspected("{{range $key, $value := .Config.Labels}}{{$key}}={{$value}}\n{{end}}");
        let image = inspected("{{.Image}}").trim().to_owned();
        let publish = format!("0.0.0.0:{other}:80");
        let mut run = vec!["run", "-d", "--name", &app.name, "-p", &publish];
        for label in labels.lines().filter(|line| !line.is_empty()) {
            run.extend(["--label", label]);
        }
        run.extend([image.as_str(), "sleep", "3600"]);
        engine.remove_by_hand(&app.name);
        engine.docker(&run).unwrap();
        let plan = app.project.longshore(&["plan", "-f", &app.file("page", &ports, &json!({}))]).unwrap();
        assert!(plan.contains(&format!("port {other} is published, port {asked} is asked for")), "{plan}");
        app.up(&ports);
        assert_eq!(app.published(), [format!("0.0.0.0:{asked}->80/tcp")]);
        until_there_is_a_page(LOCALHOST, asked);
    }
}

#[test]
fn with_ports_that_the_engine_chooses_the_old_container_answers_until_the_new_one_is_ready() {
    for engine in ENGINES {
        let app = App::on(engine);
        let ports = json!([{"containerPort": 80}]);
        let asked = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:80/"];
        let overlap = json!({
            "strategy": "Overlap",
            "readinessProbe": {"exec": {"command": asked}, "periodSeconds": 1, "timeoutSeconds": 5},
        });
        app.project.up(&app.file("one", &ports, &overlap)).well();
        let old = host_port(&app.published()[0]);
        assert_eq!(page_at(LOCALHOST, old).as_deref(), Some("one"));

        let second = app.file("two", &ports, &overlap);
        let is_over = AtomicBool::new(false);
        let gaps = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut gaps = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let old_answers = page_at(LOCALHOST, old).is_some();
                    // Once the old one is away, the new one must be ready.
                    if !old_answers && !healthy_pages(&app).iter().any(|page| page == "two") {
                        gaps.push(app.project.engine.docker(&["ps"]));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                gaps
            });
            app.project.up(&second).well();
            is_over.store(true, Ordering::Relaxed);
            watcher.join().unwrap()
        });
        assert!(gaps.is_empty(), "{engine:?}: nobody answered: {gaps:?}");
        let new = host_port(&app.published()[0]);
        assert_ne!(new, old);
        assert_eq!(page_at(LOCALHOST, new).as_deref(), Some("two"));
        assert_eq!(page_at(LOCALHOST, old), None);
    }
}

/// The pages at the ports of the app's containers.
fn healthy_pages(app: &App) -> Vec<String> {
    let filter = format!("name={}", app.name);
    let format = "{{.Ports}}";
    let listed = app.project.engine.docker(&["ps", "--filter", &filter, "--format", format]).unwrap_or_default();
    let ports = listed.lines().filter(|line| line.contains("->"));
    ports.filter_map(|port| page_at(LOCALHOST, host_port(port))).collect()
}

#[test]
fn what_cannot_be_published_is_refused_before_anything_is_done() {
    let app = App::on(LabEngine::Engine29);
    for (ports, told) in [
        (json!([{"hostPort": 8000, "containerPort": 80, "endPort": 79}]), "endPort is the last of the ports"),
        (json!([{"hostPort": 65535, "containerPort": 80, "endPort": 81}]), "must not go past 65535"),
        (json!([{"hostPort": 8000, "containerPort": 80, "endPort": 400}]), "there may be 256 ports"),
        (
            json!([{"hostPort": 8000, "containerPort": 80}, {"hostPort": 8000, "containerPort": 81, "hostIP": "127.0.0.1"}]),
            "spec.run.ports[1].hostPort: 8000 is published by spec.run.ports[0] already",
        ),
        (json!([{"hostPort": 8000, "containerPort": 80, "hostIP": "fe80::1%eth0"}]), "is not an IP address"),
    ] {
        let said = app.project.up(&app.file("page", &ports, &json!({})));
        assert_eq!(said.exit_code, Some(2), "{}", said.all());
        assert!(said.all().contains(told), "{}", said.all());
    }
}
