//! Weighted choices in the long run.

use fastrand::Rng;
use http::{HeaderMap, Method};
use overspill::routing::Head;
use overspill::snapshot::{Decision, choose};

use super::documents::{documents, routes, snapshot};
use super::for_each_seed;

const DRAWS: u32 = 20_000;

#[test]
fn shares_are_those_of_the_weights_and_weight_0_gets_none() {
    for_each_seed(|seed| {
        let mut random = Rng::with_seed(seed);
        let gpu = random.u32(1..100);
        // Every other table has a destination of weight 0.
        let cpu = if random.bool() { 0 } else { random.u32(1..100) };
        let rule = format!(
            "  - route: [{{destination: {{host: gpu.example}}, weight: {gpu}}}, \
             {{destination: {{host: cpu.example}}, weight: {cpu}}}]"
        );
        let snapshot =
            snapshot(documents((1, "slotsPerEndpoint: 1"), (1, "slotsPerEndpoint: 1"), &routes(&rule)), None);
        let headers = HeaderMap::new();
        let head = Head {
            method: &Method::GET,
            scheme: "http",
            authority: "app.example",
            path: "/",
            query: None,
            headers: &headers,
            port: 80,
            server_name: None,
        };
        let to_gpu = |draw| match choose(&snapshot, &head, draw) {
            Decision::Forward { candidates, .. } => &*snapshot.pool(candidates[0]).name == "gpu.example:80",
            other => panic!("{other:?}"),
        };
        let found = f64::from((0..DRAWS).map(|_| u32::from(to_gpu(random.u64(..)))).sum::<u32>());
        let share = f64::from(gpu) / f64::from(gpu + cpu);
        // Of 256 seeds one in a thousand may be five standard deviations off; none is six.
        let bound = 6.0 * (f64::from(DRAWS) * share * (1.0 - share)).sqrt();
        assert!((found - f64::from(DRAWS) * share).abs() <= bound, "{found} of {DRAWS} for {gpu}:{cpu}");
    });
}
