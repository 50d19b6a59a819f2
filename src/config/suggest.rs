//! "Did you mean": the known word nearest to one that is not.

/// The candidate nearest to `word`, where one is near enough to have been meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are never within reach of a typing slip, and the distance costs their product.
    if word.len() > 255 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let reach = (word.len() / 3).clamp(1, 3);
    let mut other: Vec<char> = Vec::new();
    let near = candidates.into_iter().filter_map(|candidate| {
        other.clear();
        other.extend(candidate.chars().flat_map(char::to_lowercase));
        distance(&word, &other, reach).map(|distance| (distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// `Did you mean ...?` for the nearest candidate, else `otherwise`.
pub(super) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    nearest(word, candidates).map_or_else(otherwise, |candidate| format!("Did you mean `{candidate}`?"))
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment), where they
/// are at most `reach`. Most candidates are far, and most of the near are alike at both ends: neither kind costs the
/// product of the lengths, of which there is one for each wrong reference and each host.
fn distance(a: &[char], b: &[char], reach: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > reach {
        return None;
    }
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let substituted = rows[i][j] + usize::from(ca != cb);
            let mut best = substituted.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        // What is out of reach here stays so.
        if row.iter().all(|distance| *distance > reach) {
            return None;
        }
        rows.push(row);
    }
    Some(rows[a.len()][b.len()]).filter(|distance| *distance <= reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_strangers_find_none() {
        let words = ["weight", "destination", "headers", "uri"];
        for (word, expected) in [
            ("weigth", Some("weight")),
            ("Weight", Some("weight")),
            ("destintion", Some("destination")),
            ("header", Some("headers")),
            ("retries", None),
            ("x", None),
            ("rui", Some("uri")),
            ("desitnatoin", Some("destination")),
            ("headings", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
