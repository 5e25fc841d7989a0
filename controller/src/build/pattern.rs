//! One pattern of a `.dockerignore` file.
//!
//! The rules are those of Docker's own matcher (`github.com/moby/patternmatcher` 0.6): Go's `filepath.Match`, with
//! `**` for any number of folders. Its corners are kept where a build can tell: a pattern that begins with `**` and
//! has no other wildcard matches the end of a path, so `**file` matches `a/myfile`.

/// A pattern, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The path itself.
    Exact(String),
    /// Everything that begins so.
    Prefix(String),
    /// Everything that ends so; without its leading slash, if it has one, it is matched as a whole path as well.
    Suffix(String),
    /// Anything else.
    Wildcards(Vec<Token>),
}

/// What a part of a path is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Character(char),
    /// `?`: one character but a slash.
    One,
    /// `[a-z]`: one character in, or when negated outside of, one of these ranges.
    Class { negated: bool, ranges: Vec<(char, char)> },
    /// `*`: any number of characters but slashes.
    Star,
    /// `**/`: nothing, or folders with the slash behind them. It may be passed over; whoever does not goes
    /// through [`Token::Folders`], which always stands behind it.
    FoldersOrNothing,
    /// Any characters up to a slash, and that slash.
    Folders,
    /// `**` at the end: whatever is left.
    Rest,
}

const UNFINISHED_CLASS: &str = "a class such as [a-z] is empty, has no end, or has a range that is not one; \
    write a backslash before a bracket that stands for itself";
const UNFINISHED_ESCAPE: &str = "there is a backslash at the end; write two for one that stands for itself";

impl Pattern {
    /// Reads a pattern whose path was cleaned. The error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let tokens = tokens_of(text)?;
        let has_wildcard = |text: &str| text.contains(['*', '?', '[', ']', '\\']);
        let (leading, inner) = match text.strip_prefix("**") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let trailing = text.strip_suffix("**").filter(|_| !leading);
        Ok(match (leading, trailing) {
            (true, _) if !has_wildcard(inner) => Self::Suffix(inner.to_owned()),
            (false, Some(prefix)) if !has_wildcard(prefix) => Self::Prefix(prefix.to_owned()),
            (false, None) if !has_wildcard(text) => Self::Exact(text.to_owned()),
            _ => Self::Wildcards(tokens),
        })
    }

    /// Whether it matches a path. What lies in a folder that it matches is the caller's matter.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Prefix(prefix) => path.starts_with(prefix),
            Self::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path),
            Self::Wildcards(tokens) => match_tokens(tokens, path),
        }
    }

    /// Whether it could match something that lies in a folder. It may say so in vain, and is never wrong when it
    /// says no.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let literal = match self {
            Self::Exact(text) => return is_below(text, folder),
            Self::Suffix(_) => return true,
            Self::Prefix(prefix) => prefix.clone(),
            Self::Wildcards(tokens) => tokens
                .iter()
                .map_while(|token| match token {
                    Token::Character(character) => Some(*character),
                    _ => None,
                })
                .collect(),
        };
        let below = format!("{folder}/");
        below.starts_with(&literal) || literal.starts_with(&below)
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn tokens_of(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.next_if_eq(&'*').is_some() => {
                // Docker reads `**/` as `**`.
                characters.next_if_eq(&'/');
                if characters.peek().is_none() {
                    tokens.push(Token::Rest);
                } else {
                    tokens.extend([Token::FoldersOrNothing, Token::Folders]);
                }
            }
            '*' => tokens.push(Token::Star),
            '?' => tokens.push(Token::One),
            '[' => tokens.push(class_of(&mut characters)?),
            '\\' => tokens.push(Token::Character(characters.next().ok_or(UNFINISHED_ESCAPE)?)),
            other => tokens.push(Token::Character(other)),
        }
    }
    Ok(tokens)
}

/// A class, after its opening bracket.
fn class_of(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && characters.next_if_eq(&']').is_some() {
            return Ok(Token::Class { negated, ranges });
        }
        let first = class_character(characters)?;
        let last = match characters.next_if_eq(&'-') {
            Some(_) => class_character(characters)?,
            None => first,
        };
        if first > last {
            return Err(UNFINISHED_CLASS);
        }
        ranges.push((first, last));
    }
}

fn class_character(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, &'static str> {
    match characters.next() {
        None | Some('-' | ']') => Err(UNFINISHED_CLASS),
        Some('\\') => characters.next().ok_or(UNFINISHED_ESCAPE),
        Some(character) => Ok(character),
    }
}

/// Follows every way of matching at once, so that the time is at most the product of the two lengths, however many
/// stars there are.
fn match_tokens(tokens: &[Token], path: &str) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    let mut next = reached.clone();
    reached[0] = true;
    pass_over(tokens, &mut reached);
    for character in path.chars() {
        next.fill(false);
        for (index, token) in tokens.iter().enumerate() {
            if reached[index] {
                let (stays, advances) = step(token, character);
                next[index] |= stays;
                next[index + 1] |= advances;
            }
        }
        pass_over(tokens, &mut next);
        std::mem::swap(&mut reached, &mut next);
    }
    reached[tokens.len()]
}

/// Reaches what lies behind tokens that need no character.
fn pass_over(tokens: &[Token], reached: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        if reached[index] {
            match token {
                Token::Star | Token::Rest => reached[index + 1] = true,
                Token::FoldersOrNothing => {
                    reached[index + 1] = true;
                    reached[index + 2] = true;
                }
                _ => {}
            }
        }
    }
}

/// Whether a token stays where it is with this character, and whether it is done with it.
fn step(token: &Token, character: char) -> (bool, bool) {
    match token {
        Token::Character(expected) => (false, character == *expected),
        Token::One => (false, character != '/'),
        Token::Class { negated, ranges } => {
            let within = ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
            (false, within != *negated)
        }
        Token::Star => (character != '/', false),
        Token::FoldersOrNothing => (false, false),
        Token::Folders => (true, character == '/'),
        Token::Rest => (true, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases that Docker documents or that its own matcher is known by.
    const CASES: &[(&str, &str, bool)] = &[
        ("**", "file", true),
        ("**", "folder/file", true),
        ("**/**", "folder/file", true),
        ("folder/**", "folder/file", true),
        ("folder/**", "folder/other/file", true),
        ("folder/**", "folder", false),
        ("**/folder", "folder", true),
        ("**/folder", "a/b/folder", true),
        ("**/folder", "myfolder", false),
        ("**file", "a/myfile", true),
        ("**/*.go", "main.go", true),
        ("**/*.go", "a/b/main.go", true),
        ("**/*.go", "a/b/main.rs", false),
        ("**/a/*", "b/a/c", true),
        ("**/.foo", "bar.foo", false),
        ("**/foo/bar", "x/y/foo/bar", true),
        ("a**/*.txt", "a/b/c.txt", true),
        ("a**b", "a/x/b", true),
        ("a**b", "axb", false),
        ("*/temp*", "somedir/temporary.txt", true),
        ("*/temp*", "somedir/temp", true),
        ("*/temp*", "temp", false),
        ("*/*/temp*", "somedir/subdir/temporary.txt", true),
        ("temp?", "tempa", true),
        ("temp?", "temp", false),
        ("temp?", "temp/", false),
        ("*", "a/b", false),
        ("a/*.txt", "a/b/c.txt", false),
        ("a[b-d]e", "ace", true),
        ("a[b-d]e", "aae", false),
        ("a[^b-d]e", "aze", true),
        ("[a-ζ]*", "α", true),
        ("a?b", "a☺b", true),
        ("[x\\-]", "-", true),
        ("[\\]a]", "]", true),
        ("[*]", "*", true),
        ("[*]", "a", false),
        ("a\\*b", "a*b", true),
        ("a\\*b", "axb", false),
        ("a\\\\", "a\\", true),
        ("abc.def", "abcZdef", false),
        ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
        ("a^b", "a^b", true),
        ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false),
    ];

    #[test]
    fn patterns_match_what_docker_says_they_match() {
        for (pattern, path, expected) in CASES {
            let parsed = Pattern::parse(pattern).unwrap_or_else(|problem| panic!("{pattern}: {problem}"));
            assert_eq!(parsed.matches(path), *expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "[^", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[z-a]", "a[", "[^bc", "a\\"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_hundred_stars_take_no_longer_than_they_must() {
        let pattern = Pattern::parse(&format!("{}b", "a*".repeat(100))).unwrap();
        assert!(!pattern.matches(&"a".repeat(4000)));
    }

    proptest::proptest! {
        #[test]
        fn a_folder_is_given_up_only_when_nothing_in_it_can_match(
            pattern in "[ab*?/]{1,8}",
            folder in "[ab]{1,2}(/[ab]{1,2})?",
            below in "[ab]{1,2}(/[ab]{1,2})?",
        ) {
            let pattern = Pattern::parse(&pattern).unwrap();
            if pattern.matches(&format!("{folder}/{below}")) {
                proptest::prop_assert!(pattern.may_match_below(&folder));
            }
        }

        #[test]
        fn text_without_wildcards_matches_itself_alone(text in "[a-c./]{1,6}", other in "[a-c./]{1,6}") {
            let pattern = Pattern::parse(&text).unwrap();
            proptest::prop_assert!(pattern.matches(&text));
            proptest::prop_assert_eq!(pattern.matches(&other), text == other);
        }
    }
}
