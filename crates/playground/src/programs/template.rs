//! A subset of Go's HTML templates: text with `{{env "NAME"}}`, `{{addr}}` and `{{now}}`.
//!
//! Pure. Values are HTML-escaped, the text around them is not, as in `html/template`. Pipelines, variables and control
//! structures are not supported; they are an error when the program starts.

use std::borrow::Cow;

/// A parsed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Literal(String),
    Env(String),
    Addr,
    Now,
}

/// Values of the functions.
#[derive(Debug)]
pub(crate) struct Values<E> {
    pub(crate) env: E,
    pub(crate) addr: String,
    pub(crate) now: String,
}

/// Why a message is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("unclosed action")]
    Unclosed,
    #[error("missing value for command")]
    Empty,
    #[error("function {0:?} not defined")]
    UnknownFunction(String),
    #[error("unterminated quoted string")]
    UnclosedString,
    #[error("wrong number of args for {function}: want {want} got {got}")]
    Arguments { function: String, want: usize, got: usize },
    #[error("{0:?} is not supported by Portolan: only env, addr, now and strings are")]
    Unsupported(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Name(String),
    Text(String),
}

impl Template {
    /// Parses a message.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut trim_start = false;
        loop {
            let (before, action) = match rest.split_once("{{") {
                Some((before, action)) => (before, Some(action)),
                None => (rest, None),
            };
            let trims_before = action.is_some_and(|action| action.starts_with("- "));
            let before = if trim_start { before.trim_start() } else { before };
            let before = if trims_before { before.trim_end() } else { before };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let Some(action) = action else { return Ok(Self(parts)) };
            let end = end_of_action(action)?;
            let body = &action[..end];
            trim_start = body.ends_with(" -");
            let body = body.strip_prefix("- ").unwrap_or(body);
            let body = body.strip_suffix(" -").unwrap_or(body).trim();
            if !body.starts_with("/*") {
                parts.push(part(&words(body)?)?);
            }
            rest = &action[end + 2..];
        }
    }

    /// The message with its values.
    pub(crate) fn render<E: Fn(&str) -> String>(&self, values: &Values<E>) -> String {
        let parts = self.0.iter().map(|piece| match piece {
            Part::Text(text) => Cow::Borrowed(text.as_str()),
            Part::Literal(text) => escape(text),
            Part::Env(name) => Cow::Owned(escape(&(values.env)(name)).into_owned()),
            Part::Addr => escape(&values.addr),
            Part::Now => escape(&values.now),
        });
        parts.collect()
    }
}

/// The offset of the `}}` that ends an action, ignoring quoted text.
fn end_of_action(action: &str) -> Result<usize, TemplateError> {
    let bytes = action.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Ok(at),
            (None, open @ (b'"' | b'`')) => quote = Some(open),
            (Some(b'"'), b'\\') => at += 1,
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
        at += 1;
    }
    Err(if quote.is_some() { TemplateError::UnclosedString } else { TemplateError::Unclosed })
}

fn words(body: &str) -> Result<Vec<Word>, TemplateError> {
    let mut words = Vec::new();
    let mut rest = body;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                // Go's interpreted strings; the escapes that JSON shares with them.
                let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = stream.next().and_then(Result::ok).ok_or(TemplateError::UnclosedString)?;
                words.push(Word::Text(text));
                rest = &rest[stream.byte_offset()..];
            }
            '`' => {
                let (text, after) = rest[1..].split_once('`').ok_or(TemplateError::UnclosedString)?;
                words.push(Word::Text(text.to_owned()));
                rest = after;
            }
            space if space.is_whitespace() => rest = rest.trim_start(),
            _ => {
                let end =
                    rest.find(|c: char| c.is_whitespace() || c == '"' || c == '`').unwrap_or(rest.len());
                words.push(Word::Name(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
    }
    Ok(words)
}

fn part(words: &[Word]) -> Result<Part, TemplateError> {
    match words {
        [] => Err(TemplateError::Empty),
        [Word::Text(text)] => Ok(Part::Literal(text.clone())),
        [Word::Name(name), rest @ ..] => call(name, rest),
        [Word::Text(text), ..] => Err(TemplateError::Unsupported(text.clone())),
    }
}

fn call(name: &str, arguments: &[Word]) -> Result<Part, TemplateError> {
    let wrong = |want| TemplateError::Arguments { function: name.to_owned(), want, got: arguments.len() };
    match (name, arguments) {
        ("env", [Word::Text(variable)]) => Ok(Part::Env(variable.clone())),
        ("addr", []) => Ok(Part::Addr),
        ("now", []) => Ok(Part::Now),
        ("env" | "addr" | "now", [.., Word::Name(other)]) => Err(TemplateError::Unsupported(other.clone())),
        ("env", _) => Err(wrong(1)),
        ("addr" | "now", _) => Err(wrong(0)),
        _ if name.chars().all(|c| c.is_alphanumeric() || c == '_') && !is_keyword(name) => {
            Err(TemplateError::UnknownFunction(name.to_owned()))
        }
        _ => Err(TemplateError::Unsupported(name.to_owned())),
    }
}

fn is_keyword(name: &str) -> bool {
    ["if", "else", "end", "range", "with", "template", "block", "define", "break", "continue"].contains(&name)
}

/// Escapes a value for HTML text as `html/template` does.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['"', '&', '\'', '+', '<', '>', '\0']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&#34;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#39;"),
            '+' => escaped.push_str("&#43;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\0' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let env = |name: &str| match name {
            "NODE_NAME" => "member1-control-plane".to_owned(),
            "MARKUP" => "<a & 'b'>".to_owned(),
            _ => String::new(),
        };
        let values = Values { env, addr: "10.10.0.5".to_owned(), now: "2022-07-24T15:13:08Z".to_owned() };
        match Template::parse(text) {
            Ok(template) => template.render(&values),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn messages() {
        let cases = [
            (
                "the walkthrough",
                "'hello (Node: {{env \"NODE_NAME\"}} Address: {{addr}})'",
                "'hello (Node: member1-control-plane Address: 10.10.0.5)'",
            ),
            ("no action", "plain <b>text</b>", "plain <b>text</b>"),
            ("an unset variable is empty", "[{{env \"NOPE\"}}]", "[]"),
            ("values are escaped", "{{env `MARKUP`}}", "&lt;a &amp; &#39;b&#39;&gt;"),
            ("a literal", "{{\"a\\tb\"}}", "a\tb"),
            ("time", "{{ now }}", "2022-07-24T15:13:08Z"),
            ("trimmed", "a {{- addr -}} b", "a10.10.0.5b"),
            ("a comment", "a{{/* nothing */}}b", "ab"),
            ("braces in a string", "{{\"}}\"}}", "}}"),
            ("unclosed", "{{addr", "error: unclosed action"),
            ("unclosed string", "{{env \"A}}", "error: unterminated quoted string"),
            ("empty", "{{}}", "error: missing value for command"),
            ("unknown", "{{hostname}}", "error: function \"hostname\" not defined"),
            ("too few", "{{env}}", "error: wrong number of args for env: want 1 got 0"),
            ("too many", "{{addr \"a\"}}", "error: wrong number of args for addr: want 0 got 1"),
            (
                "control structures",
                "{{if addr}}a{{end}}",
                "error: \"if\" is not supported by Portolan: only env, addr, now and strings are",
            ),
            (
                "pipelines",
                "{{addr | print}}",
                "error: \"print\" is not supported by Portolan: only env, addr, now and strings are",
            ),
        ];
        for (name, text, want) in cases {
            assert_eq!(rendered(text), want, "{name}");
        }
    }
}
