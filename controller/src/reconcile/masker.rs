//! Hides the values of secrets in what builds print and what errors say.
//!
//! # Guarantees
//! What stands for a value is found as the value itself, line by line where it has several, and as Base64 and in URLs
//! write it, wherever it begins in what was encoded. Values that overlap are hidden together.
//!
//! # Caveats
//! A value shorter than four characters is not hidden: it would be found everywhere. Nor is one that a program has
//! changed in a way of its own, backwards or letter by letter.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

/// What stands where a value was.
const MASK: &str = "***";

/// The shortest value that is hidden, in characters.
const SHORTEST: usize = 4;

/// The shortest piece of an encoded value that is hidden: a shorter one is found by chance.
const SHORTEST_ENCODED: usize = 6;

/// Where `base64` and `openssl base64` break their lines.
const LINE_LENGTHS: [usize; 2] = [76, 64];

/// Knows the values that must not be told. It has no `Debug`: nothing may print it.
pub(super) struct Masker {
    /// Absent when there is nothing to hide.
    automaton: Option<AhoCorasick>,
    patterns: BTreeSet<String>,
    longest: usize,
    /// Whether everything has to be hidden, because the values are more than can be searched for.
    hides_everything: bool,
}

impl Masker {
    /// Hides these values.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut patterns = BTreeSet::new();
        for value in values {
            add_forms(&mut patterns, value.expose_secret());
        }
        let longest = patterns.iter().map(String::len).max().unwrap_or(0);
        if patterns.is_empty() {
            return Self { automaton: None, patterns, longest, hides_everything: false };
        }
        // One is made for every step and searches little. The kind that searches fastest takes far longer to make where
        // a value is long.
        match AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(&patterns) {
            Ok(automaton) => Self { automaton: Some(automaton), patterns, longest, hides_everything: false },
            Err(error) => {
                warn!("the secrets of a resource are too long to be searched for, so nothing is told: {error}");
                Self { automaton: None, patterns, longest, hides_everything: true }
            }
        }
    }

    /// The text with every value hidden.
    pub(super) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.hides_everything {
            return Cow::Borrowed(MASK);
        }
        let found = self.found(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for (from, to) in found {
            masked.push_str(&text[end..from]);
            masked.push_str(MASK);
            end = to;
        }
        masked.push_str(&text[end..]);
        Cow::Owned(masked)
    }

    /// The same for the end of a longer text: it may begin in the middle of a value.
    pub(super) fn mask_end(&self, text: &str) -> String {
        let begins_so = |pattern: &String| {
            let ends = pattern.char_indices().skip(1).map(|(from, _)| &pattern[from..]);
            ends.take_while(|end| end.chars().count() >= SHORTEST).find(|end| text.starts_with(*end)).map(str::len)
        };
        match self.patterns.iter().filter_map(begins_so).max() {
            Some(hidden) => format!("{MASK}{}", self.mask(&text[hidden..])),
            None => self.mask(text).into_owned(),
        }
    }

    /// Where values are in a text, those that overlap or touch taken together.
    fn found(&self, text: &str) -> Vec<(usize, usize)> {
        let Some(automaton) = &self.automaton else {
            return Vec::new();
        };
        let mut all: Vec<(usize, usize)> =
            automaton.find_overlapping_iter(text).map(|found| (found.start(), found.end())).collect();
        all.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (from, to) in all {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

/// Hides values in one line that comes in pieces, also where a value begins in one and ends in the next.
#[derive(Default)]
pub(super) struct MaskedLine {
    /// What may be the beginning of a value.
    withheld: String,
}

impl MaskedLine {
    /// Takes a piece and gives as much as is certain.
    pub(super) fn push(&mut self, masker: &Masker, piece: &str) -> String {
        self.withheld.push_str(piece);
        // A value that ends in a later piece begins in the last so many bytes of this one.
        let mut certain = self.withheld.len().saturating_sub(masker.longest.saturating_sub(1));
        // One that is whole already is not cut: another may begin in it.
        for (from, to) in masker.found(&self.withheld) {
            if from < certain && certain < to {
                certain = from;
            }
        }
        let certain = self.withheld.floor_char_boundary(certain);
        let rest = self.withheld.split_off(certain);
        let told = std::mem::replace(&mut self.withheld, rest);
        masker.mask(&told).into_owned()
    }

    /// The rest of the line.
    pub(super) fn finish(&mut self, masker: &Masker) -> String {
        let rest = std::mem::take(&mut self.withheld);
        masker.mask(&rest).into_owned()
    }
}

/// The forms in which a value is looked for.
fn add_forms(patterns: &mut BTreeSet<String>, value: &str) {
    let trimmed = value.trim();
    if trimmed.chars().count() < SHORTEST {
        return;
    }
    // A line break may be written as such or, in JSON, as a backslash and an n.
    for line in value.lines().flat_map(|line| std::iter::once(line).chain(line.split("\\n"))) {
        let line = line.trim();
        if line.chars().count() >= SHORTEST {
            patterns.insert(line.to_owned());
            patterns.insert(percent_encoded(line));
        }
    }
    for form in [value, trimmed] {
        add_base64(patterns, form.as_bytes());
    }
    for line in trimmed.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST) {
        add_base64(patterns, line.as_bytes());
    }
}

fn add_base64(patterns: &mut BTreeSet<String>, value: &[u8]) {
    let mut add = |form: &str| {
        if form.len() >= SHORTEST_ENCODED {
            patterns.insert(form.to_owned());
        }
    };
    let whole = STANDARD.encode(value);
    add(&whole);
    for length in LINE_LENGTHS.into_iter().filter(|length| whole.len() > *length) {
        for from in (0..whole.len()).step_by(length) {
            add(&whole[from..whole.len().min(from + length)]);
        }
    }
    for encoder in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        add(&encoder.encode(value));
        // Behind something else, as the password behind the user's name, a value is encoded differently: three bytes
        // make four characters, so there are three ways. What depends on the neighbours is left out.
        for before in 0..3 {
            let shifted = [&vec![0; before], value].concat();
            let encoded = encoder.encode(&shifted);
            let from = (before * 4).div_ceil(3);
            let to = shifted.len() * 4 / 3;
            if let Some(certain) = encoded.get(from..to) {
                add(certain);
            }
        }
    }
}

/// As it stands in a URL: everything but unreserved characters (RFC 3986, 2.3) is encoded.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
#[path = "masker_tests.rs"]
mod tests;
