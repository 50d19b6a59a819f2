//! `exportTo`: which namespaces see a document.

/// Istio's root namespace, whose `DestinationRule`s apply where neither client nor service has one.
pub(super) const ROOT_NAMESPACE: &str = "istio-system";

/// Whether a document of the namespace `own` that is exported to `export_to` is seen from the namespace `viewer`: `.` is
/// its own namespace, `*` all, `~` none; without any, all.
pub(super) fn is_visible(export_to: &[String], own: &str, viewer: &str) -> bool {
    let seen = |to: &String| match to.as_str() {
        "*" => true,
        "." => own == viewer,
        "~" => false,
        namespace => namespace == viewer,
    };
    export_to.is_empty() || export_to.iter().any(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_seen_where_it_is_exported_to() {
        for (export_to, viewer, expected) in [
            (&[][..], "b", true),
            (&["*"][..], "b", true),
            (&["."][..], "a", true),
            (&["."][..], "b", false),
            (&["b", "c"][..], "c", true),
            (&["b"][..], "a", false),
            (&["~"][..], "a", false),
        ] {
            let export_to: Vec<String> = export_to.iter().map(ToString::to_string).collect();
            assert_eq!(is_visible(&export_to, "a", viewer), expected, "{export_to:?} from {viewer}");
        }
    }
}
