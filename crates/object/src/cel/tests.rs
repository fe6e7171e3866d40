use std::sync::Arc;

use super::*;
use crate::budget::{Budget, Interrupt};

fn evaluate(source: &str) -> Result<Value, Failure> {
    let program = Program::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    let list = Value::List(Arc::new((1..=3).map(Value::Int).collect()));
    let map =
        [("a".to_owned(), Value::Int(1)), ("b".to_owned(), Value::Int(2))].map(|(k, v)| (Key::from(k), v));
    let map = Value::Map(Map { map: Arc::new(map.into_iter().collect()) });
    let variables = [("list", list), ("map", map)];
    program.evaluate(&variables, &Budget::unlimited(&Interrupt::never()), &mut Regexes::default())
}

#[test]
fn expressions_hold() {
    for source in [
        "1 + 2 * 3 == 7 && 7 / 2 == 3 && 7 % 2 == 1 && -(1) == 0 - 1 && 1.5 * 2.0 == 3.0",
        "'a' + 'b' == 'ab' && b'a' + b'b' == b'ab' && [1] + [2] == [1, 2]",
        "'a' < 'b' && b'a' <= b'a' && 1 < 2.5 && 2u > 1 && timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z')",
        "1 == 1.0 && 1u == 1 && [1, 2.0] == [1.0, 2] && {'a': 1} == {'a': 1.0} && 'a' != 1",
        "list[0] == 1 && list[1.0] == 2 && map['a'] == 1 && map.b == 2 && has(map.a) && !has(map.c)",
        "2 in list && !(5 in list) && 'a' in map && !('c' in map)",
        "list.all(x, x > 0) && list.exists(x, x == 2) && list.exists_one(x, x == 2) && map.all(k, k != 'c')",
        "list.map(x, x * 2) == [2, 4, 6] && list.filter(x, x > 1) == [2, 3] && list.map(x, x > 1, x + 1) == [3, 4]",
        "map.map(k, k) == ['a', 'b']",
        "list.map(x, list.map(y, x * y)) == [[1, 2, 3], [2, 4, 6], [3, 6, 9]]",
        // An error counts only when the other side does not decide.
        "(1 / 0 == 1) || true",
        "true || (1 / 0 == 1)",
        "!((1 / 0 == 1) && false)",
        "[0, 1].exists(x, 1 / x == 1) && !([0, 1].all(x, 1 / x == 2))",
        "size('\u{e4}\u{f6}') == 2 && size(list) == 3 && map.size() == 2 && b'ab'.size() == 2",
        "type(1) == int && type('a') == string && type(list) == list || type([1]) == type(list)",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'aXa'.replace('X', 'y') == 'aya'",
        "'abcabc'.indexOf('c') == 2 && 'abcabc'.indexOf('c', 3) == 5 && 'abcabc'.lastIndexOf('a') == 3",
        "'abcabc'.lastIndexOf('a', 2) == 0 && '\u{e4}b'.indexOf('b') == 1 && 'a'.indexOf('x') == -1",
        "'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1b22'.findAll('[0-9]+', 1) == ['1']",
        "'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.contains('b') && 'abc'.matches('^a.c$')",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2, 3].sum() == 6 && [1, 1, 2].distinct() == [1, 2] && [[1], [2]].flatten() == [1, 2]",
        "[1, 2, 3].slice(1, 3) == [2, 3] && [1, 2].reverse() == [2, 1] && lists.range(3) == [0, 1, 2]",
        "[1, 2].min() == 1 && [1, 2].max() == 2 && [1, 2].isSorted() && [1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2",
        "sets.contains([1, 2], [1]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])",
        "quantity('1Gi').isGreaterThan(quantity('1Mi')) && quantity('50k').asInteger() == 50000 && quantity('1.5').sign() == 1",
        "quantity('1').add(quantity('500m')).compareTo(quantity('1500m')) == 0 && !isQuantity('x') && quantity('1').sub(1).sign() == 0",
        "quantity('1k') == quantity('1000') && quantity('500m').isInteger() == false && quantity('500m').asApproximateFloat() == 0.5",
        "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3') && isURL('https://a.b/c')",
        "url('https://a.b:80/c').getHost() == 'a.b:80' && semver('1.2.3').major() == 1 && math.greatest(1, 2) == 2",
        "'%s %d'.format(['a', 1]) == 'a 1' && string(1) == '1' && int('1') == 1 && double('1.5') == 1.5 && bool('true')",
        "!format.dns1123Label().validate('a-b').hasValue() && duration('1h').getMinutes() == 60",
    ] {
        assert_eq!(evaluate(source).ok(), Some(Value::Bool(true)), "{source}: {:?}", evaluate(source));
    }
}

#[test]
fn newer_syntax_holds() {
    for source in [
        "map.?a.hasValue() && !map.?c.hasValue() && map.?c.orValue(7) == 7 && map[?'a'].value() == 1",
        "!list[?9].hasValue() && list[?0].orValue(0) == 1 && optional.none().or(optional.of(1)).value() == 1",
        "map.?a.optMap(x, x + 1) == optional.of(2) && map.?c.optMap(x, x + 1) == optional.none()",
        "map.?a.optFlatMap(x, optional.of(x)).value() == 1",
        "[?map.?a, ?map.?c] == [1] && {?'k': map.?c, ?'l': map.?a} == {'l': 1}",
        "cel.bind(x, 1 + 1, x * x) == 4 && cel.bind(unused, 1 / 0, true)",
        "list.all(i, x, x == i + 1) && map.exists(k, v, k == 'b' && v == 2) && list.existsOne(i, x, x == 2)",
        "list.transformList(i, x, i * x) == [0, 2, 6] && list.transformList(i, x, i > 0, x) == [2, 3]",
        "list.transformMap(i, x, x * 2) == {0: 2, 1: 4, 2: 6} && map.transformMap(k, v, v > 1, v + 1) == {'b': 3}",
        "list.transformMapEntry(i, x, {string(x): i}) == {'1': 0, '2': 1, '3': 2}",
        "list.transformMapEntry(i, x, x > 2, {x: list.transformMap(j, y, y > x, y)}) == {3: {}}",
        "list.sortBy(x, -x) == [3, 2, 1] && list.first().value() == 1 && ![].last().hasValue()",
    ] {
        assert_eq!(evaluate(source).ok(), Some(Value::Bool(true)), "{source}: {:?}", evaluate(source));
    }
}

#[test]
fn errors_name_their_cause() {
    type Case = (&'static str, fn(&ExecutionError) -> bool);
    let cases: [Case; 8] = [
        ("map.c", |error| matches!(error, ExecutionError::NoSuchKey(key) if **key == "c")),
        ("map['c']", |error| matches!(error, ExecutionError::NoSuchKey(key) if **key == "c")),
        ("list[9]", |error| matches!(error, ExecutionError::IndexOutOfBounds(Value::Int(9)))),
        ("1 / 0", |error| matches!(error, ExecutionError::DivisionByZero(_))),
        ("9223372036854775807 + 1", |error| matches!(error, ExecutionError::Overflow(..))),
        ("[9223372036854775807, 1].sum()", |error| matches!(error, ExecutionError::Overflow(..))),
        ("unknown(1)", |error| matches!(error, ExecutionError::UndeclaredReference(_))),
        ("'a' < 1", |error| matches!(error, ExecutionError::NoSuchOverload)),
    ];
    for (source, is_expected) in cases {
        let outcome = evaluate(source);
        assert!(
            matches!(&outcome, Err(Failure::Error(error)) if is_expected(error)),
            "{source}: {outcome:?}"
        );
    }
}

#[test]
fn hostile_arguments_of_the_library_are_errors() {
    let nines = "9".repeat(300);
    for source in [
        "'%.999999999f'.format([1.0])".to_owned(),
        format!("duration('{nines}h')"),
        "quantity('1e2147483647').add(quantity('1e-2147483647')).sign() == 2".to_owned(),
        "string(quantity('1e2147483647')) == ''".to_owned(),
        "lists.range(-1)".to_owned(),
        "[1, 2].slice(-1, 9)".to_owned(),
        "'abc'.indexOf('a', 99)".to_owned(),
        "'a'.matches('(')".to_owned(),
        "'a'.matches('((a{100}){100}){100}')".to_owned(),
    ] {
        assert_ne!(evaluate(&source).ok(), Some(Value::Bool(true)), "{source}");
    }
}

#[test]
fn what_cannot_be_parsed_says_why() {
    for (source, want) in [
        ("1 +", "ERROR"),
        ("a.map(1, 2)", "ERROR"),
        ("cel.bind(1, 2, 3)", "argument must be a simple name"),
        ("Message{a: 1}", "unknown type"),
    ] {
        let error = Program::parse(source).expect_err(source);
        assert!(error.to_string().contains(want), "{source}: {error}");
    }
    assert_eq!(Program::parse(&"1+".repeat(601)).expect_err("long").to_string(), "too long");
    assert!(Program::parse("self.all(oldSelf, oldSelf)").expect("valid").mentions("self"));
    assert!(!Program::parse("self.all(oldSelf, oldSelf)").expect("valid").mentions("oldSelf"), "it is bound");
}

#[test]
fn the_deepest_expressions_fit_into_a_small_stack() {
    /// Three quarters of a thread's, in a debug build, which needs more.
    const STACK_BYTES: usize = 1536 << 10;
    let nested = |open: &str, inner: &str, close: &str, levels: usize| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    let mut sources =
        vec![nested("1+", "1", "", 599), nested("a", ".b", "", 599), nested("!", "true", "", 5_000)];
    for levels in [70, 90, 148, 200] {
        sources.extend([
            nested("1+", "1", "", levels),
            nested("-", "1", "", levels),
            nested("true?false:", "true", "", levels / 3),
            nested("[1].all(x,", "true", ")", levels),
            nested("[1].map(x,", "x", ")", levels),
            nested("[1].sortBy(x,", "x", ")", levels),
            nested("size(", "'a'", ")", levels),
            nested("[", "", "]", levels),
            nested("{1:", "1", "}", levels),
            nested("cel.bind(x, 1, ", "x", ")", levels),
            nested("(", "1", ")", levels),
            nested("[1][", "0", "]", levels),
            nested("'a'.lowerAscii(", "", ")", levels),
        ]);
    }
    let run = move || {
        let is_evaluated = |source: &String| {
            let Ok(program) = Program::parse(source) else { return false };
            let _ = check(&program, None, false, Expected::Bool);
            let _ = estimate(&program, None, false);
            let budget = Budget::unlimited(&Interrupt::never());
            let _ = program.evaluate(&[], &budget, &mut Regexes::default());
            true
        };
        sources.iter().filter(|source| is_evaluated(source)).count()
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).expect("a thread");
    let evaluated = thread.join().expect("no panic");
    assert!(evaluated > 20, "{evaluated}");
}
