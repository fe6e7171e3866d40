//! Matches one pattern at one place.

use crate::limits::Deadline;

/// Captures of a pattern (lua.h `LUA_MAXCAPTURES`).
const MAX_CAPTURES: usize = 32;
/// Nested items of a pattern, which use the stack.
const MAX_DEPTH: usize = 200;
/// Steps between two looks at the clock.
const CHECK_INTERVAL: u32 = 4_096;

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) captures: Vec<Capture>,
}

/// A capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Capture {
    Text {
        start: usize,
        end: usize,
    },
    /// `()`: the place itself.
    Position(usize),
}

/// A capture while its end is not known.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Open(usize),
    Closed(usize, usize),
    Position(usize),
}

pub(super) struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    deadline: &'a Deadline,
    slots: Vec<Slot>,
    depth: usize,
    steps: u32,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(text: &'a [u8], pattern: &'a [u8], deadline: &'a Deadline) -> Self {
        Self { text, pattern, deadline, slots: Vec::new(), depth: 0, steps: 0 }
    }

    /// The match that starts at `start`.
    pub(super) fn match_at(&mut self, start: usize) -> mlua::Result<Option<Found>> {
        self.slots.clear();
        let Some(end) = self.matches(start, 0)? else { return Ok(None) };
        let capture = |slot: &Slot| match *slot {
            Slot::Closed(start, end) => Ok(Capture::Text { start, end }),
            Slot::Position(at) => Ok(Capture::Position(at)),
            Slot::Open(_) => Err(malformed("unfinished capture")),
        };
        let captures = self.slots.iter().map(capture).collect::<mlua::Result<_>>()?;
        Ok(Some(Found { start, end, captures }))
    }

    fn step(&mut self) -> mlua::Result<()> {
        self.steps += 1;
        if self.steps.is_multiple_of(CHECK_INTERVAL) {
            self.deadline.check()?;
        }
        Ok(())
    }

    /// The end of the match of the pattern from `item` on with the text from `at` on.
    fn matches(&mut self, at: usize, item: usize) -> mlua::Result<Option<usize>> {
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH {
            Err(malformed("pattern too complex"))
        } else {
            self.matches_items(at, item)
        };
        self.depth -= 1;
        result
    }

    fn matches_items(&mut self, mut at: usize, mut item: usize) -> mlua::Result<Option<usize>> {
        loop {
            self.step()?;
            let Some(&byte) = self.pattern.get(item) else { return Ok(Some(at)) };
            match (byte, self.pattern.get(item + 1)) {
                (b'(', Some(b')')) => return self.capture(Slot::Position(at), at, item + 2),
                (b'(', _) => return self.capture(Slot::Open(at), at, item + 1),
                (b')', _) => return self.close(at, item + 1),
                (b'$', None) => return Ok((at == self.text.len()).then_some(at)),
                (b'%', Some(b'b')) => match self.balance(at, item + 2)? {
                    Some(end) => (at, item) = (end, item + 4),
                    None => return Ok(None),
                },
                (b'%', Some(b'f')) => {
                    let set = item + 2;
                    if self.pattern.get(set) != Some(&b'[') {
                        return Err(malformed("missing '[' after '%f' in pattern"));
                    }
                    let end = self.class_end(set)?;
                    let before = if at == 0 { 0 } else { self.text[at - 1] };
                    let after = self.text.get(at).copied().unwrap_or_default();
                    if self.is_in_set(before, set, end) || !self.is_in_set(after, set, end) {
                        return Ok(None);
                    }
                    item = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.back_reference(at, *digit)? {
                    Some(end) => (at, item) = (end, item + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.class_end(item)?;
                    match self.pattern.get(end) {
                        Some(b'?') => {
                            if self.is_single(at, item, end)
                                && let Some(found) = self.matches(at + 1, end + 1)?
                            {
                                return Ok(Some(found));
                            }
                            item = end + 1;
                        }
                        Some(b'*') => return self.longest(at, item, end, 0),
                        Some(b'+') => return self.longest(at, item, end, 1),
                        Some(b'-') => return self.shortest(at, item, end),
                        _ if self.is_single(at, item, end) => (at, item) = (at + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    /// `*` and `+`: as many as possible, then fewer.
    fn longest(&mut self, at: usize, item: usize, end: usize, least: usize) -> mlua::Result<Option<usize>> {
        let mut count = 0;
        while self.is_single(at + count, item, end) {
            self.step()?;
            count += 1;
        }
        loop {
            if count < least {
                return Ok(None);
            }
            if let Some(found) = self.matches(at + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    /// `-`: as few as possible, then more.
    fn shortest(&mut self, mut at: usize, item: usize, end: usize) -> mlua::Result<Option<usize>> {
        loop {
            if let Some(found) = self.matches(at, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_single(at, item, end) {
                return Ok(None);
            }
            at += 1;
        }
    }

    fn capture(&mut self, slot: Slot, at: usize, item: usize) -> mlua::Result<Option<usize>> {
        if self.slots.len() >= MAX_CAPTURES {
            return Err(malformed("too many captures"));
        }
        let before = self.slots.len();
        self.slots.push(slot);
        let found = self.matches(at, item)?;
        if found.is_none() {
            self.slots.truncate(before);
        }
        Ok(found)
    }

    fn close(&mut self, at: usize, item: usize) -> mlua::Result<Option<usize>> {
        let open = self.slots.iter().rposition(|slot| matches!(slot, Slot::Open(_)));
        let Some(index) = open else { return Err(malformed("invalid pattern capture")) };
        let Slot::Open(start) = self.slots[index] else { return Err(malformed("invalid pattern capture")) };
        self.slots[index] = Slot::Closed(start, at);
        let found = self.matches(at, item)?;
        if found.is_none() {
            self.slots[index] = Slot::Open(start);
        }
        Ok(found)
    }

    /// `%1`: the text of an earlier capture again.
    fn back_reference(&self, at: usize, digit: u8) -> mlua::Result<Option<usize>> {
        let slot = usize::from(digit).checked_sub(usize::from(b'1')).and_then(|index| self.slots.get(index));
        let Some(&Slot::Closed(start, end)) = slot else { return Err(malformed("invalid capture index")) };
        let captured = &self.text[start..end];
        Ok(self.text[at..].starts_with(captured).then_some(at + captured.len()))
    }

    /// `%bxy`: from an `x` to the `y` that balances it.
    fn balance(&mut self, at: usize, item: usize) -> mlua::Result<Option<usize>> {
        let (Some(&open), Some(&close)) = (self.pattern.get(item), self.pattern.get(item + 1)) else {
            return Err(malformed("unbalanced pattern"));
        };
        if self.text.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut level = 1;
        for index in at + 1..self.text.len() {
            self.step()?;
            let byte = self.text[index];
            if byte == close {
                level -= 1;
                if level == 0 {
                    return Ok(Some(index + 1));
                }
            } else if byte == open {
                level += 1;
            }
        }
        Ok(None)
    }

    /// The end of the item for one byte that starts at `item`.
    fn class_end(&self, item: usize) -> mlua::Result<usize> {
        match self.pattern.get(item) {
            Some(b'%') if item + 1 >= self.pattern.len() => {
                Err(malformed("malformed pattern (ends with '%')"))
            }
            Some(b'%') => Ok(item + 2),
            Some(b'[') => {
                let mut index = item + 1;
                if self.pattern.get(index) == Some(&b'^') {
                    index += 1;
                }
                // The first byte of a set is never its end.
                loop {
                    let byte = self.pattern.get(index);
                    index += match byte {
                        None => return Err(malformed("malformed pattern (missing ']')")),
                        Some(b'%') => 2,
                        Some(_) => 1,
                    };
                    if self.pattern.get(index) == Some(&b']') {
                        return Ok(index + 1);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }

    /// Whether the byte at `at` matches the item `item..end`.
    fn is_single(&self, at: usize, item: usize, end: usize) -> bool {
        let Some(&byte) = self.text.get(at) else { return false };
        match self.pattern[item] {
            b'.' => true,
            b'%' => is_in_class(byte, self.pattern[item + 1]),
            b'[' => self.is_in_set(byte, item, end),
            literal => literal == byte,
        }
    }

    /// Whether a byte is in the set `start..end`, brackets included.
    fn is_in_set(&self, byte: u8, start: usize, end: usize) -> bool {
        let mut set = &self.pattern[start + 1..end - 1];
        let is_negated = set.first() == Some(&b'^');
        if is_negated {
            set = &set[1..];
        }
        let mut found = false;
        while let Some((&first, rest)) = set.split_first() {
            match (first, rest) {
                (b'%', [class, rest @ ..]) => {
                    found |= is_in_class(byte, *class);
                    set = rest;
                }
                (low, [b'-', high, rest @ ..]) => {
                    found |= (low..=*high).contains(&byte);
                    set = rest;
                }
                (literal, rest) => {
                    found |= literal == byte;
                    set = rest;
                }
            }
        }
        found != is_negated
    }
}

/// `%a` and the like; the upper case is the complement.
fn is_in_class(byte: u8, class: u8) -> bool {
    let found = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    found != class.is_ascii_uppercase()
}

fn malformed(text: &str) -> mlua::Error {
    mlua::Error::RuntimeError(text.to_owned())
}
