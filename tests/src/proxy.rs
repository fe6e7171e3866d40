//! Plain HTTP requests to an API server, through `kubectl proxy`: as an administrator, or as any user by impersonation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::kubectl::Kubectl;

/// Time to wait for a reply.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running `kubectl proxy`; ended when dropped.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    address: String,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` and so on.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// `Content-Type` of the body.
    pub content_type: &'static str,
    /// `Accept`.
    pub accept: &'static str,
    /// The body; null for none.
    pub body: Value,
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub code: u16,
    /// Texts of the `Warning` headers.
    pub warnings: Vec<String>,
    /// The body; the array of its lines when these are JSON, such as the events of a watch that ends; null when it is not
    /// JSON, and for watches without an end.
    pub body: Value,
}

impl Reply {
    /// `message` of a `Status`.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Proxy {
    /// Starts a proxy for the server and the user of a kubeconfig.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(kubectl: &Kubectl) -> Self {
        let mut command = kubectl.command(&["proxy", "--port=0", "--disable-filter"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("kubectl starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("kubectl proxy says where it listens");
        let address = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "kubectl proxy: {line}");
        Self { child, address }
    }

    /// Sends a request as `user`, or as the user of the kubeconfig if that is empty.
    ///
    /// # Panics
    /// When the proxy does not answer.
    pub fn send(&self, user: &str, request: &Request) -> Reply {
        let body = if request.body.is_null() { String::new() } else { request.body.to_string() };
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nAccept: {}\r\nConnection: close\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n",
            request.method,
            request.path,
            self.address,
            request.accept,
            request.content_type,
            body.len()
        );
        if !user.is_empty() {
            head += &format!("Impersonate-User: {user}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).expect("kubectl proxy listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time can be set");
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).expect("kubectl proxy reads");
        // The reply to a watch has no end unless it has a timeout: its head is enough.
        let is_endless = request.path.contains("watch=") && !request.path.contains("timeoutSeconds=");
        let text = read(stream, is_endless);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Reply {
            code: code.unwrap_or_else(|| panic!("{} {}: {text}", request.method, request.path)),
            warnings: head.lines().filter_map(warning).collect(),
            body: serde_json::from_str(&body).unwrap_or_else(|_| lines(&body)),
        }
    }
}

/// The text of a header `Warning: 299 - "text"`.
fn warning(line: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    let text = value.split_once('"')?.1.trim_end().strip_suffix('"')?;
    name.eq_ignore_ascii_case("warning").then(|| text.replace("\\\"", "\""))
}

/// The lines of a body as JSON; null when one is not.
fn lines(body: &str) -> Value {
    let lines: Result<Vec<Value>, _> = body.lines().map(serde_json::from_str).collect();
    lines.map(Value::Array).unwrap_or_default()
}

fn read(stream: TcpStream, only_head: bool) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).expect("kubectl proxy answers") == 0 {
            break;
        }
    }
    let is_success = text.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
    if !(only_head && is_success) {
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).expect("kubectl proxy answers");
        text += &String::from_utf8_lossy(&rest);
    }
    text
}

/// Joins the chunks of a body.
fn unchunked(mut body: &str) -> String {
    let mut joined = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        joined += chunk;
        body = rest.get(size + 2..).unwrap_or_default();
    }
    joined
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
