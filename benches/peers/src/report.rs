//! What is written at the end: JSON, Markdown and a plot.

mod circumstances;
mod comparison;
mod plot;
mod series;

use std::fs;
use std::io;
use std::path::Path;

use crate::results::{Results, SeriesResults};
use crate::statistics::Summary;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Writes a comparison into `folder` as `results.json`, `results.md` and `plot.svg`; returns the Markdown.
pub(crate) fn comparison(results: &Results, folder: &Path) -> io::Result<String> {
    let markdown = comparison::write(results);
    fs::write(folder.join("results.json"), serde_json::to_vec_pretty(results)?)?;
    fs::write(folder.join("results.md"), &markdown)?;
    fs::write(folder.join("plot.svg"), plot::draw(results))?;
    Ok(markdown)
}

/// Writes series into `folder` as `NAME.json` and `NAME.md`; returns the Markdown.
pub(crate) fn series(results: &SeriesResults, name: &str, folder: &Path) -> io::Result<String> {
    let markdown = series::write(results);
    fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(results)?)?;
    fs::write(folder.join(format!("{name}.md")), &markdown)?;
    Ok(markdown)
}

/// A figure with as many digits as it deserves.
fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1000.0 => grouped(&format!("{figure:.0}")),
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

fn grouped(integer: &str) -> String {
    let (sign, digits) = integer.strip_prefix('-').map_or(("", integer), |digits| ("-", digits));
    let places = digits.chars().enumerate();
    let grouped = places.fold(String::new(), |mut all, (place, digit)| {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            all.push(',');
        }
        all.push(digit);
        all
    });
    format!("{sign}{grouped}")
}

fn with_spread(summary: &Summary) -> String {
    format!("{} ±{}", number(summary.median), number(summary.spread()))
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a file or a process")]
fn mebibytes(bytes: u64) -> String {
    number(bytes as f64 / MEBIBYTE)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_as_long_as_they_deserve() {
        let written = [0.123, 12.34, 123.4, 12_345.6, -1_234_567.0].map(number);
        assert_eq!(written, ["0.12", "12.3", "123", "12,346", "-1,234,567"]);
    }
}
