//! A canary in every form in which it may turn up, and nothing of it left.

use proptest::prelude::*;

use super::*;

const CANARY: &str = "canary+7/Secret?value";

fn masker(values: &[&str]) -> Masker {
    let values: Vec<SecretString> = values.iter().map(|value| SecretString::from((*value).to_owned())).collect();
    Masker::of(&values)
}

fn masked(values: &[&str], text: &str) -> String {
    masker(values).mask(text).into_owned()
}

#[test]
fn a_value_is_hidden_wherever_it_stands() {
    assert_eq!(masked(&[CANARY], &format!("{CANARY} and token={CANARY}.")), "*** and token=***.");
    assert_eq!(masked(&[CANARY], "nothing of it"), "nothing of it");
    assert_eq!(masked(&[], CANARY), CANARY);
}

#[test]
fn short_values_are_left_alone() {
    assert_eq!(masked(&["abc", "", " ab \n"], "abc ab"), "abc ab");
    assert_eq!(masked(&["abcd", "äöü"], "abcd äöü"), "*** äöü");
    assert_eq!(masked(&["äöüß"], "äöüß"), "***");
}

#[test]
fn a_value_of_several_lines_is_hidden_line_by_line() {
    let key = "-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\nab\nkqhkiG9w0BAQ==\n-----END KEY-----\n";
    assert_eq!(masked(&[key], "#2 MIIEvQIBADANBg"), "#2 ***");
    assert_eq!(masked(&[key], "line: kqhkiG9w0BAQ== ."), "line: *** .");
    assert_eq!(masked(&[key], "ab"), "ab");
}

#[test]
fn the_lines_in_a_json_string_are_hidden_one_by_one() {
    let account = r#"{"private_key": "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n"}"#;
    assert_eq!(masked(&[account], "MIIEvQIBADANBg"), "***");
    assert_eq!(masked(&[account], "kqhkiG9w0BAQ"), "***");
    assert_eq!(masked(&[account], account), "***");
}

#[test]
fn the_end_of_the_line_in_a_file_is_not_part_of_the_value() {
    assert_eq!(masked(&["canary-value\n"], "token=canary-value!"), "token=***!");
}

#[test]
fn base64_of_a_value_is_hidden_with_and_without_padding() {
    for value in ["canary1", "canary-2", "canary--3", CANARY, "????>>>>~~~~"] {
        for encoded in [STANDARD.encode(value), STANDARD_NO_PAD.encode(value), URL_SAFE_NO_PAD.encode(value)] {
            assert_eq!(masked(&[value], &format!("auth: {encoded}")), "auth: ***", "{value}");
        }
        let with_line_end = STANDARD.encode(format!("{value}\n"));
        let told = masked(&[&format!("{value}\n")], &with_line_end);
        assert_eq!(told, "***", "{value}");
    }
}

#[test]
fn base64_of_a_value_behind_something_else_is_hidden_but_for_a_neighbouring_character() {
    for user in ["u", "us", "use", "_json_key"] {
        let pair = STANDARD.encode(format!("{user}:{CANARY}"));
        let told = masked(&[CANARY], &pair);
        assert!(told.contains("***"), "{told}");
        // All that may be left of the value is the character that it shares with what stands behind it.
        let (_, rest) = told.rsplit_once("***").unwrap();
        assert!(rest.trim_end_matches('=').len() <= 1, "{told}");
        let before = told.split("***").next().unwrap();
        assert!(before.len() <= (user.len() + 1) * 4 / 3 + 1, "{told}");
    }
}

#[test]
fn broken_base64_of_a_long_value_is_hidden_line_by_line() {
    let value: String = (0..300_u32).filter_map(|number| char::from_digit(10 + number * 7 % 26, 36)).collect();
    let encoded = STANDARD.encode(&value);
    for length in LINE_LENGTHS {
        for from in (0..encoded.len()).step_by(length) {
            let line = &encoded[from..encoded.len().min(from + length)];
            assert_eq!(masked(&[&value], line), "***", "{length}: {line}");
        }
    }
}

#[test]
fn a_value_in_a_url_is_hidden() {
    let url = "https://me:canary%2B7%2FSecret%3Fvalue@git.example.com/app";
    assert_eq!(masked(&[CANARY], url), "https://me:***@git.example.com/app");
}

#[test]
fn values_that_overlap_are_hidden_together() {
    assert_eq!(masked(&["abcdef", "defghi"], "x abcdefghi y"), "x *** y");
    assert_eq!(masked(&["abcd", "abcdefgh"], "abcdefgh abcdx"), "*** ***x");
}

#[test]
fn a_value_is_hidden_across_the_pieces_of_a_line() {
    let masker = masker(&[CANARY]);
    let line = format!("token={CANARY} and more after it, much more than the value is long");
    for cut in 0..=line.len() {
        let mut pieces = MaskedLine::default();
        let mut told = pieces.push(&masker, &line[..cut]);
        told += &pieces.push(&masker, &line[cut..]);
        told += &pieces.finish(&masker);
        assert_eq!(told, "token=*** and more after it, much more than the value is long", "cut at {cut}");
    }
}

#[test]
fn a_line_in_pieces_of_one_character_is_hidden_as_well() {
    let masker = masker(&["äbcdé", "canary-value"]);
    let mut pieces = MaskedLine::default();
    let line = "x äbcdé canary-valu canary-value";
    let mut told: String = line.chars().map(|each| pieces.push(&masker, &each.to_string())).collect();
    told += &pieces.finish(&masker);
    assert_eq!(told, "x *** canary-valu ***");
}

#[test]
fn the_end_of_a_text_may_begin_in_the_middle_of_a_value() {
    let masker = masker(&[CANARY]);
    assert_eq!(masker.mask_end("Secret?value and on"), "*** and on");
    assert_eq!(masker.mask_end("alue and on"), "*** and on");
    assert_eq!(masker.mask_end(&format!("plain {CANARY}")), "plain ***");
}

proptest! {
    /// Whatever surrounds it, and however it is cut: the canary is not told.
    #[test]
    fn no_canary_gets_through(before in ".{0,40}", after in ".{0,40}", cuts in proptest::collection::vec(0usize..200, 0..6)) {
        let masker = masker(&[CANARY, "another-one"]);
        let line = format!("{before}{CANARY}{after}another-one");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| line.floor_char_boundary(cut)).collect();
        cuts.sort_unstable();
        let (mut pieces, mut told, mut from) = (MaskedLine::default(), String::new(), 0);
        for cut in cuts.into_iter().chain([line.len()]) {
            told += &pieces.push(&masker, &line[from..cut]);
            from = cut;
        }
        told += &pieces.finish(&masker);
        prop_assert!(!told.contains(CANARY) && !told.contains("another-one"), "{}", told);
        prop_assert!(told.starts_with(before.as_str()) || before.contains("canary"), "{}", told);
    }
}
