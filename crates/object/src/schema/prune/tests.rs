use serde_json::json;

use super::*;
use crate::key::GroupVersionKind;
use crate::schema::{Node, NodeId, SchemaSet};

#[test]
fn unknown_fields_of_built_in_kinds_have_paths() {
    let schema = builtin::schema(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("built in");
    let value = json!({
        "metadata": {"foo": 1, "labels": {"free": "x"}},
        "spec": {"bogus": {}, "template": {"spec": {"containers": [{"name": "c", "imag": "x"}]}}},
    });
    let want = ["metadata.foo", "spec.bogus", "spec.template.spec.containers[0].imag"];
    assert_eq!(unknown_fields(&value, schema), want);
}

fn object(set: &mut SchemaSet, properties: &[(&str, NodeId)]) -> NodeId {
    let properties = properties.iter().map(|(name, id)| ((*name).into(), *id)).collect();
    set.push(Node { shape: Shape::Object(properties), ..Node::default() })
}

#[test]
fn custom_resources_lose_what_their_schema_lacks() {
    let mut set = SchemaSet::default();
    let text = set.push(Node { shape: Shape::String, ..Node::default() });
    let listed = object(&mut set, &[("known", text)]);
    let list = set.push(Node { shape: Shape::Array(listed), ..Node::default() });
    let free = object(&mut set, &[("known", listed)]);
    set.nodes[free.0 as usize].preserve_unknown = true;
    let embedded = object(&mut set, &[]);
    set.nodes[embedded.0 as usize].embedded_resource = true;
    let root = object(&mut set, &[("list", list), ("free", free), ("resource", embedded), ("text", text)]);
    let mut value = json!({
        "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x", "foo": 1}, "text": "t", "bogus": 1,
        "list": [{"known": "a", "other": "b"}],
        "free": {"any": {"thing": 1}, "known": {"known": "a", "other": 1}},
        "resource": {"apiVersion": "v1", "kind": "Y", "metadata": {"name": "y", "bar": 1}, "spec": {}},
    });
    let dropped = prune(&mut value, set.view(root));
    let want = [
        "bogus",
        "free.known.other",
        "list[0].other",
        "metadata.foo",
        "resource.metadata.bar",
        "resource.spec",
    ];
    assert_eq!(dropped, want);
    assert_eq!(
        value,
        json!({
            "apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}, "text": "t",
            "list": [{"known": "a"}],
            "free": {"any": {"thing": 1}, "known": {"known": "a"}},
            "resource": {"apiVersion": "v1", "kind": "Y", "metadata": {"name": "y"}},
        })
    );
}
