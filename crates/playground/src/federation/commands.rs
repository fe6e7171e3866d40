//! Executes the commands for a running playground.

use std::sync::Arc;

use futures::FutureExt as _;
use portolan_net::Shutdown;

use crate::control::{Command, Execute, LinkState, Listing};
use crate::federation::members::Members;
use crate::network::{ClusterName, Link, Network};

/// Executes commands on tasks of `scope`, so that a command is done even when its client has left.
pub(super) fn execute(network: &Network, members: &Arc<Members>, scope: &Shutdown) -> Execute {
    let (network, members, scope) = (network.clone(), members.clone(), scope.clone());
    Arc::new(move |command: Command| {
        let (network, members) = (network.clone(), members.clone());
        let executed = scope.spawn(async move { run(command, &network, &members).await });
        let answered = async move {
            match executed.await {
                Ok(Some(result)) => result,
                Ok(None) => Err("the playground ends".to_owned()),
                Err(error) => Err(format!("an error in the playground: {error}")),
            }
        };
        answered.boxed()
    })
}

async fn run(command: Command, network: &Network, members: &Members) -> Result<Listing, String> {
    match command {
        Command::Cut(a, b) => switch_link(network, (&a, &b), Link::Silent).await,
        Command::Restore(a, b) => switch_link(network, (&a, &b), Link::Up).await,
        Command::Links => Ok(links(network)),
        Command::Act(action, name) => {
            members.act(&name, action).await.map_err(|error| error.to_string())?;
            Ok(Listing::Members(members.states().await))
        }
        Command::Members => Ok(Listing::Members(members.states().await)),
    }
}

async fn switch_link(network: &Network, ends: (&str, &str), link: Link) -> Result<Listing, String> {
    let (a, b) = (ClusterName::new(ends.0), ClusterName::new(ends.1));
    network.switch_link(&a, &b, link).await.map_err(|error| error.to_string())?;
    Ok(links(network))
}

fn links(network: &Network) -> Listing {
    let state = |(a, b, link): (ClusterName, ClusterName, Link)| LinkState {
        clusters: (a.to_string(), b.to_string()),
        up: link == Link::Up,
    };
    Listing::Links(network.links().into_iter().map(state).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let network = Network::new();
        for (number, name) in ["one", "three", "two"].into_iter().enumerate() {
            let range = |second: usize| format!("10.{second}.0.0/16").parse().expect("a range");
            network
                .add_cluster(&ClusterName::new(name), range(10 + number), range(20 + number))
                .expect("the ranges are free");
        }
        network
    }

    fn text(result: Result<Listing, String>) -> String {
        match result {
            Ok(Listing::Links(links)) => links
                .iter()
                .map(|link| {
                    format!("{}-{} {}", link.clusters.0, link.clusters.1, if link.up { "up" } else { "cut" })
                })
                .collect::<Vec<_>>()
                .join(", "),
            other => format!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn links_are_cut_and_restored() {
        let network = network();
        let switch = async |a: &str, b: &str, link| text(switch_link(&network, (a, b), link).await);
        assert_eq!(text(Ok(links(&network))), "one-three up, one-two up, three-two up");
        assert_eq!(switch("two", "one", Link::Silent).await, "one-three up, one-two cut, three-two up");
        network.isolate(&ClusterName::new("two"), true).await.expect("isolated");
        network.isolate(&ClusterName::new("two"), false).await.expect("back");
        assert_eq!(
            text(Ok(links(&network))),
            "one-three up, one-two cut, three-two up",
            "a cut link stays so"
        );
        assert_eq!(switch("one", "two", Link::Up).await, "one-three up, one-two up, three-two up");
        let unknown = switch("one", "four", Link::Silent).await;
        assert_eq!(unknown, "Err(\"there is no cluster four; there are one, three, two\")");
        assert_eq!(switch("one", "one", Link::Silent).await, "Err(\"one has no link to itself\")");
    }
}
