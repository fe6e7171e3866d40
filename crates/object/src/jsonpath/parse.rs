//! The parser of paths and templates.

use serde_json::Value;

use super::{Comparison, Filter, JsonPathError, Part, Slice, SliceEnd, Step};

type Result<T> = std::result::Result<T, JsonPathError>;

/// Paths within paths, in unions, keys and filters.
const NESTING_LIMIT: usize = 32;

/// One path, as [`super::JsonPath::parse`] takes it.
pub(super) fn path(text: &str) -> Result<Vec<Step>> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    match inner.trim_start().chars().next() {
        Some('.' | '[' | '$' | '@') | None => nested(inner, 0),
        Some(_) => nested(&format!(".{}", inner.trim_start()), 0),
    }
}

/// A whole template.
pub(super) fn template(text: &str) -> Result<Vec<Part>> {
    let mut parser = Parser { rest: text, depth: 0 };
    parser.parts(false)
}

fn nested(text: &str, depth: usize) -> Result<Vec<Step>> {
    if depth > NESTING_LIMIT {
        return error("paths are nested too deeply");
    }
    let mut parser = Parser { rest: text, depth };
    match parser.action(None)? {
        Action { keyword: None, steps } => Ok(steps),
        Action { keyword: Some(keyword), .. } => {
            error(format!("unrecognized identifier {}", keyword.as_str()))
        }
    }
}

fn error<T>(text: impl Into<String>) -> Result<T> {
    Err(JsonPathError::Syntax(text.into()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Range,
    End,
}

impl Keyword {
    fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::End => "end",
        }
    }
}

/// The text between a pair of braces.
struct Action {
    keyword: Option<Keyword>,
    steps: Vec<Step>,
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Text and actions until the end of the template, or of the range.
    fn parts(&mut self, in_range: bool) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        loop {
            let Some((text, action)) = self.rest.split_once('{') else {
                if in_range {
                    return error("unclosed range, expect {end}");
                }
                parts.extend((!self.rest.is_empty()).then(|| Part::Text(self.rest.to_owned())));
                return Ok(parts);
            };
            parts.extend((!text.is_empty()).then(|| Part::Text(text.to_owned())));
            self.rest = action;
            let Action { keyword, steps } = self.action(Some('}'))?;
            match keyword {
                None => parts.push(Part::Path(steps)),
                Some(Keyword::End) if in_range => return Ok(parts),
                Some(Keyword::End) => return error("not in range, nothing to end"),
                Some(Keyword::Range) => {
                    self.depth += 1;
                    if self.depth > NESTING_LIMIT {
                        return error("ranges are nested too deeply");
                    }
                    let body = self.parts(true)?;
                    self.depth -= 1;
                    parts.push(Part::Range(steps, body));
                }
            }
        }
    }

    /// The steps up to `close`, or to the end of the text.
    fn action(&mut self, close: Option<char>) -> Result<Action> {
        let mut action = Action { keyword: None, steps: Vec::new() };
        loop {
            if self.rest.starts_with("[?(") {
                action.steps.push(self.filter()?);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("..") {
                if action.steps.last() == Some(&Step::Recursive) {
                    return error("invalid multiple recursive descent");
                }
                self.rest = rest;
                action.steps.push(Step::Recursive);
                if rest.starts_with(is_word) {
                    action.steps.extend(self.field());
                }
                continue;
            }
            let Some(first) = self.rest.chars().next() else {
                return if close.is_none() { Ok(action) } else { error("unclosed action") };
            };
            match first {
                _ if Some(first) == close => {
                    self.advance(1);
                    return Ok(action);
                }
                '\r' | '\n' => return error("unclosed action"),
                ' ' | '@' | '$' => self.advance(1),
                '[' => {
                    let steps = self.brackets()?;
                    action.steps.extend(steps);
                }
                '"' | '\'' => action.steps.push(self.quoted(first)?),
                '.' => {
                    self.advance(1);
                    action.steps.extend(self.field());
                }
                '+' | '-' | '0'..='9' => action.steps.push(self.number()?),
                first if is_word(first) => self.word(&mut action)?,
                other => {
                    let code = u32::from(other);
                    return error(format!("unrecognized character in action: U+{code:04X} '{other}'"));
                }
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Takes the text up to `end`, a byte position in the rest.
    fn take(&mut self, end: usize) -> &'a str {
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    /// A field name, in which a backslash keeps the next character; a bare dot names the value itself.
    fn field(&mut self) -> Option<Step> {
        let mut escaped = false;
        let end = self.rest.find(|character| {
            let ends = !escaped && is_terminator(character);
            escaped = !escaped && character == '\\';
            ends
        });
        match self.take(end.unwrap_or(self.rest.len())) {
            "" => None,
            "*" => Some(Step::Wildcard),
            name => Some(Step::Field(name.replace('\\', ""))),
        }
    }

    fn word(&mut self, action: &mut Action) -> Result<()> {
        let end = self.rest.find(is_terminator).unwrap_or(self.rest.len());
        match self.take(end) {
            "true" => action.steps.push(Step::Literal(Value::Bool(true))),
            "false" => action.steps.push(Step::Literal(Value::Bool(false))),
            "range" => action.keyword = Some(Keyword::Range),
            "end" => action.keyword = Some(Keyword::End),
            other => return error(format!("unrecognized identifier {other}")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Step> {
        let signed = usize::from(self.rest.starts_with(['+', '-']));
        let digits =
            self.rest[signed..].find(|character: char| character != '.' && !character.is_ascii_digit());
        let text = self.take(digits.map_or(self.rest.len(), |digits| digits + signed));
        let whole = text.parse::<i64>().ok().map(Value::from);
        let number = whole.or_else(|| serde_json::Number::from_f64(text.parse().ok()?).map(Value::Number));
        number.map(Step::Literal).ok_or_else(|| JsonPathError::Syntax(format!("cannot parse number {text}")))
    }

    fn quoted(&mut self, quote: char) -> Result<Step> {
        let mut previous = quote;
        let end = self.rest[1..].find(|character| {
            let ends = character == '\n' || (character == quote && previous != '\\');
            previous = character;
            ends
        });
        match end {
            Some(end) if self.rest[1 + end..].starts_with(quote) => {
                let text = self.take(end + 2);
                Ok(Step::Literal(Value::String(unquote(&text[1..=end], quote)?)))
            }
            _ => error("unterminated quoted string"),
        }
    }

    /// An index, slice, key, or a union of those.
    fn brackets(&mut self) -> Result<Vec<Step>> {
        let end = self.rest.find([']', '\n']).filter(|end| self.rest[*end..].starts_with(']'));
        let Some(end) = end else { return error("unterminated array") };
        let text = &self.take(end + 1)[1..end];
        if text.contains(',') {
            let member = |member: &str| nested(&format!("[{}]", member.trim_matches(' ')), self.depth + 1);
            let steps = text.split(',').map(member).collect::<Result<_>>()?;
            return Ok(vec![Step::Union(steps)]);
        }
        let key = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        match key.filter(|key| !key.contains('\'')) {
            Some(key) => nested(&format!(".{key}"), self.depth + 1),
            None => Ok(vec![Step::Slice(slice(text)?)]),
        }
    }

    fn filter(&mut self) -> Result<Step> {
        self.advance("[?(".len());
        let end = filter_end(self.rest)?;
        let text = self.take(end);
        match self.rest.strip_prefix(")]") {
            Some(rest) => self.rest = rest,
            None => return error("unclosed array expect ]"),
        }
        let is_operator = |character: char| matches!(character, '!' | '<' | '>' | '=');
        let operator = text.find(is_operator).filter(|at| *at > 0).and_then(|at| {
            let length = text[at..].find(|character| !is_operator(character))?;
            Some((&text[..at], &text[at..at + length], &text[at + length..]))
        });
        let depth = self.depth + 1;
        Ok(Step::Filter(match operator {
            None => Filter { left: nested(text, depth)?, right: None },
            Some((left, operator, right)) => {
                let comparison = match operator {
                    "==" => Comparison::Equal,
                    "!=" => Comparison::NotEqual,
                    "<" => Comparison::Less,
                    "<=" => Comparison::LessEqual,
                    ">" => Comparison::Greater,
                    ">=" => Comparison::GreaterEqual,
                    other => return error(format!("unrecognized filter operator {other}")),
                };
                Filter { left: nested(left, depth)?, right: Some((comparison, nested(right, depth)?)) }
            }
        }))
    }
}

/// Offset of the closing parenthesis of a filter: the first one outside of quotes.
fn filter_end(text: &str) -> Result<usize> {
    let mut quote = None;
    let mut is_closed = false;
    let mut previous = '(';
    for (at, character) in text.char_indices() {
        match (character, quote) {
            ('\n', _) => break,
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if character == open && previous != '\\' => is_closed = true,
            (')', _) if quote.is_some() == is_closed => return Ok(at),
            _ => {}
        }
        previous = character;
    }
    error("unterminated filter")
}

fn slice(text: &str) -> Result<Slice> {
    let parts: Vec<&str> = if text == "*" { vec!["", ""] } else { text.split(':').collect() };
    let is_index =
        |part: &&str| part.strip_prefix('-').unwrap_or(part).bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(is_index) {
        return error(format!("invalid array index {text}"));
    }
    let number = |at: usize| match parts.get(at) {
        None | Some(&"") => Ok(None),
        Some(part) => match part.parse::<i32>() {
            Ok(number) => Ok(Some(i64::from(number))),
            Err(_) => error(format!("array index {part} is not a number")),
        },
    };
    let end = match (parts.len(), number(1)?) {
        (1, _) => SliceEnd::One,
        (_, Some(end)) => SliceEnd::Before(end),
        (_, None) => SliceEnd::Last,
    };
    Ok(Slice { start: number(0)?, end, step: number(2)? })
}

/// Resolves the escapes of a Go string literal.
fn unquote(text: &str, quote: char) -> Result<String> {
    let invalid =
        || JsonPathError::Syntax(format!("unquote string {quote}{text}{quote} error invalid syntax"));
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut characters = escape.chars();
        let (character, digits) = match characters.next().ok_or_else(invalid)? {
            'a' => ('\x07', 0),
            'b' => ('\x08', 0),
            'f' => ('\x0c', 0),
            'n' => ('\n', 0),
            'r' => ('\r', 0),
            't' => ('\t', 0),
            'v' => ('\x0b', 0),
            '\\' => ('\\', 0),
            'x' => (code(escape, 1, 2, 16).ok_or_else(invalid)?, 2),
            'u' => (code(escape, 1, 4, 16).ok_or_else(invalid)?, 4),
            'U' => (code(escape, 1, 8, 16).ok_or_else(invalid)?, 8),
            '0'..='7' => (code(escape, 0, 3, 8).ok_or_else(invalid)?, 2),
            other if other == quote => (quote, 0),
            _ => return Err(invalid()),
        };
        plain.push(character);
        rest = &escape[1 + digits..];
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The character with the code at `start`, of so many digits.
fn code(text: &str, start: usize, digits: usize, radix: u32) -> Option<char> {
    char::from_u32(u32::from_str_radix(text.get(start..start + digits)?, radix).ok()?)
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn is_terminator(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}
