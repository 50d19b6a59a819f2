//! A router under traffic that brings up every series: answers, errors, spills, refusals and local answers.

use std::ffi::OsString;

use super::files::root;
use super::harness::{
    Answer, Connection, Exchange, Folder, Router, Service, Setup, Upstream, Wire, policy, virtual_service,
};

/// The router, and what must live as long as it.
pub(super) struct Scenario {
    pub(super) router: Router,
    _folder: Folder,
    upstreams: [Upstream; 3],
    waiting: Vec<Connection>,
    held: Vec<Exchange>,
}

const HOSTS: [&str; 5] = ["gpu.example", "bad.example", "full.example", "spill.example", "none.example"];

/// Requests at once for the local model, whose queue has room for one text: some of them are refused.
const AT_ONCE: usize = 5;

fn documents(upstreams: &[Upstream; 3]) -> String {
    let [good, bad, held] = upstreams.each_ref().map(|upstream| upstream.address);
    let endpoints = [vec![good], vec![bad], vec![held], vec![held], vec![]];
    let services =
        HOSTS.iter().zip(&endpoints).map(|(host, endpoints)| Service { host, wire: Wire::H1, endpoints }.document());
    let rules = HOSTS.iter().map(|host| {
            let name = host.strip_suffix(".example").expect("a host of the list");
            format!("  - {{name: {name}, match: [{{uri: {{prefix: /{name}}}}}, {{headers: {{to: {{exact: {name}}}}}}}], route: [{{destination: {{host: {host}}}}}]}}\n")
    });
    let rules = rules.collect::<Vec<_>>().concat();
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: s}\nspec: {localModel: {folder: .local-model, queue: 1}}\n";
    let policies = policy("gpu.example", "tier: gpu, latencyObjective: 500ms, scaling: {preset: online}")
        + &policy("full.example", "tier: cpu, slotsPerEndpoint: 1, queue: {maxPending: 0}")
        + &policy("spill.example", "tier: cpu, slotsPerEndpoint: 1, spillTo: [{host: gpu.example}]")
        + &policy("none.example", "localModel: Allow, queue: {maxPending: 0}");
    virtual_service("app.example", &rules) + &services.collect::<String>() + &policies + settings
}

fn begin(router: &Router, path: &str) -> Connection {
    let mut connection = Connection::open(router.traffic);
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
    connection
}

/// Asks the local model for the vectors of `texts`.
fn embed(router: &Router, texts: &[String]) -> Connection {
    let body = serde_json::json!({ "input": texts, "model": "all-MiniLM-L6-v2" }).to_string();
    let mut connection = Connection::open(router.traffic);
    connection.send(format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: app.example\r\nto: none\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    connection
}

impl Scenario {
    /// Starts the router and brings every series up.
    pub(super) fn start() -> Self {
        let ok = Answer::Fixed(200, "ok".to_owned());
        let upstreams =
            [ok, Answer::Fixed(500, "no".to_owned()), Answer::Held].map(|answer| Upstream::start(Wire::H1, answer));
        let folder = Folder::with(&documents(&upstreams));
        let model = std::env::var_os("OVERSPILL_MODEL").unwrap_or_else(|| OsString::from(root().join(".local-model")));
        let router = Router::with(&Setup { config: folder.path(), variables: &[("OVERSPILL_MODEL", model)] });
        let mut scenario = Self { router, _folder: folder, upstreams, waiting: Vec::new(), held: Vec::new() };
        scenario.traffic();
        scenario
    }

    /// Some more of it, so that rates have two readings.
    pub(super) fn traffic(&mut self) {
        if self.held.is_empty() {
            for path in ["/full", "/spill"] {
                self.waiting.push(begin(&self.router, path));
                self.held.push(self.upstreams[2].next());
            }
        }
        for (path, status) in [("/gpu", 200), ("/bad", 500), ("/full", 429), ("/spill", 200)] {
            assert_eq!(begin(&self.router, path).read_reply().head.status, status, "{path}");
        }
        // So much that the others come while it is computed, on a busy machine too.
        let texts = vec!["the quick brown fox jumps over the lazy dog ".repeat(20); 16];
        let mut asked: Vec<Connection> = (0..AT_ONCE).map(|_| embed(&self.router, &texts)).collect();
        let replies: Vec<u16> = asked.iter_mut().map(|connection| connection.read_reply().head.status).collect();
        assert!(replies.contains(&200) && replies.contains(&429), "{replies:?}");
    }
}
