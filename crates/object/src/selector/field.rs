//! Field selectors: `metadata.name=a,status.phase!=Running`, with `\` before a `,`, `=` or `\` inside a value.

use std::fmt;

use super::InvalidSelector;

/// Terms that must all hold; none selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// Sorted by their text, so that equal selectors have equal forms.
    pub terms: Vec<FieldTerm>,
}

/// One comparison of a field with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTerm {
    /// The label of the field, such as `spec.nodeName`; whether the kind has it is for the caller to check.
    pub field: String,
    /// The comparison.
    pub operator: FieldOperator,
    /// The value without escapes.
    pub value: String,
}

/// The comparison of a [`FieldTerm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOperator {
    /// `=`, and `==`.
    Equals,
    /// `!=`.
    NotEquals,
}

impl FieldSelector {
    /// Parses the query form; empty terms, and those of nothing but an operator, are skipped.
    ///
    /// # Errors
    /// A term without an operator, an unknown escape, or a bare `=` in a value.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let mut terms: Vec<_> = parts.map(|part| FieldTerm::parse(text, part)).collect::<Result<_, _>>()?;
        terms.retain(|term| !(term.field.is_empty() && term.value.is_empty()));
        Ok(Self { terms })
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether all terms hold for the values that `lookup` finds; an absent field counts as the empty text.
    pub fn matches(&self, lookup: impl Fn(&str) -> Option<String>) -> bool {
        self.terms.iter().all(|term| term.matches(lookup(&term.field).as_deref().unwrap_or_default()))
    }

    /// The value that `field` must have, when a term says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let exact = |term: &&FieldTerm| term.field == field && term.operator == FieldOperator::Equals;
        self.terms.iter().find(exact).map(|term| term.value.as_str())
    }
}

impl FieldTerm {
    fn parse(whole: &str, term: &str) -> Result<Self, InvalidSelector> {
        let unreadable =
            || InvalidSelector(format!("invalid selector: '{whole}'; can't understand '{term}'"));
        let (at, operator, length) = find_operator(term).ok_or_else(unreadable)?;
        Ok(Self { field: term[..at].to_owned(), operator, value: unescape(&term[at + length..])? })
    }

    /// Whether the term holds for a field with this value.
    pub fn matches(&self, value: &str) -> bool {
        (self.value == value) == (self.operator == FieldOperator::Equals)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{term}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FieldTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            FieldOperator::Equals => "=",
            FieldOperator::NotEquals => "!=",
        };
        let value = self.value.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
        write!(f, "{}{operator}{value}", self.field)
    }
}

/// Splits at commas that no backslash precedes; the escapes stay.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Offset, kind and length in bytes of the first operator.
fn find_operator(term: &str) -> Option<(usize, FieldOperator, usize)> {
    term.bytes().enumerate().find_map(|(at, byte)| match (byte, term.as_bytes().get(at + 1)) {
        (b'!', Some(b'=')) => Some((at, FieldOperator::NotEquals, 2)),
        (b'=', Some(b'=')) => Some((at, FieldOperator::Equals, 2)),
        (b'=', _) => Some((at, FieldOperator::Equals, 1)),
        _ => None,
    })
}

fn unescape(value: &str) -> Result<String, InvalidSelector> {
    let bad_escape = |sequence: &str| {
        InvalidSelector(format!("invalid field selector: invalid escape sequence: {sequence}"))
    };
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => text.push(escaped),
                Some(other) => return Err(bad_escape(&format!("\\{other}"))),
                None => return Err(bad_escape("\\")),
            },
            // Upstream prints the number of the character.
            ',' | '=' => {
                let code = u32::from(character);
                return Err(InvalidSelector(format!(
                    "invalid field selector: unescaped character in value: {code}"
                )));
            }
            _ => text.push(character),
        }
    }
    Ok(text)
}
