//! Numbers as people read them.

/// Renders a whole number with a comma before each group of three digits.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Renders a quantity with as many decimals as matter.
pub(super) fn quantity(number: f64) -> String {
    if number >= 100.0 || number.fract() == 0.0 { grouped(number) } else { format!("{number:.2}") }
}

/// Marks a figure that was found on no page.
pub(super) fn mark(read: Option<&str>) -> &'static str {
    if read.is_some() { "" } else { "?" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_000.0), "1,000");
        assert_eq!(grouped(4_320_000.0), "4,320,000");
        assert_eq!(
            (quantity(0.125), quantity(43.2), quantity(129.6)),
            ("0.12".into(), "43.20".into(), "130".into())
        );
    }
}
