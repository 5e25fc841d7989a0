//! As much of a Dockerfile as the engine in memory needs.

use std::collections::BTreeMap;

/// What BuildKit makes a step of; everything else only changes the configuration.
const STEPS: [&str; 4] = ["ADD", "COPY", "RUN", "WORKDIR"];

const SETTINGS: [&str; 13] = [
    "ARG",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
];

/// A Dockerfile.
#[derive(Debug, Default)]
pub(super) struct Dockerfile {
    /// The `ARG`s before the first stage.
    pub(super) arguments: Vec<Instruction>,
    pub(super) stages: Vec<Stage>,
}

/// What begins with a `FROM`.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: Option<String>,
    /// The name of another stage, `scratch`, or an image's reference.
    pub(super) base: String,
    pub(super) from: Instruction,
    pub(super) instructions: Vec<Instruction>,
}

/// One instruction.
#[derive(Clone, Debug)]
pub(super) struct Instruction {
    /// In capital letters.
    pub(super) keyword: String,
    /// What follows the keyword.
    pub(super) rest: String,
    /// As it is written.
    pub(super) text: String,
}

impl Instruction {
    pub(super) fn is_step(&self) -> bool {
        STEPS.contains(&self.keyword.as_str())
    }

    /// The stage or image in `--from=…`.
    pub(super) fn source_stage(&self) -> Option<&str> {
        let mut flags = self.rest.split_whitespace();
        flags.find_map(|word| word.strip_prefix("--from="))
    }

    /// The words after the flags.
    pub(super) fn words(&self) -> Vec<&str> {
        let words = self.rest.split_whitespace();
        words.skip_while(|word| word.starts_with("--")).collect()
    }
}

impl Dockerfile {
    /// Reads a Dockerfile, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut dockerfile = Self::default();
        for (line, text) in logical_lines(text) {
            let instruction = instruction(&text);
            let keyword = instruction.keyword.as_str();
            let stage = dockerfile.stages.last_mut();
            match stage {
                _ if keyword == "FROM" => dockerfile.stages.push(stage_of(line, instruction)?),
                Some(stage) if instruction.is_step() || SETTINGS.contains(&keyword) => {
                    stage.instructions.push(instruction);
                }
                None if keyword == "ARG" => dockerfile.arguments.push(instruction),
                None if instruction.is_step() || SETTINGS.contains(&keyword) => {
                    return Err(format!("dockerfile parse error on line {line}: no build stage in current context"));
                }
                _ => {
                    return Err(format!("dockerfile parse error on line {line}: unknown instruction: {keyword}"));
                }
            }
        }
        if dockerfile.stages.is_empty() {
            return Err("the Dockerfile cannot be empty".to_owned());
        }
        Ok(dockerfile)
    }

    /// Which stage a name or a number means, among those before another.
    pub(super) fn stage_before(&self, end: usize, name: &str) -> Option<usize> {
        let by_name = self.stages[..end].iter().rposition(|stage| stage.name.as_deref() == Some(&name.to_lowercase()));
        by_name.or_else(|| name.parse().ok().filter(|number| *number < end))
    }

    /// The stage that is built: the one of this name, or the last.
    pub(super) fn target(&self, name: Option<&str>) -> Result<usize, String> {
        let end = self.stages.len();
        match name {
            None => Ok(end - 1),
            Some(name) => {
                self.stage_before(end, name).ok_or_else(|| format!("target stage \"{name}\" could not be found"))
            }
        }
    }

    /// The stages that a stage is made of, itself included, in their order.
    pub(super) fn needed_for(&self, target: usize) -> Vec<usize> {
        let mut needed = vec![target];
        let mut next = 0;
        while let Some(&stage) = needed.get(next) {
            let Stage { base, instructions, .. } = &self.stages[stage];
            let sources = instructions.iter().filter_map(Instruction::source_stage);
            for name in sources.chain([base.as_str()]) {
                let source = self.stage_before(stage, name);
                needed.extend(source.filter(|source| !needed.contains(source)));
            }
            next += 1;
        }
        needed.sort_unstable();
        needed
    }
}

/// The lines with an instruction on them, continued ones as one, each with its number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (number, mut logical) = open.take().unwrap_or((index + 1, String::new()));
        if let Some(start) = line.strip_suffix('\\') {
            logical.push_str(start);
            open = Some((number, logical));
        } else {
            logical.push_str(line);
            lines.push((number, logical));
        }
    }
    lines.extend(open);
    lines
}

fn instruction(text: &str) -> Instruction {
    let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Instruction { keyword: keyword.to_uppercase(), rest: rest.trim().to_owned(), text: text.to_owned() }
}

fn stage_of(line: usize, from: Instruction) -> Result<Stage, String> {
    let (base, name) = match from.words().as_slice() {
        [base] => ((*base).to_owned(), None),
        [base, keyword, name] if keyword.eq_ignore_ascii_case("as") => ((*base).to_owned(), Some(name.to_lowercase())),
        _ => {
            return Err(format!("dockerfile parse error on line {line}: FROM requires either one or three arguments"));
        }
    };
    Ok(Stage { name, base, from, instructions: Vec::new() })
}

/// A text with the values of `$NAME` and `${NAME}` in it; a variable without a value is empty.
pub(super) fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, tail) = variable(after);
        match name {
            Some(name) => expanded.push_str(variables.get(name).map_or("", String::as_str)),
            None => expanded.push('$'),
        }
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

/// The name at the beginning of a text, braces or none, and what follows it.
fn variable(text: &str) -> (Option<&str>, &str) {
    if let Some((name, tail)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (Some(name), tail);
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let end = text.find(|character| !is_part(character)).unwrap_or(text.len());
    match &text[..end] {
        "" => (None, text),
        name => (Some(name), &text[end..]),
    }
}
