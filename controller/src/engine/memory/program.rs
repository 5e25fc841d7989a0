//! What a program does, read off its command: the shell that test images speak.

use std::time::Duration;

/// What a program does from its start on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// What it prints, in order.
    pub(super) lines: Vec<Line>,
    /// When and how it ends by itself; it runs on when absent.
    pub(super) end: Option<End>,
    /// The exit code when it is asked to stop; absent when it must be killed, as the first process of a container is
    /// when it handles no SIGTERM.
    pub(super) stops_with: Option<i64>,
    /// The name of the program when the image does not have it.
    pub(super) missing: Option<String>,
}

/// A line that a program prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How long after the start.
    pub(super) after: Duration,
    pub(super) is_stderr: bool,
    pub(super) text: String,
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// How long after the start.
    pub(super) after: Duration,
    pub(super) exit_code: i64,
}

/// What a command is taken for that is not known here.
#[derive(Clone, Copy)]
enum Unknown {
    /// A server: it runs on.
    RunsOn,
    /// A tool: it succeeds at once.
    Succeeds,
}

/// A folder in which no image has a program.
const MISSING: &str = "/missing/";

impl Program {
    /// What a container does whose command is this, in the exec form.
    pub(super) fn of_container(command: &[String]) -> Self {
        match command {
            [shell, flag, script, ..] if is_shell(shell) && flag == "-c" => Self::of_script(script, Unknown::RunsOn),
            [program, ..] if program.starts_with(MISSING) => Self { missing: Some(program.clone()), ..Self::default() },
            [] => Self::default(),
            words => Self::of_script(&words.join(" "), Unknown::RunsOn),
        }
    }

    /// What a step of a build does whose command is this. It always ends.
    pub(super) fn of_step(script: &str) -> Self {
        let mut program = Self::of_script(script, Unknown::Succeeds);
        program.end.get_or_insert(End { after: Duration::ZERO, exit_code: 0 });
        program
    }

    /// The exit code of a command that is run in a container, such as a health check's. What is not known succeeds.
    pub(super) fn exit_code_of_command(command: &[String]) -> i64 {
        let script = match command {
            [shell, flag, script, ..] if is_shell(shell) && flag == "-c" => script.clone(),
            words => words.join(" "),
        };
        Self::of_step(&script).end.map_or(0, |end| end.exit_code)
    }

    fn of_script(script: &str, unknown: Unknown) -> Self {
        let mut program = Self::default();
        let mut elapsed = Duration::ZERO;
        let mut exit_code = 0;
        for statement in statements(script) {
            let words = words(&statement);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["echo" | "printf", text @ .., ">&2"] => program.print(elapsed, true, &text.join(" ")),
                ["echo" | "printf", text @ ..] => program.print(elapsed, false, &text.join(" ")),
                ["trap", handler, "TERM"] => program.stops_with = Some(exit_code_of(handler)),
                ["exec", "sleep", time] | ["sleep", time] => match time.parse() {
                    Ok(seconds) => elapsed += Duration::from_secs(seconds),
                    Err(_) => return program,
                },
                ["true" | ":" | "wait"] => exit_code = 0,
                ["false"] => exit_code = 1,
                ["exit", ..] => {
                    exit_code = exit_code_of(&words.join(" "));
                    break;
                }
                _ => match unknown {
                    Unknown::RunsOn => return program,
                    Unknown::Succeeds => exit_code = 0,
                },
            }
        }
        program.end = Some(End { after: elapsed, exit_code });
        program
    }

    fn print(&mut self, after: Duration, is_stderr: bool, text: &str) {
        self.lines.push(Line { after, is_stderr, text: text.to_owned() });
    }
}

fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "/bin/sh" | "bash" | "/bin/bash")
}

/// The code in `exit 3`, 0 in anything else.
fn exit_code_of(statement: &str) -> i64 {
    let code = statement.strip_prefix("exit").map(str::trim);
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The statements of a script, cut at `;`, `&`, `&&` and the ends of lines outside of quotes.
fn statements(script: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut quote = None;
    let mut before = ' ';
    for character in script.chars() {
        quote = quote_after(quote, character);
        let redirects = character == '&' && before == '>';
        before = character;
        if quote.is_none() && !redirects && matches!(character, ';' | '&' | '\n') {
            statements.push(String::new());
        } else if let Some(last) = statements.last_mut() {
            last.push(character);
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

/// The words of a statement, without their quotes.
pub(super) fn words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in statement.chars() {
        let next = quote_after(quote, character);
        if next != quote {
            word.get_or_insert_default();
        } else if quote.is_none() && character.is_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(character);
        }
        quote = next;
    }
    words.extend(word);
    words
}

/// The quote that is open after a character, when this one was open before it.
fn quote_after(open: Option<char>, character: char) -> Option<char> {
    match open {
        Some(quote) if quote == character => None,
        None if matches!(character, '\'' | '"') => Some(character),
        open => open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(script: &str) -> Program {
        Program::of_container(&["sh".to_owned(), "-c".to_owned(), script.to_owned()])
    }

    fn end(seconds: u64, exit_code: i64) -> End {
        End { after: Duration::from_secs(seconds), exit_code }
    }

    #[test]
    fn a_program_that_is_not_known_runs_on() {
        let words = ["node", "app.js"].map(str::to_owned);
        assert_eq!(Program::of_container(&words), Program::default());
    }

    #[test]
    fn a_script_prints_sleeps_and_exits() {
        let program = container("echo 'hello; world' && sleep 2; echo oops >&2; exit 3");
        let printed: Vec<(u64, bool, &str)> =
            program.lines.iter().map(|line| (line.after.as_secs(), line.is_stderr, line.text.as_str())).collect();
        assert_eq!(printed, [(0, false, "hello; world"), (2, true, "oops")]);
        assert_eq!(program.end, Some(end(2, 3)));
    }

    #[test]
    fn a_script_that_traps_the_signal_stops_as_it_likes() {
        assert_eq!(container("trap 'exit 0' TERM; sleep 9 & wait").stops_with, Some(0));
        assert_eq!(container("trap 'exit 4' TERM; server").stops_with, Some(4));
        assert_eq!(container("sleep 9").stops_with, None);
    }

    #[test]
    fn a_step_of_a_build_always_ends() {
        assert_eq!(Program::of_step("npm install").end, Some(end(0, 0)));
        assert_eq!(Program::of_step("npm install && exit 7").end, Some(end(0, 7)));
        assert_eq!(Program::of_step("false").end, Some(end(0, 1)));
    }

    #[test]
    fn no_image_has_the_programs_of_the_missing_folder() {
        let program = Program::of_container(&["/missing/server".to_owned()]);
        assert_eq!(program.missing.as_deref(), Some("/missing/server"));
    }
}
