//! What members say, and what is made of it.

use super::*;

#[test]
fn what_members_say_is_recognised() {
    use Refusal::*;
    let cases = [
        ("namespaces \"shop\" not found", NoNamespace),
        (
            "configmaps \"c\" is forbidden: unable to create new content in namespace shop because it is being terminated",
            Terminating,
        ),
        ("configmaps \"c\" is forbidden: exceeded quota: q, requested: configmaps=1", Quota),
        ("pods \"p\" is forbidden: failed quota: q: must specify limits.cpu for: a", Quota),
        ("pods \"p\" is forbidden: maximum cpu usage per Container is 1, but limit is 2", Limits),
        ("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot", PodSecurity),
        (
            "deployments.apps \"d\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            AdmissionPolicy,
        ),
        ("admission webhook \"v.example.com\" denied the request: the tag is invalid", Webhook),
        (
            "Internal error occurred: failed calling webhook \"v.example.com\": failed to call webhook: refused",
            SilentWebhook,
        ),
        (
            "configmaps is forbidden: User \"u\" cannot create resource \"configmaps\" in API group \"\"",
            NoRight,
        ),
        (
            "clusterroles \"r\" is forbidden: user \"u\" (groups=[]) is attempting to grant RBAC permissions not currently held",
            NoRight,
        ),
        ("Unauthorized", Unauthorized),
        ("Deployment.apps \"d\" is invalid: spec.selector: Invalid value: {}: field is immutable", Immutable),
        (
            "StatefulSet.apps \"s\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than",
            Immutable,
        ),
        (
            "Service \"s\" is invalid: spec.clusterIPs[0]: Invalid value: [\"\"]: may not change once set",
            Immutable,
        ),
        ("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than", Immutable),
        ("RoleBinding \"r\" is invalid: roleRef: Invalid value: {}: cannot change roleRef", Immutable),
        ("StorageClass \"s\" is forbidden: updates to parameters are forbidden.", Immutable),
        ("Request entity too large: limit is 3145728", TooLarge),
        ("etcdserver: request is too large", TooLarge),
        ("ConfigMap \"c\" is invalid: data[A B]: Invalid value: \"A B\"", Invalid),
        ("pods \"p\" is forbidden: no PriorityClass with name high was found", Forbidden),
        ("cluster eu does not serve example.com/v1 Thing yet", NotServed),
        ("cluster eu is not ready (timeout); this is applied as soon as it answers again", NotReady),
        ("ResourceInterpreterCustomization bad, operation Retain: the script failed: boom", Interpreter),
        ("webhook w of ResourceInterpreterWebhookConfiguration c, operation Retain: refused", Interpreter),
        ("something else", Other),
    ];
    for (text, want) in cases {
        assert_eq!(Refusal::said(text), want, "{text}");
    }
}

#[test]
fn a_message_with_advice_is_of_the_kind_that_the_advice_is_for() {
    for refusal in ADVISED {
        let advice = refusal.advice().expect("it is in the list");
        assert_eq!(
            Refusal::of(&format!("the server says something invalid; {advice}")),
            *refusal,
            "{refusal:?}"
        );
    }
    assert_eq!(Refusal::of("namespaces \"shop\" not found"), Refusal::NoNamespace, "without advice");
}
