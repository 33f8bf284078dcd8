//! Conditions that are an object with an operator: `{"prefix": "a"}`.

use crate::address::Block;
use crate::condition::Condition;
use crate::json::{Reader, Token};
use crate::number::{self, Number, OUT_OF_RANGE};
use crate::wildcard::Wildcard;

/// The operators that a service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operators {
    All,
    /// Those of SNS: an older state of the engine.
    Sns,
}

const ONE_KEY: &str = "Only one key allowed in match expression";
const TOO_MANY: &str = "Too many elements in numeric expression";

/// Reads a condition whose opening brace is the current token, or returns AWS's words for what is wrong.
pub(crate) fn read(reader: &mut Reader<'_>, operators: Operators) -> Result<Condition, String> {
    if reader.next()? != Token::Name {
        return Err(reader.refuse("Match expression name not found"));
    }
    let operator = reader.name().to_owned();
    let value = |reader: &mut Reader<'_>| -> Result<String, String> {
        // AWS's message names "prefix" for a CIDR, too.
        let named = if operator == "cidr" { "prefix" } else { &operator };
        text(reader, &format!("{} match pattern must be a string", named.replace("exactly", "exact")))
    };
    let all = operators == Operators::All;
    let condition = match operator.as_str() {
        "exactly" => Condition::text(value(reader)?),
        "equals-ignore-case" => Condition::IgnoreCase(value(reader)?.to_lowercase()),
        "prefix" | "suffix" => return affix(reader, &operator, all),
        "cidr" => Condition::Cidr(Block::read(&value(reader)?)?),
        "wildcard" if all => {
            let wildcard = Wildcard::read(&value(reader)?);
            Condition::Wildcard(wildcard.map_err(|reason| reader.refuse(&reason))?)
        }
        "exists" => match reader.next()? {
            Token::True => Condition::Exists,
            Token::False => Condition::Absent,
            _ => return Err(reader.refuse("exists match pattern must be either true or false.")),
        },
        "numeric" => {
            if reader.next()? != Token::StartArray {
                return Err(reader.refuse("Value of numeric must be an array."));
            }
            let condition = numeric(reader)?;
            return end(reader, TOO_MANY).map(|()| condition);
        }
        "anything-but" => return anything_but(reader, operators),
        other => return Err(reader.refuse(&format!("Unrecognized match type {other}"))),
    };
    end(reader, ONE_KEY).map(|()| condition)
}

fn end(reader: &mut Reader<'_>, otherwise: &str) -> Result<(), String> {
    if reader.next()? == Token::EndObject { Ok(()) } else { Err(reader.refuse(otherwise)) }
}

fn text(reader: &mut Reader<'_>, otherwise: &str) -> Result<String, String> {
    if reader.next()? != Token::Text {
        return Err(reader.refuse(otherwise));
    }
    Ok(reader.text()?.to_owned())
}

fn affix(reader: &mut Reader<'_>, operator: &str, all: bool) -> Result<Condition, String> {
    let token = reader.next()?;
    if token == Token::StartObject && all {
        if reader.next()? != Token::Name {
            let operator = if operator == "prefix" { "Prefix" } else { "Suffix" };
            return Err(reader.refuse(&format!("{operator} expression name not found")));
        }
        if reader.name() != "equals-ignore-case" {
            return Err(reader.refuse(&format!("Unsupported {operator} pattern: {}", reader.name())));
        }
        let text = text(reader, "equals-ignore-case match pattern must be a string")?.to_lowercase();
        end(reader, ONE_KEY)?;
        end(reader, ONE_KEY)?;
        return Ok(if operator == "prefix" {
            Condition::PrefixIgnoreCase(text)
        } else {
            Condition::SuffixIgnoreCase(text)
        });
    }
    if token != Token::Text {
        return Err(reader.refuse(&format!("{operator} match pattern must be a string")));
    }
    let text = reader.text()?.to_owned();
    end(reader, ONE_KEY)?;
    Ok(if operator == "prefix" { Condition::Prefix(text) } else { Condition::Suffix(text) })
}

/// Reads the members of a `numeric` list.
fn numeric(reader: &mut Reader<'_>) -> Result<Condition, String> {
    if reader.next()? != Token::Text {
        let member = reader.text()?.to_owned();
        return Err(reader.refuse(&format!("Invalid member in numeric match: {member}")));
    }
    let operator = reader.text()?.to_owned();
    let token = reader.next()?;
    let named = match operator.as_str() {
        "=" => "equals",
        "<" | "<=" | ">" | ">=" => &operator,
        other => return Err(reader.refuse(&format!("Unrecognized numeric range operator: {other}"))),
    };
    if token != Token::Number {
        return Err(reader.refuse(&format!("Value of {named} must be numeric")));
    }
    let value = reader.text()?.to_owned();
    let token = reader.next()?;
    let comparable =
        |reader: &Reader<'_>, text: &str| number::millionths(text).ok_or_else(|| reader.refuse(OUT_OF_RANGE));
    match operator.as_str() {
        ">" | ">=" => {
            let open = operator == ">";
            if token == Token::EndArray {
                return range(reader, comparable(reader, &value)?, open, Number::LARGEST, false);
            }
            let (top, open_top) = upper_end(reader, token)?;
            range(reader, comparable(reader, &value)?, open, comparable(reader, &top)?, open_top)
        }
        _ if token != Token::EndArray => Err(reader.refuse(TOO_MANY)),
        "=" => Ok(Condition::Number(Number::Comparable(comparable(reader, &value)?))),
        _ => range(reader, Number::SMALLEST, false, comparable(reader, &value)?, operator == "<"),
    }
}

/// Reads the second operator and number of a range, and returns the number and whether it is excluded.
fn upper_end(reader: &mut Reader<'_>, token: Token) -> Result<(String, bool), String> {
    let operator = reader.text()?.to_owned();
    if token != Token::Text {
        return Err(reader.refuse(&format!("Bad value in numeric range: {operator}")));
    }
    if operator != "<" && operator != "<=" {
        return Err(reader.refuse(&format!("Bad numeric range operator: {operator}")));
    }
    if reader.next()? != Token::Number {
        return Err(reader.refuse(&format!("Value of {operator} must be numeric")));
    }
    let top = reader.text()?.to_owned();
    if reader.next()? != Token::EndArray {
        return Err(reader.refuse("Too many terms in numeric range expression"));
    }
    Ok((top, operator == "<"))
}

fn range(
    reader: &Reader<'_>,
    bottom: i64,
    open_bottom: bool,
    top: i64,
    open_top: bool,
) -> Result<Condition, String> {
    if bottom >= top {
        return Err(reader.refuse("Bottom must be less than top"));
    }
    Ok(Condition::Range(bottom + i64::from(open_bottom), top - i64::from(open_top)))
}

/// What `anything-but` excludes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excluded {
    Values,
    IgnoreCase,
    Prefix,
    Suffix,
    Wildcard,
}

fn anything_but(reader: &mut Reader<'_>, operators: Operators) -> Result<Condition, String> {
    let mut token = reader.next()?;
    let mut excluded = Excluded::Values;
    if token == Token::StartObject {
        if reader.next()? != Token::Name {
            return Err(reader.refuse("Anything-But expression name not found"));
        }
        excluded = match reader.name() {
            "prefix" => Excluded::Prefix,
            "suffix" if operators == Operators::All => Excluded::Suffix,
            "equals-ignore-case" if operators == Operators::All => Excluded::IgnoreCase,
            "wildcard" if operators == Operators::All => Excluded::Wildcard,
            other => return Err(reader.refuse(&format!("Unsupported anything-but pattern: {other}"))),
        };
        token = reader.next()?;
        if operators == Operators::Sns && token != Token::Text {
            return Err(reader.refuse("prefix match pattern must be a string"));
        }
    }
    let conditions = match token {
        Token::StartArray => {
            // AWS catches what was wrong with a member and adds the position a second time.
            let members = members(reader, excluded).map_err(|reason| reader.refuse(&reason))?;
            check_members(reader, excluded, members)?
        }
        Token::Text | Token::Number => {
            let member = member(reader, excluded, token)?;
            check_members(reader, excluded, vec![member])?
        }
        _ => {
            return Err(
                reader.refuse("Value of anything-but must be an array or single string/number value.")
            );
        }
    };
    end(reader, TOO_MANY)?;
    if excluded != Excluded::Values {
        end(reader, TOO_MANY)?;
    }
    Ok(Condition::AnythingBut(conditions))
}

enum Member {
    Text(String),
    Number(Number),
}

fn members(reader: &mut Reader<'_>, excluded: Excluded) -> Result<Vec<Member>, String> {
    let mut members = Vec::new();
    loop {
        match reader.next()? {
            Token::EndArray => return Ok(members),
            token => members.push(member(reader, excluded, token)?),
        }
    }
}

fn member(reader: &mut Reader<'_>, excluded: Excluded, token: Token) -> Result<Member, String> {
    match token {
        Token::Text => {
            let text = reader.text()?.to_owned();
            if text.is_empty() && matches!(excluded, Excluded::Prefix | Excluded::Suffix) {
                return Err(reader.refuse("Null prefix/suffix not allowed"));
            }
            Ok(Member::Text(text))
        }
        Token::Number if excluded == Excluded::Values => match Number::read(reader.text()?) {
            number @ Number::Comparable(_) => Ok(Member::Number(number)),
            Number::Other(_) => Err(OUT_OF_RANGE.to_owned()),
        },
        _ => Err(reader.refuse(match excluded {
            Excluded::Values => "Inside anything but list, start|null|boolean is not supported.",
            Excluded::IgnoreCase => {
                "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
            }
            Excluded::Wildcard => "wildcard match pattern must be a string",
            Excluded::Prefix | Excluded::Suffix => "prefix/suffix match pattern must be a string",
        })),
    }
}

fn check_members(
    reader: &Reader<'_>,
    excluded: Excluded,
    members: Vec<Member>,
) -> Result<Vec<Condition>, String> {
    let texts = members.iter().filter(|member| matches!(member, Member::Text(_))).count();
    let mixed = texts > 0 && texts < members.len();
    if excluded == Excluded::Values && (mixed || members.is_empty()) {
        return Err(reader.refuse(
            "Inside anything but list, either all values are number or string, mixed type is not supported",
        ));
    }
    members
        .into_iter()
        .map(|member| match (excluded, member) {
            (_, Member::Number(number)) => Ok(Condition::Number(number)),
            (Excluded::Values, Member::Text(text)) => Ok(Condition::Text(text, None)),
            (Excluded::IgnoreCase, Member::Text(text)) => Ok(Condition::IgnoreCase(text.to_lowercase())),
            (Excluded::Prefix, Member::Text(text)) => Ok(Condition::Prefix(text)),
            (Excluded::Suffix, Member::Text(text)) => Ok(Condition::Suffix(text)),
            (Excluded::Wildcard, Member::Text(text)) => {
                Wildcard::read(&text).map(Condition::Wildcard).map_err(|reason| reader.refuse(&reason))
            }
        })
        .collect()
}
