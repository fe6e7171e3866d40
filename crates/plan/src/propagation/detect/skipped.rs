//! Which kinds and namespaces are never propagated: the default lists, and what the flags add (karmada
//! pkg/util/apigroup.go, cmd/controller-manager/app/options/options.go).

use portolan_api::{kubefed, names};
use portolan_object::GroupVersionKind;
use regex::Regex;

/// API groups with objects that are never templates: Portolan's and Karmada's own, events and leases.
const SKIPPED_GROUPS: &[&str] = &[
    "cluster.karmada.io",
    "policy.karmada.io",
    "work.karmada.io",
    "config.karmada.io",
    "networking.karmada.io",
    "autoscaling.karmada.io",
    "remedy.karmada.io",
    "apps.karmada.io",
    "events.k8s.io",
    "coordination.k8s.io",
];

/// Namespaces that are skipped unless a flag says otherwise.
const DEFAULT_NAMESPACES: &str = "kube-.*";

/// Kinds and namespaces that are never propagated.
#[derive(Debug, Clone)]
pub struct Skipped {
    apis: Vec<Api>,
    namespaces: Vec<Regex>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Api {
    Group(String),
    Version(String, String),
    Kind(String, String, String),
}

/// A flag cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SkippedError {
    /// Not an API.
    #[error(
        "{0:?} is not an API: use GROUP, GROUP/VERSION or GROUP/VERSION/KIND,KIND; for the core group v1/KIND,KIND"
    )]
    Api(String),
    /// Not a regular expression.
    #[error("{pattern:?} is not a regular expression for namespaces: {cause}")]
    Namespace {
        /// The text.
        pattern: String,
        /// Why.
        cause: String,
    },
}

impl Default for Skipped {
    fn default() -> Self {
        let namespaces = anchored(DEFAULT_NAMESPACES).into_iter().collect();
        Self { apis: Vec::new(), namespaces }
    }
}

impl Skipped {
    /// The default lists with the values of `--skipped-propagating-apis` (separated by semicolons) added, and those of
    /// `--skipped-propagating-namespaces` (regular expressions of whole names) instead of the default.
    ///
    /// # Errors
    /// The value that cannot be used.
    pub fn new(apis: &str, namespaces: &[String]) -> Result<Self, SkippedError> {
        let tokens = apis.split(';').map(str::trim).filter(|token| !token.is_empty());
        let apis: Result<Vec<Vec<Api>>, _> = tokens.map(parse).collect();
        let namespaces = namespaces.iter().map(|pattern| anchored(pattern)).collect::<Result<_, _>>()?;
        Ok(Self { apis: apis?.into_iter().flatten().collect(), namespaces })
    }

    /// Whether objects of a kind are never propagated.
    pub fn has_kind(&self, kind: &GroupVersionKind) -> bool {
        let is_event = kind.group.is_empty() && kind.kind == "Event";
        is_event
            || SKIPPED_GROUPS.contains(&kind.group.as_str())
            || self.apis.iter().any(|api| match api {
                Api::Group(group) => *group == kind.group,
                Api::Version(group, version) => *group == kind.group && *version == kind.version,
                Api::Kind(group, version, name) => {
                    *group == kind.group && *version == kind.version && name.eq_ignore_ascii_case(&kind.kind)
                }
            })
    }

    /// Whether no kind of a group is ever propagated as it is: those of Karmada, Portolan and KubeFed, events, and leases.
    pub(crate) fn is_own_group(group: &str) -> bool {
        SKIPPED_GROUPS.contains(&group) || ["portolan.dev", kubefed::TYPES_GROUP].contains(&group)
    }

    /// Whether the kinds of a group act in the control plane: those of Karmada and Portolan.
    pub(crate) fn is_of_the_federation(group: &str) -> bool {
        group == "portolan.dev" || (SKIPPED_GROUPS.contains(&group) && group.ends_with(".karmada.io"))
    }

    /// Whether objects in a namespace are never propagated, nor the namespace itself.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        names::is_reserved_namespace(namespace)
            || self.namespaces.iter().any(|pattern| pattern.is_match(namespace))
    }
}

fn anchored(pattern: &str) -> Result<Regex, SkippedError> {
    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
        let (pattern, cause) = (pattern.to_owned(), error.to_string());
        SkippedError::Namespace { pattern, cause }
    })
}

fn parse(token: &str) -> Result<Vec<Api>, SkippedError> {
    let parts: Vec<&str> = token.splitn(3, '/').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(SkippedError::Api(token.to_owned()));
    }
    let kinds = |group: &str, version: &str, kinds: &str| {
        // The prefix may be repeated before each kind.
        let names = kinds.split(',').map(|kind| kind.rsplit('/').next().unwrap_or(kind).trim());
        names.map(|name| Api::Kind(group.to_owned(), version.to_owned(), name.to_owned())).collect()
    };
    if let Some(names) = token.strip_prefix("v1/") {
        return Ok(kinds("", "v1", names));
    }
    Ok(match parts[..] {
        [group] => vec![Api::Group(group.to_owned())],
        [group, version] => vec![Api::Version(group.to_owned(), version.to_owned())],
        [group, version, names] => kinds(group, version, names),
        _ => return Err(SkippedError::Api(token.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_skipped() {
        let flags = "networking.k8s.io/v1beta1/Ingress,IngressClass; apps/v1beta1 ;v1/Node,v1/Pod;batch";
        let skipped = Skipped::new(flags, &[]).unwrap();
        let cases = [
            (("apps", "v1", "Deployment"), false),
            (("apps", "v1beta1", "Deployment"), true),
            (("", "v1", "Event"), true),
            (("", "v1", "Node"), true),
            (("", "v1", "Pod"), true),
            (("", "v1", "ConfigMap"), false),
            (("batch", "v1", "Job"), true),
            (("networking.k8s.io", "v1beta1", "ingressClass"), true),
            (("networking.k8s.io", "v1", "Ingress"), false),
            (("work.karmada.io", "v1alpha1", "Work"), true),
            (("coordination.k8s.io", "v1", "Lease"), true),
        ];
        for ((group, version, kind), want) in cases {
            let kind = GroupVersionKind::new(group, version, kind);
            assert_eq!(skipped.has_kind(&kind), want, "{kind:?}");
        }
    }

    #[test]
    fn namespaces_that_are_skipped() {
        let default = Skipped::default();
        let own = Skipped::new("", &["infra|ci-.*".to_owned()]).unwrap();
        let cases = [
            ("kube-system", true, false),
            ("kube", false, false),
            ("karmada-system", true, true),
            ("karmada-es-eu", true, true),
            ("shop", false, false),
            ("infra", false, true),
            ("infra-2", false, false),
            ("ci-1", false, true),
        ];
        for (name, by_default, with_flag) in cases {
            assert_eq!(
                (default.has_namespace(name), own.has_namespace(name)),
                (by_default, with_flag),
                "{name}"
            );
        }
    }

    #[test]
    fn flags_that_cannot_be_used_are_named() {
        assert_eq!(Skipped::new("apps//x", &[]).unwrap_err(), SkippedError::Api("apps//x".to_owned()));
        let error = Skipped::new("", &["(".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("\"(\" is not a regular expression"), "{error}");
    }
}
