//! Documents in, findings out, reviewed as text; and whatever the bytes, never a panic.
//!
//! `UPDATE_GOLDEN=1 cargo test --test config` writes the expected texts anew.

#![allow(clippy::expect_used, reason = "a failed expectation is a failed test, in its helpers too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use overspill::config::{CODES, Checked, Loaded, Overrides, Severity, SourceFile, admit, dump, load, not_executed};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The YAML files of a folder, in the order of their names.
fn documents(name: &str) -> Vec<SourceFile> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder(name))
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| SourceFile {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        bytes: std::fs::read(&path).expect("a readable file"),
    };
    paths.into_iter().map(read).collect()
}

fn load_text(text: &str) -> Loaded {
    load(&[SourceFile { name: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() }], &Overrides::default())
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.problems.iter().map(|problem| problem.code).collect()
}

fn as_text(loaded: &Loaded) -> String {
    let mut text = String::new();
    for problem in &loaded.problems {
        writeln!(text, "{problem}").expect("a string takes every text");
    }
    if let Some(checked) = &loaded.checked {
        writeln!(text, "{:#}", dump(checked)).expect("a string takes every text");
    }
    text
}

/// Holds what `found` says of each document of a folder against the text beside it.
fn hold_against_golden(golden: &str, found: impl Fn(&SourceFile) -> String) {
    let files = documents(golden);
    assert!(files.len() >= 5, "the golden documents are in the repository");
    for file in files {
        let expected = folder(golden).join(file.name.replace(".yaml", ".txt"));
        let found = found(&file);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &found).expect("a writable folder");
        }
        let expected = std::fs::read_to_string(&expected).expect("a golden text; UPDATE_GOLDEN=1 writes it");
        assert_eq!(found, expected, "{}", file.name);
    }
}

#[test]
fn documents_give_the_findings_reviewed() {
    hold_against_golden("tests/golden/config", |file| {
        as_text(&load(std::slice::from_ref(file), &Overrides::default()))
    });
}

#[test]
fn what_a_config_map_holds_stands_on_the_lines_of_its_file() {
    const SETTINGS: &str =
        "    apiVersion: overspill.dev/v1\n    kind: Settings\n    metadata: {name: a}\n    spec: {x: 1}\n";
    for (value, line) in [
        (format!(" |\n{SETTINGS}"), 9),
        (format!(" |\n\n\n{SETTINGS}"), 11),
        (format!(" |\n    # Said first.\n\n{SETTINGS}"), 11),
        (format!("\n    |-\n{SETTINGS}"), 10),
    ] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a.yaml:{value}");
        let problems = load_text(&text).problems;
        assert_eq!(problems.iter().map(|problem| problem.place.line).collect::<Vec<_>>(), [line], "{text}");
    }
}

#[test]
fn documents_by_themselves_are_judged_as_istio_judges_them() {
    hold_against_golden("tests/golden/admission", |file| {
        let problems = admit(std::slice::from_ref(file));
        let said = problems.iter().filter(|problem| !["OVS101", "OVS102"].contains(&problem.code));
        said.fold(String::new(), |text, problem| format!("{text}{problem}\n"))
    });
}

#[test]
fn documents_together_are_judged_as_istioctl_judges_them() {
    hold_against_golden("tests/golden/analysis", |file| {
        let loaded = load(std::slice::from_ref(file), &Overrides::default());
        assert!(loaded.checked.is_some(), "{}: such documents can be explained", file.name);
        let said = loaded.problems.iter().filter(|problem| !["OVS101", "OVS102"].contains(&problem.code));
        said.fold(String::new(), |text, problem| format!("{text}{problem}\n"))
    });
}

#[test]
fn what_istioctl_reports_and_istio_serves_is_served() {
    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
                           spec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n---\n";
    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\n---\n";
    const GATEWAY: &str = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: front, namespace: edge}\n\
                           spec: {selector: {app: front}, servers: [{port: {number: 80, name: http, protocol: HTTP}, \
                           hosts: ['*']}]}\n---\n";
    let rule = |host: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: web}}\n\
             spec: {{host: '{host}', subsets: [{{name: v1, labels: {{version: v1}}}}]}}\n---\n"
        )
    };
    let routes = |spec: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: web}}\n\
             spec: {{hosts: [web.example], {spec}}}\n"
        )
    };
    let subset = routes("http: [{route: [{destination: {host: web, subset: v1}}]}]");
    let gateway = routes("gateways: [front.edge.svc.cluster.local], http: [{redirect: {uri: /}}]");
    for (text, errors) in [
        (format!("{SERVICE}{}{subset}", rule("web")), vec!["IST0173"]),
        (format!("{SERVICE}{}{subset}", rule("*.default.svc.cluster.local")), vec!["IST0101"]),
        (format!("{POD}{GATEWAY}"), vec!["IST0101"]),
        (format!("{GATEWAY}{gateway}"), vec!["IST0101"]),
    ] {
        let loaded = load_text(&text);
        let found = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error);
        assert_eq!(found.map(|problem| problem.code).collect::<Vec<_>>(), errors, "{text}");
        assert!(!loaded.is_faulty(), "{text}");
    }
}

#[test]
fn what_istio_takes_and_the_router_does_not_do_is_a_warning_for_a_document_by_itself() {
    let text = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\n\
                spec: {host: a, trafficPolicy: {proxyProtocol: {version: V1}, tunnel: null}}\n";
    let file = SourceFile { name: "a.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let severity = |problems: Vec<overspill::config::Problem>| {
        let of_code = problems.into_iter().find(|problem| problem.code == "OVS102");
        of_code.map(|problem| problem.severity.as_str())
    };
    assert_eq!(severity(admit(std::slice::from_ref(&file))), Some("warning"));
    assert_eq!(severity(load(&[file], &Overrides::default()).problems), Some("error"));
}

#[test]
fn the_example_documents_have_no_problem() {
    let loaded = load(&documents("config"), &Overrides::default());
    assert_eq!(loaded.problems, []);
    let Checked { pools, virtual_hosts, local_model, .. } = loaded.checked.expect("no problem is an error");
    assert!(local_model.is_some());
    let embeddings = &virtual_hosts[0];
    let hosts: Vec<String> = embeddings.hosts.iter().map(ToString::to_string).collect();
    for host in ["embeddings.inference.svc.cluster.local", "localhost", "127.0.0.1"] {
        assert!(hosts.contains(&host.to_owned()), "{host} is not among {hosts:?}");
    }
    let split = |route: usize| -> Vec<(String, u32)> {
        let shares = &embeddings.routes[route].split;
        shares.iter().map(|share| (pools[share.pool.0].key.to_string(), share.weight)).collect()
    };
    let gpu = "embeddings-gpu.inference.svc.cluster.local:80";
    assert_eq!(split(0), [(format!("{gpu}/stable"), 100)]);
    let cpu = "embeddings-cpu.inference.svc.cluster.local:80".to_owned();
    assert_eq!(split(1), [(format!("{gpu}/stable"), 66), (format!("{gpu}/canary"), 4), (cpu, 30)]);
}

#[test]
fn nothing_at_all_is_the_defaults_and_a_warning() {
    for files in [vec![], vec![SourceFile { name: "empty.yaml".to_owned(), bytes: b"# nothing\n---\n".to_vec() }]] {
        let loaded = load(&files, &Overrides::default());
        assert_eq!(codes(&loaded), ["OVS002"]);
        let checked = loaded.checked.expect("the defaults are valid");
        assert_eq!(checked.startup.listen.map(|listen| listen.to_string()).as_deref(), Some("0.0.0.0:8080"));
        assert_eq!(checked.startup.admin.to_string(), "0.0.0.0:15000");
        assert_eq!(checked.limits.max_body_bytes, 10_485_760);
        assert!(checked.virtual_hosts.is_empty() && checked.local_model.is_none());
    }
}

#[test]
fn overrides_win_over_the_documents() {
    let overrides = Overrides {
        listen: Some(([127, 0, 0, 1], 1).into()),
        admin: Some(([127, 0, 0, 1], 2).into()),
        model: Some(PathBuf::from("/models")),
        log: Some("debug".to_owned()),
        ..Overrides::default()
    };
    let checked = load(&documents("config"), &overrides).checked.expect("the examples are valid");
    assert_eq!((checked.startup.listen.map(|listen| listen.port()), checked.startup.admin.port()), (Some(1), 2));
    assert_eq!(checked.local_model.expect("it is on").folder, PathBuf::from("/models"));
    assert_eq!(checked.startup.log, "debug");
}

#[test]
fn json_is_read_as_well() {
    let loaded = load_text(
        "{\n\t\"apiVersion\": \"overspill.dev/v1\",\n\t\"kind\": \"Settings\",\n\t\"metadata\": {\"name\": \"a\"},\n\t\"spec\": {\"backlog\": 7}\n}\n",
    );
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.checked.expect("a valid document").startup.backlog, 7);
}

#[test]
fn hostile_texts_are_refused_in_bounded_time_and_space() {
    let laughs = (0..12).fold("a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let alias = format!("*a{level}, ").repeat(10);
        format!("{text}b{level}: &a{} [{alias}]\n", level + 1)
    });
    for text in [laughs, "[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000), "? ".repeat(10_000)] {
        let loaded = load_text(&text);
        assert!(loaded.checked.is_none());
        assert!(codes(&loaded).contains(&"OVS001"), "{:?}", codes(&loaded));
    }
    let latin = load(&[SourceFile { name: "a".to_owned(), bytes: b"a: 1\nb: \xff\n".to_vec() }], &Overrides::default());
    assert_eq!(codes(&latin), ["OVS001"]);
    assert_eq!((latin.problems[0].place.line, latin.problems[0].message.as_str()), (2, "Byte 8 is not UTF-8."));
}

/// Few bytes that ask for much: each is refused with its place and cure, and read no slower for it.
#[test]
fn what_multiplies_is_bounded_over_the_whole_configuration() {
    let numbers = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(", ");
    let entry = |hosts: String, ports: String, endpoints: String| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\n\
             spec: {{resolution: STATIC, hosts: [{hosts}], ports: [{ports}], endpoints: [{endpoints}]}}\n---\n"
        )
    };
    let port = |at: usize| format!("{{number: {}, name: http-{at}, protocol: HTTP}}", at + 1);
    let address = |at: usize| format!("{{address: 10.0.{}.{}}}", at / 256, at % 256);
    let hosts = || numbers(256, &|at| format!("h{at}.example"));
    let ports = entry(hosts(), numbers(120, &port), numbers(250, &address));
    let endpoints = entry(hosts(), port(0), numbers(1000, &address));
    let next = numbers(20, &|at| format!("{{host: a.example, subset: s{at}}}"));
    let spills = entry("a.example".to_owned(), numbers(1000, &port), address(1))
        + &format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a}}\nspec: {{host: a.example, \
             subsets: [{}]}}\n---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: a}}\n\
             spec: {{host: a.example, spillTo: [{next}]}}\n",
            numbers(20, &|at| format!("{{name: s{at}}}")),
        );
    let subsets = numbers(150, &|at| format!("{{name: s{at}}}"));
    let routes = numbers(150, &|at| {
        format!("{{match: [{{uri: {{exact: /{at}}}}}], route: [{{destination: {{host: a.example, subset: s{at}}}}}]}}")
    });
    let rings = entry("a.example".to_owned(), port(0), address(1))
        + &format!(
            "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a}}\nspec: {{host: a.example, \
             trafficPolicy: {{loadBalancer: {{consistentHash: {{useSourceIp: true, ringHash: {{minimumRingSize: 1048576}}}}}}}}, \
             subsets: [{subsets}]}}\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\n\
             spec: {{hosts: [a.example], http: [{routes}]}}\n"
        );
    let regexes = numbers(400, &|at| {
        format!("{{match: [{{uri: {{regex: '/{at}(?i)\\pL{{40}}'}}}}], directResponse: {{status: 200}}}}")
    });
    let expressions = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\n\
         spec: {{hosts: [a.example], http: [{regexes}]}}\n"
    );
    for (text, code, line, said) in [
        (ports, "OVS209", 4, "the hosts have more than 20000 ports together"),
        (endpoints, "OVS209", 4, "the hosts and pools have more than 250000 endpoints together"),
        (spills, "OVS209", 4, "there are more than 20000 pools together"),
        (rings, "OVS209", 4, "hash tables have more than 8388608 places together"),
        (expressions, "OVS102", 4, "the expressions are too many or too large"),
    ] {
        let loaded = load_text(&text);
        let problem = loaded.problems.iter().find(|problem| problem.message.contains(said));
        let problem = problem.expect(said);
        assert_eq!((problem.code, problem.place.line), (code, line), "{problem}");
        assert!(loaded.is_faulty() && !problem.cure.is_empty());
    }
}

#[test]
fn every_code_found_is_in_the_list_of_codes() {
    let known: Vec<&str> = CODES.iter().map(|code| code.code).collect();
    for file in documents("tests/golden/config") {
        for code in codes(&load(&[file], &Overrides::default())) {
            assert!(known.contains(&code), "{code}");
        }
    }
    let paths: Vec<String> = not_executed().into_iter().map(|row| row.path).collect();
    assert!(paths.contains(&"spec.http[].match[].statPrefix".to_owned()));
}

/// Steele and Vigna's `SplitMix64`: the same bytes are damaged in the same way at every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn damage(bytes: &mut Vec<u8>, state: &mut u64) {
    const SHAPES: &[u8] = b"\n\t :-[]{}&*!|>'\"%#?,~0\xc3\xff";
    let below = |limit: usize, state: &mut u64| {
        usize::try_from(next(state) % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or_default()
    };
    for _ in 0..=below(6, state) {
        let (at, length) = (below(bytes.len(), state), below(40, state));
        match below(5, state) {
            0 => bytes.truncate(at),
            1 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = u8::try_from(next(state) % 256).unwrap_or(0)),
            2 => bytes.insert(at, SHAPES[below(SHAPES.len(), state)]),
            3 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            _ => {
                let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
                let to = below(bytes.len(), state);
                bytes.splice(to..to, copy);
            }
        }
    }
}

#[test]
fn damaged_documents_never_panic() {
    let mut samples = documents("tests/golden/config");
    samples.extend(documents("config"));
    let (mut state, mut valid, mut faulty) = (7, 0, 0);
    for round in 0..4000 {
        let mut file = samples[round % samples.len()].clone();
        damage(&mut file.bytes, &mut state);
        let loaded = load(&[file], &Overrides::default());
        assert!(loaded.checked.is_some() || loaded.is_faulty(), "a configuration is missing for an error alone");
        if loaded.is_faulty() { faulty += 1 } else { valid += 1 }
    }
    assert!(faulty > 1000 && valid > 10, "the damage is neither too great nor too small: {faulty} and {valid}");
}
