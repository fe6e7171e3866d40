//! The grammar of the shell: lists, `&&` and `||`, `if`, `while`, `until`, `for`, quotes, variables and command substitution.
//! Pure.

use std::fmt;

/// Constructs inside each other. Longer scripts are refused, so that parsing them does not exhaust the stack.
const MAX_DEPTH: usize = 24;

/// Commands, one after the other.
pub(super) type List = Vec<AndOr>;

/// A command, and commands that run depending on the status of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AndOr {
    pub(super) first: Command,
    pub(super) rest: Vec<(Condition, Command)>,
}

/// When the next command of an [`AndOr`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// `&&`
    Success,
    /// `||`
    Failure,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Assignments and words.
    Simple { assignments: Vec<(String, Word)>, words: Vec<Word> },
    /// `while`, or `until` when it ends with a success.
    Loop { condition: List, ends_with_success: bool, body: List },
    /// `for NAME in WORDS`.
    For { name: String, words: Vec<Word>, body: List },
    /// `if`, with `elif` as a nested one.
    If { condition: List, then: List, otherwise: List },
}

/// A word before its variables and commands are replaced.
pub(super) type Word = Vec<Part>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it is.
    Text(String),
    /// `$NAME`; its value is split at blanks unless it is quoted.
    Variable { name: String, is_quoted: bool },
    /// `` `COMMANDS` `` or `$(COMMANDS)`; the output is split at blanks unless it is quoted.
    Output { commands: List, is_quoted: bool },
}

/// What the shell does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("syntax error: unexpected {0}")]
    Unexpected(Found),
    #[error("syntax error: {0:?} is not supported by Portolan's shell")]
    NotSupported(char),
    #[error("syntax error: unterminated quoted string")]
    Unterminated,
    #[error("syntax error: more than {MAX_DEPTH} constructs inside each other")]
    TooDeep,
}

/// What stands where something else is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Word(String),
    End,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "{word:?}"),
            Self::End => f.write_str("end of file"),
        }
    }
}

/// Parses a script.
///
/// # Errors
/// [`SyntaxError`], with the first construct that is wrong or not supported.
pub(super) fn parse(script: &str) -> Result<List, SyntaxError> {
    parse_at(script, 0)
}

fn parse_at(script: &str, depth: usize) -> Result<List, SyntaxError> {
    let mut parser = Parser { tokens: tokens(script, depth)?.into_iter().peekable(), depth };
    let list = parser.list(&[])?;
    match parser.tokens.next() {
        None => Ok(list),
        Some(token) => Err(SyntaxError::Unexpected(token.found())),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(Word),
    /// `;` or the end of a line.
    End,
    Then(Condition),
}

impl Token {
    /// The text of a word without quotes and variables, which may be a keyword.
    fn keyword(&self) -> Option<&str> {
        match self {
            Self::Word(parts) => match parts.as_slice() {
                [Part::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn found(&self) -> Found {
        match self {
            Self::Word(_) => Found::Word(self.keyword().unwrap_or("word").to_owned()),
            Self::End => Found::Word(";".to_owned()),
            Self::Then(Condition::Success) => Found::Word("&&".to_owned()),
            Self::Then(Condition::Failure) => Found::Word("||".to_owned()),
        }
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    /// Commands up to one of the keywords, which is not taken.
    fn list(&mut self, ends: &[&str]) -> Result<List, SyntaxError> {
        let mut list = List::new();
        loop {
            while self.tokens.next_if_eq(&Token::End).is_some() {}
            let Some(token) = self.tokens.peek() else { return Ok(list) };
            if token.keyword().is_some_and(|word| ends.contains(&word)) {
                return Ok(list);
            }
            let mut and_or = AndOr { first: self.command()?, rest: Vec::new() };
            while let Some(Token::Then(condition)) =
                self.tokens.next_if(|token| matches!(token, Token::Then(_)))
            {
                while self.tokens.next_if_eq(&Token::End).is_some() {}
                and_or.rest.push((condition, self.command()?));
            }
            list.push(and_or);
            match self.tokens.peek() {
                None | Some(Token::End) => {}
                Some(token) => return Err(SyntaxError::Unexpected(token.found())),
            }
        }
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        let keyword = self.tokens.peek().and_then(Token::keyword).unwrap_or_default().to_owned();
        if !matches!(keyword.as_str(), "while" | "until" | "for" | "if") {
            return self.simple();
        }
        self.tokens.next();
        self.deeper()?;
        let command = match keyword.as_str() {
            "for" => self.for_loop(),
            "if" => self.branches(),
            _ => {
                let condition = self.up_to("do")?;
                let body = self.up_to("done")?;
                Ok(Command::Loop { condition, ends_with_success: keyword == "until", body })
            }
        };
        self.depth -= 1;
        command
    }

    fn deeper(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(SyntaxError::TooDeep) } else { Ok(()) }
    }

    fn for_loop(&mut self) -> Result<Command, SyntaxError> {
        let name = self.tokens.next().and_then(|token| Some(token.keyword()?.to_owned()));
        let name = name.filter(|name| is_name(name)).ok_or_else(|| self.unexpected())?;
        self.expect("in")?;
        let mut words = Vec::new();
        while let Some(Token::Word(word)) = self.tokens.next_if(|token| matches!(token, Token::Word(_))) {
            words.push(word);
        }
        while self.tokens.next_if_eq(&Token::End).is_some() {}
        self.expect("do")?;
        Ok(Command::For { name, words, body: self.up_to("done")? })
    }

    /// After `if` or `elif`, to the end of the last branch.
    fn branches(&mut self) -> Result<Command, SyntaxError> {
        let condition = self.up_to("then")?;
        let then = self.list(&["elif", "else", "fi"])?;
        let next = self.tokens.next();
        let otherwise = match next.as_ref().and_then(Token::keyword) {
            Some("fi") => List::new(),
            Some("else") => self.up_to("fi")?,
            Some("elif") => {
                self.deeper()?;
                let nested = self.branches()?;
                self.depth -= 1;
                vec![AndOr { first: nested, rest: Vec::new() }]
            }
            _ => return Err(SyntaxError::Unexpected(next.map_or(Found::End, |token| token.found()))),
        };
        Ok(Command::If { condition, then, otherwise })
    }

    /// At least one command, then the keyword.
    fn up_to(&mut self, keyword: &str) -> Result<List, SyntaxError> {
        let list = self.list(&[keyword])?;
        if list.is_empty() {
            return Err(self.unexpected());
        }
        self.expect(keyword)?;
        Ok(list)
    }

    fn expect(&mut self, keyword: &str) -> Result<(), SyntaxError> {
        let found = self.tokens.next_if(|token| token.keyword() == Some(keyword));
        found.map(drop).ok_or_else(|| self.unexpected())
    }

    fn unexpected(&mut self) -> SyntaxError {
        SyntaxError::Unexpected(self.tokens.peek().map_or(Found::End, Token::found))
    }

    fn simple(&mut self) -> Result<Command, SyntaxError> {
        let (mut assignments, mut words) = (Vec::new(), Vec::new());
        while let Some(Token::Word(word)) = self.tokens.next_if(|token| matches!(token, Token::Word(_))) {
            match assignment(&word) {
                Some(assignment) if words.is_empty() => assignments.push(assignment),
                _ => words.push(word),
            }
        }
        if assignments.is_empty() && words.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Command::Simple { assignments, words })
    }
}

/// `NAME=WORD`.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let (Part::Text(first), rest) = word.split_first()? else { return None };
    let (name, value) = first.split_once('=')?;
    let value = std::iter::once(Part::Text(value.to_owned())).chain(rest.iter().cloned());
    is_name(name).then(|| (name.to_owned(), value.collect()))
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic())
        && word.chars().all(is_of_name)
}

fn is_of_name(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}

fn tokens(script: &str, depth: usize) -> Result<Vec<Token>, SyntaxError> {
    let mut scanner = Scanner { rest: script, depth, tokens: Vec::new(), word: None };
    while let Some(letter) = scanner.rest.chars().next() {
        scanner.scan(letter)?;
    }
    scanner.end_word();
    Ok(scanner.tokens)
}

struct Scanner<'a> {
    rest: &'a str,
    depth: usize,
    tokens: Vec<Token>,
    /// The word that is being read.
    word: Option<Word>,
}

impl<'a> Scanner<'a> {
    fn scan(&mut self, letter: char) -> Result<(), SyntaxError> {
        match letter {
            ' ' | '\t' => self.end_word(),
            '#' if self.word.is_none() => {
                self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
                return Ok(());
            }
            ';' | '\n' => self.operator(Token::End),
            '&' if self.rest.starts_with("&&") => {
                self.rest = &self.rest[1..];
                self.operator(Token::Then(Condition::Success));
            }
            '|' if self.rest.starts_with("||") => {
                self.rest = &self.rest[1..];
                self.operator(Token::Then(Condition::Failure));
            }
            '&' | '|' | '<' | '>' | '(' | ')' | '*' | '?' => return Err(SyntaxError::NotSupported(letter)),
            '\'' => {
                let (text, rest) = self.rest[1..].split_once('\'').ok_or(SyntaxError::Unterminated)?;
                self.text(text);
                self.rest = rest;
                return Ok(());
            }
            '"' => {
                self.rest = &self.rest[1..];
                return self.double_quoted();
            }
            '\\' => {
                self.rest = &self.rest[1..];
                let escaped = self.rest.chars().next().map(String::from).unwrap_or_default();
                self.rest = &self.rest[escaped.len()..];
                if escaped != "\n" {
                    self.text(&escaped);
                }
                return Ok(());
            }
            '$' | '`' => return self.expansion(false),
            _ => self.text(&String::from(letter)),
        }
        self.rest = &self.rest[letter.len_utf8()..];
        Ok(())
    }

    fn double_quoted(&mut self) -> Result<(), SyntaxError> {
        self.text("");
        loop {
            let letter = self.rest.chars().next().ok_or(SyntaxError::Unterminated)?;
            match letter {
                '"' => {
                    self.rest = &self.rest[1..];
                    return Ok(());
                }
                '$' | '`' => self.expansion(true)?,
                '\\' if self.rest[1..].starts_with(['"', '\\', '$', '`']) => {
                    let escaped = &self.rest[1..2];
                    self.text(escaped);
                    self.rest = &self.rest[2..];
                }
                _ => {
                    self.text(&String::from(letter));
                    self.rest = &self.rest[letter.len_utf8()..];
                }
            }
        }
    }

    /// A variable or a command substitution.
    fn expansion(&mut self, is_quoted: bool) -> Result<(), SyntaxError> {
        let script = if self.rest.starts_with('`') {
            Some(self.enclosed(1, '`')?)
        } else if self.rest.starts_with("$(") {
            Some(self.enclosed(2, ')')?)
        } else {
            None
        };
        if let Some(script) = script {
            if self.depth == MAX_DEPTH {
                return Err(SyntaxError::TooDeep);
            }
            let commands = parse_at(script, self.depth + 1)?;
            self.part(Part::Output { commands, is_quoted });
            return Ok(());
        }
        let name = match self.rest[1..].chars().next() {
            Some('{') => self.enclosed(2, '}')?,
            Some('?') => {
                self.rest = &self.rest[2..];
                "?"
            }
            _ => {
                let length = self.rest[1..].find(|letter| !is_of_name(letter)).unwrap_or(self.rest.len() - 1);
                let name = &self.rest[1..=length];
                self.rest = &self.rest[1 + length..];
                name
            }
        };
        match name {
            "" => self.text("$"),
            name if name == "?" || is_name(name) => {
                self.part(Part::Variable { name: name.to_owned(), is_quoted });
            }
            _ => return Err(SyntaxError::NotSupported('$')),
        }
        Ok(())
    }

    /// The text between an opening of `length` bytes and `end`.
    fn enclosed(&mut self, length: usize, end: char) -> Result<&'a str, SyntaxError> {
        let rest: &'a str = self.rest;
        let (text, rest) = rest[length..].split_once(end).ok_or(SyntaxError::Unterminated)?;
        self.rest = rest;
        Ok(text)
    }

    fn text(&mut self, text: &str) {
        match self.word.get_or_insert_default().last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.part(Part::Text(text.to_owned())),
        }
    }

    fn part(&mut self, part: Part) {
        self.word.get_or_insert_default().push(part);
    }

    fn end_word(&mut self) {
        self.tokens.extend(self.word.take().map(Token::Word));
    }

    fn operator(&mut self, token: Token) {
        self.end_word();
        self.tokens.push(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Word {
        vec![Part::Text(text.to_owned())]
    }

    fn simple(words: &str) -> AndOr {
        let words = words.split(' ').map(text).collect();
        AndOr { first: Command::Simple { assignments: Vec::new(), words }, rest: Vec::new() }
    }

    fn alone(first: Command) -> AndOr {
        AndOr { first, rest: Vec::new() }
    }

    #[test]
    fn a_loop_in_a_loop() {
        let script =
            "apk add curl; while true; do for i in `seq 2`; do curl http://a.b:80; done; sleep 1; done";
        let inner = Command::For {
            name: "i".to_owned(),
            words: vec![vec![Part::Output { commands: vec![simple("seq 2")], is_quoted: false }]],
            body: vec![simple("curl http://a.b:80")],
        };
        let outer = Command::Loop {
            condition: vec![simple("true")],
            ends_with_success: false,
            body: vec![alone(inner), simple("sleep 1")],
        };
        assert_eq!(parse(script), Ok(vec![simple("apk add curl"), alone(outer)]));
    }

    #[test]
    fn words() {
        let variable = |name: &str, is_quoted| Part::Variable { name: name.to_owned(), is_quoted };
        let cases: [(&str, Vec<Word>); 7] = [
            ("a 'b c'", vec![text("a"), text("b c")]),
            ("a''b\\ c", vec![text("ab c")]),
            (
                "\"a $B ${C}d\"",
                vec![vec![
                    Part::Text("a ".to_owned()),
                    variable("B", true),
                    Part::Text(" ".to_owned()),
                    variable("C", true),
                    Part::Text("d".to_owned()),
                ]],
            ),
            ("$A$?", vec![vec![variable("A", false), variable("?", false)]]),
            ("5$ \"\\$x\"", vec![text("5$"), text("$x")]),
            ("a # b", vec![text("a")]),
            ("''", vec![text("")]),
        ];
        for (script, words) in cases {
            let want = alone(Command::Simple { assignments: Vec::new(), words });
            assert_eq!(parse(script), Ok(vec![want]), "{script}");
        }
    }

    #[test]
    fn assignments_and_conditions() {
        let parsed =
            parse("A=1 B=$A x=y z && b || c\nif a; then b; elif c; then d; else e; fi").expect("a script");
        let Command::Simple { assignments, words } = &parsed[0].first else { panic!("{parsed:?}") };
        assert_eq!((assignments.len(), words.len()), (3, 1));
        let conditions: Vec<Condition> = parsed[0].rest.iter().map(|(condition, _)| *condition).collect();
        assert_eq!(conditions, [Condition::Success, Condition::Failure]);
        let Command::If { otherwise, .. } = &parsed[1].first else { panic!("{parsed:?}") };
        assert!(matches!(otherwise[0].first, Command::If { .. }));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let cases = [
            ("a | b", "syntax error: '|' is not supported by Portolan's shell"),
            ("a > b", "syntax error: '>' is not supported by Portolan's shell"),
            ("a &", "syntax error: '&' is not supported by Portolan's shell"),
            ("f() { :; }", "syntax error: '(' is not supported by Portolan's shell"),
            ("${A:-b}", "syntax error: '$' is not supported by Portolan's shell"),
            ("'a", "syntax error: unterminated quoted string"),
            ("while true; do", "syntax error: unexpected end of file"),
            ("for i; do a; done", "syntax error: unexpected \";\""),
            ("a && && b", "syntax error: unexpected \"&&\""),
            ("if a; then b; done", "syntax error: unexpected end of file"),
        ];
        for (script, want) in cases {
            assert_eq!(parse(script).expect_err(script).to_string(), want, "{script}");
        }
        for construct in ["if a; then ", "while a; do ", "if a; then b; elif c; then d; elif e; then "] {
            assert_eq!(parse(&construct.repeat(30)), Err(SyntaxError::TooDeep), "{construct}");
        }
    }
}
