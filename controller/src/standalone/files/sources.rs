//! Which files are meant by `-f`, and their text.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::{Place, Problem};
use super::yaml::LARGEST_FILE;

/// The name under which the standard input appears in messages.
const STANDARD_INPUT: &str = "<stdin>";

/// The text of one file.
pub(super) struct Source {
    /// The file, as the user named it.
    pub(super) name: String,
    /// The folder to which paths in the file are relative.
    pub(super) folder: PathBuf,
    /// What is in it.
    pub(super) text: String,
}

/// Reads what `-f` names: files, folders (their `*.yaml` and `*.yml` in the order of their names, not what is in
/// folders inside), and `-` for the standard input.
pub(super) fn read(arguments: &[PathBuf]) -> Result<Vec<Source>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for argument in arguments {
        match read_one(argument) {
            Ok(found) => sources.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

fn read_one(argument: &Path) -> Result<Vec<Source>, Problem> {
    if argument == Path::new("-") {
        let text = read_text(STANDARD_INPUT, io::stdin().lock())?;
        return Ok(vec![Source { name: STANDARD_INPUT.to_owned(), folder: PathBuf::from("."), text }]);
    }
    if argument.is_dir() { read_folder(argument) } else { Ok(vec![read_file(argument)?]) }
}

fn read_folder(folder: &Path) -> Result<Vec<Source>, Problem> {
    let name = folder.display().to_string();
    let unreadable = |error: io::Error| problem(&name, format!("the folder cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(problem(
            &name,
            "the folder has no *.yaml and no *.yml; folders inside it are not searched".to_owned(),
        ));
    }
    files.sort();
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Result<Source, Problem> {
    let name = file.display().to_string();
    let opened = fs::File::open(file).map_err(|error| problem(&name, unreadable(&error)))?;
    let text = read_text(&name, opened)?;
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(Source { name, folder, text })
}

fn read_text(name: &str, reader: impl Read) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LARGEST_FILE).unwrap_or(u64::MAX);
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| problem(name, unreadable(&error)))?;
    if bytes.len() > LARGEST_FILE {
        let message = format!("the file is larger than {} MiB; no file of resources is", LARGEST_FILE / 1024 / 1024);
        return Err(problem(name, message));
    }
    String::from_utf8(bytes).map_err(|_| problem(name, "the file is not text in UTF-8; save it as UTF-8".to_owned()))
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "the file may not be read by you".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

fn problem(name: &str, message: String) -> Problem {
    Problem { place: Place { file: name.to_owned(), line: 0, column: 0 }, message }
}
