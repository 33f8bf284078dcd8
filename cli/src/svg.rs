//! What drawings for documents and pull requests have in common: self-contained SVG, in the reader's light or dark.

use std::fmt::{self, Display};

/// Colours of text and lines on light and on dark ground. Colours of states are those of X-Ray's console.
const STYLE: &str = "\
text{font:11px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#16191f}
.dim{fill:#5f6b7a}
.strong{font-weight:600}
.small{font-size:9px}
.ground{fill:#ffffff}
.halo{paint-order:stroke;stroke:#ffffff;stroke-width:4px;stroke-linejoin:round}
.line{fill:none;stroke:#879596;stroke-width:1.2}
.grid{stroke:#e9ebed;stroke-width:1}
.tip{fill:#879596}
.dashed{stroke-dasharray:4 3}
.ok{stroke:#1d8102}.fault{stroke:#d13212}.error{stroke:#d9a200}.throttle{stroke:#7d4bc9}.none{stroke:#aab7b8}
.bar{stroke:none;fill:#2074d5}.bar.call{fill:#8fb8e8}.bar.fault{fill:#d13212}.bar.error{fill:#d9a200}.bar.throttle{fill:#7d4bc9}
.bar.open{fill-opacity:.4}
@media (prefers-color-scheme:dark){
text{fill:#e9ebed}
.dim{fill:#a3adb8}
.ground{fill:#0f1b2a}
.halo{stroke:#0f1b2a}
.line{stroke:#8d99a8}
.grid{stroke:#2a3646}
.tip{fill:#8d99a8}
.ok{stroke:#4caf2f}.fault{stroke:#ff5d3f}.error{stroke:#f2c200}.throttle{stroke:#b08cf0}.none{stroke:#5f6b7a}
.bar{fill:#539fe5}.bar.call{fill:#2c5f94}.bar.fault{fill:#ff5d3f}.bar.error{fill:#f2c200}.bar.throttle{fill:#b08cf0}
}
";

/// Returns a whole document. `title` is what a screen reader says; `body` consists of elements.
pub(crate) fn document(width: f64, height: f64, title: &str, body: &str) -> String {
    let title = Escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
    )
}

/// Returns a text of at most `longest` characters, without the middle of a longer one: names often begin with the same
/// words, and differ at the end.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= longest {
        return text.to_owned();
    }
    let kept = longest.saturating_sub(1);
    let front = kept / 3;
    let (head, tail) = (&characters[..front], &characters[characters.len() - (kept - front)..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// A text as it is written between tags or in a quoted attribute. Characters that XML does not allow are replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' => f.write_str(" ")?,
                '\u{fffe}' | '\u{ffff}' => write!(f, "{}", char::REPLACEMENT_CHARACTER)?,
                other if other.is_control() => write!(f, "{}", char::REPLACEMENT_CHARACTER)?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// Asserts that a document is well-formed, as far as the drawings use XML: tags close in order, attributes are quoted,
/// and no bare ampersand or bracket is left.
#[cfg(test)]
pub(crate) fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "{text}");
        assert_entities(text);
        let (tag, after) = after.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes what is open");
        } else {
            let (inside, closed) = tag.strip_suffix('/').map_or((tag, false), |inside| (inside, true));
            assert!(inside.matches('"').count().is_multiple_of(2), "{tag}");
            assert_entities(inside);
            if !closed {
                open.push(inside.split_whitespace().next().unwrap());
            }
        }
        rest = after;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
}

#[cfg(test)]
fn assert_entities(text: &str) {
    for after in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|entity| after.starts_with(entity));
        assert!(known, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_element() {
        let text = "</text><script>\"a\" & 'b'\u{0}\u{1b}\n";
        let escaped = Escaped(text).to_string();
        assert_eq!(escaped, "&lt;/text&gt;&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}\u{fffd} ");
        assert_well_formed(&document(10.0, 10.0, text, &format!("<text x=\"{escaped}\">{escaped}</text>\n")));
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("foostore-local-email-deliveries", 20), "foosto…il-deliveries");
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größer", 3), "…er");
    }
}
