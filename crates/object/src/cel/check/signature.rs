//! Signatures of functions: which of them fit a call.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::declarations::DECLARATIONS;
use super::types::Type;

/// Whether values of a type have an order.
pub(super) fn is_ordered(of: &Type) -> bool {
    call("ordered", None, &[of.clone(), of.clone()]).is_ok()
}

/// One signature.
struct Signature {
    is_method: bool,
    /// The target of a method first.
    parameters: Vec<Type>,
    result: Type,
}

static SIGNATURES: LazyLock<BTreeMap<String, Vec<Signature>>> = LazyLock::new(|| {
    let mut signatures: BTreeMap<String, Vec<Signature>> = BTreeMap::new();
    for (name, signature) in DECLARATIONS.lines().filter_map(signature) {
        signatures.entry(name).or_default().push(signature);
    }
    signatures
});

/// The result of a call.
///
/// # Errors
/// There is no such function, or none for these types.
pub(super) fn call(function: &str, target: Option<&Type>, arguments: &[Type]) -> Result<Type, String> {
    let Some(signatures) = SIGNATURES.get(function) else {
        // Upstream looks a namespaced function up by its first name.
        let name = function.split('.').next().unwrap_or(function);
        return Err(format!("undeclared reference to '{name}' (in container '')"));
    };
    let types: Vec<&Type> = target.into_iter().chain(arguments).collect();
    let results: Vec<Type> = signatures
        .iter()
        .filter(|signature| signature.is_method == target.is_some())
        .filter_map(|signature| signature.apply(&types))
        .collect();
    // Where types are not known, several may fit, with different results.
    let joined = results.iter().skip(1).fold(results.first().cloned(), |joined, result| {
        joined.map(|joined| joined.join(result).unwrap_or(Type::Dyn))
    });
    joined.ok_or_else(|| no_match(function, target, arguments))
}

/// As upstream has it (google/cel-go checker/errors.go).
pub(super) fn no_match(function: &str, target: Option<&Type>, arguments: &[Type]) -> String {
    let shown: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let target = target.map(|target| format!("{target}.")).unwrap_or_default();
    format!("found no matching overload for '{function}' applied to '{target}({})'", shown.join(", "))
}

impl Signature {
    /// The result for these types; `None` when they do not fit.
    fn apply(&self, types: &[&Type]) -> Option<Type> {
        if types.len() != self.parameters.len() {
            return None;
        }
        let mut bound = [Type::Open, Type::Open];
        for (parameter, actual) in self.parameters.iter().zip(types) {
            bind(parameter, actual, &mut bound)?;
        }
        Some(substituted(&self.result, &bound))
    }
}

/// Whether a type fits a parameter; notes what `A` and `B` stand for.
fn bind(parameter: &Type, actual: &Type, bound: &mut [Type; 2]) -> Option<()> {
    match (parameter, actual) {
        (Type::Parameter(at), actual) => {
            let known = bound.get_mut(*at)?;
            *known = known.join(actual)?;
        }
        (_, Type::Dyn | Type::Open) | (Type::Dyn, _) => {}
        (Type::List(parameter), Type::List(actual)) | (Type::Optional(parameter), Type::Optional(actual)) => {
            bind(parameter, actual, bound)?;
        }
        (Type::Map(keys, values), Type::Map(actual_keys, actual_values)) => {
            bind(keys, actual_keys, bound)?;
            bind(values, actual_values, bound)?;
        }
        (parameter, actual) => drop(parameter.join(actual)?),
    }
    Some(())
}

fn substituted(result: &Type, bound: &[Type; 2]) -> Type {
    match result {
        Type::Parameter(at) => bound.get(*at).cloned().unwrap_or(Type::Dyn),
        Type::List(elements) => Type::list(substituted(elements, bound)),
        Type::Map(keys, values) => Type::map(substituted(keys, bound), substituted(values, bound)),
        Type::Optional(content) => Type::optional(substituted(content, bound)),
        other => other.clone(),
    }
}

/// Reads one line of the table: the name of the function, and a signature.
fn signature(line: &str) -> Option<(String, Signature)> {
    let (head, rest) = line.split_once('(')?;
    let (parameters, result) = rest.rsplit_once(") ")?;
    let (target, name) = match head.rsplit_once('.') {
        Some((target, name)) => (Some(target), name),
        None => (None, head),
    };
    let mut all = Vec::new();
    if let Some(target) = target {
        all.push(read(target)?);
    }
    for parameter in split(parameters) {
        all.push(read(parameter)?);
    }
    let signature = Signature { is_method: target.is_some(), parameters: all, result: read(result)? };
    // The name of the conditional operator has a colon.
    let name = if name.starts_with('_') { name.to_owned() } else { name.replace(':', ".") };
    Some((name, signature))
}

/// The parts between the commas that are not within brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn read(text: &str) -> Option<Type> {
    if let Some((outer, inner)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        return match (outer, split(inner).as_slice()) {
            ("list", [elements]) => Some(Type::list(read(elements)?)),
            ("optional", [content]) => Some(Type::optional(read(content)?)),
            ("map", [keys, values]) => Some(Type::map(read(keys)?, read(values)?)),
            _ => None,
        };
    }
    match text {
        "A" => Some(Type::Parameter(0)),
        "B" => Some(Type::Parameter(1)),
        name => Type::named(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_signature() {
        for line in DECLARATIONS.lines().filter(|line| !line.is_empty()) {
            assert!(signature(line).is_some(), "{line}");
        }
    }
}
