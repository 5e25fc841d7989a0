//! The instructions of a Dockerfile: continued lines as one, without comments and here-documents.
//!
//! The rules are those of the Dockerfile reference (<https://docs.docker.com/reference/dockerfile/>): the `escape`
//! directive, comments and empty lines between continued ones, and here-documents of `RUN`, `COPY` and `ADD`.

/// One instruction.
pub(super) struct Instruction {
    /// In capital letters.
    pub(super) keyword: String,
    rest: String,
}

impl Instruction {
    fn of(line: &str) -> Self {
        let line = line.trim();
        let (keyword, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Self { keyword: keyword.to_uppercase(), rest: rest.trim().to_owned() }
    }

    /// The words behind the flags.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.rest.split_whitespace().skip_while(|word| word.starts_with("--"))
    }

    /// The stages and images in `--from=` and `--mount=…,from=`.
    pub(super) fn sources(&self) -> Vec<String> {
        let flags = self.rest.split_whitespace().take_while(|word| word.starts_with("--"));
        let sources = flags.filter_map(|flag| match flag.split_once('=') {
            Some(("--from", source)) => Some(source),
            Some(("--mount", mount)) => mount.split(',').find_map(|part| part.strip_prefix("from=")),
            _ => None,
        });
        sources.map(str::to_owned).collect()
    }

    /// The names of the here-documents that follow, each with whether tabs before its end count.
    fn here_documents(&self) -> Vec<(String, bool)> {
        if !matches!(self.keyword.as_str(), "RUN" | "COPY" | "ADD") {
            return Vec::new();
        }
        let words = self.rest.split_whitespace().filter_map(|word| word.split_once("<<").map(|(_, name)| name));
        words
            .map(|name| (name.trim_start_matches('-').trim_matches(['"', '\'']).to_owned(), name.starts_with('-')))
            .filter(|(name, _)| !name.is_empty() && name.chars().all(|part| part.is_alphanumeric() || part == '_'))
            .collect()
    }
}

/// The instructions in their order.
pub(super) fn instructions(dockerfile: &str) -> Vec<Instruction> {
    let dockerfile = dockerfile.trim_start_matches('\u{feff}');
    let escape = escape(dockerfile);
    let mut lines = dockerfile.lines();
    let mut instructions = Vec::new();
    while let Some(line) = logical_line(&mut lines, escape) {
        let instruction = Instruction::of(&line);
        for (name, ignores_tabs) in instruction.here_documents() {
            let is_end = |line: &str| if ignores_tabs { line.trim_start_matches('\t') == name } else { line == name };
            lines.by_ref().take_while(|line| !is_end(line)).for_each(drop);
        }
        instructions.push(instruction);
    }
    instructions
}

/// The next line that says something, with those that continue it.
fn logical_line<'a>(lines: &mut impl Iterator<Item = &'a str>, escape: char) -> Option<String> {
    let mut logical: Option<String> = None;
    for line in lines {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let so_far = logical.get_or_insert_default();
        let Some(start) = line.strip_suffix(escape) else {
            so_far.push_str(line);
            break;
        };
        so_far.push_str(start);
        so_far.push(' ');
    }
    logical
}

/// The character that continues a line, which a directive at the very top may change.
fn escape(dockerfile: &str) -> char {
    let directives = dockerfile.lines().map(str::trim).map_while(|line| line.strip_prefix('#')?.split_once('='));
    let mut escapes = directives.filter(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    escapes.next().and_then(|(_, value)| value.trim().chars().next()).unwrap_or('\\')
}
