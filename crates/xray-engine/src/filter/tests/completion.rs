//! How unfinished expressions may go on.

use proptest::prelude::*;

use crate::filter::{Completion, Expected, FilterExpression, Text, ValueOf};

fn words(text: &str) -> Vec<&'static str> {
    let expected = Completion::of(text).unwrap().expected;
    let word = |one| match one {
        Expected::Word(word) => Some(word),
        Expected::AnnotationKey(_) | Expected::Value(_) => None,
    };
    expected.into_iter().filter_map(word).collect()
}

fn values(text: &str) -> Vec<ValueOf> {
    let expected = Completion::of(text).unwrap().expected;
    let value = |one| match one {
        Expected::Value(of) => Some(of),
        Expected::AnnotationKey(_) | Expected::Word(_) => None,
    };
    expected.into_iter().filter_map(value).collect()
}

#[test]
fn a_keyword_is_expected_where_a_condition_is() {
    for text in ["", "res", "ok AND ", "!", "(", "ok OR (fault AND !"] {
        let words = words(text);
        assert!(words.contains(&"responsetime") && words.contains(&"service"), "{text}: {words:?}");
        assert!(!words.contains(&"coverage") && !words.contains(&"AND"), "{text}: {words:?}");
        let expected = Completion::of(text).unwrap().expected;
        assert!(expected.contains(&Expected::AnnotationKey("annotation")), "{text}");
    }
}

#[test]
fn keywords_depend_on_what_the_braces_are_about() {
    let keys = |text: &str| {
        let expected = Completion::of(text).unwrap().expected;
        expected.into_iter().filter(|one| matches!(one, Expected::AnnotationKey(_))).count()
    };
    assert_eq!((keys("edge() { "), keys("service() { fa"), keys("rootcause.fault.entity { ")), (3, 1, 0));
    assert!(words("rootcause.responsetime.entity { ").contains(&"coverage"));
    let service = words("service(\"email\") { ");
    assert!(service.contains(&"fault") && !service.contains(&"service"), "{service:?}");
}

#[test]
fn after_a_condition_come_its_operators_or_another_condition() {
    assert_eq!(words("responsetime "), ["=", "!=", "<", "<=", ">", ">="]);
    let text = words("http.url ");
    assert!(text.starts_with(&["=", "!=", "CONTAINS", "BEGINSWITH", "ENDSWITH", "AND"]), "{text:?}");
    assert!(text.contains(&"OR") && text.contains(&"fault"), "{text:?}");
    assert!(words("(ok ").contains(&")") && !words("ok ").contains(&")"));
    assert!(words("service() { ok ").contains(&"}"));
    assert_eq!(words("ok = t"), ["true", "false"]);
    assert!(words("service").contains(&"service"), "it may be the beginning of a longer word");
    assert_eq!(words("edge(\"a\" "), [","]);
    assert_eq!(words("service(id("), ["name:", "type:", "account.id:"]);
}

#[test]
fn a_value_is_that_of_what_is_compared() {
    let annotation = || ValueOf::Annotation("event_type".to_owned());
    assert_eq!(values("annotation.event_type = "), [annotation()]);
    assert_eq!(values("annotation[event_type] BEGINSWITH \"Mem"), [annotation()]);
    assert_eq!(values("http.method="), [ValueOf::Text(Text::HttpMethod)]);
    assert_eq!(values("service(\"em"), [ValueOf::ServiceName]);
    assert_eq!(values("service(id(name: \"email\", type: "), [ValueOf::ServiceType]);
    assert_eq!(values("edge(\"a\", "), [ValueOf::ServiceName]);
    assert_eq!(values("group.name = "), [ValueOf::GroupName]);
    assert_eq!(values("responsetime > "), [], "a number is any");
}

#[test]
fn what_is_begun_may_be_a_word_a_string_or_a_key_in_brackets() {
    let begun = |text: &str| {
        let Completion { from, begun, .. } = Completion::of(text).unwrap();
        (from, begun)
    };
    assert_eq!(begun("ok annotation.ev"), (3, "annotation.ev".to_owned()));
    assert_eq!(begun("annotation[request i"), (0, "annotation[request i".to_owned()));
    assert_eq!(begun("größe"), (0, "größe".to_owned()));
    assert_eq!(begun("user = \"a \\\" b"), (7, "\"a \\\" b".to_owned()));
    assert_eq!(begun("user = \"a\" "), (11, String::new()));
}

#[test]
fn what_is_before_must_be_valid() {
    let error = Completion::of("okay AND resp").unwrap_err();
    assert_eq!(error.to_string(), "unknown keyword okay at position 1");
    assert!(Completion::of("ok ) resp").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z\\[\\]{}()!=\"\\\\ .#,:&|é]{0,40}") {
        drop(Completion::of(&text));
    }

    /// The words expected after a valid beginning do not make it wrong there.
    #[test]
    fn an_expected_word_is_accepted(text in prop::sample::select(vec![
        "", "ok ", "ok AND ", "(fault ", "responsetime ", "http.url ", "edge(\"a\", \"b\") { ", "ok = ", "annotation.a ",
    ])) {
        for word in words(text) {
            let longer = format!("{text}{word}");
            if let Err(error) = longer.parse::<FilterExpression>() {
                prop_assert!(error.position > longer.chars().count(), "{longer}: {error}");
            }
        }
    }
}
