//! What a program prints, without what it tells a terminal to do.

/// A line without control sequences (ECMA-48: CSI, OSC and their kin) and control characters, tabs excepted. Of a line
/// that was written over by carriage returns the last version is kept, as it stays on a terminal.
pub(super) fn plain(line: &str) -> String {
    let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
    let mut text = String::with_capacity(last.len());
    let mut characters = last.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut characters),
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\t' => text.push('\t'),
            _ if character.is_control() => {}
            _ => text.push(character),
        }
    }
    text
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What follows an escape character.
fn skip_sequence(characters: &mut Characters<'_>) {
    match characters.next() {
        Some('[') => skip_control_sequence(characters),
        // Strings, such as a window's title, end with BEL or with an escape and a backslash.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(character) = characters.next() {
                match character {
                    '\u{7}' | '\u{9c}' => return,
                    '\u{1b}' => {
                        characters.next_if_eq(&'\\');
                        return;
                    }
                    _ => {}
                }
            }
        }
        // Intermediate characters, and the one that ends them.
        Some(' '..='/') => {
            while characters.next_if(|character| (' '..='/').contains(character)).is_some() {}
            characters.next();
        }
        _ => {}
    }
}

/// Parameters, intermediate characters, and the final one.
fn skip_control_sequence(characters: &mut Characters<'_>) {
    while characters.next_if(|character| (' '..='?').contains(character)).is_some() {}
    characters.next_if(|character| ('@'..='~').contains(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_movements_are_left_out() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\u{1b}[2K\u{1b}[?25l done"), "red done");
        assert_eq!(plain("\u{9b}31mred"), "red");
        assert_eq!(plain("a\u{1b}(Bb\u{1b}=c"), "abc");
    }

    #[test]
    fn a_windows_title_is_left_out() {
        assert_eq!(plain("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(plain("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
    }

    #[test]
    fn control_characters_are_left_out_and_tabs_stay() {
        assert_eq!(plain("a\u{0}\u{8}b\tc\u{7f}\u{85}"), "ab\tc");
    }

    #[test]
    fn of_a_line_that_is_written_over_the_last_version_stays() {
        assert_eq!(plain(" 10%\r 50%\r100%\r"), "100%");
        assert_eq!(plain("windows\r"), "windows");
    }

    #[test]
    fn a_sequence_that_does_not_end_takes_no_text_of_another_line() {
        assert_eq!(plain("text\u{1b}"), "text");
        assert_eq!(plain("text\u{1b}[31"), "text");
        assert_eq!(plain("text\u{1b}]0;title"), "text");
    }

    #[test]
    fn ordinary_text_is_as_it_was() {
        assert_eq!(plain("Größe: 5 µm → ok"), "Größe: 5 µm → ok");
    }
}
