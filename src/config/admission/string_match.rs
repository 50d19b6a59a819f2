//! `StringMatch`: exact, prefix or regular expression.

use super::judge::Judge;
use super::spot::Spot;
use crate::domain::StringMatch;

/// Whether a prefix may be empty, and so take everything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyPrefix {
    Taken,
    Refused,
}

/// One match.
pub(super) fn judge(judge: &mut Judge<'_>, spot: &Spot<'_>, empty: EmptyPrefix) {
    let (prefix, regex) = (spot.at("prefix"), spot.at("regex"));
    if prefix.is_set() && prefix.text().is_empty() && empty == EmptyPrefix::Refused {
        let cure = "Write the beginning to match; `{}` asks for presence alone.";
        judge.reject(&prefix, "A prefix here should not be empty.", cure);
    }
    if regex.is_set() {
        self::regex(judge, &regex);
    }
}

/// A regular expression, which may not be empty.
pub(super) fn regex(judge: &mut Judge<'_>, spot: &Spot<'_>) {
    if spot.text().is_empty() {
        judge.reject(spot, "A regex should not be empty.", "Write an RE2 expression for the whole text.");
    } else if let Err(error) = StringMatch::check(spot.text()) {
        let message = format!("The regex `{}` is invalid: {error}.", spot.text());
        judge.reject(spot, message, "Write an RE2 expression of at most 1024 bytes.");
    }
}
