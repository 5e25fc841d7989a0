//! What is recorded of a context's files.

use std::collections::BTreeMap;

use super::*;

async fn files_of(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let read = read(ContextSource::Files(files)).await;
    read.unwrap_or_else(|error| panic!("{error}")).fingerprints()
}

fn many(folders: usize, files: usize, name: &str) -> BTreeMap<String, Vec<u8>> {
    let paths = (0..folders * files).map(|number| format!("{name}{}/{number}", number % folders));
    paths.chain(["Dockerfile".to_owned()]).map(|path| (path, b"content".to_vec())).collect()
}

#[tokio::test]
async fn each_file_has_the_first_digits_of_its_contents_digest() {
    let files = [("Dockerfile", "FROM scratch"), ("src/app.js", "hello")];
    let recorded = files_of(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).into()).await;
    // printf hello | sha256sum
    assert_eq!(recorded["src/app.js"], "2cf24dba5fb0");
    assert_eq!(recorded.keys().collect::<Vec<_>>(), ["Dockerfile", "src/app.js"]);
}

#[tokio::test]
async fn of_many_files_it_is_the_top_level() {
    let before = many(3, 200, "folder");
    let mut after = before.clone();
    after.insert("folder1/1".to_owned(), b"other".to_vec());
    let (before, after) = (files_of(before).await, files_of(after).await);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["Dockerfile", "folder0/", "folder1/", "folder2/"]);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["folder1/"]);
}

#[tokio::test]
async fn of_very_many_folders_nothing_is_recorded() {
    assert_eq!(files_of(many(600, 1, "folder")).await, BTreeMap::new());
}

#[tokio::test]
async fn long_paths_count_by_their_length() {
    let recorded = files_of(many(2, 200, &"long/".repeat(80))).await;
    assert_eq!(recorded.keys().collect::<Vec<_>>(), ["Dockerfile", "long/"]);
}
