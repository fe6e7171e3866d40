//! The controllers, and the agent of a cluster in pull mode, are killed at random points while a user creates, edits, moves
//! and deletes objects of three kinds, replaces policies, overrides, and deletes Works and bindings by hand. After every
//! order of these the members end as the user asked, and no object in a member is deleted unless the user deleted its template or took the
//! cluster from its placement.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-controllers --test it restarts -- --nocapture` runs more seeds than the normal
//! tests do; `PORTOLAN_FIRST_SEED` is the first one, and `RUST_LOG=portolan_controllers=debug` prints what the controllers do.

mod run;
mod templates;

use std::time::Duration;

use portolan_net::Shutdown;
use serde_json::json;

use crate::federation::{BINDING, CONFIG_MAP, Federation, WORK, config_map, policy};
use crate::seeded::{Process, number};
use run::{Processes, Run, record_deletions};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hub_or_agent_deletes_nothing_by_itself_and_converges() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _is_first = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let mut set = Federation::start(&["eu"]).await;
    set.register("us").await;
    set.stop_controllers().await;
    let set = set;
    let scope = Shutdown::new();
    let deleted = record_deletions(&set, &scope).await;
    let (hub, agent) = (Process::of_hub(&set), Process::of_agent(&set, "us"));
    let mut processes = Processes { hub, agent, kills: 0 };
    let (first, count) = (number("PORTOLAN_FIRST_SEED", 1), number("PORTOLAN_SEEDS", 4));
    let mut slowest = (Duration::ZERO, first);
    for seed in first..first + count {
        let convergence = Run::all(&set, seed, &mut processes, &deleted).await;
        slowest = slowest.max((convergence, seed));
        println!("seed {seed}: {} kills so far", processes.kills);
    }
    // A seed that does not end so has failed.
    println!(
        "{count} seeds, {} kills: deleted without a delete of a user 0, not converged 0; slowest convergence {:.2} s (seed {})",
        processes.kills,
        slowest.0.as_secs_f64(),
        slowest.1
    );
    processes.agent.kill().await;
    processes.hub.kill().await;
    scope.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_although_its_work_was_deleted_by_hand_just_before() {
    let set = Federation::start(&["eu"]).await;
    set.hub.create(config_map("app", "1")).await;
    set.hub.create(policy("app", CONFIG_MAP, "app", &["eu"])).await;
    set.member("eu").when_there(CONFIG_MAP, "default/app").await;
    let work = format!("karmada-es-eu/{}", portolan_api::names::work("ConfigMap", "app", "default"));
    set.stop_controllers().await;
    // The state after a kill between the end of the Work and the next one.
    let note = json!({ "metadata": { "annotations": { "portolan.dev/remade-works": "eu" } } });
    set.hub.patch(BINDING, "default/app-configmap", note).await;
    set.hub.patch(WORK, &work, json!({ "metadata": { "finalizers": null } })).await;
    set.hub.delete(WORK, &work).await;
    set.hub.when_gone(WORK, &work).await;
    set.hub.delete(CONFIG_MAP, "default/app").await;

    set.run_controllers();
    set.member("eu").when_gone(CONFIG_MAP, "default/app").await;
    set.hub.when_gone(BINDING, "default/app-configmap").await;
}
