//! `containerLogs`: the output of a container, optionally followed.
//!
//! Selecting and printing entries is pure. A followed log is read at the client's pace.

use std::convert::Infallible;

use bytes::Bytes;
use futures::Stream;
use http::StatusCode;
use http_body::Frame;
use jiff::{SignedDuration, Timestamp};
use portolan_net::Shutdown;

use crate::kubelet::Refusal;
use crate::kubelet::query::Query;
use crate::programs::{self, ContainerLog, LogEntry, LogReader, NextEntry};

/// The fields of `PodLogOptions` that a kubelet gets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LogOptions {
    pub(crate) previous: bool,
    follow: bool,
    timestamps: bool,
    tail_lines: Option<usize>,
    since: Since,
    limit_bytes: Option<usize>,
    stream: Option<programs::Stream>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Since {
    #[default]
    Always,
    Ago(SignedDuration),
    Time(Timestamp),
}

impl LogOptions {
    pub(crate) fn from_query(query: &Query) -> Result<Self, Refusal> {
        let number = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => text.parse::<u32>().map(Some).map_err(|_| invalid(name, text)),
        };
        let since = match (number("sinceSeconds")?, query.get("sinceTime")) {
            (Some(seconds), _) => Since::Ago(SignedDuration::from_secs(seconds.into())),
            (None, Some(text)) => Since::Time(text.parse().map_err(|_| invalid("sinceTime", text))?),
            (None, None) => Since::Always,
        };
        let stream = match query.get("stream") {
            None | Some("" | "All") => None,
            Some("Stdout") => Some(programs::Stream::Stdout),
            Some("Stderr") => Some(programs::Stream::Stderr),
            Some(other) => return Err(invalid("stream", other)),
        };
        Ok(Self {
            previous: query.is_true("previous"),
            follow: query.is_true("follow"),
            timestamps: query.is_true("timestamps"),
            tail_lines: number("tailLines")?.map(|lines| lines as usize),
            since,
            limit_bytes: number("limitBytes")?.map(|bytes| bytes as usize),
            stream,
        })
    }
}

fn invalid(name: &str, value: &str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, format!("invalid value {value:?} of {name}"))
}

/// Streams a log to its current end, or until the container ends if followed.
pub(crate) fn stream(
    log: ContainerLog,
    options: LogOptions,
    now: Timestamp,
    scope: Shutdown,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let mut reader = log.from_start();
    let mut kept = Vec::new();
    while let Some(entry) = reader.try_next() {
        kept.push(entry);
    }
    let mut printer = Printer::new(&options);
    let first: Bytes = select(kept, &options, now).iter().flat_map(|entry| printer.print(entry)).collect();
    let state =
        LogStream { first: Some(first), reader: options.follow.then_some(reader), printer, options, scope };
    futures::stream::unfold(state, |mut state| async move {
        let bytes = state.next().await?;
        Some((Ok(Frame::data(bytes)), state))
    })
}

struct LogStream {
    /// The output so far. Sent even if empty, so that the response headers are sent immediately.
    first: Option<Bytes>,
    reader: Option<LogReader>,
    printer: Printer,
    options: LogOptions,
    scope: Shutdown,
}

impl LogStream {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let reader = self.reader.as_mut()?;
        loop {
            if self.printer.is_full() {
                return None;
            }
            let seen = tokio::select! {
                seen = reader.next() => seen,
                () = self.scope.requested() => return None,
            };
            match seen {
                NextEntry::Entry(entry) if self.options.wants(&entry) => {
                    return Some(self.printer.print(&entry).into());
                }
                NextEntry::Entry(_) => {}
                NextEntry::End => return None,
            }
        }
    }
}

impl LogOptions {
    fn wants(&self, entry: &LogEntry) -> bool {
        self.stream.is_none_or(|stream| entry.stream == stream)
    }
}

/// Selects the entries of the output so far.
fn select(entries: Vec<LogEntry>, options: &LogOptions, now: Timestamp) -> Vec<LogEntry> {
    let since = match options.since {
        Since::Always => Timestamp::MIN,
        Since::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        Since::Time(time) => time,
    };
    let mut wanted: Vec<LogEntry> =
        entries.into_iter().filter(|entry| entry.at >= since && options.wants(entry)).collect();
    if let Some(lines) = options.tail_lines {
        let mut starts = LineStarts::default();
        let first_of_lines: Vec<usize> =
            (0..wanted.len()).filter(|at| starts.starts_line(&wanted[*at])).collect();
        let from = match lines {
            0 => wanted.len(),
            _ => first_of_lines.iter().rev().nth(lines - 1).copied().unwrap_or(0),
        };
        wanted.drain(..from);
    }
    wanted
}

/// Recognises entries that begin a line: those after a line break on the same stream.
#[derive(Debug, Default)]
struct LineStarts {
    stdout_open: bool,
    stderr_open: bool,
}

impl LineStarts {
    fn starts_line(&mut self, entry: &LogEntry) -> bool {
        let open = match entry.stream {
            programs::Stream::Stdout => &mut self.stdout_open,
            programs::Stream::Stderr => &mut self.stderr_open,
        };
        let starts = !*open;
        *open = !entry.bytes.ends_with(b"\n");
        starts
    }
}

/// Prints entries as bytes of the response.
struct Printer {
    timestamps: bool,
    starts: LineStarts,
    /// Bytes left of `limitBytes`.
    left: usize,
}

impl Printer {
    fn new(options: &LogOptions) -> Self {
        let left = options.limit_bytes.unwrap_or(usize::MAX);
        Self { timestamps: options.timestamps, starts: LineStarts::default(), left }
    }

    fn print(&mut self, entry: &LogEntry) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entry.bytes.len() + 32);
        if self.starts.starts_line(entry) && self.timestamps {
            bytes.extend_from_slice(format!("{:.9} ", entry.at).as_bytes());
        }
        bytes.extend_from_slice(&entry.bytes);
        bytes.truncate(self.left);
        self.left -= bytes.len();
        bytes
    }

    fn is_full(&self) -> bool {
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(1_658_675_588 + second).expect("in range")
    }

    /// Three lines a second apart, the second one on standard error and in two parts.
    fn log() -> ContainerLog {
        let log = ContainerLog::default();
        log.write(programs::Stream::Stdout, b"one\n", time(0));
        log.write(programs::Stream::Stderr, b"tw", time(1));
        log.write(programs::Stream::Stderr, b"o\n", time(1));
        log.write(programs::Stream::Stdout, b"three\n", time(2));
        log
    }

    fn options(query: &str) -> LogOptions {
        let request = http::Request::builder().uri(format!("/?{query}")).body(()).expect("a request");
        LogOptions::from_query(&Query::from_request(&request)).expect("valid options")
    }

    async fn read(log: &ContainerLog, query: &str) -> String {
        let frames = stream(log.clone(), options(query), time(3), Shutdown::new());
        let bytes = frames.map(|frame| frame.expect("infallible").into_data().expect("data"));
        String::from_utf8_lossy(&bytes.collect::<Vec<_>>().await.concat()).into_owned()
    }

    #[tokio::test]
    async fn options_and_what_they_show() {
        let log = log();
        let cases = [
            ("everything", "", "one\ntwo\nthree\n"),
            ("the last lines", "tailLines=2", "two\nthree\n"),
            ("more than there are", "tailLines=9", "one\ntwo\nthree\n"),
            ("none", "tailLines=0", ""),
            ("the last seconds", "sinceSeconds=2", "two\nthree\n"),
            ("since a time", "sinceTime=2022-07-24T15:13:10Z", "three\n"),
            ("a few bytes", "limitBytes=5", "one\nt"),
            ("one stream", "stream=Stderr", "two\n"),
            (
                "timestamps",
                "timestamps=true&tailLines=2",
                "2022-07-24T15:13:09.000000000Z two\n2022-07-24T15:13:10.000000000Z three\n",
            ),
        ];
        for (name, query, want) in cases {
            assert_eq!(read(&log, query).await, want, "{name}");
        }
    }

    #[tokio::test]
    async fn a_followed_log_ends_with_the_container() {
        let log = log();
        let writer = async {
            tokio::task::yield_now().await;
            log.write(programs::Stream::Stdout, b"four\n", time(4));
            tokio::task::yield_now().await;
            log.close();
        };
        let (text, ()) = tokio::join!(read(&log, "follow=true&tailLines=1"), writer);
        assert_eq!(text, "three\nfour\n");
    }

    #[tokio::test]
    async fn a_followed_log_ends_at_the_limit() {
        let text = read(&log(), "follow=true&limitBytes=3").await;
        assert_eq!(text, "one");
    }

    #[test]
    fn wrong_options_are_named() {
        for query in ["tailLines=x", "sinceTime=yesterday", "limitBytes=-1", "stream=Both"] {
            let request = http::Request::builder().uri(format!("/?{query}")).body(()).expect("a request");
            let Refusal(status, text) =
                LogOptions::from_query(&Query::from_request(&request)).expect_err("invalid");
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(text.contains(query.split('=').next().expect("a name")), "{text}");
        }
    }
}
