//! Conditions that are more than a keyword with a value: annotations, services, edges, groups and root causes.

use super::error::{FilterError, Problem};
use super::expression::{AnnotationTest, CauseKind, CausePart, End, Expression, GroupKey, NodePattern};
use super::keyword::Scope;
use super::parse::{Parser, comparison, text_comparison};
use super::root_cause::CausePattern;

/// Reads what follows a keyword, which is passed in lower case.
type Read = fn(&mut Parser, &str) -> Result<Expression, FilterError>;

/// Reads the rest of a condition that begins with `word` at `position`; `None` if it is a simple one.
pub(super) fn condition(
    parser: &mut Parser,
    word: &str,
    position: usize,
    scope: Scope,
) -> Option<Result<Expression, FilterError>> {
    let lower = word.to_ascii_lowercase();
    if let Some((end, key)) = annotation_key(&lower, word) {
        return Some(annotation(parser, end, key, position, scope));
    }
    let (keyword, read): (_, Read) = match &*lower {
        "service" => ("service", service),
        "edge" => ("edge", edge),
        "group.name" | "groupname" => ("group.name", |parser, _| group(parser, GroupKey::Name)),
        "group.arn" => ("group.arn", |parser, _| group(parser, GroupKey::Arn)),
        "rootcause.json" | "json" => ("rootcause.json", cause_pattern),
        other if other.starts_with("rootcause.") && part_of_cause(other).is_some() => {
            ("rootcause", root_cause)
        }
        _ => return None,
    };
    if scope != Scope::Trace {
        let problem = Problem::OutOfScope { keyword, scope: scope.name() };
        return Some(Err(FilterError::new(position, problem)));
    }
    Some(read(parser, &lower))
}

/// Splits `annotation.key`, `annotation` and the same with `source.` or `destination.` before it. The key is empty if it
/// stands in brackets that follow.
fn annotation_key<'a>(lower: &str, word: &'a str) -> Option<(End, &'a str)> {
    let ends = [(End::Here, ""), (End::Source, "source."), (End::Destination, "destination.")];
    ends.into_iter().find_map(|(end, prefix)| {
        let rest = lower.strip_prefix(prefix)?.strip_prefix("annotation")?;
        let key = &word[word.len() - rest.len()..];
        if key.is_empty() { Some((end, key)) } else { Some((end, key.strip_prefix('.')?)) }
    })
}

fn annotation(
    parser: &mut Parser,
    end: End,
    key: &str,
    position: usize,
    scope: Scope,
) -> Result<Expression, FilterError> {
    let applies = match end {
        End::Here => matches!(scope, Scope::Trace | Scope::Service | Scope::Edge),
        End::Source | End::Destination => scope == Scope::Edge,
    };
    if !applies {
        let keyword = match end {
            End::Here => "annotation",
            End::Source => "source.annotation",
            End::Destination => "destination.annotation",
        };
        return Err(FilterError::new(position, Problem::OutOfScope { keyword, scope: scope.name() }));
    }
    let key = if key.is_empty() { bracketed(parser)? } else { plain(key, position)? };
    Ok(Expression::Annotation(end, key, annotation_test(parser)?))
}

fn bracketed(parser: &mut Parser) -> Result<String, FilterError> {
    let begin = parser.cursor.position();
    if !parser.cursor.take_here('[') {
        return Err(parser.cursor.expected(".key or [key]"));
    }
    let key = parser.cursor.take_while(|character| character != ']').trim().to_owned();
    if !parser.cursor.take_here(']') {
        return Err(FilterError::new(begin, Problem::Unterminated("the key of the annotation")));
    }
    if key.is_empty() {
        parser.cursor.rewind(begin + 1);
        return Err(parser.cursor.expected("the key of an annotation"));
    }
    Ok(key)
}

fn plain(key: &str, position: usize) -> Result<String, FilterError> {
    if key.contains('.') || key.contains('-') {
        let problem = Problem::Expected {
            expected: "a key of letters, digits and underscores".to_owned(),
            found: key.to_owned(),
        };
        let suggestion = Some(format!("annotation[{key}]"));
        return Err(FilterError::new(position, problem).suggesting(suggestion));
    }
    Ok(key.to_owned())
}

fn annotation_test(parser: &mut Parser) -> Result<AnnotationTest, FilterError> {
    const VALUES: &str = "a quoted string, a number, true or false";
    let Some((operator, position)) = parser.operator() else { return Ok(AnnotationTest::IsSet) };
    let (numbers, texts) = (comparison(&operator), text_comparison(&operator));
    if numbers.is_none() && texts.is_none() {
        let operators = "=, !=, <, <=, >, >=, CONTAINS, BEGINSWITH or ENDSWITH";
        return Err(parser.not_an_operator(position, operators));
    }
    if parser.cursor.next_visible() == Some('"') {
        let comparison = texts.ok_or_else(|| parser.cursor.expected("a number"))?;
        let value = parser.cursor.quoted()?.unwrap_or_default();
        return Ok(AnnotationTest::Text(comparison, value));
    }
    let Some(comparison) = numbers else { return Err(parser.cursor.expected("a quoted string")) };
    if let Some(value) = parser.number_value()? {
        return Ok(AnnotationTest::Number(comparison, value));
    }
    let equal = match operator.as_str() {
        "=" => true,
        "!=" => false,
        _ => return Err(parser.cursor.expected("a number")),
    };
    if let Some(value) = parser.boolean()? {
        return Ok(AnnotationTest::Boolean(equal, value));
    }
    let word = parser.cursor.peek_word();
    let suggestion = (!word.is_empty()).then(|| format!("\"{word}\""));
    Err(parser.cursor.expected(VALUES).suggesting(suggestion))
}

fn service(parser: &mut Parser, _: &str) -> Result<Expression, FilterError> {
    let mut pattern = NodePattern::default();
    if parser.cursor.take('(') && !parser.cursor.take(')') {
        pattern = node(parser)?;
        parser.cursor.expect(')', ")")?;
    }
    Ok(Expression::Service(pattern, parser.braces(Scope::Service)?))
}

fn edge(parser: &mut Parser, _: &str) -> Result<Expression, FilterError> {
    let (mut source, mut destination) = (NodePattern::default(), NodePattern::default());
    if parser.cursor.take('(') && !parser.cursor.take(')') {
        source = node(parser)?;
        parser.cursor.expect(',', "a comma and the second service")?;
        destination = node(parser)?;
        parser.cursor.expect(')', ")")?;
    }
    Ok(Expression::Edge(source, destination, parser.braces(Scope::Edge)?))
}

/// Reads a quoted name, or `id(name: "…", type: "…", account.id: "…")`.
fn node(parser: &mut Parser) -> Result<NodePattern, FilterError> {
    if let Some(name) = parser.cursor.quoted()? {
        return Ok(NodePattern { name: Some(name), ..NodePattern::default() });
    }
    if !parser.cursor.take_word("id") {
        return Err(parser.cursor.expected("a quoted name or id(…)"));
    }
    parser.cursor.expect('(', "(")?;
    let mut pattern = NodePattern::default();
    loop {
        parser.cursor.next_visible();
        let position = parser.cursor.position();
        let word = parser.cursor.word().to_ascii_lowercase();
        let field = match &*word {
            "name" => &mut pattern.name,
            "type" => &mut pattern.kind,
            "account.id" => &mut pattern.account_id,
            _ => {
                parser.cursor.rewind(position);
                return Err(parser.cursor.expected("name:, type: or account.id:"));
            }
        };
        parser.cursor.expect(':', ":")?;
        let value = parser.cursor.quoted()?.ok_or_else(|| parser.cursor.expected("a quoted string"))?;
        if field.replace(value).is_some() {
            parser.cursor.rewind(position);
            return Err(parser.cursor.expected("each of name:, type: and account.id: once"));
        }
        if !parser.cursor.take(',') {
            parser.cursor.expect(')', "a comma or )")?;
            return Ok(pattern);
        }
    }
}

fn group(parser: &mut Parser, key: GroupKey) -> Result<Expression, FilterError> {
    let operator = parser.operator();
    let equal = match &operator {
        Some((operator, _)) if operator == "=" => true,
        Some((operator, _)) if operator == "!=" => false,
        Some((_, position)) => return Err(parser.not_an_operator(*position, "= or !=")),
        None => return Err(parser.cursor.expected("= or !=")),
    };
    let value = parser.cursor.quoted()?.ok_or_else(|| parser.cursor.expected("a quoted string"))?;
    let condition = Expression::Group(key, value);
    Ok(if equal { condition } else { Expression::Not(Box::new(condition)) })
}

/// Reads what follows `rootcause.`, in lower case.
fn part_of_cause(lower: &str) -> Option<(CauseKind, CausePart)> {
    let (kind, part) = lower.strip_prefix("rootcause.")?.split_once('.')?;
    let kind = match kind {
        "fault" => CauseKind::Fault,
        "error" => CauseKind::Error,
        "responsetime" => CauseKind::ResponseTime,
        _ => return None,
    };
    let part = match part {
        "service" => CausePart::Service,
        "entity" => CausePart::Entity,
        // A slow response has no exceptions.
        "exception" if kind != CauseKind::ResponseTime => CausePart::Exception,
        _ => return None,
    };
    Some((kind, part))
}

fn root_cause(parser: &mut Parser, lower: &str) -> Result<Expression, FilterError> {
    let Some((kind, part)) = part_of_cause(lower) else {
        return Err(parser.cursor.expected("a part of a root cause"));
    };
    let scope = match (part, kind) {
        (CausePart::Service, _) => Scope::CauseService,
        (CausePart::Entity, CauseKind::ResponseTime) => Scope::SlowEntity,
        (CausePart::Entity, _) => Scope::CauseEntity,
        (CausePart::Exception, _) => Scope::CauseException,
    };
    Ok(Expression::RootCause(kind, part, parser.braces(scope)?))
}

fn cause_pattern(parser: &mut Parser, _: &str) -> Result<Expression, FilterError> {
    let operator = parser.operator();
    let equal = match &operator {
        Some((operator, _)) if operator == "=" => true,
        Some((operator, _)) if operator == "!=" => false,
        Some((_, position)) => return Err(parser.not_an_operator(*position, "= or !=")),
        None => return Err(parser.cursor.expected("= or !=")),
    };
    parser.cursor.expect('#', "#[ and a list of root causes as JSON")?;
    if parser.cursor.next_visible() != Some('[') {
        return Err(parser.cursor.expected("[ and a list of root causes as JSON"));
    }
    let position = parser.cursor.position();
    let json = parser.cursor.json()?;
    let pattern =
        CausePattern::read(&json).map_err(|error| FilterError::new(position, Problem::RootCause(error)))?;
    let condition = Expression::CausePattern(pattern);
    Ok(if equal { condition } else { Expression::Not(Box::new(condition)) })
}
