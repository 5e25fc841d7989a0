//! Docker's `.dockerignore`: what of a folder is left out of a context.
//!
//! The rules are those of <https://docs.docker.com/build/concepts/context/#dockerignore-files> and, where it is silent, of
//! the matcher that Docker uses (<https://github.com/moby/patternmatcher>, `MatchesOrParentMatches`): patterns are
//! anchored at the context's root, the last one that matches decides, and what lies in an ignored folder is ignored.

use regex::Regex;

use super::ContextError;

/// The patterns of one `.dockerignore` file.
#[derive(Clone, Debug, Default)]
pub struct DockerIgnore {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    matcher: Regex,
    is_exception: bool,
}

impl DockerIgnore {
    /// Reads the patterns of a file: one a line, comments and empty lines aside.
    pub fn parse(text: &str) -> Result<Self, ContextError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        let patterns = lines.filter(|line| !line.is_empty()).map(Pattern::parse);
        Ok(Self { patterns: patterns.collect::<Result<_, _>>()? })
    }

    /// Whether this path, relative to the context's root, is left out.
    pub fn ignores(&self, path: &str) -> bool {
        let parents = || path.match_indices('/').map(|(end, _)| &path[..end]);
        let mut is_ignored = false;
        for pattern in &self.patterns {
            // A pattern that could only confirm what is already so need not be looked at.
            if pattern.is_exception == is_ignored && (pattern.matches(path) || parents().any(|up| pattern.matches(up)))
            {
                is_ignored = !pattern.is_exception;
            }
        }
        is_ignored
    }

    /// Whether something in an ignored folder could be an exception, so that the folder must be looked through.
    pub(super) fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }
}

impl Pattern {
    fn parse(line: &str) -> Result<Self, ContextError> {
        let (is_exception, pattern) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let bad = || ContextError::Pattern(line.to_owned());
        if is_exception && pattern.is_empty() {
            return Err(bad());
        }
        let matcher = Regex::new(&expression(&clean(pattern))).map_err(|_| bad())?;
        Ok(Self { matcher, is_exception })
    }

    fn matches(&self, path: &str) -> bool {
        self.matcher.is_match(path)
    }
}

/// The pattern without `.`, `..`, doubled and trailing slashes, and without the leading slash that means the root.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    // A lone "." stays a dot, which no path is: as in Docker, it ignores nothing.
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

fn expression(pattern: &str) -> String {
    let mut expression = String::from("^(?s:");
    let mut characters = pattern.chars().peekable();
    let mut is_in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '*' if is_in_class => expression.push_str(r"\*"),
            '*' if characters.next_if_eq(&'*').is_some() => {
                characters.next_if_eq(&'/');
                expression.push_str(if characters.peek().is_none() { ".*" } else { "(?:.*/)?" });
            }
            '*' => expression.push_str("[^/]*"),
            '?' if !is_in_class => expression.push_str("[^/]"),
            '\\' => {
                let escaped = characters.next().unwrap_or('\\');
                expression.push_str(&regex::escape(&escaped.to_string()));
            }
            '[' if !is_in_class => {
                is_in_class = true;
                expression.push('[');
            }
            ']' if is_in_class => {
                is_in_class = false;
                expression.push(']');
            }
            '-' | '^' if is_in_class => expression.push(character),
            other => expression.push_str(&regex::escape(&other.to_string())),
        }
    }
    expression.push_str(")$");
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored<'a>(patterns: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = DockerIgnore::parse(patterns).unwrap();
        paths.iter().copied().filter(|path| ignore.ignores(path)).collect()
    }

    #[test]
    fn a_pattern_is_anchored_at_the_root() {
        assert_eq!(ignored("temp", &["temp", "temp/a", "src/temp", "temporary"]), ["temp", "temp/a"]);
        assert_eq!(ignored("/temp/", &["temp", "temp/a", "src/temp"]), ["temp", "temp/a"]);
    }

    #[test]
    fn a_star_stays_within_one_folder() {
        assert_eq!(ignored("*/temp*", &["a/temporary", "temp", "a/b/temp", "a/temp/x"]), ["a/temporary", "a/temp/x"]);
        assert_eq!(ignored("*/*/temp*", &["a/b/temp.txt", "a/temp"]), ["a/b/temp.txt"]);
        assert_eq!(ignored("temp?", &["tempa", "tempb", "temp", "tempab"]), ["tempa", "tempb"]);
    }

    #[test]
    fn two_stars_cross_folders() {
        assert_eq!(ignored("**/*.go", &["a.go", "a/b.go", "a/b/c.go", "a.rs"]), ["a.go", "a/b.go", "a/b/c.go"]);
        assert_eq!(ignored("a/**", &["a", "a/b", "a/b/c", "b"]), ["a/b", "a/b/c"]);
        assert_eq!(ignored("**", &["a", "a/b"]), ["a", "a/b"]);
    }

    #[test]
    fn the_last_match_decides() {
        let readme = "*.md\n!README*.md\nREADME-secret.md";
        assert_eq!(ignored(readme, &["a.md", "README.md", "README-secret.md"]), ["a.md", "README-secret.md"]);
        assert_eq!(ignored("*.md\nREADME-secret.md\n!README*.md", &["a.md", "README-secret.md"]), ["a.md"]);
        assert_eq!(
            ignored("node_modules\n!node_modules/keep", &["node_modules/a", "node_modules/keep/b"]),
            ["node_modules/a"]
        );
    }

    #[test]
    fn comments_blanks_and_spaces_do_not_matter() {
        assert_eq!(ignored("# a comment\n\n   b  \n./c/../d/", &["#", "a", "b", "c", "d"]), ["b", "d"]);
        assert_eq!(ignored(".", &["a"]), Vec::<&str>::new());
    }

    #[test]
    fn classes_and_escapes_are_understood() {
        assert_eq!(ignored("[a-c].txt", &["a.txt", "d.txt"]), ["a.txt"]);
        assert_eq!(ignored("[^a].txt", &["a.txt", "d.txt"]), ["d.txt"]);
        assert_eq!(ignored(r"\*.txt", &["*.txt", "a.txt"]), ["*.txt"]);
        assert_eq!(ignored("a+(b).txt", &["a+(b).txt", "aab.txt"]), ["a+(b).txt"]);
    }

    #[test]
    fn a_pattern_that_cannot_be_understood_is_named() {
        let error = DockerIgnore::parse("ok\n[a").unwrap_err();
        assert!(error.to_string().contains("[a"), "{error}");
        assert!(DockerIgnore::parse("!").is_err());
    }
}
