//! What to try while it runs: commands that work as they stand.

use std::fs;
use std::net::SocketAddr;

use crate::config::{Checked, Route};

/// A text of which the pools remember nothing, so that it is embedded as asked.
const TEXT: &str = r#"{"text":"Which tier answers me?"}"#;

/// The weight that the canary is set to, or set back from.
const RAISED: u32 = 20;

/// Commands, each under a line that says what it shows.
pub(super) fn hints(checked: &Checked, traffic: SocketAddr, admin: SocketAddr) -> Vec<String> {
    let embed = |header: &str| {
        format!(
            "  curl -s -D - http://{traffic}/api/v1/embed -H 'content-type: application/json' {header}-d '{TEXT}' | cut -c -150"
        )
    };
    let mut lines = vec![
        "Try, in another terminal:".to_owned(),
        "  # latency-sensitive: all of it goes to the GPU pool; x-served-by says who answered".to_owned(),
        embed("-H 'x-latency-sensitive: true' "),
        "  # plain: by weight; Proxy-Status says why where it was spilled".to_owned(),
        embed(""),
        "  # the figures behind this table".to_owned(),
        format!("  curl -s http://{admin}/metrics | grep ^overspill_"),
        "  # another weight for the canary, in force within a second".to_owned(),
    ];
    let edits = checked.virtual_hosts.iter().flat_map(|host| &host.routes).filter_map(weight_edit);
    lines.push(
        edits
            .map(|edit| format!("  {edit}"))
            .next()
            .unwrap_or_else(|| "  (edit any weight in the VirtualService)".to_owned()),
    );
    lines
}

/// The command that gives the smallest destination of a split more, and its largest as much less.
fn weight_edit(route: &Route) -> Option<String> {
    let (file, line) = route.origin.rsplit_once(':')?;
    let weights: Vec<u32> = route.split.iter().map(|share| share.weight).collect();
    let text = fs::read_to_string(file).ok()?;
    let lines = weight_lines(&text, line.parse().ok()?, &weights)?;
    let edits = sed_edits(&weights, &lines)?;
    Some(format!("sed -i {edits} {}", quoted(file)))
}

/// The lines, from 1, of the weights of the rule that begins at line `first`. `None` where the document is written so
/// that they cannot be told by line.
fn weight_lines(text: &str, first: usize, weights: &[u32]) -> Option<Vec<usize>> {
    let written = |line: &str| {
        let code = line.split('#').next().unwrap_or_default();
        let value = code.split_once("weight:")?.1.trim_start();
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        value[..digits].parse::<u32>().ok()
    };
    let found = (1..).zip(text.lines()).skip(first.saturating_sub(1));
    let found = found.filter_map(|(number, line)| written(line).map(|weight| (number, weight)));
    let (lines, values): (Vec<usize>, Vec<u32>) = found.take(weights.len()).unzip();
    (values == weights).then_some(lines)
}

/// The edits as arguments of `sed`. The line's old weight is part of each, so that a second run changes nothing.
fn sed_edits(weights: &[u32], lines: &[usize]) -> Option<String> {
    let placed = || weights.iter().zip(lines);
    let (small, small_line) = placed().min_by_key(|(weight, _)| **weight)?;
    let (large, large_line) = placed().max_by_key(|(weight, _)| **weight)?;
    let more = RAISED.saturating_sub(*small);
    if small_line == large_line || more == 0 || *large <= more {
        return None;
    }
    let edit = |line: &usize, old: u32, new: u32| format!(r"-e '{line}s/weight: *{old}\b/weight: {new}/'");
    Some(format!("{} {}", edit(large_line, *large, large - more), edit(small_line, *small, RAISED)))
}

/// A path as one word of the shell.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};
    use crate::control::Folder;

    const RULE: &str = "http:\n  - name: first\n    route:\n      - weight: 100\n  - name: second # weight: 9\n    route:\n      \
                        - { destination: { host: a }, weight: 66 }\n      - destination: { host: b }\n        weight: 4\n";

    #[test]
    fn weights_are_found_from_the_rules_line_on() {
        assert_eq!(weight_lines(RULE, 5, &[66, 4]), Some(vec![7, 9]));
        assert_eq!(weight_lines(RULE, 1, &[100, 66, 4]), Some(vec![4, 7, 9]));
        assert_eq!(weight_lines(RULE, 5, &[66, 5]), None);
        assert_eq!(weight_lines(RULE, 5, &[66, 4, 1]), None);
    }

    #[test]
    fn the_edit_moves_weight_from_the_largest_to_the_smallest() {
        let edits = sed_edits(&[66, 4, 30], &[7, 9, 11]);
        assert_eq!(edits.as_deref(), Some(r"-e '7s/weight: *66\b/weight: 50/' -e '9s/weight: *4\b/weight: 20/'"));
        assert_eq!(sed_edits(&[50, 50], &[1, 2]), None);
        assert_eq!(sed_edits(&[100], &[1]), None);
        assert_eq!(sed_edits(&[10, 5], &[1, 2]), None);
    }

    #[test]
    fn the_repositorys_documents_have_a_canary_to_edit() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
        let files = Folder::new(folder).read().expect("readable documents");
        let checked = load(&files, &Overrides::default()).checked.expect("documents without errors");
        let lines = hints(&checked, checked.startup.listen.expect("the documents listen"), checked.startup.admin);
        let edit = lines.last().expect("a command");
        assert!(edit.starts_with("  sed -i -e '") && edit.ends_with("/config/routes.yaml"), "{edit}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("  curl ")).count(), 3);
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted("config/routes.yaml"), "config/routes.yaml");
        assert_eq!(quoted("my config/it's.yaml"), r"'my config/it'\''s.yaml'");
    }
}
