//! Numbers in few columns, with their unit.

/// The prefixes of numbers.
const THOUSANDS: [(&str, f64); 3] = [("G", 1e9), ("M", 1e6), ("k", 1e3)];
/// The prefixes of bytes.
const BYTES: [(&str, f64); 3] = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)];

/// Returns a value in at most seven columns, with its unit if that is a time or bytes: the others stand beside the
/// metric's name.
pub(super) fn value(number: f64, unit: &str) -> String {
    match unit {
        "s" => seconds(number),
        "ms" => seconds(number / 1e3),
        "us" => seconds(number / 1e6),
        "ns" => seconds(number / 1e9),
        "By" => scaled(number, &BYTES, "B"),
        _ if number.fract() == 0.0 && number.abs() < 1e7 => format!("{number}"),
        _ => scaled(number, &THOUSANDS, ""),
    }
}

/// Whether values of the unit show it.
pub(super) fn shows(unit: &str) -> bool {
    matches!(unit, "s" | "ms" | "us" | "ns" | "By")
}

/// Returns a rate per second.
pub(super) fn rate(number: f64) -> String {
    format!("{}/s", scaled(number, &THOUSANDS, ""))
}

fn seconds(number: f64) -> String {
    match number.abs() {
        0.0 => "0 s".to_owned(),
        small if small < 0.001 => format!("{} µs", digits(number * 1e6)),
        small if small < 1.0 => format!("{} ms", digits(number * 1e3)),
        small if small < 120.0 => format!("{} s", digits(number)),
        small if small < 7_200.0 => format!("{} min", digits(number / 60.0)),
        small if small < 172_800.0 => format!("{} h", digits(number / 3_600.0)),
        _ => format!("{} d", digits(number / 86_400.0)),
    }
}

fn scaled(number: f64, prefixes: &[(&str, f64)], none: &str) -> String {
    match prefixes.iter().find(|(_, size)| number.abs() >= *size) {
        Some((prefix, size)) => format!("{}{prefix}", digits(number / size)),
        None => format!("{}{none}", digits(number)),
    }
}

/// Returns about three digits.
fn digits(number: f64) -> String {
    let text = match number.abs() {
        large if large >= 99.95 => format!("{number:.0}"),
        large if large >= 9.995 => format!("{number:.1}"),
        large if large >= 0.005 => format!("{number:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{number:.0e}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_few_columns() {
        let times = [0.0, 0.000_25, 0.0053, 0.25, 1.0, 89.99, 1_800.0, 86_400.0, 604_800.0];
        assert_eq!(
            times.map(|number| value(number, "s")),
            ["0 s", "250 µs", "5.3 ms", "250 ms", "1 s", "90 s", "30 min", "24 h", "7 d"]
        );
        assert_eq!([512.0, 1_536.0, 3e9].map(|number| value(number, "By")), ["512B", "1.5KiB", "2.79GiB"]);
        assert_eq!(
            [0.0, 7.0, 1_234_567.0, 12_345_678.0, 0.333, -5.0, 0.000_1].map(|number| value(number, "")),
            ["0", "7", "1234567", "12.3M", "0.33", "-5", "1e-4"]
        );
        assert_eq!([0.0, 0.5, 12.345, 1_234.0].map(rate), ["0/s", "0.5/s", "12.3/s", "1.23k/s"]);
    }
}
