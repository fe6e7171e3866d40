use super::*;

const KUBECTL_GET: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,\
                           application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

fn headers(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !value.is_empty() {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

#[test]
fn the_first_acceptable_entry_wins() {
    let cases = [
        ("nothing sent", "", Offer::Objects, "Json Object"),
        ("anything", "*/*", Offer::Objects, "Json Object"),
        ("kubectl get", KUBECTL_GET, Offer::Objects, "Json Table"),
        ("a document has no table", KUBECTL_GET, Offer::Document, "Json Object"),
        (
            "protobuf falls through",
            "application/vnd.kubernetes.protobuf,application/json",
            Offer::Objects,
            "Json Object",
        ),
        ("protobuf alone", "application/vnd.kubernetes.protobuf", Offer::Objects, "406"),
        ("yaml", "application/yaml", Offer::Objects, "Yaml Object"),
        ("yaml cannot be watched", "application/yaml", Offer::Stream, "406"),
        ("html", "text/html", Offer::Document, "406"),
        ("quality", "application/json;q=0.5, application/yaml", Offer::Objects, "Yaml Object"),
        (
            "parameters in any order",
            "application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList",
            Offer::Objects,
            "Json MetadataList",
        ),
        ("unknown form", "application/json;as=Foo;v=v1;g=meta.k8s.io", Offer::Objects, "406"),
    ];
    for (name, accept, offer, want) in cases {
        let got = match Reply::negotiate(&headers("accept", accept), &Query::default(), offer) {
            Ok(reply) => format!("{:?} {:?}", reply.media, reply.form),
            Err(status) => status.code.to_string(),
        };
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn browsers_and_curl_get_indented_json() {
    let cases = [
        ("kubectl/v1.36", "", false),
        ("curl/8", "", true),
        ("curl/8", "pretty=false", false),
        ("x", "pretty=true", true),
    ];
    for (agent, query, want) in cases {
        let reply =
            Reply::negotiate(&headers("user-agent", agent), &Query::parse(query), Offer::Objects).unwrap();
        assert_eq!(reply.is_pretty, want, "{agent} {query}");
    }
}

#[test]
fn bodies_and_patches_have_types() {
    assert_eq!(BodyType::from_headers(&headers("content-type", "")), Ok(BodyType::Json));
    assert_eq!(
        BodyType::from_headers(&headers("content-type", "application/json; charset=utf-8")),
        Ok(BodyType::Json)
    );
    assert_eq!(BodyType::from_headers(&headers("content-type", PROTOBUF)), Ok(BodyType::Protobuf));
    let refused = BodyType::from_headers(&headers("content-type", "text/plain")).unwrap_err();
    assert_eq!(refused.code, 415);
    assert!(refused.message.contains("application/json, application/yaml"), "{}", refused.message);

    let strategic = headers("content-type", "application/strategic-merge-patch+json");
    assert_eq!(PatchType::from_headers(&strategic, true), Ok(PatchType::Strategic));
    assert_eq!(
        PatchType::from_headers(&strategic, false).unwrap_err().message,
        "the body of the request was in an unknown format - accepted media types include: \
         application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    );
    let plain = PatchType::from_headers(&headers("content-type", "application/json"), true).unwrap_err();
    assert_eq!(plain.message, "415: Unsupported Media Type");
}
