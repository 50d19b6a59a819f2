//! Prometheus' text exposition format (version 0.0.4), read as far as a table needs it.
//!
//! Never trusts what it reads: a line that is not in the format is left out.

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'t> {
    /// The metric's name, with `_bucket`, `_sum` or `_count` where it is part of a histogram.
    pub(super) name: &'t str,
    labels: Vec<(&'t str, String)>,
    /// The value.
    pub(super) value: f64,
}

impl Sample<'_> {
    /// The value of a label; a label that is not there is empty, as Prometheus has it.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

/// The samples of `text`, in its order.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A timestamp may follow the value.
    let value = rest.split_ascii_whitespace().next()?;
    Some(Sample { name, labels, value: value.parse().ok()? })
}

type Labels<'t> = Vec<(&'t str, String)>;

/// The labels up to the closing brace, and what comes after it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (key, value) = rest.split_once("=\"")?;
        let (value, after) = quoted(value)?;
        labels.push((key, value));
        rest = after;
    }
}

/// A label's value up to its closing quote, unescaped, and what comes after the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{pool=\"x:80/canary\",why=\"say \\\"a\\\\b\\n\\\"\",} 12\n\
                    b 1.5e3 1395066363000\nh_bucket{le=\"+Inf\"} 7\nc NaN\n";
        let read: Vec<_> = samples(text).collect();
        assert_eq!(read.len(), 4);
        assert_eq!((read[0].name, read[0].value), ("a_total", 12.0));
        assert_eq!(read[0].label("pool"), "x:80/canary");
        assert_eq!(read[0].label("why"), "say \"a\\b\n\"");
        assert_eq!(read[0].label("absent"), "");
        assert_eq!((read[1].name, read[1].value), ("b", 1500.0));
        assert_eq!(read[2].label("le"), "+Inf");
        assert!(read[3].value.is_nan());
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        for line in
            ["", "name", "name{", "name{a} 1", "name{a=\"b} 1", "name{a=\"b\"}", "name x", "name{a=\"\\", "{} é"]
        {
            assert_eq!(samples(line).filter(|sample| !sample.name.is_empty()).count(), 0, "{line}");
        }
    }
}
