//! YAML as a tree in which every node knows where it stands, so that whatever is found wrong later can name the place.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{Location, Spanned, UserMessageFormatter};

use super::problem::{Place, Problem};

/// No file of resources is that big; a wrong path may name one that is.
pub(super) const LARGEST_FILE: usize = 8 * 1024 * 1024;

/// Resources are about ten levels deep.
const DEEPEST_NESTING: usize = 48;

/// Enough for files that repeat a block, too few for a file that unfolds without end.
const MOST_ALIASES: usize = 1_000;

/// How many nodes all files' aliases may unfold to.
const MOST_UNFOLDED_NODES: usize = 100_000;

/// How many nodes a file may have.
const MOST_NODES: usize = 200_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) location: Location,
    pub(super) content: Content,
}

/// A value. Maps keep the order of the file.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_location: Location,
    pub(super) value: Node,
}

/// A YAML document, and the file that it stands in.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) file: String,
    pub(super) root: Node,
}

impl Document {
    /// The place of a location in this document's file.
    pub(super) fn place(&self, location: Location) -> Place {
        place(&self.file, location)
    }
}

/// The documents of a file; empty ones are left out.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Document>, Problem> {
    // Numbers that YAML 1.1 and 1.2 read differently stay texts: `0755` is refused where a number is wanted instead
    // of being 755 here and 493 in the API server.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST_NESTING,
            max_aliases: MOST_ALIASES,
            max_nodes: MOST_NODES,
            max_total_scalar_bytes: LARGEST_FILE,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_UNFOLDED_NODES },
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    let roots =
        serde_saphyr::from_multiple_with_options::<Node>(text, options).map_err(|error| problem_of(file, &error))?;
    let is_not_empty = |root: &Node| !matches!(root.content, Content::Null);
    Ok(roots.into_iter().filter(is_not_empty).map(|root| Document { file: file.to_owned(), root }).collect())
}

fn place(file: &str, location: Location) -> Place {
    Place { file: file.to_owned(), line: location.line(), column: location.column() }
}

fn problem_of(file: &str, error: &serde_saphyr::Error) -> Problem {
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let message = if is_without_end(error) {
        "the file is nested too deeply or unfolds its aliases to too much; write it out with fewer aliases".to_owned()
    } else {
        let text = error.render_with_formatter(&UserMessageFormatter);
        // The place stands in front already.
        let suffix = format!(" at line {}, column {}", location.line(), location.column());
        format!("this is not YAML that can be read: {}", text.strip_suffix(&suffix).unwrap_or(&text))
    };
    Problem { place: place(file, location), message }
}

fn is_without_end(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::Error;
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => is_without_end(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, none if this is not a map.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements, none if this is not a list.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.content {
            Content::List(elements) => elements,
            _ => &[],
        }
    }

    /// What kind of value it is, as a person would say.
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "empty",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a group of fields",
        }
    }

    /// The value without the places. Keys without a value are left out, as the API server prunes them.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(elements) => elements.iter().map(Self::to_json).collect(),
            Content::Map(entries) => {
                let with_value = entries.iter().filter(|entry| !matches!(entry.value.content, Content::Null));
                Value::Object(with_value.map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }

    /// The location of the field with this path, or of the innermost part of the path that is there. The path is
    /// written `spec.run.ports[0].hostPort`.
    pub(super) fn locate(&self, path: &str) -> Location {
        self.entries()
            .iter()
            .find_map(|entry| {
                let rest = path.strip_prefix(entry.key.as_str())?;
                let ends_there = rest.is_empty() || rest.starts_with(['.', '[']);
                ends_there.then(|| entry.value.locate_rest(rest, entry.key_location))
            })
            .unwrap_or(self.location)
    }

    fn locate_rest(&self, path: &str, key: Location) -> Location {
        if let Some(rest) = path.strip_prefix('.') {
            let is_there = self.entries().iter().any(|entry| rest.starts_with(entry.key.as_str()));
            return if is_there { self.locate(rest) } else { key };
        }
        let element = path.strip_prefix('[').and_then(|rest| rest.split_once(']')).and_then(|(index, rest)| {
            let element = self.elements().get(index.parse::<usize>().ok()?)?;
            Some(element.locate_rest(rest, element.location))
        });
        element.unwrap_or(if self.is_scalar() { self.location } else { key })
    }

    fn is_scalar(&self) -> bool {
        !matches!(self.content, Content::List(_) | Content::Map(_))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { location: spanned.referenced, content: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| de::Error::custom("a number that is not finite"))?;
        Ok(Content::Number(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Content::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value()?;
            entries.push(Entry { key: key.value, key_location: key.referenced, value });
        }
        Ok(Content::Map(entries))
    }
}

/// A number, a text or a truth value as a person would write it; nothing for lists and maps.
pub(super) fn written(node: &Node, source: &str) -> Option<String> {
    match &node.content {
        Content::Text(text) => Some(format!("\"{}\"", shortened(text))),
        Content::Number(_) | Content::Bool(_) => slice(node.location, source).map(str::to_owned),
        Content::Null | Content::List(_) | Content::Map(_) => None,
    }
}

/// The text as it stands in the file: a tag 0.10 is not the number 0.1.
fn slice(location: Location, source: &str) -> Option<&str> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    source.get(start..start.checked_add(length)?).map(str::trim)
}

fn shortened(text: &str) -> String {
    const LONGEST_QUOTE: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.chars().count() <= LONGEST_QUOTE {
        return text.to_owned();
    }
    format!("{}…", line.chars().take(LONGEST_QUOTE).collect::<String>())
}
