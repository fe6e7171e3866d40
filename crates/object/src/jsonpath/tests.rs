use serde_json::json;

use super::*;

fn nodes() -> Value {
    json!({
        "kind": "List",
        "items": [
            {
                "kind": "Node",
                "metadata": {"name": "127.0.0.1", "labels": {"kubernetes.io/hostname": "127.0.0.1"}},
                "status": {
                    "capacity": {"cpu": "4"}, "ready": true,
                    "addresses": [{"type": "Legacy", "address": "127.0.0.1"}],
                },
            },
            {
                "kind": "Node",
                "metadata": {"name": "127.0.0.2", "labels": {"kubernetes.io/hostname": "127.0.0.2"}},
                "status": {
                    "capacity": {"cpu": "8"}, "ready": false,
                    "addresses": [
                        {"type": "Legacy", "address": "127.0.0.2"}, {"type": "Other", "address": "127.0.0.3"},
                    ],
                },
            },
        ],
        "users": [{"name": "myself", "user": {}}, {"name": "e2e", "user": {"password": "secret"}}],
        "numbers": [1, 2, 3, 4],
        "mixed": [true, "one", 1, 1.5, null],
        "html": {"a": "<&>"},
        "empty": [],
        "null": null,
    })
}

#[test]
fn templates_of_the_documentation() {
    let cases = [
        ("plain text", "plain text"),
        ("{.kind}", "List"),
        ("the {.kind}.", "the List."),
        ("{@.kind}{$.kind}", "ListList"),
        ("{.numbers}", "[1,2,3,4]"),
        ("{.numbers[0]} {.numbers[-1]} {.numbers[-2]}", "1 4 3"),
        ("{.numbers[0:2]}/{.numbers[:2]}/{.numbers[1:]}/{.numbers[-2:]}", "1 2/1 2/2 3 4/3 4"),
        ("{.numbers[::2]}/{.numbers[1::2]}/{.numbers[:4:2]}/{.numbers[2:2]}", "1 3/2 4/1 3/"),
        ("{.numbers[*]}", "1 2 3 4"),
        ("{.numbers[0,2,3]}", "1 3 4"),
        ("{.mixed}/{.mixed[*]}", "[true,\"one\",1,1.5,null]/true one 1 1.5 null"),
        ("{.html}/{.html.a}", "{\"a\":\"\\u003c\\u0026\\u003e\"}/<&>"),
        ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
        (
            "{.items[*]['metadata.name', 'status.capacity']}",
            "127.0.0.1 127.0.0.2 {\"cpu\":\"4\"} {\"cpu\":\"8\"}",
        ),
        ("{.users[?(@.name==\"e2e\")].user.password}", "secret"),
        ("{.users[?(@.name=='e2e')].user.password}", "secret"),
        ("{.items[0].metadata.labels.kubernetes\\.io/hostname}", "127.0.0.1"),
        ("{.items[0].metadata.labels['kubernetes\\.io/hostname']}", "127.0.0.1"),
        ("{.items[?(@.metadata.labels.kubernetes\\.io/hostname==\"127.0.0.2\")].status.ready}", "false"),
        ("{.items[?(@.status.ready==true)].metadata.name}", "127.0.0.1"),
        ("{.items[?(@..ready==true)].metadata.name}", "127.0.0.1"),
        ("{.users[?(@.user.password)].name}", "e2e"),
        ("{..address}", "127.0.0.1 127.0.0.2 127.0.0.3"),
        ("{...address}", "127.0.0.1 127.0.0.2 127.0.0.3"),
        (
            "{.numbers[?(@>2)]}/{.numbers[?(@<=2)]}/{.numbers[?(@!=2)]}/{.numbers[?(@>=3.5)]}",
            "3 4/1 2/1 3 4/4",
        ),
        ("{.mixed[?(@==\"one\")]}/{.mixed[?(@==1)]}", "one/1"),
        ("{range .items[*]}{.metadata.name}{\"\\t\"}{end}", "127.0.0.1\t127.0.0.2\t"),
        ("{range .items[*]}{.metadata.name}, {end}{.kind}", "127.0.0.1, 127.0.0.2, List"),
        (
            "{range .items[*]}{range .status.addresses[*]}{.address}, {end}{'\\n'}{end}",
            "127.0.0.1, \n127.0.0.2, 127.0.0.3, \n",
        ),
        (
            "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}",
            "[127.0.0.1, {\"cpu\":\"4\"}] [127.0.0.2, {\"cpu\":\"8\"}] ",
        ),
        ("{range .empty[*]}{.x}{end}.", "."),
        ("{\"{\"}{'\"'}{\"\\u00e9\\x41\\101\"}", "{\"éAA"),
        ("{1}{-2.5}{true}", "1-2.5true"),
        ("{.null}", "null"),
        ("{.users[*].*}", "myself {} e2e {\"password\":\"secret\"}"),
        ("{.nope}-{.nope.deeper}-{.items[*].nope}", "--"),
        ("{.null.x}{.null[0]}", ""),
    ];
    for (template, want) in cases {
        let compiled = Template::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        assert_eq!(compiled.render(&nodes(), MissingKeys::Skip).as_deref(), Ok(want), "{template}");
    }
}

#[test]
fn the_object_itself() {
    for template in ["{}", "{@}", "{$}", "{.}"] {
        let text = Template::parse(template).unwrap().render(&json!({"a": 1}), MissingKeys::Fail);
        assert_eq!(text.as_deref(), Ok("{\"a\":1}"), "{template}");
    }
}

#[test]
fn errors_of_templates() {
    let cases = [
        ("{", "unclosed action"),
        ("{.a", "unclosed action"),
        ("{.a\n}", "unclosed action"),
        ("{hello}", "unrecognized identifier hello"),
        ("{.a == 1}", "unrecognized character in action: U+003D '='"),
        ("{end}", "not in range, nothing to end"),
        ("{range .a[*]}x", "unclosed range, expect {end}"),
        ("{.a[}", "unterminated array"),
        ("{.a[x]}", "invalid array index x"),
        ("{.a[1:2:3:4]}", "invalid array index 1:2:3:4"),
        ("{.a[-]}", "array index - is not a number"),
        ("{.a[\"b\"]}", "invalid array index \"b\""),
        ("{.a[?(@.b==1]}", "unterminated filter"),
        ("{.a[?(@.b==1)}", "unclosed array expect ]"),
        ("{.a[?(@.b<>1)]}", "unrecognized filter operator <>"),
        ("{\"a}", "unterminated quoted string"),
        ("{\"\\q\"}", "unquote string \"\\q\" error invalid syntax"),
        ("{....a}", "invalid multiple recursive descent"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
    ];
    for (template, want) in cases {
        assert_eq!(Template::parse(template), Err(JsonPathError::Syntax(want.to_owned())), "{template}");
    }
    let deep = format!("{{{}", "range .a}{".repeat(100));
    assert!(Template::parse(&deep).is_err());
}

#[test]
fn errors_of_evaluation() {
    let cases = [
        ("{.nope}", "nope is not found"),
        ("{.numbers[9]}", "array index out of bounds: index 9, length 4"),
        ("{.numbers[-5]}", "array index out of bounds: index -1, length 4"),
        ("{.numbers[0:9]}", "array index out of bounds: index 8, length 4"),
        ("{.numbers[3:1]}", "starting index 3 is greater than ending index 1"),
        ("{.numbers[::0]}", "step must be > 0"),
        ("{.kind[0]}", "string is not array or slice"),
        ("{.users[0].user[*]}", "map[string]interface {} is not array or slice"),
        ("{.kind[?(@.a)]}", "List is not array or slice and cannot be filtered"),
        ("{.items[?(@.status.addresses[*].type==\"Other\")]}", "can only compare one element at a time"),
    ];
    for (template, want) in cases {
        let error = Template::parse(template).unwrap().render(&nodes(), MissingKeys::Fail).unwrap_err();
        assert_eq!(error.to_string(), want, "{template}");
    }
}

#[test]
fn paths_of_printer_columns() {
    let object = json!({
        "spec": {"replicas": 3, "names": ["a", "b"]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
    });
    let cases = [
        (".spec.replicas", Some(json!(3))),
        ("spec.replicas", Some(json!(3))),
        ("{.spec.replicas}", Some(json!(3))),
        (".spec.names[1]", Some(json!("b"))),
        (".spec.names[*]", Some(json!("a"))),
        (".status.conditions[?(@.type==\"Ready\")].status", Some(json!("True"))),
        (".status.conditions[?(@.type=='Nope')].status", None),
        (".spec.nope.deeper", None),
        (".spec.names[7]", None),
        (".spec.replicas[0]", None),
    ];
    for (path, want) in cases {
        assert_eq!(
            JsonPath::parse(path).unwrap().first(&object, &Budget::unlimited(&Interrupt::never())),
            want.as_ref(),
            "{path}"
        );
    }
    let path = JsonPath::parse(".spec.names[*]").unwrap();
    assert_eq!(render_values(&path.find(&object)), "a b");
}

#[test]
fn evaluation_is_bounded() {
    let squared = json!(vec![vec![0; 100]; 1000]);
    let path = JsonPath::parse("{[*][*]}").unwrap();
    assert_eq!(path.evaluate(&squared, MissingKeys::Skip).map(|found| found.len()), Ok(100_000));
    for text in ["{[*,*][*]}", "{[*][*,*]}", "{...*}"] {
        let path = JsonPath::parse(text).unwrap();
        assert_eq!(path.evaluate(&squared, MissingKeys::Skip), Err(JsonPathError::TooMany), "{text}");
    }
}
