//! Why a member did not take an object, from what its API server says, and what a user can do.
//!
//! The control plane writes the message and the advice into the `Applied` condition of the Work; `portolan why` finds the
//! kind of the refusal there. The texts that are looked for are those of Kubernetes' API server and admission plugins.

mod cures;

use portolan_api::meta::Condition;

/// The kind of a failure. The same kind in one cluster has one cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The cluster is not ready.
    NotReady,
    /// An object of another owner has the name.
    Foreign,
    /// The object has a label that keeps it from being changed.
    LeftAlone,
    /// The member does not serve the kind.
    NotServed,
    /// The member announces the kind and answers that it does not exist.
    NotFound,
    /// The namespace does not exist.
    NoNamespace,
    /// The namespace is being deleted.
    Terminating,
    /// A ResourceQuota is used up, or asks for values that are not set.
    Quota,
    /// A LimitRange does not allow the values.
    Limits,
    /// The level of Pod Security of the namespace does not allow the pods.
    PodSecurity,
    /// A ValidatingAdmissionPolicy denies it.
    AdmissionPolicy,
    /// An admission webhook denies it.
    Webhook,
    /// An admission webhook does not answer.
    SilentWebhook,
    /// The account may not write the kind.
    NoRight,
    /// The token is not accepted.
    Unauthorized,
    /// A field cannot be changed once it is set.
    Immutable,
    /// The object is larger than the member accepts.
    TooLarge,
    /// The member refuses it for another reason.
    Forbidden,
    /// The API server refuses the content.
    Invalid,
    /// Another writer changes the object all the time.
    Contested,
    /// The member limits requests.
    Busy,
    /// The member did not answer.
    Unreachable,
    /// The member's API server failed.
    ServerError,
    /// A customised interpreter of the control plane failed.
    Interpreter,
    /// Anything else.
    Other,
}

/// Texts that tell the kind of a failure: all of a row must be in the message. The first row that fits counts.
const TEXTS: &[(&[&str], Refusal)] = &[
    (&["is not ready ("], Refusal::NotReady),
    (&["already exists in the cluster"], Refusal::Foreign),
    (&["has the label kubefed.io/managed=false"], Refusal::LeftAlone),
    (&["does not serve", " yet"], Refusal::NotServed),
    (&["ResourceInterpreterCustomization ", ", operation "], Refusal::Interpreter),
    (&["of ResourceInterpreterWebhookConfiguration "], Refusal::Interpreter),
    (&["is being terminated"], Refusal::Terminating),
    (&["exceeded quota"], Refusal::Quota),
    (&["failed quota"], Refusal::Quota),
    (&["violates PodSecurity"], Refusal::PodSecurity),
    (&["ValidatingAdmissionPolicy"], Refusal::AdmissionPolicy),
    (&["failed calling webhook"], Refusal::SilentWebhook),
    (&["admission webhook", "denied the request"], Refusal::Webhook),
    (&["cannot create resource"], Refusal::NoRight),
    (&["cannot update resource"], Refusal::NoRight),
    (&["cannot patch resource"], Refusal::NoRight),
    (&["cannot get resource"], Refusal::NoRight),
    (&["cannot delete resource"], Refusal::NoRight),
    (&["attempting to grant RBAC permissions not currently held"], Refusal::NoRight),
    (&["Unauthorized"], Refusal::Unauthorized),
    (&["namespaces \"", "not found"], Refusal::NoNamespace),
    (&[" usage per "], Refusal::Limits),
    (&[" limit to request ratio per "], Refusal::Limits),
    (&["immutable"], Refusal::Immutable),
    (&["once set"], Refusal::Immutable),
    (&["updates to "], Refusal::Immutable),
    (&["updates may not change"], Refusal::Immutable),
    (&["may not be changed"], Refusal::Immutable),
    (&["cannot change roleRef"], Refusal::Immutable),
    (&["too large"], Refusal::TooLarge),
    (&["Too long: must have at most 1048576"], Refusal::TooLarge),
    (&["invalid"], Refusal::Invalid),
    (&["Invalid"], Refusal::Invalid),
    (&["denied"], Refusal::Forbidden),
    (&["forbidden"], Refusal::Forbidden),
];

/// All kinds with an advice.
const ADVISED: &[Refusal] = &[
    Refusal::NotFound,
    Refusal::NoNamespace,
    Refusal::Terminating,
    Refusal::Quota,
    Refusal::Limits,
    Refusal::PodSecurity,
    Refusal::AdmissionPolicy,
    Refusal::Webhook,
    Refusal::SilentWebhook,
    Refusal::NoRight,
    Refusal::Unauthorized,
    Refusal::Immutable,
    Refusal::TooLarge,
    Refusal::Forbidden,
    Refusal::Invalid,
    Refusal::Contested,
    Refusal::Busy,
    Refusal::Unreachable,
    Refusal::ServerError,
];

/// The member's part of the message of an `Applied` condition.
pub fn message(applied: &Condition) -> &str {
    applied.message.strip_prefix("Failed to apply all manifests (0/1): ").unwrap_or(&applied.message)
}

impl Refusal {
    /// Recognises a message: by its advice, or by what the member says.
    pub fn of(message: &str) -> Self {
        let advised = ADVISED.iter().find(|one| one.advice().is_some_and(|advice| message.ends_with(advice)));
        advised.copied().unwrap_or_else(|| Self::said(message))
    }

    /// Recognises what a member says.
    pub fn said(text: &str) -> Self {
        let fits = |parts: &[&str]| parts.iter().all(|part| text.contains(part));
        TEXTS.iter().find(|(parts, _)| fits(parts)).map_or(Self::Other, |(_, refusal)| *refusal)
    }
}

#[cfg(test)]
mod tests;
