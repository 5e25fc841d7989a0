use std::io;

use futures::StreamExt;

use super::*;

/// The archive, or the error that it ends in.
pub(super) async fn bytes_of(context: ReadContext) -> io::Result<Vec<u8>> {
    let mut stream = Arc::new(context).archive().stream;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

/// What was sent, and the message of the error that followed it as the last thing.
pub(super) async fn error_of(context: ReadContext) -> (Vec<u8>, String) {
    let mut stream = Arc::new(context).archive().stream;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                assert!(stream.next().await.is_none(), "something was sent after the error");
                return (bytes, error.to_string());
            }
        }
    }
    panic!("the archive was sent to its end");
}

#[tokio::test]
async fn entries_are_in_order_and_have_neither_times_nor_owners() {
    let folder = folder_of(&[("b/script", ""), ("b/a", ""), ("b-", ""), ("Dockerfile", "")]);
    set_mode(&folder, "b/script", 0o777);
    set_mode(&folder, "b/a", 0o4600);
    std::os::unix::fs::symlink("b", folder.path().join("link")).unwrap();
    let bytes = bytes_of(read_folder(&folder).await).await.unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let found: Vec<(String, u32)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let of_nobody = (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap());
            assert_eq!(of_nobody, (0, 0, 0));
            (entry.path().unwrap().to_str().unwrap().to_owned(), header.mode().unwrap())
        })
        .collect();
    let expected =
        [("Dockerfile", 0o644), ("b", 0o755), ("b-", 0o644), ("b/a", 0o644), ("b/script", 0o755), ("link", 0o777)];
    assert_eq!(found, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

#[tokio::test]
async fn the_same_context_makes_the_same_bytes_wherever_it_comes_from() {
    let files = &[("Dockerfile", "FROM scratch\n"), ("a/b", "1")];
    let of_folder = bytes_of(read_folder(&folder_of(files)).await).await.unwrap();
    let of_inline = bytes_of(read(inline(files)).await.unwrap()).await.unwrap();
    assert!(of_folder == of_inline, "the archives differ");
}

#[tokio::test]
async fn long_names_and_names_in_any_language_arrive() {
    let long = format!("{}/{}", "folder".repeat(30), "name".repeat(50));
    let files = &[("Dockerfile", ""), (long.as_str(), "1"), ("grüße/世界", "2")];
    for source in [inline(files), in_folder(&folder_of(files))] {
        let unpacked = unpacked(read(source).await.unwrap()).await;
        assert_eq!((unpacked[&long].as_str(), unpacked["grüße/世界"].as_str()), ("1", "2"));
    }
}

#[tokio::test]
async fn a_file_larger_than_what_is_held_in_memory_arrives_whole() {
    let numbers: Vec<String> = (0..600_000).map(|number: u32| number.to_string()).collect();
    let text = numbers.join("\n");
    let folder = folder_of(&[("Dockerfile", ""), ("large", &text)]);
    let unpacked = unpacked(read_folder(&folder).await).await;
    assert!(unpacked["large"] == text, "the content differs");
}

type Change = fn(&TempDir);

#[tokio::test]
async fn a_file_that_changes_in_between_ends_the_archive_in_an_error() {
    let changes: [(&str, Change); 5] = [
        ("other content of the same length", |folder| {
            write(folder, "a", "54321");
        }),
        ("longer", |folder| write(folder, "a", "123456")),
        ("shorter", |folder| write(folder, "a", "1234")),
        ("executable", |folder| set_mode(folder, "a", 0o755)),
        ("gone", |folder| fs::remove_file(folder.path().join("a")).unwrap()),
    ];
    for (what, change) in changes {
        let folder = folder_of(&[("Dockerfile", ""), ("a", "12345")]);
        let context = read_folder(&folder).await;
        change(&folder);
        let (_, error) = error_of(context).await;
        assert!(error.starts_with("\"a\" changed while the build context was read or sent"), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_was_only_touched_is_sent() {
    let folder = folder_of(&[("Dockerfile", ""), ("a", "12345")]);
    let context = read_folder(&folder).await;
    write(&folder, "a", "12345");
    assert_eq!(unpacked(context).await["a"], "12345");
}

#[tokio::test]
async fn an_archive_that_nobody_takes_any_more_is_given_up() {
    let folder = folder_of(&[("Dockerfile", ""), ("large", &"x".repeat(4 << 20))]);
    let context = read_folder(&folder).await;
    let mut stream = Arc::new(context).archive().stream;
    assert!(stream.next().await.unwrap().is_ok());
    // The runtime ends only when its blocking threads have, so this test hangs if the work goes on.
    drop(stream);
}
