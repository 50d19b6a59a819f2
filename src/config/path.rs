//! Where in a document something stands: keys and places in lists, from the document's root.

use std::fmt;
use std::rc::Rc;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(Box<str>),
    Index(usize),
}

/// The steps from a document's root. Paths share what they have in common, since one is made for each value looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Path(Option<Rc<Link>>);

/// The last step of a path.
#[derive(Debug)]
struct Link {
    above: Path,
    step: Step,
}

impl Path {
    /// The document as a whole.
    pub(super) fn root() -> Self {
        Self::default()
    }

    /// The path of `spec`.
    pub(super) fn spec() -> Self {
        Self::root().key("spec")
    }

    /// The value under `key` here.
    #[must_use]
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.into()))
    }

    /// The item at `index` here.
    #[must_use]
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The steps in order.
    pub(super) fn steps(&self) -> Vec<&Step> {
        let links = std::iter::successors(self.0.as_deref(), |link| link.above.0.as_deref());
        let mut steps: Vec<&Step> = links.map(|link| &link.step).collect();
        steps.reverse();
        steps
    }

    /// Whether one of the two stands within the other, or both are the same.
    pub(super) fn touches(&self, other: &Self) -> bool {
        self.steps().iter().zip(other.steps()).all(|(own, other)| *own == other)
    }

    /// Whether this stands in the map or list that `other` has come to after `depth` steps.
    pub(super) fn is_beside(&self, other: &Self, depth: usize) -> bool {
        let own = self.steps();
        own.len() == depth + 1 && own.iter().zip(other.steps()).take(depth).all(|(own, other)| *own == other)
    }

    fn step(&self, step: Step) -> Self {
        Self(Some(Rc::new(Link { above: self.clone(), step })))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps().into_iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if key.is_empty() || key.contains(['.', '[', ']', ' ', '/']) => write!(f, "[{key:?}]")?,
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_field_selectors() {
        let path = Path::spec().key("http").index(0).key("match").index(1).key("headers").key("x-a.b");
        assert_eq!(path.to_string(), r#"spec.http[0].match[1].headers["x-a.b"]"#);
    }

    #[test]
    fn a_path_is_beside_another_in_the_map_that_both_come_to() {
        let missing = Path::spec().key("tls").key("caCertificates");
        for (other, depth, beside) in [
            (Path::spec().key("tsl"), 1, true),
            (Path::spec().key("tsl"), 2, false),
            (Path::spec().key("tls").key("ca"), 2, true),
            (Path::spec().key("tsl").key("ca"), 2, false),
            (Path::root().key("metadata").key("tls"), 1, false),
            (Path::spec(), 0, true),
        ] {
            assert_eq!(other.is_beside(&missing, depth), beside, "{other} {depth}");
        }
    }
}
