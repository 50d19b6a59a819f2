//! What is written at the end: JSON, Markdown and a plot.

mod markdown;
mod plot;

use std::fs;
use std::io;
use std::path::Path;

use crate::results::Results;

/// Writes all three into `folder`, and returns the Markdown.
pub(crate) fn write(results: &Results, folder: &Path) -> io::Result<String> {
    let markdown = markdown::write(results);
    fs::write(folder.join("results.json"), serde_json::to_vec_pretty(results)?)?;
    fs::write(folder.join("results.md"), &markdown)?;
    fs::write(folder.join("plot.svg"), plot::draw(results))?;
    Ok(markdown)
}

/// A figure with as many digits as it deserves.
fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 1000.0 => {
            let digits = format!("{figure:.0}");
            let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |digits| ("-", digits));
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
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
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
