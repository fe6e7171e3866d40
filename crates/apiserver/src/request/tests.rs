use super::*;

fn parse(method: Method, uri: &str) -> RequestInfo {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    RequestInfo::parse(&method, path, &Query::parse(query))
}

/// `verb group/version namespace resource/subresource name`, with `-` for what is empty.
fn summary(info: &RequestInfo) -> String {
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    if !info.is_resource {
        return format!("{} {}", dash(info.verb), info.path);
    }
    let place = format!("{}/{}", dash(&info.group), info.version);
    let (namespace, name) = (dash(&info.namespace), dash(&info.name));
    format!("{} {place} {namespace} {} {name}", dash(info.verb), info.resource_path())
}

#[test]
fn paths_become_attributes() {
    let get = Method::GET;
    let cases = [
        ("core collection", get.clone(), "/api/v1/pods", "list -/v1 - pods -"),
        ("collection in a namespace", get.clone(), "/api/v1/namespaces/a/pods", "list -/v1 a pods -"),
        (
            "one object",
            get.clone(),
            "/apis/apps/v1/namespaces/a/deployments/d",
            "get apps/v1 a deployments d",
        ),
        (
            "subresource",
            Method::PUT,
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            "update apps/v1 a deployments/scale d",
        ),
        ("namespace object", get.clone(), "/api/v1/namespaces/a", "get -/v1 a namespaces a"),
        (
            "namespace subresource",
            Method::PUT,
            "/api/v1/namespaces/a/finalize",
            "update -/v1 a namespaces/finalize a",
        ),
        ("namespace collection", get.clone(), "/api/v1/namespaces", "list -/v1 - namespaces -"),
        ("watch", get.clone(), "/api/v1/pods?watch=true", "watch -/v1 - pods -"),
        ("any word watches", get.clone(), "/api/v1/pods?watch=foo", "watch -/v1 - pods -"),
        ("watch without a value watches", get.clone(), "/api/v1/pods?watch", "watch -/v1 - pods -"),
        ("watch=0 lists", get.clone(), "/api/v1/pods?watch=0", "list -/v1 - pods -"),
        ("watch=False lists", get.clone(), "/api/v1/pods?watch=False", "list -/v1 - pods -"),
        ("watch on a name gets", get.clone(), "/api/v1/namespaces/a/pods/p?watch=1", "get -/v1 a pods p"),
        (
            "selected name",
            get.clone(),
            "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dp",
            "list -/v1 a pods p",
        ),
        ("create", Method::POST, "/api/v1/namespaces/a/pods", "create -/v1 a pods -"),
        ("delete", Method::DELETE, "/api/v1/namespaces/a/pods/p", "delete -/v1 a pods p"),
        ("delete all", Method::DELETE, "/api/v1/namespaces/a/pods", "deletecollection -/v1 a pods -"),
        ("patch", Method::PATCH, "/api/v1/nodes/n", "patch -/v1 - nodes n"),
        ("escaped name", get.clone(), "/apis/rbac/v1/clusterroles/a%3Ab", "get rbac/v1 - clusterroles a:b"),
        ("options has no verb", Method::OPTIONS, "/api/v1/pods", "- -/v1 - pods -"),
        ("discovery", get.clone(), "/apis/apps/v1", "get /apis/apps/v1"),
        ("trailing slash", get.clone(), "/apis/apps/v1/", "get /apis/apps/v1/"),
        ("version", get, "/version", "get /version"),
    ];
    for (name, method, uri, want) in cases {
        assert_eq!(summary(&parse(method, uri)), want, "{name}");
    }
}

#[test]
fn a_collection_with_a_selected_name_stays_a_collection() {
    let info = parse(Method::GET, "/api/v1/pods?fieldSelector=spec.nodeName=n,metadata.name=p");
    assert_eq!(info.name, "p");
    assert!(info.is_collection());
    assert!(!parse(Method::GET, "/api/v1/namespaces/a/pods/p").is_collection());
}

#[test]
fn queries_are_decoded() {
    let query = Query::parse("labelSelector=a+in+%28b%2Cc%29&x&bad=%zz&x=2");
    assert_eq!(query.get("labelSelector"), Some("a in (b,c)"));
    assert_eq!(query.get("bad"), Some("%zz"));
    assert_eq!(query.all("x").collect::<Vec<_>>(), ["", "2"]);
    assert!(query.has("x") && query.non_empty("x").is_none());
    let cases = [
        ("a=1%2B1+2", "a", vec!["1+1 2"]),
        ("a=%C3%A4", "a", vec!["ä"]),
        ("a=b=c", "a", vec!["b=c"]),
        ("a=1&&b=2&a=3", "a", vec!["1", "3"]),
        ("field%20name=x", "field name", vec!["x"]),
        ("a=100%", "a", vec!["100%"]),
        ("command=ls&command=-l&command=", "command", vec!["ls", "-l", ""]),
    ];
    for (text, name, want) in cases {
        assert_eq!(Query::parse(text).all(name).collect::<Vec<_>>(), want, "{text}");
    }
}

#[test]
fn a_plus_in_a_path_is_a_plus() {
    let info = parse(Method::GET, "/api/v1/namespaces/a/configmaps/b+c%2Bd%20e");
    assert_eq!(info.name, "b+c+d e");
}
