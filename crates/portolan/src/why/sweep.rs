//! `portolan why` without arguments: everything that is broken in the federation.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use portolan_controllers::explain::federation;
use portolan_net::Clock;
use portolan_plan::explain::Verdict;
use portolan_plan::explain::sweep::{Trouble, sweep};

use super::arguments::WhyObject;
use super::render::age_of;
use crate::hub_access::kinds_of_hub;
use crate::servers::connect;

/// Objects that are named in a line, at most.
const MAX_NAMED: usize = 3;

/// Prints a line for each cause; fails if something is broken.
pub(super) async fn run(arguments: &WhyObject) -> Result<()> {
    if arguments.cluster.is_some() {
        bail!("--in needs an object: portolan why KIND/NAME --in CLUSTER");
    }
    let hub = connect(&arguments.hub).await?;
    let discovery = kinds_of_hub(&hub).await?;
    let federation = federation(&hub, &discovery).await;
    let troubles = sweep(&federation);
    let now = Clock::system().now();
    match arguments.output {
        Some(_) => {
            let document = serde_json::json!({ "troubles": troubles });
            anstream::println!("{}", serde_json::to_string_pretty(&document).context("cannot print JSON")?);
        }
        None if troubles.is_empty() => {
            let clusters = federation.clusters.as_ref().map_or(0, Vec::len);
            let bindings = federation.bindings.as_ref().map_or(0, Vec::len);
            anstream::println!(
                "Nothing is broken: {clusters} clusters and {bindings} propagated objects were looked at."
            );
        }
        None => troubles.iter().for_each(|trouble| anstream::print!("{}", line(trouble, now))),
    }
    let count = |verdict| troubles.iter().filter(|trouble| trouble.verdict == verdict).count();
    match count(Verdict::Broken) {
        // A program must not take what was seen for the whole.
        0 if count(Verdict::NotLookedAt) > 0 => bail!("not everything was looked at"),
        0 => Ok(()),
        1 => bail!("1 cause of trouble"),
        causes => bail!("{causes} causes of trouble"),
    }
}

fn line(trouble: &Trouble, now: Timestamp) -> String {
    let mark = match trouble.verdict {
        Verdict::Broken => '✗',
        Verdict::Warning => '!',
        Verdict::Waiting => '…',
        Verdict::Good => '✓',
        Verdict::NotLookedAt => '·',
    };
    let age = trouble.since.as_deref().and_then(|since| age_of(since, now));
    let age = age.map(|age| format!("   ({age})")).unwrap_or_default();
    let mut text = format!("{mark} {}{age}\n", trouble.cause);
    let objects = &trouble.objects;
    if !objects.is_empty() {
        let named = objects.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = match objects.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        text.push_str(&format!("    {} affected: {named}{more}\n", objects.len()));
    }
    text.push_str(&format!("    next: {}\n", trouble.cure));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_some_objects_and_counts_the_others() {
        let objects = ["a", "b", "c", "d", "e"].map(|name| format!("ConfigMap shop/{name}"));
        let trouble = Trouble {
            verdict: Verdict::Broken,
            cause: "eu does not serve the kind".to_owned(),
            objects: objects.to_vec(),
            since: Some("2026-01-01T00:00:00Z".to_owned()),
            cure: "install it".to_owned(),
        };
        let now = "2026-01-01T00:01:00Z".parse().expect("a time");
        assert_eq!(
            line(&trouble, now),
            "✗ eu does not serve the kind   (60s)\n    \
             5 affected: ConfigMap shop/a, ConfigMap shop/b, ConfigMap shop/c, and 2 more\n    \
             next: install it\n"
        );
    }
}
