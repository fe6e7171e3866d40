//! [`WriteTarget`]: the object or the subresource that a write addresses.

/// The object or the subresource that a write addresses; it decides which fields the write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteTarget {
    /// The object itself: every field, except `status` where that is a subresource.
    Object,
    /// `status`: the field `status`.
    Status,
    /// `finalize` of a namespace: `spec.finalizers`.
    Finalize,
    /// `scale`: the replicas.
    Scale,
    /// `ephemeralcontainers` of a pod: `spec.ephemeralContainers`.
    EphemeralContainers,
    /// `resize` of a pod: the resources of its containers.
    Resize,
    /// `binding` of a pod: its node, and the condition `PodScheduled`.
    Binding,
    /// `approval` of a certificate signing request: `status.conditions`.
    Approval,
}
