//! Why a member did not take an object, from the message in the Work's `Applied` condition.

use portolan_api::meta::Condition;

/// The kind of a failure. The same kind in one cluster has one cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// The cluster is not ready.
    NotReady,
    /// An object of another owner has the name.
    Foreign,
    /// The member does not serve the kind.
    NotServed,
    /// A ResourceQuota is used up.
    Quota,
    /// The account may not write the kind.
    NoRight,
    /// The token is not accepted.
    Unauthorized,
    /// The namespace does not exist.
    NoNamespace,
    /// The API server or a webhook refuses the content.
    Invalid,
    /// Anything else.
    Other,
}

/// The member's part of the message of an `Applied` condition.
pub(super) fn message(applied: &Condition) -> &str {
    applied.message.strip_prefix("Failed to apply all manifests (0/1): ").unwrap_or(&applied.message)
}

impl Refusal {
    /// Recognises a message.
    pub(super) fn of(message: &str) -> Self {
        let has = |part: &str| message.contains(part);
        let denied =
            ["create", "update", "patch", "get", "delete"].map(|verb| format!("cannot {verb} resource"));
        if has("is not ready (") {
            Self::NotReady
        } else if has("already exists in the cluster") {
            Self::Foreign
        } else if has("does not serve") {
            Self::NotServed
        } else if has("exceeded quota") {
            Self::Quota
        } else if denied.iter().any(|text| has(text)) {
            Self::NoRight
        } else if has("Unauthorized") {
            Self::Unauthorized
        } else if has("namespaces \"") && has("not found") {
            Self::NoNamespace
        } else if ["invalid", "Invalid", "denied", "forbidden"].iter().any(|part| has(part)) {
            Self::Invalid
        } else {
            Self::Other
        }
    }

    /// What is the case, about several objects in `cluster`.
    pub(super) fn title(self, cluster: &str) -> String {
        match self {
            Self::NotReady => format!("{cluster} is not ready"),
            Self::Foreign => format!("{cluster} has objects of these names that are not the control plane's"),
            Self::NotServed => format!("{cluster} does not serve the kind"),
            Self::Quota => format!("a ResourceQuota in {cluster} is used up"),
            Self::NoRight => format!("the control plane's account in {cluster} lacks a right"),
            Self::Unauthorized => format!("{cluster} does not accept the control plane's token"),
            Self::NoNamespace => format!("{cluster} does not have the namespace"),
            Self::Invalid => format!("{cluster} refuses the content"),
            Self::Other => format!("{cluster} did not take the object"),
        }
    }

    /// What to do in `cluster`.
    pub(super) fn cure(self, cluster: &str) -> String {
        match self {
            Self::NotReady => format!("kubectl describe cluster {cluster}"),
            Self::Foreign => {
                format!("delete them in {cluster}, or set conflictResolution: Overwrite in the policy")
            }
            Self::NotServed => format!("install the CustomResourceDefinition in {cluster}"),
            Self::Quota => format!("raise the ResourceQuota in {cluster}, or ask for less"),
            Self::NoRight => {
                format!(
                    "give the account of the control plane in {cluster} (of the agent, in pull mode) the right: \
                     portolan cluster permissions {cluster} --apply --cluster-kubeconfig FILE"
                )
            }
            Self::Unauthorized => format!("renew the credential: portolan join {cluster}"),
            Self::NoNamespace => format!("create the namespace on the control plane, or in {cluster}"),
            Self::Invalid => {
                format!("correct the object, or override the field for {cluster} with an OverridePolicy")
            }
            Self::Other => format!("see the message, and kubectl describe cluster {cluster}"),
        }
    }
}
