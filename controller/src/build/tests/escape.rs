//! Nothing outside of the folder gets into a context.

use std::os::unix::fs::symlink;

use super::archive::{bytes_of, error_of};
use super::reading::make_pipe;
use super::*;

const CANARY: &str = "a secret that lies outside";

/// A folder with a context in `context` and a secret beside it.
fn beside_a_secret() -> (TempDir, ContextSource) {
    let folder = folder_of(&[
        ("secret/key", CANARY),
        ("context/Dockerfile", "FROM scratch\n"),
        ("context/src/key", "of no worth, same length !"),
    ]);
    assert_eq!(CANARY.len(), "of no worth, same length !".len());
    let source = ContextSource::Folder(folder.path().join("context"));
    (folder, source)
}

fn holds_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

#[tokio::test]
async fn paths_that_lead_out_are_refused() {
    for path in ["../key", "/etc/passwd", "a/../../key", "a//b", "./a", "", ".."] {
        let error = read(inline(&[(path, CANARY)])).await.err().unwrap();
        assert!(matches!(error, ContextError::Path { .. }), "{path}");
        assert!(!error.to_string().contains(CANARY), "{path}");
    }
}

#[tokio::test]
async fn a_dockerfile_outside_is_refused() {
    let (_folder, source) = beside_a_secret();
    for path in ["../secret/key", "/etc/passwd"] {
        let error = ContextReader::default().read(source.clone(), in_context(path)).await.err().unwrap();
        assert!(matches!(error, ContextError::Path { .. }), "{path}");
    }
}

#[tokio::test]
async fn a_link_that_leads_out_is_sent_as_a_link() {
    let (folder, source) = beside_a_secret();
    let long = format!("../secret/{}", "../secret/".repeat(20));
    for (name, target) in [("out", "../secret/key"), ("folder", "../secret"), ("root", "/etc//passwd"), ("long", &long)]
    {
        symlink(target, folder.path().join("context").join(name)).unwrap();
    }
    let bytes = bytes_of(read(source).await.unwrap()).await.unwrap();
    assert!(!holds_canary(&bytes));
    let mut archive = tar::Archive::new(bytes.as_slice());
    let links: BTreeMap<String, String> = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.header().entry_type().is_symlink())
        .map(|entry| {
            let target = String::from_utf8(entry.link_name_bytes().unwrap().into_owned()).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), target)
        })
        .collect();
    let expected = [("folder", "../secret"), ("long", &long), ("out", "../secret/key"), ("root", "/etc//passwd")];
    let expected = expected.map(|(name, target)| (name.to_owned(), target.to_owned()));
    assert_eq!(links, BTreeMap::from(expected));
}

#[tokio::test]
async fn a_hard_link_is_a_file_of_its_own() {
    let folder = folder_of(&[("Dockerfile", "FROM scratch\n"), ("a", "1")]);
    fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
    let unpacked = unpacked(read_folder(&folder).await).await;
    assert_eq!((unpacked["a"].as_str(), unpacked["b"].as_str()), ("1", "1"));
}

#[tokio::test]
async fn the_context_s_own_folder_may_be_a_link() {
    let (folder, source) = beside_a_secret();
    symlink("context", folder.path().join("link")).unwrap();
    let by_link = read(ContextSource::Folder(folder.path().join("link"))).await.unwrap();
    assert_eq!(by_link.digest(), read(source).await.unwrap().digest());
}

#[tokio::test]
async fn a_dockerignore_that_is_a_link_is_refused() {
    let (folder, source) = beside_a_secret();
    symlink("../secret/key", folder.path().join("context/.dockerignore")).unwrap();
    let error = read(source).await.err().unwrap().to_string();
    assert!(error.starts_with("\".dockerignore\" in the build context cannot be read: it is not a file"), "{error}");
}

#[tokio::test]
async fn a_malformed_dockerignore_is_not_quoted() {
    let error = read(inline(&[(".dockerignore", &format!("[{CANARY}"))])).await.err().unwrap();
    assert!(!error.to_string().contains(CANARY), "{error}");
}

#[tokio::test]
async fn a_link_that_takes_a_file_s_place_in_between_is_not_followed() {
    let (folder, source) = beside_a_secret();
    let context = read(source).await.unwrap();
    let file = folder.path().join("context/src/key");
    fs::remove_file(&file).unwrap();
    symlink("../../secret/key", &file).unwrap();
    assert_changed(context, "src/key").await;
}

#[tokio::test]
async fn a_link_that_takes_a_folder_s_place_in_between_is_not_followed() {
    let (folder, source) = beside_a_secret();
    let context = read(source).await.unwrap();
    let inner = folder.path().join("context/src");
    fs::rename(&inner, folder.path().join("elsewhere")).unwrap();
    symlink("../secret", &inner).unwrap();
    assert_changed(context, "src/key").await;
}

#[tokio::test]
async fn a_link_to_the_same_content_is_not_followed_either() {
    let (folder, source) = beside_a_secret();
    let context = read(source).await.unwrap();
    let inner = folder.path().join("context/src");
    fs::rename(&inner, folder.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", &inner).unwrap();
    assert_changed(context, "src/key").await;
}

#[tokio::test]
async fn a_named_pipe_that_takes_a_file_s_place_is_not_waited_for() {
    let (folder, source) = beside_a_secret();
    let context = read(source).await.unwrap();
    let file = folder.path().join("context/src/key");
    fs::remove_file(&file).unwrap();
    make_pipe(&file);
    assert_changed(context, "src/key").await;
}

#[tokio::test]
async fn the_folder_is_held_even_when_another_takes_its_name() {
    let (folder, source) = beside_a_secret();
    let context = read(source).await.unwrap();
    fs::rename(folder.path().join("context"), folder.path().join("moved")).unwrap();
    symlink("secret", folder.path().join("context")).unwrap();
    assert_eq!(unpacked(context).await["src/key"], "of no worth, same length !");
}

async fn assert_changed(context: ReadContext, path: &str) {
    let (sent, error) = error_of(context).await;
    assert!(!holds_canary(&sent));
    assert_eq!(
        error,
        format!(
            "\"{path}\" changed while the build context was read or sent; the build is tried again with what is there now"
        )
    );
}
