//! The functions of `string` that match patterns: `find`, `match`, `gmatch` and `gsub`.
//!
//! Lua's own run in C, where no limit of time reaches them, and some patterns take years for a long text. These look at
//! the clock. They match as the reference manual of Lua 5.1 says, section 5.4.1.

mod matcher;

use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};

use crate::limits::Deadline;
use matcher::{Capture, Found, Matcher};

/// Largest result of `gsub`, in bytes.
const MAX_RESULT: usize = 32 << 20;

/// Replaces the functions in the library `string`.
pub(crate) fn install(lua: &Lua, deadline: &Deadline) -> mlua::Result<()> {
    let library: Table = lua.globals().get("string")?;
    library.set("dump", Value::Nil)?;
    let limit = deadline.clone();
    library.set(
        "find",
        lua.create_function(
            move |lua, (text, pattern, start, plain): (LuaString, LuaString, Option<i64>, Option<bool>)| {
                find(lua, &limit, (&text.as_bytes(), &pattern.as_bytes()), start, plain == Some(true))
            },
        )?,
    )?;
    let limit = deadline.clone();
    library.set(
        "match",
        lua.create_function(move |lua, (text, pattern, start): (LuaString, LuaString, Option<i64>)| {
            first_match(lua, &limit, (&text.as_bytes(), &pattern.as_bytes()), start)
        })?,
    )?;
    let limit = deadline.clone();
    let iterate = lua.create_function(move |lua, (text, pattern): (LuaString, LuaString)| {
        iterate(lua, limit.clone(), text.as_bytes().to_vec(), pattern.as_bytes().to_vec())
    })?;
    library.set("gmatch", iterate.clone())?;
    library.set("gfind", iterate)?;
    let limit = deadline.clone();
    library.set(
        "gsub",
        lua.create_function(
            move |lua, (text, pattern, by, most): (LuaString, LuaString, Value, Option<i64>)| {
                let by = Replacement::of(by)?;
                let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or_default());
                substitute(lua, &limit, (&text.as_bytes(), &pattern.as_bytes()), &by, most)
            },
        )?,
    )
}

/// The start of a search as an index, from Lua's, which counts from one, or from the end if negative.
fn start_index(start: Option<i64>, length: usize) -> usize {
    match start.unwrap_or(1) {
        0 => 0,
        start if start > 0 => usize::try_from(start - 1).unwrap_or(usize::MAX).min(length),
        start => length.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

/// The first match at or after `start`. A pattern that starts with `^` matches at `start` only.
fn search(deadline: &Deadline, (text, pattern): (&[u8], &[u8]), start: usize) -> mlua::Result<Option<Found>> {
    let (pattern, is_anchored) = match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let mut matcher = Matcher::new(text, pattern, deadline);
    for at in start..=text.len() {
        if let Some(found) = matcher.match_at(at)? {
            return Ok(Some(found));
        }
        if is_anchored {
            break;
        }
    }
    Ok(None)
}

fn find(
    lua: &Lua,
    deadline: &Deadline,
    (text, pattern): (&[u8], &[u8]),
    start: Option<i64>,
    is_plain: bool,
) -> mlua::Result<MultiValue> {
    let start = start_index(start, text.len());
    let is_plain = is_plain || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte));
    let found = if is_plain {
        plain(deadline, text, pattern, start)?
    } else {
        search(deadline, (text, pattern), start)?
    };
    let Some(found) = found else { return Ok(MultiValue::from_vec(vec![Value::Nil])) };
    let mut results = vec![number(found.start + 1), number(found.end)];
    for capture in &found.captures {
        results.push(value(lua, text, capture)?);
    }
    Ok(MultiValue::from_vec(results))
}

fn plain(deadline: &Deadline, text: &[u8], wanted: &[u8], start: usize) -> mlua::Result<Option<Found>> {
    for at in start..=text.len() {
        if at % 4096 == 0 {
            deadline.check()?;
        }
        if text[at..].starts_with(wanted) {
            return Ok(Some(Found { start: at, end: at + wanted.len(), captures: Vec::new() }));
        }
    }
    Ok(None)
}

fn first_match(
    lua: &Lua,
    deadline: &Deadline,
    (text, pattern): (&[u8], &[u8]),
    start: Option<i64>,
) -> mlua::Result<MultiValue> {
    match search(deadline, (text, pattern), start_index(start, text.len()))? {
        Some(found) => captured(lua, text, &found),
        None => Ok(MultiValue::from_vec(vec![Value::Nil])),
    }
}

/// The captures, or the whole match if the pattern has none.
fn captured(lua: &Lua, text: &[u8], found: &Found) -> mlua::Result<MultiValue> {
    let whole = [Capture::Text { start: found.start, end: found.end }];
    let captures = if found.captures.is_empty() { &whole[..] } else { &found.captures };
    let values: mlua::Result<Vec<Value>> = captures.iter().map(|one| value(lua, text, one)).collect();
    values.map(MultiValue::from_vec)
}

fn value(lua: &Lua, text: &[u8], capture: &Capture) -> mlua::Result<Value> {
    Ok(match capture {
        Capture::Text { start, end } => Value::String(lua.create_string(&text[*start..*end])?),
        Capture::Position(at) => number(at + 1),
    })
}

fn number(number: usize) -> Value {
    // Positions in texts are far below the largest i64.
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn iterate(lua: &Lua, deadline: Deadline, text: Vec<u8>, pattern: Vec<u8>) -> mlua::Result<Function> {
    let mut next = 0;
    lua.create_function_mut(move |lua, _: MultiValue| {
        let mut matcher = Matcher::new(&text, &pattern, &deadline);
        while next <= text.len() {
            let Some(found) = matcher.match_at(next)? else {
                next += 1;
                continue;
            };
            next = if found.end == found.start { found.end + 1 } else { found.end };
            return captured(lua, &text, &found);
        }
        Ok(MultiValue::from_vec(vec![Value::Nil]))
    })
}

/// The third argument of `gsub`.
enum Replacement {
    Text(Vec<u8>),
    Table(Table),
    Function(Function),
}

impl Replacement {
    fn of(value: Value) -> mlua::Result<Self> {
        Ok(match value {
            Value::String(text) => Self::Text(text.as_bytes().to_vec()),
            Value::Integer(number) => Self::Text(number.to_string().into_bytes()),
            Value::Number(number) => Self::Text(number.to_string().into_bytes()),
            Value::Table(table) => Self::Table(table),
            Value::Function(function) => Self::Function(function),
            other => {
                let text = format!("string/function/table expected, got {}", other.type_name());
                return Err(mlua::Error::RuntimeError(text));
            }
        })
    }
}

fn substitute(
    lua: &Lua,
    deadline: &Deadline,
    (text, pattern): (&[u8], &[u8]),
    by: &Replacement,
    most: usize,
) -> mlua::Result<(LuaString, usize)> {
    let (pattern, is_anchored) = match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let mut matcher = Matcher::new(text, pattern, deadline);
    let (mut result, mut count, mut at) = (Vec::with_capacity(text.len()), 0, 0);
    while count < most {
        let found = matcher.match_at(at)?;
        if let Some(found) = &found {
            count += 1;
            append(lua, &mut result, text, found, by)?;
        }
        match found {
            Some(found) if found.end > at => at = found.end,
            _ if at < text.len() => {
                result.push(text[at]);
                at += 1;
            }
            _ => break,
        }
        if result.len() > MAX_RESULT {
            return Err(mlua::Error::MemoryError(format!("gsub makes more than {MAX_RESULT} bytes")));
        }
        if is_anchored {
            break;
        }
    }
    result.extend_from_slice(&text[at.min(text.len())..]);
    Ok((lua.create_string(result)?, count))
}

/// Appends what replaces one match; the match itself if a table or function has no value for it.
fn append(lua: &Lua, result: &mut Vec<u8>, text: &[u8], found: &Found, by: &Replacement) -> mlua::Result<()> {
    let replaced = match by {
        Replacement::Text(template) => return append_template(lua, result, text, found, template),
        Replacement::Table(table) => {
            let key = captured(lua, text, found)?.into_iter().next().unwrap_or(Value::Nil);
            table.get::<Value>(key)?
        }
        Replacement::Function(function) => function.call::<Value>(captured(lua, text, found)?)?,
    };
    match replaced {
        Value::Nil | Value::Boolean(false) => result.extend_from_slice(&text[found.start..found.end]),
        other => append_value(lua, result, other)?,
    }
    Ok(())
}

fn append_value(lua: &Lua, result: &mut Vec<u8>, value: Value) -> mlua::Result<()> {
    let kind = value.type_name();
    let Some(text) = lua.coerce_string(value)? else {
        return Err(mlua::Error::RuntimeError(format!("invalid replacement value (a {kind})")));
    };
    result.extend_from_slice(&text.as_bytes());
    Ok(())
}

/// `%1` to `%9` stand for captures, `%0` for the match, `%%` for a percent sign.
fn append_template(
    lua: &Lua,
    result: &mut Vec<u8>,
    text: &[u8],
    found: &Found,
    template: &[u8],
) -> mlua::Result<()> {
    let mut bytes = template.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            result.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => result.extend_from_slice(&text[found.start..found.end]),
            Some(digit @ b'1'..=b'9') => {
                let index = usize::from(digit - b'1');
                match found.captures.get(index) {
                    Some(capture) => append_value(lua, result, value(lua, text, capture)?)?,
                    None if index == 0 => result.extend_from_slice(&text[found.start..found.end]),
                    None => return Err(mlua::Error::RuntimeError("invalid capture index".to_owned())),
                }
            }
            Some(&other) => result.push(other),
            None => {}
        }
    }
    Ok(())
}
