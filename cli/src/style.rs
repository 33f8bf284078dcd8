//! Colour and width, if the output is a terminal.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use service_runtime::Environment;

/// Whether to use colour, and how wide a line may be. Passed to every renderer, so that none inspects the process itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
    /// Columns; any number if the output is no terminal.
    width: Option<usize>,
}

/// The characters that control the direction of text (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>).
const BIDIRECTIONAL: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// One of the sixteen colours of every terminal, so that the user's theme applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }

    /// Returns the colour for a name: always the same one.
    pub(crate) fn of_name(name: &str) -> Self {
        const WHEEL: [Colour; 5] =
            [Colour::Cyan, Colour::Magenta, Colour::Green, Colour::Blue, Colour::Yellow];
        // FNV-1a: small, and spreads short names well
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        WHEEL[hash as usize % WHEEL.len()]
    }
}

impl Style {
    /// No colour.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { colour: false, width: None };
    /// Always colour.
    #[cfg(test)]
    pub(crate) const COLOUR: Self = Self { colour: true, width: None };

    /// Uses colour if `stream` is a terminal, `NO_COLOR` is unset or empty (<https://no-color.org>) and `TERM` is not
    /// `dumb`.
    pub(crate) fn for_stream(stream: &(impl IsTerminal + AsFd), environment: &Environment) -> Self {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment.get("TERM") == Some("dumb");
        let size = terminal_size::terminal_size_of(stream);
        Self {
            colour: stream.is_terminal() && !refused && !dumb,
            width: size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0),
        }
    }

    /// Returns this style for lines of at most `width` columns.
    #[cfg(test)]
    pub(crate) fn within(self, width: usize) -> Self {
        Self { width: Some(width), ..self }
    }

    /// Returns how many columns a line may have.
    pub(crate) fn width(self) -> usize {
        self.width.unwrap_or(usize::MAX)
    }

    /// Joins parts by `gap`. A part that does not fit begins another line, after `indent`.
    pub(crate) fn flow(self, parts: impl IntoIterator<Item = String>, gap: &str, indent: &str) -> String {
        let mut flow = self.flowing(gap, indent);
        for part in parts {
            flow.part(|text| text.push_str(&part));
        }
        flow.finish()
    }

    /// Begins a text of parts that are joined so.
    pub(crate) fn flowing<'a>(self, gap: &'a str, indent: &'a str) -> Flow<'a> {
        Flow { gap, indent, width: self.width, text: String::new(), column: 0 }
    }

    /// Appends what `write` writes in `colour`.
    pub(crate) fn painted(self, colour: Colour, text: &mut String, write: impl FnOnce(&mut String)) {
        let before = text.len();
        if !self.colour {
            return write(text);
        }
        text.extend(["\u{1b}[", colour.code(), "m"]);
        let begun = text.len();
        write(text);
        if text.len() == begun {
            text.truncate(before);
        } else {
            text.push_str("\u{1b}[0m");
        }
    }

    /// Returns `text` in `colour`, or unchanged.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        let mut painted = String::with_capacity(text.len() + 9);
        self.painted(colour, &mut painted, |out| out.push_str(text));
        painted
    }
}

/// A text that is written part by part.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    gap: &'a str,
    indent: &'a str,
    /// Columns of a line; any number if there is none.
    width: Option<usize>,
    text: String,
    /// Columns of the last line.
    column: usize,
}

impl Flow<'_> {
    /// Appends what `write` writes, after the gap if it fits into the line, or else in another line.
    pub(crate) fn part(&mut self, write: impl FnOnce(&mut String)) {
        let end = self.text.len();
        if end > 0 {
            self.text.push_str(self.gap);
        }
        let begin = self.text.len();
        write(&mut self.text);
        let Some(width) = self.width else { return };
        let length = columns(&self.text[begin..]);
        let column = if end > 0 { self.column + self.gap.len() + length } else { length };
        if end == 0 || column <= width {
            self.column = column;
        } else {
            self.text.replace_range(end..begin, self.indent);
            self.text.insert(end, '\n');
            self.column = self.indent.len() + length;
        }
    }

    /// Returns the text.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Returns the columns that a text takes, without its colours.
fn columns(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().chars().count();
    first
        + parts.map(|part| part.split_once('m').map_or("", |(_, shown)| shown).chars().count()).sum::<usize>()
}

/// Replaces what could move the cursor, recolour the reader's terminal or reorder its text: a tab becomes a space, a line
/// break `⏎`, any other control character and those for bidirectional text `�`.
pub(crate) fn printable(text: &str) -> String {
    as_printable(text).into_owned()
}

/// Does the same as [`printable`], and copies only what it changes.
pub(crate) fn as_printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\n' => '⏎',
            c if c.is_control() || BIDIRECTIONAL.contains(&c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_when_asked() {
        assert_eq!(Style::PLAIN.paint(Colour::Red, "fault"), "fault");
        assert_eq!(Style::COLOUR.paint(Colour::Red, "fault"), "\u{1b}[31mfault\u{1b}[0m");
        assert_eq!(Style::COLOUR.paint(Colour::Red, ""), "");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\nd"), "a\u{fffd}[2Jb c⏎d");
    }

    #[test]
    fn text_cannot_be_reordered() {
        assert_eq!(printable("a\u{202e}b\u{2066}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn parts_flow_into_lines_of_the_width() {
        let parts = || ["one", "two", "three"].map(|part| Style::COLOUR.paint(Colour::Red, part));
        let flow = |width| {
            let text = Style::COLOUR.within(width).flow(parts(), " ", "  ");
            text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "")
        };
        assert_eq!(flow(80), "one two three");
        assert_eq!(flow(12), "one two\n  three");
        assert_eq!(flow(3), "one\n  two\n  three");
    }

    #[test]
    fn names_keep_their_colour() {
        assert_eq!(Colour::of_name("ingest"), Colour::of_name("ingest"));
    }
}
