use super::*;

fn cluster(spec: Value) -> Cluster {
    let object = json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "spec": spec,
        "metadata": { "name": "eu", "uid": "u1" } });
    Object(object).to_typed().expect("a cluster")
}

fn usual() -> Value {
    json!({ "apiEndpoint": "https://10.0.0.1:6443" })
}

fn secret(metadata: Value) -> Object {
    let mut secret = Object(json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "namespace": "karmada-cluster", "name": "eu" } }));
    for (field, value) in metadata.as_object().into_iter().flatten() {
        secret.0["metadata"][field] = value.clone();
    }
    secret
}

fn bound_to(target: &CredentialTarget) -> Object {
    secret(json!({ "annotations": { annotations::credential::TARGET: target.annotation() } }))
}

#[test]
fn a_bound_secret_is_used_for_its_target_only() {
    let secret = bound_to(&CredentialTarget::of(&cluster(usual()), b"ca"));
    assert_eq!(trust(&cluster(usual()), &secret, b"ca"), Ok(Trust::Bound));
    let mut recreated = cluster(usual());
    recreated.metadata.uid = "u2".to_owned();
    let mut other = cluster(usual());
    other.metadata.name = "us".to_owned();
    let insecure = json!({ "apiEndpoint": "https://10.0.0.1:6443", "insecureSkipTLSVerification": true });
    let proxied = json!({ "apiEndpoint": "https://10.0.0.1:6443", "proxyURL": "http://p" });
    let cases = [
        (
            "another address",
            cluster(json!({ "apiEndpoint": "https://6.6.6.6" })),
            "ca",
            "spec.apiEndpoint was",
        ),
        ("no verification", cluster(insecure), "ca", "the CA was"),
        ("another CA", cluster(usual()), "other", "the CA was"),
        ("a proxy", cluster(proxied), "ca", "spec.proxyURL was"),
        ("another cluster of the name", recreated, "ca", "the uid of the Cluster was"),
        ("another cluster", other, "ca", "the Cluster was"),
    ];
    for (name, cluster, ca, want) in cases {
        let refused = trust(&cluster, &secret, ca.as_bytes()).expect_err(name);
        let text = refused.to_string();
        assert!(text.contains(want) && text.contains("Nothing is sent with it"), "{name}: {text}");
        // The command in the text is the cure.
        let Distrust::Elsewhere { wanted, .. } = refused else { panic!("{name}: {refused:?}") };
        assert!(
            text.contains(&format!("portolan.dev/credential-for='{}'", wanted.annotation())),
            "{name}: {text}"
        );
        assert_eq!(trust(&cluster, &bound_to(&wanted), ca.as_bytes()), Ok(Trust::Bound), "{name}");
    }
}

#[test]
fn an_unbound_secret_is_used_where_join_puts_it() {
    let owner = |uid: &str| json!({ "ownerReferences": [{ "kind": "Cluster", "name": "eu", "uid": uid }] });
    let first = Ok(Trust::FirstUse(CredentialTarget::of(&cluster(usual()), b"")));
    assert_eq!(trust(&cluster(usual()), &secret(json!({})), b""), first, "made by hand");
    assert_eq!(trust(&cluster(usual()), &secret(owner("u1")), b""), first, "of an earlier release");

    let mut token = secret(json!({}));
    token.0["type"] = json!("kubernetes.io/service-account-token");
    let cases = [
        ("of a deleted cluster of the name", secret(owner("u0"))),
        ("another name", secret(json!({ "name": "eu-impersonator" }))),
        ("another type", token),
    ];
    for (name, secret) in cases {
        let refused = trust(&cluster(usual()), &secret, b"");
        assert!(matches!(refused, Err(Distrust::Unbound { .. })), "{name}: {refused:?}");
    }
    let foreign = trust(&cluster(usual()), &secret(json!({ "namespace": "blue" })), b"");
    assert_eq!(foreign, Err(Distrust::Namespace(ObjectKey::namespaced("blue", "eu"))));
}

#[test]
fn an_unreadable_annotation_suspends() {
    for text in [
        "",
        "{}",
        "https://10.0.0.1:6443",
        r#"{"cluster":"eu","uid":"u1","address":"x","ca":"none","more":1}"#,
    ] {
        let secret = secret(json!({ "annotations": { annotations::credential::TARGET: text } }));
        assert!(matches!(trust(&cluster(usual()), &secret, b""), Err(Distrust::Elsewhere { .. })), "{text}");
    }
}
