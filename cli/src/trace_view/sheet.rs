//! A trace as a table of text: a tree of operations with their start, duration and failure.

use crate::style::{Colour, Style, printable};

/// Columns of the bar, if there is room.
const BAR: usize = 30;
/// Longer names and operations are cut.
const LONGEST: usize = 48;
/// The columns left to names, operations and the bar when there is little room.
const NAME_AT_LEAST: usize = 20;
const OPERATION_AT_LEAST: usize = 12;
const BAR_AT_LEAST: usize = 10;
/// The columns of start, duration and the gaps between columns.
const TIMES: usize = 2 + 2 + 8 + 2 + 8 + 2;
/// Deeper entries are drawn at this depth.
const DEEPEST: usize = 40;

/// A trace, ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sheet {
    /// Trace id as X-Ray writes it.
    pub(super) id: String,
    /// Seconds since the epoch at which the trace begins.
    pub(super) start: f64,
    /// Seconds since the epoch at which the last segment ends.
    pub(super) end: f64,
    /// Segments and subsegments.
    pub(super) count: usize,
    /// Annotations of the first segment.
    pub(super) annotations: Vec<(String, String)>,
    /// Its nodes, parents before their children.
    pub(super) entries: Vec<Entry>,
    /// What is wrong with the trace as a whole.
    pub(super) problems: Vec<String>,
}

/// A segment or subsegment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Service, or the node it called.
    pub(super) name: String,
    pub(super) operation: String,
    /// Seconds since the epoch.
    pub(super) start: f64,
    /// Seconds since the epoch; absent while in progress.
    pub(super) end: Option<f64>,
    /// How it ended, in the service's words.
    pub(super) note: Option<String>,
    pub(super) mark: Option<Mark>,
    /// How many parents are above it.
    pub(super) depth: usize,
    /// Whether this is a segment (a service's own work) rather than a call.
    pub(super) segment: bool,
    /// The traces that it refers to.
    pub(super) links: Vec<String>,
}

/// What went wrong, worst first.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// The server's fault (5xx).
    Fault(String),
    /// Too many requests.
    Throttle(String),
    /// The caller's error (4xx).
    Error(String),
    /// The process was killed during this attempt.
    NeverFinished(String),
}

struct Row<'a> {
    branch: String,
    entry: &'a Entry,
}

impl Sheet {
    /// Draws the table; every line ends in a line break.
    pub(super) fn draw(&self, style: Style) -> String {
        let branches = branches(&self.entries);
        let rows: Vec<Row<'_>> =
            branches.into_iter().zip(&self.entries).map(|(branch, entry)| Row { branch, entry }).collect();
        let columns = Columns::for_rows(&rows, style.width());
        let mut text = self.header(style);
        for row in &rows {
            let name = cut(&row.entry.name, columns.name.saturating_sub(row.branch.chars().count()));
            let padding = columns.name.saturating_sub(row.branch.chars().count() + name.chars().count());
            let name =
                if row.entry.segment { style.paint(Colour::of_name(&row.entry.name), &name) } else { name };
            let branch = style.paint(Colour::Dim, &row.branch);
            let duration = row.entry.end.map_or_else(|| "…".to_owned(), |end| span(end - row.entry.start));
            let line = format!(
                "{branch}{name}{:padding$}  {:operation$}  {:>8}  {:>8}  {}",
                "",
                cut(&row.entry.operation, columns.operation),
                span(row.entry.start - self.start),
                duration,
                self.bar(row.entry, columns.bar, style),
                operation = columns.operation,
            );
            let line = style.flow(
                [line].into_iter().chain(note(row.entry)).chain(mark(row.entry, style)),
                "  ",
                "      ",
            );
            // No trailing blanks.
            text.extend(line.lines().flat_map(|line| [line.trim_end(), "\n"]));
        }
        for problem in &self.problems {
            text.push_str(&style.paint(Colour::Yellow, &format!("! {}", printable(problem))));
            text.push('\n');
        }
        text
    }

    fn header(&self, style: Style) -> String {
        let plural = if self.count == 1 { "segment" } else { "segments" };
        let first = [
            format!("{} {}", style.paint(Colour::Bold, "trace"), style.paint(Colour::Bold, &self.id)),
            span(self.end - self.start),
            format!("{} {plural}", self.count),
        ];
        let annotations = self.annotations.iter().map(|(name, value)| {
            format!("{}{}", style.paint(Colour::Dim, &format!("{}=", printable(name))), printable(value))
        });
        let mut header = style.flow(first.into_iter().chain(annotations), "  ", "      ");
        header.push_str("\n\n");
        header
    }

    fn bar(&self, entry: &Entry, columns: usize, style: Style) -> String {
        let total = (self.end - self.start).max(f64::EPSILON);
        // At least one column each, so that short calls stay visible, even at the right edge.
        let column = |at: f64| cell((at - self.start) / total, columns);
        let from = column(entry.start).min(columns - 1);
        let to = column(entry.end.unwrap_or(self.end)).clamp(from + 1, columns);
        let filling = if entry.end.is_some() { "█" } else { "░" };
        let colour = match &entry.mark {
            Some(Mark::Fault(_)) => Colour::Red,
            Some(_) => Colour::Yellow,
            None if entry.segment => Colour::Cyan,
            None => Colour::Blue,
        };
        let filled = style.paint(colour, &filling.repeat(to - from));
        format!("{}{filled}{}", " ".repeat(from), " ".repeat(columns - to))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a fraction between 0 and 1 of a small number of columns"
)]
fn cell(fraction: f64, columns: usize) -> usize {
    (fraction.clamp(0.0, 1.0) * columns as f64).round() as usize
}

/// Returns the branch to draw before each entry's name.
fn branches(entries: &[Entry]) -> Vec<String> {
    // From the end, because whether a level continues below depends on the entries below.
    let mut goes_on: Vec<bool> = Vec::new();
    let mut branches: Vec<String> = entries
        .iter()
        .rev()
        .map(|entry| {
            let depth = entry.depth.min(DEEPEST);
            goes_on.truncate(depth + 1);
            goes_on.resize(depth + 1, false);
            let last = !std::mem::replace(&mut goes_on[depth], true);
            let above: String =
                goes_on.iter().take(depth).skip(1).map(|on| if *on { "│  " } else { "   " }).collect();
            match (depth, last) {
                (0, _) => String::new(),
                (_, true) => format!("{above}└─ "),
                (_, false) => format!("{above}├─ "),
            }
        })
        .collect();
    branches.reverse();
    branches
}

/// How wide the columns are.
struct Columns {
    name: usize,
    operation: usize,
    bar: usize,
}

impl Columns {
    /// Sizes each column to its content; if that exceeds `width`, the bar shrinks first, then operations, then names.
    fn for_rows(rows: &[Row<'_>], width: usize) -> Self {
        let widest = |of: fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let mut columns = Self {
            name: widest(|row| row.branch.chars().count() + cut(&row.entry.name, LONGEST).chars().count()),
            operation: widest(|row| cut(&row.entry.operation, LONGEST).chars().count()),
            bar: BAR,
        };
        let note = widest(|row| note(row.entry).map_or(0, |note| 2 + note.chars().count()));
        let surplus = |columns: &Self| {
            (columns.name + columns.operation + columns.bar + TIMES + note).saturating_sub(width)
        };
        columns.bar = (columns.bar - surplus(&columns).min(columns.bar)).max(BAR_AT_LEAST);
        let least = columns.operation.min(OPERATION_AT_LEAST);
        columns.operation = columns.operation.saturating_sub(surplus(&columns)).max(least);
        let least = columns.name.min(NAME_AT_LEAST);
        columns.name = columns.name.saturating_sub(surplus(&columns)).max(least);
        columns
    }
}

/// Returns the outcome, if the service recorded one.
fn note(entry: &Entry) -> Option<String> {
    entry.note.as_deref().map(printable)
}

/// Returns the failure, if there is one.
fn mark(entry: &Entry, style: Style) -> Option<String> {
    let (colour, word, reason) = match &entry.mark {
        Some(Mark::Fault(reason)) => (Colour::Red, "fault", reason.as_str()),
        Some(Mark::Throttle(reason)) => (Colour::Yellow, "throttled", reason.as_str()),
        Some(Mark::Error(reason)) => (Colour::Yellow, "error", reason.as_str()),
        Some(Mark::NeverFinished(attempt)) => {
            let text = format!("attempt {}, never finished", printable(attempt));
            return Some(style.paint(Colour::Yellow, &text));
        }
        None if entry.end.is_none() => (Colour::Dim, "in progress", ""),
        None => return None,
    };
    let text = if reason.is_empty() { word.to_owned() } else { format!("{word}: {}", printable(reason)) };
    Some(style.paint(colour, &text))
}

/// Formats seconds: in milliseconds below ten seconds.
fn span(seconds: f64) -> String {
    let ms = seconds * 1000.0;
    // Without the decimal if rounding would yield 10.0.
    if ms.abs() < 9.95 {
        format!("{ms:.1} ms")
    } else if ms.abs() < 10_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{seconds:.1} s")
    }
}

/// Returns a text in at most `longest` columns.
fn cut(text: &str, longest: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= longest {
        return text;
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(depth: usize, name: &str, operation: &str, start: f64, end: f64) -> Entry {
        Entry {
            name: name.to_owned(),
            operation: operation.to_owned(),
            start,
            end: Some(end),
            note: None,
            mark: None,
            depth,
            segment: false,
            links: Vec::new(),
        }
    }

    fn sheet() -> Sheet {
        let entries = vec![
            Entry { segment: true, ..call(0, "ingest", "POST /v1/events", 100.0, 100.012) },
            call(1, "EventBridge", "PutEvents", 100.001, 100.009_5),
            Entry {
                segment: true,
                mark: Some(Mark::Fault("table is gone".to_owned())),
                ..call(2, "membership", "process foostore-local-membership", 100.052, 100.100)
            },
            call(3, "DynamoDB", "TransactWriteItems", 100.055, 100.090),
            Entry {
                end: None,
                note: Some("retry, attempt 2".to_owned()),
                segment: true,
                ..call(3, "email", "process foostore-local-email", 100.168, 0.0)
            },
            Entry {
                mark: Some(Mark::Throttle("Too many\nrequests".to_owned())),
                ..call(4, "SES", "SendEmail", 100.180, 100.192)
            },
        ];
        Sheet {
            id: "1-5759e988-bd862e3fe1be46a994272793".to_owned(),
            start: 100.0,
            end: 100.2,
            count: 6,
            annotations: vec![("event_type".to_owned(), "CustomerEnrolled".to_owned())],
            entries,
            problems: vec!["segment 53995c3f42cd8ad8 has a parent that is not in the trace".to_owned()],
        }
    }

    const DRAWN: &str = "\
trace 1-5759e988-bd862e3fe1be46a994272793  200 ms  6 segments  event_type=CustomerEnrolled

ingest             POST /v1/events                      0.0 ms     12 ms  ██
└─ EventBridge     PutEvents                            1.0 ms    8.5 ms  █
   └─ membership   process foostore-local-membership     52 ms     48 ms          ███████                 fault: table is gone
      ├─ DynamoDB  TransactWriteItems                    55 ms     35 ms          ██████
      └─ email     process foostore-local-email         168 ms         …                           ░░░░░  retry, attempt 2  in progress
         └─ SES    SendEmail                            180 ms     12 ms                             ██   throttled: Too many⏎requests
! segment 53995c3f42cd8ad8 has a parent that is not in the trace
";

    #[test]
    fn draws_a_tree_with_times_bars_and_marks() {
        let drawn = sheet().draw(Style::PLAIN);
        assert_eq!(drawn, DRAWN, "\n{drawn}");
    }

    #[test]
    fn a_narrow_terminal_is_enough() {
        for width in [80, 66] {
            let drawn = sheet().draw(Style::PLAIN.within(width));
            // A problem is a sentence, which the terminal may break.
            let mut lines = drawn.lines().filter(|line| !line.starts_with('!'));
            assert!(lines.all(|line| line.chars().count() <= width), "{width}\n{drawn}");
            assert!(drawn.contains("\n      fault: table is gone\n"), "{drawn}");
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = sheet().draw(Style::COLOUR);
        assert!(coloured.contains("\u{1b}[31mfault: table is gone\u{1b}[0m"), "{coloured}");
        let mut plain = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, after)| after);
        }
        plain.push_str(rest);
        let drawn: Vec<&str> = plain.lines().map(str::trim_end).collect();
        assert_eq!(drawn, DRAWN.lines().collect::<Vec<_>>());
    }

    #[test]
    fn branches_join_siblings_over_what_is_between_them() {
        let entries: Vec<Entry> = [0, 1, 2, 2, 1, 2, 0].map(|depth| call(depth, "n", "", 0.0, 0.0)).into();
        assert_eq!(branches(&entries), ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ ", ""]);
    }

    #[test]
    fn long_names_are_cut_and_spans_change_their_unit() {
        assert_eq!(cut(&"x".repeat(60), LONGEST).chars().count(), LONGEST);
        assert_eq!([span(0.000_25), span(0.25), span(12.34)], ["0.2 ms", "250 ms", "12.3 s"]);
    }
}
