//! What a step prints: cut into lines, and its end kept for when it fails.

/// How much of a failed step's output the status holds, in bytes.
const LONGEST_TAIL: usize = 2048;
/// A line that does not end is told in pieces of this size.
const LONGEST_LINE: usize = 16 * 1024;

/// The output of one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    unfinished: Vec<u8>,
    tail: String,
}

impl Output {
    /// Takes what was printed and gives the lines that it completes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unfinished.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            lines.push(self.keep(&line));
        }
        if self.unfinished.len() > LONGEST_LINE {
            lines.extend(self.finish());
        }
        lines
    }

    /// The line that was begun and not ended.
    pub(super) fn finish(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.unfinished);
        (!line.is_empty()).then(|| self.keep(&line))
    }

    /// The last lines, at most 2 KiB of them, from the beginning of a line where there is one.
    pub(super) fn tail(&self) -> &str {
        self.tail.trim_end()
    }

    fn keep(&mut self, line: &[u8]) -> String {
        let line = String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned();
        self.tail.push_str(&line);
        self.tail.push('\n');
        if self.tail.len() > LONGEST_TAIL {
            let mut start = self.tail.len() - LONGEST_TAIL;
            while !self.tail.is_char_boundary(start) {
                start += 1;
            }
            let next_line = self.tail[start..].find('\n').map(|end| start + end + 1);
            let start = next_line.filter(|next| *next < self.tail.len()).unwrap_or(start);
            self.tail.drain(..start);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_when_they_end() {
        let mut output = Output::default();
        assert_eq!(output.push(b"one\ntw"), ["one"]);
        assert_eq!(output.push(b"o\r\n"), ["two"]);
        assert_eq!(output.push(b"three"), [""; 0]);
        assert_eq!(output.finish().as_deref(), Some("three"));
        assert_eq!(output.tail(), "one\ntwo\nthree");
    }

    #[test]
    fn the_tail_is_short_and_begins_with_a_line() {
        let mut output = Output::default();
        for number in 0..1000 {
            output.push(format!("line ä {number}\n").as_bytes());
        }
        assert!(output.tail().len() <= LONGEST_TAIL);
        assert!(output.tail().starts_with("line ä "));
        assert!(output.tail().ends_with("line ä 999"));
    }

    #[test]
    fn one_endless_line_keeps_its_end() {
        let mut output = Output::default();
        output.push("ä".repeat(100_000).as_bytes());
        output.finish();
        assert!(!output.tail().is_empty() && output.tail().len() <= LONGEST_TAIL);
    }
}
