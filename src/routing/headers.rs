//! Header operations of rules and destinations.

use http::HeaderMap;

use crate::domain::HeaderOps;

/// Carries out `ops` on `headers`: removals first, then what is set, then what is added as a line of its own.
pub fn apply_headers(ops: &HeaderOps, headers: &mut HeaderMap) {
    for name in &ops.remove {
        headers.remove(name);
    }
    for (name, value) in &ops.set {
        headers.insert(name, value.clone());
    }
    for (name, value) in &ops.add {
        headers.append(name, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn removal_comes_before_setting_and_adding() {
        let name = HeaderName::from_static;
        let pair = |header, value| (name(header), HeaderValue::from_static(value));
        let ops = HeaderOps {
            remove: vec![name("x-gone"), name("x-set"), name("x-never")],
            set: vec![pair("x-set", "new")],
            add: vec![pair("x-set", "more"), pair("x-kept", "2")],
        };
        let mut headers = HeaderMap::new();
        for (header, value) in [("x-gone", "1"), ("x-set", "old"), ("x-set", "older"), ("x-kept", "1")] {
            headers.append(header, HeaderValue::from_static(value));
        }
        apply_headers(&ops, &mut headers);
        let all =
            |header: &str| headers.get_all(header).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        assert_eq!((all("x-gone"), all("x-set"), all("x-kept")), (vec![], vec!["new", "more"], vec!["1", "2"]));
    }
}
