use super::*;

fn objects() -> Vec<Value> {
    let pod = |name: &str, node: Value| {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": { "nodeName": node, "containers": [{ "image": "a:1" }, { "image": "b:2" }] } })
    };
    let mut pods = vec![pod("web", json!("n1")), pod("cache", json!("n2"))];
    pods[1]["spec"].as_object_mut().expect("a map").remove("nodeName");
    pods
}

fn render(output: &str, is_single: bool) -> String {
    let format = Format::read(Some(output), None).expect("a format");
    let mut objects = objects();
    objects.truncate(if is_single { 1 } else { 2 });
    format.render(objects, is_single, true).expect("it renders")
}

#[test]
fn every_format_renders_as_kubectl_does() {
    let cases = [
        ("name", false, "pod/web\npod/cache\n"),
        ("jsonpath={.metadata.name}", true, "web"),
        ("jsonpath=.metadata.name", true, "web"),
        (r#"jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}"#, false, "web\ncache\n"),
        ("jsonpath={.items[*].spec.nodeName}", false, "n1"),
        ("jsonpath-as-json={.items[*].metadata.name}", false, "[\n  \"web\",\n  \"cache\"\n]\n"),
        (
            "custom-columns=NAME:.metadata.name,NODE:{.spec.nodeName},IMAGES:spec.containers[*].image",
            false,
            "NAME    NODE     IMAGES\nweb     n1       a:1,b:2\ncache   <none>   a:1,b:2\n",
        ),
    ];
    for (output, is_single, want) in cases {
        assert_eq!(render(output, is_single), want, "{output}");
    }
    assert!(render("json", true).starts_with("{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Pod\""));
    assert!(render("json", false).contains("\"kind\": \"List\""));
    assert!(render("yaml", true).starts_with("apiVersion: v1\nkind: Pod\n"), "{}", render("yaml", true));
}

#[test]
fn a_format_that_is_not_known_is_refused_with_its_name() {
    let cases = [
        ("go-template={{.metadata.name}}", "\"go-template\" is not supported: use jsonpath"),
        ("template", "\"template\" is not supported"),
        ("xml", "unknown output format \"xml\"; known are wide, json"),
        ("jsonpath", "\"jsonpath\" needs a template: -o jsonpath=…"),
        ("jsonpath={.a", "error parsing jsonpath {.a"),
        ("custom-columns=NAME", "unexpected custom-columns spec: NAME"),
        ("custom-columns-file=/no/such/file", "cannot read /no/such/file"),
        ("json=x", "takes no argument"),
    ];
    for (output, part) in cases {
        let error = Format::read(Some(output), None).expect_err(output).to_string();
        assert!(error.contains(part), "{output}: {error}");
    }
    assert_eq!(Format::read(Some("jsonpath"), Some("{.kind}")).expect("a format"), {
        Format::JsonPath(Template::parse("{.kind}").expect("a template"))
    });
}

#[test]
fn files_hold_templates_and_columns() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let output = |kind: &str| format!("{kind}={}", file.path().display());
    fs::write(file.path(), "NAME       NODE\n.metadata.name .spec.nodeName\n").expect("it is written");
    assert_eq!(render(&output("custom-columns-file"), true), "NAME   NODE\nweb    n1\n");
    fs::write(file.path(), "{.kind}\n").expect("it is written");
    assert_eq!(render(&output("jsonpath-file"), true), "Pod\n");
}
