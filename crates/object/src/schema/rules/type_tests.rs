//! The type check, with the answers of kube-apiserver 1.36.3.

use serde_json::json;

use super::*;
use crate::schema::structural;

/// Rules at `spec`, and why they are refused; empty if they are not. Positions are left out, and names of object types.
const ANSWERS: &[(&str, &str)] = &[
    ("self.replicas > 1", ""),
    ("self.nosuch > 1", "compilation failed: undefined field 'nosuch'"),
    ("self.inner.b == 1", "compilation failed: undefined field 'b'"),
    ("has(self.nosuch)", "compilation failed: undefined field 'nosuch'"),
    ("has(self.inner.a)", ""),
    ("self.free == 1", "compilation failed: undefined field 'free'"),
    (
        "self.replicas == 'x'",
        "compilation failed: found no matching overload for '_==_' applied to '(int, string)'",
    ),
    (
        "self.replicas == 1.0",
        "compilation failed: found no matching overload for '_==_' applied to '(int, double)'",
    ),
    ("self.replicas < 1.5", ""),
    ("self.ratio < 2", ""),
    (
        "self.ratio == 2",
        "compilation failed: found no matching overload for '_==_' applied to '(double, int)'",
    ),
    ("self.replicas + 1", "cel expression must evaluate to a bool"),
    (
        "self.replicas + self.name == ''",
        "compilation failed: found no matching overload for '_+_' applied to '(int, string)'",
    ),
    (
        "self.name + 1 == ''",
        "compilation failed: found no matching overload for '_+_' applied to '(string, int)'",
    ),
    (
        "self.name.startsWith(1)",
        "compilation failed: found no matching overload for 'startsWith' applied to 'string.(int)'",
    ),
    ("self.name.nosuch()", "compilation failed: undeclared reference to 'nosuch' (in container '')"),
    ("nosuch(self.name)", "compilation failed: undeclared reference to 'nosuch' (in container '')"),
    ("nosuch.f(1) == 1", "compilation failed: undeclared reference to 'nosuch' (in container '')"),
    ("nosuch", "compilation failed: undeclared reference to 'nosuch' (in container '')"),
    ("self.name", "cel expression must evaluate to a bool"),
    ("self.port", "cel expression must evaluate to a bool"),
    ("self.port == 1", ""),
    ("self.port > 0", ""),
    ("type(self.port) == int", ""),
    ("type(self.port) == string", ""),
    ("self.list.all(x, x.size() < 3)", ""),
    (
        "self.list.all(x, x < 3)",
        "compilation failed: found no matching overload for '_<_' applied to '(string, int)'",
    ),
    ("self.list.all(x, x)", "compilation failed: expected type 'bool' but found 'string'"),
    ("self.list.map(x, size(x)).sum() > 3", ""),
    (
        "self.list.map(x, size(x)).exists(y, y == 'a')",
        "compilation failed: found no matching overload for '_==_' applied to '(int, string)'",
    ),
    ("self.list.filter(x, x != '').size() > 0", ""),
    ("self.list.exists_one(x, x == 'a')", ""),
    ("self.labels.all(k, k.matches('^a'))", ""),
    ("self.labels.all(k, self.labels[k] == 'x')", ""),
    (
        "self.labels.all(k, self.labels[k] == 1)",
        "compilation failed: found no matching overload for '_==_' applied to '(string, int)'",
    ),
    ("self.labels.foo == 'x'", ""),
    (
        "self.labels.foo == 1",
        "compilation failed: found no matching overload for '_==_' applied to '(string, int)'",
    ),
    ("'a' in self.labels", ""),
    (
        "1 in self.labels",
        "compilation failed: found no matching overload for '@in' applied to '(int, map(string, string))'",
    ),
    ("'a' in self.list", ""),
    (
        "1 in self.list",
        "compilation failed: found no matching overload for '@in' applied to '(int, list(string))'",
    ),
    (
        "self.name.all(c, c == 'a')",
        "compilation failed: expression of type 'string' cannot be range of a comprehension (must be list, map, or dynamic)",
    ),
    (
        "self.replicas.all(c, true)",
        "compilation failed: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)",
    ),
    ("self.replicas.x == 1", "compilation failed: type 'int' does not support field selection"),
    ("self.on ? self.replicas == 1 : self.name == ''", ""),
    (
        "self.on ? 1 : 'a'",
        "compilation failed: found no matching overload for '_?_:_' applied to '(bool, int, string)'",
    ),
    (
        "(self.on ? 1 : 'a') == 1",
        "compilation failed: found no matching overload for '_?_:_' applied to '(bool, int, string)'",
    ),
    ("self.on && self.replicas", "compilation failed: expected type 'bool' but found 'int'"),
    ("!self.replicas", "compilation failed: found no matching overload for '!_' applied to '(int)'"),
    ("-self.name == ''", "compilation failed: found no matching overload for '-_' applied to '(string)'"),
    (
        "self.inner == self.other",
        "compilation failed: found no matching overload for '_==_' applied to '(object, object)'",
    ),
    ("self.inner == self.inner", ""),
    ("self.inner == null", ""),
    (
        "self.name == null",
        "compilation failed: found no matching overload for '_==_' applied to '(string, null)'",
    ),
    ("self.since < timestamp('2030-01-01T00:00:00Z')", ""),
    ("self.since < timestamp('nonsense')", "compilation failed: invalid timestamp argument"),
    ("self.every < duration('1h')", ""),
    ("self.every < duration('xyz')", "compilation failed: invalid duration argument"),
    (
        "self.since == self.every",
        "compilation failed: found no matching overload for '_==_' applied to '(timestamp, duration)'",
    ),
    ("self.since - self.since < duration('1h')", ""),
    ("self.since.getFullYear() > 2000", ""),
    (
        "self.every.getFullYear() > 2000",
        "compilation failed: found no matching overload for 'getFullYear' applied to 'duration.()'",
    ),
    ("self.raw == b'abc'", ""),
    (
        "self.raw == 'abc'",
        "compilation failed: found no matching overload for '_==_' applied to '(bytes, string)'",
    ),
    ("self.name.matches('[')", "compilation failed: invalid matches argument"),
    ("self.name.matches('^a$')", ""),
    ("[1, 'a'].size() == 2", "compilation failed: expected type 'int' but found 'string'"),
    ("[1, 2.0].size() == 2", "compilation failed: expected type 'int' but found 'double'"),
    ("{'a': 1, 'b': 'x'}.size() == 2", "compilation failed: expected type 'int' but found 'string'"),
    ("{'a': 1}['a'] == 1", ""),
    (
        "{'a': 1}[1] == 1",
        "compilation failed: found no matching overload for '_[_]' applied to '(map(string, int), int)'",
    ),
    ("[].size() == 0", ""),
    ("[1][0] == 1", ""),
    ("['a'][0] == 1", "compilation failed: found no matching overload for '_==_' applied to '(string, int)'"),
    (
        "[1]['a'] == 1",
        "compilation failed: found no matching overload for '_[_]' applied to '(list(int), string)'",
    ),
    ("'%s %d'.format([self.name, self.replicas]) == ''", ""),
    ("self.list.join(',') == ''", ""),
    (
        "self.numbers.join(',') == ''",
        "compilation failed: found no matching overload for 'join' applied to 'list(int).(string)'",
    ),
    ("self.name.split(',')[0] == 'a'", ""),
    ("self.numbers.max() > 3", ""),
    (
        "self.list.sum() > 3",
        "compilation failed: found no matching overload for 'sum' applied to 'list(string).()'",
    ),
    ("self.?inner.a.orValue(1) == 1", ""),
    ("self.?inner.nosuch.orValue(1) == 1", "compilation failed: undefined field 'nosuch'"),
    ("self.?inner.a == optional.of(1)", ""),
    (
        "self.?replicas.orValue('x') == 'x'",
        "compilation failed: found no matching overload for 'orValue' applied to 'optional_type(int).(string)'",
    ),
    ("self.?replicas.hasValue()", ""),
    ("optional.none().hasValue()", ""),
    ("self.list[?0].orValue('') == ''", ""),
    ("self.labels[?'a'].orValue('') == ''", ""),
    ("quantity('1').isGreaterThan(quantity('2'))", ""),
    (
        "quantity('1').isGreaterThan(1)",
        "compilation failed: found no matching overload for 'isGreaterThan' applied to 'kubernetes.Quantity.(int)'",
    ),
    (
        "quantity(1).isInteger()",
        "compilation failed: found no matching overload for 'quantity' applied to '(int)'",
    ),
    (
        "quantity('1').sign() == 1",
        "compilation failed: found no matching overload for 'sign' applied to 'kubernetes.Quantity.()'",
    ),
    ("sign(quantity('1')) == 1", ""),
    ("isIP(self.name) && ip(self.name).family() == 4", ""),
    ("cidr(self.name).containsIP('1.1.1.1')", ""),
    ("url(self.name).getHost() == ''", ""),
    ("semver('1.0.0').major() == 1", ""),
    ("self.embedded.kind == 'x'", ""),
    ("self.embedded.metadata.name == 'x'", ""),
    ("self.embedded.metadata.labels.size() == 0", "compilation failed: undefined field 'labels'"),
    ("self.embedded.spec.size() == 0", "compilation failed: undefined field 'spec'"),
    ("self.items.all(i, i.k != '' && i.v > 0)", ""),
    ("self.items.all(i, i.nosuch > 0)", "compilation failed: undefined field 'nosuch'"),
    ("self.items.exists(i, self.items[0] == i)", ""),
    ("self.items[0].v == 1", ""),
    ("self.items.all(i, v, v.k != '' && i > 0)", ""),
    ("self.labels.transformMap(k, v, v.size()).size() == 0", ""),
    ("self.labels.transformList(k, v, v.size()).sum() == 0", ""),
    ("self.list.transformMap(i, v, v).size() == 0", ""),
    ("self.list.sortBy(x, size(x))[0] == 'a'", ""),
    ("self.list.distinct().size() == 1", ""),
    ("self.list.slice(0, 1).size() == 1", ""),
    ("lists.range(3).size() == 3", ""),
    ("sets.contains(self.list, ['a'])", ""),
    (
        "sets.contains(self.list, [1])",
        "compilation failed: found no matching overload for 'sets.contains' applied to '(list(string), list(int))'",
    ),
    ("math.greatest(1, 2) == 2", "compilation failed: undeclared reference to 'math' (in container '')"),
    ("base64.encode(b'a') == ''", "compilation failed: undeclared reference to 'base64' (in container '')"),
    ("dyn(self.replicas) == 'x'", ""),
    ("dyn(self.replicas)", "cel expression must evaluate to a bool"),
    ("int(self.name) == 1", ""),
    ("int(self.on) == 1", "compilation failed: found no matching overload for 'int' applied to '(bool)'"),
    ("string(self.replicas) == '1'", ""),
    (
        "string(self.list) == ''",
        "compilation failed: found no matching overload for 'string' applied to '(list(string))'",
    ),
    ("bool('true')", ""),
    (
        "size(self.replicas) == 1",
        "compilation failed: found no matching overload for 'size' applied to '(int)'",
    ),
    ("format.dns1123Label().validate(self.name).hasValue()", ""),
    ("!format.named('nosuch').hasValue()", ""),
    ("strings.quote(self.name) == ''", ""),
    ("self.name.charAt(0) == 'a'", ""),
    (
        "self.name.reverse() == 'a'",
        "compilation failed: found no matching overload for 'reverse' applied to 'string.()'",
    ),
    ("self.list.first().orValue('') == 'a'", ""),
    (
        "self.list.flatten().size() == 1",
        "compilation failed: found no matching overload for 'flatten' applied to 'list(string).()'",
    ),
    ("uint(1) == 1u", ""),
    ("1 == 1u", "compilation failed: found no matching overload for '_==_' applied to '(int, uint)'"),
    ("1 < 2u", ""),
    ("self.metadata.name == ''", "compilation failed: undefined field 'metadata'"),
    ("self.kind == ''", "compilation failed: undefined field 'kind'"),
    ("true", ""),
    ("self.replicas > oldSelf.replicas", ""),
    ("self.replicas > oldSelf.nosuch", "compilation failed: undefined field 'nosuch'"),
    ("type(1) == google.protobuf.Timestamp", ""),
    ("self == oldSelf", ""),
    ("self.list + ['a'] == self.list", ""),
    (
        "self.list + [1] == self.list",
        "compilation failed: found no matching overload for '_+_' applied to '(list(string), list(int))'",
    ),
    ("self.on == true", ""),
    ("self.numbers == [1, 2]", ""),
    (
        "self.numbers == ['a']",
        "compilation failed: found no matching overload for '_==_' applied to '(list(int), list(string))'",
    ),
    ("self.labels == {'a': 'b'}", ""),
    (
        "self.inner == {'a': 1}",
        "compilation failed: found no matching overload for '_==_' applied to '(object, map(string, int))'",
    ),
    ("self.name in ['a', 'b']", ""),
    (
        "self.replicas in ['a']",
        "compilation failed: found no matching overload for '@in' applied to '(int, list(string))'",
    ),
    ("self.every == duration(self.name)", ""),
    ("self.name.find('[0-9]+') == '1'", ""),
    ("self.name.findAll('[0-9]+', 1).size() == 1", ""),
    ("!(has(self.name) && has(self.inner)) || self.on", ""),
    ("self.name.size() > 0 || self.nosuch", "compilation failed: undefined field 'nosuch'"),
    ("self.list.exists(x, x.startsWith('a')) ? self.on : true", ""),
    ("self.list.map(x, x.size() > 1, x + 'a').all(y, y != '')", ""),
    ("self.list.map(x, {'k': x})[0].k == 'a'", ""),
    ("lists.range(3).all(x, x > 0)", ""),
    ("lists.range(3).exists(x, self.list.exists(y, size(y) == x))", ""),
    ("type(self.list) == list", ""),
    ("type(self.labels) == map", ""),
    ("self.port == 'a' || self.port == 1", ""),
    ("string(self.port) == 'a'", ""),
    ("int(self.port) == 1", ""),
    ("self.list.map(x, type(x)).size() == 1", ""),
    ("self.labels.transformMapEntry(k, v, {v: k}).size() == 0", ""),
    ("self.list.transformMapEntry(i, v, {v: i}).size() == 0", ""),
    ("self.labels.transformMap(k, v, v != '', v + 'x').size() == 0", ""),
    ("self.list.existsOne(i, v, v == 'a')", ""),
    ("self.?nosuch.hasValue()", "compilation failed: undefined field 'nosuch'"),
    ("self.items[0].?k.orValue('') == ''", ""),
    ("has(self.list) && self.list.size() > 0", ""),
    ("self.list[0].size() == 1", ""),
    ("self.numbers.all(n, n in [1,2,3])", ""),
    ("self.ratio == 2.0", ""),
    ("self.ratio > double(self.replicas)", ""),
    ("self.name.replace('a', 'b').size() > 0", ""),
    ("timestamp(self.name) < self.since", ""),
    ("self.every.getHours() > 1", ""),
    ("string(self.since) == ''", ""),
    ("self.items.all(i, self.items.exists_one(j, i.k == j.k))", ""),
    ("self.items == oldSelf.items", ""),
    ("self.replicas % 2 == 0", ""),
    (
        "self.replicas * 1.5 > 2.0",
        "compilation failed: found no matching overload for '_*_' applied to '(int, double)'",
    ),
    ("self.on == (self.replicas == 1)", ""),
    ("self.list.isSorted()", ""),
    (
        "self.items.isSorted()",
        "compilation failed: found no matching overload for 'isSorted' applied to 'list(object).()'",
    ),
    ("self.items.sortBy(i, i.v)[0].v == 1", ""),
    (
        "self.items.sortBy(i, i)[0].v == 1",
        "compilation failed: found no matching overload for '@sortByAssociatedKeys' applied to 'list(object).(list(object))'",
    ),
    ("[[1, 2], [3]].flatten() == [1, 2, 3]", ""),
    ("self.list.lastIndexOf('a') == 0", ""),
    (
        "self.list.indexOf(1) == 0",
        "compilation failed: found no matching overload for 'indexOf' applied to 'list(string).(int)'",
    ),
    ("self.name.substring(1) == 'a'", ""),
    ("self.name.split('') == ['a']", ""),
    ("b'abc'.size() == 3", ""),
    ("self.on || true", ""),
    ("has(self.on) ? true : false", ""),
    ("[self.replicas, self.max].max() == 1", ""),
    ("self.name == 'a' ? true : 'x' == 'y'", ""),
    ("{1: 'a'}[1] == 'a'", ""),
    ("{'a': [1]}.a[0] == 1", ""),
    ("self.raw.size() == 1", ""),
    ("self.list == []", ""),
    ("[] == self.numbers", ""),
    ("self.labels == {}", ""),
    ("{}.size() == 0", ""),
    ("self.embedded.apiVersion == 'v1'", ""),
    ("has(self.embedded.metadata)", ""),
    ("self.inner in [self.inner]", ""),
    ("1 in {1: true}", ""),
    ("self.name < 'b'", ""),
    ("self.on < true", ""),
    ("'a' < 1", "compilation failed: found no matching overload for '_<_' applied to '(string, int)'"),
    ("duration('1h') > duration('1m')", ""),
    ("self.list.exists(x, self.labels.exists(k, k == x))", ""),
    ("self.?name.optMap(n, n).hasValue()", ""),
    ("self.?inner.optFlatMap(i, i.?a).orValue(1) == 1", ""),
    (
        "self.replicas.size() == 1",
        "compilation failed: found no matching overload for 'size' applied to 'int.()'",
    ),
    ("quantity(self.name).add(1).compareTo(quantity('1')) == 0", ""),
    ("ip('1.1.1.1') == ip('1.1.1.1')", ""),
    (
        "ip('1.1.1.1') == '1.1.1.1'",
        "compilation failed: found no matching overload for '_==_' applied to '(net.IP, string)'",
    ),
    ("cidr('10.0.0.0/8').ip() == ip('10.0.0.0')", ""),
    ("url('http://a').getQuery()['a'][0] == 'b'", ""),
    (
        "self.list.all(x, i, x > i)",
        "compilation failed: found no matching overload for '_>_' applied to '(int, string)'",
    ),
    ("dyn([1, 'a']).size() == 2", "compilation failed: expected type 'int' but found 'string'"),
    ("dyn(self.inner).nosuch == 1", ""),
    ("self.list.map(x, x).map(y, size(y)).map(z, z + 1)[0] == 1", ""),
    ("!has(self.inner.a) || self.inner.a > 0", ""),
    ("size([1, 2]) + size('a') == 3", ""),
    ("self.list.reverse()[0] == 'a'", ""),
    ("self.list.slice(0, 1) == ['a']", ""),
    ("self.max >= self.replicas && (self.max - self.replicas) < 3", ""),
    ("uint(self.replicas) > 1u", ""),
    ("-1 < self.replicas", ""),
    ("- self.ratio < 0.0", ""),
    ("'x'.format([]) == ''", ""),
    ("self.name.matches(self.name)", ""),
    (
        "self.name.find(1) == ''",
        "compilation failed: found no matching overload for 'find' applied to 'string.(int)'",
    ),
];

fn spec() -> Value {
    let text = json!({"type": "string", "maxLength": 50});
    let inner = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    json!({"type": "object", "properties": {
        "replicas": {"type": "integer"}, "max": {"type": "integer"}, "ratio": {"type": "number"}, "name": text,
        "on": {"type": "boolean"}, "since": {"type": "string", "format": "date-time"},
        "every": {"type": "string", "format": "duration"}, "raw": {"type": "string", "format": "byte"},
        "port": {"x-kubernetes-int-or-string": true}, "free": {"x-kubernetes-preserve-unknown-fields": true},
        "list": {"type": "array", "maxItems": 9, "items": text},
        "numbers": {"type": "array", "maxItems": 9, "items": {"type": "integer"}},
        "labels": {"type": "object", "maxProperties": 9, "additionalProperties": text},
        "inner": inner, "other": inner,
        "embedded": {"type": "object", "x-kubernetes-embedded-resource": true,
            "x-kubernetes-preserve-unknown-fields": true},
        "items": {"type": "array", "maxItems": 9, "items": {"type": "object", "properties": {
            "k": {"type": "string", "maxLength": 9}, "v": {"type": "integer"}}}},
    }})
}

/// What refuses a definition with one rule.
fn refusal(rule: &Value) -> String {
    let mut spec = spec();
    spec["x-kubernetes-validations"] = json!([rule]);
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let structural = structural::compile(&schema, "schema").expect("structural");
    let compilation = compile(&structural, "schema");
    assert_eq!(compilation.warnings, [""; 0], "{rule}");
    let texts: Vec<String> = compilation.errors.iter().map(ToString::to_string).collect();
    let details = texts.iter().map(|text| text.split_once("null}: ").map_or(&**text, |(_, detail)| detail));
    details.collect::<Vec<_>>().join("; ")
}

#[test]
fn rules_are_refused_as_kube_apiserver_refuses_them() {
    let wrong: Vec<String> = ANSWERS
        .iter()
        .map(|(rule, want)| (rule, want, refusal(&json!({"rule": rule}))))
        .filter(|(_, want, found)| *want != found)
        .map(|(rule, want, found)| format!("{rule}\n  want {want}\n  have {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn message_expressions_are_texts() {
    let cases = [
        ("'too small: ' + string(self.replicas)", ""),
        ("self.replicas", "messageExpression must evaluate to a string"),
        ("self.nosuch", "messageExpression compilation failed: undefined field 'nosuch'"),
    ];
    for (expression, want) in cases {
        let rule = json!({"rule": "self.replicas > 1", "messageExpression": expression});
        assert_eq!(refusal(&rule), want, "{expression}");
    }
}
