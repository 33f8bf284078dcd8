//! Ratios on file: those of the last commit, by which those of today are judged.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use crate::outcome::Ratio;

/// How much worse a ratio may get.
const TOLERANCE: f64 = 0.15;

/// Ratios by their names.
pub(crate) type Ratios = BTreeMap<String, f64>;

/// Reads ratios from a file.
pub(crate) fn read(file: &Path) -> anyhow::Result<Ratios> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))
}

/// Writes ratios to a file, with two decimal places. Those of a name that is not among them stay as they are.
pub(crate) fn write(file: &Path, now: &[Ratio]) -> anyhow::Result<()> {
    let mut all = if file.exists() { read(file)? } else { Ratios::new() };
    all.extend(now.iter().map(|Ratio { name, ratio }| (name.clone(), (ratio * 100.0).round() / 100.0)));
    std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")?;
    Ok(())
}

/// Fails if a ratio is worse than before by more than the tolerance. New ones are not judged.
pub(crate) fn check(before: &Ratios, now: &[Ratio]) -> anyhow::Result<()> {
    let with_before = now.iter().filter_map(|ratio| Some((ratio, *before.get(&ratio.name)?)));
    let worse = with_before.filter(|(now, before)| now.ratio > before * (1.0 + TOLERANCE));
    let lines: Vec<_> = worse
        .map(|(Ratio { name, ratio }, before)| format!("{name}: {ratio:.2}, {before:.2} before"))
        .collect();
    anyhow::ensure!(lines.is_empty(), "a ratio got more than 15 % worse\n{}", lines.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(name: &str, ratio: f64) -> Ratio {
        Ratio { name: name.to_owned(), ratio }
    }

    #[test]
    fn what_got_worse_by_more_than_the_tolerance_is_named() {
        let before = [("a".to_owned(), 1.1), ("b".to_owned(), 1.0), ("gone".to_owned(), 1.0)].into();
        let error = check(&before, &[ratio("a", 1.2), ratio("b", 1.2), ratio("new", 99.0)]).unwrap_err();
        assert_eq!(error.to_string(), "a ratio got more than 15 % worse\nb: 1.20, 1.00 before");
        assert!(check(&before, &[ratio("a", 1.2), ratio("b", 0.5)]).is_ok());
    }

    #[test]
    fn ratios_of_sections_that_were_not_run_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ratios.json");
        write(&file, &[ratio("a", 1.234), ratio("b", 2.0)]).unwrap();
        write(&file, &[ratio("b", 3.0)]).unwrap();
        assert_eq!(read(&file).unwrap(), [("a".to_owned(), 1.23), ("b".to_owned(), 3.0)].into());
    }
}
