//! `.gitmodules`: which repository stands at which path (<https://git-scm.com/docs/gitmodules>).

use std::collections::BTreeMap;

use crate::source::SourceError;

/// The largest `.gitmodules` that is read, in bytes.
pub(super) const LARGEST: usize = 1 << 20;

/// The addresses of submodules by their paths. Everything else in the file, such as commands, is passed over.
pub(super) fn addresses_in(content: &[u8], shown: &str) -> Result<BTreeMap<String, String>, SourceError> {
    let wrong =
        |line: usize| SourceError::Invalid(format!("line {line} of \"{shown}\" is not one that git understands"));
    if content.len() > LARGEST {
        return Err(SourceError::TooLarge(format!("\"{shown}\" has more than 1 MiB, which is the limit for it")));
    }
    let text = std::str::from_utf8(content).map_err(|_| wrong(1))?;
    let mut sections: Vec<(Option<String>, Option<String>)> = Vec::new();
    let mut in_submodule = false;
    for (number, line) in joined_lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            in_submodule = header.trim_start().to_ascii_lowercase().starts_with("submodule");
            if in_submodule {
                sections.push((None, None));
            }
            continue;
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value_of(value).ok_or_else(|| wrong(number))?;
        if let Some((path, url)) = sections.last_mut().filter(|_| in_submodule) {
            match name.trim().to_ascii_lowercase().as_str() {
                "path" => *path = Some(value),
                "url" => *url = Some(value),
                _ => {}
            }
        }
    }
    Ok(sections.into_iter().filter_map(|(path, url)| Some((path?.trim_end_matches('/').to_owned(), url?))).collect())
}

/// The lines and their numbers; a line that ends with a backslash goes on in the next.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let continued = line.strip_suffix('\\').filter(|rest| !rest.ends_with('\\'));
        let part = continued.unwrap_or(line);
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, last)) => last.push_str(part),
            None => lines.push((index + 1, part.to_owned())),
        }
        goes_on = continued.is_some();
    }
    lines
}

/// A value: quotes hold what they enclose together, a comment ends it, and a backslash stands before some characters.
fn value_of(text: &str) -> Option<String> {
    let mut value = String::new();
    // Where the value ends, so that spaces before its end or before a comment are no part of it.
    let mut end = 0;
    let mut is_quoted = false;
    let mut characters = text.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '#' | ';' if !is_quoted => break,
            '\\' => {
                value.push(match characters.next()? {
                    'n' => '\n',
                    't' => '\t',
                    escaped @ ('"' | '\\') => escaped,
                    _ => return None,
                });
                end = value.len();
            }
            other => {
                value.push(other);
                if is_quoted || !other.is_whitespace() {
                    end = value.len();
                }
            }
        }
    }
    value.truncate(end);
    (!is_quoted).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<(String, String)> {
        addresses_in(text.as_bytes(), ".gitmodules").unwrap().into_iter().collect()
    }

    fn pair(path: &str, url: &str) -> (String, String) {
        (path.to_owned(), url.to_owned())
    }

    #[test]
    fn submodules_are_found() {
        let text = "[submodule \"lib\"]\n\tpath = vendor/lib\n\turl = ../lib.git\n\tbranch = main\n\
                    # a comment\n[submodule \"other\"]\nURL = \"https://host/a#b\" ; why\nPath=other/ # here\n";
        assert_eq!(addresses(text), [pair("other", "https://host/a#b"), pair("vendor/lib", "../lib.git")]);
    }

    #[test]
    fn what_is_no_submodule_and_what_lacks_something_is_passed_over() {
        let text = "[core]\npath = a\nurl = b\n[submodule \"x\"]\npath = x\n[submodule \"y\"]\nurl = y\nupdate = !sh\n";
        assert_eq!(addresses(text), []);
    }

    #[test]
    fn values_are_read_as_git_reads_them() {
        for (text, expected) in [
            (" a b ", Some("a b")),
            ("\" a \"", Some(" a ")),
            ("a\\\\b\\\"c", Some("a\\b\"c")),
            ("a ; b", Some("a")),
            ("", Some("")),
            ("\"a", None),
            ("a\\x", None),
        ] {
            assert_eq!(value_of(text).as_deref(), expected, "{text}");
        }
        assert_eq!(addresses("[submodule \"a\"]\npath = a\nurl = b\\\nc\n"), [pair("a", "bc")]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_not_quoted() {
        let error = addresses_in(b"[submodule \"a\"]\nurl = \"canary\n", "a/.gitmodules").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of \"a/.gitmodules\" is not one that git understands");
    }
}
