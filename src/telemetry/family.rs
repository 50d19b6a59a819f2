//! Series that share a name, kept by their label values.
//!
//! `prometheus`'s own vectors find a series by a hash of its label values run together, so that `("a", "bc")` and
//! `("ab", "c")` are one to them; pool, tier and reason are adjacent labels here. A family compares the values themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::Metric;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};
use prometheus::{Histogram, HistogramOpts, IntCounter, Opts};

use super::names::Definition;

/// A kind of series that observations are added to.
pub(super) trait Series: Metric {
    /// What is needed beyond name and labels: the edges of a histogram.
    type Shape: Clone + std::fmt::Debug;
    /// Its kind in the exposition.
    const KIND: MetricType;
    /// One series at zero.
    fn create(options: Opts, shape: Self::Shape) -> prometheus::Result<Self>;
}

impl Series for IntCounter {
    type Shape = ();
    const KIND: MetricType = MetricType::COUNTER;

    fn create(options: Opts, (): ()) -> prometheus::Result<Self> {
        Self::with_opts(options)
    }
}

impl Series for Histogram {
    type Shape = Arc<[f64]>;
    const KIND: MetricType = MetricType::HISTOGRAM;

    fn create(options: Opts, edges: Arc<[f64]>) -> prometheus::Result<Self> {
        Self::with_opts(HistogramOpts { common_opts: options, buckets: edges.to_vec() })
    }
}

/// The series of one name.
#[derive(Debug)]
pub(super) struct Family<S: Series, const N: usize> {
    name: &'static Definition<N>,
    held: RwLock<Held<S, N>>,
}

#[derive(Debug)]
struct Held<S: Series, const N: usize> {
    shape: S::Shape,
    series: BTreeMap<[Box<str>; N], S>,
}

pub(super) type Counters<const N: usize> = Family<IntCounter, N>;
pub(super) type Histograms<const N: usize> = Family<Histogram, N>;

/// A name with one series and no labels.
#[derive(Clone, Debug)]
pub(super) struct Single<S: Series> {
    name: &'static Definition<0>,
    /// The series.
    pub(super) series: S,
}

impl<S: Series> Single<S> {
    pub(super) fn new(name: &'static Definition<0>, shape: impl Into<S::Shape>) -> Self {
        Self { name, series: create(name, shape.into(), []) }
    }

    pub(super) fn collect(&self) -> MetricFamily {
        family(self.name, S::KIND, vec![self.series.metric()])
    }
}

/// The label values of one series.
pub(super) struct Labels<'f> {
    names: &'f [&'static str],
    values: &'f [Box<str>],
}

impl Labels<'_> {
    /// The value of `label`, if the family has it.
    pub(super) fn get(&self, label: &str) -> Option<&str> {
        self.names.iter().position(|name| *name == label).map(|index| &*self.values[index])
    }
}

impl<S: Series, const N: usize> Family<S, N> {
    pub(super) fn new(name: &'static Definition<N>, shape: impl Into<S::Shape>) -> Self {
        Self { name, held: RwLock::new(Held { shape: shape.into(), series: BTreeMap::new() }) }
    }

    /// Gives every series from now on another shape. Those that were are begun anew: a scrape sees that they were reset.
    pub(super) fn reshape(&self, shape: S::Shape) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        *held = Held { shape, series: BTreeMap::new() };
    }

    /// The series with these label values, made if it is new. A handle to it goes on counting without a look-up.
    pub(super) fn with(&self, values: [&str; N]) -> S {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let Held { shape, series } = &mut *held;
        series.entry(values.map(Box::from)).or_insert_with(|| create(self.name, shape.clone(), values)).clone()
    }

    /// Forgets every series that `keep` does not hold on to; a handle to one goes on counting for nobody.
    pub(super) fn retain(&self, keep: impl Fn(&Labels<'_>) -> bool) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.series.retain(|values, _| keep(&Labels { names: &self.name.labels, values }));
    }

    /// The family as it stands, in the order of its label values.
    pub(super) fn collect(&self) -> MetricFamily {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        family(self.name, S::KIND, held.series.values().map(Metric::metric).collect())
    }
}

#[expect(clippy::expect_used, reason = "every name, label and edge is a constant of `names`, made by a test")]
fn create<S: Series, const N: usize>(name: &Definition<N>, shape: S::Shape, values: [&str; N]) -> S {
    let labels: HashMap<String, String> =
        name.labels.iter().zip(values).map(|(label, value)| ((*label).to_owned(), value.to_owned())).collect();
    let options = Opts::new(name.name, name.help).const_labels(labels);
    S::create(options, shape).expect("names and edges are valid constants")
}

/// A gauge whose values are looked up at the scrape, so that they are held nowhere twice.
pub(super) fn gauges<'v, const N: usize>(
    name: &Definition<N>,
    samples: impl IntoIterator<Item = ([&'v str; N], f64)>,
) -> MetricFamily {
    let metric = |(values, value): ([&str; N], f64)| {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        let labels = name.labels.iter().zip(values).map(|(label, value)| label_pair(label, value)).collect();
        let mut metric = proto::Metric::from_label(labels);
        metric.set_gauge(gauge);
        metric
    };
    family(name, MetricType::GAUGE, samples.into_iter().map(metric).collect())
}

/// A counter whose values are counted elsewhere and looked up at the scrape.
pub(super) fn counters<'v, const N: usize>(
    name: &Definition<N>,
    samples: impl IntoIterator<Item = ([&'v str; N], f64)>,
) -> MetricFamily {
    let metric = |(values, value): ([&str; N], f64)| {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        let labels = name.labels.iter().zip(values).map(|(label, value)| label_pair(label, value)).collect();
        let mut metric = proto::Metric::from_label(labels);
        metric.set_counter(counter);
        metric
    };
    family(name, MetricType::COUNTER, samples.into_iter().map(metric).collect())
}

fn label_pair(label: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(label.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn family<const N: usize>(name: &Definition<N>, kind: MetricType, metrics: Vec<proto::Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.name.to_owned());
    family.set_help(name.help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Definition<2> = Definition { name: "test_total", help: "A test.", labels: ["one", "two"] };

    #[test]
    fn label_values_that_run_together_alike_are_series_of_their_own() {
        let family = Counters::new(&NAME, ());
        family.with(["a", "bc"]).inc();
        family.with(["ab", "c"]).inc_by(2);
        family.with(["ab", "c"]).inc_by(2);
        let values: Vec<_> = family.collect().get_metric().iter().map(|metric| metric.get_counter().value()).collect();
        assert_eq!(values, [1.0, 4.0]);
    }

    #[test]
    fn what_is_not_kept_is_gone() {
        let family = Counters::new(&NAME, ());
        family.with(["a", "x"]).inc();
        family.with(["b", "x"]).inc();
        family.retain(|labels| labels.get("one") == Some("b") && labels.get("three").is_none());
        let left = family.collect();
        assert_eq!(left.get_metric().len(), 1);
        assert_eq!(left.get_metric()[0].get_label()[0].value(), "b");
    }
}
