//! The repository part of an image reference.

/// Removes tag and digest: `registry:5000/team/serve:1@sha256:…` becomes `registry:5000/team/serve`.
pub(crate) fn repository(reference: &str) -> &str {
    let named = reference.split_once('@').map_or(reference, |(name, _)| name);
    match named.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => named,
    }
}

/// Whether no registry has the image: those below `fake/`, for workloads that are meant to fail.
pub(crate) fn is_absent(reference: &str) -> bool {
    repository(reference).starts_with("fake/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        let cases = [
            ("jeremyot/serve:0a40de8", "jeremyot/serve"),
            ("harbor.assistfc.com/middleware/serve:0a40de8", "harbor.assistfc.com/middleware/serve"),
            ("nginx", "nginx"),
            ("localhost:5000/nginx", "localhost:5000/nginx"),
            ("localhost:5000/nginx:1.17.0-alpine@sha256:0123", "localhost:5000/nginx"),
            ("nginx@sha256:0123", "nginx"),
            ("", ""),
        ];
        for (reference, want) in cases {
            assert_eq!(repository(reference), want, "{reference}");
        }
    }

    #[test]
    fn images_below_fake_are_in_no_registry() {
        assert!(is_absent("fake/nginx:1.19.0"));
        assert!(!is_absent("registry.example/fake/nginx"));
        assert!(!is_absent("fake"));
    }
}
