use super::*;

const LIMIT: usize = 1024;
const LIMITS: HeadLimits = HeadLimits { bytes: LIMIT, fields: MAX_FIELDS };

fn taken(bytes: &[u8]) -> Result<Option<Head>, Box<Unreadable>> {
    take_of(&mut BytesMut::from(bytes), 0, LIMITS)
}

fn take_of(read: &mut BytesMut, searched: usize, limits: HeadLimits) -> Result<Option<Head>, Box<Unreadable>> {
    take(read, searched, limits, (&mut HeadSpans::default(), HeaderMap::new))
}

fn whole(head: &str) -> Head {
    taken(head.as_bytes()).unwrap_or_else(|unreadable| panic!("{head:?}: {unreadable:?}")).expect("a whole head")
}

fn refused(head: &[u8]) -> Box<Unreadable> {
    match taken(head) {
        Err(unreadable) => unreadable,
        Ok(head) => panic!("taken: {:?}", head.map(|head| head.request)),
    }
}

#[test]
fn a_head_is_the_same_wherever_it_is_split() {
    let whole = b"POST /a?b=c HTTP/1.1\r\nHost: a.b\r\nX-A: 1 \r\nx-b:\r\nX-a: \xe9\r\ncontent-length: 4\r\n\r\nrest";
    for split in 1..=whole.len() {
        let mut read = BytesMut::from(&whole[..split]);
        let first = take_of(&mut read, 0, LIMITS).expect("a head");
        assert_eq!(first.is_some(), split + 4 >= whole.len(), "{split}");
        let head = first.unwrap_or_else(|| {
            read.extend_from_slice(&whole[split..]);
            take_of(&mut read, split, LIMITS).expect("a head").expect("a whole one")
        });
        assert_eq!((head.request.method(), head.request.uri().path()), (&Method::POST, "/a"));
        let values: Vec<_> = head.request.headers().get_all("x-a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [&b"1"[..], b"\xe9"]);
        assert_eq!(head.framing, Framing::Length(4));
        assert!(whole[whole.len() - 4..].starts_with(&read), "what is behind the head stays");
    }
}

#[test]
fn a_head_says_how_it_is_to_be_answered() {
    let manner = |version, bodiless, keeps_alive, trailers| Manner { version, bodiless, keeps_alive, trailers };
    let (new, old) = (Version::HTTP_11, Version::HTTP_10);
    for (line, fields, expected) in [
        ("GET / HTTP/1.1", "", manner(new, false, true, false)),
        ("HEAD / HTTP/1.1", "connection: x, Close\r\n", manner(new, true, false, false)),
        ("GET / HTTP/1.1", "connection: keep-alive\r\nconnection: close\r\n", manner(new, false, false, false)),
        ("GET / HTTP/1.1", "te: gzip, Trailers\r\n", manner(new, false, true, true)),
        ("GET / HTTP/1.0", "", manner(old, false, false, false)),
        ("GET / HTTP/1.0", "connection: Keep-Alive\r\n", manner(old, false, true, false)),
        ("GET / HTTP/1.0", "connection: keep-alive, close\r\n", manner(old, false, false, false)),
    ] {
        assert_eq!(whole(&format!("{line}\r\n{fields}\r\n")).manner, expected, "{line} {fields}");
    }
}

#[test]
fn a_body_is_held_back_where_there_is_one() {
    for (head, holds_back) in [
        ("POST / HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nexpect: 100-continue\r\n\r\n", false),
        // RFC 9110, section 10.1.1: HTTP/1.0 knows no interim answers.
        ("POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n", false),
    ] {
        assert_eq!(whole(head).holds_back, holds_back, "{head:?}");
    }
}

#[test]
fn a_head_has_a_largest_size_and_number_of_fields() {
    let counted = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a:b\r\n".repeat(count));
    assert_eq!(whole(&counted(MAX_FIELDS)).request.headers().len(), MAX_FIELDS);
    assert_eq!(refused(counted(MAX_FIELDS + 1).as_bytes()).reason, Reason::HeadTooLarge);
    for fields in [1, MAX_FIELDS + 50] {
        let limits = HeadLimits { fields, ..LIMITS };
        let take = |count| take_of(&mut BytesMut::from(counted(count).as_bytes()), 0, limits);
        let taken = take(fields).expect("a head").expect("a whole one");
        assert_eq!(taken.request.headers().len(), fields);
        assert!(take(fields + 1).is_err_and(|unreadable| unreadable.reason == Reason::HeadTooLarge));
    }
    let sized = |length: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(length - 23));
    assert_eq!(sized(LIMIT).len(), LIMIT);
    whole(&sized(LIMIT));
    assert_eq!(refused(sized(LIMIT + 1).as_bytes()).reason, Reason::HeadTooLarge);
    assert!(matches!(taken(&sized(LIMIT + 1).as_bytes()[..LIMIT - 1]), Ok(None)));
    assert_eq!(refused(&sized(LIMIT + 1).as_bytes()[..LIMIT]).reason, Reason::HeadTooLarge, "no more is waited for");
    let searched = take_of(&mut BytesMut::from(&sized(LIMIT + 1).as_bytes()[..LIMIT]), LIMIT - 1, LIMITS);
    assert!(searched.is_err_and(|unreadable| unreadable.reason == Reason::HeadTooLarge));
    let aimed = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(LIMIT));
    assert_eq!(refused(aimed.as_bytes()).reason, Reason::TargetTooLong);
    assert_eq!(refused(&aimed.as_bytes()[..LIMIT]).reason, Reason::TargetTooLong);
}

#[test]
fn what_is_known_of_a_head_is_kept() {
    for (head, method, path, version) in [
        (&b"PUT /a?b HTTP/1.0\r\n a: b\r\n\r\n"[..], "PUT", Some("/a?b"), Version::HTTP_10),
        (b"PUT /a HTTP/3.0\r\n\r\n", "PUT", Some("/a"), Version::HTTP_11),
        (b"PUT /\x7f HTTP/1.1\r\n\r\n", "PUT", None, Version::HTTP_11),
        (b"P(T / HTTP/1.1\r\n\r\n", "-", None, Version::HTTP_11),
        (b"PUT /a HTTP/1.1\r\ncontent-length: x\r\n\r\n", "PUT", Some("/a"), Version::HTTP_11),
    ] {
        let Unreadable { parts, reason, .. } = *refused(head);
        let known =
            (parts.method.as_str(), parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str), parts.version);
        assert_eq!((known, reason), ((method, path, version), Reason::MalformedRequest));
    }
}
