//! The patterns of sampling rules.

use std::str::Chars;

/// A pattern in which `*` stands for any number of characters and `?` for exactly one. All other characters match
/// themselves, regardless of case. Wildcards cannot be escaped
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html#xray-console-sampling-options>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Character(char),
}

impl Glob {
    /// Parses a pattern. Every string is valid.
    pub(crate) fn new(pattern: &str) -> Self {
        let mut tokens: Vec<Token> = pattern
            .chars()
            .map(|character| match character {
                '*' => Token::Any,
                '?' => Token::One,
                other => Token::Character(folded(other)),
            })
            .collect();
        // Consecutive stars mean the same as one, and would only cost time.
        tokens.dedup_by(|next, previous| (*next, *previous) == (Token::Any, Token::Any));
        Self(tokens)
    }

    /// Returns whether the pattern matches the whole text.
    ///
    /// Backtracks to the last star only: letting an earlier one take more characters cannot lead to a match that the
    /// last one would miss. So it takes at most as many steps as the product of both lengths, and allocates nothing.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut position = 0;
        let mut rest = text.chars();
        let mut last_star: Option<LastStar<'_>> = None;
        loop {
            let mut ahead = rest.clone();
            match (self.0.get(position), ahead.next()) {
                (Some(Token::Any), _) => {
                    position += 1;
                    if position == self.0.len() {
                        return true;
                    }
                    last_star = Some(LastStar { after: position, rest: rest.clone() });
                }
                (None, None) => return true,
                (Some(token), Some(character)) if token.accepts(character) => {
                    position += 1;
                    rest = ahead;
                }
                _ => {
                    let Some(star) = last_star.as_mut() else { return false };
                    if star.rest.next().is_none() {
                        return false;
                    }
                    position = star.after;
                    rest = star.rest.clone();
                }
            }
        }
    }
}

impl Default for Glob {
    /// Creates the pattern `*`.
    fn default() -> Self {
        Self(vec![Token::Any])
    }
}

/// Where matching resumes when the characters after a star do not match.
struct LastStar<'a> {
    after: usize,
    rest: Chars<'a>,
}

impl Token {
    fn accepts(self, character: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Character(expected) => expected == folded(character),
        }
    }
}

/// Returns the lower-case form of a character if that is a single character. The only exception is `İ`, which is left
/// unchanged, so that `?` always stands for one character of the text.
fn folded(character: char) -> char {
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Glob, folded};

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches(text)
    }

    #[test]
    fn a_star_stands_for_any_number_of_characters() {
        for text in ["", "/", "/v1/events", "ä"] {
            assert!(matches("*", text), "{text}");
        }
        assert!(matches("/v1/*", "/v1/"));
        assert!(matches("/v1/*/items", "/v1/a/b/items"));
        assert!(matches("*.example.com", "api.example.com"));
        assert!(!matches("/v1/*", "/v1"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(matches("a***b", "ab"));
    }

    #[test]
    fn a_question_mark_stands_for_exactly_one_character() {
        assert!(matches("/v?/events", "/v1/events"));
        assert!(matches("?", "ß"));
        assert!(!matches("?", ""));
        assert!(!matches("/v?/events", "/v12/events"));
        assert!(matches("*??", "ab"));
        assert!(!matches("*??", "a"));
    }

    #[test]
    fn an_empty_pattern_matches_only_an_empty_text() {
        assert!(matches("", ""));
        assert!(!matches("", "a"));
    }

    #[test]
    fn case_never_matters() {
        assert!(matches("POST", "post"));
        assert!(matches("/V1/E*", "/v1/events"));
        assert!(matches("straße", "STRAßE"));
        assert!(matches("ÄRGER*", "ärgernis"));
        assert!(matches("İ", "İ"));
    }

    #[test]
    fn characters_with_a_meaning_in_regular_expressions_match_themselves() {
        assert!(matches("a.b", "a.b"));
        assert!(!matches("a.b", "axb"));
        assert!(matches("(a|b)[c]+^$\\d", "(a|b)[c]+^$\\d"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60) + "b";
        assert!(!matches(&pattern, &"a".repeat(8_000)));
    }

    /// The definition, naive and slow.
    fn matches_by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((&'*', after)), _) => {
                matches_by_definition(after, text)
                    || text.split_first().is_some_and(|(_, rest)| matches_by_definition(pattern, rest))
            }
            (Some((&'?', after)), Some((_, rest))) => matches_by_definition(after, rest),
            (Some((&expected, after)), Some((&character, rest))) => {
                folded(expected) == folded(character) && matches_by_definition(after, rest)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[abÄ*?]{0,9}", text in "[aABbä]{0,12}") {
            let by_definition = matches_by_definition(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(&pattern, &text), by_definition);
        }

        #[test]
        fn a_text_with_parts_replaced_by_wildcards_matches(text in any::<String>(), cut in 0.0..1.0_f64) {
            let characters: Vec<char> = text.chars().collect();
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let at = (characters.len() as f64 * cut) as usize;
            let (head, tail) = characters.split_at(at);
            let head: String = head.iter().collect();
            for pattern in [format!("{head}*"), head.clone() + &"?".repeat(tail.len())] {
                prop_assert!(matches(&pattern, &text), "{pattern:?}");
            }
        }

        #[test]
        fn no_pattern_or_text_makes_it_panic(pattern in any::<String>(), text in any::<String>()) {
            matches(&pattern, &text);
        }
    }
}
