//! How far a peer's word is taken: what no router says is not added up.

use super::load::Load;
use super::meter::{Own, PoolLoad};

/// More of anything than a router has.
const MOST: f64 = 1e9;

impl Own {
    /// Holds the figures against what a router can say, so that sums of them stay numbers.
    ///
    /// # Errors
    /// The pool and the figure that cannot be.
    pub fn check(&self) -> Result<(), String> {
        self.pools.iter().try_for_each(|(pool, known)| check(pool, known))
    }
}

fn check(pool: &str, PoolLoad { load, carried, pace, evidence, .. }: &PoolLoad) -> Result<(), String> {
    let Load { seconds, concurrency, recent_concurrency, served_concurrency, surge, rise, .. } = load;
    let figures = [
        ("carried", carried),
        ("pace", pace),
        ("evidence", evidence),
        ("seconds", seconds),
        ("concurrency", concurrency),
        ("recent_concurrency", recent_concurrency),
        ("served_concurrency", served_concurrency),
        ("surge", surge),
        ("rise", rise),
        ("arrivals_per_second", &load.arrivals_per_second),
        ("recent_arrivals_per_second", &load.recent_arrivals_per_second),
        ("refusals_per_second", &load.refusals_per_second),
    ];
    if *evidence > 0.0 && *carried <= 0.0 {
        return Err(format!("the pool {pool:?} is said to be known and to carry {carried}"));
    }
    let wrong = figures.into_iter().find(|(_, figure)| !(0.0..=MOST).contains(*figure));
    // It alone may fall.
    let wrong = wrong.or_else(|| (!(-MOST..=MOST).contains(&load.growth)).then_some(("growth", &load.growth)));
    wrong.map_or(Ok(()), |(name, figure)| Err(format!("{name} of the pool {pool:?} is {figure}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_no_router_has_are_refused() {
        for (figures, good) in [
            ("{}", true),
            (r#"{"load": {"concurrency": 4.5, "growth": -2.0}, "carried": 8.0}"#, true),
            (r#"{"load": {"concurrency": -1e-300}}"#, false),
            (r#"{"evidence": 10.0}"#, false),
            (r#"{"evidence": 10.0, "carried": 8.0}"#, true),
            (r#"{"load": {"arrivals_per_second": 1e300}}"#, false),
            (r#"{"load": {"growth": -1e10}}"#, false),
            (r#"{"carried": -1}"#, false),
            (r#"{"evidence": 1e10}"#, false),
        ] {
            let text = format!(r#"{{"router": 1, "pools": {{"gpu": {figures}}}}}"#);
            let own: Own = serde_json::from_str(&text).expect("it is JSON of this form");
            assert_eq!(own.check().is_ok(), good, "{figures}: {:?}", own.check());
        }
    }
}
