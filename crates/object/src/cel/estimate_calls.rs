//! Estimates of function calls (k8s.io/apiserver/pkg/cel/library/cost.go, google/cel-go checker/cost.go and ext).

use super::Value;
use super::cost::{Cost, REGEX_FACTOR, Size, TEXT_FACTOR};
use super::declaration::Kind;
use super::estimate::{Estimate, Estimator, Shape, comparison, logarithm};
use super::tree::Node;

/// Characters that the longest regular expression of a named format is taken to have.
const FORMAT_REGEX: f64 = 128.0;
/// Cost of a list that a function makes.
const NEW_LIST: u64 = 11;

impl<'a> Estimator<'a> {
    pub(super) fn call(
        &mut self,
        function: &str,
        target: Option<&'a Node>,
        arguments: &'a [Node],
    ) -> Estimate {
        let constant = match (function, arguments) {
            ("lists.range", [Node::Constant(Value::Int(count))]) => u64::try_from(*count).ok(),
            _ => None,
        };
        let target = target.map(|target| self.node(target));
        let arguments: Vec<Estimate> = arguments.iter().map(|part| self.node(part)).collect();
        // `f(x)` and `x.f()` cost the same.
        let all: Vec<&Estimate> = target.iter().chain(&arguments).collect();
        let operands = all.iter().fold(Cost::fixed(0), |total, part| total.plus(part.cost));
        let shapes: Vec<&Shape> = all.iter().map(|part| &part.shape).collect();
        let (cost, shape) = texts(function, &shapes)
            .or_else(|| lists(function, &shapes))
            .or_else(|| (function == "lists.range").then(|| range(constant)))
            .unwrap_or_else(|| (Cost::fixed(1), Shape::of(result_kind(function), None)));
        let is_dyn = function == "dyn" && shapes.len() == 1;
        let shape = match shapes.first() {
            Some(only) if is_dyn => Shape { kind: Kind::Any, ..(*only).clone() },
            _ => shape,
        };
        Estimate::new(operands.plus(cost), shape)
    }
}

fn read(shape: &Shape) -> Cost {
    shape.size().scaled(TEXT_FACTOR)
}

fn text(size: Size) -> Shape {
    Shape::of(Kind::String, Some(size))
}

fn truth() -> Shape {
    Shape::of(Kind::Bool, None)
}

/// Cost of running a regular expression over a text; one is added so that an empty text does not make it free.
fn regex(text: &Shape, pattern: &Shape) -> Cost {
    let reading = text.size().plus(Size::fixed(1)).scaled(TEXT_FACTOR);
    reading.times(pattern.size().scaled(REGEX_FACTOR))
}

/// Functions of texts.
fn texts(function: &str, shapes: &[&Shape]) -> Option<(Cost, Shape)> {
    Some(match (function, shapes) {
        ("contains", [target, part]) => (read(target).times(read(part)), truth()),
        ("startsWith" | "endsWith", [_, part]) => (read(part), truth()),
        ("matches", [target, pattern]) => (regex(target, pattern), truth()),
        ("find", [target, pattern]) => (regex(target, pattern), text(Size::up_to(target.size().max))),
        ("findAll", [target, pattern, ..]) => {
            let count = Size::up_to(target.size().max);
            (regex(target, pattern), Shape::list_of(text(count), Some(count)))
        }
        (
            "url" | "jsonpatch.escapeKey" | "lowerAscii" | "upperAscii" | "substring" | "trim",
            [target, ..],
        ) => (read(target), text(target.size())),
        ("replace", [target, from, to, ..]) => {
            (target.size().scaled(2.0 * TEXT_FACTOR), text(replaced(target.size(), from.size(), to.size())))
        }
        ("split", [target, ..]) => {
            let count = Size::up_to(target.size().max);
            (
                target.size().scaled(2.0 * TEXT_FACTOR),
                Shape::list_of(Shape::of(Kind::String, None), Some(count)),
            )
        }
        ("join", [list, separator @ ..]) => {
            let mut size = list.size().times(list.element().size());
            if let [separator, ..] = separator {
                let count = list.size();
                let gaps = Size { min: count.min.saturating_sub(1), max: count.max.saturating_sub(1) };
                size = size.plus(separator.size().times(gaps));
            }
            (size.scaled(TEXT_FACTOR), text(size))
        }
        (
            "cidr" | "isIP" | "isCIDR" | "quantity" | "isQuantity" | "semver" | "isSemver" | "ip",
            [value, ..],
        ) => {
            let kind = if function.starts_with("is") { Kind::Bool } else { Kind::Scalar };
            let cost = if value.kind == Kind::Scalar { Cost::fixed(1) } else { read(value) };
            (cost, Shape::of(kind, None))
        }
        ("ip.isCanonical", [value]) => (value.size().scaled(2.0 * TEXT_FACTOR), truth()),
        ("containsIP" | "containsCIDR", [_, other]) => {
            // Two addresses of 16 bytes are compared, one is masked, and a text is read.
            (
                Cost::fixed(7).plus(if other.kind == Kind::Scalar { Cost::fixed(0) } else { read(other) }),
                truth(),
            )
        }
        ("validate", [_, value]) => (read(value).scaled(FORMAT_REGEX * REGEX_FACTOR), Shape::any()),
        ("bytes", [value]) => {
            let size = Size { min: value.size().min, max: value.size().max.saturating_mul(4) };
            (read(value).or(Cost::fixed(1)), Shape::of(Kind::Bytes, Some(size)))
        }
        ("string", [value]) if matches!(value.kind, Kind::Bytes | Kind::String | Kind::Any) => {
            (read(value).or(Cost::fixed(1)), text(Size::up_to(value.size().max)))
        }
        // A number or a time is written with at most this many characters.
        ("string", [_]) => (Cost::fixed(1), text(Size::up_to(64))),
        ("strings.quote", [value]) => {
            let size = value.size();
            let quoted =
                Size { min: size.min.saturating_add(2), max: size.max.saturating_mul(2).saturating_add(2) };
            (read(value), text(quoted))
        }
        ("format", [target, _]) => (read(target), Shape::of(Kind::String, None)),
        _ => return None,
    })
}

/// The size of a text in which parts are replaced.
fn replaced(target: Size, from: Size, to: Size) -> Size {
    let divided = |length: u64, part: u64| if part == 0 { 0 } else { length.div_ceil(part) };
    let (max_count, max_kept) = if from.min == 0 {
        (target.max.saturating_add(1), target.max)
    } else if to.max <= from.min {
        (0, target.max)
    } else {
        (divided(target.max, from.min), 0)
    };
    let (min_count, min_kept) = if from.max == 0 {
        (target.min.saturating_add(1), target.min)
    } else if from.max <= to.min {
        (0, target.min)
    } else {
        (divided(target.min, from.max), 0)
    };
    let count = Size { min: min_count, max: max_count };
    count.times(to).plus(Size { min: min_kept, max: max_kept })
}

/// A list of as many numbers as a constant says, or any number of them.
fn range(constant: Option<u64>) -> (Cost, Shape) {
    let count = constant.map_or(Size::UNKNOWN, Size::fixed);
    (count.plus(Cost::fixed(NEW_LIST)), Shape::list_of(Shape::of(Kind::Number, None), Some(count)))
}

/// Functions of lists.
fn lists(function: &str, shapes: &[&Shape]) -> Option<(Cost, Shape)> {
    Some(match (function, shapes) {
        ("isSorted" | "sum" | "max" | "min", [list]) => {
            let cost = list.size().times(comparison(&list.element()));
            (cost, if function == "isSorted" { truth() } else { list.element() })
        }
        ("indexOf" | "lastIndexOf", [target, ..]) => {
            let cost = match target.kind {
                Kind::List => target.size().times(comparison(&target.element())),
                _ => read(target),
            };
            (cost, Shape::of(Kind::Number, None))
        }
        ("sets.contains" | "sets.intersects", [left, right]) => {
            (left.size().times(right.size()).plus(Cost::fixed(1)), truth())
        }
        ("sets.equivalent", [left, right]) => {
            (left.size().times(right.size()).scaled(2.0).plus(Cost::fixed(1)), truth())
        }
        ("slice" | "reverse" | "flatten", [list, ..]) => {
            (list.size().plus(Cost::fixed(NEW_LIST)), (*list).clone())
        }
        ("distinct", [list]) => (list.size().times(list.size()).plus(Cost::fixed(NEW_LIST)), (*list).clone()),
        ("sort", [list]) => {
            let each = logarithm(list.size()).times(comparison(&list.element()));
            (list.size().times(each).plus(Cost::fixed(NEW_LIST)), (*list).clone())
        }
        ("first" | "last", [list]) => (Cost::fixed(1), Shape::optional(list.element())),
        ("optional.of" | "optional.ofNonZeroValue", [value]) => {
            (Cost::fixed(1), Shape::optional((*value).clone()))
        }
        ("value", [optional]) => (Cost::fixed(1), optional.content()),
        ("orValue", [optional, other]) => (Cost::fixed(1), optional.content().either((*other).clone())),
        ("or", [optional, other]) => (Cost::fixed(1), (*optional).clone().either((*other).clone())),
        _ => return None,
    })
}

/// What further functions of constant cost answer.
fn result_kind(function: &str) -> Kind {
    match function {
        "size" | "int" | "uint" | "double" | "sign" | "asInteger" | "asApproximateFloat" | "compareTo"
        | "major" | "minor" | "patch" | "prefixLength" | "family" => Kind::Number,
        "bool"
        | "isURL"
        | "isInteger"
        | "isGreaterThan"
        | "isLessThan"
        | "hasValue"
        | "isUnspecified"
        | "isLoopback"
        | "isLinkLocalMulticast"
        | "isLinkLocalUnicast"
        | "isGlobalUnicast" => Kind::Bool,
        "add" | "sub" | "masked" => Kind::Scalar,
        "timestamp" | "duration" => Kind::Time,
        "getScheme" | "getHost" | "getHostname" | "getPort" | "getEscapedPath" => Kind::String,
        name if name.starts_with("get") => Kind::Number,
        name if name.starts_with("math.") => Kind::Number,
        _ => Kind::Any,
    }
}
