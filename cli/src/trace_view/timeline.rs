//! A trace as a picture: the same tree as in the terminal, with bars over a time axis.

use std::fmt::Write as _;

use super::sheet::{Entry, Mark, Sheet};
use crate::span_of_time::short;
use crate::svg::{Escaped, document, shortened};

/// Columns, in pixels: the tree, the bars, and what is remarked on a row.
const TREE: f64 = 400.0;
const BARS: f64 = 520.0;
const NOTES: f64 = 250.0;
const MARGIN: f64 = 14.0;
/// How far a child is indented, and how many levels are.
const INDENT: f64 = 13.0;
const DEEPEST: usize = 12;
/// Rows, and the first of them.
const ROW: f64 = 21.0;
const TOP: f64 = 74.0;
const BAR_HEIGHT: f64 = 11.0;
/// The shortest bar.
const SHORTEST: f64 = 2.0;
/// The width of a character, to cut texts by.
const CHARACTER: f64 = 6.1;
/// The most marks on the time axis.
const TICKS: f64 = 6.0;
/// The longest line of annotations, in characters.
const LONGEST: usize = 185;

impl Sheet {
    /// Draws the picture.
    pub(super) fn timeline(&self) -> String {
        let mut drawing = Drawing { sheet: self, text: String::new(), parents: Vec::new() };
        drawing.heading();
        drawing.axis();
        for (entry, row) in self.entries.iter().zip(0_u32..) {
            drawing.row(entry, f64::from(row));
        }
        let mut y = y_of_row(f64::from(u32::try_from(self.entries.len()).unwrap_or(u32::MAX)));
        for problem in &self.problems {
            drawing.write("dim", MARGIN, y, "start", &format!("! {problem}"));
            y += ROW;
        }
        let width = TREE + BARS + NOTES + 2.0 * MARGIN;
        document(width, y, &format!("trace {}", self.id), &drawing.text)
    }
}

struct Drawing<'a> {
    sheet: &'a Sheet,
    text: String,
    /// The entries above the current one in the tree, with their rows.
    parents: Vec<(&'a Entry, f64)>,
}

impl<'a> Drawing<'a> {
    fn heading(&mut self) {
        let sheet = self.sheet;
        let plural = if sheet.count == 1 { "segment" } else { "segments" };
        let title =
            format!("trace {} · {} · {} {plural}", sheet.id, short(sheet.end - sheet.start), sheet.count);
        self.write("strong", MARGIN, 20.0, "start", &title);
        let annotations: Vec<String> =
            sheet.annotations.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.write("dim", MARGIN, 38.0, "start", &shortened(&annotations.join(" · "), LONGEST));
    }

    /// Draws the time axis, with marks at round times.
    fn axis(&mut self) {
        let total = self.total();
        let step = round_step(total / TICKS);
        let bottom = TOP + ROW * f64::from(u32::try_from(self.sheet.entries.len()).unwrap_or(u32::MAX));
        let mut at = 0.0;
        while at <= total {
            let x = self.x(self.sheet.start + at);
            self.element(&format!("<path class=\"grid\" d=\"M{x:.1} {:.1}V{bottom:.1}\"/>", TOP - 6.0));
            let label = if at > 0.0 { short(at) } else { "0".to_owned() };
            self.write("small dim", x, TOP - 11.0, "middle", &label);
            at += step;
        }
    }

    fn row(&mut self, entry: &'a Entry, row: f64) {
        self.parents.truncate(entry.depth);
        let parent = self.parents.last().copied();
        let y = y_of_row(row);
        self.element(&format!(
            "<g><title>{}</title>",
            Escaped(&title(entry, parent.map(|(parent, _)| parent)))
        ));
        if let Some((_, above)) = parent {
            let x = indent(entry.depth - 1) + 4.0;
            let way = format!("M{x:.1} {:.1}V{:.1}h6", y_of_row(above) + 7.0, y - 4.0);
            self.element(&format!("<path class=\"line\" d=\"{way}\"/>"));
        }
        self.label(entry, y);
        if let Some((parent, above)) = parent.filter(|(parent, _)| delivery(entry, parent).is_some()) {
            self.delivery(entry, parent, y, y_of_row(above));
        }
        self.bar(entry, y);
        let note = note(entry, parent.map(|(parent, _)| parent));
        let longest = characters(NOTES - 8.0);
        self.write(
            "small dim",
            TREE + BARS + MARGIN + 8.0,
            y,
            "start",
            &shortened(&note, longest + longest / 5),
        );
        self.element("</g>");
        self.parents.push((entry, row));
    }

    /// Writes the name and, if there is room, the operation.
    fn label(&mut self, entry: &Entry, y: f64) {
        let x = indent(entry.depth) + if entry.depth > 0 { 8.0 } else { 0.0 };
        let room = characters(TREE - x - 6.0);
        let name = shortened(&entry.name, room);
        let left = room.saturating_sub(name.chars().count() + 2);
        let operation = if left > 6 { shortened(&entry.operation, left) } else { String::new() };
        let class = if entry.segment { "strong" } else { "" };
        self.element(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\"><tspan class=\"{class}\">{}</tspan><tspan class=\"dim\" dx=\"7\">{}</tspan></text>",
            Escaped(&name),
            Escaped(&operation)
        ));
    }

    fn bar(&mut self, entry: &Entry, y: f64) {
        let x = self.x(entry.start);
        let end = self.x(entry.end.unwrap_or(self.sheet.end));
        let state = match &entry.mark {
            Some(Mark::Fault(_)) => " fault",
            Some(Mark::Error(_)) => " error",
            Some(Mark::Throttle(_)) => " throttle",
            Some(Mark::NeverFinished(_)) | None => "",
        };
        let call = if entry.segment { "" } else { " call" };
        let open = if entry.end.is_none() { " open" } else { "" };
        let (inset, height) = if entry.segment { (9.5, BAR_HEIGHT) } else { (7.5, BAR_HEIGHT - 4.0) };
        self.element(&format!(
            "<rect class=\"bar{call}{state}{open}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height}\" rx=\"1.5\"/>",
            y - inset,
            (end - x).max(SHORTEST)
        ));
    }

    /// Draws the way of a message: from the end of the call that sent it to the start of the segment that received it.
    fn delivery(&mut self, entry: &Entry, parent: &Entry, y: f64, above: f64) {
        let sent = self.x(parent.end.unwrap_or(parent.start));
        let received = self.x(entry.start);
        let way = format!("M{sent:.1} {:.1}V{:.1}H{received:.1}", above - 2.0, y - 4.0);
        self.element(&format!("<path class=\"line dashed\" d=\"{way}\"/>"));
    }

    fn total(&self) -> f64 {
        (self.sheet.end - self.sheet.start).max(1e-6)
    }

    fn x(&self, at: f64) -> f64 {
        TREE + MARGIN + ((at - self.sheet.start) / self.total()).clamp(0.0, 1.0) * (BARS - SHORTEST)
    }

    fn write(&mut self, class: &str, x: f64, y: f64, anchor: &str, content: &str) {
        let content = Escaped(content);
        let line = format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>"
        );
        self.element(&line);
    }

    fn element(&mut self, element: &str) {
        writeln!(self.text, "{element}").unwrap_or_default();
    }
}

/// Returns how long a message was under way, if the entry received one: it began after what it belongs to had ended.
fn delivery(entry: &Entry, parent: &Entry) -> Option<f64> {
    let age = entry.start - parent.end?;
    (entry.segment && age >= 0.0).then_some(age)
}

fn title(entry: &Entry, parent: Option<&Entry>) -> String {
    let duration = entry.end.map_or_else(|| "in progress".to_owned(), |end| short(end - entry.start));
    let parts = [entry.name.clone(), entry.operation.clone(), duration, note(entry, parent)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Returns how an entry was delivered, how it ended, and which traces it refers to.
fn note(entry: &Entry, parent: Option<&Entry>) -> String {
    let age = parent.and_then(|parent| delivery(entry, parent));
    let mark = entry.mark.as_ref().map(|mark| match mark {
        Mark::Fault(reason) => named("fault", reason),
        Mark::Throttle(reason) => named("throttled", reason),
        Mark::Error(reason) => named("error", reason),
        Mark::NeverFinished(attempt) => format!("attempt {attempt}, never finished"),
    });
    let parts = [age.map(|age| format!("⇢ received after {}", short(age))), entry.note.clone(), mark];
    let links = entry.links.iter().map(|link| format!("↗ {link}"));
    parts.into_iter().flatten().chain(links).collect::<Vec<_>>().join(" · ")
}

fn named(what: &str, reason: &str) -> String {
    if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") }
}

fn y_of_row(row: f64) -> f64 {
    TOP + 14.0 + row * ROW
}

fn indent(depth: usize) -> f64 {
    let depth = u32::try_from(depth.min(DEEPEST)).unwrap_or_default();
    MARGIN + f64::from(depth) * INDENT
}

/// Returns how many characters fit into a width.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
fn characters(width: f64) -> usize {
    (width.max(0.0) / CHARACTER) as usize
}

/// Returns the next larger of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|step| step * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::assert_well_formed;

    fn entry(depth: usize, name: &str, start: f64, end: f64, segment: bool) -> Entry {
        Entry {
            name: name.to_owned(),
            operation: "operation & <more>".to_owned(),
            start,
            end: Some(end),
            note: None,
            mark: None,
            depth,
            segment,
            links: Vec::new(),
        }
    }

    fn sheet() -> Sheet {
        let entries = vec![
            entry(0, "ingest", 100.0, 100.012, true),
            entry(1, "EventBridge", 100.001, 100.009, false),
            Entry {
                mark: Some(Mark::Fault("table is \"gone\"".to_owned())),
                links: vec!["1-5759e988-bd862e3fe1be46a994272794".to_owned()],
                ..entry(2, "membership", 100.052, 100.1, true)
            },
            Entry { end: None, ..entry(3, "DynamoDB", 100.06, 0.0, false) },
            entry(1, "within", 100.002, 100.003, true),
        ];
        Sheet {
            id: "1-5759e988-bd862e3fe1be46a994272793".to_owned(),
            start: 100.0,
            end: 100.2,
            count: 5,
            annotations: vec![("event_type".to_owned(), "<b>".to_owned())],
            entries,
            problems: vec!["a problem".to_owned()],
        }
    }

    #[test]
    fn every_entry_has_a_bar() {
        let drawn = sheet().timeline();
        assert_well_formed(&drawn);
        assert_eq!(drawn.matches("<rect class=\"bar").count(), 5);
        assert!(drawn.contains("<rect class=\"bar fault\""), "{drawn}");
        assert!(drawn.contains("<rect class=\"bar call open\""), "{drawn}");
        assert!(drawn.contains("! a problem") && drawn.contains("event_type=&lt;b&gt;"), "{drawn}");
        assert!(!drawn.contains("NaN"));
    }

    #[test]
    fn a_delivery_is_told_from_a_call() {
        let drawn = sheet().timeline();
        assert_eq!(drawn.matches("class=\"line dashed\"").count(), 1, "one message was received");
        let note = "⇢ received after 43 ms · fault: table is &quot;gone&quot; · ↗ 1-5759e988-bd862e3fe1be46a994272794";
        assert!(drawn.contains(note), "{drawn}");
    }

    #[test]
    fn an_empty_trace_and_one_without_duration_can_be_drawn() {
        let mut nothing = sheet();
        nothing.entries.clear();
        assert_well_formed(&nothing.timeline());
        let mut moment = sheet();
        moment.end = moment.start;
        assert!(!moment.timeline().contains("NaN"));
    }

    #[test]
    fn steps_are_round() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(
            near(round_step(0.03), 0.05) && near(round_step(0.000_7), 0.001) && near(round_step(15.0), 20.0)
        );
    }
}
