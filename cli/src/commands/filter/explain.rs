//! An expression in words.

use xray_engine::{AnnotationTest, CausePart, End, Expression, Flag, NodePattern, Number, Text};

/// Returns one line for each condition, indented by what it belongs to.
pub(super) fn explain(expression: &Expression) -> String {
    if matches!(expression, Expression::All(conditions) if conditions.is_empty()) {
        return "every trace\n".to_owned();
    }
    let mut lines = Lines(String::from("traces for which\n"));
    lines.add(expression, 1, Subject::Trace);
    lines.0
}

/// What a condition is about.
#[derive(Clone, Copy)]
enum Subject {
    Trace,
    Service,
    Edge,
    Cause,
}

struct Lines(String);

impl Lines {
    fn add(&mut self, expression: &Expression, depth: usize, subject: Subject) {
        match expression {
            Expression::All(conditions) => self.group("all of these hold:", conditions, depth, subject),
            Expression::Any(conditions) => self.group("one of these holds:", conditions, depth, subject),
            Expression::Not(condition) => {
                self.line(depth, "this does not hold:");
                self.add(condition, depth + 1, subject);
            }
            Expression::Service(pattern, condition) => {
                let service = node(pattern, "some service");
                match condition {
                    None => self.line(depth, &format!("{service} takes part")),
                    Some(condition) => {
                        self.line(depth, &format!("for a segment of {service}"));
                        self.add(condition, depth + 1, Subject::Service);
                    }
                }
            }
            Expression::Edge(source, destination, condition) => {
                let ends =
                    format!("{} calls {}", node(source, "some service"), node(destination, "some service"));
                match condition {
                    None => self.line(depth, &ends),
                    Some(condition) => {
                        self.line(depth, &format!("{ends}, and for the call"));
                        self.add(condition, depth + 1, Subject::Edge);
                    }
                }
            }
            Expression::RootCause(kind, part, condition) => {
                let part = match part {
                    CausePart::Service => "service",
                    CausePart::Entity => "segment or subsegment",
                    CausePart::Exception => "exception",
                };
                match condition {
                    None => self.line(depth, &format!("a {kind} has a root cause with a {part}")),
                    Some(condition) => {
                        self.line(depth, &format!("for a {part} of the root cause of a {kind}"));
                        self.add(condition, depth + 1, Subject::Cause);
                    }
                }
            }
            simple => self.line(depth, &condition(simple, subject)),
        }
    }

    fn group(&mut self, title: &str, conditions: &[Expression], depth: usize, subject: Subject) {
        self.line(depth, title);
        for condition in conditions {
            self.add(condition, depth + 1, subject);
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.0.extend([&"  ".repeat(depth), text, "\n"]);
    }
}

fn condition(expression: &Expression, subject: Subject) -> String {
    match expression {
        Expression::Flag(flag) => flag_in_words(*flag, subject),
        Expression::Number(number, comparison, value) => {
            let (what, unit) = match number {
                Number::ResponseTime => ("response time", " s"),
                Number::Duration => ("duration", " s"),
                Number::HttpStatus => ("HTTP status", ""),
                Number::Index => ("position, from 0,", ""),
                Number::Coverage => ("share of the root's response time", ""),
            };
            format!("{} {what} {comparison} {value}{unit}", whose(subject))
        }
        Expression::Text(text, comparison, value) => {
            format!("{} {} {comparison} \"{value}\"", owner(*text, subject), text_in_words(*text))
        }
        Expression::IsSet(text) => format!("{} {} is known", owner(*text, subject), text_in_words(*text)),
        Expression::Annotation(end, key, test) => {
            let owner = match (end, subject) {
                (End::Source, _) => "the caller's",
                (End::Destination, _) => "the called service's",
                (End::Here, Subject::Trace) => "some segment's",
                (End::Here, _) => "its",
            };
            match test {
                AnnotationTest::IsSet => format!("{owner} annotation {key} is there, and not false"),
                test => format!("{owner} annotation {key}{test}"),
            }
        }
        Expression::Group(key, value) => {
            let key = if matches!(key, xray_engine::GroupKey::Name) { "named" } else { "with the ARN" };
            format!("it belongs to the group {key} \"{value}\"")
        }
        other => other.to_string(),
    }
}

fn flag_in_words(flag: Flag, subject: Subject) -> String {
    let request = match subject {
        Subject::Trace => "the request to the entry point",
        Subject::Service | Subject::Edge | Subject::Cause => "it",
    };
    match flag {
        Flag::Ok => format!("{request} succeeded (2xx)"),
        Flag::Error => format!("{request} ended with a client error (4xx)"),
        Flag::Fault => format!("{request} ended with a server error (5xx)"),
        Flag::Throttle if matches!(subject, Subject::Trace) => "something was throttled (429)".to_owned(),
        Flag::Throttle => "it was throttled (429)".to_owned(),
        Flag::Partial => "something is still in progress".to_owned(),
        Flag::Inferred => "a service is known by the calls of others only".to_owned(),
        Flag::Root => "it is the entry point".to_owned(),
        Flag::First => "it is the first one".to_owned(),
        Flag::Last => "it is the last one".to_owned(),
        Flag::Remote => "it is the call of another service".to_owned(),
    }
}

fn whose(subject: Subject) -> &'static str {
    match subject {
        Subject::Trace => "the entry point's",
        Subject::Service | Subject::Edge | Subject::Cause => "its",
    }
}

/// Some strings of a trace are those of any segment.
fn owner(text: Text, subject: Subject) -> &'static str {
    let of_any = matches!(text, Text::User | Text::AvailabilityZone | Text::InstanceId | Text::ResourceArn);
    if of_any && matches!(subject, Subject::Trace) { "some segment's" } else { whose(subject) }
}

fn text_in_words(text: Text) -> &'static str {
    match text {
        Text::HttpUrl => "URL",
        Text::HttpMethod => "HTTP method",
        Text::HttpUserAgent => "user agent",
        Text::HttpClientIp => "client address",
        Text::User => "user",
        Text::Name => "name",
        Text::Type => "type",
        Text::Message => "exception message",
        Text::AvailabilityZone => "availability zone",
        Text::InstanceId => "instance",
        Text::ResourceArn => "resource ARN",
        Text::AccountId => "account",
    }
}

fn node(pattern: &NodePattern, any: &str) -> String {
    let NodePattern { name, kind, account_id } = pattern;
    let name = name.as_ref().map_or_else(|| any.to_owned(), |name| format!("\"{name}\""));
    let kind = kind.as_ref().map(|kind| format!(" of type {kind}")).unwrap_or_default();
    let account = account_id.as_ref().map(|account| format!(" in account {account}")).unwrap_or_default();
    format!("{name}{kind}{account}")
}

#[cfg(test)]
mod tests {
    use xray_engine::FilterExpression;

    use super::*;

    fn explained(expression: &str) -> String {
        explain(expression.parse::<FilterExpression>().unwrap().expression())
    }

    #[test]
    fn an_expression_is_explained_line_by_line() {
        assert_eq!(explained(""), "every trace\n");
        assert_eq!(
            explained(
                r#"!ok AND (annotation.customer_number = "1" OR responsetime > 2) service("email") { fault }"#
            ),
            "traces for which
  all of these hold:
    this does not hold:
      the request to the entry point succeeded (2xx)
    one of these holds:
      some segment's annotation customer_number = \"1\"
      the entry point's response time > 2 s
    for a segment of \"email\"
      it ended with a server error (5xx)
"
        );
        assert_eq!(
            explained(
                r#"edge("a", id(type: "remote")) { source.annotation.vip } rootcause.fault.entity { last }"#
            ),
            "traces for which
  all of these hold:
    \"a\" calls some service of type remote, and for the call
      the caller's annotation vip is there, and not false
    for a segment or subsegment of the root cause of a fault
      it is the last one
"
        );
    }
}
