//! Writing an expression, so that it is read as the same one.

use std::fmt;

use super::FilterExpression;
use super::expression::{
    AnnotationTest, CauseKind, CausePart, Comparison, End, Expression, GroupKey, NodePattern, TextComparison,
};

impl fmt::Display for FilterExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression().fmt(f)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(conditions) => joined(f, conditions, " AND "),
            Self::Any(conditions) => joined(f, conditions, " OR "),
            Self::Not(condition) => write!(f, "!{}", Grouped(condition)),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number, comparison, value) => write!(f, "{number} {comparison} {value}"),
            Self::Text(text, comparison, value) => write!(f, "{text} {comparison} {}", Quoted(value)),
            Self::IsSet(text) => text.fmt(f),
            Self::Annotation(end, key, test) => {
                f.write_str(match end {
                    End::Here => "",
                    End::Source => "source.",
                    End::Destination => "destination.",
                })?;
                write!(f, "{}{test}", Key(key))
            }
            Self::Service(pattern, condition) => {
                write!(f, "service({})", Node(pattern))?;
                braces(f, condition.as_deref())
            }
            Self::Edge(source, destination, condition) => {
                if *source == NodePattern::default() && *destination == NodePattern::default() {
                    f.write_str("edge()")?;
                } else {
                    write!(f, "edge({}, {})", Node(source), Node(destination))?;
                }
                braces(f, condition.as_deref())
            }
            Self::Group(GroupKey::Name, value) => write!(f, "group.name = {}", Quoted(value)),
            Self::Group(GroupKey::Arn, value) => write!(f, "group.arn = {}", Quoted(value)),
            Self::RootCause(kind, part, condition) => {
                write!(f, "rootcause.{kind}.{part}")?;
                braces(f, condition.as_deref())
            }
            Self::CausePattern(pattern) => write!(f, "rootcause.json = #{}", pattern.to_json()),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, conditions: &[Expression], with: &str) -> fmt::Result {
    for (number, condition) in conditions.iter().enumerate() {
        if number > 0 {
            f.write_str(with)?;
        }
        write!(f, "{}", Grouped(condition))?;
    }
    Ok(())
}

fn braces(f: &mut fmt::Formatter<'_>, condition: Option<&Expression>) -> fmt::Result {
    condition.map_or(Ok(()), |condition| write!(f, " {{ {condition} }}"))
}

/// A condition within another one.
struct Grouped<'a>(&'a Expression);

impl fmt::Display for Grouped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expression::All(_) | Expression::Any(_) => write!(f, "({})", self.0),
            condition => condition.fmt(f),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if self.0.chars().all(plain) {
            write!(f, "annotation.{}", self.0)
        } else {
            write!(f, "annotation[{}]", self.0)
        }
    }
}

struct Node<'a>(&'a NodePattern);

impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodePattern { name, kind, account_id } = self.0;
        if let (Some(name), None, None) = (name, kind, account_id) {
            return Quoted(name).fmt(f);
        }
        let fields = [("name", name), ("type", kind), ("account.id", account_id)];
        let fields: Vec<_> = fields
            .into_iter()
            .filter_map(|(field, value)| Some(format!("{field}: {}", Quoted(value.as_deref()?))))
            .collect();
        if fields.is_empty() { Ok(()) } else { write!(f, "id({})", fields.join(", ")) }
    }
}

impl fmt::Display for AnnotationTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsSet => Ok(()),
            Self::Boolean(equal, value) => write!(f, " {} {value}", if *equal { "=" } else { "!=" }),
            Self::Number(comparison, value) => write!(f, " {comparison} {value}"),
            Self::Text(comparison, value) => write!(f, " {comparison} {}", Quoted(value)),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for TextComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Contains => "CONTAINS",
            Self::BeginsWith => "BEGINSWITH",
            Self::EndsWith => "ENDSWITH",
        })
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault => "fault",
            Self::Error => "error",
            Self::ResponseTime => "responsetime",
        })
    }
}

impl fmt::Display for CausePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Entity => "entity",
            Self::Exception => "exception",
        })
    }
}
