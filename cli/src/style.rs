//! Colour, if the output is a terminal and colour is not disabled.

use std::io::IsTerminal;

use service_runtime::Environment;

/// Whether to use colour. Passed to every renderer, so that none inspects the process itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
}

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
    pub(crate) const PLAIN: Self = Self { colour: false };
    /// Always colour.
    #[cfg(test)]
    pub(crate) const COLOUR: Self = Self { colour: true };

    /// Uses colour if `stream` is a terminal, `NO_COLOR` is unset or empty (<https://no-color.org>) and `TERM` is not
    /// `dumb`.
    pub(crate) fn for_stream(stream: &impl IsTerminal, environment: &Environment) -> Self {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = environment.get("TERM") == Some("dumb");
        Self { colour: stream.is_terminal() && !refused && !dumb }
    }

    /// Returns `text` in `colour`, or unchanged.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour.code())
        } else {
            text.to_owned()
        }
    }
}

/// Replaces control characters, which could move the cursor or recolour the reader's terminal: a tab becomes a space,
/// a line break `⏎`, anything else `�`.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\n' => '⏎',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
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
    fn names_keep_their_colour() {
        assert_eq!(Colour::of_name("ingest"), Colour::of_name("ingest"));
    }
}
