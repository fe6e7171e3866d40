//! The walkthrough of federated Services at public DNS, through outages: one scenario, three kinds of public zones.

#[path = "federated_dns/bind.rs"]
mod bind;
#[path = "federated_dns/coredns.rs"]
mod coredns;
#[path = "federated_dns/peer.rs"]
mod peer;
#[path = "federated_dns/route53.rs"]
mod route53;

use portolan_e2e::binary::portolan;
use portolan_e2e::network::Network;
use portolan_e2e::programs::example;
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, eventually, text, walkthroughs};
use serde_json::{Value, json};

use self::peer::are_left_out;

const GLOBAL: &str = "nginx.default.myfed.svc.example.com";
const REGION_US: &str = "nginx.default.myfed.svc.us-central1.example.com";
const REGION_EU: &str = "nginx.default.myfed.svc.europe-west1.example.com";
const ZONE_A: &str = "nginx.default.myfed.svc.us-central1-a.us-central1.example.com";
const ZONE_B: &str = "nginx.default.myfed.svc.us-central1-b.us-central1.example.com";
const ZONE_EU: &str = "nginx.default.myfed.svc.europe-west1-b.europe-west1.example.com";

/// The addresses that the load balancers of the playground's clusters have.
const US_A: &str = "198.18.0.1";
const US_B: &str = "198.18.1.1";
const EU: &str = "198.18.2.1";

/// The zone `example.com` at a provider. It has the name `www.example.com`, which other software wrote.
trait PublicZone {
    /// The provider in the Federation. Its Secret is `dns`.
    fn provider(&self) -> Value;

    /// The keys and values of the Secret; empty when the provider needs none.
    fn secret(&self) -> Vec<(&'static str, &'static str)>;

    /// The addresses of a name, and the aliases that lead to them, sorted.
    fn answer(&self, name: &str) -> Vec<String>;

    /// Waits until a name has this answer.
    fn when(&self, name: &str, want: &[&str]) {
        let mut want: Vec<String> = want.iter().map(|&line| line.to_owned()).collect();
        want.sort();
        eventually(&format!("{name} to have {want:?}"), || {
            let found = self.answer(name);
            if found == want { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
}

#[test]
fn clients_find_a_healthy_shard_at_bind() {
    in_a_network_of_its_own(|| go_through_outages(&bind::Bind::start()));
}

#[test]
fn clients_find_a_healthy_shard_at_coredns() {
    in_a_network_of_its_own(|| go_through_outages(&coredns::CoreDns::start()));
}

#[test]
fn clients_find_a_healthy_shard_at_route_53() {
    in_a_network_of_its_own(|| go_through_outages(&route53::Moto::start()));
}

/// Runs a scenario where no address of a load balancer can be reached: some networks accept connections to every address.
fn in_a_network_of_its_own(scenario: impl FnOnce() + Send) {
    if !are_left_out() {
        Network::create().inside(scenario);
    }
}

/// A zone without healthy pods, a cluster that is gone, both back, and the end of the Service.
fn go_through_outages(public: &impl PublicZone) {
    let clusters = walkthroughs::federated_service_clusters();
    let playground = Playground::start_with(&["--config", text(&clusters)]);
    let hub = playground.hub();
    let us_a = playground.member("us-a");
    let region = format!("{REGION_US}.");
    for name in ["us-a", "us-b", "eu"] {
        run_nginx(&playground.member(name));
    }
    publish(&hub, public);
    let nginx = example("federated-service/nginx.yaml");
    assert_eq!(hub.ok(&["create", "-f", text(&nginx)]), "service/nginx created\n");
    all_are_healthy(public);
    let published = ["get", "federation", "myfed", "-o", "jsonpath={.status.conditions}"];
    hub.eventually(&published, "published records", |conditions| {
        let conditions: Value = serde_json::from_str(conditions).unwrap_or_default();
        let all = conditions.as_array().into_iter().flatten();
        all.into_iter().any(|one| one["type"] == "RecordsPublished" && one["status"] == "True")
    });

    // An outage of a zone: its name leads to the region.
    us_a.ok(&["delete", "pod", "nginx", "--now"]);
    public.when(ZONE_A, &[&region, US_B]);
    public.when(REGION_US, &[US_B]);
    public.when(GLOBAL, &[US_B, EU]);
    run_nginx(&us_a);
    all_are_healthy(public);

    // An outage of the only cluster of a region: zone and region lead to all shards.
    act(&playground, "stop", "eu");
    public.when(GLOBAL, &[US_A, US_B]);
    public.when(ZONE_EU, &[&format!("{REGION_EU}."), &format!("{GLOBAL}."), US_A, US_B]);
    act(&playground, "start", "eu");
    all_are_healthy(public);

    // The records go with the Service, and those of others stay.
    hub.ok(&["delete", "service", "nginx"]);
    for name in [GLOBAL, REGION_US, REGION_EU, ZONE_A, ZONE_B, ZONE_EU] {
        public.when(name, &[]);
    }
    public.when("www.example.com", &["192.0.2.80"]);
}

/// A pod with the label `run=nginx`.
fn run_nginx(member: &Kubectl) {
    member.ok(&["run", "nginx", "--image=nginx", "--port=80"]);
}

/// Creates the Federation with the zone.
fn publish(hub: &Kubectl, public: &impl PublicZone) {
    let secret = public.secret();
    if !secret.is_empty() {
        let data: serde_json::Map<String, Value> =
            secret.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        hub.eventually(&["get", "namespaces"], "karmada-system", |table| table.contains("karmada-system"));
        let object = json!({ "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": { "namespace": "karmada-system", "name": "dns" } });
        apply_text(hub, &object.to_string());
    }
    let federation = json!({ "apiVersion": "portolan.dev/v1alpha1", "kind": "Federation",
        "metadata": { "name": "myfed" }, "spec": { "dns": { "deadAfterSeconds": 1,
        "zones": [{ "domain": "example.com", "provider": public.provider() }] } } });
    apply_text(hub, &federation.to_string());
}

fn all_are_healthy(public: &impl PublicZone) {
    public.when(GLOBAL, &[US_A, US_B, EU]);
    public.when(REGION_US, &[US_A, US_B]);
    public.when(REGION_EU, &[EU]);
    public.when(ZONE_A, &[US_A]);
    public.when(ZONE_B, &[US_B]);
    public.when(ZONE_EU, &[EU]);
}

/// Stops or starts a cluster.
fn act(playground: &Playground, action: &str, cluster: &str) {
    let finished = portolan(&["playground", action, cluster, "--dir", text(playground.directory())]);
    assert_eq!(finished.code, Some(0), "{finished}");
}
