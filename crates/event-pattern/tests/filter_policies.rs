//! SNS's filter policies: what they match, and which are refused, as AWS answers `SetSubscriptionAttributes`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use event_pattern::{Attribute, Dialect, Pattern};
use serde_json::{Value, json};

fn refusal(policy: &Value, dialect: Dialect) -> String {
    let text = policy.to_string();
    let message = Pattern::parse(&text, dialect).unwrap_err().to_string();
    message.replace(&format!("\n at [Source: (String)\"{text}\"; line: 1, column: "), " @")
}

fn accepts(policy: &Value, attributes: &[(&str, &str, &str)]) -> bool {
    let policy = Pattern::parse(&policy.to_string(), Dialect::MessageAttributes).unwrap();
    policy.matches_attributes(
        attributes.iter().map(|(name, data_type, value)| (*name, Attribute::read(data_type, value))),
    )
}

#[test]
fn attributes_are_strings_numbers_and_lists() {
    let policy = json!({"a": ["x", 5, true, null]});
    for (data_type, value) in [
        ("String", "x"),
        ("Number", "5"),
        ("Number", "5.00"),
        ("Number.int", "5"),
        ("String.Array", r#"["y", "x"]"#),
        ("String.Array", "[5]"),
        ("String.Array", "[true]"),
        ("String.Array", "[null]"),
        ("String.custom", "x"),
    ] {
        assert!(accepts(&policy, &[("a", data_type, value)]), "{data_type} {value}");
    }
    for (data_type, value) in [
        ("String", "5"),
        ("String", "true"),
        ("Number", "x"),
        ("Number", "6"),
        ("String.Array", "[]"),
        ("String.Array", "x, y"),
        ("String.Array", r#"["y"]"#),
        ("Binary", "x"),
    ] {
        assert!(!accepts(&policy, &[("a", data_type, value)]), "{data_type} {value}");
    }
    assert!(!accepts(&policy, &[("b", "String", "x")]));
    assert!(!accepts(&policy, &[]));
}

#[test]
fn operators_apply_to_attributes() {
    let text = |value| [("a", "String", value)];
    assert!(accepts(&json!({"a": [{"anything-but": {"prefix": "z"}}]}), &text("xz")));
    assert!(accepts(
        &json!({"a": [{"anything-but": ["b", "c"]}]}),
        &[("a", "String.Array", r#"["b", "d"]"#)]
    ));
    assert!(accepts(&json!({"a": [{"equals-ignore-case": "X"}]}), &text("x")));
    assert!(accepts(&json!({"a": [{"cidr": "10.0.0.0/24"}]}), &text("10.0.0.3")));
    assert!(accepts(&json!({"a": [{"numeric": [">", 0, "<=", 100]}]}), &[("a", "Number", "99")]));
    assert!(!accepts(&json!({"a": [{"numeric": [">", 0, "<=", 100]}]}), &[("a", "Number", "111")]));
    assert!(!accepts(&json!({"a": [{"numeric": ["=", 99]}]}), &text("99")));
    assert!(accepts(&json!({"a": [{"exists": false}]}), &[("b", "String", "x")]));
    assert!(!accepts(&json!({"a": [null, {"anything-but": "x"}]}), &[]));
    let or = json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]});
    assert!(accepts(&or, &text("x")));
    assert!(!accepts(&or, &text("y")));
    assert!(accepts(&json!({}), &[]), "an empty policy accepts everything");
}

#[test]
fn bodies_are_objects_in_json() {
    let policy = json!({"object": {"key": [{"prefix": "auto-"}, "x"], "other": [{"exists": false}]}});
    let policy = Pattern::parse(&policy.to_string(), Dialect::MessageBody).unwrap();
    assert!(policy.matches(&json!({"object": {"key": "auto-test"}})));
    assert!(policy.matches(&json!({"object": [[{"key": ["b", "x"]}]]})));
    assert!(!policy.matches(&json!({"object": {"key": "test-auto"}})));
    assert!(!policy.matches(&json!({"object": {"key": "x", "other": 1}})));
    assert!(!policy.matches(&json!("x")));
}

#[test]
fn refusals_have_the_words_and_the_position_of_aws() {
    let cases = [
        (json!({"key": [["value"]]}), "Match value must be String, number, true, false, or null @10]"),
        (json!({"key": [{"wrong-operator": true}]}), "Unrecognized match type wrong-operator @31]"),
        (json!({"key": [{"wildcard": "*"}]}), "Unrecognized match type wildcard @22]"),
        (json!({"key": [{"suffix": 100}]}), "suffix match pattern must be a string @22]"),
        (json!({"key": [{"suffix": null}]}), "suffix match pattern must be a string @23]"),
        (json!({"key": [{"suffix": []}]}), "suffix match pattern must be a string @20]"),
        (
            json!({"key": [{"prefix": {"equals-ignore-case": "a"}}]}),
            "prefix match pattern must be a string @20]",
        ),
        (json!({"key": {"suffix": "value"}}), r#""suffix" must be an object or an array @19]"#),
        (json!({"key_a": "value_one"}), r#""key_a" must be an object or an array @11]"#),
        (json!({"key": []}), "Empty arrays are not allowed @10]"),
        (json!({"key": [{"numeric": []}]}), "Invalid member in numeric match: ] @22]"),
        (json!({"key": [{"numeric": ["operator"]}]}), "Unrecognized numeric range operator: operator @32]"),
        (json!({"key": [{"numeric": [1, "<="]}]}), "Invalid member in numeric match: 1 @22]"),
        (json!({"key": [{"numeric": ["=", "000"]}]}), "Value of equals must be numeric @26]"),
        (json!({"key": [{"numeric": [">="]}]}), "Value of >= must be numeric @26]"),
        (json!({"key": [{"numeric": ["<", 100, ">", 10]}]}), "Too many elements in numeric expression @30]"),
        (json!({"key": [{"numeric": [">=", 1, ">", 2]}]}), "Bad numeric range operator: > @31]"),
        (json!({"key": [{"numeric": [">", 3, "<", 1]}]}), "Bottom must be less than top @33]"),
        (json!({"key": [{"numeric": [">", 20, "<="]}]}), "Value of <= must be numeric @33]"),
        (json!({"key": [{"numeric": [">", 20, 30]}]}), "Bad value in numeric range: 30 @30]"),
        (json!({"key": [{"numeric": [">", 20, "test"]}]}), "Bad numeric range operator: test @34]"),
        (json!({"key": [{"numeric": [">", "20", "<", "30"]}]}), "Value of > must be numeric @26]"),
        (json!({"key": [{"numeric": [">", 20, "<", "30"]}]}), "Value of < must be numeric @33]"),
        (
            json!({"key": [{"numeric": [">", 20, "<", 30, "<", 50]}]}),
            "Too many terms in numeric range expression @36]",
        ),
        (json!({"key": [{"exists": null}]}), "exists match pattern must be either true or false. @23]"),
        (json!({"key": [{"exists": "no"}]}), "exists match pattern must be either true or false. @20]"),
        (
            json!({"key": [{"anything-but": {"wrong-operator": null}}]}),
            "Unsupported anything-but pattern: wrong-operator @47]",
        ),
        (
            json!({"key": [{"anything-but": {"suffix": "test"}}]}),
            "Unsupported anything-but pattern: suffix @36]",
        ),
        (json!({"key": [{"anything-but": {"prefix": false}}]}), "prefix match pattern must be a string @40]"),
    ];
    for (policy, expected) in cases {
        assert_eq!(
            refusal(&policy, Dialect::MessageAttributes),
            format!("Invalid parameter: FilterPolicy: {expected}"),
            "{policy}"
        );
    }
}

#[test]
fn positions_count_without_white_space() {
    let error = Pattern::parse("{ \"a b\" : [\n [1] ] }", Dialect::MessageBody).unwrap_err();
    assert_eq!(
        error.reason(),
        "FilterPolicy: Match value must be String, number, true, false, or null\n at [Source: (String)\"{\"a b\":[[1]]}\"; \
         line: 1, column: 10]"
    );
}

#[test]
fn a_policy_is_json_and_no_larger_than_it_may_be() {
    let error = Pattern::parse("{invalidjson}", Dialect::MessageBody).unwrap_err();
    assert!(error.to_string().starts_with("Invalid parameter: FilterPolicy: failed to parse JSON."));
    let long = json!({"a": ["x".repeat(256 * 1024)]});
    assert!(refusal(&long, Dialect::MessageBody).contains("too large"));
}

#[test]
fn attributes_are_not_nested() {
    let refused =
        "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy";
    for policy in [json!({"a": {"b": ["c"]}}), json!({"$or": [{"a": {"b": ["c"]}}, {"d": ["e"]}]})] {
        assert_eq!(refusal(&policy, Dialect::MessageAttributes), refused);
        Pattern::parse(&policy.to_string(), Dialect::MessageBody).unwrap();
    }
}

#[test]
fn a_policy_has_at_most_five_keys() {
    let keys = |count: usize| -> Value { (0..count).map(|key| (format!("k{key}"), json!(["v"]))).collect() };
    Pattern::parse(&keys(5).to_string(), Dialect::MessageAttributes).unwrap();
    assert_eq!(
        refusal(&keys(6), Dialect::MessageAttributes),
        "Invalid parameter: FilterPolicy: Filter policy can not have more than 5 keys"
    );
}

#[test]
fn a_policy_has_at_most_a_hundred_and_fifty_combinations() {
    let values = |count: usize| -> Value { (0..count).collect() };
    let or = |source: usize, space: usize| {
        json!({"source": values(source), "$or": [
            {"name": values(6)},
            {"type": values(4), "$or": [{"metric": values(4)}, {"space": values(space)}]},
        ]})
    };
    for policy in [
        json!({"key": values(150)}),
        or(3, 7), // 3·6 + 3·4·4 + 3·4·7 = 150
    ] {
        Pattern::parse(&policy.to_string(), Dialect::MessageAttributes).unwrap();
    }
    for policy in [
        json!({"key": values(151)}),
        json!({"a": values(100), "b": values(51)}),
        json!({"a": {"b": {"c": values(4)}}, "d": {"e": values(3)}, "f": values(3)}), // 3·4 · 2·3 · 3 = 216
        or(4, 4),
        json!({"$or": (0..200).map(|_| json!({"a": [1]})).collect::<Vec<_>>()}),
    ] {
        assert_eq!(
            refusal(&policy, Dialect::MessageBody),
            "Invalid parameter: FilterPolicy: Filter policy is too complex",
            "{policy}"
        );
    }
}
