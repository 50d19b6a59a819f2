//! `LoadBalancerSettings`: consistent hashing, warm-up and localities.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::Judge;
use super::spot::Spot;

/// Envoy's limit on Maglev tables, which stay below it.
const MAGLEV_LIMIT: i64 = 5_000_011;
const TOPOLOGY_LABELS: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// One load balancer; `outlier` is what ejects endpoints under the same policy.
pub(super) fn judge(judge: &mut Judge<'_>, balancer: &Spot<'_>, outlier: &Spot<'_>) {
    consistent_hash(judge, &balancer.at("consistentHash"));
    let (locality, zone) = (balancer.at("localityLbSetting"), balancer.at("zoneAwareLbSetting"));
    if locality.is_set() && zone.is_set() {
        let message = "`localityLbSetting` and `zoneAwareLbSetting` can not be specified simultaneously.";
        judge.reject(&zone, message, "Keep one of them.");
    }
    localities(judge, &locality, outlier);
    zones(judge, &zone);
    let warmup = balancer.at("warmup");
    judge.duration(&warmup.at("duration"));
    let aggression = warmup.at("aggression");
    if aggression.is_set() && aggression.number() < 1.0 {
        let message = format!("The aggression {} should be greater than or equal to 1.", aggression.number());
        judge.reject(&aggression, message, "Write a number from 1.");
    }
}

fn consistent_hash(judge: &mut Judge<'_>, hash: &Spot<'_>) {
    let (cookie, older) = (hash.at("httpCookie"), hash.at("minimumRingSize"));
    if cookie.is_set() && cookie.at("name").text().is_empty() {
        judge.miss(&cookie, "A name is required for `httpCookie`.", "Add `name`.");
    }
    if older.int() != 0 {
        let cure = "Write `ringHash: {minimumRingSize: ...}`.";
        judge.warn(&older, "`minimumRingSize` is deprecated here.", cure);
        if hash.at("ringHash").is_set() || hash.at("maglev").is_set() {
            let message = "Only one of `minimumRingSize` and `maglev` or `ringHash` can be specified.";
            judge.reject(&older, message, "Keep one of them.");
        }
    }
    let size = hash.at("maglev").at("tableSize");
    if !hash.at("maglev").is_set() {
        return;
    }
    if size.int() == 0 {
        judge.miss(&size, "`tableSize` must be set for maglev.", "Write a prime such as 65537.");
    } else if size.int() >= MAGLEV_LIMIT || !is_prime(size.int()) {
        let message =
            format!("The tableSize {} must be a prime number less than {MAGLEV_LIMIT} for maglev.", size.int());
        judge.reject(&size, message, "Write a prime such as 65537.");
    }
}

/// As Envoy judges it: 1 counts as a prime.
fn is_prime(number: i64) -> bool {
    let mut factors = (3..).step_by(2).take_while(|factor| factor * factor <= number);
    matches!(number, 1..=3) || (number % 2 == 1 && factors.all(|factor| number % factor != 0))
}

fn localities(judge: &mut Judge<'_>, setting: &Spot<'_>, outlier: &Spot<'_>) {
    let (distribute, failover, priority) =
        (setting.at("distribute"), setting.at("failover"), setting.at("failoverPriority"));
    let has = |spot: &Spot<'_>| spot.items().next().is_some();
    if has(&distribute) && has(&failover) {
        let message = "`distribute` and `failover` can not be specified simultaneously.";
        judge.reject(&failover, message, "Keep one of them.");
        return;
    }
    if has(&failover)
        && let Some(label) = priority.items().find(|label| TOPOLOGY_LABELS.contains(&label.text()))
    {
        let message = format!(
            "`failover` and the topology label `{}` in `failoverPriority` can not be set simultaneously.",
            label.text()
        );
        judge.reject(&label, message, "Keep one of them.");
        return;
    }
    if !self::distribute(judge, &distribute) {
        return;
    }
    if (has(&failover) || has(&priority)) && !outlier.is_set() {
        judge.warn(setting, "Outlier detection must be provided for failover.", "Add `outlierDetection`.");
    }
    regions(judge, &failover);
}

/// Zones are preferred by themselves, so that no label may ask for it again.
fn zones(judge: &mut Judge<'_>, setting: &Spot<'_>) {
    let priority = setting.at("failoverPriority");
    for label in priority.items().filter(|label| TOPOLOGY_LABELS.contains(&label.text())) {
        let message =
            format!("`failoverPriority` of `zoneAwareLbSetting` must not hold the topology label `{}`.", label.text());
        judge.reject(&label, message, "Take it out.");
    }
    regions(judge, &setting.at("failover"));
}

/// Where the requests of a region go when it fails.
fn regions(judge: &mut Judge<'_>, failover: &Spot<'_>) {
    for one in failover.items() {
        let (from, to) = (one.at("from"), one.at("to"));
        if from.text() == to.text() {
            judge.reject(&one, "Failover settings must specify different regions.", "Correct `from` or `to`.");
        }
        for region in [from, to] {
            if region.text().contains('/') {
                judge.reject(&region, "Failover settings only specify regions.", "Take out the zone.");
            }
            if region.text().contains('*') {
                let message = "A region of failover settings should not contain the wildcard `*`.";
                judge.reject(&region, message, "Name the region.");
            }
        }
    }
}

/// Whether the weights are such that what follows is looked at.
fn distribute(judge: &mut Judge<'_>, distribute: &Spot<'_>) -> bool {
    let mut from = Localities::default();
    for one in distribute.items() {
        let mut sum: i64 = 0;
        let mut to = Localities::default();
        for (locality, weight) in one.at("to").entries() {
            if !(1..=100).contains(&weight.int()) {
                let message = format!("The locality weight {} must be in the range 1 to 100.", weight.int());
                judge.reject(&weight, message, "Write such a number.");
                return false;
            }
            sum += weight.int();
            to.add(judge, locality, &weight);
        }
        if sum != 100 {
            let message = format!("The total locality weight is {sum}, and not 100.");
            judge.reject(&one.at("to"), message, "Correct the weights.");
            return false;
        }
        let spot = one.at("from");
        from.add(judge, spot.text(), &spot);
    }
    true
}

/// Localities (`REGION/ZONE/SUBZONE`, the last of them `*` for all) that are not to overlap.
#[derive(Default)]
struct Localities {
    regions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    wrong: bool,
}

impl Localities {
    /// Adds one of them, unless one before was wrong: Istio stops there.
    fn add(&mut self, judge: &mut Judge<'_>, locality: &str, spot: &Spot<'_>) {
        if self.wrong {
            return;
        }
        if let Err((message, cure)) = self.place(locality) {
            self.wrong = true;
            judge.reject(spot, message, cure);
        }
    }

    fn place(&mut self, locality: &str) -> Result<(), (String, &'static str)> {
        let stars = locality.matches('*').count();
        if stars > 1 || (stars == 1 && !locality.ends_with('*')) {
            let message =
                format!("The wildcard `*` of the locality `{locality}` must be the only one, and at the end.");
            return Err((message, "Write it so, as in `us-west/*`."));
        }
        let parts: Vec<&str> = locality.splitn(3, '/').collect();
        let overlaps = self.regions.contains_key("*")
            || match (self.regions.get(parts[0]), parts.as_slice()) {
                (None, _) => false,
                (Some(zones), [_, zone]) => zones.contains_key("*") || zones.contains_key(*zone),
                (Some(zones), [_, zone, subzone, ..]) => {
                    let within = |subzones: &BTreeSet<String>| subzones.contains("*") || subzones.contains(*subzone);
                    zones.contains_key("*") || zones.get(*zone).is_some_and(within)
                }
                (Some(_), _) => true,
            };
        if overlaps {
            let message = format!("The locality `{locality}` overlaps with previously specified ones.");
            return Err((message, "Take one of the two out."));
        }
        if parts.contains(&"") {
            let message = format!("The locality `{locality}` must not contain an empty region, zone or subzone.");
            return Err((message, "Write REGION, REGION/ZONE or REGION/ZONE/SUBZONE."));
        }
        let part = |at: usize| (*parts.get(at).unwrap_or(&"*")).to_owned();
        self.regions.entry(part(0)).or_default().entry(part(1)).or_default().insert(part(2));
        Ok(())
    }
}
