//! `.dockerignore`: what is left out of a build context.
//!
//! The rules are Docker's (<https://docs.docker.com/build/concepts/context/#dockerignore-files>), and where the text
//! leaves room, those of BuildKit's client (`fsutil`'s filter over `moby/patternmatcher`'s
//! `MatchesUsingParentResults`): patterns are anchored at the context's root, the last one that matches decides, and
//! what matches a folder matches everything in it.

use super::pattern::Pattern;
use super::{ContextError, ContextPath};

/// The most patterns in one file: each is compared with every path of the context.
const MOST_PATTERNS: usize = 2_000;

/// The patterns of a `.dockerignore` file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IgnoreRules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    is_exception: bool,
}

/// What the rules say of one path, and what those in a folder have to know of their folder.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Whether the path is left out.
    pub(crate) excluded: bool,
    matched: Vec<bool>,
}

impl IgnoreRules {
    /// Reads the rules. `file` is what errors call the file.
    pub(super) fn parse(file: &str, content: &[u8]) -> Result<Self, ContextError> {
        let error = |line: usize, problem: &'static str| ContextError::Ignore { file: file.to_owned(), line, problem };
        let text = str::from_utf8(content).map_err(|problem| {
            let lines_before = content[..problem.valid_up_to()].split(|byte| *byte == b'\n').count();
            error(lines_before, "the line is not UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if let Some(rule) = Rule::parse(line).map_err(|problem| error(index + 1, problem))? {
                if rules.len() == MOST_PATTERNS {
                    return Err(error(index + 1, "there are more than 2000 patterns, which is the limit"));
                }
                rules.push(rule);
            }
        }
        Ok(Self { rules })
    }

    /// The rules that these patterns are, as an engine asks for them: each is a line that was read already.
    pub(crate) fn of_patterns(patterns: &[String]) -> Result<Self, &'static str> {
        if patterns.len() > MOST_PATTERNS {
            return Err("there are more than 2000 patterns, which is the limit");
        }
        let rules = patterns.iter().map(|text| {
            let (is_exception, text) = match text.trim().strip_prefix('!') {
                Some(exception) => (true, exception.trim()),
                None => (false, text.trim()),
            };
            Pattern::parse(&clean(text)).map(|pattern| Rule { pattern, is_exception })
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether a path is left out.
    pub(super) fn excludes(&self, path: &ContextPath) -> bool {
        let of_folder = path.folders().fold(None, |above, folder| Some(self.judge(&folder, above.as_ref())));
        self.judge(path, of_folder.as_ref()).excluded
    }

    /// What the rules say of a path, given what they say of the folder that it is in.
    pub(crate) fn judge(&self, path: &ContextPath, folder: Option<&Verdict>) -> Verdict {
        let mut excluded = false;
        let mut matched = vec![false; self.rules.len()];
        for (index, rule) in self.rules.iter().enumerate() {
            let by_folder = folder.is_some_and(|verdict| verdict.matched[index]);
            // A rule that could not change the verdict is not looked at, nor is its match remembered for what is
            // in the folder: BuildKit's client does the same, and it shows where exceptions stand between.
            let could_matter = rule.is_exception == excluded;
            if by_folder || (could_matter && rule.pattern.matches(path.as_str())) {
                matched[index] = true;
                excluded = !rule.is_exception;
            }
        }
        Verdict { excluded, matched }
    }

    /// Whether an exception could bring back something that lies in a folder which is left out.
    pub(super) fn may_bring_back_below(&self, folder: &ContextPath) -> bool {
        self.rules.iter().any(|rule| rule.is_exception && rule.pattern.may_match_below(folder.as_str()))
    }
}

impl Rule {
    /// Reads a line; `None` when it is empty or a comment.
    fn parse(line: &str) -> Result<Option<Self>, &'static str> {
        if line.starts_with('#') {
            return Ok(None);
        }
        let line = line.trim();
        if line.is_empty() {
            return Ok(None);
        }
        let (is_exception, text) = match line.strip_prefix('!') {
            Some(text) => (true, text.trim()),
            None => (false, line),
        };
        if text.is_empty() {
            return Err("there is an exclamation mark and no pattern; write which files the exception is for");
        }
        Ok(Some(Self { pattern: Pattern::parse(&clean(text))?, is_exception }))
    }
}

/// The shortest way to write a path, relative to the context's root, as Go's `filepath.Clean` gives it.
pub(crate) fn clean(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut components: Vec<&str> = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.last().is_some_and(|last| *last != "..") => {
                components.pop();
            }
            ".." if is_absolute => {}
            other => components.push(other),
        }
    }
    if components.is_empty() { ".".to_owned() } else { components.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> IgnoreRules {
        IgnoreRules::parse(".dockerignore", text.as_bytes()).unwrap()
    }

    fn excludes(text: &str, path: &str) -> bool {
        rules(text).excludes(&path.parse().unwrap())
    }

    /// The rules, the paths that they leave out, the paths that they keep.
    const CASES: &[(&str, &[&str], &[&str])] = &[
        // From Docker's documentation.
        (
            "# comment\n*/temp*\n*/*/temp*\ntemp?\n",
            &["somedir/temporary.txt", "somedir/temp", "somedir/subdir/temporary.txt", "tempa", "tempb"],
            &["temp", "temporary.txt", "a/b/c/temp", "# comment"],
        ),
        ("**/*.go", &["a.go", "a/b/c.go"], &["a.rs"]),
        ("*.md\n!README.md", &["CHANGES.md"], &["README.md", "docs/index.md"]),
        ("*.md\n!README*.md\nREADME-secret.md", &["a.md", "README-secret.md"], &["README.md", "README-public.md"]),
        ("*.md\nREADME-secret.md\n!README*.md", &["a.md"], &["README.md", "README-secret.md"]),
        ("/foo/bar", &["foo/bar", "foo/bar/baz"], &["x/foo/bar"]),
        ("foo/bar/", &["foo/bar", "foo/bar/baz"], &["foo"]),
        // A folder's match is a match for all that is in it.
        ("docs", &["docs", "docs/a/b.md"], &["documents", "a/docs"]),
        ("docs\n!docs/README.md", &["docs/other.md"], &["docs/README.md"]),
        ("docs/*\n!docs/README.md", &["docs/other.md", "docs/a/b"], &["docs/README.md", "docs"]),
        ("**\n!src\nsrc/secret", &["README", "src/secret", "src/secret/key"], &["src", "src/main.c"]),
        ("*\n!a/b/c", &["a", "a/b", "a/b/d"], &["a/b/c", "a/b/c/d"]),
        ("!a\na", &["a", "a/b"], &[]),
        // How lines are read.
        ("\u{feff}secret", &["secret"], &[]),
        ("  secret  \r\n\r\nother\t", &["secret", "other"], &[]),
        (" # not a comment", &["# not a comment"], &["x"]),
        ("a\n! a/keep ", &["a/x"], &["a/keep"]),
        ("./a/../b//c", &["b/c"], &["a", "b"]),
        ("../a", &[], &["a"]),
        ("/../a", &["a"], &[]),
        (".", &[], &["a", "a/b"]),
        ("/", &[], &["a", "a/b"]),
        (".*", &[".git", ".git/config", ".env"], &["a", "a/.git"]),
        ("", &[], &["a"]),
    ];

    #[test]
    fn rules_leave_out_what_docker_leaves_out() {
        for (text, excluded, kept) in CASES {
            for path in *excluded {
                assert!(excludes(text, path), "{text:?} leaves out {path}");
            }
            for path in *kept {
                assert!(!excludes(text, path), "{text:?} keeps {path}");
            }
        }
    }

    #[test]
    fn a_malformed_line_is_named_and_not_quoted() {
        let problem = |text: &[u8]| IgnoreRules::parse(".dockerignore", text).unwrap_err().to_string();
        let class = problem(b"a\nse[cret\n");
        assert!(class.starts_with(".dockerignore, line 2: "), "{class}");
        assert!(!class.contains("cret"), "{class}");
        assert!(problem(b"\n\n!\n").starts_with(".dockerignore, line 3: "));
        assert!(problem(b"a\nb\n\xff\n").starts_with(".dockerignore, line 3: "));
        assert!(problem("a\n".repeat(2001).as_bytes()).starts_with(".dockerignore, line 2001: "));
    }

    const LINES: &str = "!?(\\*\\*/)?[ab*]{1,2}(/[ab*]{1,2})?(/\\*\\*)?";

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_harm(text in "\\PC{0,40}", path in "[a-c]{1,2}(/[a-c]{1,2})?") {
            if let Ok(rules) = IgnoreRules::parse(".dockerignore", text.as_bytes()) {
                rules.excludes(&path.parse().unwrap());
            }
        }

        #[test]
        fn without_exceptions_what_is_in_a_folder_that_is_left_out_is_left_out(
            lines in proptest::collection::vec(LINES, 1..4),
            folder in "[ab]{1,2}",
            name in "[ab]{1,2}",
        ) {
            let text = lines.join("\n").replace('!', "");
            if excludes(&text, &folder) {
                let below = format!("{folder}/{name}");
                proptest::prop_assert!(excludes(&text, &below));
            }
        }

        #[test]
        fn the_last_line_decides(lines in proptest::collection::vec(LINES, 0..4), path in "[ab]{1,2}(/[ab]{1,2})?") {
            let kept = format!("{}\n!{path}", lines.join("\n"));
            proptest::prop_assert!(!excludes(&kept, &path));
            let left_out = format!("{}\n{path}", lines.join("\n"));
            proptest::prop_assert!(excludes(&left_out, &path));
        }

        #[test]
        fn comments_and_empty_lines_change_nothing(
            lines in proptest::collection::vec(LINES, 1..4),
            path in "[ab]{1,2}(/[ab]{1,2})?",
        ) {
            let spread = lines.join("\n# a\n\n");
            proptest::prop_assert_eq!(excludes(&lines.join("\n"), &path), excludes(&spread, &path));
        }

        #[test]
        fn a_folder_is_given_up_only_when_nothing_in_it_comes_back(
            lines in proptest::collection::vec(LINES, 1..5),
            folder in "[ab]{1,2}",
            below in "[ab]{1,2}(/[ab]{1,2})?",
        ) {
            let rules = rules(&lines.join("\n"));
            let folder: ContextPath = folder.parse().unwrap();
            if rules.excludes(&folder) && !rules.may_bring_back_below(&folder) {
                let path = format!("{folder}/{below}").parse().unwrap();
                proptest::prop_assert!(rules.excludes(&path));
            }
        }
    }
}
