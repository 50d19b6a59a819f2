//! The documents that a simulated router has.

use overspill::config::{Checked, Overrides, SourceFile, load};
use overspill::snapshot::{Resolved, Snapshot, compile};

/// The documents of a router for `app.example` with a GPU pool of `gpus` endpoints and a CPU pool of `cpus`, whose policies have these
/// fields; `rest` is further documents.
pub fn documents((gpus, gpu_policy): (u16, &str), (cpus, cpu_policy): (u16, &str), rest: &str) -> String {
    let service = |host: &str, endpoints: u16, first: u16| {
        let endpoints: String = (0..endpoints)
            .map(|nth| format!("\n  - {{address: 10.0.0.1, ports: {{http: {}}}}}", first + nth))
            .collect();
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {host}}}\nspec:\n  \
             hosts: [{host}.example]\n  resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  \
             endpoints:{endpoints}\n"
        )
    };
    let policy = |host: &str, fields: &str| {
        format!(
            "---\napiVersion: overspill.dev/v1\nkind: PoolPolicy\nmetadata: {{name: {host}}}\n\
             spec: {{host: {host}.example, tier: {host}, {fields}}}\n"
        )
    };
    service("gpu", gpus, 1000)
        + &service("cpu", cpus, 2000)
        + &policy("gpu", gpu_policy)
        + &policy("cpu", cpu_policy)
        + rest
}

/// What they make, in place of what was in force before.
pub fn snapshot(text: String, previous: Option<&Snapshot>) -> Snapshot {
    compile(&checked(text), &Resolved::default(), previous)
}

/// Routes for `app.example`, a block list.
pub fn routes(rules: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: app}}\n\
         spec:\n  hosts: [app.example]\n  http:\n{rules}\n"
    )
}

fn checked(text: String) -> Checked {
    let file = SourceFile { name: "simulation.yaml".to_owned(), bytes: text.into_bytes() };
    let loaded = load(&[file], &Overrides::default());
    assert!(!loaded.is_faulty(), "{:#?}", loaded.problems);
    loaded.checked.unwrap_or_else(|| panic!("{:#?}", loaded.problems))
}
