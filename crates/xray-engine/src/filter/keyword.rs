//! The keywords, and where each of them applies.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>, of which the guide does not say
//! where `name`, `type` and `message` apply outside braces: they are then those of the entry point.

use std::fmt;

/// The longest misspelling for which a keyword is suggested, in edits.
const NEAR: usize = 2;

/// What is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Traces: outside all braces.
    Trace,
    /// The segments of a service: `service() { … }`.
    Service,
    /// The calls between two services: `edge() { … }`.
    Edge,
    /// A service of a root cause: `rootcause.fault.service { … }`.
    CauseService,
    /// An entity, which is a segment or subsegment, of a root cause.
    CauseEntity,
    /// An entity of a slow response, which alone has a coverage.
    SlowEntity,
    /// An exception of a root cause.
    CauseException,
}

impl Scope {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trace => "a trace",
            Self::Service => "a service",
            Self::Edge => "an edge",
            Self::CauseService => "a service of a root cause",
            Self::CauseEntity => "an entity of a root cause",
            Self::SlowEntity => "an entity of a slow response",
            Self::CauseException => "an exception of a root cause",
        }
    }
}

/// A keyword that is true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The response was a success.
    Ok,
    /// The response was a client error, 4xx.
    Error,
    /// The response was a client error because of throttling, 429.
    Throttle,
    /// The response was a server error, 5xx.
    Fault,
    /// Some segment is still in progress.
    Partial,
    /// A service sent no segment, and is known by the calls of others only.
    Inferred,
    /// The service is the entry point of the trace.
    Root,
    /// The first of a root cause's services, entities or exceptions.
    First,
    /// The last of a root cause's services, entities or exceptions.
    Last,
    /// The entity is the call of another service.
    Remote,
}

/// A keyword whose value is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// How long the response took, in seconds.
    ResponseTime,
    /// How long everything took, in seconds.
    Duration,
    /// The status code of the response.
    HttpStatus,
    /// The position among a root cause's services, entities or exceptions, from 0.
    Index,
    /// The share of the entity in the response time of the root segment, from 0 to 1.
    Coverage,
}

/// A keyword whose value is a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The URL of the request.
    HttpUrl,
    /// The method of the request.
    HttpMethod,
    /// The user agent of the request.
    HttpUserAgent,
    /// The address of the client.
    HttpClientIp,
    /// Who sent the request.
    User,
    /// The name of a service, an entity or an exception.
    Name,
    /// The type of a service.
    Type,
    /// The message of an exception.
    Message,
    /// The availability zone.
    AvailabilityZone,
    /// The id of the instance.
    InstanceId,
    /// The ARN of the resource.
    ResourceArn,
    /// The account of a service.
    AccountId,
}

/// A keyword with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Flag(Flag),
    Number(Number),
    Text(Text),
}

const FLAGS: [(Flag, &str); 10] = [
    (Flag::Ok, "ok"),
    (Flag::Error, "error"),
    (Flag::Throttle, "throttle"),
    (Flag::Fault, "fault"),
    (Flag::Partial, "partial"),
    (Flag::Inferred, "inferred"),
    (Flag::Root, "root"),
    (Flag::First, "first"),
    (Flag::Last, "last"),
    (Flag::Remote, "remote"),
];

const NUMBERS: [(Number, &str); 5] = [
    (Number::ResponseTime, "responsetime"),
    (Number::Duration, "duration"),
    (Number::HttpStatus, "http.status"),
    (Number::Index, "index"),
    (Number::Coverage, "coverage"),
];

const TEXTS: [(Text, &str); 12] = [
    (Text::HttpUrl, "http.url"),
    (Text::HttpMethod, "http.method"),
    (Text::HttpUserAgent, "http.useragent"),
    (Text::HttpClientIp, "http.clientip"),
    (Text::User, "user"),
    (Text::Name, "name"),
    (Text::Type, "type"),
    (Text::Message, "message"),
    (Text::AvailabilityZone, "availabilityzone"),
    (Text::InstanceId, "instance.id"),
    (Text::ResourceArn, "resource.arn"),
    (Text::AccountId, "account.id"),
];

/// Keywords that are more than a value.
pub(super) const COMPLEX: [&str; 15] = [
    "annotation",
    "service",
    "edge",
    "group.name",
    "group.arn",
    "rootcause.json",
    "rootcause.fault.service",
    "rootcause.fault.entity",
    "rootcause.fault.exception",
    "rootcause.error.service",
    "rootcause.error.entity",
    "rootcause.error.exception",
    "rootcause.responsetime.service",
    "rootcause.responsetime.entity",
    "json",
];

fn name_of<T: PartialEq + Copy>(table: &[(T, &'static str)], wanted: T) -> &'static str {
    table.iter().find(|(keyword, _)| *keyword == wanted).map_or("", |(_, name)| name)
}

impl Keyword {
    /// Reads a keyword without regard to case.
    pub(super) fn read(word: &str) -> Option<Self> {
        fn find<T: Copy>(table: &[(T, &str)], word: &str) -> Option<T> {
            table.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(keyword, _)| *keyword)
        }
        find(&FLAGS, word)
            .map(Self::Flag)
            .or_else(|| find(&NUMBERS, word).map(Self::Number))
            .or_else(|| find(&TEXTS, word).map(Self::Text))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flag(flag) => name_of(&FLAGS, flag),
            Self::Number(number) => name_of(&NUMBERS, number),
            Self::Text(text) => name_of(&TEXTS, text),
        }
    }

    /// Whether the keyword says something about what is filtered.
    pub(super) fn applies_to(self, scope: Scope) -> bool {
        use Scope::{CauseException, CauseService, SlowEntity};
        let of_cause = !matches!(scope, Scope::Trace | Scope::Service | Scope::Edge);
        match self {
            Self::Flag(Flag::First | Flag::Last) | Self::Number(Number::Index) => of_cause,
            Self::Flag(Flag::Remote) => matches!(scope, Scope::CauseEntity | SlowEntity),
            Self::Flag(Flag::Inferred) => scope != CauseException,
            Self::Flag(Flag::Root) => matches!(scope, Scope::Trace | Scope::Service),
            Self::Number(Number::Coverage) => scope == SlowEntity,
            Self::Text(Text::Name) => true,
            Self::Text(Text::Message) => scope == CauseException || !of_cause,
            Self::Text(Text::Type | Text::AccountId) => scope == CauseService || !of_cause,
            Self::Flag(_) | Self::Number(_) | Self::Text(_) => !of_cause,
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&FLAGS, *self))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&NUMBERS, *self))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&TEXTS, *self))
    }
}

/// Returns the keywords that apply to what is filtered. Those for annotations have a key, and are not among them.
pub(super) fn applying_to(scope: Scope) -> impl Iterator<Item = &'static str> {
    let flags = FLAGS.iter().map(|(flag, name)| (Keyword::Flag(*flag), *name));
    let numbers = NUMBERS.iter().map(|(number, name)| (Keyword::Number(*number), *name));
    let texts = TEXTS.iter().map(|(text, name)| (Keyword::Text(*text), *name));
    let simple = flags.chain(numbers).chain(texts).filter(move |(keyword, _)| keyword.applies_to(scope));
    let complex = COMPLEX
        .into_iter()
        .filter(move |name| scope == Scope::Trace && !["annotation", "json"].contains(name));
    simple.map(|(_, name)| name).chain(complex)
}

/// Returns the words for annotations of what is filtered.
pub(super) fn annotations(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::Trace | Scope::Service => &["annotation"],
        Scope::Edge => &["annotation", "source.annotation", "destination.annotation"],
        Scope::CauseService | Scope::CauseEntity | Scope::SlowEntity | Scope::CauseException => &[],
    }
}

/// Returns every keyword, for suggestions.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let names = FLAGS.iter().map(|(_, name)| *name).chain(NUMBERS.iter().map(|(_, name)| *name));
    names.chain(TEXTS.iter().map(|(_, name)| *name)).chain(COMPLEX)
}

/// Returns the keyword that `word` probably stands for, if one is near.
pub(super) fn near(word: &str) -> Option<&'static str> {
    // The same letters with other dots, or one that is written like a word of another language's client.
    const ALIASES: [(&str, &str); 14] = [
        ("status", "http.status"),
        ("statuscode", "http.status"),
        ("http.status_code", "http.status"),
        ("url", "http.url"),
        ("method", "http.method"),
        ("useragent", "http.useragent"),
        ("http.user_agent", "http.useragent"),
        ("clientip", "http.clientip"),
        ("latency", "responsetime"),
        ("response_time", "responsetime"),
        ("annotations", "annotation"),
        ("group", "group.name"),
        ("groupname", "group.name"),
        ("arn", "resource.arn"),
    ];
    let word = word.to_ascii_lowercase();
    if let Some((_, keyword)) = ALIASES.iter().find(|(alias, _)| *alias == word) {
        return Some(keyword);
    }
    // Of a short word almost everything is near.
    let near = NEAR.min(word.chars().count() / 3);
    let distances = all().map(|keyword| (strsim::damerau_levenshtein(&word, keyword), keyword));
    distances.filter(|(distance, _)| *distance <= near).min().map(|(_, keyword)| keyword)
}
