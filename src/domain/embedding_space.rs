//! What vectors come from, and which of it a rule accepts: those of two spaces do not mix in one index.

/// What vectors come from; what is `None` is not known before the model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingSpace<'a> {
    /// The model's name.
    pub name: &'a str,
    /// The SHA-256 of the model's file, in hexadecimal digits.
    pub revision: Option<&'a str>,
    /// The length of the vectors.
    pub dimension: Option<usize>,
    /// How a text's vector is made of its tokens' vectors, as the documents write it.
    pub pooling: Option<&'a str>,
    /// Whether vectors are scaled to length 1.
    pub normalized: Option<bool>,
}

/// A space that a rule accepts; what is `None` may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedSpace {
    /// The model's name.
    pub name: Box<str>,
    /// The first digits of its revision, or all of them.
    pub revision: Option<Box<str>>,
    /// The length of its vectors.
    pub dimension: Option<usize>,
    /// How a text's vector is made.
    pub pooling: Option<Box<str>>,
    /// Whether vectors are scaled to length 1.
    pub normalized: Option<bool>,
}

/// What a rule accepts from the local model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedSpaces {
    /// Any of these; none of them accepts nothing.
    pub any_of: Vec<AcceptedSpace>,
    /// The file that says so, and the line and column, for what is reported of it.
    pub written_at: (Box<str>, usize, usize),
}

impl AcceptedSpace {
    fn accepts(&self, space: &EmbeddingSpace<'_>) -> bool {
        let begins = |(begin, revision): (&str, &str)| {
            revision.get(..begin.len()).is_some_and(|found| found.eq_ignore_ascii_case(begin))
        };
        *self.name == *space.name
            && self.revision.as_deref().zip(space.revision).is_none_or(begins)
            && agree(self.dimension, space.dimension)
            && agree(self.pooling.as_deref(), space.pooling)
            && agree(self.normalized, space.normalized)
    }
}

/// Whether what is asked is what is known; what neither says is no difference.
fn agree<T: PartialEq>(asked: Option<T>, known: Option<T>) -> bool {
    asked.zip(known).is_none_or(|(asked, known)| asked == known)
}

impl AcceptedSpaces {
    /// Whether vectors of `space` may answer, as far as is known of it.
    pub fn accept(&self, space: &EmbeddingSpace<'_>) -> bool {
        self.any_of.iter().any(|accepted| accepted.accepts(space))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: EmbeddingSpace<'_> = EmbeddingSpace {
        name: "mini",
        revision: Some("8b8b9501b5b6"),
        dimension: Some(384),
        pooling: Some("mean"),
        normalized: Some(true),
    };

    fn named(name: &str) -> AcceptedSpace {
        AcceptedSpace { name: name.into(), revision: None, dimension: None, pooling: None, normalized: None }
    }

    #[test]
    fn whatever_is_said_of_a_space_must_hold() {
        let cases = [
            (named("mini"), true),
            (named("Mini"), false),
            (AcceptedSpace { revision: Some("8B8B95".into()), ..named("mini") }, true),
            (AcceptedSpace { revision: Some("8b8b9501b5b6".into()), ..named("mini") }, true),
            (AcceptedSpace { revision: Some("8b8b9501b5b60".into()), ..named("mini") }, false),
            (AcceptedSpace { revision: Some("d584".into()), ..named("mini") }, false),
            (AcceptedSpace { dimension: Some(768), ..named("mini") }, false),
            (AcceptedSpace { pooling: Some("cls".into()), ..named("mini") }, false),
            (AcceptedSpace { normalized: Some(false), ..named("mini") }, false),
            (AcceptedSpace { dimension: Some(384), normalized: Some(true), ..named("mini") }, true),
        ];
        for (accepted, expected) in cases {
            let spaces = AcceptedSpaces { any_of: vec![named("other"), accepted], written_at: ("".into(), 0, 0) };
            assert_eq!(spaces.accept(&SPACE), expected, "{spaces:?}");
        }
        let unknown = EmbeddingSpace { revision: None, dimension: None, pooling: None, normalized: None, ..SPACE };
        let asked = AcceptedSpace { revision: Some("d584".into()), dimension: Some(768), ..named("mini") };
        assert!(asked.accepts(&unknown) && !named("other").accepts(&unknown), "the name alone tells them apart");
        assert!(!AcceptedSpaces { any_of: Vec::new(), written_at: ("".into(), 0, 0) }.accept(&SPACE));
    }
}
