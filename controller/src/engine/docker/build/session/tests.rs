//! The session, asked as an engine asks it, over a connection in memory.

use std::collections::BTreeMap;

use bollard_buildkit_proto::fsutil::types::packet::PacketType;
use bollard_buildkit_proto::fsutil::types::{Packet, Stat};
use bollard_buildkit_proto::health::HealthCheckRequest;
use bollard_buildkit_proto::health::health_check_response::ServingStatus;
use bollard_buildkit_proto::health::health_client::HealthClient;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::GetSecretRequest;
use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_client::SecretsClient;
use bollard_buildkit_proto::moby::filesync::packet::file_sync_client::FileSyncClient;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_client::SshClient;
use bollard_buildkit_proto::moby::sshforward::v1::{BytesMessage, CheckAgentRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

use super::super::http2::Http2;
use super::*;
use crate::build::{ContextReader, ContextSource, DockerfileSource};

const DOCKERFILE: &str = "FROM scratch\nCOPY . /\n";

fn dockerfile() -> DockerfileSource {
    DockerfileSource::InContext("Dockerfile".to_owned())
}

fn request_of(files: &[(&str, &str)]) -> BuildRequest {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let context = ContextReader::default().read_files(files, &dockerfile()).unwrap();
    BuildRequest::new(Arc::new(context), "app".parse().unwrap(), "longshore/test")
}

/// An engine at the other end of a session.
struct Asking {
    http2: Http2,
    sent: Sent,
}

async fn ask(request: &BuildRequest) -> Asking {
    let session = Session::new(request, &(Arc::new(|_| ()) as ProgressSink));
    let sent = session.sent.clone();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move { session.serve(TokioIo::new(ours)).await });
    let (http2, driving) = Http2::over(TokioIo::new(theirs)).await.unwrap();
    tokio::spawn(driving);
    Asking { http2, sent }
}

/// A folder that is being taken.
struct Taking {
    questions: mpsc::Sender<Packet>,
    answers: Streaming<Packet>,
}

impl Asking {
    async fn take(&self, headers: &[(&'static str, &str)]) -> Result<Taking, Status> {
        let (questions, receiver) = mpsc::channel(1000);
        let mut request = Request::new(ReceiverStream::new(receiver));
        for (name, value) in headers {
            request.metadata_mut().append(*name, value.parse().unwrap());
        }
        let mut client = FileSyncClient::with_origin(self.http2.clone(), Http2::origin());
        let answers = client.diff_copy(request).await?.into_inner();
        Ok(Taking { questions, answers })
    }

    /// The paths that are told of a part of the context.
    async fn paths(&self, headers: &[(&'static str, &str)]) -> Vec<String> {
        let all = [&[("dir-name", "context")], headers].concat();
        let mut taking = self.take(&all).await.unwrap();
        taking.stats().await.into_iter().map(|stat| stat.path).collect()
    }
}

impl Taking {
    async fn next(&mut self) -> Result<Packet, Status> {
        self.answers.message().await.map(|packet| packet.expect("one more packet"))
    }

    async fn stats(&mut self) -> Vec<Stat> {
        let mut stats = Vec::new();
        loop {
            let packet = self.next().await.unwrap();
            assert_eq!(packet.r#type(), PacketType::PacketStat);
            match packet.stat {
                Some(stat) => stats.push(stat),
                None => return stats,
            }
        }
    }

    async fn say(&self, kind: PacketType, id: u32) {
        self.questions.send(Packet { r#type: kind.into(), id, ..Packet::default() }).await.unwrap();
    }

    async fn file(&mut self, id: u32) -> Result<Vec<u8>, Status> {
        self.say(PacketType::PacketReq, id).await;
        let mut content = Vec::new();
        loop {
            let packet = self.next().await?;
            match packet.r#type() {
                PacketType::PacketData if packet.data.is_empty() => return Ok(content),
                PacketType::PacketData => content.extend(packet.data),
                PacketType::PacketErr => return Err(Status::unknown(String::from_utf8(packet.data).unwrap())),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn who_asks_hears_that_we_are_well_and_what_we_do_not_serve() {
    let asking = ask(&request_of(&[("Dockerfile", DOCKERFILE)])).await;
    let mut health = HealthClient::with_origin(asking.http2.clone(), Http2::origin());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let mut secrets = SecretsClient::with_origin(asking.http2.clone(), Http2::origin());
    let refused = secrets.get_secret(GetSecretRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "a build without secrets serves none");
}

#[tokio::test]
async fn files_are_told_name_by_name_and_sent_when_they_are_asked_for() {
    let large = "x".repeat(200_000);
    let asking = ask(&request_of(&[("Dockerfile", DOCKERFILE), ("a-b", "1"), ("a/b", "2"), ("a.c", &large)])).await;
    let mut taking = asking.take(&[("dir-name", "context")]).await.unwrap();
    let stats = taking.stats().await;
    let paths: Vec<&str> = stats.iter().map(|stat| stat.path.as_str()).collect();
    // A folder comes right before what is in it: "a-b" is before "a/b" by its bytes, and behind it by its names.
    assert_eq!(paths, ["Dockerfile", "a", "a/b", "a-b", "a.c"]);
    assert_eq!(stats.iter().map(|stat| stat.mode).collect::<Vec<_>>()[..3], [0o644, 0o755 | 1 << 31, 0o644]);
    assert_eq!(taking.file(4).await.unwrap(), large.as_bytes());
    assert_eq!(taking.file(2).await.unwrap(), b"2");
    assert_eq!(asking.sent.bytes(), 200_001);
    taking.say(PacketType::PacketFin, 0).await;
    assert_eq!(taking.next().await.unwrap().r#type(), PacketType::PacketFin);
    assert_eq!(taking.answers.message().await.unwrap(), None);
    assert_eq!(asking.sent.problem(), None);
}

#[tokio::test]
async fn the_time_has_the_content_in_it_and_nothing_else_of_this_machine() {
    let stats = async |text: &str, epoch: Option<i64>| {
        let request =
            BuildRequest { source_date_epoch: epoch, ..request_of(&[("Dockerfile", DOCKERFILE), ("a", text)]) };
        let mut taking = ask(&request).await.take(&[("dir-name", "context")]).await.unwrap();
        taking.stats().await
    };
    let (before, same, after) = (stats("12", None).await, stats("12", None).await, stats("21", None).await);
    assert_eq!(before, same);
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1].mod_time, after[1].mod_time, "an edit that keeps the length");
    assert_eq!(before[1].mod_time / 1_000_000_000, 0);
    let given = stats("12", Some(1_700_000_000)).await;
    assert_eq!(given[1].mod_time / 1_000_000_000, 1_700_000_000);
    assert_eq!(given[1].mod_time % 1_000_000_000, before[1].mod_time % 1_000_000_000);
}

#[tokio::test]
async fn the_dockerfile_lies_in_a_folder_of_its_own_with_its_patterns() {
    let asking = ask(&request_of(&[
        ("Dockerfile", DOCKERFILE),
        ("Dockerfile.dockerignore", "Dockerfile*\n"),
        (".dockerignore", "a\n"),
        ("a", "1"),
    ]))
    .await;
    let mut taking = asking.take(&[("dir-name", "dockerfile"), ("followpaths", "Dockerfile")]).await.unwrap();
    assert_eq!(taking.stats().await.len(), 1);
    assert_eq!(taking.file(0).await.unwrap(), DOCKERFILE.as_bytes());
    let mut taking = asking.take(&[("dir-name", "dockerfile")]).await.unwrap();
    assert_eq!(taking.stats().await[1].path, "Dockerfile.dockerignore");
    assert_eq!(asking.sent.bytes(), 0, "the Dockerfile is none of the context's files");
    assert_eq!(asking.paths(&[]).await, [".dockerignore", "a"]);
}

#[tokio::test]
async fn only_what_is_wanted_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in
        [("Dockerfile", DOCKERFILE), ("src/a.js", "1"), ("src/b.ts", "2"), ("real/data", "3"), ("ü", "4")]
    {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    for (name, target) in [("link", "real"), ("loop", "loop"), ("out", "../../etc"), ("absolute", "/src/a.js")] {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    }
    let source = ContextSource::Folder(folder.path().to_owned());
    let context = ContextReader::default().read(source, dockerfile()).await.unwrap();
    let asking = ask(&BuildRequest::new(Arc::new(context), "app".parse().unwrap(), "longshore/test")).await;
    let paths = async |headers: &[(&'static str, &str)]| asking.paths(headers).await;

    assert_eq!(paths(&[("followpaths", "src/*.js")]).await, ["src", "src/a.js"]);
    assert_eq!(paths(&[("followpaths", "link/data")]).await, ["link", "real", "real/data"]);
    assert_eq!(paths(&[("followpaths", "l*")]).await, ["link", "loop", "real", "real/data"]);
    assert_eq!(paths(&[("followpaths", "absolute")]).await, ["absolute", "src", "src/a.js"]);
    assert_eq!(paths(&[("followpaths", "out")]).await, ["out"], "what is outside is not there");
    assert_eq!(paths(&[("followpaths", "../../src/a.js")]).await, ["src", "src/a.js"], "the root has no outside");
    assert_eq!(paths(&[("followpaths", "nowhere")]).await, [""; 0]);
    assert_eq!(paths(&[("followpaths", "."), ("followpaths", "src")]).await, paths(&[]).await);
    assert_eq!(paths(&[("include-patterns", "src/**"), ("exclude-patterns", "**/*.ts")]).await, ["src", "src/a.js"]);
    assert_eq!(paths(&[("exclude-patterns", "*"), ("exclude-patterns", "!src/b.ts")]).await, ["src", "src/b.ts"]);
    assert_eq!(paths(&[("followpaths", "%C3%BC"), ("followpaths-encoded", "1")]).await, ["ü"]);
    assert_eq!(paths(&[("followpaths", "a+b"), ("followpaths-encoded", "1")]).await, [""; 0]);
}

#[tokio::test]
async fn an_engine_that_asks_for_nonsense_is_refused() {
    let asking = ask(&request_of(&[("Dockerfile", DOCKERFILE), ("a/b", "1")])).await;
    for folder in ["", "/", "..", "home", "CONTEXT"] {
        let refused = asking.take(&[("dir-name", folder)]).await.err().unwrap();
        assert_eq!(refused.code(), Code::NotFound, "{folder}");
    }
    let nonsense: [&[(PacketType, u32)]; 6] = [
        &[(PacketType::PacketReq, 1)],
        &[(PacketType::PacketReq, 3)],
        &[(PacketType::PacketReq, u32::MAX)],
        &[(PacketType::PacketReq, 0), (PacketType::PacketReq, 0)],
        &[(PacketType::PacketStat, 0)],
        &[(PacketType::PacketErr, 0)],
    ];
    for questions in nonsense {
        let mut taking = asking.take(&[("dir-name", "context")]).await.unwrap();
        taking.stats().await;
        for (kind, id) in questions {
            taking.say(*kind, *id).await;
        }
        let ended = loop {
            if let Err(status) = taking.next().await {
                break status;
            }
        };
        assert_eq!(ended.code(), Code::InvalidArgument, "{questions:?}");
    }
    let refused = asking.take(&[("dir-name", "context"), ("include-patterns", "[")]).await.unwrap().next().await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_file_that_changes_in_between_is_named_and_never_sent_whole() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("Dockerfile", DOCKERFILE);
    write("a", "12345");
    let source = ContextSource::Folder(folder.path().to_owned());
    let context = ContextReader::default().read(source, dockerfile()).await.unwrap();
    write("a", "54321");
    let asking = ask(&BuildRequest::new(Arc::new(context), "app".parse().unwrap(), "longshore/test")).await;
    let mut taking = asking.take(&[("dir-name", "context")]).await.unwrap();
    taking.stats().await;
    let error = taking.file(1).await.unwrap_err();
    assert!(error.message().starts_with("\"a\" changed while"), "{error}");
    assert_eq!(asking.sent.problem().as_deref(), Some(error.message()));
    assert_eq!(asking.sent.bytes(), 0);
}

#[tokio::test]
async fn an_agent_is_had_by_its_id() {
    let key = crate::engine::SshKey::from_openssh(include_bytes!("../../../test_keys/ed25519")).unwrap();
    let ssh = BTreeMap::from([("default".to_owned(), vec![key])]);
    let asking = ask(&BuildRequest { ssh, ..request_of(&[("Dockerfile", DOCKERFILE)]) }).await;
    let mut client = SshClient::with_origin(asking.http2.clone(), Http2::origin());
    for (id, is_there) in [("default", true), ("", true), ("other", false)] {
        let answer = client.check_agent(CheckAgentRequest { id: id.to_owned() }).await;
        assert_eq!(answer.err().map(|status| status.code()), (!is_there).then_some(Code::NotFound), "{id}");
    }
    let question = BytesMessage { data: vec![0, 0, 0, 1, 11] };
    let answers = client.forward_agent(tokio_stream::iter([question])).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    assert_eq!(answer.data[4], 12, "the list of its keys");
}

#[tokio::test]
async fn the_connection_says_what_is_served() {
    let mut request = request_of(&[("Dockerfile", DOCKERFILE)]);
    let silent: ProgressSink = Arc::new(|_| ());
    let names = |request: &BuildRequest| {
        let session = Session::new(request, &silent);
        session.headers().iter().map(|(_, value)| (*value).to_owned()).collect::<Vec<_>>()
    };
    let plain = names(&request);
    assert!(plain.contains(&"longshore/test".to_owned()));
    assert!(!plain.iter().any(|name| name.contains("Secrets") || name.contains("SSH")));
    request.secrets = BTreeMap::from([("token".to_owned(), b"canary".to_vec().into())]);
    let with_secrets = names(&request);
    assert!(with_secrets.contains(&"/moby.buildkit.secrets.v1.Secrets/GetSecret".to_owned()));
    assert_ne!(plain[0], with_secrets[0], "no two sessions have one ID");
}
