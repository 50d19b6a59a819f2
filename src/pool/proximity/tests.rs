use super::*;
use crate::domain::LocalityPattern;

/// Where endpoints are, `@` between a locality and a label `app`, `*` before a weight: `r/z@a*2`.
fn endpoints(texts: &[&str]) -> Vec<(Locality, BTreeMap<String, String>, NonZeroU32)> {
    let endpoint = |text: &&str| {
        let (text, weight) = text.split_once('*').unwrap_or((text, "1"));
        let (locality, app) = text.split_once('@').unwrap_or((text, ""));
        let mut labels = BTreeMap::new();
        if !app.is_empty() {
            labels.insert("app".to_owned(), app.to_owned());
        }
        let locality = Locality::parse(locality);
        labels.extend(locality.labels().map(|(label, part)| (label.to_owned(), part.to_owned())));
        (locality, labels, weight.parse().expect("a weight"))
    };
    texts.iter().map(endpoint).collect()
}

/// The groups of the endpoints that are at `texts`, as the caller at `caller` sees them: the priority and weight of each
/// with the places of its endpoints.
fn arranged(texts: &[&str], caller: &str, balancing: &LocalityBalancing) -> Option<Vec<(u32, u64, Vec<usize>)>> {
    let own = endpoints(texts);
    let caller = endpoints(&[caller]);
    let members: Vec<_> =
        own.iter().map(|(locality, labels, weight)| Member { locality, labels, weight: *weight }).collect();
    let caller = Member { locality: &caller[0].0, labels: &caller[0].1, weight: NonZeroU32::MIN };
    let arrangement = arrange(&members, caller, balancing)?;
    let places = |group| (0..texts.len()).filter(|place| arrangement.groups[*place] == Some(group)).collect();
    Some(arrangement.ranks.iter().zip(0..).map(|(rank, group)| (rank.priority, rank.weight, places(group))).collect())
}

fn failover(labels: &[&str], regions: &[(&str, &str)]) -> LocalityBalancing {
    let label = |text: &&str| match text.split_once('=') {
        Some((label, value)) => (label.into(), Some(value.into())),
        None => ((*text).into(), None),
    };
    LocalityBalancing::Failover(Failover {
        labels: labels.iter().map(label).collect(),
        regions: regions.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect(),
    })
}

#[test]
fn the_mesh_prefers_what_is_near() {
    let near_first = failover(&[], &[]);
    let all = ["r/z/s", "r/z/t", "r/y/s", "q/z/s", "r/z/s*3"];
    let expected = vec![(0, 4, vec![0, 4]), (1, 1, vec![1]), (2, 1, vec![2]), (3, 1, vec![3])];
    assert_eq!(arranged(&all, "r/z/s", &near_first), Some(expected));
    // Priorities follow each other, whatever the distances.
    assert_eq!(arranged(&["q", "r/y"], "r/z", &near_first), Some(vec![(0, 1, vec![1]), (1, 1, vec![0])]));
    for (all, caller) in [(&["r/z", "r/z"][..], "r/z"), (&["q/z", "p/z"], "r/z"), (&["", ""], ""), (&[], "r")] {
        assert_eq!(arranged(all, caller, &near_first), None, "{all:?} are alike to {caller}");
    }
    assert_eq!(arranged(&all, "r/z/s", &LocalityBalancing::Off), None);
}

#[test]
fn a_region_fails_over_to_the_one_that_is_named() {
    let all = ["r/z", "q/z", "p/z", "p/y*2"];
    let to_p = failover(&[], &[("r", "p"), ("r", "q")]);
    let expected = vec![(0, 1, vec![0]), (1, 2, vec![3]), (1, 1, vec![2]), (2, 1, vec![1])];
    assert_eq!(arranged(&all, "r/z", &to_p), Some(expected), "by locality, with its weight");
    let others = vec![(0, 1, vec![1]), (1, 1, vec![0]), (1, 2, vec![3]), (1, 1, vec![2])];
    let sorted = |groups: Option<Vec<(u32, u64, Vec<usize>)>>| {
        groups.map(|mut groups| {
            groups.sort();
            groups
        })
    };
    assert_eq!(sorted(arranged(&all, "q/z", &to_p)), sorted(Some(others)), "the rule is not for this region");
}

#[test]
fn labels_decide_in_their_order() {
    let region = "topology.kubernetes.io/region";
    let all = ["r@a", "r@b", "q@a", "q@b"];
    let by = |labels: &[&str]| {
        let groups = arranged(&all, "r@a", &failover(labels, &[])).expect("a difference");
        groups.into_iter().map(|(priority, _, places)| (priority, places)).collect::<Vec<_>>()
    };
    assert_eq!(by(&["app", region]), [(0, vec![0]), (1, vec![2]), (2, vec![3]), (2, vec![1])]);
    assert_eq!(by(&[region, "app"]), [(0, vec![0]), (1, vec![1]), (2, vec![2, 3])]);
    assert_eq!(by(&["app=b"]), [(0, vec![3]), (0, vec![1]), (1, vec![2]), (1, vec![0])]);
    assert_eq!(by(&["app", "missing"]), [(0, vec![2]), (0, vec![0]), (1, vec![3]), (1, vec![1])]);
    // Regions refine what the labels leave open.
    let both = arranged(&all, "r@a", &failover(&["app"], &[("r", "q")])).expect("a difference");
    assert_eq!(both.iter().map(|group| group.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(both.iter().map(|group| group.2[0]).collect::<Vec<_>>(), [0, 2, 1, 3]);
}

#[test]
fn percentages_are_those_of_the_first_rule_for_the_caller() {
    let rule = |from: &str, to: &[(&str, u32)]| Distribution {
        from: LocalityPattern::parse(from),
        to: to.iter().map(|(to, percent)| (LocalityPattern::parse(to), *percent)).collect(),
    };
    let rules =
        LocalityBalancing::Distribute(vec![rule("r/z/*", &[("r/z/*", 80), ("r/y", 20)]), rule("r/*", &[("r/y", 100)])]);
    let all = ["r/z/s", "r/y/s", "q/z/s", "r/z/t*3"];
    assert_eq!(
        arranged(&all, "r/z/s", &rules),
        Some(vec![(0, 20, vec![1]), (0, 20, vec![0]), (0, 60, vec![3])]),
        "localities of one pattern share its percentage by weight, and others get nothing"
    );
    assert_eq!(arranged(&all, "r/x", &rules), Some(vec![(0, 100, vec![1])]));
    assert_eq!(
        arranged(&all, "q/z", &rules),
        Some(vec![(0, 1, vec![2]), (0, 1, vec![1]), (0, 1, vec![0]), (0, 3, vec![3])]),
        "without a rule for the caller, each locality by its weights"
    );
    assert_eq!(arranged(&["q"], "r/x", &rules), Some(vec![]), "no endpoint is left");
}
