//! What may come next at the end of an unfinished expression.

use super::error::FilterError;
use super::keyword;
use super::note::{Note, ValueOf};
use super::parse;

/// How an unfinished expression may go on.
///
/// ```
/// use xray_engine::{Completion, Expected};
///
/// let completion = Completion::of("ok AND resp")?;
/// assert_eq!((completion.from, completion.begun.as_str()), (7, "resp"));
/// assert!(completion.expected.contains(&Expected::Word("responsetime")));
///
/// assert!(Completion::of("okay AND resp").is_err(), "what is before the end must be valid");
/// # Ok::<(), xray_engine::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// How many characters of the expression stay. What comes next stands after them.
    pub from: usize,
    /// What stands there already: the beginning of a word, of a quoted string with its quotation mark, or nothing.
    pub begun: String,
    /// All that may stand there, whether or not it begins like that.
    pub expected: Vec<Expected>,
}

/// Something that may stand in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A keyword, an operator or a sign.
    Word(&'static str),
    /// This, a dot, and the key of an annotation: `annotation`, or in an edge also `source.annotation` and
    /// `destination.annotation`.
    AnnotationKey(&'static str),
    /// A value, in quotation marks if it is a string.
    Value(ValueOf),
}

impl Completion {
    /// Finds out how an expression may go on. The last word or quoted string, if nothing follows it, counts as unfinished.
    ///
    /// # Errors
    /// When what is before it is not the beginning of a valid expression.
    pub fn of(text: &str) -> Result<Self, FilterError> {
        let characters: Vec<char> = text.chars().collect();
        let from = begin_of_last(&characters);
        let before: String = characters[..from].iter().collect();
        let (result, notes) = parse::parse_noting(&before);
        match result {
            Err(error) if notes.is_empty() => return Err(error),
            _ => {}
        }
        let mut expected: Vec<Expected> = Vec::new();
        for one in notes.into_iter().flat_map(expanded) {
            if !expected.contains(&one) {
                expected.push(one);
            }
        }
        Ok(Self { from, begun: characters[from..].iter().collect(), expected })
    }
}

/// Returns where the last word or quoted string begins; the end if there is none.
fn begin_of_last(characters: &[char]) -> usize {
    let (mut quote, mut escaped) = (None, false);
    for (place, &character) in characters.iter().enumerate() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(_), '"') => quote = None,
            (None, '"') => quote = Some(place),
            _ => {}
        }
    }
    if let Some(place) = quote {
        return place;
    }
    let begin = |end: usize| {
        let part = |character: &char| character.is_alphanumeric() || "_.-".contains(*character);
        end - characters[..end].iter().rev().take_while(|character| part(character)).count()
    };
    // The key of an annotation may stand in brackets, where it may have any characters.
    let bracket = characters.iter().rposition(|character| *character == '[');
    let open = bracket.filter(|place| !characters[*place..].contains(&']'));
    let of_annotation = |place: &usize| {
        let word: String = characters[begin(*place)..*place].iter().collect();
        word.to_ascii_lowercase().ends_with("annotation")
    };
    open.filter(of_annotation).map_or_else(|| begin(characters.len()), begin)
}

fn expanded(note: Note) -> Vec<Expected> {
    match note {
        Note::Condition(scope) => {
            let keys = keyword::annotations(scope).iter().map(|word| Expected::AnnotationKey(word));
            keyword::applying_to(scope).map(Expected::Word).chain(keys).collect()
        }
        Note::Words(words) => words.iter().map(|word| Expected::Word(word)).collect(),
        Note::Value(of) => vec![Expected::Value(of)],
    }
}
