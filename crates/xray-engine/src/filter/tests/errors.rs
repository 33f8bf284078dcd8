//! What is refused, where, and what was probably meant.

use proptest::prelude::*;

use crate::filter::FilterExpression;

fn error(expression: &str) -> String {
    let parsed: Result<FilterExpression, _> = expression.parse();
    parsed.map_or_else(|error| error.to_string(), |_| panic!("{expression} was read"))
}

/// Expressions with the error of each.
const REFUSED: &[(&str, &str)] = &[
    ("responsetme > 5", "unknown keyword responsetme at position 1; did you mean responsetime?"),
    ("ok AND flault", "unknown keyword flault at position 8; did you mean fault?"),
    ("latency > 5", "unknown keyword latency at position 1; did you mean responsetime?"),
    ("http.status_code = 200", "unknown keyword http.status_code at position 1; did you mean http.status?"),
    ("annotations.x = 1", "unknown keyword annotations.x at position 1"),
    ("xyz", "unknown keyword xyz at position 1"),
    (
        "rootcause.fault.services",
        "unknown keyword rootcause.fault.services at position 1; did you mean rootcause.fault.service?",
    ),
    ("rootcause.responsetime.exception", "unknown keyword rootcause.responsetime.exception at position 1"),
    ("responsetime", "expected =, !=, <, <=, > or >=, found the end at position 13"),
    ("responsetime > ", "expected a number, found the end at position 16"),
    ("responsetime > fast", "expected a number, found fast at position 16"),
    ("responsetime > \"5\"", "expected a number, found \" at position 16"),
    ("responsetime > 5s", "expected a number, found 5s at position 16"),
    ("responsetime CONTAINS 5", "expected =, !=, <, <=, > or >=, found CONTAINS at position 14"),
    ("http.status == 200", "expected =, !=, <, <=, > or >=, found == at position 13; did you mean =?"),
    ("duration => 5", "expected =, !=, <, <=, > or >=, found => at position 10; did you mean >=?"),
    ("ok > true", "expected = or !=, found > at position 4"),
    ("ok = maybe", "expected true or false, found maybe at position 6"),
    ("http.url = ", "expected a quoted string, found the end at position 12"),
    ("http.url = 5", "expected a quoted string, found 5 at position 12"),
    ("http.url < \"a\"", "expected =, !=, CONTAINS, BEGINSWITH or ENDSWITH, found < at position 10"),
    (
        "http.url LIKE \"a\"",
        "expected =, !=, CONTAINS, BEGINSWITH or ENDSWITH, found LIKE at position 10; did you mean CONTAINS?",
    ),
    ("http.url = \"a", "the string is not terminated at position 12"),
    ("http.url = 'a'", "expected a quoted string, found ' at position 12"),
    ("ok AND", "expected a keyword, found the end at position 7"),
    ("ok OR", "expected a keyword, found the end at position 6"),
    ("AND ok", "unknown keyword AND at position 1"),
    ("ok && fault", "expected AND or OR, found & at position 4; did you mean AND?"),
    ("ok || fault", "expected AND or OR, found | at position 4; did you mean OR?"),
    ("ok, fault", "expected AND, OR or the end, found , at position 3"),
    ("ok)", "expected AND, OR or the end, found ) at position 3"),
    ("(ok", "expected AND, OR or ), found the end at position 4"),
    ("!", "expected a keyword, found the end at position 2"),
    ("()", "expected a keyword, found ) at position 2"),
    ("5 > responsetime", "expected a keyword, found 5 at position 1"),
    ("annotation", "expected .key or [key], found the end at position 11"),
    ("annotation = 1", "expected .key or [key], found = at position 12"),
    ("annotation.", "expected .key or [key], found the end at position 12"),
    (
        "annotation.a.b = 1",
        "expected a key of letters, digits and underscores, found a.b at position 1; did you mean annotation[a.b]?",
    ),
    ("annotation[] = 1", "expected the key of an annotation, found ] at position 12"),
    ("annotation[a = 1", "the key of the annotation is not terminated at position 11"),
    (
        "annotation.a = b",
        "expected a quoted string, a number, true or false, found b at position 16; did you mean \"b\"?",
    ),
    ("annotation.a = ", "expected a quoted string, a number, true or false, found the end at position 16"),
    ("annotation.a < \"b\"", "expected a number, found \" at position 16"),
    ("annotation.a CONTAINS 5", "expected a quoted string, found 5 at position 23"),
    (
        "annotation.a ~ 1",
        "expected =, !=, <, <=, >, >=, CONTAINS, BEGINSWITH or ENDSWITH, found ~ at position 14; did you mean CONTAINS?",
    ),
    ("coverage > 0.5", "coverage does not apply to a trace at position 1"),
    ("first", "first does not apply to a trace at position 1"),
    ("service() { remote }", "remote does not apply to a service at position 13"),
    ("service() { service() }", "service does not apply to a service at position 13"),
    ("service() { source.annotation.x }", "source.annotation does not apply to a service at position 13"),
    ("source.annotation.x", "source.annotation does not apply to a trace at position 1"),
    (
        "rootcause.fault.entity { coverage > 1 }",
        "coverage does not apply to an entity of a root cause at position 26",
    ),
    (
        "rootcause.fault.entity { annotation.x }",
        "annotation does not apply to an entity of a root cause at position 26",
    ),
    (
        "rootcause.fault.exception { type = \"x\" }",
        "type does not apply to an exception of a root cause at position 29",
    ),
    (
        "rootcause.fault.exception { last and message = \"x\"",
        "expected AND, OR or }, found the end at position 51",
    ),
    ("service(x)", "expected a quoted name or id(…), found x at position 9"),
    ("service(\"a\"", "expected ), found the end at position 12"),
    ("service(id(nam: \"a\"))", "expected name:, type: or account.id:, found nam at position 12"),
    (
        "service(id(name: \"a\", name: \"b\"))",
        "expected each of name:, type: and account.id: once, found name at position 23",
    ),
    ("service(id(name = \"a\"))", "expected :, found = at position 17"),
    ("edge(\"a\")", "expected a comma and the second service, found ) at position 9"),
    ("edge(\"a\", \"b\", \"c\")", "expected ), found , at position 14"),
    ("service() { fault", "expected AND, OR or }, found the end at position 18"),
    ("group.name", "expected = or !=, found the end at position 11"),
    ("group.name CONTAINS \"a\"", "expected = or !=, found CONTAINS at position 12"),
    ("group.name = a", "expected a quoted string, found a at position 14"),
    ("rootcause.json = [{}]", "expected #[ and a list of root causes as JSON, found [ at position 18"),
    ("rootcause.json = #[{]", "the root cause is not terminated at position 19"),
    ("rootcause.json = #[]", "the root cause is not valid: it names no root cause at position 19"),
    ("größe > 5", "unknown keyword größe at position 1"),
    ("http.url = \"ä\" and größe", "unknown keyword größe at position 20"),
];

#[test]
fn an_error_says_where_what_was_expected_and_what_was_probably_meant() {
    for (expression, expected) in REFUSED {
        assert_eq!(error(expression), *expected, "{expression}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let deep = |depth: usize| format!("{}ok{}", "(".repeat(depth), ")".repeat(depth));
    assert!(deep(64).parse::<FilterExpression>().is_ok());
    assert!(error(&deep(65)).starts_with("the expression nests deeper than 64 levels"));
    assert!(error(&"!".repeat(30_000)).starts_with("the expression nests deeper"));
    assert!(error(&"ok ".repeat(20_000)).starts_with("the expression is longer than 32768 characters"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_makes_the_parser_panic(text in "\\PC{0,80}") {
        drop(text.parse::<FilterExpression>());
    }

    #[test]
    fn no_order_of_the_languages_own_words_makes_the_parser_panic(
        words in proptest::collection::vec(
            prop::sample::select(vec![
                "ok", "!", "(", ")", "{", "}", "[", "]", "AND", "OR", "=", "!=", "<", ">=", "\"", "\"a\"", "5", "-", ".",
                "service", "edge", "id", "(id(name:", "annotation", "annotation.x", "annotation[", "source.annotation",
                "rootcause.fault.entity", "rootcause.json", "#", "#[", "group.name", "CONTAINS", "true", ",", ":", "\\",
                "http.url", "responsetime", "name", "last", "coverage", "ä",
            ]), 0..25)
    ) {
        drop(words.join(" ").parse::<FilterExpression>());
        drop(words.concat().parse::<FilterExpression>());
    }
}
