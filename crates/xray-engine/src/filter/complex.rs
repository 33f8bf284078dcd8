//! Conditions that are more than a keyword with a value: annotations, services, edges, groups and root causes.

use super::cursor::Cursor;
use super::error::{FilterError, Problem};
use super::expression::{AnnotationTest, CauseKind, CausePart, End, Expression, GroupKey, NodePattern};
use super::keyword::Scope;
use super::note::{Note, ValueOf};
use super::root_cause::CausePattern;
use super::value::{
    COMPARISONS, EQUALITY, TEXT_COMPARISONS, boolean, comparison, is_equal, not_an_operator, number,
    operator, text_comparison,
};

/// Reads what follows a keyword, which is passed in lower case.
type Read = fn(&mut Cursor, &str) -> Result<Condition, FilterError>;

/// A condition that is complete, or one that may go on in braces.
pub(super) enum Condition {
    Whole(Expression),
    /// What the braces are about, and what becomes of the condition in them.
    Braced(Scope, Finish),
}

type Finish = Box<dyn FnOnce(Option<Box<Expression>>) -> Expression>;

/// Reads the rest of a condition that begins with `word` at `position`; `None` if it is a simple one.
pub(super) fn condition(
    cursor: &mut Cursor,
    word: &str,
    position: usize,
    scope: Scope,
) -> Option<Result<Condition, FilterError>> {
    let lower = word.to_ascii_lowercase();
    if let Some((end, key)) = annotation_key(&lower, word) {
        return Some(annotation(cursor, end, key, position, scope).map(Condition::Whole));
    }
    let (keyword, read): (_, Read) = match &*lower {
        "service" => ("service", service),
        "edge" => ("edge", edge),
        "group.name" | "groupname" => ("group.name", |cursor, _| group(cursor, GroupKey::Name)),
        "group.arn" => ("group.arn", |cursor, _| group(cursor, GroupKey::Arn)),
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
    Some(read(cursor, &lower))
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
    cursor: &mut Cursor,
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
    let key = if key.is_empty() { bracketed(cursor)? } else { plain(key, position)? };
    let test = annotation_test(cursor, &key)?;
    Ok(Expression::Annotation(end, key, test))
}

fn bracketed(cursor: &mut Cursor) -> Result<String, FilterError> {
    let begin = cursor.position();
    if !cursor.take_here('[') {
        return Err(cursor.expected(".key or [key]"));
    }
    let key = cursor.take_while(|character| character != ']').trim().to_owned();
    if !cursor.take_here(']') {
        return Err(FilterError::new(begin, Problem::Unterminated("the key of the annotation")));
    }
    if key.is_empty() {
        cursor.rewind(begin + 1);
        return Err(cursor.expected("the key of an annotation"));
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

fn annotation_test(cursor: &mut Cursor, key: &str) -> Result<AnnotationTest, FilterError> {
    const VALUES: &str = "a quoted string, a number, true or false";
    cursor.note(|| Note::Words(&COMPARISONS));
    cursor.note(|| Note::Words(&TEXT_COMPARISONS));
    let Some((operator, position)) = operator(cursor) else { return Ok(AnnotationTest::IsSet) };
    let (numbers, texts) = (comparison(&operator), text_comparison(&operator));
    if numbers.is_none() && texts.is_none() {
        let operators = "=, !=, <, <=, >, >=, CONTAINS, BEGINSWITH or ENDSWITH";
        return Err(not_an_operator(cursor, position, operators));
    }
    cursor.note(|| Note::Value(ValueOf::Annotation(key.to_owned())));
    if cursor.next_visible() == Some('"') {
        let comparison = texts.ok_or_else(|| cursor.expected("a number"))?;
        let value = cursor.quoted()?.unwrap_or_default();
        return Ok(AnnotationTest::Text(comparison, value));
    }
    let Some(comparison) = numbers else { return Err(cursor.expected("a quoted string")) };
    if let Some(value) = number(cursor)? {
        return Ok(AnnotationTest::Number(comparison, value));
    }
    let equal = is_equal(&operator).ok_or_else(|| cursor.expected("a number"))?;
    if let Some(value) = boolean(cursor)? {
        return Ok(AnnotationTest::Boolean(equal, value));
    }
    let word = cursor.peek_word();
    let suggestion = (!word.is_empty()).then(|| format!("\"{word}\""));
    Err(cursor.expected(VALUES).suggesting(suggestion))
}

fn service(cursor: &mut Cursor, _: &str) -> Result<Condition, FilterError> {
    let mut pattern = NodePattern::default();
    cursor.note(|| Note::Words(&["("]));
    if cursor.take('(') && !cursor.take(')') {
        pattern = node(cursor)?;
        cursor.expect(')', ")")?;
    }
    let finish = |condition| Expression::Service(pattern, condition);
    Ok(Condition::Braced(Scope::Service, Box::new(finish)))
}

fn edge(cursor: &mut Cursor, _: &str) -> Result<Condition, FilterError> {
    let (mut source, mut destination) = (NodePattern::default(), NodePattern::default());
    cursor.note(|| Note::Words(&["("]));
    if cursor.take('(') && !cursor.take(')') {
        source = node(cursor)?;
        cursor.expect(',', "a comma and the second service")?;
        destination = node(cursor)?;
        cursor.expect(')', ")")?;
    }
    let finish = |condition| Expression::Edge(source, destination, condition);
    Ok(Condition::Braced(Scope::Edge, Box::new(finish)))
}

/// Reads a quoted name, or `id(name: "…", type: "…", account.id: "…")`.
fn node(cursor: &mut Cursor) -> Result<NodePattern, FilterError> {
    cursor.note(|| Note::Value(ValueOf::ServiceName));
    cursor.note(|| Note::Words(&["id("]));
    if let Some(name) = cursor.quoted()? {
        return Ok(NodePattern { name: Some(name), ..NodePattern::default() });
    }
    if !cursor.take_word("id") {
        return Err(cursor.expected("a quoted name or id(…)"));
    }
    cursor.expect('(', "(")?;
    let mut pattern = NodePattern::default();
    loop {
        cursor.note(|| Note::Words(&["name:", "type:", "account.id:"]));
        cursor.next_visible();
        let position = cursor.position();
        let word = cursor.word().to_ascii_lowercase();
        let (field, value) = match &*word {
            "name" => (&mut pattern.name, ValueOf::ServiceName),
            "type" => (&mut pattern.kind, ValueOf::ServiceType),
            "account.id" => (&mut pattern.account_id, ValueOf::AccountId),
            _ => {
                cursor.rewind(position);
                return Err(cursor.expected("name:, type: or account.id:"));
            }
        };
        cursor.expect(':', ":")?;
        cursor.note(|| Note::Value(value));
        let value = cursor.quoted()?.ok_or_else(|| cursor.expected("a quoted string"))?;
        if field.replace(value).is_some() {
            cursor.rewind(position);
            return Err(cursor.expected("each of name:, type: and account.id: once"));
        }
        if !cursor.take(',') {
            cursor.expect(')', "a comma or )")?;
            return Ok(pattern);
        }
    }
}

fn group(cursor: &mut Cursor, key: GroupKey) -> Result<Condition, FilterError> {
    let equal = equal_or_not(cursor)?;
    if key == GroupKey::Name {
        cursor.note(|| Note::Value(ValueOf::GroupName));
    }
    let value = cursor.quoted()?.ok_or_else(|| cursor.expected("a quoted string"))?;
    Ok(Condition::Whole(Expression::Group(key, value).holding(equal)))
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

fn root_cause(cursor: &mut Cursor, lower: &str) -> Result<Condition, FilterError> {
    let Some((kind, part)) = part_of_cause(lower) else {
        return Err(cursor.expected("a part of a root cause"));
    };
    let scope = match (part, kind) {
        (CausePart::Service, _) => Scope::CauseService,
        (CausePart::Entity, CauseKind::ResponseTime) => Scope::SlowEntity,
        (CausePart::Entity, _) => Scope::CauseEntity,
        (CausePart::Exception, _) => Scope::CauseException,
    };
    let finish = move |condition| Expression::RootCause(kind, part, condition);
    Ok(Condition::Braced(scope, Box::new(finish)))
}

fn cause_pattern(cursor: &mut Cursor, _: &str) -> Result<Condition, FilterError> {
    let equal = equal_or_not(cursor)?;
    cursor.expect('#', "#[ and a list of root causes as JSON")?;
    cursor.note(|| Note::Words(&["["]));
    if cursor.next_visible() != Some('[') {
        return Err(cursor.expected("[ and a list of root causes as JSON"));
    }
    let position = cursor.position();
    let json = cursor.json()?;
    let pattern =
        CausePattern::read(&json).map_err(|error| FilterError::new(position, Problem::RootCause(error)))?;
    Ok(Condition::Whole(Expression::CausePattern(pattern).holding(equal)))
}

/// Reads `=` or `!=`. Returns whether it is the first.
fn equal_or_not(cursor: &mut Cursor) -> Result<bool, FilterError> {
    const OPERATORS: &str = "= or !=";
    cursor.note(|| Note::Words(&EQUALITY));
    let Some((operator, position)) = operator(cursor) else { return Err(cursor.expected(OPERATORS)) };
    is_equal(&operator).ok_or_else(|| not_an_operator(cursor, position, OPERATORS))
}
