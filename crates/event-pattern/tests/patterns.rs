//! What EventBridge's patterns match and which are refused, as AWS answers `TestEventPattern`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use event_pattern::{Dialect, Pattern};
use proptest::prelude::*;
use serde_json::{Value, json};

fn matches(pattern: &Value, event: &Value) -> bool {
    Pattern::parse(&pattern.to_string(), Dialect::EventBridge).unwrap().matches(event)
}

fn refusal(pattern: &str) -> String {
    let error = Pattern::parse(pattern, Dialect::EventBridge).unwrap_err();
    let position = format!("\n at [Source: (String)\"{pattern}\"; line: 1, column: ");
    error.to_string().replace(&position, " @")
}

/// One condition and values of the field that meet it, and that do not.
macro_rules! condition {
    ($name:ident: $condition:tt, yes: $yes:tt, no: $no:tt) => {
        #[test]
        fn $name() {
            let pattern = json!({"detail": {"key": $condition}});
            for value in json!($yes).as_array().unwrap() {
                assert!(matches(&pattern, &json!({"detail": {"key": value}})), "{value}");
            }
            for value in json!($no).as_array().unwrap() {
                assert!(!matches(&pattern, &json!({"detail": {"key": value}})), "{value}");
            }
            // Apart from `exists`, nothing accepts a field that is not there.
            assert!(!matches(&pattern, &json!({"detail": {"other": "a"}})));
        }
    };
}

condition!(a_string: ["a", "b"], yes: ["a", "b", ["x", "b"]], no: ["A", "ab", "", null, [], ["x"], {"a": "a"}]);
condition!(an_empty_string: [""], yes: [""], no: [" ", null, []]);
condition!(a_number: [300], yes: [300, 300.0, 3.0e2, [1, 300]], no: [301, "300", null, 300.1]);
condition!(a_large_number: [123_456_789_012_i64], yes: [123_456_789_012_i64], no: [123_456_789_013_i64, "123456789012"]);
condition!(a_boolean: [true], yes: [true, [false, true]], no: [false, "true", 1, null]);
condition!(null: [null], yes: [null, ["a", null]], no: ["null", "", 0, false, [], {}]);
condition!(an_address: ["10.0.0.1", "2001:db8::1"],
    yes: ["10.0.0.1", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1"], no: ["10.0.0.2", "2001:db8::2"]);
condition!(exactly: [{"exactly": "a"}], yes: ["a"], no: ["b", "A"]);
condition!(prefix: [{"prefix": "eu-"}], yes: ["eu-", "eu-central-1"], no: ["EU-", "us", 1, null]);
condition!(prefix_whatever_the_case: [{"prefix": {"equals-ignore-case": "EU-"}}], yes: ["eu-central-1", "Eu-"], no: ["us"]);
condition!(suffix: [{"suffix": ".png"}], yes: [".png", "a.png"], no: [".PNG", "png", 1]);
condition!(suffix_whatever_the_case: [{"suffix": {"equals-ignore-case": ".Png"}}], yes: ["a.PNG"], no: ["a.jpg"]);
condition!(equals_whatever_the_case: [{"equals-ignore-case": "Müll"}], yes: ["müll", "MÜLL"], no: ["müllx", "mull", 1]);
condition!(wildcard: [{"wildcard": "a*b*c"}], yes: ["abc", "axxbyyc", "abbc", "abcbc"], no: ["ab", "abcd", "xabc", 1]);
condition!(wildcard_with_escapes: [{"wildcard": "\\*\\\\*"}], yes: ["*\\", "*\\abc"], no: ["a\\", "*"]);
condition!(only_a_wildcard: [{"wildcard": "*"}], yes: ["", "a"], no: [1, null]);
condition!(cidr: [{"cidr": "10.1.2.0/24"}], yes: ["10.1.2.0", "10.1.2.255"], no: ["10.1.3.0", "10.1.2.0/24", "::1", "x", 10]);
condition!(cidr_that_starts_inside: [{"cidr": "10.1.2.8/24"}], yes: ["10.1.2.8", "10.1.2.255"], no: ["10.1.2.7"]);
condition!(cidr_of_version_six: [{"cidr": "2001:db8::/32"}], yes: ["2001:db8::", "2001:db8:ffff::1"], no: ["2001:db9::", "10.0.0.1"]);
condition!(numeric_equality: [{"numeric": ["=", 3.018e2]}], yes: [301.8, 3018e-1], no: [301, "301.8"]);
condition!(numeric_range: [{"numeric": [">", 0, "<=", 5]}], yes: [0.000_001, 5, [9, 1]], no: [0, 5.000_001, "3", null, true]);
condition!(numeric_lower_end: [{"numeric": [">=", -1.5]}], yes: [-1.5, 5_000_000_000_i64], no: [-1.6, 5_000_000_001_i64]);
condition!(numeric_upper_end: [{"numeric": ["<", 10]}], yes: [9.999_999, -5_000_000_000_i64], no: [10, 11]);
condition!(anything_but_a_string: [{"anything-but": "a"}], yes: ["b", "", 1, null, true, ["a", "b"]], no: ["a", ["a"], [], {"a": 1}]);
condition!(anything_but_strings: [{"anything-but": ["a", "b"]}], yes: ["c", null], no: ["a", "b", ["a", "b"]]);
condition!(anything_but_a_number: [{"anything-but": 0}], yes: [1, "0", null], no: [0, 0.0]);
condition!(anything_but_numbers: [{"anything-but": [1, 2]}], yes: [3, "1"], no: [1.0, 2]);
condition!(anything_but_a_prefix: [{"anything-but": {"prefix": "a"}}], yes: ["b", 12, null], no: ["a", "ab"]);
condition!(anything_but_prefixes: [{"anything-but": {"prefix": ["a", "b"]}}], yes: ["c", 12], no: ["ab", "ba"]);
condition!(anything_but_suffixes: [{"anything-but": {"suffix": [".a", ".b"]}}], yes: ["c", 12], no: ["x.a", ".b"]);
condition!(anything_but_a_wildcard: [{"anything-but": {"wildcard": "*/a/*"}}], yes: ["a", 12, null], no: ["x/a/y", "/a/"]);
condition!(anything_but_wildcards: [{"anything-but": {"wildcard": ["*/a/*", "b*"]}}], yes: ["a", 12], no: ["/a/", "b"]);
condition!(anything_but_an_empty_wildcard: [{"anything-but": {"wildcard": ""}}], yes: ["a", null], no: [""]);
condition!(anything_but_whatever_the_case: [{"anything-but": {"equals-ignore-case": ["A", "b"]}}], yes: ["c", 12, null], no: ["a", "B"]);
condition!(exists: [{"exists": true}], yes: ["a", "", null, 0, ["a"]], no: [[], {}, {"a": 1}]);

#[test]
fn every_field_of_the_pattern_must_match_and_others_do_not_matter() {
    let pattern = json!({"source": ["shop"], "detail": {"a": [1], "b": {"c": ["x"]}}});
    assert!(matches(
        &pattern,
        &json!({"source": "shop", "id": "1", "detail": {"a": 1, "b": {"c": "x", "d": 2}}})
    ));
    assert!(!matches(&pattern, &json!({"source": "shop", "detail": {"a": 1, "b": {"c": "y"}}})));
    assert!(!matches(&pattern, &json!({"source": "shop", "detail": {"a": 1}})));
    assert!(!matches(&pattern, &json!({"Source": "shop", "detail": {"a": 1, "b": {"c": "x"}}})));
    assert!(!matches(&pattern, &json!(["shop"])));
}

#[test]
fn a_leaf_is_absent_if_it_or_anything_above_it_is_not_there() {
    let pattern =
        json!({"detail": {"image": {"name": {"S": [{"anything-but": ["rose"]}, {"exists": false}]}}}});
    assert!(matches(&pattern, &json!({"detail": {}})));
    assert!(matches(&pattern, &json!({"detail": {"image": {"other": {"S": "rose"}}}})));
    assert!(matches(&pattern, &json!({"detail": {"image": {"name": {"S": "lily"}}}})));
    assert!(!matches(&pattern, &json!({"detail": {"image": {"name": {"S": "rose"}}}})));

    let absent = json!({"detail": {"a": [{"exists": false}]}});
    assert!(matches(&absent, &json!({"detail": {"a": {"b": 1}}})), "an object is no leaf");
    assert!(matches(&absent, &json!({"detail": {"a": []}})));
    assert!(!matches(&absent, &json!({"detail": {"a": null}})));
}

#[test]
fn dots_in_names_are_levels_on_both_sides() {
    let nested = json!({"detail": {"state": {"status": ["on"]}}});
    let dotted = json!({"detail": {"state.status": ["on"]}});
    for pattern in [nested, dotted] {
        assert!(matches(&pattern, &json!({"detail": {"state": {"status": "on"}}})));
        assert!(matches(&pattern, &json!({"detail": {"state.status": "on"}})));
        assert!(matches(&pattern, &json!({"detail.state": {"status": "on"}})));
        assert!(!matches(&pattern, &json!({"detail": {"state": {"status": "off"}}})));
    }
}

#[test]
fn conditions_below_a_list_are_met_by_one_element() {
    let pattern = json!({"employees": {"first": ["Ann"], "last": ["Lee"]}});
    let employees = |list: Value| json!({"employees": list});
    assert!(matches(&pattern, &employees(json!([{"first": "Bob"}, {"first": "Ann", "last": "Lee"}]))));
    assert!(matches(&pattern, &employees(json!({"first": "Ann", "last": ["Ray", "Lee"]}))));
    assert!(!matches(
        &pattern,
        &employees(json!([{"first": "Ann", "last": "Ray"}, {"first": "Bob", "last": "Lee"}]))
    ));
    assert!(matches(&pattern, &employees(json!([[{"first": "Ann", "last": "Lee"}]]))), "a list in a list");

    let outer = json!({"a": {"b": {"x": [1], "y": [2]}, "z": [3]}});
    let with =
        |z: u32| json!({"a": [{"b": [{"x": 1, "y": 9}, {"x": 1, "y": 2}], "z": 3}, {"b": {"x": 1}, "z": z}]});
    assert!(matches(&outer, &with(4)));
    assert!(!matches(&outer, &json!({"a": [{"b": [{"x": 1, "y": 2}], "z": 4}, {"b": {"x": 1}, "z": 3}]})));

    let without = json!({"items": {"id": [1], "gone": [{"exists": false}]}});
    assert!(matches(&without, &json!({"items": [{"id": 1}]})));
    assert!(!matches(&without, &json!({"items": [{"id": 1, "gone": true}]})));
}

#[test]
fn one_alternative_of_or_suffices() {
    let pattern = json!({
        "source": ["shop"],
        "detail": {"$or": [
            {"count": [{"numeric": [">", 0, "<=", 5]}]},
            {"limit": [{"anything-but": [100, 200]}], "kind": ["x"]},
            {"$or": [{"a": [1]}, {"b": {"c": [2]}}]},
        ]},
    });
    let with = |detail: Value| json!({"source": "shop", "detail": detail});
    assert!(matches(&pattern, &with(json!({"count": 5}))));
    assert!(matches(&pattern, &with(json!({"limit": 300, "kind": "x"}))));
    assert!(matches(&pattern, &with(json!({"b": {"c": 2}}))));
    assert!(!matches(&pattern, &with(json!({"limit": 300}))));
    assert!(!matches(&pattern, &with(json!({"count": 6, "limit": 100, "kind": "x"}))));
    assert!(!matches(&pattern, &json!({"source": "other", "detail": {"count": 5}})));
}

#[test]
fn the_last_of_two_equal_names_counts() {
    let pattern = Pattern::parse(r#"{"a": [1], "a": [2]}"#, Dialect::EventBridge).unwrap();
    assert!(pattern.matches(&json!({"a": 2})));
    assert!(!pattern.matches(&json!({"a": 1})));
}

#[test]
fn refusals_have_the_words_and_the_position_of_aws() {
    let cases = [
        (r#"{"int": 42}"#, r#""int" must be an object or an array @11]"#),
        (r#"{"string": "my-value"}"#, r#""string" must be an object or an array @13]"#),
        (r#"{"resources": []}"#, "Empty arrays are not allowed @17]"),
        (r#"{"detail": {}}"#, "Empty objects are not allowed @14]"),
        ("{}", "Empty event pattern"),
        (" { } ", "Empty event pattern"),
        (r#"{"k": [[1]]}"#, "Match value must be String, number, true, false, or null @9]"),
        (r#"{"my_key": [{"EXISTS": true}]}"#, "Unrecognized match type EXISTS @28]"),
        (r#"{"k": [{}]}"#, "Match expression name not found @10]"),
        (r#"{"k": [{"exists": "x"}]}"#, "exists match pattern must be either true or false. @20]"),
        (r#"{"k": [{"exactly": 1}]}"#, "exact match pattern must be a string @21]"),
        (r#"{"k": [{"prefix": "a", "suffix": "b"}]}"#, "Only one key allowed in match expression @35]"),
        (r#"{"time": [{"prefix": ["2022-07-13"]}]}"#, "prefix match pattern must be a string @23]"),
        (r#"{"time": [{"prefix": 123}]}"#, "prefix match pattern must be a string @25]"),
        (r#"{"FileName": [{"suffix": 123}]}"#, "suffix match pattern must be a string @29]"),
        (r#"{"k": [{"prefix": {}}]}"#, "Prefix expression name not found @21]"),
        (r#"{"k": [{"suffix": {"prefix": "a"}}]}"#, "Unsupported suffix pattern: prefix @31]"),
        (
            r#"{"k": [{"equals-ignore-case": ["a"]}]}"#,
            "equals-ignore-case match pattern must be a string @32]",
        ),
        (r#"{"EventBusArn": [{"wildcard": 123}]}"#, "wildcard match pattern must be a string @34]"),
        (r#"{"k": [{"wildcard": "a:**:b"}]}"#, "Consecutive wildcard characters at pos 3 @29]"),
        (r#"{"k": [{"wildcard": "a\\b"}]}"#, "Invalid escape character at pos 2 @27]"),
        (r#"{"k": [{"cidr": ["bad-type"]}]}"#, "prefix match pattern must be a string @18]"),
        (r#"{"k": [{"cidr": "bad-filter"}]}"#, "Malformed CIDR, one '/' required"),
        (r#"{"k": [{"cidr": "10.0.0.0/"}]}"#, "Malformed CIDR, one '/' required"),
        (r#"{"k": [{"cidr": "10.0.0.0/xx"}]}"#, "Malformed CIDR, mask bits must be an integer"),
        (r#"{"k": [{"cidr": "10.0.0.0/-1"}]}"#, "Malformed CIDR, mask bits must not be negative"),
        (r#"{"k": [{"cidr": "10.0.0.0/32"}]}"#, "IPv4 mask bits must be < 32"),
        (r#"{"k": [{"cidr": "::/128"}]}"#, "IPv6 mask bits must be < 128"),
        (r#"{"k": [{"cidr": "xx.11.xx/8"}]}"#, "Nonstandard IP address: xx.11.xx"),
        (r#"{"k": [{"cidr": "xxxx:db8:1234:1a00::/64"}]}"#, "Nonstandard IP address: xxxx:db8:1234:1a00::"),
        (r#"{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}"#, "Unrecognized match type NUMERIC @36]"),
        (r#"{"k": [{"numeric": 5}]}"#, "Value of numeric must be an array. @21]"),
        (r#"{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}"#, "Bad numeric range operator: > @49]"),
        (r#"{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}"#, "Value of < must be numeric @50]"),
        (r#"{"k": [{"numeric": ["=", 6e9]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive @30]"),
        (r#"{"k": [{"numeric": ["=", 1], "x": 1}]}"#, "Too many elements in numeric expression @36]"),
        (
            r#"{"k": [{"anything-but": null}]}"#,
            "Value of anything-but must be an array or single string/number value. @29]",
        ),
        (
            r#"{"k": [{"anything-but": ["a", 1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported @33]",
        ),
        (
            r#"{"k": [{"anything-but": ["a", null]}]}"#,
            "Inside anything but list, start|null|boolean is not supported. @35] @35]",
        ),
        (r#"{"k": [{"anything-but": {}}]}"#, "Anything-But expression name not found @27]"),
        (r#"{"k": [{"anything-but": {"exists": true}}]}"#, "Unsupported anything-but pattern: exists @40]"),
        (
            r#"{"detail": {"state": [{"anything-but": {"prefix": 123}}]}}"#,
            "prefix/suffix match pattern must be a string @54]",
        ),
        (
            r#"{"detail": {"state": [{"anything-but": {"prefix": [123, "test"]}}]}}"#,
            "prefix/suffix match pattern must be a string @55] @55]",
        ),
        (r#"{"k": [{"anything-but": {"suffix": ""}}]}"#, "Null prefix/suffix not allowed @38]"),
        (
            r#"{"k": [{"anything-but": {"prefix": {"equals-ignore-case": "f"}}}]}"#,
            "Value of anything-but must be an array or single string/number value. @37]",
        ),
        (
            r#"{"detail": {"state": [{"anything-but": {"equals-ignore-case": 123}}]}}"#,
            "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported. @66]",
        ),
        (
            r#"{"detail": {"FilePath": [{"anything-but": {"wildcard": 123}}]}}"#,
            "wildcard match pattern must be a string @59]",
        ),
        (
            r#"{"detail": {"state": [{"anything-but": {"wildcard": [123, "*/dir/*"]}}]}}"#,
            "wildcard match pattern must be a string @57] @57]",
        ),
        (r#"{"$or": {"a": [1]}}"#, "It must be an Array followed with $or. @10]"),
        (r#"{"$or": [1, 2]}"#, "Only JSON object is allowed in array of $or relationship. @11]"),
        (r#"{"$or": [{"a": [1]}]}"#, "There must have at least 2 Objects in $or relationship. @21]"),
        (
            r#"{"$or": [{"prefix": [1]}, {"a": [1]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or. @22]",
        ),
        (
            r#"{"k": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}"#,
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character",
        ),
    ];
    for (pattern, expected) in cases {
        assert_eq!(refusal(pattern), format!("Event pattern is not valid. Reason: {expected}"), "{pattern}");
    }
}

#[test]
fn text_that_is_not_json_is_refused_with_the_words_of_the_parser() {
    let expecting = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let cases = [
        (
            "this is valid json but not a dict",
            format!("Unrecognized token 'this': was expecting {expecting} @5]"),
        ),
        (
            "{'bad': 'quotation'}",
            "Unexpected character (''' (code 39)): was expecting double-quote to start field name @2]"
                .to_owned(),
        ),
        (r#"{"not": closed mark""#, format!("Unrecognized token 'closed': was expecting {expecting} @15]")),
        (r#"["not", "a", "dict", "but valid json"]"#, "Filter is not an object @2]".to_owned()),
        (
            r#"{"a": [1 2]}"#,
            "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries @10]"
                .to_owned(),
        ),
        (r#"{"a": [01]}"#, "Invalid numeric value: Leading zeroes not allowed @9]".to_owned()),
    ];
    for (pattern, expected) in cases {
        assert_eq!(refusal(pattern), format!("Event pattern is not valid. Reason: {expected}"), "{pattern}");
    }
    for pattern in [
        "",
        "{",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":[",
        "{\"a\":[\"",
        "{\"a\":[-",
        "{\"a\":[1.",
        "{\"a\":[\"\\u12",
        "[",
        "]",
    ] {
        Pattern::parse(pattern, Dialect::EventBridge).unwrap_err();
    }
}

#[test]
fn no_pattern_costs_more_than_it_should() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    Pattern::parse(&deep, Dialect::EventBridge).unwrap_err();
    let branches = format!("[{}]", vec![r#"{"a": [1]}"#; 20].join(","));
    let wide = format!("{{{}}}", vec![format!(r#""$or": {branches}"#); 5].join(","));
    Pattern::parse(&wide, Dialect::EventBridge).unwrap_err();

    // Each list has a fitting element for each condition alone, but none for both.
    let keys: Vec<String> = (0..8).map(|key| format!("k{key}")).collect();
    let pattern: serde_json::Map<_, _> =
        keys.iter().map(|key| (key.clone(), json!({"x": [1], "y": [1]}))).collect();
    let elements: Vec<Value> =
        (0..50).flat_map(|_| [json!({"x": 1, "y": 2}), json!({"x": 2, "y": 1})]).collect();
    let event: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, elements.clone().into())).collect();
    assert!(!matches(&pattern.into(), &event.into()));
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("$or".to_owned()),
        prop::sample::select(vec![
            "prefix",
            "anything-but",
            "wildcard",
            "numeric",
            "cidr",
            "exists",
            "suffix",
            "a",
            "a.b"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["=", "<", ">=", "10.0.0.0/8", "*", "a*", "::/0"]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_panics(pattern in any_json(), event in any_json(), cut in any::<prop::sample::Index>()) {
        let text = pattern.to_string();
        for dialect in [Dialect::EventBridge, Dialect::MessageAttributes, Dialect::MessageBody] {
            if let Ok(pattern) = Pattern::parse(&text, dialect) {
                prop_assert!(pattern.matches(&event) || !pattern.matches(&event));
            }
            let cut = text.char_indices().map(|(at, _)| at).nth(cut.index(text.chars().count())).unwrap();
            let cut = Pattern::parse(&text[..cut], dialect);
            prop_assert!(cut.is_ok() || cut.is_err_and(|error| !error.reason().is_empty()));
        }
    }

    #[test]
    fn a_scalar_matches_itself_and_not_anything_but_itself(text in any::<String>()) {
        let event = json!({"a": text});
        let conditions = [(json!([text]), true), (json!([{"anything-but": text}]), false), (json!([{"wildcard": "*"}]), true)];
        for (condition, expected) in conditions {
            prop_assert_eq!(matches(&json!({"a": condition}), &event), expected);
        }
    }
}
