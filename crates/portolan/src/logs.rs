//! `portolan logs`: the output of containers in all members.

pub(crate) mod arguments;

use std::io::Write as _;

use anyhow::{Result, anyhow, bail, ensure};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use portolan_api::resources;
use portolan_object::ObjectKey;
use portolan_runtime::{Client, Resource};
use tokio::sync::mpsc;

use crate::pods::{Located, Wanted, container, containers, locate};
use arguments::Logs;

/// Lines that wait to be printed.
const BACKLOG: usize = 64;
/// Length of a line that is kept together, in bytes.
const MAX_LINE_BYTES: usize = 1 << 20;

/// One container of one pod.
struct Source {
    client: Client,
    path: String,
    /// Stands before each line.
    prefix: String,
    /// Names it in errors.
    name: String,
}

/// Prints logs. A container without logs is named on standard error; the others are printed anyway.
pub(crate) async fn run(mut arguments: Logs) -> Result<()> {
    let query = arguments.query()?;
    let (hub, servers) = arguments.access.connect().await?;
    let (located, notes) = locate(servers, &hub.namespace, arguments.wanted()?).await?;
    notes.iter().for_each(|note| anstream::eprintln!("{note}"));
    let located = choose(located, &arguments)?;
    let mut sources = Vec::new();
    for located in &located {
        sources.extend(sources_of(located, &arguments, &query)?);
    }
    ensure!(
        !arguments.follow || sources.len() <= arguments.max_log_requests,
        "{} containers would be followed, and --max-log-requests allows {}",
        sources.len(),
        arguments.max_log_requests
    );
    if sources.len() > 1 || arguments.prefix {
        for source in &mut sources {
            source.prefix = format!("[{}] ", source.name);
        }
    }
    print(sources, arguments.follow).await
}

/// The pods to print. A workload stands for its first pod, unless all are asked for; a name that several clusters have
/// stands for all of them.
fn choose(located: Vec<Located>, arguments: &Logs) -> Result<Vec<Located>> {
    let is_workload = arguments.target.as_deref().is_some_and(|target| {
        target.split_once('/').is_some_and(|(kind, _)| !["pod", "pods", "po"].contains(&kind))
    });
    let mut chosen: Vec<Located> = Vec::new();
    for one in located {
        let is_first = !chosen.iter().any(|other| other.cluster == one.cluster);
        if !is_workload || arguments.all_pods || is_first {
            chosen.push(one);
        } else if chosen.len() == 1 {
            anstream::eprintln!("--all-pods prints the other pods too");
        }
    }
    if chosen.is_empty() {
        bail!("there is no pod");
    }
    Ok(chosen)
}

fn sources_of(located: &Located, arguments: &Logs, query: &str) -> Result<Vec<Source>> {
    let pod = &located.pod;
    let names = match arguments.all_containers {
        true => containers(pod, true).into_iter().map(str::to_owned).collect(),
        false => {
            let (name, note) = container(pod, arguments.container.as_deref())?;
            note.iter().for_each(|note| anstream::eprintln!("{note}"));
            vec![name]
        }
    };
    let key = ObjectKey::namespaced(pod.namespace(), pod.name());
    let path = Resource::from(resources::POD).object_path(&key, "log");
    let source = |container: String| Source {
        client: located.client.clone(),
        path: format!("{path}?container={container}{query}"),
        prefix: String::new(),
        name: format!("{}/{}/{container}", located.cluster, pod.name()),
    };
    Ok(names.into_iter().map(source).collect())
}

/// Prints all sources: one after the other, or when they are followed as lines come.
async fn print(sources: Vec<Source>, is_followed: bool) -> Result<()> {
    let (count, mut failed) = (sources.len(), Vec::new());
    if !is_followed {
        for source in sources {
            if let Err(error) = copy(&source, &mut |bytes| write(&source.prefix, bytes)).await {
                failed.push(format!("{}: {error}", source.name));
            }
        }
        return conclude(&failed, count);
    }
    let (sender, mut receiver) = mpsc::channel::<(String, Vec<u8>)>(BACKLOG);
    let mut reading: FuturesUnordered<_> = sources
        .into_iter()
        .map(|source| {
            let sender = sender.clone();
            async move {
                let ended = follow(&source, &sender).await;
                ended.map_err(|error| format!("{}: {error}", source.name))
            }
        })
        .collect();
    drop(sender);
    loop {
        tokio::select! {
            biased;
            Some((prefix, line)) = receiver.recv() => write(&prefix, &line)?,
            Some(ended) = reading.next() => failed.extend(ended.err()),
            else => return conclude(&failed, count),
        }
    }
}

fn conclude(failed: &[String], count: usize) -> Result<()> {
    match failed {
        [] => Ok(()),
        [only] if count == 1 => Err(anyhow!("{only}")),
        failed => {
            failed.iter().for_each(|failure| anstream::eprintln!("{failure}"));
            Err(anyhow!("{} of {count} containers could not be read", failed.len()))
        }
    }
}

async fn follow(source: &Source, sender: &mpsc::Sender<(String, Vec<u8>)>) -> Result<()> {
    let mut stream = source.client.stream(&source.path).await?;
    let mut lines = Lines::default();
    loop {
        let bytes = stream.next().await?;
        let is_end = bytes.is_none();
        for line in lines.take(bytes.as_deref().unwrap_or_default(), is_end) {
            sender.send((source.prefix.clone(), line)).await?;
        }
        if is_end {
            return Ok(());
        }
    }
}

async fn copy(source: &Source, write: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut stream = source.client.stream(&source.path).await?;
    let mut lines = Lines::default();
    while let Some(bytes) = stream.next().await? {
        lines.take(&bytes, false).iter().try_for_each(|line| write(line))?;
    }
    lines.take(&[], true).iter().try_for_each(|line| write(line))
}

fn write(prefix: &str, line: &[u8]) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(prefix.as_bytes())?;
    output.write_all(line)?;
    Ok(output.flush()?)
}

/// Splits bytes into lines, so that lines of several containers do not mix.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are complete, with their ends; at the end of the stream, or when it is too long, also the rest.
    fn take(&mut self, bytes: &[u8], is_end: bool) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") || self.rest.len() > MAX_LINE_BYTES {
                lines.push(std::mem::take(&mut self.rest));
            }
        }
        if is_end && !self.rest.is_empty() {
            lines.push(std::mem::take(&mut self.rest));
        }
        lines
    }
}

impl Logs {
    /// What is asked for.
    fn wanted(&self) -> Result<Wanted<'_>> {
        match (&self.target, self.selector.as_str()) {
            (Some(_), selector) if !selector.is_empty() => {
                bail!("only a selector (-l) or a pod name is allowed")
            }
            (Some(target), _) => Ok(Wanted::Object(target)),
            (None, "") => bail!("name a pod, such as `web-1` or `deployment/web`, or a selector with -l"),
            (None, selector) => Ok(Wanted::Labels(selector)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_together() {
        let mut lines = Lines::default();
        let text = |lines: Vec<Vec<u8>>| {
            lines.into_iter().map(|line| String::from_utf8(line).expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(text(lines.take(b"one\ntw", false)), ["one\n"]);
        assert_eq!(text(lines.take(b"o\n\nthr", false)), ["two\n", "\n"]);
        assert_eq!(text(lines.take(b"", true)), ["thr"]);
        assert!(lines.take(b"", true).is_empty());
    }
}
