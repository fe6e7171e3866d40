//! The real kubectl against one kubeconfig context.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::programs;

/// kubectl with a kubeconfig, a context and a separate discovery cache.
#[derive(Debug, Clone)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    context: Option<String>,
    cache: PathBuf,
}

/// What a run printed.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stdout, self.stderr)
    }
}

impl Kubectl {
    /// Uses the current context of a kubeconfig; `cache` is a folder for discovery, fresh for each test because an
    /// old one changes what kubectl says about kinds that come and go.
    pub fn new(kubeconfig: &Path, cache: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), context: None, cache: cache.to_owned() }
    }

    /// The same with another context.
    #[must_use]
    pub fn context(&self, name: &str) -> Self {
        Self { context: Some(name.to_owned()), cache: self.cache.join(name), ..self.clone() }
    }

    /// The command with its common arguments, for tests that need the process.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::kubernetes("kubectl"));
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache);
        if let Some(context) = &self.context {
            command.args(["--context", context]);
        }
        command.args(arguments);
        command
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// Runs to the end with `input` on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // kubectl may end without reading its input, which breaks the pipe.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("kubectl can be waited for");
        Output {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs to the end and returns standard output.
    ///
    /// # Panics
    /// When kubectl fails.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.success, "kubectl {}:\n{output}", arguments.join(" "));
        output.stdout
    }

    /// Runs, expects a failure, and returns the error text.
    ///
    /// # Panics
    /// When kubectl succeeds.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.success, "kubectl {} was expected to fail:\n{output}", arguments.join(" "));
        output.to_string()
    }

    /// An object, or the error text.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let output = self.run(&all);
        if !output.success {
            return Err(output.to_string());
        }
        serde_json::from_str(&output.stdout).map_err(|error| format!("{error}: {}", output.stdout))
    }

    /// Waits until a run prints something that `wanted` accepts, and returns standard output.
    pub fn eventually(&self, arguments: &[&str], awaited: &str, wanted: impl Fn(&str) -> bool) -> String {
        crate::eventually(&format!("kubectl {} to show {awaited}", arguments.join(" ")), || {
            let output = self.run(arguments);
            if output.success && wanted(&output.stdout) { Ok(output.stdout) } else { Err(output.to_string()) }
        })
    }
}
