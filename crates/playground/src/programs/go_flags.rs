//! Command line flags of Go's `flag` package: one or two dashes, `-name=value` or `-name value`.
//!
//! Pure. Wrong flags end a program with code 2 and the list of flags, `-h` with code 0.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::programs::go_time;

/// A flag with its default value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) default: Preset,
    pub(crate) usage: &'static str,
}

/// The type of a flag, with its default value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    Text(&'static str),
    Duration(Duration),
    Integer(i64),
    Switch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Duration(Duration),
    Integer(i64),
    Switch(bool),
}

/// The values of all flags, and the arguments after them.
#[derive(Debug)]
pub(crate) struct Parsed {
    values: BTreeMap<&'static str, Value>,
    pub(crate) rest: Vec<String>,
}

/// Exit code and message of a program with wrong flags, or with `-h`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) code: i32,
    /// Written to standard error.
    pub(crate) text: String,
}

/// Reads `arguments`, the first of which is the program's name.
pub(crate) fn parse(flags: &[Flag], arguments: &[String]) -> Result<Parsed, Usage> {
    let program = arguments.first().map(String::as_str).unwrap_or_default();
    let mut values: BTreeMap<&'static str, Value> =
        flags.iter().map(|flag| (flag.name, flag.default.value())).collect();
    let mut rest = arguments.iter().skip(1).peekable();
    while let Some(argument) = rest.peek() {
        let Some(body) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { break };
        if body.is_empty() {
            // A lone dash is an argument, two dashes end the flags.
            if argument.as_str() == "--" {
                rest.next();
            }
            break;
        }
        rest.next();
        let (name, given) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
        let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
            return Err(unknown(program, flags, name));
        };
        let value = match (given, flag.default) {
            (Some(given), _) => given.to_owned(),
            (None, Preset::Switch) => "true".to_owned(),
            (None, _) => match rest.next() {
                Some(next) => next.clone(),
                None => return Err(usage(program, flags, &format!("flag needs an argument: -{name}"))),
            },
        };
        let parsed = flag.default.parse(&value).ok_or_else(|| {
            usage(program, flags, &format!("invalid value {value:?} for flag -{name}: parse error"))
        })?;
        values.insert(flag.name, parsed);
    }
    Ok(Parsed { values, rest: rest.cloned().collect() })
}

impl Parsed {
    /// The value of a string flag.
    pub(crate) fn text(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The value of a duration flag.
    pub(crate) fn duration(&self, name: &str) -> Duration {
        match self.values.get(name) {
            Some(Value::Duration(duration)) => *duration,
            _ => Duration::ZERO,
        }
    }

    /// The value of a number flag.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// The value of a boolean flag.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.values.get(name) == Some(&Value::Switch(true))
    }
}

impl Preset {
    fn value(self) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Duration(duration) => Value::Duration(duration),
            Self::Integer(number) => Value::Integer(number),
            Self::Switch => Value::Switch(false),
        }
    }

    fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text(_) => Some(Value::Text(text.to_owned())),
            Self::Duration(_) => go_time::parse_duration(text).map(Value::Duration),
            Self::Integer(_) => text.parse().ok().map(Value::Integer),
            Self::Switch => match text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Switch(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Switch(false)),
                _ => None,
            },
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::Text(_) => " string",
            Self::Duration(_) => " duration",
            Self::Integer(_) => " int",
            Self::Switch => "",
        }
    }
}

fn unknown(program: &str, flags: &[Flag], name: &str) -> Usage {
    match name {
        "h" | "help" => Usage { code: 0, text: list(program, flags) },
        _ => usage(program, flags, &format!("flag provided but not defined: -{name}")),
    }
}

fn usage(program: &str, flags: &[Flag], problem: &str) -> Usage {
    Usage { code: 2, text: format!("{problem}\n{}", list(program, flags)) }
}

fn list(program: &str, flags: &[Flag]) -> String {
    let mut text = format!("Usage of {program}:\n");
    for flag in flags {
        text.push_str(&format!("  -{}{}\n    \t{}\n", flag.name, flag.default.type_name(), flag.usage));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag { name: "address", default: Preset::Text(":8080"), usage: "Where to listen." },
        Flag { name: "duration", default: Preset::Duration(Duration::ZERO), usage: "How long." },
        Flag { name: "code", default: Preset::Integer(200), usage: "The status." },
        Flag { name: "once", default: Preset::Switch, usage: "Only once." },
    ];

    fn read(line: &[&str]) -> String {
        let arguments: Vec<String> =
            std::iter::once("/p").chain(line.iter().copied()).map(String::from).collect();
        match parse(FLAGS, &arguments) {
            Ok(parsed) => format!(
                "{} {:?} {} {} {}",
                parsed.text("address"),
                parsed.duration("duration"),
                parsed.integer("code"),
                parsed.is_on("once"),
                parsed.rest.join(",")
            ),
            Err(usage) => format!("{}: {}", usage.code, usage.text.lines().next().unwrap_or_default()),
        }
    }

    #[test]
    fn command_lines() {
        let cases: [(&str, &[&str], &str); 12] = [
            ("defaults", &[], ":8080 0ns 200 false "),
            ("two dashes and a sign", &["--address=:9", "--duration=3s"], ":9 3s 200 false "),
            ("one dash and the next word", &["-address", ":9", "-code", "404"], ":9 0ns 404 false "),
            ("a switch takes no word", &["-once", "x"], ":8080 0ns 200 true x"),
            ("a switch can be off", &["-once=false"], ":8080 0ns 200 false "),
            ("flags end at the first word", &["x", "-once"], ":8080 0ns 200 false x,-once"),
            ("flags end at two dashes", &["--", "-once"], ":8080 0ns 200 false -once"),
            ("a value with a sign in it", &["--address=a=b"], "a=b 0ns 200 false "),
            ("unknown", &["-nope"], "2: flag provided but not defined: -nope"),
            ("no value", &["-address"], "2: flag needs an argument: -address"),
            ("bad value", &["-duration=3"], "2: invalid value \"3\" for flag -duration: parse error"),
            ("help", &["--help"], "0: Usage of /p:"),
        ];
        for (name, line, want) in cases {
            assert_eq!(read(line), want, "{name}");
        }
    }
}
