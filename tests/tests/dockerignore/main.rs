//! `.dockerignore` means to Longshore what it means to Docker: of the same context the same files arrive in the image,
//! on both engines.
//!
//! Each row says what arrives. It is held against Longshore and against `docker build` with BuildKit: by the newest
//! client where `lab install bench` has brought it, and otherwise by that of Docker 20.10.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use futures::StreamExt;
use longshore::build::{ContextReader, ContextSource, DockerfileSource};
use longshore_tests::{LabEngine, lab, unique_name};
use rows::{ROWS, Row};
use tempfile::TempDir;

/// Builds at once. More of them gain nothing on two cores.
const CONCURRENT: usize = 6;

/// Rows in which something else arrives by Longshore. Such a row fails as soon as that is no longer so.
const LONGSHORE_DIFFERS: &[&str] = &[
    // A class with a star in it is what Go says that it is.
    "a star in a class",
];

/// The same for docker's client of 20.10, which had an older matcher, and left folders before it looked for what an
/// exception brings back from them.
const DOCKER_20_DIFFERS: &[&str] = &[
    "signs of regular expressions",
    "two stars before a name",
    "only a kind, of all folders",
    "a wildcard in an exception's folder",
];

/// And only where a new engine tells that client what to leave out: it writes other alphabets in a way of its own.
const DOCKER_20_DIFFERS_ON_29: &[&str] = &["other alphabets"];

/// The names of what arrives, those of folders with a slash at the end.
type Arrived = BTreeSet<String>;

/// Contexts by the names of their rows.
struct Contexts(BTreeMap<&'static str, TempDir>);

impl Contexts {
    fn written() -> Self {
        Self(ROWS.iter().map(|row| (row.name, write(row))).collect())
    }

    fn of(&self, row: &Row) -> &Path {
        self.0[row.name].path()
    }
}

fn write(row: &Row) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, content: &str| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    };
    for path in row.keeps.iter().chain(row.leaves_out) {
        put(path, path);
    }
    put(".dockerignore", row.ignore);
    // In both, so that it does not matter which one a build takes.
    for dockerfile in ["Dockerfile", row.dockerfile] {
        put(dockerfile, "FROM scratch\nADD . /\n");
    }
    if let Some(own) = row.own_ignore {
        put(&format!("{}.dockerignore", row.dockerfile), own);
    }
    folder
}

/// What the row says that arrives: all of its files but those that are left out.
fn expected(row: &Row) -> Arrived {
    let always = ["Dockerfile", ".dockerignore"].into_iter().filter(|name| !row.leaves_out.contains(name));
    always.chain(row.keeps.iter().copied()).map(str::to_owned).collect()
}

fn files_of(arrived: &Arrived) -> Arrived {
    arrived.iter().filter(|name| !name.ends_with('/')).cloned().collect()
}

/// What arrives by docker, which writes the image's files down instead of keeping an image.
async fn by_docker(engine: LabEngine, contexts: &Contexts) -> BTreeMap<&'static str, Arrived> {
    let newest = LabEngine::has_newest_client();
    let builds = ROWS.iter().map(|row| {
        let context = contexts.of(row).to_owned();
        let dockerfile = context.join(row.dockerfile);
        async move {
            let result = tempfile::NamedTempFile::new().unwrap();
            let output = format!("type=tar,dest={}", result.path().display());
            let file = dockerfile.to_str().unwrap().to_owned();
            let building = tokio::task::spawn_blocking(move || {
                let arguments = ["--output", &output, "--file", &file, context.to_str().unwrap()];
                if newest { engine.build_with_newest(&arguments) } else { engine.build(&arguments) }
            });
            building.await.unwrap().unwrap_or_else(|problem| panic!("{}: {problem}", row.name));
            (row.name, names_in(result.path()))
        }
    });
    futures::stream::iter(builds).buffer_unordered(CONCURRENT).collect().await
}

fn names_in(archive: &Path) -> Arrived {
    let mut archive = tar::Archive::new(File::open(archive).unwrap());
    let names = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        String::from_utf8(entry.path_bytes().into_owned()).unwrap()
    });
    names.filter(|name| !matches!(name.as_str(), "" | "./" | "/")).collect()
}

/// What arrives by Longshore. Its images are looked into all at once, by a build of docker's that mounts them.
async fn by_longshore(engine: LabEngine, contexts: &Contexts) -> BTreeMap<&'static str, Arrived> {
    let name = unique_name("dockerignore");
    let image = |index: usize| format!("{name}:{index}");
    let builds = ROWS.iter().enumerate().map(|(index, row)| {
        let reference = image(index);
        async move { lab::build_folder(engine, contexts.of(row), row.dockerfile, &reference).await }
    });
    futures::stream::iter(builds).buffer_unordered(CONCURRENT).collect::<Vec<()>>().await;

    let mounts = (0..ROWS.len()).map(|index| format!(" --mount=from={},target=/rows/{index}", image(index)));
    let list = "cd /rows && for row in *; do (cd $row && find . -mindepth 1 -type d -exec echo $row {}/ ';' \
                -o -mindepth 1 -exec echo $row {} ';'); done > /list";
    let mounts: String = mounts.collect();
    let dockerfile = format!("FROM busybox AS list\nRUN{mounts} {list}\nFROM scratch\nCOPY --from=list /list /\n");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let place = folder.path().to_str().unwrap();
    let listed = engine.build(&["--output", place, place]);
    let images: Vec<String> = (0..ROWS.len()).map(image).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    engine.docker(&[&["rmi"], images.as_slice()].concat()).expect("the images are removed");
    listed.unwrap_or_else(|problem| panic!("the images are not looked into: {problem}"));

    let mut arrived: BTreeMap<_, _> = ROWS.iter().map(|row| (row.name, Arrived::new())).collect();
    for line in fs::read_to_string(folder.path().join("list")).unwrap().lines() {
        let (index, path) = line.split_once(" ./").unwrap();
        arrived.get_mut(ROWS[index.parse::<usize>().unwrap()].name).unwrap().insert(path.to_owned());
    }
    arrived
}

/// What is not as the rows say, and is not known to differ; and what is known to and does not.
fn problems(whose: &str, arrived: &BTreeMap<&'static str, Arrived>, known: &[&str]) -> Vec<String> {
    let judge = |row: &Row| {
        let (expected, found) = (expected(row), files_of(&arrived[row.name]));
        match (expected == found, known.contains(&row.name)) {
            (true, false) | (false, true) => None,
            (true, true) => Some(format!("{whose}, {}: differs no longer; take it off the list", row.name)),
            (false, false) => {
                let missing: Vec<_> = expected.difference(&found).collect();
                let surplus: Vec<_> = found.difference(&expected).collect();
                Some(format!("{whose}, {}: {missing:?} did not arrive, {surplus:?} should not have", row.name))
            }
        }
    };
    ROWS.iter().filter_map(judge).collect()
}

/// Rows in which something else arrives by docker.
fn docker_differs(engine: LabEngine) -> Vec<&'static str> {
    match engine {
        _ if LabEngine::has_newest_client() => Vec::new(),
        LabEngine::Engine20 => DOCKER_20_DIFFERS.to_vec(),
        LabEngine::Engine29 => [DOCKER_20_DIFFERS, DOCKER_20_DIFFERS_ON_29].concat(),
    }
}

async fn the_same_files_arrive(engine: LabEngine) {
    let contexts = Contexts::written();
    let (docker, ours) = tokio::join!(by_docker(engine, &contexts), by_longshore(engine, &contexts));
    let docker_differs = docker_differs(engine);
    let mut found = problems("docker", &docker, &docker_differs);
    found.extend(problems("Longshore", &ours, LONGSHORE_DIFFERS));
    // Folders too, of which the rows say nothing.
    let differs = |row: &Row| LONGSHORE_DIFFERS.contains(&row.name) || docker_differs.contains(&row.name);
    for row in ROWS.iter().filter(|row| !differs(row) && ours[row.name] != docker[row.name]) {
        found.push(format!("{}: {:?} by Longshore, {:?} by docker", row.name, ours[row.name], docker[row.name]));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn on_docker_20() {
    the_same_files_arrive(LabEngine::Engine20).await;
}

#[tokio::test]
async fn on_docker_29() {
    the_same_files_arrive(LabEngine::Engine29).await;
}

/// Patterns that nobody can make sense of.
#[tokio::test]
async fn malformed_lines_are_refused() {
    for line in ["[a", "a[b-", "!", "x[]y"] {
        let context = write(&Row { ignore: line, ..rows::row("", "", &[], &[]) });
        let source = ContextSource::Folder(context.path().to_owned());
        let dockerfile = DockerfileSource::InContext("Dockerfile".to_owned());
        assert!(ContextReader::default().read(source, dockerfile).await.is_err(), "Longshore takes {line}");
        let place = context.path().to_str().unwrap();
        assert!(LabEngine::Engine29.build(&[place]).is_err(), "docker takes {line}");
    }
}

#[test]
fn no_two_rows_have_one_name() {
    let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), ROWS.len());
    let known = [LONGSHORE_DIFFERS, DOCKER_20_DIFFERS, DOCKER_20_DIFFERS_ON_29].concat();
    assert!(known.iter().all(|name| names.contains(name)));
}
