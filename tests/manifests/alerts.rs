//! The rules are valid, and every alert has been seen to fire and to be quiet.

use std::fs;
use std::process::Command;

use super::files::{text, yaml};
use super::tools::{all, tool};

const RULES: &str = "manifests/base/monitoring/rules.yaml";
const TESTS: &str = "tests/manifests/alerts.yaml";

#[test]
fn promtool_finds_no_fault_and_every_alert_fires_and_is_quiet() {
    let Some(promtool) = tool("promtool") else { return };
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    // The format of Prometheus itself is what stands under `spec` for its operator, and JSON is YAML.
    let rules = yaml(RULES, &text(RULES)).remove(0)["spec"].to_string();
    fs::write(folder.path().join("rules.yaml"), rules).expect("a temporary folder is writable");
    fs::write(folder.path().join("alerts.yaml"), text(TESTS)).expect("a temporary folder is writable");
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "alerts.yaml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(folder.path()).output();
        let output = output.expect("promtool starts");
        assert!(output.status.success(), "{}", all(&output));
    }
}

#[test]
fn every_alert_has_a_test_of_both() {
    let rules = yaml(RULES, &text(RULES)).remove(0);
    let tests = yaml(TESTS, &text(TESTS)).remove(0);
    let groups = rules["spec"]["groups"].as_array().expect("groups").iter();
    let alerts =
        groups.flat_map(|group| group["rules"].as_array().expect("rules")).filter_map(|rule| rule["alert"].as_str());
    let alerts: Vec<&str> = alerts.collect();
    assert!(alerts.len() >= 6, "{alerts:?}");
    for alert in alerts {
        let asked =
            tests["tests"].as_array().expect("tests").iter().filter_map(|test| test["alert_rule_test"].as_array());
        let expected = asked
            .flatten()
            .filter(|asked| asked["alertname"] == *alert)
            .map(|asked| asked["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()));
        let expected: Vec<bool> = expected.collect();
        assert!(
            expected.contains(&true) && expected.contains(&false),
            "{alert} must be seen firing and quiet: {expected:?}"
        );
    }
}
