//! What is asked for, by the path and the query of a request.

use super::discovery::{Group, metric, metric_names};
use super::failure::Failure;
use super::selector::Selector;
use crate::scaling::Metric;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which groups there are.
    Groups,
    /// Which versions a group has.
    Group(Group),
    /// Which metrics a group has.
    Resources(Group),
    /// A metric of the pools that are selected. External metrics belong to no object, and ours to no namespace: the one of the
    /// path is the autoscaler's own.
    External(Metric),
    /// A metric of a Service, or of all of the namespace (`*`).
    Service {
        /// Where it is.
        namespace: String,
        /// Which one.
        name: String,
        /// Of which the value is asked.
        metric: Metric,
    },
}

/// The selectors of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selectors {
    /// Of objects; of external metrics, of the metric.
    pub(super) labels: Selector,
    /// Of the metric.
    pub(super) metric_labels: Selector,
}

impl Question {
    /// What `path` asks for.
    pub(super) fn parse(path: &str) -> Result<Self, Failure> {
        let segments = path.split('/').filter(|segment| !segment.is_empty()).map(decoded);
        let segments: Option<Vec<String>> = segments.collect();
        let segments = segments.ok_or_else(|| Failure::malformed(format!("the path {path:?} is not well encoded")))?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let nothing = || Failure::missing(format!("there is nothing at {path}"));
        let (group, rest) = match segments.as_slice() {
            ["apis"] => return Ok(Self::Groups),
            ["apis", group] => return Group::named(group).map(Self::Group).ok_or_else(nothing),
            ["apis", group, version, rest @ ..] => {
                let group = Group::named(group).filter(|group| group.version() == *version);
                (group.ok_or_else(nothing)?, rest)
            }
            _ => return Err(nothing()),
        };
        match (group, rest) {
            (_, []) => Ok(Self::Resources(group)),
            (Group::External, ["namespaces", _, name]) => Ok(Self::External(known(name)?)),
            (Group::Custom, ["namespaces", namespace, "services", name, metric]) => Ok(Self::Service {
                namespace: (*namespace).to_owned(),
                name: (*name).to_owned(),
                metric: known(metric)?,
            }),
            (Group::Custom, ["namespaces", _, kind, _, _]) => Err(Failure::missing(format!(
                "{kind} have no metrics here: routers know the pools behind Services, and their endpoints by address alone. \
                 Ask for a Service's, or for external.metrics.k8s.io"
            ))),
            _ => Err(nothing()),
        }
    }
}

fn known(name: &str) -> Result<Metric, Failure> {
    metric(name).ok_or_else(|| Failure::missing(format!("there is no metric {name:?}; there are {}", metric_names())))
}

impl Selectors {
    /// Those of `query`, which is what follows the question mark.
    pub(super) fn parse(query: &str) -> Result<Self, Failure> {
        let selector = |name: &str| {
            let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')) else {
                return Ok(Selector::default());
            };
            let text = decoded(&value.replace('+', " "));
            let text = text.ok_or_else(|| Failure::malformed(format!("{name} is not well encoded: {value:?}")))?;
            Selector::parse(&text).map_err(|why| Failure::malformed(format!("{name} {text:?} is no selector: {why}")))
        };
        Ok(Self { labels: selector("labelSelector")?, metric_labels: selector("metricLabelSelector")? })
    }
}

/// `text` with what RFC 3986, section 2.1, encodes as bytes again; `None` where that is no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(byte) = rest.next() {
        if *byte == b'%' {
            let mut digit = || char::from(*rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit()? << 4 | digit()?);
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn paths_ask_for_what_kubernetes_means_by_them() {
        let service = |name: &str| Question::Service {
            namespace: "inference".to_owned(),
            name: name.to_owned(),
            metric: Metric::Concurrency,
        };
        let custom = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/inference";
        for (path, expected) in [
            ("/apis/".to_owned(), Question::Groups),
            ("/apis/custom.metrics.k8s.io".to_owned(), Question::Group(Group::Custom)),
            ("/apis/external.metrics.k8s.io/v1beta1".to_owned(), Question::Resources(Group::External)),
            (
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/any/overspill_pending_requests".to_owned(),
                Question::External(Metric::PendingRequests),
            ),
            (format!("{custom}/services/gpu/overspill_concurrency"), service("gpu")),
            (format!("{custom}/services/%2A/overspill_concurrency"), service("*")),
        ] {
            assert_eq!(Question::parse(&path), Ok(expected), "{path}");
        }
        for (path, status, said) in [
            ("/".to_owned(), StatusCode::NOT_FOUND, "nothing at /"),
            ("/openapi/v2".to_owned(), StatusCode::NOT_FOUND, "nothing"),
            ("/apis/apps".to_owned(), StatusCode::NOT_FOUND, "nothing"),
            ("/apis/external.metrics.k8s.io/v1".to_owned(), StatusCode::NOT_FOUND, "nothing"),
            ("/apis/external.metrics.k8s.io/v1beta1/namespaces/a/cpu".to_owned(), StatusCode::NOT_FOUND, "no metric"),
            (format!("{custom}/pods/gpu-0/overspill_concurrency"), StatusCode::NOT_FOUND, "pods have no metrics"),
            (format!("{custom}/services/gpu/%ff"), StatusCode::BAD_REQUEST, "encoded"),
            (format!("{custom}/services/gpu/%f"), StatusCode::BAD_REQUEST, "encoded"),
        ] {
            let failure = Question::parse(&path).expect_err("it asks for nothing");
            assert_eq!(failure.status, status, "{path}");
            assert!(failure.message.contains(said), "{path}: {}", failure.message);
        }
    }

    #[test]
    fn selectors_are_taken_from_the_query() {
        let parsed =
            Selectors::parse("limit=5&labelSelector=pool%3Da%2Ctier+in+(gpu)&metricLabelSelector=").expect("good");
        assert_eq!(parsed.labels, Selector::parse("pool=a,tier in (gpu)").expect("good"));
        assert_eq!(parsed.metric_labels, Selector::default());
        assert_eq!(Selectors::parse("").expect("nothing is selected by"), Selectors::default());
        for query in ["labelSelector=%zz", "labelSelector=a%3D%3D%3Db", "metricLabelSelector=,"] {
            let failure = Selectors::parse(query).expect_err("no selector");
            assert_eq!(failure.status, StatusCode::BAD_REQUEST, "{query}");
        }
    }
}
