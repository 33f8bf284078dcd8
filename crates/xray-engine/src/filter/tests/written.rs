//! An expression that is written is read as the same one.

use proptest::prelude::*;

use crate::filter::FilterExpression;
use crate::filter::expression::{
    AnnotationTest, CauseKind, CausePart, Comparison, End, Expression, GroupKey, NodePattern, TextComparison,
};
use crate::filter::keyword::{Flag, Number, Text};

fn comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ])
}

fn text_comparison() -> impl Strategy<Value = TextComparison> {
    prop::sample::select(vec![
        TextComparison::Equal,
        TextComparison::NotEqual,
        TextComparison::Contains,
        TextComparison::BeginsWith,
        TextComparison::EndsWith,
    ])
}

fn annotation_test() -> impl Strategy<Value = AnnotationTest> {
    prop_oneof![
        Just(AnnotationTest::IsSet),
        (any::<bool>(), any::<bool>()).prop_map(|(equal, value)| AnnotationTest::Boolean(equal, value)),
        (comparison(), -1.0e9..1.0e9_f64).prop_map(|(how, value)| AnnotationTest::Number(how, value)),
        (text_comparison(), "\\PC{0,12}").prop_map(|(how, value)| AnnotationTest::Text(how, value)),
    ]
}

fn node() -> impl Strategy<Value = NodePattern> {
    let part = || proptest::option::of("\\PC{0,8}");
    (part(), part(), part()).prop_map(|(name, kind, account_id)| {
        let name = name.or_else(|| (kind.is_none() && account_id.is_none()).then(String::new));
        NodePattern { name, kind, account_id }
    })
}

/// A condition that is valid for services, and hence for traces as well.
fn simple() -> impl Strategy<Value = Expression> {
    prop_oneof![
        prop::sample::select(vec![Flag::Ok, Flag::Fault, Flag::Throttle, Flag::Inferred])
            .prop_map(Expression::Flag),
        (comparison(), 0.0..1.0e6_f64).prop_map(|(how, value)| Expression::Number(
            Number::ResponseTime,
            how,
            value
        )),
        (text_comparison(), "\\PC{0,12}").prop_map(|(how, value)| Expression::Text(
            Text::HttpUrl,
            how,
            value
        )),
        Just(Expression::IsSet(Text::User)),
        ("[a-zA-Z0-9_.]{1,12}", annotation_test()).prop_map(|(key, test)| Expression::Annotation(
            End::Here,
            key,
            test
        )),
    ]
}

fn joined(leaf: impl Strategy<Value = Expression> + 'static) -> impl Strategy<Value = Expression> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::Any),
            inner.prop_map(|condition| Expression::Not(Box::new(condition))),
        ]
    })
}

fn complex() -> impl Strategy<Value = Expression> {
    let condition = || proptest::option::of(joined(simple()).prop_map(Box::new));
    prop_oneof![
        simple(),
        (node(), condition()).prop_map(|(pattern, condition)| Expression::Service(pattern, condition)),
        (node(), node(), condition()).prop_map(|(source, destination, condition)| Expression::Edge(
            source,
            destination,
            condition
        )),
        "\\PC{0,12}".prop_map(|name| Expression::Group(GroupKey::Name, name)),
        prop::sample::select(vec![Flag::First, Flag::Last]).prop_map(|flag| {
            let condition = Some(Box::new(Expression::Flag(flag)));
            Expression::RootCause(CauseKind::Fault, CausePart::Entity, condition)
        }),
    ]
}

proptest! {
    #[test]
    fn an_expression_survives_being_written_and_read(expression in joined(complex())) {
        let expression = FilterExpression::from(expression);
        prop_assert_eq!(expression.to_string().parse::<FilterExpression>().unwrap(), expression);
    }
}

#[test]
fn parentheses_stand_only_where_they_are_needed() {
    for (read, written) in [
        ("ok fault", "ok AND fault"),
        ("(ok)", "ok"),
        ("ok or fault and !partial", "ok OR (fault AND !partial)"),
        ("!(ok or fault)", "!(ok OR fault)"),
        ("edge{fault}", "edge() { fault }"),
        (r#"service(id(name:"a"))"#, r#"service("a")"#),
        ("annotation[a] = 2.0", "annotation.a = 2"),
        ("ok != false", "ok"),
    ] {
        let filter: FilterExpression = read.parse().unwrap();
        assert_eq!(filter.to_string(), written, "{read}");
    }
}
