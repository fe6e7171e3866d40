//! `portolan token`: the bootstrap tokens by which clusters register in pull mode.

use anyhow::{Context, Result};
use portolan_api::agents::token::{BootstrapToken, Token};
use portolan_api::cluster::is_name;
use portolan_controllers::agents::{TokenRequest, create_token, delete_token, registration_address, tokens};
use portolan_controllers::clusters::permissions::placed;
use portolan_net::Clock;
use portolan_object::age::human;
use portolan_object::time::format_time;

use crate::arguments::TokenCommand;
use crate::output::table::align;
use crate::servers::connect;

/// Length of the public half of a token.
const ID_LENGTH: usize = 6;

pub(crate) async fn run(command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create { hub, cluster, description, ttl, print_register_command } => {
            if let Some(cluster) = &cluster {
                anyhow::ensure!(is_name(cluster), "{cluster:?} is not a name of a cluster");
            }
            let hub = connect(&hub).await?;
            let name = cluster.clone().unwrap_or_else(|| "NAME".to_owned());
            // Read before the token is made: one that is not printed cannot be used.
            let command = if cluster.is_some() || print_register_command {
                let placed = placed(&hub, None, &name).await;
                let placed = placed.context("cannot read what is placed in clusters")?;
                Some((registration_address(&hub).await?, placed))
            } else {
                None
            };
            let lifetime = (!ttl.is_zero()).then_some(ttl);
            let request = TokenRequest { cluster, description, lifetime };
            let token =
                create_token(&hub, &request, &Clock::system()).await.context("no token is created")?;
            let Some((place, placed)) = command else {
                anstream::println!("{}", token.token);
                return Ok(());
            };
            let placed: Vec<String> = placed.iter().map(ToString::to_string).collect();
            let rights =
                if placed.is_empty() { String::new() } else { format!(" --place {}", placed.join(",")) };
            anstream::println!(
                "portolan register {} --token {} --discovery-token-ca-cert-hash {} --cluster-name {name}{rights}",
                place.address,
                token.token,
                place.key_hash
            );
            Ok(())
        }
        TokenCommand::List { hub } => {
            let listed = tokens(&connect(&hub).await?).await.context("tokens cannot be listed")?;
            print(&listed);
            Ok(())
        }
        TokenCommand::Delete { hub, tokens } => {
            let hub = connect(&hub).await?;
            for given in tokens {
                let id = match given.parse::<Token>() {
                    Ok(token) => token.id,
                    Err(_) if given.len() == ID_LENGTH => given,
                    Err(error) => return Err(error).context("give a token or its id"),
                };
                delete_token(&hub, &id).await.with_context(|| format!("token {id} is not deleted"))?;
                anstream::println!("bootstrap token {id:?} deleted");
            }
            Ok(())
        }
    }
}

/// The columns are karmadactl's, and CLUSTER.
fn print(tokens: &[BootstrapToken]) {
    let now = Clock::system().now();
    let heading = ["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS", "CLUSTER"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for one in tokens {
        let or_none = |text: String| if text.is_empty() { "<none>".to_owned() } else { text };
        let groups: Vec<&str> = one.groups.iter().map(String::as_str).collect();
        rows.push(vec![
            one.token.to_string(),
            one.expires.map_or_else(|| "<forever>".to_owned(), |end| human(now.duration_until(end))),
            one.expires.map_or_else(|| "<never>".to_owned(), format_time),
            or_none(one.usages.join(",")),
            or_none(one.description.clone()),
            or_none(groups.join(",")),
            one.cluster.clone().unwrap_or_else(|| "<any new>".to_owned()),
        ]);
    }
    anstream::print!("{}", align(&rows.iter().collect::<Vec<_>>()));
}
