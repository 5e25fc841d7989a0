use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use super::*;
use crate::app::ContextDigest;
use crate::build::reader::ContextLimits;

const APP: &[(&str, &str)] =
    &[("Dockerfile", "FROM node:6\nWORKDIR /app\nADD . /app\n"), ("src/app.js", "console.log('Hello World')\n")];

async fn digest(source: ContextSource) -> ContextDigest {
    read(source).await.unwrap().digest()
}

#[tokio::test]
async fn the_same_files_have_the_same_digest_wherever_they_come_from() {
    assert_eq!(digest(in_folder(&folder_of(APP))).await, digest(inline(APP)).await);
}

/// If this value changes, every image is built again after an upgrade: give the digest a new version then.
#[tokio::test]
async fn the_digest_is_the_same_on_every_machine_and_in_every_release() {
    assert_eq!(
        digest(inline(APP)).await.0.as_str(),
        "sha256:e10bbb636f022b86c4d4b9e7d73fc4d7880c0d919acd65438459f52b0890f693"
    );
}

#[tokio::test]
async fn times_owners_and_other_rights_do_not_count() {
    let folder = folder_of(APP);
    let before = read_folder(&folder).await.digest();
    let file = fs::File::options().write(true).open(folder.path().join("src/app.js")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    set_mode(&folder, "src/app.js", 0o600);
    set_mode(&folder, "src", 0o700);
    assert_eq!(read_folder(&folder).await.digest(), before);
}

#[tokio::test]
async fn whatever_a_build_can_see_counts() {
    let folder = folder_of(APP);
    let mut seen = vec![read_folder(&folder).await.digest()];
    let mut note = async |what: &str| {
        let digest = read_folder(&folder).await.digest();
        assert!(!seen.contains(&digest), "{what}");
        seen.push(digest);
    };
    set_mode(&folder, "src/app.js", 0o755);
    note("a file became executable").await;
    write(&folder, "src/app.js", "console.log('Hello Cloud')\n");
    note("a file has other content of the same length").await;
    fs::rename(folder.path().join("src/app.js"), folder.path().join("src/main.js")).unwrap();
    note("a file has another name").await;
    fs::create_dir(folder.path().join("empty")).unwrap();
    note("there is an empty folder").await;
    std::os::unix::fs::symlink("src", folder.path().join("link")).unwrap();
    note("there is a link").await;
    fs::remove_file(folder.path().join("link")).unwrap();
    write(&folder, "link", "src");
    note("a file is where the link was").await;
}

#[tokio::test]
async fn an_unchanged_folder_is_not_read_again() {
    let folder = folder_of(APP);
    let reader = trusting_reader();
    let read = async || reader.clone().read(in_folder(&folder), in_context("Dockerfile")).await.unwrap();
    let first = read().await;
    assert_eq!(first.files_read(), 2);
    let second = read().await;
    assert_eq!((second.files_read(), second.digest()), (0, first.digest()));
    write(&folder, "src/app.js", "console.log('Hello Cloud')\n");
    let third = read().await;
    assert_eq!(third.files_read(), 1);
    assert_ne!(third.digest(), first.digest());
}

#[tokio::test]
async fn a_file_that_was_only_just_changed_is_read_again() {
    let folder = folder_of(APP);
    let reader = ContextReader::default();
    for _ in 0..2 {
        let context = reader.read(in_folder(&folder), in_context("Dockerfile")).await.unwrap();
        assert_eq!(context.files_read(), 2);
    }
}

#[tokio::test]
async fn another_process_need_not_read_an_unchanged_folder_either() {
    let (folder, cache) = (folder_of(APP), folder_of(&[]));
    let read = async || reader_of_another_process(&cache).read(in_folder(&folder), in_context("Dockerfile")).await;
    let first = read().await.unwrap();
    assert_eq!(first.files_read(), 2);
    let second = read().await.unwrap();
    assert_eq!((second.files_read(), second.digest()), (0, first.digest()));
    write(&folder, "src/app.js", "console.log('Hello Cloud')\n");
    assert_eq!(read().await.unwrap().files_read(), 1);
    assert_eq!(read().await.unwrap().files_read(), 0);
}

#[tokio::test]
async fn a_cache_that_cannot_be_understood_costs_no_more_than_reading() {
    let (folder, cache) = (folder_of(APP), folder_of(&[]));
    let read = async || reader_of_another_process(&cache).read(in_folder(&folder), in_context("Dockerfile")).await;
    let first = read().await.unwrap();
    for kept in fs::read_dir(cache.path()).unwrap() {
        fs::write(kept.unwrap().path(), "[[[1, 2").unwrap();
    }
    let second = read().await.unwrap();
    assert_eq!((second.files_read(), second.digest()), (2, first.digest()));
    assert_eq!(read().await.unwrap().files_read(), 0);
}

#[tokio::test]
async fn contexts_with_the_same_names_in_them_are_kept_apart() {
    let (one, other, cache) = (folder_of(APP), folder_of(APP), folder_of(&[]));
    write(&other, "src/app.js", "console.log('Another')\n");
    for folder in [&one, &other, &one, &other] {
        let read = reader_of_another_process(&cache).read(in_folder(folder), in_context("Dockerfile")).await.unwrap();
        assert_eq!(read.digest(), read_folder(folder).await.digest());
    }
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn the_count_is_of_files_and_links_and_the_bytes_are_those_of_files() {
    let folder = folder_of(APP);
    std::os::unix::fs::symlink("src", folder.path().join("link")).unwrap();
    let context = read_folder(&folder).await;
    let bytes: usize = APP.iter().map(|(_, text)| text.len()).sum();
    assert_eq!((context.files(), context.bytes()), (3, bytes as u64));
}

#[tokio::test]
async fn dockerignore_leaves_files_out_and_brings_some_back() {
    let files = &[
        (".dockerignore", "node_modules\nDockerfile\n.dockerignore\nlog\n!log/keep\n**/*.tmp\n!**/kept.tmp\n"),
        ("Dockerfile", "FROM scratch\n"),
        ("app.js", ""),
        ("a/b/x.tmp", ""),
        ("a/b/kept.tmp", ""),
        ("node_modules/x/index.js", ""),
        ("node_modules/x/kept.tmp", ""),
        ("log/today", ""),
        ("log/keep/this", ""),
    ];
    let expected = [
        "a",
        "a/b",
        "a/b/kept.tmp",
        "app.js",
        "log",
        "log/keep",
        "log/keep/this",
        "node_modules",
        "node_modules/x",
        "node_modules/x/kept.tmp",
    ];
    assert_eq!(names(in_folder(&folder_of(files))).await, expected);
    assert_eq!(names(inline(files)).await, expected);
}

#[tokio::test]
async fn what_is_left_out_changes_no_digest() {
    let folder = folder_of(&[(".dockerignore", "log\n"), ("Dockerfile", "FROM scratch\n")]);
    let before = read_folder(&folder).await.digest();
    write(&folder, "log/today", "much");
    assert_eq!(read_folder(&folder).await.digest(), before);
}

#[tokio::test]
async fn a_dockerfile_s_own_dockerignore_comes_first() {
    let files = &[
        (".dockerignore", "b\n"),
        ("a", ""),
        ("b", ""),
        ("docker/Dockerfile", "FROM scratch\n"),
        ("docker/Dockerfile.dockerignore", "*\n!b\n"),
    ];
    for source in [inline(files), in_folder(&folder_of(files))] {
        let context = ContextReader::default().read(source, in_context("docker/Dockerfile")).await.unwrap();
        assert_eq!(paths(&context), ["b"]);
    }
}

#[tokio::test]
async fn files_are_found_and_folders_are_none() {
    let context = read(inline(APP)).await.unwrap();
    assert!(context.contains("Dockerfile") && context.contains("src/app.js"));
    assert!(!context.contains("src") && !context.contains("../Dockerfile"));
}

#[tokio::test]
async fn a_missing_dockerfile_is_named_with_what_is_there() {
    let many: Vec<String> = (0..9).map(|number| format!("file{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    for (files, expected) in [
        (many.as_slice(), "file0, file1, file2, file3, file4 and 4 more"),
        (&many[..5], "file0, file1, file2, file3, file4"),
        (&[("Dockerfile/a", "")], "Dockerfile/a"),
        (&[], "no files"),
    ] {
        let error = read(inline(files)).await.err().unwrap().to_string();
        let expected = format!("the Dockerfile \"Dockerfile\" is not in the build context, which has {expected}");
        assert_eq!(error, expected);
    }
}

#[tokio::test]
async fn a_context_that_is_too_large_is_refused() {
    let read_within = async |bytes, files, source| {
        let reader = ContextReader::with_limits(ContextLimits { bytes, files });
        reader.read(source, in_context("Dockerfile")).await.map(|context| context.files())
    };
    let files = &[("Dockerfile", "12345"), ("a/b", "67890")];
    let folder = folder_of(files);
    for source in [inline(files), in_folder(&folder)] {
        assert_eq!(read_within(10, 3, source.clone()).await, Ok(2));
        assert_eq!(read_within(9, 3, source.clone()).await, Err(ContextError::TooLarge { limit: 9 }));
        assert_eq!(read_within(10, 2, source).await, Err(ContextError::TooManyFiles { limit: 2 }));
    }
    write(&folder, ".dockerignore", "a\n");
    assert_eq!(read_within(9, 2, in_folder(&folder)).await, Ok(2));
}

#[tokio::test]
async fn a_sparse_file_of_a_tebibyte_is_refused_without_being_read() {
    let folder = folder_of(APP);
    let file = fs::File::create(folder.path().join("disk.img")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = read(in_folder(&folder)).await.err();
    assert_eq!(error, Some(ContextError::TooLarge { limit: 2 << 30 }));
}

#[tokio::test]
async fn a_socket_is_left_out_and_a_named_pipe_is_refused() {
    let folder = folder_of(APP);
    let before = read_folder(&folder).await.digest();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    assert_eq!(read_folder(&folder).await.digest(), before);
    make_pipe(&folder.path().join("pipe"));
    let error = read(in_folder(&folder)).await.err().unwrap();
    assert!(error.to_string().starts_with("\"pipe\" is a named pipe; "), "{error}");
    write(&folder, ".dockerignore", "pipe\n");
    assert!(read(in_folder(&folder)).await.is_ok());
}

#[tokio::test]
async fn a_name_that_is_not_text_is_refused() {
    let folder = folder_of(APP);
    fs::write(folder.path().join("src").join(OsStr::from_bytes(b"\xff.js")), "").unwrap();
    let error = read(in_folder(&folder)).await.err().unwrap();
    assert!(error.to_string().starts_with("the name of \"src/\u{fffd}.js\" is not UTF-8"), "{error}");
}

#[tokio::test]
async fn a_file_that_stands_where_a_folder_is_needed_is_refused() {
    let error = read(inline(&[("a", ""), ("a/b", "")])).await.err().unwrap();
    assert_eq!(error, ContextError::FileAndFolder { path: "a".to_owned() });
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = folder_of(APP);
    let missing = ContextSource::Folder(folder.path().join("nowhere"));
    let error = read(missing).await.err().unwrap().to_string();
    assert!(error.ends_with("nowhere cannot be read: there is no such folder"), "{error}");
    let file = ContextSource::Folder(folder.path().join("Dockerfile"));
    let error = read(file).await.err().unwrap().to_string();
    assert!(error.ends_with("Dockerfile cannot be read: it is not a folder"), "{error}");
}

pub(super) fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}
