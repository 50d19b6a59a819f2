use http::HeaderName;

use super::*;

#[test]
fn cookies_are_found_by_their_whole_name() {
    let mut headers = HeaderMap::new();
    for field in ["a=1; session=\"x y\"; b", "my-session=2; last=3"] {
        headers.append(COOKIE, HeaderValue::from_static(field));
    }
    let cases = [("a", Some("1")), ("session", Some("x y")), ("last", Some("3")), ("b", None), ("ast", None)];
    for (name, value) in cases {
        assert_eq!(cookie(&headers, name), value, "{name}");
    }
}

#[test]
fn every_value_of_a_header_counts() {
    let name = HeaderName::from_static("x-user");
    let hash = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, HeaderValue::from_static(value));
        }
        header(&headers, &name)
    };
    assert_eq!(hash(&[]), None);
    assert_eq!(hash(&["ab"]), hash(&["ab"]));
    let different = [hash(&["ab"]), hash(&["a", "b"]), hash(&["b", "a"]), hash(&[""])];
    for (at, one) in different.iter().enumerate() {
        assert!(one.is_some() && !different[at + 1..].contains(one), "{different:?}");
    }
}

#[test]
fn a_cookie_is_written_as_envoy_writes_it() {
    let key = |path: &str, attributes: Vec<(Box<str>, Box<str>)>| HashCookie {
        name: "session".into(),
        path: path.into(),
        attributes,
        ..HashCookie::default()
    };
    let attributes = vec![("SameSite".into(), "Lax".into()), ("Secure".into(), "".into())];
    let cases = [
        (key("", vec![]), 0, Some("session=\"v\"; HttpOnly")),
        (key("/", vec![]), 60, Some("session=\"v\"; Max-Age=60; Path=/; HttpOnly")),
        (key("", attributes), 1, Some("session=\"v\"; Max-Age=1; SameSite=Lax; Secure; HttpOnly")),
        (key("/\n", vec![]), 60, None),
    ];
    for (key, seconds, expected) in cases {
        let written = set_cookie(&key, "v", Duration::from_secs(seconds));
        assert_eq!(written.as_ref().and_then(|value| value.to_str().ok()), expected);
    }
}
