//! What is the case after a refusal, and what to do about it.

use super::Refusal;

impl Refusal {
    /// What follows the member's message in the condition of the Work; `None` if the message says what to do.
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::NotReady
            | Self::Foreign
            | Self::LeftAlone
            | Self::NotServed
            | Self::Interpreter
            | Self::Other => return None,
            Self::NotFound => {
                "the cluster announces the kind and does not serve it: look at the CustomResourceDefinition or the API service \
                 there"
            }
            Self::NoNamespace => {
                "create the namespace on the control plane, or in the cluster; this is applied as soon as it is there"
            }
            Self::Terminating => "it is tried again, and the namespace is made again when it is gone",
            Self::Quota => {
                "raise the ResourceQuota in the cluster, or set the requests and limits that it asks for, or ask for less"
            }
            Self::Limits => "change the requests and limits, or the LimitRange in the cluster",
            Self::PodSecurity => {
                "change the security context of the pods, or the Pod Security labels of the namespace"
            }
            Self::AdmissionPolicy => {
                "change the template or the override policy, or the ValidatingAdmissionPolicy in the cluster"
            }
            Self::Webhook => {
                "change the template or the override policy, or the rules of the admission webhook in the cluster"
            }
            Self::SilentWebhook => {
                "it is tried again; see that the service of the admission webhook runs in the cluster"
            }
            Self::NoRight => {
                "give the account of the control plane in the cluster (of the agent, in pull mode) the right; \
                 `portolan cluster permissions` tells and grants what it needs"
            }
            Self::Unauthorized => "give the cluster a new credential with `portolan join`",
            Self::Immutable => {
                "take the change back, or delete the object in the cluster; it is then made again as the template says"
            }
            Self::TooLarge => "make the object smaller, or split it into several",
            Self::Forbidden => {
                "give the account of the control plane there the right, or remove the rule there that forbids it; \
                 `portolan cluster permissions` tells and grants what it needs"
            }
            Self::Invalid => "change the template or the override policy",
            Self::Contested => {
                "something in the cluster changes the object all the time: look at its managedFields, and stop the other writer"
            }
            Self::Busy => "it is tried again when the cluster allows",
            Self::Unreachable => "it is tried again; the condition Ready of the cluster has more",
            Self::ServerError => "it is tried again; the log of the cluster's API server has the cause",
        })
    }

    /// What is the case, about several objects in `cluster`.
    pub fn title(self, cluster: &str) -> String {
        match self {
            Self::NotReady => format!("{cluster} is not ready"),
            Self::Foreign => format!("{cluster} has objects of these names that are not the control plane's"),
            Self::LeftAlone => format!("{cluster} has objects with the label kubefed.io/managed=false"),
            Self::NotServed => format!("{cluster} does not serve the kind"),
            Self::NotFound => format!("{cluster} announces the kind and does not serve it"),
            Self::NoNamespace => format!("{cluster} does not have the namespace"),
            Self::Terminating => format!("the namespace is being deleted in {cluster}"),
            Self::Quota => format!("a ResourceQuota in {cluster} does not allow it"),
            Self::Limits => format!("a LimitRange in {cluster} does not allow it"),
            Self::PodSecurity => format!("Pod Security in {cluster} does not allow it"),
            Self::AdmissionPolicy => format!("a ValidatingAdmissionPolicy in {cluster} denies it"),
            Self::Webhook => format!("an admission webhook in {cluster} denies it"),
            Self::SilentWebhook => format!("an admission webhook in {cluster} does not answer"),
            Self::NoRight => format!("the control plane's account in {cluster} lacks a right"),
            Self::Unauthorized => format!("{cluster} does not accept the control plane's token"),
            Self::Immutable => format!("{cluster} has the object, with a field that cannot be changed"),
            Self::TooLarge => format!("the object is larger than {cluster} accepts"),
            Self::Forbidden => format!("{cluster} forbids it"),
            Self::Invalid => format!("{cluster} refuses the content"),
            Self::Contested => format!("another writer in {cluster} changes it back"),
            Self::Busy => format!("{cluster} limits requests"),
            Self::Unreachable => format!("{cluster} did not answer"),
            Self::ServerError => format!("the API server of {cluster} failed"),
            Self::Interpreter => "a customised interpreter of the control plane fails".to_owned(),
            Self::Other => format!("{cluster} did not take the object"),
        }
    }

    /// What to do in `cluster`.
    pub fn cure(self, cluster: &str) -> String {
        let change =
            format!("correct the object, or override the field for {cluster} with an OverridePolicy");
        match self {
            Self::NotReady => format!("kubectl describe cluster {cluster}"),
            Self::Foreign => {
                format!("delete them in {cluster}, or set conflictResolution: Overwrite in the policy")
            }
            Self::LeftAlone => format!("remove the label kubefed.io/managed in {cluster}, or set it to true"),
            Self::NotServed => format!("install the CustomResourceDefinition in {cluster}"),
            Self::NotFound => {
                format!("look at the CustomResourceDefinition or the APIService in {cluster}")
            }
            Self::NoNamespace => format!("create the namespace on the control plane, or in {cluster}"),
            Self::Terminating => format!(
                "wait until the namespace is gone in {cluster}; if it stays, `kubectl get namespace -o yaml` there has the reason"
            ),
            Self::Quota => format!("raise the ResourceQuota in {cluster}, or ask for less"),
            Self::Limits => format!("change the LimitRange in {cluster}, or the requests and limits"),
            Self::PodSecurity => {
                "change the securityContext of the pods, or the pod-security labels of the namespace"
                    .to_owned()
            }
            Self::AdmissionPolicy => {
                format!("{change}; or change the ValidatingAdmissionPolicy there")
            }
            Self::Webhook => format!("{change}; or change the rules of the webhook there"),
            Self::SilentWebhook => format!("see that the service of the webhook runs in {cluster}"),
            Self::NoRight => {
                format!(
                    "give the account of the control plane in {cluster} (of the agent, in pull mode) the right: \
                     portolan cluster permissions {cluster} --apply --cluster-kubeconfig FILE"
                )
            }
            Self::Unauthorized => format!("renew the credential: portolan join {cluster}"),
            Self::Immutable => {
                format!("take the change back, or delete the object in {cluster}: it is then made again")
            }
            Self::TooLarge => "make the object smaller, or split it into several".to_owned(),
            Self::Forbidden => format!(
                "remove the rule in {cluster} that forbids it, or give the control plane's account the right: portolan cluster \
                 permissions {cluster}"
            ),
            Self::Invalid => change,
            Self::Contested => {
                format!(
                    "look at metadata.managedFields of the object in {cluster}, and stop the other writer"
                )
            }
            Self::Busy => "nothing: it is tried again when the cluster allows".to_owned(),
            Self::Unreachable | Self::Other => {
                format!("see the message, and kubectl describe cluster {cluster}")
            }
            Self::ServerError => format!("see the log of the API server of {cluster}"),
            Self::Interpreter => {
                "correct the interpreter on the control plane: `portolan interpret` tries it with an object"
                    .to_owned()
            }
        }
    }
}
