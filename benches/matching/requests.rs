//! The requests of each case, one set a kind of match.

use overspill::routing::Head;
use overspill::snapshot::{Decision, Snapshot, choose};

use super::documents::{Ask, service_host, wildcards};

/// Requests that one kind of rule takes.
pub(crate) struct Case {
    /// What is measured.
    pub(crate) name: &'static str,
    /// The most that the median may be, in nanoseconds.
    pub(crate) goal: u64,
    /// The end of the name of the rule that must take them, `None` for no rule: a case that measures something else is of
    /// no use.
    pub(crate) rule: Option<&'static str>,
    /// The requests.
    pub(crate) asks: Vec<Ask>,
}

const MICROSECOND: u64 = 1_000;

impl Case {
    /// The heads of the requests, each decided once and by one of the case's rules. Expressions build part of their
    /// automata on the texts that they meet first, which decisions after that find built.
    pub(crate) fn warm_up(&self, snapshot: &Snapshot) -> Vec<Head<'_>> {
        let heads: Vec<_> = self.asks.iter().map(Ask::head).collect();
        for head in &heads {
            let route = match choose(snapshot, head, 0) {
                Decision::Forward { route, .. } => Some(&*snapshot.route(route).name),
                _ => None,
            };
            let expected = match (route, self.rule) {
                (Some(name), Some(end)) => name.ends_with(end),
                (route, rule) => route.is_none() && rule.is_none(),
            };
            assert!(expected, "{}: the rule {route:?} took a request", self.name);
        }
        heads
    }
}

fn case(
    name: &'static str,
    rule: Option<&'static str>,
    hosts: impl Iterator<Item = String>,
    ask: impl Fn(String) -> Ask,
) -> Case {
    Case { name, goal: MICROSECOND, rule, asks: hosts.map(ask).collect() }
}

/// Requests to [`super::documents::estate`].
pub(crate) fn of_estate(hosts: usize) -> Vec<Case> {
    let exact = || (0..hosts - wildcards(hosts)).map(service_host);
    let wild = || (0..wildcards(hosts)).map(|host| format!("some.pod.tenant-{host}.example.com"));
    vec![
        case("exact path, first rule", Some("/0"), exact(), |host| Ask::get(host, "/v1/models")),
        case("exact path and method", Some("/1"), exact(), |host| Ask::get(host, "/v1/embeddings").post()),
        case("exact path, second alternative", Some("/2"), exact(), |host| Ask::get(host, "/readyz")),
        case("exact path, wildcard host", Some("/0"), wild(), |host| Ask::get(host, "/v1/models")),
        case("exact path, upper-case host and port", Some("/0"), exact(), |host| {
            Ask::get(format!("{}:80", host.to_uppercase()), "/v1/models")
        }),
        case("prefix, sixth rule", Some("/5"), exact(), |host| Ask::get(host, "/v1/chat/completions")),
        case("prefix, seventh rule", Some("/6"), exact(), |host| Ask::get(host, "/v1/completions")),
        case("prefix, wildcard host", Some("/5"), wild(), |host| Ask::get(host, "/v1/chat/completions")),
        case("prefix and query parameter", Some("/7"), exact(), |host| Ask::get(host, "/api/x").query("a=b&version=2")),
        case("prefix and header", Some("/3"), exact(), |host| {
            Ask::get(host, "/v1/completions").header("accept", "*/*").header("x-tier", "gold")
        }),
        case("prefix, header of two lines", Some("/6"), exact(), |host| {
            Ask::get(host, "/v1/completions").header("x-tier", "silver").header("x-tier", "gold")
        }),
        case("header present", Some("/4"), exact(), |host| Ask::get(host, "/any").header("x-canary", "yes")),
        case("regex", Some("/8"), exact(), |host| Ask::get(host, "/users/12345/profile")),
        case("the rule for the rest", Some("rest"), exact(), |host| Ask::get(host, "/a/path/of/no/other/rule")),
        case("unknown host", None, (0..hosts).map(|host| format!("none-{host}.example.org")), |host| {
            Ask::get(host, "/v1/models")
        }),
    ]
}

/// Requests to [`super::documents::expressions`].
pub(crate) fn of_expressions() -> Vec<Case> {
    let ask = |model: usize| Ask::get(service_host(0), format!("/tenants/acme-corp-7/models/m{model}/predict"));
    let all = |name, rule, models: Vec<usize>| Case {
        name,
        goal: 5 * MICROSECOND,
        rule,
        asks: models.into_iter().map(ask).collect(),
    };
    vec![
        all("20 regexes, any of them", Some(""), (0..20).collect()),
        all("20 regexes, the last", Some("/19"), vec![19]),
        all("20 regexes, none", None, vec![99]),
    ]
}

/// Requests to [`super::documents::crowd`].
pub(crate) fn of_crowd(rules: usize) -> Vec<Case> {
    let rules = (0..rules).step_by(2);
    let ask = |path: String| Ask::get(service_host(0), path);
    let all = |name, rule, asks: Vec<Ask>| Case { name, goal: MICROSECOND, rule, asks };
    vec![
        all("one of many exact paths", Some(""), rules.clone().map(|at| ask(format!("/exact/{at}"))).collect()),
        all("one of many prefixes", Some(""), rules.map(|at| ask(format!("/prefix/{}/x", at + 1))).collect()),
        all("none of many rules", None, vec![ask("/none".to_owned())]),
    ]
}
