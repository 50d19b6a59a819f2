//! Random requests, of words that the documents know and of words that they do not.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::harness::{Client, Reply};

const METHODS: [&str; 11] =
    ["GET", "GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "PURGE", "OPTIONS", "OPTIONS"];

const HOSTS: [&str; 20] = [
    "alpha",
    "alpha",
    "alpha",
    "alpha.shop",
    "ALPHA.Shop.svc",
    "alpha.shop.svc.cluster.local",
    "alpha.shop.svc.cluster.local.",
    "beta.shop",
    "gamma",
    "gamma.other",
    "api.outside.example",
    "x.wild.test",
    "own.wild.test",
    "some-eu.tame.test",
    "one.wild.test",
    "a.deep.wild.test",
    "A.b.deep.wild.TEST",
    "wild.test",
    "alpha.other",
    "unknown.example",
];

const PATHS: [&str; 30] = [
    "/",
    "/a",
    "/a",
    "/a/b",
    "/A",
    "/b",
    "/b/",
    "/b/c",
    "/bc",
    "/Case/x",
    "/cASE/",
    "/SAME",
    "/samE",
    "/users/7",
    "/users/42/posts",
    "/users/x",
    "/users/",
    "/refused",
    "/refused/1",
    "/other",
    "//a",
    "/%61",
    "/b/../a",
    "/other/%2e%2E/a/./b",
    "/users\\x/..\\%37",
    "/../../refused/.",
    "/%62/%63%2F",
    "/a/%%36%31",
    "/sAM{e}",
    "/.a",
];

const TAILS: [&str; 10] = ["", "", "", "", "/", "/x//y", ";v=1", "/%2F..%2f~", "/..", "/%2e"];

const QUERIES: [&str; 10] =
    ["q=1&r=23", "q=1&r=x", "q=2", "flag", "flag=", "flag=1", "s=%20x", "s= ", "a=b&flag&c", "q=1&q=2&r=5"];

/// Headers with the values that each may have.
const HEADERS: [(&str, &[&str]); 7] = [
    ("x-a", &["1", "2", "one"]),
    ("x-b", &["b", "bad", "other"]),
    ("x-c", &["abc", "a,b", "A1", "a"]),
    ("x-d", &["", "y"]),
    ("x-echo", &["echo"]),
    ("origin", &["https://a.test", "https://b.test", "https://d.test"]),
    ("access-control-request-method", &["PUT", ""]),
];

/// One request.
pub(crate) struct Ask {
    method: &'static str,
    host: String,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
}

impl Ask {
    /// A request to a router that listens on `port`.
    pub(crate) fn draw(random: &mut Rng, port: u16) -> Self {
        let mut path = format!("{}{}", pick(random, &PATHS), pick(random, &TAILS));
        if random.u8(..3) == 0 {
            path = format!("{path}?{}", pick(random, &QUERIES).replace(' ', "+"));
        }
        let host = pick(random, &HOSTS);
        let mut headers = Vec::new();
        for (name, values) in HEADERS {
            // Some more than once, on lines of their own.
            let lines = [0, 0, 0, 0, 0, 1, 1, 2][random.usize(..8)];
            headers.extend((0..lines).map(|_| (name, pick(random, values))));
        }
        Self {
            method: pick(random, &METHODS),
            host: if random.u8(..4) == 0 { host.to_owned() } else { format!("{host}:{port}") },
            path,
            headers,
        }
    }

    /// The request as `overspill explain` reads it.
    pub(crate) fn as_json(&self) -> Value {
        let mut headers: Map<String, Value> = Map::new();
        for (name, value) in &self.headers {
            let values = headers.entry(*name).or_insert_with(|| json!([]));
            values.as_array_mut().expect("a list").push(json!(value));
        }
        json!({ "method": self.method, "host": self.host, "path": self.path, "headers": headers })
    }

    /// Sends it to the router.
    pub(crate) fn send(&self, client: &mut Client) -> Reply {
        client.to(&self.host).ask(self.method, &self.path, &self.headers, "")
    }
}

fn pick(random: &mut Rng, words: &[&'static str]) -> &'static str {
    words[random.usize(..words.len())]
}
