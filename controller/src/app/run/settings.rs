//! The settings of a container in words, each by its name: what is hashed, what is written on the container, and what
//! tells one container from the next.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::app::Digest;

/// What stands for a setting that is not there.
const NONE: &str = "none";

/// What the content of a file begins with, as a setting.
const CONTENT: &str = "content ";

/// How many hexadecimal digits of the digest of a content are told: of 4096 changes one is not noticed by them, and is
/// told in general words.
const TOLD_DIGITS: usize = 3;

/// How many differences are told.
const TOLD: usize = 3;

/// The settings of a container: their values by names that a person understands.
///
/// Names and values go into the hash of the spec: one that is called otherwise one day replaces containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Those that a label tells; none from a label that is not ours.
    pub(crate) fn from_label(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// The settings by their names.
    pub(crate) fn values(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// As a label tells them.
    pub(crate) fn to_label(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let values = self.0.entry(name.to_owned()).or_default();
        // Several of one name are one setting.
        *values = if values.is_empty() { value.to_owned() } else { format!("{values}, {value}") };
    }

    /// The content of a file, of which nothing is told but whether it is another.
    pub(crate) fn content(&mut self, name: &str, digest: &Digest) {
        self.add(name, &format!("{CONTENT}{digest}"));
    }

    /// The same with so little of contents that nobody finds out a short one by trying.
    pub(crate) fn without_contents(self) -> Self {
        let shortened = |value: String| match value.strip_prefix(CONTENT) {
            Some(digest) => {
                let hash = digest.trim_start_matches("sha256:");
                format!("{CONTENT}{}", hash.get(..TOLD_DIGITS).unwrap_or_default())
            }
            None => value,
        };
        Self(self.0.into_iter().map(|(name, value)| (name, shortened(value))).collect())
    }

    pub(crate) fn set<T: Display>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.add(name, &value.to_string());
        }
    }

    pub(crate) fn flag(&mut self, name: &str, is_set: bool) {
        self.set(name, is_set.then_some(&"yes"));
    }

    pub(crate) fn list(&mut self, name: &str, values: impl Iterator<Item = String>) {
        for value in values {
            self.add(name, &value);
        }
    }

    /// What differs from these to others, in words: `memory limit 64Mi → 128Mi`; `None` when nothing does.
    pub(crate) fn difference(&self, to: &Self) -> Option<String> {
        let mut names: Vec<&String> = self.0.keys().chain(to.0.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let change = |name: &String| {
            let value_of = |settings: &Self| settings.0.get(name).map_or(NONE, String::as_str).to_owned();
            let (from, to) = (value_of(self), value_of(to));
            (from != to).then(|| in_words(name, &from, &to))
        };
        let mut changes: Vec<String> = names.into_iter().filter_map(change).collect();
        let more = changes.len().saturating_sub(TOLD);
        changes.truncate(TOLD);
        match (changes.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(changes.join(", ")),
            (false, more) => Some(format!("{} and {more} more", changes.join(", "))),
        }
    }
}

fn in_words(name: &str, from: &str, to: &str) -> String {
    match (from.starts_with(CONTENT), to.starts_with(CONTENT)) {
        (true, true) => return format!("{name} has changed"),
        (true, false) => return format!("{name} is gone"),
        (false, true) => return format!("{name} is new"),
        (false, false) => {}
    }
    format!("{name} {from} \u{2192} {to}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.add(name, value);
        }
        settings
    }

    #[test]
    fn what_differs_is_told_with_both_values() {
        let before = settings(&[("memory limit", "64Mi"), ("user", "7"), ("hostname", "web")]);
        let after = settings(&[("memory limit", "128Mi"), ("process limit", "9"), ("hostname", "web")]);
        let difference = before.difference(&after);
        assert_eq!(
            difference.as_deref(),
            Some("memory limit 64Mi \u{2192} 128Mi, process limit none \u{2192} 9, user 7 \u{2192} none")
        );
        assert_eq!(before.difference(&before), None);
    }

    #[test]
    fn of_many_differences_the_first_are_told() {
        let after = settings(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1")]);
        let told = Settings::default().difference(&after).unwrap();
        assert!(told.ends_with("c none \u{2192} 1 and 2 more"), "{told}");
    }

    #[test]
    fn of_a_content_only_that_it_is_another_is_told() {
        let with = |content: &str| {
            let mut settings = Settings::default();
            settings.content("the key k of the Secret s at /etc/k", &Digest::of(content));
            settings.without_contents()
        };
        let told = |from: &Settings, to: &Settings| from.difference(to).unwrap();
        let (one, other, none) = (with("one"), with("other"), Settings::default());
        assert_eq!(told(&one, &other), "the key k of the Secret s at /etc/k has changed");
        assert_eq!(told(&none, &one), "the key k of the Secret s at /etc/k is new");
        assert_eq!(told(&one, &none), "the key k of the Secret s at /etc/k is gone");
        let label = one.to_label();
        assert_eq!(label.len(), r#"{"the key k of the Secret s at /etc/k":"content abc"}"#.len(), "{label}");
    }

    #[test]
    fn a_label_tells_them_again() {
        let written = settings(&[("extra host db", "10.0.0.1"), ("extra host db", "fd00::1")]);
        assert_eq!(Settings::from_label(&written.to_label()), written);
        assert_eq!(Settings::from_label("something else"), Settings::default());
    }
}
