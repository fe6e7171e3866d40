//! Parser of the query form of label selectors.
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = key | "!" key | key ( "=" | "==" | "!=" | ">" | "<" ) [ value ]
//!             | key ( "in" | "notin" ) "(" [ value ] { "," [ value ] } ")"
//! ```
//! Keys, values and the words `in` and `notin` end at blanks and at any of `=!(),<>`. Which error is reported for
//! a text with several follows the order in which an API server finds them.

use super::{InvalidSelector, Operator, Requirement, label_key_errors};

/// The requirements of `text`, in the order written.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, InvalidSelector> {
    let mut parser = Parser { tokens: tokens(text), next: 0 };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::Word(_) | Token::Not => {}
            Token::End => return Ok(requirements),
            other => return Err(expected(other, ", expected: !, identifier, or 'end of string'")),
        }
        let requirement = parser.requirement();
        requirements.push(requirement.map_err(|InvalidSelector(error)| {
            InvalidSelector(format!("unable to parse requirement: {error}"))
        })?);
        match parser.take() {
            Token::End => return Ok(requirements),
            Token::Comma => match parser.peek() {
                Token::Word(_) | Token::Not => {}
                other => return Err(expected(other, ", expected: identifier after ','")),
            },
            other => return Err(expected(other, ", expected: ',' or 'end of string'")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Open,
    Close,
    Comma,
    Not,
    Equals,
    DoubleEquals,
    NotEquals,
    Greater,
    Less,
    End,
}

impl<'a> Token<'a> {
    fn as_str(self) -> &'a str {
        match self {
            Token::Word(word) => word,
            Token::Open => "(",
            Token::Close => ")",
            Token::Comma => ",",
            Token::Not => "!",
            Token::Equals => "=",
            Token::DoubleEquals => "==",
            Token::NotEquals => "!=",
            Token::Greater => ">",
            Token::Less => "<",
            Token::End => "",
        }
    }
}

const SYMBOLS: [Token<'static>; 9] = [
    Token::DoubleEquals,
    Token::NotEquals,
    Token::Equals,
    Token::Not,
    Token::Open,
    Token::Close,
    Token::Comma,
    Token::Greater,
    Token::Less,
];

fn tokens(text: &str) -> Vec<Token<'_>> {
    let is_blank = |character: char| matches!(character, ' ' | '\t' | '\r' | '\n');
    let is_symbol = |character: char| matches!(character, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let mut rest = text.trim_start_matches(is_blank);
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol.as_str()));
        let token = symbol.unwrap_or_else(|| {
            let end = rest.find(|character| is_blank(character) || is_symbol(character));
            Token::Word(&rest[..end.unwrap_or(rest.len())])
        });
        tokens.push(token);
        rest = rest[token.as_str().len()..].trim_start_matches(is_blank);
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, InvalidSelector> {
        let negated = self.peek() == Token::Not;
        if negated {
            self.take();
        }
        let key = match self.take() {
            Token::Word(key) => key,
            other => return Err(expected(other, ", expected: identifier")),
        };
        let errors = label_key_errors(key);
        if !errors.is_empty() {
            // Upstream prints the field path that it does not have here.
            return Err(InvalidSelector(format!("<nil>: Invalid value: {key:?}: {}", errors.join("; "))));
        }
        if negated {
            return Requirement::new(key.to_owned(), Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Requirement::new(key.to_owned(), Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        Requirement::new(key.to_owned(), operator, values)
    }

    fn operator(&mut self) -> Result<Operator, InvalidSelector> {
        match self.take() {
            Token::Word("in") => Ok(Operator::In),
            Token::Word("notin") => Ok(Operator::NotIn),
            Token::Equals | Token::DoubleEquals => Ok(Operator::Equals),
            Token::NotEquals => Ok(Operator::NotEquals),
            Token::Greater => Ok(Operator::GreaterThan),
            Token::Less => Ok(Operator::LessThan),
            other => Err(expected(other, ", expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    fn exact_value(&mut self) -> Result<String, InvalidSelector> {
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Ok(String::new());
        }
        match self.take() {
            Token::Word(value) => Ok(value.to_owned()),
            other => Err(expected(other, ", expected: identifier")),
        }
    }

    /// The parenthesised list; what stands between two commas, or nothing at all, is the empty value.
    fn values(&mut self) -> Result<Vec<String>, InvalidSelector> {
        match self.take() {
            Token::Open => {}
            other => return Err(expected(other, " expected: '('")),
        }
        match self.peek() {
            Token::Word(_) | Token::Comma | Token::Close => {}
            other => return Err(expected(other, ", expected: ',', ')' or identifier")),
        }
        let mut values = Vec::new();
        loop {
            match self.peek() {
                Token::Word(value) => {
                    self.take();
                    values.push(value.to_owned());
                    if !matches!(self.peek(), Token::Comma | Token::Close) {
                        return Err(expected(self.peek(), ", expected: ',' or ')'"));
                    }
                }
                Token::Comma | Token::Close => values.push(String::new()),
                other => return Err(expected(other, ", expected: ',', or identifier")),
            }
            if self.take() == Token::Close {
                return Ok(values);
            }
        }
    }
}

fn expected(found: Token<'_>, what: &str) -> InvalidSelector {
    InvalidSelector(format!("found '{}'{what}", found.as_str()))
}
