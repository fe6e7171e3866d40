//! Compiles `pattern` with Go's meaning.
//!
//! Both engines are RE2 descendants. They differ in that Go's classes are ASCII, and that Rust reads `[`, `&&`,
//! `--` and `~~` inside a class as set operators.

use regex::Regex;

/// The longest compiled expression, in bytes; patterns come from users.
const MAX_SIZE: usize = 2 << 20;

/// Compiles a pattern; it matches anywhere in the text, as in JSON Schema.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(&translate(pattern)).size_limit(MAX_SIZE).build()
}

fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    // A `]` that comes first in a class is literal in both engines.
    let mut is_class_start = false;
    while let Some(character) = characters.next() {
        let was_class_start = std::mem::take(&mut is_class_start);
        match character {
            '\\' => match characters.next() {
                Some(escaped) => push_escape(&mut translated, escaped),
                None => translated.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                is_class_start = true;
                translated.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
            }
            '[' if characters.peek() == Some(&':') => {
                // A POSIX class such as `[:alpha:]`, up to its own end.
                translated.push('[');
                for part in characters.by_ref() {
                    translated.push(part);
                    if part == ']' {
                        break;
                    }
                }
            }
            ']' if in_class && !was_class_start => {
                in_class = false;
                translated.push(']');
            }
            '[' | ']' | '&' | '~' if in_class => {
                translated.push('\\');
                translated.push(character);
            }
            '-' if in_class && characters.next_if_eq(&'-').is_some() => translated.push_str("-\\-"),
            _ => translated.push(character),
        }
    }
    translated
}

fn push_escape(translated: &mut String, escaped: char) {
    match escaped {
        'd' => translated.push_str("[0-9]"),
        'D' => translated.push_str("[^0-9]"),
        'w' => translated.push_str("[0-9A-Za-z_]"),
        'W' => translated.push_str("[^0-9A-Za-z_]"),
        's' => translated.push_str(r"[\t\n\f\r ]"),
        'S' => translated.push_str(r"[^\t\n\f\r ]"),
        _ => translated.extend(['\\', escaped]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let cases = [
            ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-b", true),
            (r"^\d+$", "12", true),
            (r"^\d+$", "\u{663}", false),
            (r"^[\w.]+$", "a_b.c", true),
            ("^[[]$", "[", true),
            ("^[]a]+$", "]a", true),
            ("^[a&&b]+$", "&", true),
            ("^[!--]+$", "#", true),
            ("^[[:alpha:]_]+$", "a_", true),
            (r"^[\[\]]+$", "[]", true),
            ("(?i)^abc$", "ABC", true),
            (r"^\p{L}+$", "\u{e4}", true),
            ("b", "abc", true),
        ];
        for (pattern, text, want) in cases {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), want, "{pattern} on {text:?}");
        }
        assert!(compile("(").is_err());
        assert!(compile(r"(a{1000}){1000}").is_err(), "size is bounded");
    }
}
