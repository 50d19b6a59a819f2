//! The text exposition format, read back.

use std::collections::BTreeMap;

/// One scrape: each series with its value.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    series: Vec<Series>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads `text`, version 0.0.4 of the format.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { series: samples.map(parse_sample).collect() }
    }

    /// The sum over the series `name` whose labels include `labels`; zero where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.select(name, labels).map(|series| series.value).sum()
    }

    /// As [`Metrics::sum`], of series that count.
    #[track_caller]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sum = self.sum(name, labels);
        assert!(sum >= 0.0 && sum.fract() == 0.0, "{name} is {sum}");
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number, not below zero")]
        {
            sum as u64
        }
    }

    /// Whether any series is called `name` and has `labels`.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.select(name, labels).next().is_some()
    }

    /// Each value of the label `label` among the series `name`.
    pub fn label_values<'m>(&'m self, name: &'m str, label: &str) -> Vec<&'m str> {
        self.select(name, &[]).filter_map(|series| series.labels.get(label).map(String::as_str)).collect()
    }

    /// The labels that any of the series `name` has.
    pub fn label_names(&self, name: &str) -> Vec<String> {
        self.select(name, &[]).flat_map(|series| series.labels.keys().cloned()).collect()
    }

    fn select<'m>(
        &'m self,
        name: &'m str,
        labels: &'m [(&'m str, &'m str)],
    ) -> impl Iterator<Item = &'m Series> + use<'m> {
        self.series.iter().filter(move |series| {
            series.name == name
                && labels.iter().all(|(label, value)| series.labels.get(*label).is_some_and(|found| found == value))
        })
    }
}

fn parse_sample(line: &str) -> Series {
    let (head, value) = line.rsplit_once(' ').expect("a sample has a value");
    let value = value.parse().expect("a value is a number");
    let Some((name, rest)) = head.split_once('{') else {
        return Series { name: head.to_owned(), labels: BTreeMap::new(), value };
    };
    Series { name: name.to_owned(), labels: parse_labels(rest), value }
}

fn parse_labels(mut rest: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => panic!("a label ends in a backslash: {quoted}"),
                },
                Some((at, '"')) => break at,
                Some((_, other)) => value.push(other),
                None => panic!("a label does not end: {quoted}"),
            }
        };
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = &quoted[end + 1..];
    }
    labels
}
