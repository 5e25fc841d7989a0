//! What `.dockerignore` leaves out, row by row: Docker's documented rules
//! (<https://docs.docker.com/build/concepts/context/#dockerignore-files>) and what its matcher makes of their corners.

/// A context and what arrives of it. `Dockerfile` and `.dockerignore` are in every one, and arrive unless the row says
/// that they are left out.
pub struct Row {
    pub name: &'static str,
    pub ignore: &'static str,
    pub keeps: &'static [&'static str],
    pub leaves_out: &'static [&'static str],
    pub dockerfile: &'static str,
    /// What `<Dockerfile>.dockerignore` says, where there is one.
    pub own_ignore: Option<&'static str>,
}

type Paths = &'static [&'static str];

pub const fn row(name: &'static str, ignore: &'static str, keeps: Paths, leaves_out: Paths) -> Row {
    Row { name, ignore, keeps, leaves_out, dockerfile: "Dockerfile", own_ignore: None }
}

impl Row {
    const fn built_by(self, dockerfile: &'static str) -> Self {
        Self { dockerfile, ..self }
    }

    const fn with_its_own(self, own_ignore: &'static str) -> Self {
        Self { own_ignore: Some(own_ignore), ..self }
    }
}

pub const ROWS: &[Row] = &[
    // How lines are read.
    row("nothing is asked", "", &["a", "d/a", ".env"], &[]),
    row("a comment", "# a\nb\n", &["a", "# a"], &["b"]),
    row("a comment begins in the first column", " # a\n", &["a"], &["# a"]),
    row("a number sign in mid-line", "a#b\n", &["a"], &["a#b"]),
    row("a number sign behind a backslash", "\\#a\n", &["a"], &["#a"]),
    row("empty lines", "\n\n  \na\n\n\t\nb\n", &["c"], &["a", "b"]),
    row("no newline at the end", "a\nb", &["c"], &["a", "b"]),
    row("blanks around", "  a\t \n", &["b"], &["a"]),
    row("blanks within", "a b\n", &["a", "b"], &["a b"]),
    row("Windows line ends", "a\r\n!b\r\n*.md\r\n", &["b"], &["a", "x.md"]),
    row("a byte order mark", "\u{feff}a\nb\n", &["c"], &["a", "b"]),
    row("a byte order mark before a comment", "\u{feff}# a\nb\n", &["a", "# a"], &["b"]),
    // Paths.
    row("a path is the root's", "a\n", &["d/a", "b"], &["a"]),
    row("a leading slash", "/a\n/d/b\n", &["d/a", "x/d/b"], &["a", "d/b"]),
    row("a leading dot", "./a\n", &["d/a"], &["a"]),
    row("dots and slashes are cleaned away", "x/../a\nd//b\nd/./c\n", &["b", "x"], &["a", "d/b", "d/c"]),
    row("a path above the root", "../a\n", &["a"], &[]),
    row("a path above an absolute root", "/../a\n", &["b"], &["a"]),
    row("the root by a dot", ".\n", &["a", "d/b"], &[]),
    row("the root by a slash", "/\n", &["a", "d/b"], &[]),
    row("a folder with all that is in it", "d\n", &["dd", "x/d/a"], &["d/a", "d/e/f"]),
    row("a trailing slash", "d/\nf/\n", &["x"], &["d/a", "d/e/f", "f"]),
    row("a path in a folder", "d/e\n", &["d/a", "e"], &["d/e/f", "d/e/g/h"]),
    row("case counts", "A\nb\n", &["a", "B"], &["A", "b"]),
    row("other alphabets", "gr?ße\n世*\n", &["grße"], &["grüße", "世界"]),
    // Wildcards.
    row("a star", "*.md\n", &["d/a.md", "amd"], &["a.md", ".md"]),
    row("a star in mid-name", "a*c\n", &["ab", "d/abc"], &["abc", "ac", "abbc/x"]),
    row("a star is one folder deep", "*/temp*\n", &["temp", "a/b/temp"], &["d/temporary.txt", "d/temp/x"]),
    row("two stars are two folders deep", "*/*/temp*\n", &["d/temp", "a/b/c/temp"], &["d/e/temporary.txt"]),
    row("a question mark", "temp?\n", &["temp", "tempab", "d/tempa"], &["tempa", "tempb"]),
    row("a question mark is no slash", "d?a\n", &["d/a"], &["dxa"]),
    row("a class", "[ab].txt\n", &["c.txt", "ab.txt"], &["a.txt", "b.txt"]),
    row("a range", "[a-c]x[0-9]\n", &["dx1", "axa"], &["ax1", "cx9"]),
    row("a negated class", "[^a].txt\n", &["a.txt"], &["b.txt", "c.txt"]),
    row("an exclamation mark in a class is one", "x[!a].txt\n", &["xb.txt"], &["xa.txt", "x!.txt"]),
    // Its matcher writes the star as `[^/]*` into the class, which that ends: the second bracket is one.
    row("a star in a class", "x[*]\n", &["xa", "x*"], &["x]"]),
    row("a star behind a backslash", "x\\*\n", &["xa"], &["x*"]),
    row("a bracket behind a backslash", "x\\[a]\n", &["xa"], &["x[a]"]),
    row(
        "signs of regular expressions",
        "a.b\nc+(d)\n{e,f}\n^g$\n",
        &["axb", "cc(d)", "e", "g"],
        &["a.b", "c+(d)", "{e,f}", "^g$"],
    ),
    // Any number of folders.
    row("all of a name", "**/a\n", &["b", "d/ab"], &["a", "d/a", "d/e/a", "e/a/x"]),
    row("all of a kind", "**/*.go\n", &["a.rs", "d/b.rs"], &["a.go", "d/b.go", "d/e/c.go"]),
    row("all below a folder", "d/**\n", &["a", "x/d/a"], &["d/a", "d/e/f"]),
    row("folders between", "d/**/x\n", &["x", "d/y"], &["d/x", "d/e/x", "d/e/f/x"]),
    row("folders on both sides", "**/d/**/*.txt\n", &["d.txt", "x/d/a"], &["d/a.txt", "x/d/a.txt", "x/d/e/f/b.txt"]),
    row("folders before a path", "**/d/a\n", &["a", "d/b"], &["d/a", "x/d/a", "x/y/d/a"]),
    row("two pairs of stars", "**/**/a\n", &["b"], &["a", "d/a", "d/e/a"]),
    row("two stars before a name", "**bar\n", &["bars"], &["bar", "mybar", "d/mybar"]),
    row("two stars behind a name", "d**\n", &["a", "x/d"], &["d/a", "dx", "d1/e/f"]),
    // Exceptions.
    row("an exception", "*.md\n!README.md\n", &["README.md", "a"], &["a.md"]),
    row(
        "the last line decides against",
        "*.md\n!README*.md\nREADME-secret.md\n",
        &["README.md"],
        &["README-secret.md", "a.md"],
    ),
    row(
        "the last line decides in favour",
        "*.md\nREADME-secret.md\n!README*.md\n",
        &["README.md", "README-secret.md"],
        &["a.md"],
    ),
    row("an exception before its rule", "!a\na\n", &["b"], &["a"]),
    row("an exception from nothing", "!a\n", &["a", "b"], &[]),
    row("a file of a folder", "d\n!d/a\n", &["d/a"], &["d/b", "d/e/f"]),
    row("a file of a folder's content", "d/*\n!d/a\n", &["d/a"], &["d/b", "d/e/f"]),
    row("a folder of a folder", "d\n!d/e\n", &["d/e/f", "d/e/g/h"], &["d/a"]),
    row("a file deep in a folder", "d\n!d/e/f\n", &["d/e/f"], &["d/a", "d/e/g"]),
    row("a secret in a folder that came back", "d\n!d/e\nd/e/secret\n", &["d/e/f"], &["d/a", "d/e/secret"]),
    row("an exception with a leading slash", "d\n!/d/a\n", &["d/a"], &["d/b"]),
    row("an exception with a trailing slash", "d\n!d/e/\n", &["d/e/f"], &["d/b"]),
    row("a blank behind the exclamation mark", "a*\n! ab\n", &["ab"], &["ac"]),
    row("an exclamation mark behind a backslash", "\\!a\n", &["a"], &["!a"]),
    row(
        "only what is named",
        "*\n!Dockerfile\n!.dockerignore\n!d/a\n!src\n",
        &["d/a", "src/b", "src/c/d"],
        &["x", "d/b"],
    ),
    row(
        "only what is named, of all folders",
        "**\n!Dockerfile\n!.dockerignore\n!src/**\n",
        &["src/b", "src/c/d"],
        &["x", "d/b"],
    ),
    row(
        "only a kind, of all folders",
        "*\n!Dockerfile\n!.dockerignore\n!**/*.py\n",
        &["a.py", "d/b.py", "d/e/c.py"],
        &["x", "d/y"],
    ),
    row("a wildcard in an exception's folder", "d*\n!d*/a\n", &["d/a", "dd/a"], &["d/b", "dd/b"]),
    row("all of a name but those of a folder", "**/a\n!d/**/a\n", &["d/a", "d/e/a"], &["a", "x/a"]),
    // Dot files.
    row("a dot file", ".env\n", &["env", "d/.env"], &[".env"]),
    row("dot files of all folders", "**/.env\n", &["env", "a.env"], &[".env", "d/.env"]),
    row("a dot folder", ".git\n", &[".gitignore", "d/.git/x"], &[".git/HEAD", ".git/refs/heads/main"]),
    row("dot files but one", ".*\n!.dockerignore\n!.keep\n", &[".keep", "a"], &[".env", ".git/HEAD"]),
    // What is needed for the build itself, and is not for the image.
    row("the Dockerfile is left out", "Dockerfile\n", &["a"], &["Dockerfile"]),
    row("the file of patterns is left out", ".dockerignore\n", &["a"], &[".dockerignore"]),
    row(
        "both are left out",
        "Dockerfile*\n.dockerignore\n",
        &["a"],
        &["Dockerfile", "Dockerfile.test", ".dockerignore"],
    ),
    row("all dot files are left out", ".*\n", &["a", "d/.env"], &[".dockerignore", ".env"]),
    row("all but one are left out", "*\n!a\n", &["a"], &["Dockerfile", ".dockerignore", "b", "d/a"]),
    row("all are left out", "**\n", &[], &["Dockerfile", ".dockerignore", "a", "d/a"]),
    row("the Dockerfile's folder is left out", "docker\n", &["a"], &["docker/Dockerfile", "docker/x"])
        .built_by("docker/Dockerfile"),
    // A Dockerfile's own patterns.
    row("its own come first", "a\n", &["a", "other.Dockerfile", "other.Dockerfile.dockerignore"], &["b"])
        .built_by("other.Dockerfile")
        .with_its_own("b\n"),
    row("its own lie beside it", "a\n", &["a", "d/x.Dockerfile", "d/x.Dockerfile.dockerignore", "d/b"], &["b"])
        .built_by("d/x.Dockerfile")
        .with_its_own("b\n"),
    row("its own are empty", "a\n", &["a", "other.Dockerfile", "other.Dockerfile.dockerignore"], &[])
        .built_by("other.Dockerfile")
        .with_its_own(""),
    row("its own leave out themselves", "a\n", &["a", "other.Dockerfile"], &["other.Dockerfile.dockerignore"])
        .built_by("other.Dockerfile")
        .with_its_own("*.dockerignore\n!.dockerignore\n"),
    row("another's are not read", "a\n", &["b", "other.Dockerfile.dockerignore"], &["a"]),
];
