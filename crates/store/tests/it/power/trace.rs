//! The system calls of a process, as `strace` writes them down.

use std::collections::HashMap;

/// A change of a file, or the sync that makes changes durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// A name appears in its directory.
    Create,
    /// A name disappears from its directory.
    Unlink,
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    Truncate(usize),
    /// The content of the file, or the names in the directory.
    Sync,
    /// A line on standard output.
    Print(String),
}

/// A system call. The kernel worked on it from one line of the trace to another.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) path: String,
    pub(crate) call: Call,
}

/// The system calls that [`parse`] understands; the argument of `strace -e trace=`.
pub(crate) const CALLS: &str = "openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink";

/// The events of a trace of `strace -f -y -xx` below `directory`, in the order in which they started.
pub(crate) fn parse(trace: &str, directory: &str) -> Vec<Event> {
    let mut parser = Parser { directory, ..Parser::default() };
    for (line, text) in trace.lines().enumerate() {
        parser.line(line, text);
    }
    let mut events = parser.events;
    events.sort_by_key(|event| event.start);
    events
}

#[derive(Default)]
struct Parser<'a> {
    directory: &'a str,
    events: Vec<Event>,
    /// The first part of calls that another thread interrupted, by thread.
    unfinished: HashMap<&'a str, (usize, &'a str)>,
    /// Length of each file, where an append goes.
    lengths: HashMap<String, usize>,
}

impl<'a> Parser<'a> {
    fn line(&mut self, line: usize, text: &'a str) {
        let Some((thread, text)) = text.split_once(' ') else { return };
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix(" <unfinished ...>") {
            self.unfinished.insert(thread, (line, start));
        } else if let Some((_, end)) =
            text.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>"))
        {
            let Some((start, first)) = self.unfinished.remove(thread) else { return };
            self.call(start, line, &format!("{first}{end}"));
        } else {
            self.call(line, line, text);
        }
    }

    fn call(&mut self, start: usize, end: usize, text: &str) -> Option<()> {
        let (name, rest) = text.split_once('(')?;
        // Results may be aligned with spaces.
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let arguments = arguments.trim_end().strip_suffix(')')?;
        if result.starts_with('-') {
            return None;
        }
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let (path, call) = match name {
            "openat" if arguments.get(2)?.contains("O_CREAT") => {
                let path = text_of(arguments.get(1)?)?;
                (!self.lengths.contains_key(&path)).then_some((path, Call::Create))?
            }
            "unlink" => (text_of(arguments.first()?)?, Call::Unlink),
            "fsync" | "fdatasync" => (path_of(arguments.first()?)?, Call::Sync),
            "ftruncate" => (path_of(arguments.first()?)?, Call::Truncate(arguments.get(1)?.parse().ok()?)),
            "write" if arguments.first()?.starts_with("1<") => {
                let text = text_of(arguments.get(1)?)?;
                (self.directory.to_owned(), Call::Print(text))
            }
            "write" | "pwrite64" => {
                let path = path_of(arguments.first()?)?;
                let mut data = bytes_of(arguments.get(1)?)?;
                data.truncate(result.split(' ').next()?.parse().ok()?);
                let appended = self.lengths.get(&path).copied().unwrap_or_default();
                let offset = arguments.get(3).map_or(Some(appended), |offset| offset.parse().ok())?;
                (path, Call::Write { offset, data })
            }
            _ => return None,
        };
        if !path.starts_with(self.directory) {
            return None;
        }
        match &call {
            Call::Create => drop(self.lengths.insert(path.clone(), 0)),
            Call::Unlink => drop(self.lengths.remove(&path)),
            Call::Truncate(length) => drop(self.lengths.insert(path.clone(), *length)),
            Call::Write { offset, data } => {
                let length = self.lengths.entry(path.clone()).or_default();
                *length = (*length).max(offset + data.len());
            }
            Call::Sync | Call::Print(_) => {}
        }
        self.events.push(Event { start, end, path, call });
        Some(())
    }
}

/// `3<\x2f\x61>` is `/a`.
fn path_of(argument: &str) -> Option<String> {
    let (_, path) = argument.split_once('<')?;
    String::from_utf8(hex(path.strip_suffix('>')?)?).ok()
}

/// `"\x2f\x61"` is `/a`.
fn text_of(argument: &str) -> Option<String> {
    String::from_utf8(bytes_of(argument)?).ok()
}

fn bytes_of(argument: &str) -> Option<Vec<u8>> {
    hex(argument.strip_prefix('"')?.strip_suffix('"')?)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(4);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair.get(2..4)?).ok()?, 16).ok()).collect()
}

#[test]
fn calls_of_two_threads() {
    let trace = concat!(
        "7 openat(AT_FDCWD<\\x2f>, \"\\x2f\\x64\\x2f\\x61\", O_RDWR|O_CREAT, 0600) = 3<\\x2f\\x64\\x2f\\x61>\n",
        "7 write(3<\\x2f\\x64\\x2f\\x61>, \"\\x68\\x69\", 2) = 2\n",
        "7 fdatasync(3<\\x2f\\x64\\x2f\\x61> <unfinished ...>\n",
        "8 pwrite64(3<\\x2f\\x64\\x2f\\x61>, \"\\x00\", 1, 512) = 1\n",
        "7 <... fdatasync resumed>)    = 0\n",
        "8 write(3<\\x2f\\x64\\x2f\\x61>, \"\\x01\", 1) = 1\n",
        "8 fsync(4<\\x2f\\x65>) = 0\n",
        "8 unlink(\"\\x2f\\x64\\x2f\\x61\") = -1 ENOENT (No such file)\n",
        "8 write(1<\\x70>, \"\\x6f\\x6b\\x0a\", 3) = 3\n",
    );
    let events: Vec<_> = parse(trace, "/d")
        .into_iter()
        .map(|event| (event.start, event.end, event.path, event.call))
        .collect();
    let file = || "/d/a".to_owned();
    assert_eq!(
        events,
        [
            (0, 0, file(), Call::Create),
            (1, 1, file(), Call::Write { offset: 0, data: b"hi".to_vec() }),
            (2, 4, file(), Call::Sync),
            (3, 3, file(), Call::Write { offset: 512, data: vec![0] }),
            (5, 5, file(), Call::Write { offset: 513, data: vec![1] }),
            (8, 8, "/d".to_owned(), Call::Print("ok\n".to_owned())),
        ]
    );
}
