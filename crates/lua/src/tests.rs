use std::time::{Duration, Instant};

use portolan_api::config::InterpreterOperation;
use portolan_api::work::{AggregatedStatusItem, ResourceHealth};
use portolan_object::Object;
use serde_json::{Value, json};

use super::*;

const SHORT: Limits = Limits { time: Duration::from_millis(200), memory: 8 << 20 };

/// The value of a Lua expression, through a status.
fn value(expression: &str) -> Value {
    let script = format!(
        "local kube = require('kube')\nfunction ReflectStatus(obj) return {{ value = {expression} }} end"
    );
    reflect(&script, &Object(json!({})), Limits::default())
        .unwrap_or_else(|error| panic!("{expression}: {error}"))["value"]
        .take()
}

fn failure(body: &str) -> String {
    let script = format!("function ReflectStatus(obj) {body} end");
    reflect(&script, &Object(json!({})), SHORT).expect_err(body).to_string()
}

fn deployment() -> Object {
    Object(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 3, "selector": {}, "paused": false, "template": {"spec": {"volumes": [],
            "nodeSelector": {"disk": "ssd"},
            "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}}],
                            "resources": {"requests": {"cpu": "100m"}}}]}}}}),
    )
}

#[test]
fn each_operation_calls_its_function() {
    let template = deployment();
    let limits = Limits::default();
    let script = "local kube = require('kube')
        function GetReplicas(obj) return obj.spec.replicas, kube.accuratePodRequirements(obj.spec.template) end
        function GetComponents(obj) return {{ name = 'head', replicas = 1 }, { name = 'tail', replicas = 2 }} end
        function ReviseReplica(obj, replica) obj.spec.replicas = replica; return obj end
        function Retain(desired, observed) desired.spec.paused = observed.spec.paused; return desired end
        function AggregateStatus(desired, items)
            desired.status = { count = items and #items or 0 }
            return desired
        end
        function ReflectStatus(observed) return { seen = observed.spec.replicas } end
        function InterpretHealth(observed) return observed.spec.replicas > 1 end
        function GetDependencies(obj) return kube.getPodDependencies(obj.spec.template, obj.metadata.namespace) end";
    let (count, requirements) = replicas(script, &template, limits).unwrap();
    assert_eq!(count, 3);
    assert_eq!(
        json!(requirements),
        json!({"nodeClaim": {"nodeSelector": {"disk": "ssd"}}, "resourceRequest": {"cpu": "100m"}})
    );
    assert_eq!(
        json!(components(script, &template, limits).unwrap()),
        json!([{"name": "head", "replicas": 1}, {"name": "tail", "replicas": 2}])
    );
    let mut want = template.clone();
    want.0["spec"]["replicas"] = json!(7);
    assert_eq!(revise(script, &template, 7, limits).unwrap(), want);
    let mut observed = template.clone();
    observed.0["spec"]["paused"] = json!(true);
    assert_eq!(retain(script, &template, &observed, limits).unwrap(), observed);
    let item = AggregatedStatusItem {
        cluster_name: "m1".to_owned(),
        applied: true,
        health: Some(ResourceHealth::Healthy),
        ..AggregatedStatusItem::default()
    };
    assert_eq!(aggregate(script, &template, &[item], limits).unwrap(), json!({"count": 1}));
    assert_eq!(aggregate(script, &template, &[], limits).unwrap(), json!({"count": 0}));
    assert_eq!(reflect(script, &template, limits).unwrap(), json!({"seen": 3}));
    assert!(health(script, &template, limits).unwrap());
    assert_eq!(
        json!(dependencies(script, &template, limits).unwrap()),
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "settings"}])
    );
}

#[test]
fn values_keep_their_type_on_the_way_through_lua() {
    let cases = [
        ("3", json!(3)),
        ("10 / 4", json!(2.5)),
        ("10 / 2", json!(5)),
        ("2 ^ 40", json!(1_099_511_627_776_i64)),
        ("'text'", json!("text")),
        ("1 == 1", json!(true)),
        ("{ 1, 'a', { b = false } }", json!([1, "a", {"b": false}])),
        ("nil", Value::Null),
    ];
    for (expression, want) in cases {
        assert_eq!(value(expression), want, "{expression}");
    }
}

#[test]
fn numbers_and_libraries_are_those_of_lua_5_1() {
    let cases = [
        ("tostring(10 / 2)", json!("5")),
        ("'n=' .. 3", json!("n=3")),
        ("string.format('%05.1f|%s|%d', 2.25, 'x', 7)", json!("002.2|x|7")),
        ("table.concat({ 'a', 'b' }, ',')", json!("a,b")),
        ("math.max(1, 5, 3)", json!(5)),
        ("select('#', unpack({ 1, 2 }))", json!(2)),
        ("('ABC'):lower()", json!("abc")),
        ("type(os.time())", json!("number")),
        ("os.date('!%Y-%m-%dT%H:%M:%SZ', 0)", json!("1970-01-01T00:00:00Z")),
        ("os.time({ year = 1970, month = 1, day = 2, hour = 0 })", json!(86_400)),
    ];
    for (expression, want) in cases {
        assert_eq!(value(expression), want, "{expression}");
    }
}

#[test]
fn patterns_are_those_of_the_manual() {
    let cases = [
        ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", json!("key")),
        ("select(2, ('key = value'):match('^(%w+)%s*=%s*(%w+)$'))", json!("value")),
        ("('hello'):find('l')", json!(3)),
        ("('a.b'):find('.', 1, true)", json!(2)),
        ("('a.b'):find('.b', 1, true)", json!(2)),
        ("('abc'):find('b', -1)", Value::Null),
        ("('1h2m'):gsub('%d', '<%0>')", json!("<1>h<2>m")),
        ("select(2, ('banana'):gsub('a', 'o'))", json!(3)),
        ("('banana'):gsub('a', 'o', 2)", json!("bonona")),
        ("('hello world'):gsub('o', { o = '0' })", json!("hell0 w0rld")),
        ("('hello'):gsub('l+', function(found) return #found end)", json!("he2o")),
        ("('abc'):gsub('', '-')", json!("-a-b-c-")),
        ("('THE (quick) fox'):find('%((%a+)%)')", json!(5)),
        ("('f(a(b)c)d'):match('%b()')", json!("(a(b)c)")),
        ("('THE (quick) fox'):gsub('%f[%a]%a+', string.lower)", json!("the (quick) fox")),
        ("('abab'):match('(ab)%1')", json!("ab")),
        ("('x'):match('()')", json!(1)),
        ("('[]'):match('[]]')", json!("]")),
        ("('a-z'):match('[a%-z]+')", json!("a-z")),
        ("('0x1F'):match('^0x(%x+)$')", json!("1F")),
        ("('aaa'):match('a-$')", json!("aaa")),
        ("('nothing'):match('%d')", Value::Null),
        (
            "(function() local all = {} for num, unit in ('1h30m'):gmatch('(%d+)([hms])') do all[#all + 1] = num .. unit end return all end)()",
            json!(["1h", "30m"]),
        ),
    ];
    for (expression, want) in cases {
        assert_eq!(value(expression), want, "{expression}");
    }
    for (body, want) in [
        ("return ('x'):match('(')", "unfinished capture"),
        ("return ('x'):match('%')", "ends with '%'"),
        ("return ('x'):match('[a')", "missing ']'"),
        ("return ('x'):match(('()'):rep(40))", "too many captures"),
        ("return ('x'):gsub('x', '%2')", "invalid capture index"),
    ] {
        assert!(failure(body).contains(want), "{body}: {}", failure(body));
    }
}

#[test]
fn quantities_are_those_of_kubernetes() {
    let cases = [
        ("kube.resourceAdd('500m', '1500m')", json!("2")),
        ("kube.resourceAdd('1Gi', nil, '1Gi')", json!("2Gi")),
        ("kube.resourceAdd()", json!("0")),
        ("kube.getResourceQuantity('1500m')", json!(1.5)),
        ("kube.getResourceQuantity('1Ki')", json!(1024)),
        ("kube.getResourceQuantity(nil)", json!(0)),
        ("kube.accuratePodRequirements({ spec = {} })", Value::Null),
    ];
    for (expression, want) in cases {
        assert_eq!(value(expression), want, "{expression}");
    }
    let bad = "local kube = require('kube') return { kube.resourceAdd('many') }";
    assert!(failure(bad).contains("quantity \"many\""), "{}", failure(bad));
}

#[test]
fn empty_tables_become_what_the_object_had() {
    let script = "function ReviseReplica(obj, replica) obj.new = {} return obj end";
    let template = deployment();
    assert_eq!(revise(script, &template, 1, Limits::default()).unwrap(), template);
    let script = "function ReflectStatus(obj) return {} end";
    assert_eq!(reflect(script, &template, Limits::default()).unwrap(), json!({}));
}

#[test]
fn a_faulty_script_says_what_is_wrong() {
    let object = deployment();
    let cases = [
        ("function InterpretHealth(", "does not compile"),
        ("x = 1", "does not define the function InterpretHealth"),
        ("InterpretHealth = 1", "does not define the function InterpretHealth"),
        ("function InterpretHealth() return 1 end", "InterpretHealth returned number, expected a boolean"),
        ("function InterpretHealth() end", "InterpretHealth returned nil, expected a boolean"),
        ("function InterpretHealth(o) return o.status.phase == 'x' end", "attempt to index"),
        ("function InterpretHealth() error('no luck') end", "no luck"),
    ];
    for (script, want) in cases {
        let error = health(script, &object, SHORT).unwrap_err().to_string();
        assert!(error.contains(want), "{script}: {error}");
        assert!(!error.contains("traceback"), "{error}");
    }
    for (body, want) in [
        ("local t = {} t.t = t return t", "twice, or in itself"),
        ("local t = {} return { t, t, 1 }", "twice, or in itself"),
        ("return { a = print }", "it contains a function"),
        ("return { 1, 2, a = 3 }", "texts and numbers as keys"),
        ("return { [1] = 'a', [3] = 'b' }", "a list has gaps"),
        ("return { a = 0 / 0 }", "is not a number in JSON"),
        ("return 'text'", "expected a table"),
    ] {
        assert!(failure(body).contains(want), "{body}: {}", failure(body));
    }
    assert!(check("function f() return 1 end").is_ok());
    assert!(check("this is not Lua").is_err());
    assert!(check("while true do end").is_ok(), "a check does not run the script");
}

#[test]
fn a_script_defines_the_function_of_its_operation() {
    let cases = [
        ("function GetReplicas(obj) return 1 end", None),
        ("GetReplicas = function(obj) error('only when it is called') end", None),
        ("function Replicas(obj) return 1 end", Some("the script does not define the function GetReplicas")),
        ("GetReplicas = 1", Some("the script does not define the function GetReplicas")),
        ("local function GetReplicas(obj) return 1 end", Some("does not define the function GetReplicas")),
        ("return 1", Some("does not define the function GetReplicas")),
        ("error('at once')", Some("the script failed: ")),
        ("while true do end", Some("did not end within")),
    ];
    for (script, want) in cases {
        let found = defines(script, InterpreterOperation::InterpretReplica);
        match (found, want) {
            (Ok(()), None) => {}
            (Err(error), Some(want)) => assert!(error.to_string().contains(want), "{script}: {error}"),
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[test]
fn a_script_reaches_nothing_but_its_arguments() {
    for name in [
        "load",
        "loadstring",
        "dofile",
        "loadfile",
        "setmetatable",
        "getmetatable",
        "rawset",
        "setfenv",
        "collectgarbage",
        "newproxy",
        "module",
    ] {
        let error = failure(&format!("return {{ {name}('x') }}"));
        let want =
            format!("call function {name} is not supported in karmada customized resourceinterpreter.");
        assert!(error.contains(&want), "{error}");
    }
    for absent in ["io", "debug", "package", "coroutine", "os.execute", "os.getenv", "os.exit", "string.dump"]
    {
        assert_eq!(value(&format!("type({absent})")), json!("nil"), "{absent}");
    }
    assert!(failure("require('os')").contains("there is only kube"));
    let bytecode = "\u{1b}Lua";
    assert!(matches!(check(bytecode), Err(LuaError::Syntax(_))), "{:?}", check(bytecode));
}

#[test]
fn calls_do_not_see_each_other() {
    let script = "count = (count or 0) + 1 function ReflectStatus() return { count = count } end";
    for _ in 0..3 {
        assert_eq!(reflect(script, &deployment(), Limits::default()).unwrap(), json!({"count": 1}));
    }
}

#[test]
fn every_script_ends_within_its_limits() {
    let slow = [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() error('x') end, function() while true do end end) end",
        "local function f() return f() end f()",
        "return { ('a'):rep(100000):match(('.-'):rep(20) .. 'b') }",
        "for _ in ('a'):rep(1000000):gmatch('.-.-.-b') do end",
        "return { ('x'):rep(1000000):find('x-x-x-y') }",
    ];
    for body in slow {
        let started = Instant::now();
        let error = failure(body);
        assert!(error.contains("did not end within"), "{body}: {error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{body}: {:?}", started.elapsed());
    }
    let large = [
        "return { ('x'):rep(100000000) }",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1000) .. #t end) end",
    ];
    for body in large {
        let error = failure(body);
        assert!(error.contains("bytes of memory") || error.contains("did not end within"), "{body}: {error}");
    }
    assert!(failure("local function f() return 1 + f() end return { f() }").contains("stack overflow"));
}
