//! Arguments of `portolan logs`.

use anyhow::{Result, ensure};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;

use crate::arguments::duration::parse_duration;
use crate::completion::candidates::pods;
use crate::pods::PodAccess;

const EXAMPLES: &str = "\
Examples:
  # A pod, wherever it runs
  portolan logs web-6f7c9-x2x4z -n shop

  # The first pod of a Deployment in each cluster, as lines come
  portolan logs deploy/web -n shop -f

  # All containers of all pods with a label in one cluster, the last 20 lines of each
  portolan logs -l app=web -n shop -C eu --all-containers --tail 20

  # What a container wrote before it was restarted
  portolan logs web-6f7c9-x2x4z -n shop -c proxy --previous";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// The pod, or KIND/NAME of an object that selects pods, such as `deployment/web` or `service/web`
    #[arg(value_name = "POD|KIND/NAME", add = ArgValueCompleter::new(pods))]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) access: PodAccess,
    /// Label selector, such as `app=web`
    #[arg(short = 'l', long, default_value = "", hide_default_value = true, value_name = "SELECTOR")]
    pub(crate) selector: String,
    /// The container [default: that of the annotation kubectl.kubernetes.io/default-container, or the first]
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_containers")]
    pub(crate) container: Option<String>,
    /// All containers of each pod, also init containers
    #[arg(long)]
    pub(crate) all_containers: bool,
    /// All pods of a workload or Service, not only the first in each cluster
    #[arg(long)]
    pub(crate) all_pods: bool,
    /// Keep running, and print lines as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The logs of the container before its last restart
    #[arg(short, long)]
    pub(crate) previous: bool,
    /// Last lines of each container; -1 for all [default: all, with a selector 10]
    #[arg(long, value_name = "LINES", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) tail: Option<i64>,
    /// Only lines of this time, such as 5s, 2m or 3h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "since_time")]
    pub(crate) since: Option<std::time::Duration>,
    /// Only lines after a time of RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since_time: Option<String>,
    /// Print the time before each line
    #[arg(long)]
    pub(crate) timestamps: bool,
    /// Bytes of each container, at most
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit_bytes: Option<u64>,
    /// Print [cluster/pod/container] before each line, also with one container
    #[arg(long)]
    pub(crate) prefix: bool,
    /// Containers that are followed at the same time, at most
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub(crate) max_log_requests: usize,
}

impl Logs {
    /// The parameters of the request, each with `&` before it.
    ///
    /// # Errors
    /// If the text is not a time.
    pub(super) fn query(&self) -> Result<String> {
        let mut query = String::new();
        let mut push = |name: &str, value: &str| query.push_str(&format!("&{name}={value}"));
        for (name, is_on) in
            [("follow", self.follow), ("previous", self.previous), ("timestamps", self.timestamps)]
        {
            if is_on {
                push(name, "true");
            }
        }
        let default_tail = (!self.selector.is_empty()).then_some(10);
        if let Some(tail) = self.tail.or(default_tail).filter(|tail| *tail >= 0) {
            push("tailLines", &tail.to_string());
        }
        if let Some(since) = self.since {
            push("sinceSeconds", &since.as_secs().max(1).to_string());
        }
        if let Some(time) = &self.since_time {
            ensure!(
                time.parse::<Timestamp>().is_ok(),
                "--since-time {time:?} is not a time such as 2026-01-02T15:04:05Z"
            );
            push("sinceTime", &time.replace(':', "%3A").replace('+', "%2B"));
        }
        if let Some(bytes) = self.limit_bytes {
            push("limitBytes", &bytes.to_string());
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::arguments::{Arguments, Command};

    #[test]
    fn flags_become_parameters() {
        let query = |line: &str| {
            let words = format!("portolan logs {line}");
            let parsed = Arguments::try_parse_from(words.split_whitespace()).expect("a command line");
            let Command::Logs(logs) = parsed.command else { panic!("not logs") };
            logs.query().map_err(|error| error.to_string())
        };
        let cases = [
            ("web", ""),
            ("-l app=web", "&tailLines=10"),
            ("-l app=web --tail -1", ""),
            ("web -f -p --tail 3 --since 2m", "&follow=true&previous=true&tailLines=3&sinceSeconds=120"),
            (
                "web --since-time 2026-01-02T15:04:05Z --timestamps",
                "&timestamps=true&sinceTime=2026-01-02T15%3A04%3A05Z",
            ),
        ];
        for (line, want) in cases {
            assert_eq!(query(line).as_deref(), Ok(want), "{line}");
        }
        assert!(query("web --since-time yesterday").is_err());
    }
}
