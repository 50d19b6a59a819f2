//! What an endpoint says of its own load: ORCA reports (`xds.data.orca.v3.OrcaLoadReport`) in three forms, and the series of
//! model servers.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName};
use serde_json::Value;

/// The answer's field, in text, JSON or base64.
pub const LOAD_METRICS: HeaderName = HeaderName::from_static("endpoint-load-metrics");
/// The answer's field in base64 alone.
pub const LOAD_METRICS_BIN: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");
/// The request's field that asks for a report.
pub const LOAD_METRICS_FORMAT: HeaderName = HeaderName::from_static("endpoint-load-metrics-format");

/// One report. What was not said is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Requests that wait at the endpoint.
    pub waiting: Option<f64>,
    /// Requests that it works on.
    pub running: Option<f64>,
    /// How much of it is in use, from 0 to 1: the largest of what it says.
    pub utilization: Option<f64>,
}

impl LoadReport {
    /// What the fields of an answer's head or trailers say; `None` where they say nothing that can be read.
    pub fn from_fields(fields: &HeaderMap) -> Option<Self> {
        let text = fields.get(LOAD_METRICS).and_then(|value| value.to_str().ok());
        let report = text.and_then(|text| match text.trim_start().split_once(' ') {
            Some(("JSON", json)) => Self::from_json(json),
            Some(("TEXT", pairs)) => Some(Self::from_pairs(pairs)),
            Some(("BIN", encoded)) => Self::from_base64(encoded),
            _ => None,
        });
        let binary = || fields.get(LOAD_METRICS_BIN).and_then(|value| Self::from_base64(value.to_str().ok()?));
        report.or_else(binary).filter(|report| *report != Self::default())
    }

    /// The sums of the series that `vLLM` and `SGLang` count their queues by, in Prometheus' text format.
    pub fn from_metrics(page: &str) -> Self {
        let mut report = Self::default();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let end = line.find(['{', ' ']).unwrap_or(line.len());
            let rest = &line[end..];
            let value = rest.rfind('}').map_or(rest, |close| &rest[close + 1..]);
            let value = value.split_ascii_whitespace().next().and_then(|value| value.parse().ok());
            if let Some(value) = value.filter(|value: &f64| value.is_finite() && *value >= 0.0) {
                report.note(&line[..end], value);
            }
        }
        report
    }

    fn from_pairs(pairs: &str) -> Self {
        let mut report = Self::default();
        for (name, value) in pairs.split(',').filter_map(|pair| pair.split_once('=')) {
            if let Ok(value) = value.trim().parse() {
                report.note(name.trim(), value);
            }
        }
        report
    }

    fn from_json(json: &str) -> Option<Self> {
        let mut report = Self::default();
        for (name, value) in serde_json::from_str::<Value>(json).ok()?.as_object()? {
            match value {
                Value::Object(inner) => {
                    let numbers = inner.iter().filter_map(|(name, value)| Some((name, value.as_f64()?)));
                    numbers.for_each(|(name, value)| report.note(name, value));
                }
                value => value.as_f64().into_iter().for_each(|value| report.note(name, value)),
            }
        }
        Some(report)
    }

    fn from_base64(encoded: &str) -> Option<Self> {
        let encoded = encoded.trim();
        let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?;
        let mut report = Self::default();
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let (number, field) = take_field(&mut rest)?;
            match (number, field) {
                (1, Wire::Fixed(value)) => report.note("cpu_utilization", value),
                (2, Wire::Fixed(value)) => report.note("mem_utilization", value),
                (9, Wire::Fixed(value)) => report.note("application_utilization", value),
                // utilization and named_metrics, maps from names to numbers.
                (5 | 8, Wire::Bytes(entry)) => report.note_entry(entry)?,
                _ => {}
            }
        }
        Some(report)
    }

    fn note_entry(&mut self, mut entry: &[u8]) -> Option<()> {
        let (mut name, mut value) = ("", 0.0);
        while !entry.is_empty() {
            match take_field(&mut entry)? {
                (1, Wire::Bytes(bytes)) => name = std::str::from_utf8(bytes).ok()?,
                (2, Wire::Fixed(number)) => value = number,
                _ => {}
            }
        }
        self.note(name, value);
        Some(())
    }

    /// Notes one figure by its name, of which a prefix (`named_metrics.`, `vllm:`) says where it stands.
    fn note(&mut self, name: &str, value: f64) {
        if !value.is_finite() || value < 0.0 {
            return;
        }
        let plain = name.rsplit(['.', ':']).next().unwrap_or(name);
        match plain {
            "num_requests_waiting" | "num_queue_reqs" => *self.waiting.get_or_insert(0.0) += value,
            "num_requests_running" | "num_running_reqs" => *self.running.get_or_insert(0.0) += value,
            "application_utilization"
            | "cpu_utilization"
            | "mem_utilization"
            | "kv_cache_usage_perc"
            | "gpu_cache_usage_perc"
            | "token_usage"
            | "applicationUtilization"
            | "cpuUtilization"
            | "memUtilization" => {
                self.utilization = Some(self.utilization.unwrap_or(0.0).max(value.min(1.0)));
            }
            _ => {}
        }
    }
}

/// A field of a protocol buffer, as far as reports need it.
enum Wire<'b> {
    Varint,
    Fixed(f64),
    Bytes(&'b [u8]),
}

/// Takes the next field and its number; `None` where the bytes are no protocol buffer.
fn take_field<'b>(bytes: &mut &'b [u8]) -> Option<(u64, Wire<'b>)> {
    let key = take_varint(bytes)?;
    let field = match key & 7 {
        0 => take_varint(bytes).map(|_| Wire::Varint)?,
        1 => Wire::Fixed(f64::from_le_bytes(bytes.split_off(..8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(take_varint(bytes)?).ok()?;
            Wire::Bytes(bytes.split_off(..length)?)
        }
        5 => bytes.split_off(..4).map(|_| Wire::Varint)?,
        _ => return None,
    };
    Some((key >> 3, field))
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(waiting: Option<f64>, running: Option<f64>, utilization: Option<f64>) -> LoadReport {
        LoadReport { waiting, running, utilization }
    }

    fn field(value: &str) -> HeaderMap {
        [(LOAD_METRICS, value.parse().expect("a value"))].into_iter().collect()
    }

    #[test]
    fn reports_are_read_in_every_form() {
        let map_entry = |number: u8, name: &str, value: f64| {
            let length = u8::try_from(name.len()).expect("a short name");
            let inner = [&[0x0a, length], name.as_bytes(), &[0x11], &value.to_le_bytes()].concat();
            [&[number << 3 | 2, u8::try_from(inner.len()).expect("short")], &inner[..]].concat()
        };
        let utilization = [&[0x09][..], &0.5_f64.to_le_bytes()].concat();
        // rps, a varint that is passed over, comes first.
        let binary = [&[0x18, 0x96, 0x01][..], &utilization, &map_entry(8, "num_requests_waiting", 7.0)].concat();
        let encoded = STANDARD.encode(&binary);
        let mut in_base64 = HeaderMap::new();
        in_base64.insert(LOAD_METRICS_BIN, encoded.parse().expect("a value"));
        let expected = Some(report(Some(7.0), None, Some(0.5)));
        for fields in [
            field("TEXT cpu_utilization=0.5, named_metrics.num_requests_waiting=7,rps_fractional=3"),
            field(r#"JSON {"cpu_utilization": 0.5, "named_metrics": {"num_requests_waiting": 7, "x": 1}}"#),
            field(&format!("BIN {encoded}")),
            in_base64,
        ] {
            assert_eq!(LoadReport::from_fields(&fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_report_says_nothing() {
        for text in
            ["", "TEXT", "TEXT a=b", "JSON [1]", "JSON {", "BIN !", "BIN /////w", "XML a", "TEXT cpu_utilization=-1"]
        {
            assert_eq!(LoadReport::from_fields(&field(text)), None, "{text}");
        }
        assert_eq!(LoadReport::from_fields(&field("TEXT cpu_utilization=NaN")), None);
    }

    #[test]
    fn the_largest_utilization_counts_and_is_no_more_than_all() {
        let read = |text| LoadReport::from_fields(&field(text)).and_then(|report| report.utilization);
        assert_eq!(read("TEXT cpu_utilization=0.2,application_utilization=0.7,mem_utilization=0.1"), Some(0.7));
        assert_eq!(read("TEXT application_utilization=1.7"), Some(1.0));
    }

    #[test]
    fn the_series_of_model_servers_add_up() {
        let vllm = "# HELP vllm:num_requests_waiting Waiting.\n# TYPE vllm:num_requests_waiting gauge\n\
                    vllm:num_requests_waiting{engine=\"0\",model_name=\"a } b\"} 3.0\n\
                    vllm:num_requests_waiting{engine=\"1\"} 2.0 1700000000\n\
                    vllm:num_requests_running{engine=\"0\"} 4\nvllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n\
                    vllm:kv_cache_usage_perc{engine=\"1\"} 0.5\nvllm:num_requests_waiting{engine=\"2\"} NaN\n";
        assert_eq!(LoadReport::from_metrics(vllm), report(Some(5.0), Some(4.0), Some(0.5)));
        let sglang = "sglang:num_queue_reqs 1\nsglang:num_running_reqs{a=\"b\"} 2\nte_queue_size 9\n";
        assert_eq!(LoadReport::from_metrics(sglang), report(Some(1.0), Some(2.0), None));
        assert_eq!(LoadReport::from_metrics("nothing\n{\n}\n"), LoadReport::default());
    }
}
